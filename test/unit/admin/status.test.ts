import { describe, expect, it } from "vitest";
import { StatusBoard } from "../../../src/admin/status.js";
import type { Fault, PollerName, UntimedEvent } from "../../../src/engine/events.js";
import type { ActionType, ClientId, JobId, JobKey, Region } from "../../../src/job/job.js";
import type { JobState } from "../../../src/job/lifecycle.js";
import { continued, failed, type Outcome, succeeded } from "../../../src/job/outcome.js";

const work = { handler: "h", pipelineName: "p", actionName: "a", durationMs: 5 };

const startMs = Date.UTC(2026, 0, 1);
const actionType: ActionType = { category: "Test", owner: "ThirdParty", provider: "Acme-Scan", version: "1" };
const us: PollerName = { region: "us-east-1" as Region, actionType };
const eu: PollerName = { region: "eu-west-1" as Region, actionType };
const fault: Fault = { kind: "unavailable", operation: "PollForThirdPartyJobs", code: "ECONNRESET", message: "m" };

function key(jobId: string, region: Region = us.region): JobKey {
  return { region, actionType, jobId: jobId as JobId, clientId: "client-1" as ClientId };
}

/** A board with two pollers, and a way to tell it what happened some ms after the start. */
function given() {
  const board = new StatusBoard({ startedAtMs: startMs, pollers: [us, eu] });
  const see = (event: UntimedEvent, afterMs = 0) => board.observe({ ...event, atMs: startMs + afterMs });
  const move = (jobKey: JobKey, to: JobState, afterMs = 0) =>
    see({ type: "job-changed", key: jobKey, from: "polled", to, by: "details-received" }, afterMs);
  const look = () => board.snapshot(startMs + 60_000);
  return { see, move, look };
}

function polled(poller: PollerName, taken = 0, offered = taken): UntimedEvent {
  return {
    type: "poll-finished",
    poller,
    limit: 5,
    offered,
    taken,
    unreadable: [],
    durationMs: 9,
    restMs: 1_000,
  };
}

function pollFailed(poller: PollerName, failures: number): UntimedEvent {
  return { type: "poll-failed", poller, fault, failures, durationMs: 9, restMs: 5_000 };
}

function reported(jobKey: JobKey, outcome: Outcome): UntimedEvent {
  return { type: "job-reported", key: jobKey, outcome, attempts: 1, owedMs: 3, ...work, isPresumed: false };
}

describe("a new board", () => {
  it("knows every poller before its first poll, and nothing else", () => {
    const { look } = given();
    const untouched = {
      actionType: "ThirdParty/Test/Acme-Scan/1",
      lastPollAtMs: undefined,
      lastGoodPollAtMs: undefined,
      nextPollAtMs: undefined,
      failures: 0,
      lastFault: undefined,
      polls: 0,
      taken: 0,
      mayHaveMore: false,
      waiting: 0,
    };
    expect(look()).toEqual({
      atMs: startMs + 60_000,
      startedAtMs: startMs,
      pollRates: [],
      breakers: [],
      isDraining: false,
      isPaused: false,
      shortOfRoom: undefined,
      pollers: [
        { region: "us-east-1", ...untouched },
        { region: "eu-west-1", ...untouched },
      ],
      jobs: [],
      drops: [],
      end: undefined,
      totals: {
        started: 0,
        succeeded: 0,
        continued: 0,
        failed: 0,
        dropped: 0,
        unfinished: 0,
        abandonedHandlers: 0,
        bugs: 0,
      },
    });
  });
});

describe("pollers", () => {
  it("are told apart by Region", () => {
    const { see, look } = given();
    see(polled(us, 2), 100);
    expect(look().pollers).toMatchObject([
      { region: "us-east-1", polls: 1, taken: 2, lastPollAtMs: startMs + 100, lastGoodPollAtMs: startMs + 100 },
      { region: "eu-west-1", polls: 0, taken: 0, lastPollAtMs: undefined },
    ]);
  });

  it("may have more jobs exactly while the last poll brought all that it asked for", () => {
    const { see, look } = given();
    const mayHaveMore = () => look().pollers[0]?.mayHaveMore;
    for (const [event, expected] of [
      [polled(us, 5), true],
      [polled(us, 4), false],
      [polled(us, 3, 5), true],
      [pollFailed(us, 1), false],
    ] as const) {
      see(event, 100);
      expect(mayHaveMore()).toBe(expected);
    }
  });

  it("show the last good poll, the failures since and when the next poll is due", () => {
    const { see, look } = given();
    see(polled(us, 1), 100);
    see(pollFailed(us, 1), 200);
    see(pollFailed(us, 2), 300);
    expect(look().pollers[0]).toEqual({
      region: "us-east-1",
      actionType: "ThirdParty/Test/Acme-Scan/1",
      polls: 3,
      taken: 1,
      mayHaveMore: false,
      waiting: 0,
      failures: 2,
      failingSinceMs: startMs + 200,
      lastFault: fault,
      lastPollAtMs: startMs + 300,
      lastGoodPollAtMs: startMs + 100,
      nextPollAtMs: startMs + 5_300,
    });
  });

  it("have no failures any more after a good poll, but remember the last fault", () => {
    const { see, look } = given();
    see(pollFailed(us, 7), 100);
    see(polled(us), 200);
    const now = { failures: 0, failingSinceMs: undefined, lastFault: fault, nextPollAtMs: startMs + 1_200 };
    expect(look().pollers[0]).toMatchObject(now);
  });

  it("are added when one polls that was not there at the start", () => {
    const { see, look } = given();
    see(polled({ region: "ap-south-1" as Region, actionType }));
    expect(look().pollers.map((poller) => poller.region)).toEqual(["us-east-1", "eu-west-1", "ap-south-1"]);
  });
});

