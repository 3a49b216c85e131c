// Reads a ledger file beside the daemon that owns it, without a lock and without a change. It may block for a moment, so
// it must never be used on a thread that serves jobs.
import { statSync } from "node:fs";
import type { DatabaseSync } from "node:sqlite";
import { loadSqlite } from "../../std/sqlite.js";
import { LedgerError } from "../ledger.js";
import { onlyNameOf } from "./file-name.js";
import { openingFault } from "./sqlite-faults.js";
import { migrations, versionOf } from "./sqlite-schema.js";

/** How long another program's lock is waited for. */
const busyTimeoutMs = 2_000;

/** What `read` finds in a file of this version; `unmade`, if given, for one that a daemon is just making. Throws LedgerError. */
export function readLedgerFile<Found>(path: string, read: (db: DatabaseSync) => Found, unmade?: Found): Found {
  if (statSync(path, { throwIfNoEntry: false }) === undefined) {
    throw new LedgerError("unreadable", `there is no ledger ${path}: no daemon has run with this configuration yet`);
  }
  // By another name SQLite would not find the newest changes.
  onlyNameOf(path);
  const { DatabaseSync } = loadSqlite();
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(path, { readOnly: true });
    db.exec(`PRAGMA busy_timeout = ${busyTimeoutMs}; PRAGMA trusted_schema = OFF`);
    const version = versionOf(db, path, migrations.length);
    if (version === 0 && unmade !== undefined) return unmade;
    if (version < migrations.length) {
      throw new LedgerError("unreadable", `the ledger ${path} has the older version ${version}: a start upgrades it`);
    }
    return read(db);
  } catch (error) {
    throw openingFault(path, error);
  } finally {
    db?.close();
  }
}
