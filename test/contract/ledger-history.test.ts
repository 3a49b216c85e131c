// What every ledger promises to whoever asks for ended jobs: what it tells, whom it finds, page by page, and its bounds.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { HistoryLimits, HistorySearch } from "../../src/job/ended.js";
import type { AccountName, ActionType, ClientId, JobId, JobKey, Nonce, Region } from "../../src/job/job.js";
import type { JobEnd } from "../../src/job/job-end.js";
import type { JobEvent } from "../../src/job/lifecycle.js";
import { failed, type Outcome, succeeded } from "../../src/job/outcome.js";
import type { Ledger } from "../../src/ledger/ledger.js";
import { MemoryLedger } from "../../src/ledger/memory.js";
import { SqliteLedger } from "../../src/ledger/sqlite/sqlite-ledger.js";
import { type Dynamo, startDynamo } from "../support/dynamo.js";
import { FakeClock } from "../support/fake-clock.js";

const folder = mkdtempSync(join(tmpdir(), "partnerd-history-"));
let dynamo: Dynamo;
beforeAll(async () => {
  dynamo = await startDynamo();
}, 40_000);
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await dynamo.close();
});

const limits: HistoryLimits = { maxJobs: 1_000, maxAgeMs: 7 * 86_400_000 };
/** 2026-11-30T23:59:58Z: a history lies over the border of two days. */
const startMs = Date.UTC(2026, 10, 30, 23, 59, 58);
let files = 0;

interface Opened {
  readonly ledger: Ledger;
  /** What the next process finds; absent: nothing. */
  readonly again?: () => Promise<Ledger>;
}

const implementations: readonly {
  readonly name: string;
  readonly open: (clock: FakeClock, history?: HistoryLimits) => Promise<Opened>;
}[] = [
  {
    name: "memory",
    open: async (clock, history) => ({
      ledger: new MemoryLedger({
        clock,
        recentMs: 60_000,
        recentMax: 100,
        groupMs: 0,
        ...(history ? { history } : {}),
      }),
    }),
  },
  {
    name: "sqlite",
    open: async (clock, history) => {
      const path = join(folder, `${files++}.db`);
      const pace = { commitSpacingMs: 0, commitTimeoutMs: 30_000, probeIntervalMs: 1_000, onHealth: () => {} };
      const again = () =>
        SqliteLedger.open({ path, clock, recentMs: 60_000, recentMax: 100, ...pace, ...(history ? { history } : {}) });
      return { ledger: await again(), again };
    },
  },
  {
    name: "dynamodb",
    open: async (clock, history) => {
      const table = await dynamo.createTable();
      const again = () => dynamo.open({ clock, table, ...(history ? { history } : {}) });
      return { ledger: await again(), again };
    },
  },
];

const scan: ActionType = { category: "Test", owner: "ThirdParty", provider: "Acme-Scan", version: "1" };
const build: ActionType = { category: "Build", owner: "Custom", provider: "Acme-Build", version: "2" };

function key(jobId: string, more: Partial<JobKey> = {}): JobKey {
  return { region: "eu-west-1" as Region, actionType: scan, jobId: jobId as JobId, ...more };
}

const details: JobEvent = { type: "details-received" };
const sent: JobEvent = { type: "acknowledge-sent", nonce: "3" as Nonce };
const ours: JobEvent = { type: "acknowledge-accepted", claim: "ours" };

function ended(outcome: Outcome = succeeded(), end?: JobEnd): readonly JobEvent[] {
  const settled: JobEvent = { type: "outcome-settled", outcome };
  return [details, sent, ours, settled, { type: "report-accepted", ...(end ? { end } : {}) }];
}