describe("jobs", () => {
  it("are shown with their state and since when from the first step on", () => {
    const { move, look } = given();
    move(key("j1"), "detailed", 10);
    expect(look().jobs).toMatchObject([{ state: "detailed", sinceMs: startMs + 10, isAwaitingCallback: false }]);
    move(key("j1"), "acknowledging", 20);
    expect(look().jobs).toEqual([
      {
        jobId: "j1",
        region: "us-east-1",
        actionType: "ThirdParty/Test/Acme-Scan/1",
        clientId: "client-1",
        state: "acknowledging",
        sinceMs: startMs + 20,
        handler: undefined,
        pipelineName: undefined,
        actionName: undefined,
        deadlineMs: undefined,
        isContinuation: false,
        isUnfinished: false,
        isAwaitingCallback: false,
        order: undefined,
        lastFault: undefined,
      },
    ]);
  });

  it("tell why the call that they wait for failed last, until their next step", () => {
    const { move, see, look } = given();
    const fault = {
      kind: "unavailable",
      operation: "PutJobFailureResult",
      code: "HTTP 503",
      message: "it is away",
    } as const;
    move(key("j1"), "settled", 10);
    see({ type: "call-retried", key: key("j1"), fault, attempt: 1, delayMs: 5 });
    expect(look().jobs).toMatchObject([
      { state: "settled", lastFault: { message: "it is away" }, nextTryAtMs: startMs + 5, failedCalls: 1 },
    ]);
    move(key("j2"), "acknowledging", 20);
    see({ type: "call-retried", key: key("j2"), fault, attempt: 1, delayMs: 5 });
    move(key("j2"), "running", 30);
    expect(look().jobs.map(({ lastFault }) => lastFault?.code)).toEqual(["HTTP 503", undefined]);
    expect(look().jobs[1]).toMatchObject({ nextTryAtMs: undefined, failedCalls: undefined });
  });

  it("tell which handler works them and for which pipeline", () => {
    const { see, move, look } = given();
    move(key("j1"), "running");
    see({
      type: "job-started",
      key: key("j1"),
      handler: "scan",
      pickupMs: 5,
      deadlineMs: startMs + 9,
      isContinuation: false,
      pipelineName: "Shop",
      actionName: "Scan",
      actionExecutionId: undefined,
    });
    expect(look().jobs).toMatchObject([{ jobId: "j1", handler: "scan", pipelineName: "Shop" }]);
    expect(look().totals.started).toBe(1);
  });

  it("with the same id in two Regions are two jobs", () => {
    const { move, look } = given();
    move(key("j1"), "detailed");
    move(key("j1", eu.region), "running");
    move(key("j1"), "dropped");
    expect(look().jobs).toMatchObject([{ region: "eu-west-1", state: "running" }]);
  });

  it.each<JobState>(["reported", "dropped"])("leave the board when they are %s", (state) => {
    const { move, look } = given();
    move(key("j1"), "running");
    move(key("j1"), state);
    expect(look().jobs).toEqual([]);
  });

  it("stay while their outcome is owed", () => {
    const { move, look } = given();
    move(key("j1"), "settled", 30);
    expect(look().jobs).toMatchObject([{ state: "settled", sinceMs: startMs + 30 }]);
  });

  const left = (jobId: string, state: JobState, isOurs = true): UntimedEvent => ({
    type: "job-unfinished",
    key: key(jobId),
    state,
    isOurs,
    message: "stopped",
  });

  it("stay as unfinished when nobody works them any more, and are counted", () => {
    const { see, move, look } = given();
    move(key("j1"), "settled", 30);
    see(left("j1", "settled"), 40);
    // An earlier process left this one, and no slot came free for it.
    see(left("j2", "running"), 50);
    expect(look().jobs).toMatchObject([
      { jobId: "j1", state: "settled", sinceMs: startMs + 30, isUnfinished: true },
      { jobId: "j2", state: "running", sinceMs: startMs + 50, isUnfinished: true },
    ]);
    expect(look().totals.unfinished).toBe(2);
  });

  it.each<[string, UntimedEvent, object[]]>([
    ["is taken up", { type: "job-recovered", key: key("j1"), state: "running", ageMs: 9 }, [{ isUnfinished: false }]],
    ["is released", { type: "job-dropped", key: key("j1"), from: "running", reason: "released", message: "m" }, []],
    ["is left again to a ledger that others share", left("j1", "running", false), []],
  ])("are unfinished until somebody has them: one that %s", (_how, event, jobs) => {
    const { see, look } = given();
    see(left("j1", "running"));
    see(event);
    expect(look().jobs).toMatchObject(jobs);
    expect(look().jobs).toHaveLength(jobs.length);
  });

  it("wait for a callback from the service's 202 to the outcome", () => {
    const { see, move, look } = given();
    move(key("j1"), "running");
    see({ type: "callback-awaited", key: key("j1"), untilMs: startMs + 9 });
    expect(look().jobs).toMatchObject([{ isAwaitingCallback: true }]);
    move(key("j1"), "running");
    expect(look().jobs).toMatchObject([{ isAwaitingCallback: true }]);
    move(key("j1"), "settled");
    expect(look().jobs).toMatchObject([{ isAwaitingCallback: false }]);
  });

  it("of an earlier process are shown as soon as they are taken up again", () => {
    const { see, move, look } = given();
    see({ type: "job-recovered", key: key("j1"), state: "settled", ageMs: 5_000 }, 1_000);
    expect(look().jobs).toMatchObject([{ jobId: "j1", state: "settled", sinceMs: startMs - 4_000 }]);
    move(key("j1"), "reported");
    expect(look().jobs).toEqual([]);
  });
});

