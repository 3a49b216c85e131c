// A ledger file with many ended jobs, as daemons leave it: made by the ledger's own schema, filled by one statement.
// `node --import HOOK ended-rows.ts PATH ROWS` from the sources, in a process of its own.
import { spawnSync } from "node:child_process";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { sourceHook } from "../support/source-hook.ts";

/** The distance between two ends: a million of them are 17 minutes, younger than what a ledger forgets. */
const distanceMs = 1;

/** Makes the file; its newest job ended now. */
export function makeLedgerFile(path: string, rows: number): void {
  const argv = ["--import", sourceHook, fileURLToPath(import.meta.url), path, String(rows)];
  const { status } = spawnSync(process.execPath, argv, { stdio: "inherit" });
  if (status !== 0) throw new Error(`no ledger file with ${rows} ended jobs could be made`);
}

if (import.meta.main) {
  const [path = "", rows = "0"] = process.argv.slice(2);
  await fill(path, Number(rows));
}

async function fill(path: string, rows: number): Promise<void> {
  const [{ SqliteFile }, { migrations }, { endedText }] = await Promise.all([
    import("../../src/ledger/sqlite/sqlite-file.ts"),
    import("../../src/ledger/sqlite/sqlite-schema.ts"),
    import("../../src/ledger/ended-text.ts"),
  ]);
  SqliteFile.open(await import("node:sqlite"), { path, recentMs: 0, recentMax: 0, migrations }).close();
  const nowMs = Date.now();
  const actionType = { category: "Test", owner: "ThirdParty", provider: "Bench", version: "1" };
  const key = { region: "us-east-1", actionType, jobId: "", clientId: "11111111-2222-4333-8444-555555555555" };
  const history = endedText({
    key: key as Parameters<typeof endedText>[0]["key"],
    end: "succeeded",
    handler: "noop",
    pipelineName: "bench",
    stageName: "Test",
    actionName: "Bench",
    actionExecutionId: "00000000-0000-4000-8000-000000000000",
    cause: "returned",
    takenAtMs: nowMs,
    endedAtMs: nowMs,
    steps: (["polled", "detailed", "acknowledging", "running", "settled", "reported"] as const).map((s) => [s, nowMs]),
  });
  const db = new DatabaseSync(path);
  try {
    db.exec("PRAGMA synchronous = OFF");
    db.prepare(
      `INSERT INTO ended (region, job_id, state, ended_at_ms, account, remembered, history)
       WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $rows)
       SELECT 'us-east-1', printf('ffffffff-0000-4000-8000-%012d', i), 'reported',
         $nowMs - ($rows - i) * ${distanceMs}, 'default', 1, $history FROM n`,
    ).run({ $rows: rows, $nowMs: nowMs, $history: history });
  } finally {
    db.close();
  }
}
