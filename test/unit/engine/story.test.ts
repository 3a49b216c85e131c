// One job's story from each state in which it can begin, and each way in which its details can fail to come.
import { describe, expect, it } from "vitest";
import { GatewayError, type GatewayFaultKind, type JobGateway } from "../../../src/codepipeline/gateway.js";
import type { EngineContext } from "../../../src/engine/context.js";
import { JobInFlight } from "../../../src/engine/in-flight.js";
import { pollerKey } from "../../../src/engine/poller-config.js";
import { story } from "../../../src/engine/story.js";
import { type TokenWaits, tokenWaitsMax } from "../../../src/engine/token-waits.js";
import type { JobHandler } from "../../../src/handlers/handler.js";
import type { Claim } from "../../../src/job/claim.js";
import type { JobId, JobKey } from "../../../src/job/job.js";
import type { JobEvent, JobState, LostReason } from "../../../src/job/lifecycle.js";
import { type Outcome, succeeded } from "../../../src/job/outcome.js";
import { systemClock } from "../../../src/std/clock.js";
import { Deadline } from "../../../src/std/deadline.js";
import { flightOver, key, offer } from "../../support/flight.js";

const scan: JobKey = { ...key, jobId: "job-2" as JobId };
const path: readonly JobEvent[] = [
  { type: "details-received" },
  { type: "acknowledge-sent", nonce: offer.nonce },
  { type: "acknowledge-accepted", claim: "ours" },
  { type: "callback-awaited", tokenHash: "00", deadline: Deadline.in(systemClock, 60_000) },
  { type: "outcome-settled", outcome: succeeded({ summary: "long ago" }) },
];

interface Given {
  readonly gateway?: Partial<JobGateway>;
  readonly handler?: Partial<JobHandler> | "none";
  /** What an earlier process left; absent: a poll brings the job. */
  readonly left?: { readonly state: JobState; readonly hasCallback?: boolean; readonly claim?: Claim };
  readonly afterCrash?: "fail" | "rerun";
}

async function given({ gateway, handler = {}, left, afterCrash = "fail" }: Given) {
  const calls: string[] = [];
  const put: Outcome[] = [];
  const made = await flightOver({
    details: async () => offer,
    put: async (_key, outcome) => void put.push(outcome),
    ...gateway,
  });
  const { slots, name, clock, flight: other } = made;
  other.slot.free();
  const whole: JobHandler = {
    kind: "http",
    description: "any",
    run: async () => {
      calls.push("run");
      return succeeded({ summary: "worked" });
    },
    resume: async () => {
      calls.push("resume");
      return succeeded({ summary: "called back" });
    },
    close: async () => {},
    ...(handler === "none" ? {} : handler),
  };
  const scopes = { poll: new AbortController(), work: new AbortController(), report: new AbortController() };
  const context: EngineContext = Object.assign(made.context, {
    deps: {
      ...made.context.deps,
      handlers: { get: () => (handler === "none" ? undefined : whole), close: async () => {} },
    },
    scopes: { poll: scopes.poll.signal, work: scopes.work.signal, report: scopes.report.signal },
  });
  const { ledger } = context.deps;
  const config = { ...made.config, afterCrash };
  Object.assign(context, { pollers: new Map([[name, config]]) });
  const first = await ledger.lease(scan);
  if (!first) throw new Error("no lease");
  const options = { config, ledger, emit: context.emit, polledAtMs: clock.monotonic() };
  if (!left) {
    const slot = (await slots.take(name, 1, scopes.poll.signal))?.use();
    if (!slot) throw new Error("no slot");
    const flight = new JobInFlight({ ...options, lease: first, slot });
    return {
      ...made,
      context,
      flight,
      scopes,
      calls,
      put,
      run: () => story(context, flight, { key: scan, job: offer }),
    };
  }
  const until = { acknowledging: 2, running: left.hasCallback ? 4 : 3, settled: 5 }[left.state as "running"];
  for (const event of path.slice(0, until)) await ledger.record(first, event);
  await ledger.release(first);
  const [found] = await ledger.unfinished();
  if (!found) throw new Error("nothing left");
  const as = left.claim ? { ...found, claim: left.claim } : found;
  const flight = new JobInFlight({ ...options, lease: found.lease, slot: slots.forJob(name), found: as });
  return { ...made, context, flight, scopes, calls, put, run: () => story(context, flight) };
}

function fault(kind: GatewayFaultKind): GatewayError {
  return new GatewayError({ kind, operation: "GetThirdPartyJobDetails", code: kind, message: "no" });
}

