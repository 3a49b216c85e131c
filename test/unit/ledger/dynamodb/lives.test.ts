// Who of a fleet lives, and for how long: nobody begins a job while its former holder's handlers may run, nobody is
// judged by another's clock or by an old answer, and all of that costs little while nothing happens.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { JobEvent } from "../../../../src/job/lifecycle.js";
import { type Item, rowName } from "../../../../src/ledger/dynamodb/rows.js";
import { Deadline } from "../../../../src/std/deadline.js";
import { FakeClock, settle } from "../../../support/fake-clock.js";
import {
  fault,
  isJob,
  key,
  leased,
  leaseMs,
  pace,
  Replica,
  Rows,
  running,
  settled,
  setUp,
  watched,
  whenPassed,
} from "../../../support/fake-fleet.js";

const name = `${rowName(key())}|job`;
const graceMs = 5_000;
const takeoverMs = leaseMs + 5_000;
const outcome = settled.at(-1);
if (!outcome) throw new Error("no event");

describe("handlers of a former holder", () => {
  it("have had their grace before another begins, and no later than lease and 5 s, whatever each call takes", {
    timeout: 60_000,
  }, async () => {
    const delays = (max: number) => fc.array(fc.integer({ min: 0, max }), { minLength: 20 });
    const given = fc.record({
      dies: fc.integer({ min: 0, max: 60_000 }),
      delays: fc.oneof(fc.constant([0]), delays(100), delays(900)),
    });
    await fc.assert(
      fc.asyncProperty(given, async ({ dies, delays }) => {
        const { rows, clock, a, b } = setUp();
        const lease = await leased(await a.open(), running);
        const two = await b.open();
        let calls = 0;
        const slowly = () => ({ held: clock.sleep(delays[calls++ % delays.length] ?? 0) });
        for (const replica of [a, b]) replica.spoil = slowly;
        const watch = watched(two);
        let stoppedMs = Number.NaN;
        lease.lost?.addEventListener("abort", () => {
          stoppedMs = clock.now();
        });
        await clock.advance(dies);
        expect(stoppedMs).toBeNaN();
        a.cutOff();
        const diedMs = clock.now();
        while (watch.found.length === 0 && clock.now() - diedMs < 2 * takeoverMs) await clock.advance(50);
        expect(watch.ids()).toEqual(["job-1"]);
        expect(clock.now() - stoppedMs).toBeGreaterThanOrEqual(graceMs);
        // A take-over is a few calls, for which the lease's times allow a second.
        const callsMs = Math.max(0, 6 * Math.max(...delays) - 750);
        expect(clock.now() - diedMs).toBeLessThanOrEqual(takeoverMs + callsMs);
        expect([...rows.items.values()].filter(({ sk }) => sk?.S === "job")).toHaveLength(1);
        await watch.stop();
      }),
      { numRuns: 40 },
    );
  });

  it("that a frozen process has do not write when it goes on, before any timer fires", async () => {
    const rows = new Rows();
    const [a, b] = [new Replica(rows, new FakeClock()), new Replica(rows, new FakeClock())];
    const one = await a.open();
    const lease = await leased(one, running);
    const watch = watched(await b.open());
    await b.clock.advance(takeoverMs);
    expect(watch.ids()).toEqual(["job-1"]);
    a.clock.jump(takeoverMs);
    const { calls } = a;
    expect(lease.lost?.aborted).toBe(true);
    await expect(one.record(lease, outcome)).rejects.toMatchObject({ code: "lost" });
    await expect(one.lease(key("other"))).rejects.toMatchObject({ code: "unwritable" });
    expect(a.calls).toBe(calls);
    await one.release(lease);
    expect(rows.items.get(name)?.["holder"]?.S).not.toBe("nobody");
    await watch.stop();
  });

  it("that a process freezes in have no missing row written anew when it goes on", async () => {
    const { rows, clock, a } = setUp();
    const one = await a.open();
    const lease = await leased(one, running);
    rows.items.delete(name);
    const { promise: slow, resolve: answer } = Promise.withResolvers<void>();
    a.spoil = (operation, item) => (operation === "GetItem" && isJob(item) ? { slow } : {});
    const recording = one.record(lease, outcome);
    await settle();
    clock.jump(takeoverMs);
    answer();
    await expect(recording).rejects.toMatchObject({ code: "lost" });
    expect(rows.items.has(name)).toBe(false);
  });

  it("keep their jobs while every call about rows hangs, since heartbeats wait behind none", async () => {
    const { rows, clock, a } = setUp();
    const beats = new Replica(rows, clock);
    const one = await a.open({ beats: beats.table });
    const lease = await leased(one, running);
    a.isSilent = true;
    void one.record(lease, outcome).catch(() => {});
    await clock.advance(10 * leaseMs);
    expect(lease.lost?.aborted).toBe(false);
  });

  it.each([
    ["takes 9 s", () => 9_000],
    ["hangs every other time", (n: number) => (n % 2 === 0 ? 1e9 : 10)],
  ])("keep their jobs though the answer to a heartbeat %s", async (_how, delayMs) => {
    const { rows, clock, a } = setUp();
    const beats = new Replica(rows, clock);
    const one = await a.open({ beats: beats.table });
    const lease = await leased(one, running);
    let calls = 0;
    beats.spoil = () => ({ held: clock.sleep(delayMs(calls++)) });
    await clock.advance(10 * leaseMs);
    expect(lease.lost?.aborted).toBe(false);
    expect(one.health()).toEqual({ writable: true });
  });

  it("are given to nobody once they ended, when the table was away for long enough to stop them", async () => {
    const { rows, clock, a } = setUp();
    const one = await a.open();
    const lease = await leased(one, running);
    const watch = watched(one);
    a.cutOff();
    await clock.advance(pace.workMs);
    expect(lease.lost?.aborted).toBe(true);
    await whenPassed(clock, 8_000, one.release(lease));
    a.heal();
    await clock.advance(10_000);
    expect(watch.found).toMatchObject([{ lease: { state: "running" } }]);
    expect(rows.items.get(name)?.["owedBy"]?.S).not.toBe("nobody");
    await watch.stop();
  });
});

