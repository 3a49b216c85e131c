// Files that only their owner may read. It opens no file that exists: closing a descriptor of a file that SQLite
// holds open in the same process would free SQLite's locks on it (POSIX record locks).
import { chmodSync, closeSync, fsyncSync, openSync, statSync } from "node:fs";
import { dirname } from "node:path";

const ownerOnly = 0o600;
const openToOthers = 0o077;

/** Creates the file, empty and for its owner alone, or takes others' rights from an existing one. Throws. */
export function createPrivate(path: string): void {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined) {
    closeSync(openSync(path, "wx", ownerOnly));
    syncFolder(dirname(path));
    return;
  }
  if (!stats.isFile()) throw new Error("it is not a file");
  if ((stats.mode & openToOthers) !== 0) chmodSync(path, ownerOnly);
}

/** Without this the new name itself could be lost with the power. */
function syncFolder(path: string): void {
  const folder = openSync(path, "r");
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
