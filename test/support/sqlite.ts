// A SQLite ledger beside a daemon: what a test writes there stands for what a process left that died.
import { SqliteLedger } from "../../src/ledger/sqlite/sqlite-ledger.js";
import type { SqliteRow } from "../../src/ledger/sqlite/sqlite-rows.js";
import { systemClock } from "../../src/std/clock.js";

/** Opens the file with limits that no test meets. */
export function openSqlite(path: string): Promise<SqliteLedger> {
  return SqliteLedger.open({
    path,
    clock: systemClock,
    recentMs: 3_600_000,
    recentMax: 1_000,
    commitSpacingMs: 0,
    commitTimeoutMs: 30_000,
    probeIntervalMs: 1_000,
    onHealth: () => {},
  });
}

/** A job's row, as this version writes it. */
export function sqliteRow(id: number, jobId = `job-${id}`, state = "running"): SqliteRow {
  const place = ["eu-west-1", jobId, "Custom", "Test", "P", "1", null] as const;
  return [id, ...place, state, 5, 5, "ours", null, null, null, null, "default"];
}
