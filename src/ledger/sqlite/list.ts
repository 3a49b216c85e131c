// What a ledger file holds, for `partnerd jobs`: read beside the daemon that owns it, without a lock and without
// a change. It may block for a moment, so it must never be used on a thread that serves jobs.
import { statSync } from "node:fs";
import type { DatabaseSync } from "node:sqlite";
import { loadSqlite } from "../../std/sqlite.js";
import { LedgerError } from "../ledger.js";
import { type ListedJob, listedJob } from "../listed-jobs.js";
import { onlyNameOf } from "./file-name.js";
import { openingFault } from "./sqlite-faults.js";
import { jobColumns, jobFrom } from "./sqlite-rows.js";
import { migrations, versionOf } from "./sqlite-schema.js";

/** How long another program's lock is waited for. */
const busyTimeoutMs = 2_000;

/** The jobs in a ledger file, oldest first; the file may be in use. Throws LedgerError. */
export async function listJobs(path: string): Promise<readonly ListedJob[]> {
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
    // A daemon is just making the file.
    if (version === 0) return [];
    if (version < migrations.length) {
      throw new LedgerError("unreadable", `the ledger ${path} has the older version ${version}: a start upgrades it`);
    }
    const rows = db.prepare(`SELECT ${jobColumns.join(", ")} FROM jobs ORDER BY taken_at_ms, id`).all();
    return rows.map((row) => {
      const { key, record } = jobFrom(row);
      return listedJob(key, record);
    });
  } catch (error) {
    throw openingFault(path, error);
  } finally {
    db?.close();
  }
}
