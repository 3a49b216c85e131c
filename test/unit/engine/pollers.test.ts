// One loop for each poller, and what a new configuration makes of them.
import { expect, it } from "vitest";
import { GatewayError, type JobGateway } from "../../../src/codepipeline/gateway.js";
import { configsByKey, type PollerConfig } from "../../../src/engine/poller-config.js";
import { Pollers } from "../../../src/engine/pollers.js";
import { Runner } from "../../../src/engine/runner.js";
import type { JobId } from "../../../src/job/job.js";
import { flightOver, key, offer } from "../../support/flight.js";

function configOf(provider: string, more: Partial<PollerConfig> = {}): PollerConfig {
  return {
    region: key.region,
    actionType: { ...key.actionType, provider },
    group: provider,
    handler: "any",
    maxConcurrentJobs: 2,
    jobTimeoutMs: 60_000,
    afterCrash: "fail",
    secretProperties: [],
    ...more,
  };
}

async function given(
  configs: readonly PollerConfig[],
  poll: JobGateway["poll"] = async () => ({ jobs: [], unreadable: [] }),
) {
  const polled: string[] = [];
  const made = await flightOver({
    poll: (actionType, limit, signal) => {
      polled.push(actionType.provider);
      return poll(actionType, limit, signal);
    },
  });
  const stop = new AbortController();
  const context = {
    ...made.context,
    pollers: configsByKey(configs),
    scopes: { ...made.context.scopes, poll: stop.signal },
    limits: { ...made.context.limits, polling: { minIntervalMs: 1_000, maxIntervalMs: 1_000 } },
  };
  const running = new Set<Promise<void>>();
  const { slots } = made;
  const runner = new Runner(context, slots);
  const watch = (loop: Promise<void>) => {
    running.add(loop);
    return loop.finally(() => running.delete(loop));
  };
  const pollers = new Pollers({ context, slots, runner, watch });
  const begin = () => pollers.begin({ budget: { left: Number.POSITIVE_INFINITY, promised: 0 } });
  const apply = (next: readonly PollerConfig[], isNewPace = false) => {
    context.pollers = configsByKey(next);
    return pollers.apply(isNewPace);
  };
  /** Who polls from now on. */
  const heard = async () => {
    polled.length = 0;
    await made.clock.advance(1_500);
    return [...new Set(polled)].sort();
  };
  return { ...made, context, pollers, begin, apply, heard, stop, running };
}

it("polls by one loop for each lane, in the order of the configuration, until it is stopped", async () => {
  const { pollers, begin, heard, stop, running, clock } = await given([configOf("B"), configOf("A")]);
  expect(pollers.loops.map(({ actionType, doing }) => [actionType, doing])).toEqual([
    ["Custom/Build/B/1", "starting"],
    ["Custom/Build/A/1", "starting"],
  ]);
  begin();
  expect(await heard()).toEqual(["A", "B"]);
  expect([pollers.loops.map(({ doing }) => doing), running.size]).toEqual([["resting", "resting"], 2]);
  stop.abort();
  await clock.advance(0);
  expect([pollers.loops.map(({ doing }) => doing), running.size]).toEqual([["ended", "ended"], 0]);
});

it("ends and begins loops as the configuration changes, and leaves alone what stays", async () => {
  const { begin, apply, heard, slots } = await given([configOf("A"), configOf("B")]);
  begin();
  await heard();
  const { added, removed } = apply([configOf("B"), configOf("C", { maxConcurrentJobs: 7 })]);
  const names = (pollers: readonly PollerConfig[]) => pollers.map(({ actionType }) => actionType.provider);
  expect([names(added), names(removed)]).toEqual([["C"], ["A"]]);
  expect(await heard()).toEqual(["B", "C"]);
  expect(slots.groups.map(({ group, max }) => [group, max])).toContainEqual(["C", 7]);
  expect(apply([configOf("B"), configOf("C", { maxConcurrentJobs: 7 })])).toMatchObject({ added: [], removed: [] });
});

it.each([
  ["a lane that changed", [configOf("A", { jobTimeoutMs: 1 })], false],
  ["a new pace", [configOf("A")], true],
] as const)("waits for the poll under way before its loop ends: %s", async (_what, next, isNewPace) => {
  const answer = Promise.withResolvers<{ jobs: []; unreadable: [] }>();
  let polls = 0;
  const { begin, apply, clock, running } = await given([configOf("A")], () => {
    polls += 1;
    return polls === 1 ? answer.promise : Promise.resolve({ jobs: [], unreadable: [] });
  });
  begin();
  await clock.advance(10);
  const { ended } = apply(next, isNewPace);
  let hasEnded = false;
  void ended.then(() => {
    hasEnded = true;
  });
  await clock.advance(5_000);
  expect([hasEnded, running.size]).toEqual([false, 2]);
  answer.resolve({ jobs: [], unreadable: [] });
  await clock.advance(10);
  expect([hasEnded, running.size]).toEqual([true, 1]);
});

