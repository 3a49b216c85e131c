// Whether the folder for jobs' folders is ours alone. Its default is in a folder where every user may create files:
// what another user put there, or may change there, would lead us to write our customers' files where he likes.
import { lstat, mkdir, readlink, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { codeOf } from "../std/errors.js";

/** The folder for jobs' folders cannot be used. The message says what to do. */
export class WorkDirError extends Error {
  constructor(path: string, why: string, cause?: unknown) {
    super(`job folders cannot be created in ${path}: ${why}`, cause === undefined ? undefined : { cause });
    this.name = "WorkDirError";
  }
}

const othersMayWrite = 0o022;
/** As in Linux. */
const linksMax = 40;

/** Makes the folder (0700) if it is not there, and makes sure that no other user can change it. Throws WorkDirError. */
export async function openWorkDir(path: string): Promise<void> {
  // Where there are no user ids there is nothing to compare.
  const us = process.geteuid?.();
  try {
    if (us !== undefined) await refuseStrangeLinks(path, us);
    await mkdir(path, { recursive: true, mode: 0o700 });
    const stats = await stat(path);
    if (us === undefined) return;
    if (stats.uid !== us && stats.uid !== 0) throw foreign(path, `it belongs to another user (uid ${stats.uid})`);
    refuseShared(path, stats.mode);
  } catch (error) {
    if (error instanceof WorkDirError) throw error;
    const code = codeOf(error) ?? String(error);
    throw new WorkDirError(path, `${code}; set artifacts.workDir to a folder that partnerd may write`, error);
  }
}

function foreign(path: string, why: string): WorkDirError {
  return new WorkDirError(
    path,
    `${why}; make it accessible to partnerd's user only (chown, chmod 700), or set artifacts.workDir`,
  );
}

/**
 * Throws WorkDirError for a folder of this mode that others may write to, as the root of a volume commonly is: below it
 * we can make what is ours.
 */
export function refuseShared(path: string, mode: number): void {
  if (process.geteuid === undefined || (mode & othersMayWrite) === 0) return;
  throw new WorkDirError(
    path,
    `other users may write to it (mode ${(mode & 0o7777).toString(8)}); set artifacts.workDir to a folder below it, such as ` +
      `${join(path, "partnerd")}, which partnerd creates, or make it accessible to partnerd's user only (chown, chmod 700)`,
  );
}

/** Every link on the way must be root's or ours. */
async function refuseStrangeLinks(path: string, us: number): Promise<void> {
  let here = "/";
  let links = 0;
  /** Parts yet to walk, the next one last. */
  const ahead = resolve(path).split("/").reverse();
  for (let part = ahead.pop(); part !== undefined; part = ahead.pop()) {
    if (part === "" || part === ".") continue;
    const next = part === ".." ? dirname(here) : join(here, part);
    const stats = await lstat(next).catch(() => undefined);
    // What is not there yet is made by us.
    if (stats === undefined) return;
    if (!stats.isSymbolicLink()) {
      here = next;
      continue;
    }
    if (stats.uid !== us && stats.uid !== 0)
      throw foreign(path, `${next} is a link of another user (uid ${stats.uid})`);
    if (++links > linksMax) throw new WorkDirError(path, "its links form a circle; set artifacts.workDir");
    const target = await readlink(next);
    if (target.startsWith("/")) here = "/";
    ahead.push(...target.split("/").reverse());
  }
}
