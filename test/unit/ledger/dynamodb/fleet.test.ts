// The fleet as its replicas see it: who is alive, the pause of all of them, and what it costs.
import { expect, it } from "vitest";
import { eventsFor } from "../../../../src/compose/offline-jobs.js";
import type { FleetPause, ReplicaNote } from "../../../../src/job/fleet.js";
import type { JobId } from "../../../../src/job/job.js";
import type { TableOperation } from "../../../../src/ledger/dynamodb/table.js";
import { isJob, key, leased, pace, running, settled, setUp, watched } from "../../../support/fake-fleet.js";

const note = (more: Partial<ReplicaNote> = {}): ReplicaNote => ({
  version: "1.2.3",
  state: "working",
  slotsMax: 10,
  slotsHeld: 3,
  jobs: 4,
  owed: 1,
  startedAtMs: 1_700_000_000_000,
  ...more,
});

/** Two replicas that watch. */
async function fleet() {
  const { rows, clock, a, b } = setUp();
  const pauses: (FleetPause | undefined)[] = [];
  const one = await a.open();
  const other = await b.open({ onPause: (pause) => pauses.push(pause) });
  const watches = [watched(one), watched(other)];
  const stop = async () => {
    await Promise.all(watches.map((watch) => watch.stop()));
    await Promise.all([one.close(), other.close()]);
  };
  return { rows, clock, a, b, one, other, pauses, stop };
}

it("is paused for whoever pauses at once, and for the others with their next look", async () => {
  const { clock, one, other, pauses, stop } = await fleet();
  await one.fleet.pauseAll("ada");
  expect(one.fleet.pause).toEqual({ sinceMs: clock.now(), by: "ada" });
  expect(other.fleet.pause).toBeUndefined();
  await clock.advance(pace.lookMs + 100);
  expect(other.fleet.pause).toMatchObject({ by: "ada" });
  expect(pauses).toEqual([expect.objectContaining({ by: "ada" })]);
  await other.fleet.resumeAll();
  expect([one.fleet.pause !== undefined, other.fleet.pause]).toEqual([true, undefined]);
  await clock.advance(pace.lookMs + 100);
  expect(one.fleet.pause).toBeUndefined();
  expect(pauses).toHaveLength(2);
  await stop();
});

it("costs no call beyond those of a fleet that knows of no pause", async () => {
  const countOf = async (isPaused: boolean) => {
    const { clock, a, b, one, other, stop } = await fleet();
    for (const ledger of [one, other]) ledger.fleet.describe(() => note());
    if (isPaused) await one.fleet.pauseAll("ada");
    await clock.advance(60_000);
    const before = a.calls + b.calls;
    for (let look = 0; look < 100; look++) [one.fleet.seen(), other.fleet.pause];
    await clock.advance(300_000);
    const calls = a.calls + b.calls - before;
    await stop();
    return calls;
  };
  expect(await countOf(true)).toBe(await countOf(false));
});

it("stays paused while the table is away, and after everybody was restarted", async () => {
  const { clock, a, b, one, other, stop } = await fleet();
  await one.fleet.pauseAll("ada");
  await clock.advance(pace.lookMs + 100);
  a.cutOff();
  b.cutOff();
  await clock.advance(pace.heldMs * 3);
  expect([one.fleet.pause?.by, other.fleet.pause?.by]).toEqual(["ada", "ada"]);
  expect(other.fleet.seen().ageMs).toBeGreaterThan(pace.heldMs);
  const failed = one.fleet.resumeAll().then(String, (error: unknown) => String(error));
  await clock.advance(10_000);
  expect(await failed).toContain("is not writable");
  expect(one.fleet.pause?.by).toBe("ada");
  a.heal();
  b.heal();
  await stop();
  const again = await a.open();
  await again.unfinished();
  expect(again.fleet.pause?.by).toBe("ada");
  await again.close();
});

it("keeps the name and the time of who paused it first, and is resumed however often it was paused", async () => {
  const { clock, one, other, stop } = await fleet();
  await one.fleet.pauseAll("ada");
  const { sinceMs } = one.fleet.pause ?? {};
  await clock.advance(1_000);
  await other.fleet.pauseAll("bob");
  expect(other.fleet.pause).toEqual({ sinceMs, by: "ada" });
  await one.fleet.resumeAll();
  await one.fleet.resumeAll();
  expect(one.fleet.pause).toBeUndefined();
  await stop();
});

it("is not un-paused by a look that set out before the pause was written", async () => {
  const { clock, a, one, stop } = await fleet();
  const held = Promise.withResolvers<void>();
  a.spoil = (operation: TableOperation) => (operation === "Query" ? { slow: held.promise } : {});
  await clock.advance(pace.lookMs + 100);
  await one.fleet.pauseAll("ada");
  held.resolve();
  a.heal();
  await clock.advance(1);
  expect(one.fleet.pause?.by).toBe("ada");
  await stop();
});

