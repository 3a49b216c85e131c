// Takes whose answers are lost or come late, and rows under the name of a replica that does not know of them: whatever
// happens, somebody has the job soon, and nobody twice. Leases as job/lease.ts has them, over a table in memory.
import { describe, expect, it } from "vitest";
import { type Item, rowName } from "../../../../src/ledger/dynamodb/rows.js";
import { NoAnswer } from "../../../../src/ledger/dynamodb/table.js";
import { type FakeClock, settle } from "../../../support/fake-clock.js";
import {
  fault,
  isJob,
  key,
  leased,
  leaseMs,
  pace,
  Replica,
  running,
  settled,
  setUp,
  watched,
  whenPassed,
} from "../../../support/fake-fleet.js";

const name = `${rowName(key())}|job`;
const asked = running.slice(0, 2);
const takeoverMs = leaseMs + 5_000;

/** Whose row it is. */
function holderOf(items: ReadonlyMap<string, Item>): string | undefined {
  return items.get(name)?.["holder"]?.S;
}

function replicasOf(items: ReadonlyMap<string, Item>): readonly string[] {
  return [...items.keys()].filter((each) => each.startsWith("replicas|")).map((each) => each.slice(9));
}

/** From its next write of a job's row on, every answer about such a row is lost. */
function loseAnswers(replica: Replica) {
  let isBegun = false;
  replica.spoil = (operation, item) => {
    isBegun ||= operation === "PutItem" && isJob(item);
    return isBegun && isJob(item) ? { after: fault("TimeoutError") } : {};
  };
  return {
    begun: async (clock: FakeClock) => {
      for (let ms = 0; !isBegun && ms < takeoverMs; ms += 100) await clock.advance(100);
      expect(isBegun).toBe(true);
    },
  };
}

describe("a take-over whose answers are lost", () => {
  it.each([
    ["acknowledging", asked],
    ["running", running],
    ["settled", settled],
  ])("of a job that is %s leaves it with one of those that live", async (state, events) => {
    const { rows, clock, a, b } = setUp();
    const c = new Replica(rows, clock);
    await leased(await a.open(), events);
    const watches = [watched(await b.open()), watched(await c.open())];
    // The one that looks first is the one whose answers are lost.
    c.spoil = (operation) => (operation === "Query" ? { before: fault("TimeoutError") } : {});
    const lost = loseAnswers(b);
    a.cutOff();
    await lost.begun(clock);
    expect(watches.flatMap(({ found }) => found)).toEqual([]);
    c.heal();
    await clock.advance(7_000);
    b.heal();
    await clock.advance(10_000);
    const found = watches.flatMap((watch) => watch.found);
    expect(found.map(({ lease }) => lease.state)).toEqual([state]);
    expect(found[0]?.lease.lost?.aborted).toBe(false);
    await Promise.all(watches.map(({ stop }) => stop()));
  });

  it("leaves the name in the fleet when the process ends before it knows, so that others find the job", async () => {
    const { rows, clock, a, b } = setUp();
    const one = await a.open();
    await one.release(await leased(one, running));
    const two = await b.open();
    const before = replicasOf(rows.items).length;
    loseAnswers(b);
    expect(await whenPassed(clock, 8_000, two.unfinished())).toMatchObject({ status: "rejected" });
    await whenPassed(clock, 1_000, two.close());
    expect(replicasOf(rows.items)).toHaveLength(before);
    const watch = watched(one);
    await clock.advance(takeoverMs);
    expect(watch.ids()).toEqual(["job-1"]);
    await watch.stop();
  });

  it.each(["stops", "is killed"])("is not done late, when whoever gave it up %s", async (how) => {
    const { rows, clock, a, b } = setUp();
    const one = await a.open();
    await one.release(await leased(one, running));
    const two = await b.open();
    const arrives = clock.sleep(60_000);
    const isTake = (item: Item | undefined) => isJob(item) && ![undefined, "nobody"].includes(item?.["holder"]?.S);
    b.spoil = (_, item) => (isTake(item) ? { late: arrives } : {});
    expect(await whenPassed(clock, 8_000, two.unfinished())).toMatchObject({ status: "rejected" });
    b.heal();
    await clock.advance(2_000);
    if (how === "stops") await whenPassed(clock, 500, two.close());
    else b.isSilent = true;
    await clock.advance(60_000);
    expect(holderOf(rows.items)).toBe("nobody");
    expect(await one.unfinished()).toHaveLength(1);
  });

  it("leaves the name in the fleet while a job is held", async () => {
    const { rows, clock, a } = setUp();
    const one = await a.open();
    await leased(one, running);
    await whenPassed(clock, 500, one.close());
    expect(replicasOf(rows.items)).toHaveLength(1);
  });

  it("gives the name up when the row is settled before the process ends", async () => {
    const { rows, clock, a, b } = setUp();
    const one = await a.open();
    await one.release(await leased(one, running));
    const two = await b.open();
    loseAnswers(b);
    await whenPassed(clock, 8_000, two.unfinished());
    b.heal();
    await whenPassed(clock, 500, two.close());
    expect(holderOf(rows.items)).toBe("nobody");
    expect(replicasOf(rows.items)).toHaveLength(1);
  });
});

