import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CallBudget, CallBudgets } from "../../../src/engine/call-budget.js";
import type { AccountName, Region } from "../../../src/job/job.js";
import { FakeClock } from "../../support/fake-clock.js";

const never = new AbortController().signal;
type Deed = Parameters<CallBudget["enter"]>[0];

function given() {
  const clock = new FakeClock();
  const changes: unknown[] = [];
  const budget = new CallBudget({ clock, onLimit: (change) => changes.push(change) });
  const order: string[] = [];
  const enter = async (deed: Deed, name: string = deed, signal = never) => {
    if (await budget.enter(deed, signal)) order.push(name);
  };
  return { clock, budget, changes, order, enter };
}

/** A service that lets so many calls a second through, and callers that never rest. */
async function pressed(perSecond: number, seconds: number, callers = 20) {
  const { clock, budget, changes } = given();
  const stop = new AbortController();
  let [tokens, atMs, answered, throttled] = [0, clock.monotonic(), 0, 0];
  const isLetThrough = () => {
    tokens = Math.min(perSecond, tokens + ((clock.monotonic() - atMs) / 1_000) * perSecond);
    atMs = clock.monotonic();
    if (tokens < 1) return false;
    tokens -= 1;
    return true;
  };
  const call = async () => {
    while (!stop.signal.aborted) {
      await budget.enter("details", stop.signal);
      await clock.sleep(20);
      const isAnswered = isLetThrough();
      if (isAnswered) answered += 1;
      else throttled += 1;
      budget.ended(!isAnswered);
    }
  };
  const calling = Array.from({ length: callers }, call);
  // To find its way from the first call on.
  await clock.advance(20_000);
  [answered, throttled] = [0, 0];
  await clock.advance(seconds * 1_000);
  const result = { perSecond: answered / seconds, refused: throttled / (answered + throttled), budget, changes };
  stop.abort();
  await clock.advance(1_000);
  await Promise.all(calling);
  return { ...result, pending: clock.pending };
}

it("lets every call through at once while nobody is throttled", () => {
  const { budget, clock } = given();
  for (let turn = 0; turn < 1_000; turn++) {
    expect(budget.enter("poll", never)).toBeUndefined();
    budget.ended(false);
  }
  expect([budget.perSecond, budget.mostJobs, clock.pending]).toEqual([undefined, Number.POSITIVE_INFINITY, 0]);
});

describe("once a call is throttled", () => {
  it("makes calls in turn: results, acknowledgements, details, polls; each sort in its order", async () => {
    const { budget, clock, order, enter } = given();
    budget.ended(true);
    const wanted: Deed[] = ["poll", "details", "put", "acknowledge"];
    for (const round of [1, 2]) for (const deed of wanted) void enter(deed, `${deed} ${round}`);
    await clock.advance(60_000);
    const sorts = ["put", "acknowledge", "details", "poll"];
    expect(order).toEqual(sorts.flatMap((deed) => [`${deed} 1`, `${deed} 2`]));
  });

  it("never lets a result wait behind anything else, whenever it comes", async () => {
    const { budget, clock, order, enter } = given();
    budget.ended(true);
    for (let index = 0; index < 50; index++) void enter("poll");
    await clock.advance(5_500);
    const before = order.length;
    void enter("put");
    await clock.advance(1_000);
    expect(order[before]).toBe("put");
  });

  it("makes one call a second at least, however many are throttled", async () => {
    const { budget, clock, order, enter } = given();
    for (let index = 0; index < 200; index++) void enter("details");
    budget.ended(true);
    for (let second = 0; second < 60; second++) {
      void enter("details");
      for (let call = 0; call < 5; call++) budget.ended(true);
      await clock.advance(1_000);
    }
    expect(budget.perSecond).toBe(1);
    expect(order.length).toBeGreaterThanOrEqual(58);
  });

  it("lets a few calls after a quiet second go together", async () => {
    const { budget, clock, order, enter } = given();
    budget.ended(true);
    await clock.advance(5_000);
    for (let index = 0; index < 30; index++) void enter("details");
    await clock.advance(0);
    expect(order.length).toBe(11);
    await clock.advance(1_000);
    expect(order.length).toBe(21);
  });

  it("says so once, and again when it is over for a minute", async () => {
    const { budget, clock, changes } = given();
    budget.ended(true);
    budget.ended(true);
    expect(changes).toEqual([{ perSecond: 10 }]);
    for (let second = 0; second < 61; second++) {
      await clock.advance(1_001);
      budget.ended(false);
    }
    expect(changes).toMatchObject([{ perSecond: 10 }, { limitedMs: expect.any(Number) }]);
    expect(budget.enter("poll", never)).toBeUndefined();
  });

  it("has polls ask for no more jobs than can be claimed before their offers grow old", () => {
    const { budget } = given();
    for (let call = 0; call < 12; call++) budget.ended(false);
    budget.ended(true);
    expect([budget.perSecond, budget.mostJobs]).toEqual([12, 80]);
  });
});

it("ends each wait with its signal, and leaves no timer behind", async () => {
  const { budget, clock, order, enter } = given();
  budget.ended(true);
  const stop = new AbortController();
  const waits = [
    enter("poll", "stopped", stop.signal),
    enter("put", "goes"),
    enter("put", "never", AbortSignal.abort()),
  ];
  stop.abort();
  await waits[0];
  await clock.advance(2_000);
  await Promise.all(waits);
  expect([order, clock.pending]).toEqual([["goes"], 0]);
});

it("comes to what the service lets through, and wastes few calls on the way", async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 2, max: 40 }), async (limit) => {
      const { perSecond, refused, pending } = await pressed(limit, 120);
      expect(perSecond).toBeGreaterThanOrEqual(0.9 * limit);
      expect(refused).toBeLessThanOrEqual(0.15);
      expect(pending).toBe(0);
    }),
    { numRuns: 8 },
  );
});

it("keeps a budget for each Region", () => {
  const limits: unknown[] = [];
  const budgets = new CallBudgets({ clock: new FakeClock(), onLimit: (scope) => limits.push(scope) });
  const [us, eu] = ["us-east-1", "eu-west-1"].map((region) => budgets.of({ region: region as Region }));
  us?.ended(true);
  expect([us?.perSecond, eu?.perSecond, limits]).toEqual([10, undefined, ["us-east-1"]]);
  expect(budgets.limits).toEqual([{ scope: "us-east-1", perSecond: 10 }]);
  expect(budgets.of({ region: "us-east-1" as Region })).toBe(us);
  budgets.forget({ region: "us-east-1" as Region });
  expect(budgets.limits).toEqual([]);
});

it("is another for each account in each Region: CodePipeline counts calls by both", () => {
  const budgets = new CallBudgets({ clock: new FakeClock(), onLimit: () => {} });
  const region = "us-east-1" as Region;
  const places = [{ region }, { account: "shop" as AccountName, region }, { account: "blog" as AccountName, region }];
  expect(new Set(places.map((place) => budgets.of(place))).size).toBe(3);
  for (const place of places) expect(budgets.of({ ...place })).toBe(budgets.of(place));
});