it("begins nothing before it is told to, and nothing once it is stopped", async () => {
  const { pollers, apply, heard, stop, begin } = await given([configOf("A")]);
  apply([configOf("A"), configOf("B")]);
  expect(await heard()).toEqual([]);
  stop.abort();
  begin();
  apply([configOf("C")]);
  expect([await heard(), pollers.loops.map(({ doing }) => doing)]).toEqual([[], ["starting"]]);
});

it("ends every rest when it is woken", async () => {
  const { pollers, begin, heard, clock, context } = await given([configOf("A"), configOf("B")]);
  Object.assign(context.limits, { polling: { minIntervalMs: 60_000, maxIntervalMs: 60_000 } });
  begin();
  await clock.advance(10_000);
  expect(await heard()).toEqual([]);
  pollers.wake();
  expect(await heard()).toEqual(["A", "B"]);
});

it.each([
  ["nothing where the lane is gone", [], 0],
  ["them where the lane only changed", [configOf("A", { maxConcurrentJobsPerClient: 1, jobTimeoutMs: 1 })], 2],
] as const)("keeps offers of the last poll of a loop whose turn has not come: %s", async (_what, next, waiting) => {
  const config = configOf("A", { maxConcurrentJobsPerClient: 1, maxConcurrentJobs: 3 });
  const answer = Promise.withResolvers<void>();
  let polls = 0;
  const { begin, apply, clock, context } = await given([config], async ({ owner }) => {
    polls += 1;
    if (polls > 1) return { jobs: [], unreadable: [] };
    await answer.promise;
    const jobs = ["1", "2", "3"].map((name) => {
      const of = { region: key.region, actionType: { ...config.actionType, owner }, jobId: name as JobId };
      return { key: of, job: { ...offer, key: of, accountId: "1" } };
    });
    return { jobs, unreadable: [] };
  });
  begin();
  await clock.advance(10);
  const { ended } = apply(next);
  answer.resolve();
  await ended;
  await clock.advance(0);
  expect(context.turns.waiting(config)).toBe(waiting);
});

it("forgets what was denied to a lane that is gone", async () => {
  const denied = new GatewayError({ kind: "denied", operation: "PollForJobs", code: "x", message: "no" });
  const { begin, apply, clock, context } = await given([configOf("A")], () => Promise.reject(denied));
  begin();
  await clock.advance(10);
  expect(context.breakers.denials).toHaveLength(1);
  apply([]);
  expect(context.breakers.denials).toEqual([]);
});

it("has one loop for each value that is asked for, and a change of the values is felt by that one alone", async () => {
  const asked: (string | undefined)[] = [];
  const given = await flightOver({
    poll: async (_type, _limit, _signal, queryParam) => {
      asked.push(queryParam?.["Project"]);
      return { jobs: [], unreadable: [] };
    },
  });
  const config = (...values: readonly string[]) =>
    configsByKey(values.map((Project) => configOf("A", { queryParam: { Project } })));
  const limits = { ...given.context.limits, polling: { minIntervalMs: 1_000, maxIntervalMs: 1_000 } };
  const context = { ...given.context, limits, pollers: config("shop", "blog") };
  const ends: string[] = [];
  const pollers = new Pollers({
    context,
    slots: given.slots,
    runner: new Runner(context, given.slots),
    watch: (loop) => loop.finally(() => ends.push("ended")),
  });
  pollers.begin({ budget: { left: Number.POSITIVE_INFINITY, promised: 0 } });
  await given.clock.advance(500);
  expect(asked).toEqual(["shop", "blog"]);
  expect(pollers.loops.map(({ query }) => query)).toEqual(["Project=shop", "Project=blog"]);
  context.pollers = config("shop", "docs");
  asked.length = 0;
  const change = pollers.apply(false);
  expect([change.added, change.removed].map((some) => some.map(({ queryParam }) => queryParam?.["Project"]))).toEqual([
    ["docs"],
    ["blog"],
  ]);
  await change.ended;
  expect(ends).toEqual(["ended"]);
  // The one that stays keeps its rest.
  await given.clock.advance(100);
  expect(asked).toEqual(["docs"]);
});
