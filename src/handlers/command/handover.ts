// A command of another user gets its own folder in the job's folder, and gives it up when it has ended. The job's
// folder stays the daemon's: what the daemon writes there, with more rights, must not be led elsewhere by a link.
import { chmod, lchown, lstat, mkdir, readdir, rename } from "node:fs/promises";
import { basename, join } from "node:path";
import { JobFailure } from "../../job/failure.js";
import type { Account } from "./account.js";
import { inputsFolder, outputsFolder } from "./places.js";

const placeName = "work";
/** Enough to keep the disk at work, few enough for the threads that all jobs share. */
const changedAtOnce = 32;

/** A folder (0700) in the job's folder for `handOver`, with these unpacked inputs moved to its `inputs/`. */
export async function makePlace(folder: string, inputs: readonly string[]): Promise<string> {
  const place = join(folder, placeName);
  await mkdir(place, { mode: 0o700 });
  await mkdir(join(place, inputsFolder), { mode: 0o700 });
  for (const input of inputs) await rename(input, join(place, inputsFolder, basename(input)));
  return place;
}

/** Gives the account everything in the folder, and the folder last: until then only the daemon can enter it. */
export async function handOver(place: string, { uid, gid }: Account): Promise<void> {
  await changeBelow(place, (path) => lchown(path, uid, gid));
  await lchown(place, uid, gid);
}

/**
 * Takes the place back, so that its owner cannot get in any more while outputs are read. Throws JobFailure when the
 * folder of the outputs is a link now, which would lead the daemon to what its owner may not read.
 */
export async function takeBack(place: string): Promise<void> {
  await lchown(place, process.geteuid?.() ?? 0, process.getegid?.() ?? 0);
  await chmod(place, 0o700);
  const stats = await lstat(join(place, outputsFolder)).catch(() => undefined);
  if (stats === undefined || stats.isDirectory()) return;
  throw new JobFailure("JobFailed", `the handler replaced its folder ${outputsFolder}; write outputs into it instead`);
}

async function changeBelow(folder: string, change: (path: string) => Promise<void>): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true });
  for (let at = 0; at < entries.length; at += changedAtOnce) {
    const some = entries.slice(at, at + changedAtOnce);
    await Promise.all(some.map(({ name }) => change(join(folder, name))));
  }
  for (const entry of entries) if (entry.isDirectory()) await changeBelow(join(folder, entry.name), change);
}
