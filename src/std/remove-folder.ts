// Removes a folder whatever is in it. What a child process made is hostile: links are not followed, and modes that
// forbid everything are no obstacle.
import { chmod, lstat, readdir, rm } from "node:fs/promises";
import { join } from "node:path";

/** Removes a folder with all that is in it, also what was made read-only; one that is gone is fine. Throws. */
export async function removeFolder(folder: string): Promise<void> {
  try {
    await rm(folder, { recursive: true, force: true, maxRetries: 2 });
  } catch {
    await openUp(folder);
    await rm(folder, { recursive: true, force: true, maxRetries: 2 });
  }
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