it.each(["holds it", "gave it back"])(
  "puts no take that is in doubt over a row that another's new offer made, who %s",
  async (how) => {
    const { rows, clock, a, b } = setUp();
    const one = await a.open();
    await one.release(await leased(one, running));
    const two = await b.open();
    b.spoil = (_, item) => (isJob(item) && item?.["state"] ? { before: fault("TimeoutError") } : {});
    expect(await whenPassed(clock, 8_000, two.unfinished())).toMatchObject({ status: "rejected" });
    const [found] = await one.unfinished();
    if (!found) throw new Error("nothing was found");
    await one.record(found.lease, { type: "job-lost", reason: "released" });
    await one.release(found.lease);
    const lease = await leased(one);
    if (how === "gave it back") await one.release(lease);
    const row = rows.items.get(name);
    b.heal();
    await clock.advance(5_000);
    expect(rows.items.get(name)).toEqual(row);
    expect(row).toMatchObject({ state: { S: "polled" } });
  },
);

describe("the first write of a job", () => {
  it.each([
    ["before it is settled", 1_000],
    ["after it was settled", 30_000],
    ["never", Number.POSITIVE_INFINITY],
  ])("that was given up and arrives %s keeps nobody from the job", async (_when, lateMs) => {
    const { rows, clock, a, b } = setUp();
    const [one, two] = [await a.open(), await b.open()];
    const arrives = Number.isFinite(lateMs) ? clock.sleep(lateMs) : new Promise(() => {});
    a.spoil = (operation, item) => (operation === "PutItem" && isJob(item) ? { late: arrives } : {});
    const first = await whenPassed(clock, 8_000, one.lease(key()));
    expect(first).toMatchObject({ status: "rejected", reason: { code: "unwritable" } });
    a.heal();
    await clock.advance(3_000);
    const lease = await leased(two, running);
    await clock.advance(60_000);
    expect(lease.lost?.aborted).toBe(false);
    expect(rows.items.get(name)?.["state"]).toEqual({ S: "running" });
    expect(await one.lease(key())).toBeUndefined();
  });

  it("that arrives after the job was dropped takes no row for itself", async () => {
    const { rows, clock, a } = setUp();
    const one = await a.open();
    const arrives = clock.sleep(60_000);
    let puts = 0;
    a.spoil = (operation, item) => (operation === "PutItem" && isJob(item) && puts++ === 0 ? { late: arrives } : {});
    const lease = await whenPassed(clock, 2_000, leased(one));
    if (lease.status === "rejected") throw lease.reason;
    await one.record(lease.value, { type: "job-lost", reason: "draining" });
    await one.release(lease.value);
    await clock.advance(60_000);
    expect(holderOf(rows.items)).toBe("nobody");
    expect(await one.lease(key())).toBeDefined();
  });

  it.each([
    ["no credentials", new NoAnswer(fault("CredentialsProviderError"))],
    ["something in between", new NoAnswer(fault("ConditionalCheckFailedException"))],
  ])("that failed by %s makes the job nobody else's", async (_by, error) => {
    const { clock, a } = setUp();
    const one = await a.open();
    a.spoil = (operation, item) => (operation === "PutItem" && isJob(item) ? { before: error } : {});
    const first = await whenPassed(clock, 8_000, one.lease(key()));
    expect(first).toMatchObject({ status: "rejected", reason: { code: "unwritable" } });
    a.heal();
    await clock.advance(8_000);
    expect(one.health()).toEqual({ writable: true });
    expect(await one.lease(key())).toBeDefined();
  });
});