it.each([
  ["nothing in it", {}],
  ["a name of control characters", { by: { S: "\u0000\u202e\n" }, sinceMs: { N: "1" } }],
  ["a name of a megabyte", { by: { S: "x".repeat(1_000_000) } }],
  ["a time that is none", { by: { S: "ada" }, sinceMs: { N: "soon" } }],
])("is paused by a row that somebody wrote with %s, and hides no replica", async (_, attributes) => {
  const { rows, clock, other, stop } = await fleet();
  rows.items.set("replicas|!pause", { pk: { S: "replicas" }, sk: { S: "!pause" }, ...attributes });
  await clock.advance(pace.lookMs + 100);
  expect(other.fleet.pause).toBeDefined();
  expect(other.fleet.pause?.by.length).toBeLessThanOrEqual(200);
  expect(other.fleet.seen().replicas).toHaveLength(2);
  await stop();
});

it("shows every replica with what its heartbeat says, itself among them", async () => {
  const { clock, one, other, stop } = await fleet();
  one.fleet.describe(() => note({ state: "draining", url: "https://one.example:9464" }));
  other.fleet.describe(() => note({ version: "9".repeat(500), url: `https://${"x".repeat(500)}` }));
  await clock.advance(pace.beatMs + pace.lookMs + 100);
  const { replicas, ageMs } = one.fleet.seen();
  expect(ageMs).toBeLessThanOrEqual(pace.lookMs);
  expect(
    replicas.map(({ isSelf, isGone, note: said }) => ({ isSelf, isGone, state: said?.state, url: said?.url })),
  ).toEqual(
    expect.arrayContaining([
      { isSelf: true, isGone: false, state: "draining", url: "https://one.example:9464" },
      { isSelf: false, isGone: false, state: "working", url: undefined },
    ]),
  );
  expect(replicas.every(({ silentMs }) => silentMs <= pace.beatMs + pace.lookMs)).toBe(true);
  await stop();
});

it("keeps a replica's row within one write unit, whatever is said of it", async () => {
  const { rows, clock, one, stop } = await fleet();
  one.fleet.describe(() => note({ version: "v".repeat(2_000), url: `https://${"x".repeat(190)}` }));
  await clock.advance(pace.beatMs + 100);
  for (const item of rows.items.values()) expect(Buffer.byteLength(JSON.stringify(item))).toBeLessThan(1_000);
  await stop();
});

it("says who is gone once its lease is over, and forgets who left", async () => {
  const { clock, b, one, other, stop } = await fleet();
  await clock.advance(pace.lookMs + 100);
  b.cutOff();
  await clock.advance(pace.heldMs + 2 * pace.lookMs);
  expect(
    one.fleet
      .seen()
      .replicas.map(({ isSelf, isGone }) => [isSelf, isGone])
      .sort(),
  ).toEqual([
    [false, true],
    [true, false],
  ]);
  b.heal();
  await clock.advance(2_000);
  await other.close();
  await clock.advance(pace.lookMs * 2);
  expect(one.fleet.seen().replicas.filter(({ isGone }) => !isGone)).toHaveLength(1);
  await stop();
});

it("shows who is gone as gone until its row is removed, and never as alive again", async () => {
  const { clock, b, one, stop } = await fleet();
  await clock.advance(pace.lookMs + 100);
  b.cutOff();
  const states: string[] = [];
  for (let ms = 0; ms < pace.heldMs * 8; ms += 500) {
    await clock.advance(500);
    const other = one.fleet.seen().replicas.find(({ isSelf }) => !isSelf);
    const state = other === undefined ? "none" : other.isGone ? "gone" : "alive";
    if (states.at(-1) !== state) states.push(state);
  }
  expect(states).toEqual(["alive", "gone", "none"]);
  await stop();
});

it("lists jobs whoever has them, page by page", async () => {
  const { one, other, stop } = await fleet();
  for (const id of ["a1", "a2", "a3"]) await leased(one, running, key(id));
  for (const id of ["b1", "b2"]) await leased(other, settled, key(id));
  const seen: string[] = [];
  for (let from = 0; from < 6; from += 2) {
    const { jobs, count, isCut } = await one.fleet.jobs({ from, max: 2 });
    expect([count, isCut, jobs.length]).toEqual([5, false, from === 4 ? 1 : 2]);
    seen.push(...jobs.map(({ key: { jobId } }) => jobId));
  }
  expect(seen.sort()).toEqual(["a1", "a2", "a3", "b1", "b2"]);
  await stop();
});

it("ends a job that nobody works on, and none that another replica has", async () => {
  const { rows, clock, b, one, other, stop } = await fleet();
  const order = { kind: "release" } as const;
  const end = (id: string) =>
    one.fleet
      .end({ ...key(id), jobId: id as JobId }, (state) => eventsFor(id, state, order))
      .then(
        () => "done",
        (error: unknown) => (error as { code?: string }).code,
      );
  await leased(other, running, key("theirs"));
  await clock.advance(pace.lookMs + 100);
  expect(await end("theirs")).toBe("locked");
  expect(await end("nobody-knows-it")).toBe("lost");
  const released = await leased(other, running, key("left"));
  await other.release(released);
  expect(await end("left")).toBe("done");
  expect([...rows.items.values()].find((item) => isJob(item) && item["pk"]?.S?.endsWith("/left"))?.["state"]?.S).toBe(
    "dropped",
  );
  b.cutOff();
  await stop();
});