describe("a table that is deleted and made anew while jobs run", () => {
  it.each(["running", "settled"])("gets the row of a job that was %s again, as nobody's", async (state) => {
    const { rows, clock, a } = setUp();
    const one = await a.open();
    const lease = await leased(one, state === "running" ? running : settled);
    const watch = watched(one);
    a.spoil = () => ({ before: fault("ResourceNotFoundException") });
    rows.items.clear();
    await clock.advance(5_000);
    a.heal();
    // The next heartbeat finds no row of ours.
    await clock.advance(pace.beatMs);
    expect(lease.lost?.aborted).toBe(true);
    expect(one.orphaned()).toBe(0);
    await one.release(lease);
    await clock.advance(10_000);
    expect(watch.found.map((found) => [found.lease.state, found.outcome])).toEqual([
      [state, state === "settled" ? { kind: "succeeded", summary: "done" } : undefined],
    ]);
    expect(one.health()).toEqual({ writable: true });
    await watch.stop();
  });

  it("gets what is recorded meanwhile, and does not take the missing row for another's", async () => {
    const { rows, clock, a } = setUp();
    const one = await a.open();
    const lease = await leased(one, running);
    const watch = watched(one);
    rows.items.clear();
    await one.record(lease, outcome);
    expect(lease.state).toBe("settled");
    expect(lease.lost?.aborted).toBe(false);
    await clock.advance(pace.beatMs);
    expect(lease.lost?.aborted).toBe(true);
    await one.release(lease);
    await clock.advance(10_000);
    expect(watch.found).toMatchObject([{ lease: { state: "settled" }, outcome: { summary: "done" } }]);
    await watch.stop();
  });

  it("and does not come back counts its jobs as orphaned, and says so when it is closed", async () => {
    const { rows, clock, a } = setUp();
    const one = await a.open();
    const lease = await leased(one, running);
    a.spoil = () => ({ before: fault("ResourceNotFoundException") });
    rows.items.clear();
    await clock.advance(leaseMs);
    await whenPassed(clock, 1_000, one.release(lease));
    expect(one.orphaned()).toBe(1);
    await whenPassed(clock, 1_000, one.close());
    expect(a.faults.at(-1)).toMatch(/^1 jobs were interrupted/);
    expect(one.orphaned()).toBe(1);
  });

  it.each([
    ["took", "recorded"],
    ["took", "released"],
    ["gave back", "recorded"],
    ["gave back", "released"],
    ["dropped", "recorded"],
    ["dropped", "released"],
  ])("lets no offer that another %s in the new table shut out a job that is owed, when it is %s", async (did, how) => {
    const { rows, a, b } = setUp();
    const one = await a.open();
    const lease = await leased(one, running);
    rows.items.clear();
    const two = await b.open();
    const other = await leased(two);
    if (did === "dropped") await two.record(other, { type: "job-lost", reason: "draining" });
    if (did !== "took") await two.release(other);
    const stands = { took: "polled", "gave back": "polled", dropped: "dropped" }[did] ?? "";
    expect(rows.items.get(name)).toMatchObject({ state: { S: stands }, expiresAt: {} });
    if (how === "released") await one.release(lease);
    else await one.record(lease, outcome);
    expect(lease.lost?.aborted).toBe(false);
    const state = how === "released" ? "running" : "settled";
    expect(rows.items.get(name)).toMatchObject({ state: { S: state }, owedBy: {} });
  });

  it("writes what is owed over a row that was never owed though that changes between the read and the write", async () => {
    const { rows, a, b } = setUp();
    const one = await a.open();
    const lease = await leased(one, running);
    rows.items.clear();
    const two = await b.open();
    const other = await leased(two);
    const { promise: slow, resolve: answer } = Promise.withResolvers<void>();
    a.spoil = (operation, item) => (operation === "GetItem" && isJob(item) ? { slow } : {});
    const recording = one.record(lease, outcome);
    await settle();
    await two.release(other);
    answer();
    await recording;
    expect(rows.items.get(name)).toMatchObject({ state: { S: "settled" }, owedBy: {} });
  });

  it("has nothing written over another's take by whoever gives the job back unacknowledged", async () => {
    const { rows, a, b } = setUp();
    const one = await a.open();
    const lease = await leased(one);
    rows.items.clear();
    await leased(await b.open());
    const row = rows.items.get(name);
    await one.release(lease);
    expect(rows.items.get(name)).toEqual(row);
  });

  it("tells a callback that a job is unknown only after those who hold jobs had the time to write theirs again", async () => {
    const { rows, clock, a, b } = setUp();
    const { region } = key();
    const [one, two] = [await a.open(), await b.open()];
    await clock.advance(pace.heldMs);
    const jobId = key("nobody's").jobId;
    expect(await two.promised(jobId, [{ region }])).toEqual([]);
    const lease = await leased(one, running);
    rows.items.clear();
    // Before the next heartbeat, which finds no row, and after it, under a new name.
    for (const passMs of [0, pace.beatMs, pace.heldMs - 2 * pace.beatMs]) {
      await clock.advance(passMs);
      await expect(two.promised(jobId, [{ region }])).rejects.toMatchObject({
        name: "LedgerError",
        code: "unreadable",
      });
    }
    await one.release(lease);
    await clock.advance(2 * pace.heldMs);
    expect(await two.promised(jobId, [{ region }])).toEqual([]);
    expect(rows.items.has(name)).toBe(true);
  });
});

