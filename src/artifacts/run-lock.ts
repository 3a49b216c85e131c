// Distinguishes running processes from dead ones by the lock of a run folder: an empty file beside it.
import { closeSync, existsSync, openSync } from "node:fs";
import { LockFile } from "../std/lock-file.js";
import { isSqliteBusy } from "../std/sqlite.js";

type Sqlite = typeof import("node:sqlite");

/** Makes the file and takes its lock; `undefined` when a sweep came in between. Throws what the disk says. */
export function makeRunLock(sqlite: Sqlite, path: string): LockFile | undefined {
  closeSync(openSync(path, "wx", 0o600));
  return takeRunLock(sqlite, path);
}

/** Takes the lock of a file that is there; `undefined` when a living process has it, or it is gone. Throws. */
export function takeRunLock(sqlite: Sqlite, path: string): LockFile | undefined {
  if (!existsSync(path)) return undefined;
  try {
    // Nothing is ever written, so no journal is needed, and a full disk does not matter.
    const lock = LockFile.take(sqlite, path, (db) => db.exec("PRAGMA journal_mode = MEMORY; BEGIN IMMEDIATE"));
    if (lock.isInPlace()) return lock;
    lock.release();
    return undefined;
  } catch (error) {
    if (isSqliteBusy(error)) return undefined;
    throw error;
  }
}
