// The folders of jobs, without a look at how full their disk is.
import { chmod, lstat, mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { JobDisk } from "./store.js";

/** Makes folders (0700) that nobody else has, under `workDir`; their names say nothing of the job. */
export function plainDisk(workDir: string): JobDisk {
  return {
    room: () => ({ isEnough: true }),
    make: async () => {
      await mkdir(workDir, { recursive: true, mode: 0o700 });
      return mkdtemp(join(workDir, "job-"));
    },
    remove: async (folder) => {
      try {
        await rm(folder, { recursive: true, force: true, maxRetries: 2 });
      } catch {
        await openUp(folder);
        await rm(folder, { recursive: true, force: true, maxRetries: 2 });
      }
    },
    close: async () => {},
  };
}

/** Gives us back the right to list and change every folder below; links are left alone. */
async function openUp(folder: string): Promise<void> {
  const stats = await lstat(folder);
  if (!stats.isDirectory()) return;
  await chmod(folder, 0o700);
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) await openUp(join(folder, entry.name));
  }
}
