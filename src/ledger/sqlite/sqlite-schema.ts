// The shape of the ledger's SQLite file: how it says that it is ours, which version it has, and how an older one
// becomes a newer one. A file of somebody else or of a newer partnerd is refused before anything is changed in it.
import type { DatabaseSync } from "node:sqlite";
import { LedgerError } from "../ledger.js";

/** "Part" in ASCII, in the header of every ledger file (PRAGMA application_id). */
export const applicationId = 0x50617274;

/**
 * Step n makes version n + 1 out of version n; version 0 is an empty file. A released step is never changed.
 * `jobs` holds what is owed, a row each; `ended` remembers for a while what ended: `remembered` is 1 for what had a
 * result, so that an offer of it is a repeat, and `history` is what people are shown of it.
 */
export const migrations: readonly string[] = [
  `CREATE TABLE jobs (
     id INTEGER PRIMARY KEY,
     region TEXT NOT NULL,
     job_id TEXT NOT NULL,
     owner TEXT NOT NULL,
     category TEXT NOT NULL,
     provider TEXT NOT NULL,
     version TEXT NOT NULL,
     client_id TEXT,
     state TEXT NOT NULL,
     since_ms INTEGER NOT NULL,
     taken_at_ms INTEGER NOT NULL,
     nonce TEXT,
     outcome TEXT,
     callback_hash TEXT,
     callback_deadline_ms INTEGER
   ) STRICT;
   CREATE TABLE ended (
     id INTEGER PRIMARY KEY,
     region TEXT NOT NULL,
     job_id TEXT NOT NULL,
     state TEXT NOT NULL,
     ended_at_ms INTEGER NOT NULL
   ) STRICT;`,
  // Version 1 said by a text in the nonce's place, longer than any nonce, that a job was only presumed ours.
  `ALTER TABLE jobs ADD COLUMN claim TEXT NOT NULL DEFAULT 'none';
   UPDATE jobs SET claim = CASE
     WHEN length(nonce) > 50 THEN 'presumed' WHEN state = 'acknowledging' THEN 'asked' ELSE 'ours' END;
   UPDATE jobs SET nonce = NULL WHERE claim <> 'asked';`,
  // Version 2 knew one account.
  `ALTER TABLE jobs ADD COLUMN account TEXT NOT NULL DEFAULT 'default';
   ALTER TABLE ended ADD COLUMN account TEXT NOT NULL DEFAULT 'default';`,
  // Version 3 remembered only that a job had a result.
  `ALTER TABLE ended ADD COLUMN remembered INTEGER NOT NULL DEFAULT 1;
   ALTER TABLE ended ADD COLUMN history TEXT;`,
];

/** The version of a ledger file, 0 for an empty one. Reads only. Throws LedgerError `unreadable` or `too-new`. */
export function versionOf(db: DatabaseSync, path: string, newest: number): number {
  const id = pragma(db, "application_id");
  const version = pragma(db, "user_version");
  const tables = db.prepare("SELECT count(*) AS n FROM sqlite_schema").get()?.["n"];
  if (id === 0 && version === 0 && tables === 0) return 0;
  if (id !== applicationId) {
    throw new LedgerError("unreadable", `${path} is not a ledger of partnerd but another program's database`);
  }
  if (version > newest) {
    throw new LedgerError(
      "too-new",
      `the ledger ${path} has version ${version}, this partnerd knows up to ${newest}: run the newer partnerd again, ` +
        "let it drain, and only then go back",
    );
  }
  return version;
}

/** Brings the file to the newest version, in one transaction. */
export function migrate(db: DatabaseSync, version: number, steps: readonly string[]): void {
  db.exec("BEGIN IMMEDIATE");
  try {
    for (const step of steps.slice(version)) db.exec(step);
    // Both are written even when nothing changed: a start thereby proves that the file can be written.
    db.exec(`PRAGMA application_id = ${applicationId}; PRAGMA user_version = ${steps.length}`);
    db.exec("COMMIT");
  } catch (error) {
    rollBack(db);
    throw error;
  }
}

/** Ends a failed transaction. SQLite has often ended it already: then there is nothing to roll back. */
export function rollBack(db: DatabaseSync): void {
  try {
    db.exec("ROLLBACK");
  } catch {
    // "no transaction is active", or the fault that the caller is about to report anyway.
  }
}

/** The value of a PRAGMA that answers one number. */
export function pragma(db: DatabaseSync, name: string): number {
  return Number(Object.values(db.prepare(`PRAGMA ${name}`).get() ?? {})[0]);
}
