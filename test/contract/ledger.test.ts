// What every ledger promises the engine, run over each implementation.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { AccountName, ActionType, JobId, JobKey, Nonce, Region } from "../../src/job/job.js";
import { type JobEvent, type JobState, type LostReason, transition } from "../../src/job/lifecycle.js";
import { failed, succeeded } from "../../src/job/outcome.js";
import type { Ledger, UnfinishedJob } from "../../src/ledger/ledger.js";
import { MemoryLedger } from "../../src/ledger/memory.js";
import { SqliteLedger } from "../../src/ledger/sqlite/sqlite-ledger.js";
import { systemClock } from "../../src/std/clock.js";
import { Deadline } from "../../src/std/deadline.js";
import { type Dynamo, startDynamo, startMotoDynamo } from "../support/dynamo.js";
import { FakeClock } from "../support/fake-clock.js";
import { hasMoto } from "../support/moto.js";

const recentMs = 60_000;
const recentMax = 100;

const folder = mkdtempSync(join(tmpdir(), "partnerd-ledger-"));
let files = 0;
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const isMotoHere = hasMoto();
if (!isMotoHere) console.log("the ledger's contract is not run against moto: python3 has no moto with flask here");
let dynamo: Dynamo;
let moto: Dynamo | undefined;
beforeAll(async () => {
  dynamo = await startDynamo();
  if (isMotoHere) moto = await startMotoDynamo();
}, 40_000);
afterAll(async () => {
  await moto?.close();
  await dynamo.close();
});

async function openFleetLedger(on: Dynamo | undefined): Promise<Opened> {
  if (!on) throw new Error("this DynamoDB is not started");
  const clock = new FakeClock();
  return { clock, ledger: await on.open({ clock, recentMs, table: await on.createTable() }) };
}

interface Opened {
  readonly ledger: Ledger;
  readonly clock: FakeClock;
}

interface Implementation {
  readonly name: string;
  /** It remembers ended jobs as long as their rows stand, by nobody's clock: they cost it no memory. */
  readonly isUnbounded?: boolean;
  /** A call takes milliseconds: random tests make fewer of them. */
  readonly isSlow?: boolean;
  readonly open: (options?: { recentMax?: number }) => Promise<Opened>;
}

const implementations: readonly Implementation[] = [
  {
    name: "memory",
    open: async (options = {}) => {
      const clock = new FakeClock();
      return { clock, ledger: new MemoryLedger({ clock, recentMs, recentMax, groupMs: 0, ...options }) };
    },
  },
  {
    name: "sqlite",
    open: async (options = {}) => {
      const clock = new FakeClock();
      const path = join(folder, `${files++}.db`);
      const limits = {
        recentMs,
        recentMax,
        commitSpacingMs: 0,
        commitTimeoutMs: 30_000,
        probeIntervalMs: 1_000,
        ...options,
      };
      return { clock, ledger: await SqliteLedger.open({ path, clock, onHealth: () => {}, ...limits }) };
    },
  },
  {
    name: "dynamodb",
    isUnbounded: true,
    open: () => openFleetLedger(dynamo),
  },
  // Another reading of DynamoDB's API than dynalite's.
  ...(isMotoHere
    ? [{ name: "dynamodb (moto)", isUnbounded: true, isSlow: true, open: () => openFleetLedger(moto) }]
    : []),
];

const actionType: ActionType = { category: "Test", owner: "ThirdParty", provider: "Acme-Scan", version: "1" };

function key(jobId = "job-1", region = "eu-west-1"): JobKey {
  return { region: region as Region, actionType, jobId: jobId as JobId };
}

function inAccount(account: string): JobKey {
  return { ...key(), account: account as AccountName };
}