describe("death", () => {
  it("is judged by what stood there when it was asked, not when the answer came", async () => {
    const { rows, clock, a, b } = setUp();
    const one = await a.open();
    const lease = await leased(one, running);
    const two = await b.open();
    await two.unfinished();
    b.spoil = (operation) => (operation === "Query" ? { slow: clock.sleep(31_000) } : {});
    const asked = two.unfinished();
    await clock.advance(31_000);
    expect(await asked).toEqual([]);
    expect(lease.lost?.aborted).toBe(false);
    expect(rows.items.get(name)?.["state"]?.S).toBe("running");
  });

  it("is not judged by a process that stood still", async () => {
    const rows = new Rows();
    const [a, b] = [new Replica(rows, new FakeClock()), new Replica(rows, new FakeClock())];
    await leased(await a.open(), running);
    const two = await b.open();
    await two.unfinished();
    const { promise: slow, resolve: answer } = Promise.withResolvers<void>();
    b.spoil = (operation) => (operation === "Query" ? { slow } : {});
    const asked = two.unfinished();
    await settle();
    await a.clock.advance(40_000);
    b.clock.jump(40_000);
    answer();
    expect(await asked).toEqual([]);
    expect(rows.items.get(name)?.["holder"]?.S).not.toBe("nobody");
  });

  it("hands nothing to a process whose own lease ran out meanwhile", async () => {
    const { rows, clock, a, b } = setUp();
    await leased(await a.open(), running);
    a.cutOff();
    const two = await b.open();
    await two.unfinished();
    await clock.advance(takeoverMs);
    const holder = rows.items.get(name)?.["holder"];
    b.spoil = (operation, item) => {
      if (operation === "PutItem" && !isJob(item)) return { before: fault("TimeoutError") };
      return operation === "GetItem" && isJob(item) ? { slow: clock.sleep(pace.workMs) } : {};
    };
    const asked = two.unfinished();
    await clock.advance(pace.workMs);
    expect(await asked).toEqual([]);
    expect(rows.items.get(name)?.["holder"]).toEqual(holder);
  });

  it("of a replica whose partnerd is older is judged by its own lease", async () => {
    const { rows, clock, a, b } = setUp();
    await leased(await a.open(), running);
    const row = rows.items.get(name);
    const id = row?.["holder"]?.S ?? "";
    a.cutOff();
    const watch = watched(await b.open());
    const older = (beat: number): Item => ({
      ...rows.items.get(`replicas|${id}`),
      beat: { N: String(beat) },
      leaseMs: { N: "30000" },
    });
    for (let beat = 2; beat < 12; beat++) {
      rows.items.set(`replicas|${id}`, older(beat));
      await clock.advance(10_000);
    }
    expect(watch.found).toEqual([]);
    await clock.advance(takeoverMs);
    expect(watch.ids()).toEqual(["job-1"]);
    await watch.stop();
  });
});

