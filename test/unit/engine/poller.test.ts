import { expect, it } from "vitest";
import { GatewayError, type JobGateway } from "../../../src/codepipeline/gateway.js";
import { Breakers } from "../../../src/engine/breakers.js";
import { CallBudgets } from "../../../src/engine/call-budget.js";
import type { EngineContext } from "../../../src/engine/context.js";
import type { UntimedEvent } from "../../../src/engine/events.js";
import { Flights } from "../../../src/engine/flights.js";
import type { Closed } from "../../../src/engine/gate.js";
import { Poller } from "../../../src/engine/poller.js";
import { type PollerConfig, pollerKey } from "../../../src/engine/poller-config.js";
import type { Runner } from "../../../src/engine/runner.js";
import type { Slot } from "../../../src/engine/slot.js";
import { Slots } from "../../../src/engine/slots.js";
import { Turns } from "../../../src/engine/turns.js";
import type { ClientId, JobId, Region } from "../../../src/job/job.js";
import { FakeClock } from "../../support/fake-clock.js";

const policy = { minDelayMs: 1_000, maxDelayMs: 15_000, factor: 4, maxElapsedMs: Number.POSITIVE_INFINITY };

function config(provider: string, maxConcurrentJobs: number): PollerConfig {
  return {
    region: "us-east-1" as Region,
    actionType: { category: "Test", owner: "ThirdParty", provider, version: "1" },
    group: provider,
    handler: "h",
    maxConcurrentJobs,
    jobTimeoutMs: 1_000,
    afterCrash: "fail",
    secretProperties: [],
  };
}

/** Pollers over a scripted service; jobs that are taken end at once. */
function given(options: { pollers: readonly PollerConfig[]; waiting: number; maxJobs?: number; slots?: number }) {
  const clock = new FakeClock();
  const limits: number[] = [];
  const events: UntimedEvent[] = [];
  let waiting = options.waiting;
  let fault: GatewayError | undefined;
  let duringPoll = () => {};
  let closed: Closed | undefined;
  const gateway = {
    poll: async (actionType: PollerConfig["actionType"], limit: number) => {
      limits.push(limit);
      duringPoll();
      if (fault) throw fault;
      const size = Math.min(limit, waiting);
      waiting -= size;
      const jobs = Array.from({ length: size }, (_, index) => ({
        key: {
          region: "us-east-1" as Region,
          actionType,
          jobId: `${actionType.provider}-${waiting}-${index}` as JobId,
          clientId: "c" as ClientId,
        },
      }));
      return { jobs, unreadable: [] };
    },
  } as unknown as JobGateway;
  const stop = new AbortController();
  let isFleetPaused = false;
  const context = {
    deps: { clock, gateway: () => gateway, random: () => 0.5, mask: (text: string) => text },
    limits: {
      polling: { minIntervalMs: 1_000, maxIntervalMs: 15_000 },
      retry: { poll: policy, throttledPoll: policy },
    },
    scopes: { poll: stop.signal },
    emit: (event: UntimedEvent) => events.push(event),
    gate: {
      pass: async (signal: AbortSignal, onLook: () => void) => {
        while (!signal.aborted) {
          onLook();
          if (!closed) return;
          await clock.sleep(1_000, signal);
        }
      },
      closedBy: () => closed,
      get isFleetPaused() {
        return isFleetPaused;
      },
    },
    admission: {
      mostFor: () => Number.POSITIVE_INFINITY,
      handlerClosedBy: () => undefined,
      machine: { notice: () => {} },
    },
    breakers: new Breakers({
      emit: (event) => events.push(event),
      mask: (text) => text,
      monotonic: () => clock.monotonic(),
    }),
    budgets: new CallBudgets({ clock, onLimit: () => {} }),
    flights: new Flights(),
  } as unknown as EngineContext;
  Object.assign(context, { turns: new Turns(context) });
  const slots = new Slots({ max: options.slots ?? 10 });
  const held: Slot[] = [];
  let inFlight = 0;
  const runner = {
    get inFlight() {
      return inFlight;
    },
    repeated: () => false,
    take: async (_polled: unknown, _lane: unknown, slot: Slot) => {
      held.push(slot);
      return true;
    },
  } as unknown as Runner;
  const budget = { left: options.maxJobs ?? Number.POSITIVE_INFINITY, promised: 0 };
  const isPass = options.maxJobs !== undefined;
  const pollers = options.pollers.map((each) => {
    slots.open({ name: pollerKey(each), group: each.actionType.provider }, each.maxConcurrentJobs);
    const idle = isPass ? { idleEndMs: 0 } : {};
    return new Poller({ context, config: each, slots, runner, budget, ...idle });
  });
  return {
    clock,
    context,
    limits,
    events,
    slots,
    held,
    pollers,
    stop,
    fail: (next: GatewayError | undefined) => {
      fault = next;
    },
    close: (by: Closed | undefined) => {
      closed = by;
    },
    fly: (count: number) => {
      inFlight = count;
    },
    pauseFleet: () => {
      isFleetPaused = true;
    },
    whilePolling: (act: () => void) => {
      duringPoll = act;
    },
  };
}