const sent: JobEvent = { type: "acknowledge-sent", nonce: "3" as Nonce };
const upTo = {
  polled: [],
  detailed: [{ type: "details-received" }],
  acknowledging: [{ type: "details-received" }, sent],
  running: [{ type: "details-received" }, sent, { type: "acknowledge-accepted", claim: "ours" }],
  settled: [
    { type: "details-received" },
    sent,
    { type: "acknowledge-accepted", claim: "ours" },
    { type: "outcome-settled", outcome: succeeded({ summary: "done" }) },
  ],
  reported: [
    { type: "details-received" },
    sent,
    { type: "acknowledge-accepted", claim: "ours" },
    { type: "outcome-settled", outcome: succeeded() },
    { type: "report-accepted" },
  ],
} as const satisfies Partial<Record<JobState, readonly JobEvent[]>>;
const before: readonly (keyof typeof upTo)[] = ["polled", "detailed", "acknowledging", "running", "settled"];
const owed = ["acknowledging", "running", "settled"] as const;
const offeredAgain: readonly LostReason[] = [
  "not-ours",
  "gone",
  "no-details",
  "token-rejected",
  "draining",
  "refused",
  "ledger-unwritable",
  "taken-over",
  "released",
];

describe.each(implementations)("the $name ledger", ({ open, isUnbounded = false, isSlow = false }) => {
  const opened: Ledger[] = [];
  const start = async (options?: { recentMax?: number }) => {
    const made = await open(options);
    opened.push(made.ledger);
    return made;
  };
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((ledger) => ledger.close()));
  });

  async function leased(ledger: Ledger, jobKey = key(), events: readonly JobEvent[] = []) {
    const lease = await ledger.lease(jobKey);
    if (!lease) throw new Error(`no lease on ${jobKey.jobId}`);
    for (const event of events) await ledger.record(lease, event);
    return lease;
  }

  it("keeps jobs of one id in two accounts apart, from the lease to what is remembered", async () => {
    const { ledger } = await start();
    const [mine, shops, blogs] = [key(), inAccount("shop"), inAccount("blog")];
    const leases = [await leased(ledger, mine, upTo.running), await leased(ledger, shops, upTo.settled)] as const;
    for (const each of [mine, shops]) expect(await ledger.lease(each)).toBeUndefined();
    await leased(ledger, blogs, upTo.reported).then((lease) => ledger.release(lease));
    expect(leases.map(({ state }) => state)).toEqual(["running", "settled"]);
    for (const lease of leases) await ledger.release(lease);
    const left = await ledger.unfinished();
    const found = left.map(({ lease }) => [lease.key, lease.state]);
    expect(found).toHaveLength(2);
    expect(found).toEqual(
      expect.arrayContaining([
        [mine, "running"],
        [shops, "settled"],
      ]),
    );
    // Of all of them only the one that had a result is remembered.
    for (const { lease } of left) await ledger.record(lease, { type: "job-lost", reason: "gone" });
    for (const { lease } of left) await ledger.release(lease);
    expect(await ledger.lease(blogs)).toBeUndefined();
    for (const each of [mine, shops]) expect((await leased(ledger, each)).key).toEqual(each);
  });

  it("knows its fleet if others share it: the pause of all, every job whoever has it, and those that nobody works on", async () => {
    const { ledger } = await start();
    const { fleet } = ledger;
    if (!isUnbounded) return expect(fleet).toBeUndefined();
    await ledger.unfinished();
    expect([fleet?.pause, fleet?.seen().replicas.map(({ isSelf }) => isSelf)]).toEqual([undefined, [true]]);
    await fleet?.pauseAll("ada");
    await fleet?.pauseAll("bob");
    expect(fleet?.pause).toMatchObject({ by: "ada" });
    await fleet?.resumeAll();
    expect(fleet?.pause).toBeUndefined();
    const ids = ["a", "b", "c"];
    for (const id of ids) await leased(ledger, key(id), upTo.running);
    const pages = await Promise.all([0, 2].map((from) => fleet?.jobs({ from, max: 2 })));
    expect(pages.map((page) => [page?.count, page?.isCut, page?.jobs.length])).toEqual([
      [3, false, 2],
      [3, false, 1],
    ]);
    expect(pages.flatMap((page) => page?.jobs.map(({ key: { jobId } }) => jobId) ?? []).sort()).toEqual(ids);
    const release = () => [{ type: "job-lost", reason: "released" }] as const;
    await expect(fleet?.end(key("a"), release)).rejects.toMatchObject({ code: "locked" });
    await expect(fleet?.end(key("z"), release)).rejects.toMatchObject({ code: "lost" });
  });

  it("leases a job that it has never seen, in the state polled", async () => {
    const { ledger } = await start();
    const lease = await leased(ledger);
    expect(lease.key).toEqual(key());
    expect(lease.state).toBe("polled");
  });

  it("gives no second lease while a job is in flight", async () => {
    const { ledger } = await start();
    await leased(ledger);
    expect(await ledger.lease(key())).toBeUndefined();
  });

  it("leases a job to only one of many that ask at once", async () => {
    const { ledger } = await start();
    const leases = await Promise.all(Array.from({ length: 20 }, () => ledger.lease(key())));
    expect(leases.filter((lease) => lease !== undefined)).toHaveLength(1);
  });

  it("tells equal job ids of two Regions apart", async () => {
    const { ledger } = await start();
    await leased(ledger, key("job-1", "eu-west-1"));
    expect(await ledger.lease(key("job-1", "us-east-1"))).toBeDefined();
  });

  it("takes any job id that the API allows", async () => {
    const { ledger } = await start();
    const ids = [
      "../../etc/passwd",
      "'; DROP TABLE jobs; --",
      "\u0000\u0001",
      "💥\ud800",
      "__proto__",
      "x".repeat(512),
    ];
    for (const id of ids) await ledger.release(await leased(ledger, key(id), upTo.reported));
    for (const id of ids) expect(await ledger.lease(key(id)), id).toBeUndefined();
  });

  it("shows in the lease the state of what is recorded", async () => {
    const { ledger } = await start();
    const lease = await leased(ledger);
    const states: JobState[] = [];
    for (const event of upTo.reported) {
      await ledger.record(lease, event);
      states.push(lease.state);
    }
    expect(states).toEqual(["detailed", "acknowledging", "running", "settled", "reported"]);
  });

  it.each(before)("refuses an event that is illegal when %s, and changes nothing", async (state) => {
    const { ledger } = await start();
    const lease = await leased(ledger, key(), upTo[state]);
    const illegal: JobEvent =
      state === "settled" ? { type: "acknowledge-accepted", claim: "ours" } : { type: "report-accepted" };
    await expect(ledger.record(lease, illegal)).rejects.toThrow(/^bug: .*/);
    expect(lease.state).toBe(state);
  });

  it("refuses every event of a job that is over", async () => {
    const { ledger } = await start();
    const lease = await leased(ledger, key(), upTo.reported);
    await expect(ledger.record(lease, { type: "job-lost", reason: "gone" })).rejects.toThrow("bug");
  });

  it("does not lease a reported job again for a while, and then does", async () => {
    const { ledger, clock } = await start();
    await ledger.release(await leased(ledger, key(), upTo.reported));
    expect(await ledger.lease(key())).toBeUndefined();
    await clock.advance(recentMs - 1);
    expect(await ledger.lease(key())).toBeUndefined();
    await clock.advance(1);
    expect((await ledger.lease(key())) === undefined).toBe(isUnbounded);
  });

  it.each(before)("does not lease a job again that was over at CodePipeline when %s", async (state) => {
    const { ledger } = await start();
    const lease = await leased(ledger, key(), upTo[state]);
    await ledger.record(lease, { type: "job-lost", reason: "over" });
    await ledger.release(lease);
    expect(await ledger.lease(key())).toBeUndefined();
  });

  it.each(offeredAgain)("leases a job again at once that was dropped as %s", async (reason) => {
    const { ledger } = await start();
    for (const state of before) {
      const lease = await leased(ledger, key(state), upTo[state]);
      await ledger.record(lease, { type: "job-lost", reason });
      expect(lease.state).toBe("dropped");
      await ledger.release(lease);
      expect((await leased(ledger, key(state))).state).toBe("polled");
    }
  });

  it.each(["polled", "detailed"] as const)("leases a job again that was released when %s", async (state) => {
    const { ledger } = await start();
    await ledger.release(await leased(ledger, key(), upTo[state]));
    expect((await leased(ledger)).state).toBe("polled");
    expect(await ledger.unfinished()).toEqual([]);
  });

  it.each(owed)(
    "keeps a job that was released when %s, and gives it to whoever asks for what is owed",
    async (state) => {
      const { ledger, clock } = await start();
      const takenAtMs = clock.now();
      const lease = await leased(ledger, key(), upTo[state]);
      await clock.advance(1_000);
      await ledger.release(lease);
      expect(await ledger.lease(key())).toBeUndefined();
      const [job, ...others] = await ledger.unfinished();
      expect(others).toEqual([]);
      const claim = state === "acknowledging" ? { is: "unanswered", nonce: "3" } : { is: "ours" };
      expect(job).toMatchObject({ takenAtMs, claim });
      expect(job?.lease).toMatchObject({ key: key(), state });
      expect(job?.lease).not.toBe(lease);
      expect(job?.outcome).toEqual(state === "settled" ? succeeded({ summary: "done" }) : undefined);
      expect(await ledger.unfinished()).toEqual([]);
    },
  );

  it("never counts a job as unfinished that somebody works on", async () => {
    const { ledger } = await start();
    for (const state of before) await leased(ledger, key(state), upTo[state]);
    expect(await ledger.unfinished()).toEqual([]);
  });

  it("lets a job be finished under the lease that unfinished gave", async () => {
    const { ledger } = await start();
    await ledger.release(await leased(ledger, key(), upTo.settled));
    const [job] = await ledger.unfinished();
    if (!job) throw new Error("nothing is owed");
    await ledger.record(job.lease, { type: "report-accepted" });
    await ledger.release(job.lease);
    expect(await ledger.unfinished()).toEqual([]);
    expect(await ledger.lease(key())).toBeUndefined();
  });

  it("keeps what is known of the claim and the promise made to a service, however the wall clock steps", async () => {
    const { ledger, clock } = await start();
    const tokenHash = "a".repeat(64);
    const told = ({ claim, callback }: UnfinishedJob) => [claim, callback?.tokenHash, callback?.deadline.leftMs()];
    const lease = await leased(ledger, key(), [
      ...upTo.acknowledging,
      { type: "acknowledge-sent", nonce: "4" as Nonce },
      { type: "acknowledge-accepted", claim: "presumed" },
      { type: "callback-awaited", tokenHash, deadline: Deadline.in(clock, 600_000) },
    ]);
    clock.step(3_600_000);
    await ledger.release(lease);
    const [found] = await ledger.unfinished();
    if (!found) throw new Error("nothing is owed");
    expect(told(found)).toEqual([{ is: "presumed" }, tokenHash, 600_000]);
    clock.step(-7_200_000);
    await ledger.record(found.lease, { type: "claim-confirmed" });
    clock.step(10_800_000);
    await ledger.release(found.lease);
    expect((await ledger.unfinished()).map(told)).toEqual([[{ is: "ours" }, tokenHash, 600_000]]);
  });

  it("gives an owed outcome back word for word", async () => {
    const { ledger } = await start();
    const outcome = failed("ä 💥 \u0000 \n \"quoted\" 'single'", { type: "ConfigurationError" });
    await ledger.release(await leased(ledger, key(), [...upTo.running, { type: "outcome-settled", outcome }]));
    expect((await ledger.unfinished())[0]?.outcome).toEqual(outcome);
  });

  it("throws when a lease is used after its release", async () => {
    const { ledger } = await start();
    const old = await leased(ledger, key(), upTo.detailed);
    await ledger.release(old);
    await expect(ledger.record(old, sent)).rejects.toThrow(/bug: a lease on job eu-west-1\/job-1/);
    const fresh = await leased(ledger);
    await expect(ledger.record(old, { type: "details-received" })).rejects.toThrow("bug");
    expect(fresh.state).toBe("polled");
  });

  it("throws when a lease is a copy or comes from another ledger", async () => {
    const { ledger } = await start();
    const { ledger: other } = await start();
    const lease = await leased(ledger);
    await leased(other);
    await expect(other.record(lease, { type: "details-received" })).rejects.toThrow("bug");
    await expect(ledger.record({ ...lease, state: "polled" }, { type: "details-received" })).rejects.toThrow("bug");
  });

  it("ignores a second release, even when the job is leased anew", async () => {
    const { ledger } = await start();
    const old = await leased(ledger);
    await ledger.release(old);
    const fresh = await leased(ledger);
    await ledger.release(old);
    expect(await ledger.lease(key())).toBeUndefined();
    await ledger.record(fresh, { type: "details-received" });
  });

  it.skipIf(isUnbounded)("remembers no more jobs than it was told, the newest ones", async () => {
    const { ledger } = await start({ recentMax: 3 });
    for (let n = 1; n <= 5; n++) await ledger.release(await leased(ledger, key(`job-${n}`), upTo.reported));
    const repeats: boolean[] = [];
    for (let n = 1; n <= 5; n++) repeats.push((await ledger.lease(key(`job-${n}`))) === undefined);
    expect(repeats).toEqual([false, false, true, true, true]);
  });

  it("is writable, and closes twice without a word", async () => {
    const { ledger } = await start();
    expect(ledger.health()).toEqual({ writable: true });
    await ledger.close();
    await ledger.close();
  });

  it("refuses work after it was closed, but takes leases back", async () => {
    const { ledger } = await start();
    const lease = await leased(ledger);
    await ledger.close();
    await expect(ledger.lease(key("job-2"))).rejects.toMatchObject({ name: "LedgerError", code: "unwritable" });
    await expect(ledger.record(lease, { type: "details-received" })).rejects.toMatchObject({ code: "unwritable" });
    await expect(ledger.unfinished()).rejects.toMatchObject({ code: "unwritable" });
    await ledger.release(lease);
  });

  it("holds exactly what the reducer says, whatever the events", async () => {
    const { ledger } = await start();
    let jobs = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(anyEvent, { maxLength: 12 }), async (events) => {
        const lease = await leased(ledger, key(`random-${jobs++}`));
        let expected: JobState = "polled";
        for (const event of events) {
          const next = reduced(expected, event);
          if (next === undefined) await expect(ledger.record(lease, event)).rejects.toThrow("bug");
          else await ledger.record(lease, event);
          expected = next ?? expected;
          expect(lease.state).toBe(expected);
        }
        await ledger.release(lease);
        const left = await ledger.unfinished();
        expect(left.map((job) => job.lease.state)).toEqual(owed.includes(expected as never) ? [expected] : []);
      }),
      { numRuns: isSlow ? 15 : 60 },
    );
  });
});

const anyEvent: fc.Arbitrary<JobEvent> = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom<JobEvent>(...upTo.reported) },
  fc.constantFrom<JobEvent>(
    { type: "callback-awaited", tokenHash: "f".repeat(64), deadline: Deadline.in(systemClock, 1) },
    { type: "job-lost", reason: "over" },
    { type: "job-lost", reason: "gone" },
    { type: "acknowledge-sent", nonce: "9" as Nonce },
  ),
);

function reduced(state: JobState, event: JobEvent): JobState | undefined {
  try {
    return transition(state, event);
  } catch {
    return undefined;
  }
}