it.each([-3_600_000, 3_600_000, 30 * 86_400_000])(
  "works no ended job again by a clock that is %i ms off",
  async (offMs) => {
    const rows = new Rows();
    const [a, b] = [new Replica(rows, new FakeClock()), new Replica(rows, new FakeClock(Date.now() + offMs))];
    const [one, two] = [await a.open(), await b.open()];
    await one.release(await leased(one, [...settled, { type: "report-accepted" }]));
    // Nobody who lives has the row: it alone can say so.
    await one.close();
    expect(await two.lease(key())).toBeUndefined();
  },
);

it.each([-3_600_000, 3_600_000])(
  "leaves a service its time though the next holder's clock is %i ms off",
  async (offMs) => {
    const rows = new Rows();
    const [ours, theirs] = [new FakeClock(), new FakeClock()];
    theirs.step(offMs);
    const [one, two] = [await new Replica(rows, ours).open(), await new Replica(rows, theirs).open()];
    const tokenHash = "f".repeat(64);
    const promised: JobEvent = { type: "callback-awaited", tokenHash, deadline: Deadline.in(ours, 600_000) };
    await one.release(await leased(one, [...running, promised]));
    const [found] = await two.unfinished();
    expect(found?.callback?.tokenHash).toBe(tokenHash);
    expect(found?.callback?.deadline.leftMs()).toBe(600_000);
  },
);

describe("health", () => {
  it("does not flap while heartbeats are taken and rows are not", async () => {
    const { clock, a } = setUp();
    const one = await a.open();
    a.spoil = (operation, item) =>
      operation === "PutItem" && isJob(item) ? { before: fault("AccessDeniedException") } : {};
    await whenPassed(clock, 8_000, one.lease(key())).catch(() => {});
    await clock.advance(10 * 60_000);
    expect(a.health).toMatchObject([{ writable: false, reason: expect.stringContaining("AccessDeniedException") }]);
    a.heal();
    await clock.advance(2_000);
    expect(a.health.map(({ writable }) => writable)).toEqual([false, true]);
    expect(await one.lease(key())).toBeDefined();
  });

  it("is not hurt by a policy without DeleteItem", async () => {
    const { clock, a, b } = setUp();
    const one = await a.open();
    await b.open();
    b.cutOff();
    a.spoil = (operation) => (operation === "DeleteItem" ? { before: fault("AccessDeniedException") } : {});
    const watch = watched(one);
    for (const reason of ["draining", "gone"] as const) {
      const lease = await leased(one, [], key(reason));
      await one.record(lease, { type: "job-lost", reason });
      await one.release(lease);
      expect(await one.lease(key(reason))).toBeDefined();
    }
    await clock.advance(20 * leaseMs);
    expect(one.health()).toEqual({ writable: true });
    expect(a.health).toEqual([]);
    expect(a.faults).toEqual([expect.stringMatching(/could not delete the row of a dead replica: .*AccessDenied/)]);
    await watch.stop();
  });
});

describe("20 idle replicas", () => {
  async function fleet() {
    const rows = new Rows();
    const clock = new FakeClock();
    const replicas = Array.from({ length: 20 }, () => new Replica(rows, clock));
    const ledgers = [];
    for (const replica of replicas) {
      const ledger = await replica.open();
      await ledger.unfinished();
      ledgers.push({ ledger, watch: watched(ledger), replica });
      await clock.advance(437);
    }
    return { clock, ledgers, calls: () => replicas.reduce((sum, { calls }) => sum + calls, 0) };
  }

  it("make no more than 400 calls a minute", { timeout: 60_000 }, async () => {
    const { clock, ledgers, calls } = await fleet();
    await clock.advance(60_000);
    const before = calls();
    await clock.advance(5 * 60_000);
    const perMinute = (calls() - before) / 5;
    expect(perMinute).toBeLessThanOrEqual(400);
    await Promise.all(ledgers.map(({ watch }) => watch.stop()));
  });

  it("take over within lease and 5 s, whenever one of them dies", { timeout: 60_000 }, async () => {
    const { clock, ledgers } = await fleet();
    const took: number[] = [];
    for (const [n, { ledger, replica, watch }] of ledgers.slice(0, 6).entries()) {
      await leased(ledger, running, key(`job-${n}`));
      await clock.advance(1_000 + n * 1_733);
      replica.cutOff();
      void watch.stop();
      const diedMs = clock.now();
      const isFound = () => ledgers.some((other) => other.watch.ids().includes(`job-${n}`));
      while (!isFound() && clock.now() - diedMs < 2 * takeoverMs) await clock.advance(100);
      took.push(clock.now() - diedMs);
    }
    expect(Math.max(...took)).toBeLessThanOrEqual(takeoverMs);
    await Promise.all(ledgers.map(({ watch }) => watch.stop()));
  });
});