describe("a job that a poll brought", () => {
  it("is asked for, worked and reported", async () => {
    const { run, calls, put, events, flight } = await given({});
    await run();
    expect([flight.state, calls, put]).toMatchObject(["reported", ["run"], [{ kind: "succeeded" }]]);
    const told = events.map((event) => (event.type === "job-changed" ? event.to : event.type));
    expect(told).toEqual([
      "detailed",
      "acknowledging",
      "running",
      "job-started",
      "settled",
      "job-settled",
      "reported",
      "job-reported",
    ]);
  });

  it.each<readonly [GatewayFaultKind, LostReason]>([
    ["gone", "gone"],
    ["over", "over"],
    ["not-ours", "not-ours"],
    ["token-rejected", "token-rejected"],
    ["rejected", "refused"],
    ["misconfigured", "refused"],
    ["throttled", "no-details"],
    ["unavailable", "no-details"],
    ["denied", "denied"],
  ])("is dropped when its details are answered %s until patience ends: %s", async (kind, reason) => {
    const { run, context, clock, calls, put, events } = await given({
      gateway: { details: () => Promise.reject(fault(kind)) },
    });
    Object.assign(context.limits.retry, { details: { ...context.limits.retry.details, maxElapsedMs: 20 } });
    const ended = run();
    // A call after a throttled one waits for its turn.
    await clock.advance(2_000);
    await ended;
    expect(events.at(-1)).toMatchObject({ type: "job-dropped", from: "polled", reason });
    expect([calls, put, clock.pending]).toEqual([[], [], 0]);
  });

  it("waits without a slot while the token source does not answer, and is worked once it does", async () => {
    let isAway = true;
    const { run, clock, slots, context, flight, events, put } = await given({
      gateway: { details: () => (isAway ? Promise.reject(fault("token-unavailable")) : Promise.resolve(offer)) },
    });
    const slow = { ...context.limits.retry.details, minDelayMs: 1_000, maxDelayMs: 5_000 };
    Object.assign(context.limits.retry, { details: slow });
    const ended = run();
    await clock.advance(600_000);
    expect([slots.busy, slots.owed, context.tokenWaits.waiting, flight.state]).toEqual([0, 0, 1, "polled"]);
    isAway = false;
    await clock.advance(5_000);
    await ended;
    expect(put).toHaveLength(1);
    expect(events.some(({ type }) => type === "job-dropped")).toBe(false);
    expect([context.tokenWaits.waiting, clock.pending]).toEqual([0, 0]);
  });

  it("waits for a slot when all are taken as its token becomes known, and begins with that", async () => {
    let isAway = true;
    const { run, clock, slots, flight } = await given({
      gateway: { details: () => (isAway ? Promise.reject(fault("token-unavailable")) : Promise.resolve(offer)) },
    });
    const ended = run();
    await clock.advance(1_000);
    const other = await slots.take(pollerKey(flight.config), 1, new AbortController().signal);
    isAway = false;
    await clock.advance(1_000);
    expect([flight.state, slots.working]).toEqual(["polled", 0]);
    other?.giveBack();
    await ended;
    expect(flight.state).toBe("reported");
  });

  it("is released by an operator while it waits for a slot", async () => {
    let isAway = true;
    const { run, clock, slots, flight, events } = await given({
      gateway: { details: () => (isAway ? Promise.reject(fault("token-unavailable")) : Promise.resolve(offer)) },
    });
    const ended = run();
    await clock.advance(1_000);
    await slots.take(pollerKey(flight.config), 1, new AbortController().signal);
    isAway = false;
    await clock.advance(1_000);
    flight.apply({ kind: "release" });
    await ended;
    expect(events.at(-1)).toMatchObject({ type: "job-dropped", reason: "released" });
  });

  it.each([
    ["as many wait as may", (waits: TokenWaits) => Array.from({ length: tokenWaitsMax }, () => waits.begin())],
    ["the daemon makes a single pass", (waits: TokenWaits) => waits.turnOff()],
  ])("is dropped, to be offered again, when the token source does not answer and %s", async (_, prepare) => {
    const { run, context, clock, events } = await given({
      gateway: { details: () => Promise.reject(fault("token-unavailable")) },
    });
    prepare(context.tokenWaits);
    const ended = run();
    await clock.advance(100);
    await ended;
    expect(events.at(-1)).toMatchObject({ type: "job-dropped", from: "polled", reason: "no-details" });
  });

  it.each([
    ["a drain", "draining"],
    ["the end of an hour", "no-details"],
  ] as const)("that waits for the token source is dropped by %s: %s", async (what, reason) => {
    const { run, scopes, context, clock, events } = await given({
      gateway: { details: () => Promise.reject(fault("token-unavailable")) },
    });
    const slow = { ...context.limits.retry.details, minDelayMs: 5_000, maxDelayMs: 5_000 };
    Object.assign(context.limits.retry, { details: slow });
    const ended = run();
    await clock.advance(what === "a drain" ? 60_000 : 3_700_000);
    if (what === "a drain") scopes.poll.abort();
    await ended;
    expect(events.at(-1)).toMatchObject({ type: "job-dropped", from: "polled", reason });
    expect([context.tokenWaits.waiting, clock.pending]).toEqual([0, 0]);
  });

  it("is dropped when a drain begins before its details come", async () => {
    const { run, scopes, clock, events } = await given({
      gateway: { details: () => Promise.reject(fault("unavailable")) },
    });
    const ended = run();
    await clock.advance(5);
    scopes.poll.abort();
    await ended;
    expect(events.at(-1)).toMatchObject({ type: "job-dropped", reason: "draining" });
  });

  it("fails when no handler has its name", async () => {
    const { run, put } = await given({ handler: "none" });
    await run();
    expect(put).toMatchObject([{ kind: "failed", type: "ConfigurationError" }]);
  });

  it.each([
    ["failed", { kind: "fail", message: "by hand" }, [{ kind: "failed", message: "by hand" }], "reported"],
    ["released", { kind: "release" }, [], "dropped"],
  ] as const)("is not worked when it was %s before it was ours", async (_what, order, results, state) => {
    const { run, flight, calls, put } = await given({
      gateway: {
        acknowledge: async () => {
          flight.apply(order);
          return "InProgress";
        },
      },
    });
    await run();
    expect([flight.state, calls, put]).toMatchObject([state, [], results]);
  });
});

