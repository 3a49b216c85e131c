// The ledger's own thread with fault points inside: before a transaction, when its statements are done, and when it is
// durable but nobody knows yet. What it runs is src/ledger/sqlite/sqlite-worker.ts as it is; `pointedSqliteThread` puts this
// in its place.
import { DatabaseSync } from "node:sqlite";
import { workerData } from "node:worker_threads";
import { FaultPoints, type FaultPointsOptions } from "./fault-points.ts";

const points = new FaultPoints((workerData as { readonly points: FaultPointsOptions }).points);
const exec = DatabaseSync.prototype.exec;

DatabaseSync.prototype.exec = function pointed(this: DatabaseSync, sql: string): void {
  if (sql === "BEGIN IMMEDIATE") points.pass("in the ledger's thread before a transaction");
  if (sql === "COMMIT") points.pass("in the ledger's thread before COMMIT");
  exec.call(this, sql);
  if (sql === "COMMIT") points.pass("in the ledger's thread after COMMIT, before the answer");
};

await import(new URL("../../src/ledger/sqlite/sqlite-worker.ts", import.meta.url).href);