describe.each(implementations)("the history of the $name ledger", ({ open }) => {
  const opened: Ledger[] = [];
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((ledger) => ledger.close()));
  });
  const signal = new AbortController().signal;

  async function start(history: HistoryLimits | undefined = limits) {
    const clock = new FakeClock(startMs);
    const { ledger, again } = await open(clock, history);
    opened.push(ledger);
    const work = async (jobKey: JobKey, events: readonly JobEvent[], on = ledger) => {
      const lease = await on.lease(jobKey);
      if (!lease) throw new Error(`no lease on ${jobKey.jobId}`);
      for (const event of events) {
        clock.step(10);
        await on.record(lease, event);
      }
      await on.release(lease);
    };
    const search = async (wanted: Partial<HistorySearch> = {}, on = ledger) => {
      const page = await on.history?.({ limit: 50, ...wanted }, signal);
      if (!page) throw new Error("it has no history");
      return page;
    };
    const ids = async (wanted: Partial<HistorySearch> = {}) =>
      (await search(wanted)).jobs.map((job) => job.key.jobId as string);
    return { clock, ledger, again, work, search, ids };
  }

  it("tells all that it was told of a job, with each state's time", async () => {
    const { work, search } = await start();
    const named = { pipelineName: "shop", stageName: "Make", actionName: "Build", actionExecutionId: "e-1" };
    const outcome = { kind: "failed", type: "PermissionError", text: "no access", externalExecutionId: "x" } as const;
    const told: JobEnd = { handler: "scan", ...named, cause: "threw", durationMs: 12, attempts: 2, outcome };
    const jobKey = key("job-1", { clientId: "client-1" as ClientId, account: "shop" as AccountName });
    await work(jobKey, ended(failed("no access", "PermissionError"), told));
    const states = ["polled", "detailed", "acknowledging", "running", "settled", "reported"];
    const steps = states.map((state, at) => [state, startMs + at * 10]);
    const times = { takenAtMs: startMs, endedAtMs: startMs + 50, steps };
    expect(await search()).toEqual({ jobs: [{ key: jobKey, end: "failed", ...times, ...told }] });
  });

  it("remembers what was dropped once it had been acknowledged, and nothing else", async () => {
    const { work, search } = await start();
    const lost = { type: "job-lost", reason: "gone", end: { message: "it is gone" } } as const;
    await work(key("offered"), [details, lost]);
    await work(key("asked"), [details, sent, lost]);
    await work(key("running"), [details, sent, ours, lost]);
    const dropped = { end: "dropped", reason: "gone", message: "it is gone" };
    const { jobs } = await search();
    expect(jobs.map((job) => job.key.jobId)).toEqual(["running", "asked"]);
    for (const job of jobs) expect(job).toMatchObject(dropped);
  });

  it("finds jobs by a beginning of the id or the client, the pipeline, the outcome, the type, the execution", async () => {
    const { work, ids } = await start();
    const client = (clientId: string) => ({ clientId: clientId as ClientId });
    const shop = { pipelineName: "shop", actionExecutionId: "e-1" };
    await work(key("aaa-1", client("c-1")), ended(succeeded(), shop));
    await work(key("aaa-2", client("c-2")), ended(failed("no"), shop));
    await work(key("bbb-3", { actionType: build }), ended(succeeded(), { pipelineName: "blog" }));
    expect(await ids()).toEqual(["bbb-3", "aaa-2", "aaa-1"]);
    expect(await ids({ jobId: "aaa" })).toEqual(["aaa-2", "aaa-1"]);
    expect(await ids({ clientId: "c-2" })).toEqual(["aaa-2"]);
    expect(await ids({ pipeline: "blo" })).toEqual(["bbb-3"]);
    expect(await ids({ outcome: "failed" })).toEqual(["aaa-2"]);
    expect(await ids({ actionType: "Acme-Build" })).toEqual(["bbb-3"]);
    expect(await ids({ actionType: "ThirdParty/Test/Acme-Scan/1" })).toEqual(["aaa-2", "aaa-1"]);
    expect(await ids({ actionExecutionId: "e-1", outcome: "succeeded" })).toEqual(["aaa-1"]);
    expect(await ids({ jobId: "nobody" })).toEqual([]);
  });

  it("gives them page by page, newest first, each once, whatever ends meanwhile", async () => {
    const { clock, work, search } = await start();
    const names = Array.from({ length: 7 }, (_, at) => `job-${at}`);
    for (const [at, name] of names.entries()) {
      // Over midnight.
      if (at === 4) clock.step(5_000);
      await work(key(name), ended());
    }
    const seen: string[] = [];
    let before: string | undefined;
    for (let page = 0; page < 10; page++) {
      const { jobs, next } = await search({ limit: 3, ...(before === undefined ? {} : { before }) });
      expect(jobs.length).toBeLessThanOrEqual(3);
      seen.push(...jobs.map((job) => job.key.jobId));
      await work(key(`later-${page}`), ended());
      before = next;
      if (next === undefined) break;
    }
    expect(before).toBeUndefined();
    expect(seen).toEqual(names.toReversed());
  });

  it("is bounded by number and by age", async () => {
    const few = await start({ ...limits, maxJobs: 2 });
    for (const name of ["job-1", "job-2", "job-3"]) await few.work(key(name), ended());
    expect(await few.ids()).toEqual(["job-3", "job-2"]);
    const young = await start({ ...limits, maxAgeMs: 86_400_000 });
    await young.work(key("old"), ended());
    young.clock.step(86_400_000);
    await young.work(key("new"), ended());
    expect(await young.ids()).toEqual(["new"]);
  });

  it("remembers nothing where it is not asked to", async () => {
    const { work, ids } = await start({ maxJobs: 0, maxAgeMs: 86_400_000 });
    await work(key("job-1"), ended());
    await work(key("job-2"), [details, sent, { type: "job-lost", reason: "gone" }]);
    expect(await ids()).toEqual([]);
  });

  it("outlives its process, where the ledger does", async () => {
    const { ledger, again, work, search } = await start();
    await work(key("job-1", { clientId: "c-1" as ClientId }), ended(succeeded(), { handler: "scan" }));
    const before = await search();
    await ledger.close();
    if (!again) return;
    const next = await again();
    opened.push(next);
    expect(await search({}, next)).toEqual(before);
  });

  it("cuts texts that are too long for a row, and begins anew where a page's place makes no sense", async () => {
    const { work, search } = await start();
    await work(key("job-1"), ended(failed("x"), { handler: "h".repeat(5_000), message: "m".repeat(50_000) }));
    const [job] = (await search()).jobs;
    expect([job?.handler?.length, job?.message?.length]).toEqual([512, 2_048]);
    for (const before of ["nonsense", "", "e30", "%00", "-"]) {
      const { jobs } = await search({ before });
      expect([before, jobs.length]).toEqual([before, 1]);
    }
  });

  it("says that it cannot be read once it was asked to stop", async () => {
    const { ledger, again } = await start();
    if (!again) return;
    const searched = ledger.history?.({ limit: 1 }, AbortSignal.abort());
    await expect(searched).rejects.toMatchObject({ name: "LedgerError", code: "unreadable" });
  });
});
