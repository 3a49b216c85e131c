// What the fleet's ledger promises beyond the contract: leases that end, fences, faults of the table.
import { describe, expect, it } from "vitest";
import type { Nonce } from "../../../../src/job/job.js";
import type { JobEvent } from "../../../../src/job/lifecycle.js";
import { succeeded } from "../../../../src/job/outcome.js";
import { rowName } from "../../../../src/ledger/dynamodb/rows.js";
import { tableDefinition } from "../../../../src/ledger/dynamodb/table.js";
import { FakeClock, settle } from "../../../support/fake-clock.js";
import {
  fault,
  key,
  leased,
  leaseMs,
  pace,
  Replica,
  reset,
  running,
  settled,
  setUp,
  whenPassed,
} from "../../../support/fake-fleet.js";

describe("a fleet's ledger", () => {
  it("leases a job to one of two replicas that ask at once", async () => {
    const { a, b } = setUp();
    const [one, two] = [await a.open(), await b.open()];
    const leases = await Promise.all([one.lease(key()), two.lease(key())]);
    expect(leases.filter((lease) => lease !== undefined)).toHaveLength(1);
  });

  it.each([
    ["running", running],
    ["settled", settled],
  ] as const)(
    "gives a job that was %s to another replica once its holder has been silent for its lease, not before",
    async (state, events) => {
      const { clock, a, b } = setUp();
      await leased(await a.open(), events);
      a.cutOff();
      const two = await b.open();
      expect(await two.unfinished()).toEqual([]);
      await clock.advance(pace.heldMs);
      expect(await two.unfinished()).toEqual([]);
      await clock.advance(250);
      const [job, ...others] = await two.unfinished();
      expect(others).toEqual([]);
      expect(job?.lease.state).toBe(state);
      expect(job?.outcome).toEqual(state === "settled" ? succeeded({ summary: "done" }) : undefined);
    },
  );

  it("finds the jobs of a dead replica within its lease and 5 s while it watches, each once", async () => {
    const { rows, clock, a, b } = setUp();
    const one = await a.open();
    for (const id of ["x", "y", "z"]) await leased(one, running, key(id));
    const found: string[] = [];
    const stop = new AbortController();
    const watchers = [await b.open(), await new Replica(rows, clock).open()].map(async (ledger) => {
      for await (const jobs of ledger.watch(() => true, stop.signal)) {
        for (const { lease } of jobs) found.push(lease.key.jobId);
      }
    });
    await clock.advance(60_000);
    expect(found).toEqual([]);
    a.cutOff();
    await clock.advance(leaseMs + 5_000);
    stop.abort();
    await Promise.all(watchers);
    expect(found.toSorted()).toEqual(["x", "y", "z"]);
  });

  it("takes up no job that nobody here can work", async () => {
    const { clock, a, b } = setUp();
    const one = await a.open();
    const lease = await leased(one, running);
    await one.release(lease);
    const stop = new AbortController();
    const found: unknown[] = [];
    const two = await b.open();
    const watching = (async () => {
      for await (const jobs of two.watch(() => false, stop.signal)) found.push(...jobs);
    })();
    await clock.advance(10_000);
    stop.abort();
    await watching;
    expect(found).toEqual([]);
    expect(await one.unfinished()).toHaveLength(1);
  });

  it("keeps a lease for as long as it can renew it", async () => {
    const { clock, a, b } = setUp();
    const lease = await leased(await a.open(), running);
    const two = await b.open();
    for (let n = 0; n < 20; n++) {
      await clock.advance(leaseMs / 2);
      expect(await two.unfinished()).toEqual([]);
    }
    expect(lease.lost?.aborted).toBe(false);
  });

  it.each(["before", "after"] as const)(
    "beats again at once when a connection is reset %s the table has the heartbeat, and counts as writable",
    async (when) => {
      const { clock, a } = setUp();
      const lease = await leased(await a.open(), running);
      let beats = 0;
      a.spoil = () => {
        beats += 1;
        return beats === 1 ? { [when]: reset() } : {};
      };
      await clock.advance(pace.beatMs);
      expect(beats).toBe(2);
      await clock.advance(leaseMs);
      expect(lease.lost?.aborted).toBe(false);
      expect(a.health).toEqual([]);
    },
  );

  it("begins although its first heartbeat's connection was reset when the table had it", async () => {
    const { rows, a } = setUp();
    let beats = 0;
    a.spoil = () => {
      beats += 1;
      return beats === 1 ? { after: reset() } : {};
    };
    const one = await a.open();
    expect(await one.lease(key())).toBeDefined();
    expect([...rows.items.keys()].filter((name) => name.startsWith("replicas|"))).toHaveLength(1);
  });

  it("says that it cannot be written when the second connection is reset as well", async () => {
    const { clock, a } = setUp();
    const one = await a.open();
    let beats = 0;
    a.spoil = () => {
      beats += 1;
      return { before: reset() };
    };
    await clock.advance(pace.beatMs);
    expect(beats).toBe(2);
    expect(one.health().writable).toBe(false);
  });

  it("says that a job is lost before another replica can have it, and takes nothing until it can write again", async () => {
    const { clock, a } = setUp();
    const one = await a.open();
    const lease = await leased(one, running);
    a.cutOff();
    await clock.advance(pace.workMs - 1);
    expect(lease.lost?.aborted).toBe(false);
    await clock.advance(1);
    expect(lease.lost?.aborted).toBe(true);
    expect(pace.workMs + 5_000).toBeLessThan(pace.heldMs);
    await expect(one.record(lease, { type: "job-lost", reason: "taken-over" })).rejects.toMatchObject({ code: "lost" });
    await expect(one.lease(key("job-2"))).rejects.toMatchObject({ code: "unwritable" });
    expect(one.health().writable).toBe(false);
    a.heal();
    await clock.advance(1_000);
    expect(one.health()).toEqual({ writable: true });
    expect(await one.lease(key("job-2"))).toBeDefined();
    expect(a.health.map(({ writable }) => writable)).toEqual([false, true]);
  });

  it("never takes up again what is still in flight here, however dead its lease", async () => {
    const { clock, a } = setUp();
    const one = await a.open();
    const lease = await leased(one, running);
    a.cutOff();
    await clock.advance(leaseMs);
    a.heal();
    await clock.advance(1_000);
    expect(await one.unfinished()).toEqual([]);
    await clock.advance(leaseMs + 250);
    expect(await one.unfinished()).toEqual([]);
    await one.release(lease);
    expect(await one.unfinished()).toMatchObject([{ lease: { state: "running" } }]);
  });

  it("lets a replica that was held up change nothing of a job that another has", async () => {
    const { rows, clock, a, b } = setUp();
    const one = await a.open();
    const lease = await leased(one, running);
    // Its heartbeats fail, but it thinks that time stands still: only the fence is between them.
    const two = await b.open({ clock: new FakeClock() });
    const name = `${rowName(key())}|job`;
    const mine = rows.items.get(name);
    if (!mine) throw new Error("no row");
    rows.items.set(name, { ...mine, holder: { S: "another" }, lease: { N: "7" } });
    await expect(one.record(lease, { type: "outcome-settled", outcome: succeeded() })).rejects.toMatchObject({
      name: "LedgerError",
      code: "lost",
    });
    expect(lease.lost?.aborted).toBe(true);
    await one.release(lease);
    expect(rows.items.get(name)).toMatchObject({ holder: { S: "another" }, state: { S: "running" } });
    expect(one.health().writable).toBe(true);
    await clock.advance(0);
    await two.close();
  });

  it("knows its own write again when the answer was lost", async () => {
    const { clock, a } = setUp();
    const one = await a.open();
    let isSpoilt = false;
    // Each row's write happens, and its first answer is lost.
    a.spoil = () => {
      isSpoilt = !isSpoilt;
      return isSpoilt ? { after: fault("TimeoutError") } : {};
    };
    const story = (async () => {
      const lease = await leased(one, [...settled, { type: "report-accepted" }]);
      await one.release(lease);
      return lease.state;
    })();
    expect(await whenPassed(clock, 20_000, story)).toEqual({ status: "fulfilled", value: "reported" });
  });

  it("refuses an acknowledgement that it cannot write, and leaves nothing of it behind", async () => {
    const { rows, clock, a } = setUp();
    const one = await a.open();
    const lease = await leased(one, [{ type: "details-received" }]);
    a.spoil = () => ({ after: fault("TimeoutError") });
    const sent = await whenPassed(clock, 8_000, one.record(lease, { type: "acknowledge-sent", nonce: "3" as Nonce }));
    expect(sent).toMatchObject({ status: "rejected", reason: { code: "unwritable" } });
    expect(lease.state).toBe("detailed");
    a.cutOff();
    await one.record(lease, { type: "job-lost", reason: "ledger-unwritable" });
    await whenPassed(clock, 8_000, one.release(lease));
    const row = () => rows.items.get(`${rowName(key())}|job`);
    expect(row()?.["state"]).toEqual({ S: "acknowledging" });
    a.heal();
    await clock.advance(2_000);
    expect(row()).toMatchObject({ state: { S: "dropped" }, holder: { S: "nobody" } });
    expect(row()?.["owedBy"]).toBeUndefined();
    expect(await one.lease(key())).toBeDefined();
  });

  it("writes later what it could not write of a job that goes on", async () => {
    const { rows, clock, a } = setUp();
    const one = await a.open();
    const lease = await leased(one, running);
    a.cutOff();
    const event: JobEvent = { type: "outcome-settled", outcome: succeeded({ summary: "late" }) };
    expect(await whenPassed(clock, 8_000, one.record(lease, event))).toMatchObject({ status: "rejected" });
    expect(lease.state).toBe("running");
    a.heal();
    await clock.advance(2_000);
    expect(rows.items.get(`${rowName(key())}|job`)?.["state"]).toEqual({ S: "settled" });
    // The engine tells it again, and goes on.
    await one.record(lease, event);
    await one.record(lease, { type: "report-accepted" });
    expect(lease.state).toBe("reported");
  });

  it("keeps its lease while rows of jobs cannot be caught up with", async () => {
    const { clock, a } = setUp();
    const ledger = await a.open({ leaseMs: 5_000 });
    const lease = await leased(ledger, running);
    a.spoil = (operation, item) =>
      operation === "PutItem" && item?.["sk"]?.S === "job"
        ? { before: fault("ProvisionedThroughputExceededException") }
        : {};
    const [outcome] = settled.slice(-1);
    if (!outcome) throw new Error("no event");
    const recorded = await whenPassed(clock, 10_000, ledger.record(lease, outcome));
    expect(recorded.status).toBe("rejected");
    await clock.advance(60_000);
    expect(lease.lost?.aborted).toBe(false);
    a.heal();
    await clock.advance(10_000);
    expect(lease.state).toBe("settled");
    await ledger.close();
  });

  it("tries a throttled write again, within its limit", async () => {
    const { clock, a } = setUp();
    const one = await a.open();
    let left = 3;
    a.spoil = () => (left-- > 0 ? { before: fault("ProvisionedThroughputExceededException") } : {});
    expect(await whenPassed(clock, 5_000, one.lease(key()))).toMatchObject({
      status: "fulfilled",
      value: { state: "polled" },
    });
    expect(one.health().writable).toBe(true);
  });

  it("does not count a row that the table refuses as an outage", async () => {
    const { a } = setUp();
    const one = await a.open();
    a.spoil = () => ({ before: fault("ValidationException") });
    await expect(one.lease(key())).rejects.toMatchObject({ code: "unwritable" });
    expect(one.health()).toEqual({ writable: true });
  });

  it("says what to do when the table is not there", async () => {
    const { a } = setUp();
    a.spoil = () => ({ before: fault("ResourceNotFoundException") });
    await expect(a.open()).rejects.toThrow(/table ledger is not writable: ResourceNotFoundException.*ledger-table/);
  });

  it("leases a job anew whose replica died before it was acknowledged", async () => {
    const { clock, a, b } = setUp();
    await leased(await a.open());
    a.cutOff();
    const two = await b.open();
    await two.unfinished();
    expect(await two.lease(key())).toBeUndefined();
    await clock.advance(leaseMs + 250);
    await two.unfinished();
    expect(await two.lease(key())).toBeDefined();
  });

  it("takes up jobs of a replica that has no row any more, once its handlers must have ended", async () => {
    const { rows, clock, a, b } = setUp();
    await leased(await a.open(), running);
    a.cutOff();
    for (const name of rows.items.keys()) if (name.startsWith("replicas|")) rows.items.delete(name);
    const two = await b.open();
    expect(await two.unfinished()).toEqual([]);
    await clock.advance(pace.heldMs);
    expect(await two.unfinished()).toEqual([]);
    await clock.advance(250);
    expect(await two.unfinished()).toHaveLength(1);
  });

  it("leaves no row of its own when it ends in good order, and the row of a dead one for a while only", async () => {
    const { rows, clock, a, b } = setUp();
    const replicas = () => [...rows.items.keys()].filter((name) => name.startsWith("replicas|")).length;
    const one = await a.open();
    await one.release(await leased(one, [...settled, { type: "report-accepted" }]));
    expect(replicas()).toBe(1);
    await one.close();
    expect(replicas()).toBe(0);
    await b.open();
    b.cutOff();
    const three = await a.open();
    for (let n = 0; n < 12; n++) {
      await clock.advance(leaseMs / 2);
      await three.unfinished();
    }
    expect(replicas()).toBe(1);
  });

  it("hurts no other job when a row is damaged, and tells of it once", async () => {
    const { rows, a, b } = setUp();
    const one = await a.open();
    for (const id of ["bad", "good"]) await one.release(await leased(one, running, key(id)));
    const name = `${rowName(key("bad"))}|job`;
    rows.items.set(name, { ...rows.items.get(name), record: { S: "{" } });
    const two = await b.open();
    expect((await two.unfinished()).map((job) => job.lease.key.jobId)).toEqual(["good"]);
    await two.unfinished();
    expect(b.faults).toEqual(["the row eu-west-1/bad has no usable record"]);
  });

  it("is not kept from its work by a damaged row of a replica", async () => {
    const { rows, a, b } = setUp();
    const one = await a.open();
    await one.release(await leased(one, running));
    rows.items.set("replicas|edited", { pk: { S: "replicas" }, sk: { S: "edited" }, beat: { S: "x" } });
    expect(await (await b.open()).unfinished()).toHaveLength(1);
  });

  it("gives each row that ended or was never owed its end, and none to what is owed", async () => {
    const { rows, clock, a } = setUp();
    const one = await a.open();
    const seconds = (name: string) => rows.items.get(`${rowName(key(name))}|job`)?.["expiresAt"]?.N;
    await leased(one, running, key("owed"));
    await leased(one, [], key("polled"));
    await leased(one, [...settled, { type: "report-accepted" }], key("ended"));
    expect(seconds("owed")).toBeUndefined();
    expect(seconds("polled")).toBe(String(clock.now() / 1_000 + 86_400));
    expect(seconds("ended")).toBe(String(clock.now() / 1_000 + 86_400));
  });

  it("leaves no timer behind when it is closed", async () => {
    const { clock, a } = setUp();
    const one = await a.open();
    await leased(one, running);
    await one.close();
    await settle();
    expect(clock.pending).toBe(0);
  });

  it.each([
    ["while the row of a job is written", running.slice(0, 1)],
    ["when it holds nothing", undefined],
  ])("closes within half a second though its table fell silent %s", async (_, events) => {
    const { clock, rows, a } = setUp();
    const one = await a.open();
    const lease = events && (await leased(one, events));
    a.isSilent = true;
    if (lease) void one.record(lease, { type: "acknowledge-sent", nonce: "3" as Nonce }).catch(() => {});
    expect(await whenPassed(clock, 500, one.close())).toMatchObject({ status: "fulfilled" });
    expect(clock.pending).toBe(0);
    expect([...rows.items.keys()].filter((name) => name.startsWith("replicas"))).toHaveLength(1);
  });
});

it("defines a table whose keys and index are all declared", () => {
  const definition = tableDefinition("t") as {
    AttributeDefinitions: { AttributeName: string }[];
    KeySchema: { AttributeName: string }[];
    GlobalSecondaryIndexes: { KeySchema: { AttributeName: string }[] }[];
  };
  const used = [...definition.KeySchema, ...definition.GlobalSecondaryIndexes.flatMap((index) => index.KeySchema)];
  expect(definition.AttributeDefinitions.map((each) => each.AttributeName).toSorted()).toEqual(
    used.map((each) => each.AttributeName).toSorted(),
  );
});
