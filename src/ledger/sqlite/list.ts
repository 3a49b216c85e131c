// What a ledger file holds, for `partnerd jobs`, beside the daemon that owns it.
import { type Clock, systemClock } from "../../std/clock.js";
import { type ListedJob, listedJob } from "../listed-jobs.js";
import { readLedgerFile } from "./file-reading.js";
import { jobColumns, jobFrom } from "./sqlite-rows.js";

/** The jobs in a ledger file, oldest first; the file may be in use. Throws LedgerError. */
export async function listJobs(path: string, clock: Clock = systemClock): Promise<readonly ListedJob[]> {
  const rows = readLedgerFile(
    path,
    (db) =>
      db
        .prepare(`SELECT ${jobColumns.join(", ")} FROM jobs ORDER BY taken_at_ms, id`)
        .all()
        .map((row) => jobFrom(row, clock)),
    [],
  );
  return rows.map(({ key, record }) => listedJob(key, record));
}
