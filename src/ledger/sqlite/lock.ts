// One process per ledger file. The lock is SQLite's own write lock on a small file beside the ledger, held for the
// life of the process: the kernel drops it however the process dies, so that none is ever stale, and readers can
// still see who holds it. It must never be opened by anything but SQLite: closing any descriptor of it would free it.
import { statSync } from "node:fs";
import type { DatabaseSync } from "node:sqlite";
import { isSqliteBusy } from "../../std/sqlite.js";
import { LedgerError } from "../ledger.js";
import { createPrivate } from "../private-file.js";
import { openingFault } from "./faults.js";

/** Who uses a ledger file. */
export interface LedgerHolder {
  readonly pid: number;
  readonly host: string;
  /** Since when, in ms since the epoch. */
  readonly sinceMs: number;
}

/** How long two processes that start together wait for each other's few milliseconds of writing. */
const politeWaitMs = 2_000;

/** The exclusive right to a ledger file. */
export class SqliteLock {
  readonly #db: DatabaseSync;
  readonly #path: string;
  readonly #inode: number;

  private constructor(db: DatabaseSync, path: string, inode: number) {
    this.#db = db;
    this.#path = path;
    this.#inode = inode;
  }

  /** Takes the lock. Throws LedgerError `locked` that names the holder, or `unwritable`. */
  static take(sqlite: typeof import("node:sqlite"), ledgerPath: string, holder: LedgerHolder): SqliteLock {
    const path = lockPathOf(ledgerPath);
    let db: DatabaseSync | undefined;
    try {
      createPrivate(path);
      db = new sqlite.DatabaseSync(path);
      seize(db, holder);
      return new SqliteLock(db, path, statSync(path).ino);
    } catch (error) {
      const fault = isSqliteBusy(error) && db ? lockedBy(db, ledgerPath) : openingFault(path, error);
      db?.close();
      throw fault;
    }
  }

  /** False when the lock's file was moved or deleted: then another process could take a new one. */
  isInPlace(): boolean {
    return statSync(this.#path, { throwIfNoEntry: false })?.ino === this.#inode;
  }

  /** Lets the next process in. */
  release(): void {
    this.#db.close();
  }
}

/** Writes who we are, then holds the write lock in a transaction that never ends. */
function seize(db: DatabaseSync, holder: LedgerHolder): void {
  db.exec("BEGIN IMMEDIATE");
  db.exec(`PRAGMA busy_timeout = ${politeWaitMs}`);
  db.exec("CREATE TABLE IF NOT EXISTS holder (pid INTEGER, host TEXT, since_ms INTEGER); DELETE FROM holder");
  db.prepare("INSERT INTO holder VALUES (?, ?, ?)").run(holder.pid, holder.host, holder.sinceMs);
  db.exec("COMMIT");
  db.exec("PRAGMA busy_timeout = 0");
  // Between the two somebody else may have come first; exactly one of us gets this.
  db.exec("BEGIN IMMEDIATE");
}

function lockedBy(db: DatabaseSync, ledgerPath: string): LedgerError {
  const holder = holderIn(db);
  const who = holder
    ? `process ${holder.pid} on host ${holder.host} since ${new Date(holder.sinceMs).toISOString()}`
    : "another process";
  return new LedgerError(
    "locked",
    `the ledger ${ledgerPath} is in use by ${who}; one file serves one daemon: stop that one, or configure another path`,
  );
}

function holderIn(db: DatabaseSync): LedgerHolder | undefined {
  try {
    db.exec(`PRAGMA busy_timeout = ${politeWaitMs}`);
    const row = db.prepare("SELECT pid, host, since_ms FROM holder").get();
    if (row === undefined) return undefined;
    return { pid: Number(row["pid"]), host: String(row["host"]), sinceMs: Number(row["since_ms"]) };
  } catch {
    // Only the words of a message are at stake: the lock is held by somebody, whoever it is.
    return undefined;
  }
}

function lockPathOf(ledgerPath: string): string {
  return `${ledgerPath}.lock`;
}
