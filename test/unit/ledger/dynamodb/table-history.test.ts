// The history in tables that an earlier version made, in days without jobs, and beyond what one search reads.
import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";
import type { JobId, JobKey, Nonce, Region } from "../../../../src/job/job.js";
import type { JobEvent } from "../../../../src/job/lifecycle.js";
import { succeeded } from "../../../../src/job/outcome.js";
import { RetryingTable, tableDefinition } from "../../../../src/ledger/dynamodb/table.js";
import { searchTable } from "../../../../src/ledger/dynamodb/table-history.js";
import type { Ledger } from "../../../../src/ledger/ledger.js";
import { createTable, type Dynamo, startDynamo } from "../../../support/dynamo.js";
import { FakeClock } from "../../../support/fake-clock.js";

let dynamo: Dynamo;
beforeAll(async () => {
  dynamo = await startDynamo();
});
afterAll(() => dynamo.close());

const history = { maxJobs: 20_000, maxAgeMs: 7 * 86_400_000 };
const signal = new AbortController().signal;
const ended: readonly JobEvent[] = [
  { type: "details-received" },
  { type: "acknowledge-sent", nonce: "3" as Nonce },
  { type: "acknowledge-accepted", claim: "ours" },
  { type: "outcome-settled", outcome: succeeded() },
  { type: "report-accepted" },
];

async function work(ledger: Ledger, jobId: string): Promise<void> {
  const actionType = { category: "Test", owner: "Custom", provider: "P", version: "1" } as const;
  const key: JobKey = { region: "eu-west-1" as Region, actionType, jobId: jobId as JobId };
  const lease = await ledger.lease(key);
  if (!lease) throw new Error("no lease");
  for (const event of ended) await ledger.record(lease, event);
  await ledger.release(lease);
}

it("works by a table without the index, and says how to add it", async () => {
  const { GlobalSecondaryIndexes: indexes, AttributeDefinitions: attributes, ...rest } = tableDefinition("older");
  const older = {
    ...rest,
    GlobalSecondaryIndexes: (indexes as readonly object[]).slice(0, 1),
    AttributeDefinitions: (attributes as readonly object[]).slice(0, 3),
  };
  await createTable(dynamo.client, older);
  const ledger = await dynamo.open({ clock: new FakeClock(), table: "older", history });
  onTestFinished(() => ledger.close());
  await work(ledger, "job-1");
  const search = () => ledger.history({ limit: 10 }, signal);
  await expect(search()).rejects.toThrow(/has no index by-end, .*: aws dynamodb update-table --table-name older /);
  expect(ledger.health()).toEqual({ writable: true });
});

it("looks over days without jobs, and no further back than it remembers", async () => {
  const clock = new FakeClock();
  const ledger = await dynamo.open({ clock, table: await dynamo.createTable(), history });
  onTestFinished(() => ledger.close());
  for (const name of ["a", "b", "c"]) {
    await work(ledger, name);
    clock.step(3 * 86_400_000);
  }
  const found = await ledger.history({ limit: 10 }, signal);
  expect(found.jobs.map(({ key }) => key.jobId)).toEqual(["c", "b"]);
  expect(found.next).toBeUndefined();
});

it("reads so many rows and no more in one search, and goes on from there", async () => {
  const clock = new FakeClock();
  const row = (n: number) => ({
    pk: { S: `eu-west-1/${n}` },
    sk: { S: "job" },
    endedOn: { S: "2026-01-01" },
    endedAtMs: { N: String(clock.now() - n) },
  });
  let calls = 0;
  const table = {
    call: async (
      _: string,
      { Limit, ExclusiveStartKey: after }: { Limit?: number; ExclusiveStartKey?: ReturnType<typeof row> },
    ) => {
      calls += 1;
      const from = after ? clock.now() - Number(after.endedAtMs.N) + 1 : 0;
      const items = Array.from({ length: Limit ?? 0 }, (__, at) => row(from + at));
      return { Items: items, LastEvaluatedKey: items.at(-1) };
    },
    close: () => {},
  };
  const retry = { minDelayMs: 1, maxDelayMs: 1, factor: 1, maxElapsedMs: 1 };
  const retrying = new RetryingTable({ table: table as never, name: "t", clock, retry });
  const options = {
    table: retrying,
    name: "t",
    limits: { ...history, maxJobs: 10_000 },
    nowMs: clock.now() - 86_400_000,
    signal,
  };
  let next: string | undefined;
  const pages: number[] = [];
  do {
    calls = 0;
    const page = await searchTable({
      ...options,
      search: { limit: 10, ...(next === undefined ? {} : { before: next }) },
    });
    pages.push(calls);
    next = page.next;
  } while (next !== undefined);
  expect(pages).toEqual([8, 8, 4]);
});
