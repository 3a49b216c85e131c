// Tells the living from the dead: SQLite's write lock on an empty file, held for the life of a process. The kernel
// drops it however the process dies and whatever its pid namespace. The file must never be opened by anything but
// SQLite while it is held: closing any other descriptor of it would free the lock (POSIX record locks).
import { closeSync, openSync, statSync } from "node:fs";
import type { DatabaseSync } from "node:sqlite";
import { isSqliteBusy } from "../std/sqlite.js";

type Sqlite = typeof import("node:sqlite");

/** The lock of one run folder. */
export class RunLock {
  readonly #db: DatabaseSync;
  readonly #path: string;
  readonly #inode: number;

  private constructor(db: DatabaseSync, path: string, inode: number) {
    this.#db = db;
    this.#path = path;
    this.#inode = inode;
  }

  /** Makes the file and takes its lock; `undefined` when a sweep came in between. Throws what the disk says. */
  static make(sqlite: Sqlite, path: string): RunLock | undefined {
    closeSync(openSync(path, "wx", 0o600));
    return RunLock.take(sqlite, path);
  }

  /** Takes the lock of a file that is there; `undefined` when a living process has it, or it is gone. Throws. */
  static take(sqlite: Sqlite, path: string): RunLock | undefined {
    const inode = inodeOf(path);
    if (inode === undefined) return undefined;
    const db = new sqlite.DatabaseSync(path);
    try {
      // Nothing is ever written, so no journal is needed, and a full disk does not matter.
      db.exec("PRAGMA journal_mode = MEMORY; BEGIN IMMEDIATE");
      const lock = new RunLock(db, path, inode);
      if (lock.isInPlace()) return lock;
      db.close();
      return undefined;
    } catch (error) {
      db.close();
      if (isSqliteBusy(error)) return undefined;
      throw error;
    }
  }

  /** False when the file was moved or deleted: then others see no lock. */
  isInPlace(): boolean {
    return inodeOf(this.#path) === this.#inode;
  }

  release(): void {
    this.#db.close();
  }
}

function inodeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.ino;
}
