// A lock that dies with its holder: SQLite's write lock on a small file, held for the life of a process. The kernel drops
// it however the process dies and whatever its pid namespace. The file must never be opened by anything but SQLite while
// it is held: closing any other descriptor of it would free the lock (POSIX record locks).
import { statSync } from "node:fs";
import type { DatabaseSync } from "node:sqlite";

/** A lock that is held. */
export class LockFile {
  readonly #db: DatabaseSync;
  readonly #path: string;
  readonly #inode: number | undefined;

  private constructor(db: DatabaseSync, path: string, inode: number | undefined) {
    this.#db = db;
    this.#path = path;
    this.#inode = inode;
  }

  /** `seize` begins a transaction that never ends. Throws what it throws, and what SQLite says. */
  static take(sqlite: typeof import("node:sqlite"), path: string, seize: (db: DatabaseSync) => void): LockFile {
    // Looked at first: if the file is moved or deleted meanwhile, SQLite makes another, which is not in place.
    const inode = inodeOf(path);
    const db = new sqlite.DatabaseSync(path);
    try {
      seize(db);
      return new LockFile(db, path, inode);
    } catch (error) {
      db.close();
      throw error;
    }
  }

  /** False when the file was moved or deleted: then another process sees no lock, and could take a new one. */
  isInPlace(): boolean {
    return this.#inode !== undefined && inodeOf(this.#path) === this.#inode;
  }

  /** Lets the next process in. */
  release(): void {
    this.#db.close();
  }
}

function inodeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.ino;
}