it("asks for 32 jobs at most, however many slots are free, and soon for the next", async () => {
  const { pollers, clock, limits, stop } = given({ pollers: [config("A", 5_000)], waiting: 80, slots: 5_000 });
  const ended = Promise.all(pollers.map((poller) => poller.run()));
  await clock.advance(100);
  expect(limits).toEqual([32, 32, 32]);
  stop.abort();
  await ended;
});

it("ends a single pass where the fleet is paused, of whose end it would not hear", async () => {
  const { pollers, pauseFleet, close, events, clock } = given({ pollers: [config("A", 5)], waiting: 5, maxJobs: 5 });
  pauseFleet();
  close({ reason: "paused", message: "the fleet was paused" });
  await Promise.all(pollers.map((each) => each.run()));
  expect([events.map(({ type }) => type), clock.pending]).toEqual([[], 0]);
});

it.each<[string, Closed["reason"], number, boolean]>([
  ["a disk that is full", "no-room", 0, true],
  ["a ledger that cannot be written", "ledger-unwritable", 0, true],
  ["a machine that is short", "machine-short", 0, true],
  ["a machine that is short, while a job of ours may be why", "machine-short", 1, false],
  ["somebody who paused this very pass", "paused", 0, false],
])("waits in a single pass for %s only so long as that may pass by itself", async (_what, reason, inFlight, ends) => {
  const { pollers, close, fly, clock, limits } = given({ pollers: [config("A", 5)], waiting: 5, maxJobs: 5 });
  close({ reason, message: "closed" });
  fly(inFlight);
  let isOver = false;
  const ended = Promise.all(pollers.map((each) => each.run())).then(() => (isOver = true));
  await clock.advance(5_000);
  expect(isOver).toBe(false);
  await clock.advance(60_000);
  expect(isOver).toBe(ends);
  close(undefined);
  await clock.advance(60_000);
  await ended;
  expect(limits).toEqual(ends ? [] : [5]);
});

it("never polls for no job at all, however many pollers share what is left of a single pass", async () => {
  const { pollers, limits, clock, held } = given({
    pollers: [config("A", 10), config("B", 10), config("C", 10)],
    waiting: 10,
    maxJobs: 3,
  });
  const ended = Promise.all(pollers.map((poller) => poller.run()));
  await clock.advance(60_000);
  await ended;
  expect(held).toHaveLength(3);
  expect(Math.min(...limits)).toBeGreaterThan(0);
});

it("does not poll while no slot is free, and asks for those that are", async () => {
  const { pollers, limits, clock, held, stop } = given({ pollers: [config("A", 3)], waiting: 100 });
  const running = pollers[0]?.run();
  await clock.advance(60_000);
  expect(limits).toEqual([3]);
  held.shift()?.free();
  held.shift()?.free();
  await clock.advance(60_000);
  expect(limits).toEqual([3, 2]);
  stop.abort();
  await running;
});

it("asks the gate again once it has slots, and keeps none while it is closed", async () => {
  const { pollers, limits, clock, held, slots, stop, close } = given({ pollers: [config("A", 3)], waiting: 100 });
  const running = pollers[0]?.run();
  await clock.advance(60_000);
  close({ reason: "paused", message: "an operator paused the daemon" });
  held.shift()?.free();
  await clock.advance(60_000);
  expect([limits, slots.busy]).toEqual([[3], 2]);
  close(undefined);
  await clock.advance(60_000);
  expect(limits).toEqual([3, 1]);
  stop.abort();
  await running;
});

it("asks with a single slot after a failure, rests along the steep curve, and goes on at once when it is woken", async () => {
  const { pollers, limits, clock, stop, fail, events } = given({ pollers: [config("A", 5)], waiting: 0 });
  fail(new GatewayError({ kind: "unavailable", operation: "PollForThirdPartyJobs", code: "x", message: "no" }));
  const running = pollers[0]?.run();
  await clock.advance(60_000);
  const rests = events.flatMap((event) => (event.type === "poll-failed" ? [event.restMs] : []));
  expect(rests.slice(0, 4).map(Math.floor)).toEqual([1_100, 4_400, 15_500, 15_500]);
  expect(limits.slice(0, 3)).toEqual([5, 1, 1]);
  const before = limits.length;
  fail(undefined);
  pollers[0]?.wake();
  await clock.advance(0);
  expect(limits).toHaveLength(before + 1);
  expect(events.at(-1)).toMatchObject({ type: "poll-finished" });
  expect(events.some((event) => event.type === "poll-recovered")).toBe(true);
  stop.abort();
  await running;
});