describe("a job that an earlier process left", () => {
  it.each<readonly [string, Given["left"], "fail" | "rerun", readonly string[], object]>([
    ["acknowledging", { state: "acknowledging" }, "fail", ["run"], { summary: "worked" }],
    ["running", { state: "running" }, "fail", [], { kind: "failed", type: "SystemUnavailable" }],
    ["running, to be worked again", { state: "running" }, "rerun", ["run"], { summary: "worked" }],
    ["at a service", { state: "running", hasCallback: true }, "fail", ["resume"], { summary: "called back" }],
    ["settled", { state: "settled" }, "fail", [], { summary: "long ago" }],
  ])("and that was %s ends with one result", async (_what, left, afterCrash, calls, outcome) => {
    const made = await given({ ...(left ? { left } : {}), afterCrash });
    await made.run();
    expect([made.calls, made.put, made.flight.state]).toMatchObject([calls, [outcome], "reported"]);
  });

  it.each(["acknowledging", "running", "settled"] as const)(
    "and that is %s is left again when its type is gone, and when a drain begins before its turn",
    async (state) => {
      const gone = await given({ left: { state }, afterCrash: "rerun" });
      Object.assign(gone.context, { pollers: new Map() });
      await gone.run();
      const drained = await given({ left: { state }, afterCrash: "rerun" });
      drained.scopes.poll.abort();
      await drained.run();
      for (const { events, flight, put } of [gone, drained]) {
        expect([events.at(-1)?.type, flight.state, put]).toEqual(["job-unfinished", state, []]);
      }
    },
  );

  it.each(["gone", "over"] as const)("is dropped when its details say that it is %s", async (kind) => {
    const { run, events, put } = await given({
      left: { state: "running" },
      afterCrash: "rerun",
      gateway: { detailsAgain: () => Promise.reject(fault(kind)) },
    });
    await run();
    expect(events.at(-1)).toMatchObject({ type: "job-dropped", from: "running", reason: kind });
    expect(put).toEqual([]);
  });

  it.each(["throttled", "unavailable", "denied", "token-rejected", "token-unavailable", "misconfigured"] as const)(
    "is kept while its details are answered %s, without its slot, and left by a stop",
    async (kind) => {
      const { run, clock, slots, scopes, events, flight } = await given({
        left: { state: "running" },
        afterCrash: "rerun",
        gateway: { detailsAgain: () => Promise.reject(fault(kind)) },
      });
      const ended = run();
      await clock.advance(1_000);
      expect([slots.working, slots.owed, flight.state]).toEqual([0, 1, "running"]);
      scopes.work.abort();
      await ended;
      expect(events.at(-1)).toMatchObject({ type: "job-unfinished", state: "running" });
    },
  );

  it("is failed by an operator though its details never come", async () => {
    const { run, clock, flight, put } = await given({
      left: { state: "running" },
      afterCrash: "rerun",
      gateway: { detailsAgain: () => Promise.reject(fault("unavailable")) },
    });
    const ended = run();
    await clock.advance(100);
    flight.apply({ kind: "fail", message: "by hand" });
    await ended;
    expect(put).toMatchObject([{ kind: "failed", message: "by hand" }]);
  });
});