it("takes no job twice that is offered while its take-over is under way", async () => {
  const { clock, a, b } = setUp();
  const one = await a.open();
  await one.release(await leased(one, running));
  const two = await b.open();
  const { promise: held, resolve: letGo } = Promise.withResolvers<void>();
  b.spoil = (operation, item) => (operation === "PutItem" && isJob(item) ? { held } : {});
  const taking = two.unfinished();
  await settle();
  expect(await two.lease(key())).toBeUndefined();
  letGo();
  const [job] = await taking;
  expect(job?.lease.state).toBe("running");
  await clock.advance(leaseMs);
  expect(job?.lease.lost?.aborted).toBe(false);
  expect(await two.lease(key())).toBeUndefined();
});

describe("a row under the name of a living replica that does not know of it", () => {
  it.each(["acknowledging", "running", "settled"])("is %s: somebody has it within two minutes", async (state) => {
    const { rows, clock, a, b } = setUp();
    const one = await a.open();
    const events = state === "acknowledging" ? asked : state === "running" ? running : settled;
    await leased(one, events);
    const row = rows.items.get(name);
    await whenPassed(clock, 0, one.close());
    const two = await b.open();
    const [mine] = replicasOf(rows.items).filter((id) => id !== row?.["holder"]?.S);
    rows.items.set(name, { ...row, holder: { S: mine ?? "" }, owedBy: { S: mine ?? "" } });
    const watch = watched(two);
    await clock.advance(120_000);
    expect(watch.ids()).toEqual(["job-1"]);
    expect(watch.found[0]?.lease.state).toBe(state);
    await watch.stop();
  });

  it.each([
    ["polled", []],
    ["detailed", running.slice(0, 1)],
  ])("is %s: its next offer is taken", async (_state, events) => {
    const { rows, a, b } = setUp();
    await leased(await a.open(), events);
    const two = await b.open();
    const [mine] = replicasOf(rows.items).filter((id) => id !== holderOf(rows.items));
    rows.items.set(name, { ...rows.items.get(name), holder: { S: mine ?? "" } });
    const lease = await two.lease(key());
    expect(lease?.state).toBe("polled");
    expect(holderOf(rows.items)).toBe(mine);
  });
});

it("finds what a dead replica owed though the index shows it only after the replica's row is gone", async () => {
  const { rows, clock, a, b } = setUp();
  await leased(await a.open(), running);
  a.cutOff();
  const row = rows.items.get(name);
  rows.items.delete(name);
  const watch = watched(await b.open());
  await clock.advance(pace.heldMs * 7);
  expect(replicasOf(rows.items)).toHaveLength(1);
  if (row) rows.items.set(name, row);
  await clock.advance(60_000 + takeoverMs);
  expect(watch.ids()).toEqual(["job-1"]);
  await watch.stop();
});

it.each([
  ["the write", 0, "PutItem"],
  ["the read of the row", 1, "GetItem"],
  ["the read of its holder", 2, "GetItem"],
])("throws only LedgerErrors when the table refuses %s in an offer's take", async (_what, nth, refusal) => {
  const { a, b } = setUp();
  // Not acknowledged: another may take it once its holder has gone, which the take asks for.
  await leased(await a.open());
  const two = await b.open();
  const operations: string[] = [];
  b.spoil = (operation) =>
    operations.push(operation) === nth + 1 ? { before: fault("ResourceNotFoundException") } : {};
  await expect(two.lease(key())).rejects.toMatchObject({ name: "LedgerError" });
  expect(operations.at(-1)).toBe(refusal);
  expect(operations).toHaveLength(nth + 1);
});
