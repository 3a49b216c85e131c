// The lock and the file together, as one thing to open, write, repair and close. It keeps the lock while it opens the
// file anew, so that no other process slips in between. Blocks like the file does.

import type { LockFile } from "../../std/lock-file.js";
import { loadSqlite } from "../../std/sqlite.js";
import { onlyNameOf } from "./file-name.js";
import { type FileSystemRisk, mustNotBeShared } from "./file-system.js";
import { type LedgerHolder, lockLedger } from "./lock.js";
import { type FileIdentity, type SqliteContents, SqliteFile, type SqliteFileOptions } from "./sqlite-file.js";
import type { Write } from "./sqlite-rows.js";
import { migrations } from "./sqlite-schema.js";

export interface SqliteStoreOptions extends Pick<SqliteFileOptions, "path" | "recentMs" | "recentMax" | "history"> {
  readonly holder: LedgerHolder;
  readonly identity: FileIdentity;
}

/** What an earlier process left, and what is risky about where the file lies. */
export interface StoreContents extends SqliteContents {
  readonly risk?: FileSystemRisk;
}

/** A ledger file that this process alone writes. */
export class SqliteStore {
  readonly #sqlite: typeof import("node:sqlite");
  readonly #options: SqliteStoreOptions;
  /** Without links, from the first opening on. */
  #path: string | undefined;
  #lock: LockFile | undefined;
  #file: SqliteFile | undefined;
  #risk: FileSystemRisk | undefined;

  constructor(options: SqliteStoreOptions) {
    this.#sqlite = loadSqlite();
    this.#options = options;
  }

  /** Takes the lock and opens the file. Throws LedgerError. */
  open(): void {
    this.#path ??= onlyNameOf(this.#options.path);
    const path = this.#path;
    // First, since not even the lock holds on a share.
    this.#risk = mustNotBeShared(path);
    this.#keepLock(path);
    const { recentMs, recentMax, history, identity } = this.#options;
    this.#file = SqliteFile.open(this.#sqlite, {
      path,
      recentMs,
      recentMax,
      ...(history ? { history } : {}),
      identity,
      migrations,
    });
  }

  /** What an earlier process left. Throws LedgerError. */
  read(nowMs: number): StoreContents {
    return { ...this.#opened().read(nowMs), ...(this.#risk && { risk: this.#risk }) };
  }

  /** Makes all of the writes durable, or none. Throws LedgerError. */
  commit(writes: readonly Write[]): void {
    const file = this.#opened();
    this.#keepLock(file.path);
    file.commit(writes);
  }

  /** After a fault: opens the file anew, since what SQLite holds in memory may not be what the disk took. */
  reopen(writes: readonly Write[]): void {
    this.#closeFile();
    this.open();
    this.commit(writes);
  }

  /** Closes the file and lets the next process in. */
  close(): void {
    try {
      this.#closeFile();
    } finally {
      this.#lock?.release();
      this.#lock = undefined;
    }
  }

  /** Takes the lock anew when its file was moved or deleted: the next process to come would not see the one we hold. */
  #keepLock(path: string): void {
    if (this.#lock?.isInPlace() === true) return;
    this.#lock?.release();
    this.#lock = undefined;
    this.#lock = lockLedger(this.#sqlite, path, this.#options.holder);
  }

  #closeFile(): void {
    const file = this.#file;
    this.#file = undefined;
    file?.close();
  }

  #opened(): SqliteFile {
    if (this.#file === undefined) throw new Error("bug: the ledger file is not open");
    return this.#file;
  }
}
