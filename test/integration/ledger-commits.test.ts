// Promise: a fleet's ledger tells of every write that it makes to its table, and of those that failed, for the metrics.
import { afterAll, beforeAll, expect, it } from "vitest";
import type { ActionType, JobId, JobKey, Nonce, Region } from "../../src/job/job.js";
import type { LedgerCommit } from "../../src/ledger/ledger.js";
import { systemClock } from "../../src/std/clock.js";
import { type Dynamo, startDynamo } from "../support/dynamo.js";

const actionType: ActionType = { category: "Test", owner: "ThirdParty", provider: "Acme-Scan", version: "1" };
const key: JobKey = { region: "eu-west-1" as Region, actionType, jobId: "job-1" as JobId };
let dynamo: Dynamo;

beforeAll(async () => {
  dynamo = await startDynamo();
});
afterAll(() => dynamo.close());

it("counts what was written, and what could not be", async () => {
  const commits: LedgerCommit[] = [];
  const table = await dynamo.createTable();
  const ledger = await dynamo.open({ table, clock: systemClock, onCommit: (commit) => commits.push(commit) });
  const lease = await ledger.lease(key);
  if (!lease) throw new Error("no lease");
  const before = commits.length;
  expect(before).toBeGreaterThan(0);
  await ledger.record(lease, { type: "details-received" });
  await ledger.record(lease, { type: "acknowledge-sent", nonce: "1" as Nonce });
  expect(commits.length).toBeGreaterThan(before);
  expect(commits.every(({ isDurable, durationMs }) => isDurable && durationMs > 0)).toBe(true);
  await ledger.close();

  commits.length = 0;
  const nowhere = dynamo.open({
    table: "no-such-table",
    clock: systemClock,
    onCommit: (commit) => commits.push(commit),
  });
  await expect(nowhere).rejects.toThrow(/no-such-table/);
  expect(commits.some(({ isDurable }) => !isDurable)).toBe(true);
});