describe("totals", () => {
  it("count each outcome that CodePipeline took by its kind", () => {
    const { see, look } = given();
    for (const outcome of [succeeded(), succeeded(), continued("t"), failed("no")]) see(reported(key("j"), outcome));
    expect(look().totals).toMatchObject({ succeeded: 2, continued: 1, failed: 1 });
  });

  it("count what was dropped, handlers that did not stop, and bugs", () => {
    const { see, look } = given();
    see({ type: "job-dropped", key: key("j1"), from: "polled", reason: "no-details", message: "m" });
    see({ type: "handler-abandoned", key: key("j1"), handler: "scan" });
    see({ type: "bug", key: undefined, message: "m", stack: "s" });
    see({ type: "bug", key: key("j1"), message: "m", stack: "s" });
    expect(look().totals).toMatchObject({ dropped: 1, abandonedHandlers: 1, bugs: 2 });
  });
});

describe("the worker", () => {
  it("is paused until it is resumed", () => {
    const { see, look } = given();
    see({ type: "paused" });
    expect(look().isPaused).toBe(true);
    see({ type: "resumed" });
    expect(look().isPaused).toBe(false);
  });

  it("expects an added poller's first poll at once, however old the process is", () => {
    const { see, look } = given();
    const added = { ...us, region: "ap-south-1" as Region };
    see({ type: "pollers-changed", added: [added], removed: [us, eu], slots: 5 }, 3_600_000);
    expect(look().pollers).toMatchObject([{ region: "ap-south-1", nextPollAtMs: startMs + 3_600_000 }]);
  });

  it("drains for good", () => {
    const { see, look } = given();
    see({ type: "drain-started", inFlight: 1, timeoutMs: 1 });
    expect(look().end).toBeUndefined();
    const held = { owed: 2, results: 1, isDurable: true, isRead: true };
    see({ type: "drain-finished", ...held, durationMs: 1 });
    expect(look()).toMatchObject({ isDraining: true, end: held });
  });

  it("is not changed by events about jobs that the board does not know", () => {
    const { see, look } = given();
    const before = look();
    see({ type: "callback-awaited", key: key("unknown"), untilMs: 1 });
    see({ type: "offer-repeated", key: key("unknown") });
    see({ type: "poll-recovered", poller: us, failures: 2 });
    see({ type: "worker-started", pollers: 2, slots: 5 });
    expect(look()).toEqual(before);
  });
});

describe("a snapshot", () => {
  it("does not change when time goes on", () => {
    const { see, move, look } = given();
    move(key("j1"), "running");
    const snapshot = look();
    move(key("j1"), "settled", 50);
    see(polled(us, 3), 60);
    see(reported(key("j1"), succeeded()), 70);
    expect(snapshot.jobs).toMatchObject([{ state: "running" }]);
    expect(snapshot.pollers[0]).toMatchObject({ polls: 0, taken: 0 });
    expect(snapshot.totals.succeeded).toBe(0);
  });

  it("is data that survives JSON", () => {
    const { move, look } = given();
    move(key("j1"), "running");
    const snapshot = look();
    expect(JSON.parse(JSON.stringify(snapshot))).toMatchObject({ jobs: [{ jobId: "j1" }], pollers: [{}, {}] });
  });
});