it("does not rest after a poll during which it is woken", async () => {
  const { pollers, limits, clock, stop, whilePolling } = given({ pollers: [config("A", 5)], waiting: 0 });
  whilePolling(() => {
    if (limits.length === 1) pollers[0]?.wake();
  });
  const running = pollers[0]?.run();
  await clock.advance(0);
  expect(limits).toHaveLength(2);
  await clock.advance(500);
  expect(limits).toHaveLength(2);
  stop.abort();
  await running;
});

it("ends with its signal, whatever it is waiting for", async () => {
  const resting = given({ pollers: [config("A", 5)], waiting: 0 });
  const first = resting.pollers[0]?.run();
  await resting.clock.advance(10);
  resting.stop.abort();
  await first;
  const full = given({ pollers: [config("A", 1)], waiting: 5 });
  const second = full.pollers[0]?.run();
  await full.clock.advance(1_000);
  full.stop.abort();
  await second;
  expect([resting.clock.pending, full.clock.pending]).toEqual([0, 0]);
});

const denied = new GatewayError({ kind: "denied", operation: "PollForThirdPartyJobs", code: "x", message: "no" });

it("closes the breaker that an earlier poller of its lane left open", async () => {
  const { pollers, clock, stop, fail, events } = given({ pollers: [config("A", 5), config("A", 5)], waiting: 0 });
  const [first, second] = pollers;
  fail(denied);
  const one = first?.run();
  await clock.advance(0);
  first?.end();
  await one;
  fail(undefined);
  const two = second?.run();
  await clock.advance(0);
  const told = events.map(({ type }) => type).filter((type) => type.startsWith("breaker"));
  expect(told).toEqual(["breaker-opened", "breaker-closed"]);
  stop.abort();
  await two;
});

it("opens no breaker by the last poll of a lane that is gone, for nothing would close it", async () => {
  const { pollers, fail, whilePolling, events } = given({ pollers: [config("A", 5)], waiting: 0 });
  fail(denied);
  whilePolling(() => pollers[0]?.end());
  await pollers[0]?.run();
  expect(events.map(({ type }) => type)).toEqual(["poll-failed"]);
});

it("polls at once when the turn of an offer has come, but not while polls fail", async () => {
  const { pollers, limits, clock, stop, fail } = given({ pollers: [config("A", 5)], waiting: 0 });
  const running = pollers[0]?.run();
  await clock.advance(0);
  expect(limits).toHaveLength(1);
  pollers[0]?.turnCame();
  await clock.advance(0);
  expect(limits).toHaveLength(2);
  fail(new GatewayError({ kind: "unavailable", operation: "PollForThirdPartyJobs", code: "x", message: "no" }));
  pollers[0]?.turnCame();
  await clock.advance(0);
  expect(limits).toHaveLength(3);
  pollers[0]?.turnCame();
  await clock.advance(0);
  expect(limits).toHaveLength(3);
  stop.abort();
  await running;
});

it("waits for its turn without slots while CodePipeline throttles, and asks the gate again after that", async () => {
  const { pollers, limits, clock, stop, slots, context, close } = given({ pollers: [config("A", 5)], waiting: 100 });
  const budget = context.budgets.of(config("A", 5));
  budget.ended(true);
  const running = pollers[0]?.run();
  await clock.advance(50);
  expect([pollers[0]?.step.doing, slots.busy, limits]).toEqual(["waiting-for-rate", 0, []]);
  close({ reason: "paused", message: "an operator paused the daemon" });
  await clock.advance(10_000);
  expect([limits, slots.busy]).toEqual([[], 0]);
  close(undefined);
  await clock.advance(2_000);
  expect(limits).toEqual([5]);
  stop.abort();
  await running;
});

it("polls in the same moments as others, once its rests are long", async () => {
  const { pollers, clock, events, stop } = given({ pollers: [config("A", 1), config("B", 1)], waiting: 0 });
  const [first, second] = pollers;
  const atMs: Record<string, number[]> = { A: [], B: [] };
  const ended = [first?.run()];
  await clock.advance(37);
  ended.push(second?.run());
  for (let ms = 0; ms < 90_000; ms++) {
    await clock.advance(1);
    for (const event of events.splice(0)) {
      if (event.type === "poll-finished") atMs[event.poller.actionType.provider]?.push(clock.monotonic() % 100);
    }
  }
  expect(atMs["A"]?.slice(0, 5)).not.toEqual(atMs["B"]?.slice(0, 5));
  const late = [...(atMs["A"]?.slice(-3) ?? []), ...(atMs["B"]?.slice(-3) ?? [])];
  expect(new Set(late).size).toBe(1);
  stop.abort();
  await Promise.all(ended);
});
