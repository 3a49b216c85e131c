// One process per ledger file: a lock on a small file beside the ledger, in which readers can still see who holds it.
import type { DatabaseSync } from "node:sqlite";
import { LockFile } from "../../std/lock-file.js";
import { isSqliteBusy } from "../../std/sqlite.js";
import { LedgerError } from "../ledger.js";
import { createPrivate } from "../private-file.js";
import { openingFault } from "./sqlite-faults.js";

/** Who uses a ledger file. */
export interface LedgerHolder {
  readonly pid: number;
  readonly host: string;
  /** Since when, in ms since the epoch. */
  readonly sinceMs: number;
}

/** How long two processes that start together wait for each other's few milliseconds of writing. */
const politeWaitMs = 2_000;

/** Takes the exclusive right to a ledger file. Throws LedgerError `locked` that names the holder, or `unwritable`. */
export function lockLedger(sqlite: typeof import("node:sqlite"), ledgerPath: string, holder: LedgerHolder): LockFile {
  const path = `${ledgerPath}.lock`;
  try {
    createPrivate(path);
    return LockFile.take(sqlite, path, (db) => {
      try {
        seize(db, holder);
      } catch (error) {
        throw isSqliteBusy(error) ? lockedBy(db, ledgerPath) : error;
      }
    });
  } catch (error) {
    throw openingFault(path, error);
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
