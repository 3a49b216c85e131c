// Promise: whatever CodePipeline's outage looks like and however long it lasts, nothing is lost, nobody has to restart
// anything, polls are rare meanwhile, and work goes on soon after. In virtual time; prints what it measured.
//
// What is counted as the call rate: polls, of each action type, from the outage's begin to its end. The ramp at its
// beginning (the first failure and the rests shorter than the maximum) is allowed on top. Calls for single jobs that
// are under way follow their own retry policies, and are counted for each job in the same way.
import { afterAll, expect, it } from "vitest";
import { actionTypeName } from "../../src/job/job.js";
import type { RetryPolicyMs } from "../../src/std/retry.js";
import { ordinaryLimits } from "../support/engine-limits.js";
import type { FakeClock } from "../support/fake-clock.js";
import { type Call, type OutageKind, outageKinds } from "./virtual-service.js";
import { build, scan, virtualWorker } from "./virtual-worker.js";

const seed = Number(process.env["PARTNERD_SEED"] ?? 20_260_101);
const durations = { "1 s": 1_000, "20 s": 20_000, "10 min": 600_000 } as const;
const types = [scan, build];
const marginMs = 1_000;
/** After throttling calls are made in turn, a few a second, results before the claims of new jobs. */
const inTurnMs = 4_000;
/** A day in which every job must have come to its end, redelivery and the reporter's patience included. */
const patienceMs = 3_600_000;

const cells = outageKinds.flatMap((kind) =>
  Object.entries(durations).map(([name, durationMs]) => ({ kind, name, durationMs })),
);
const table: string[] = [];

/** Calls that may come before the rests have reached their maximum. */
function rampOf(policy: RetryPolicyMs): number {
  let calls = 1;
  for (let delayMs = policy.minDelayMs; delayMs < policy.maxDelayMs; delayMs *= policy.factor) calls += 1;
  return calls;
}

function policyOf(kind: OutageKind): RetryPolicyMs {
  return kind === "throttled" ? ordinaryLimits.retry.throttledPoll : ordinaryLimits.retry.poll;
}

/** Calls that one job may make in an outage of so many ms: one kind of call at a time, a fifth more than one a rest. */
function allowedPerJob(lastedMs: number): number {
  const { details, acknowledge, report } = ordinaryLimits.retry;
  const allowed = [details, acknowledge, report].map(
    (policy) => rampOf(policy) + Math.ceil(Math.min(lastedMs, policy.maxElapsedMs) / (0.8 * policy.maxDelayMs)),
  );
  return Math.max(...allowed);
}

/** Polls that an offer is followed by until the rests are at their maximum again: 1 s × 1.5ⁿ up to 15 s. */
const emptyRamp = 8;

/** Goes on until a poll was made a moment ago. */
async function untilPoll(clock: FakeClock, calls: readonly Call[]): Promise<void> {
  const polls = () => calls.filter((call) => call.operation === "poll").length;
  const before = polls();
  for (let waits = 0; polls() === before && waits < 4_000; waits++) await clock.advance(10);
  expect(polls()).toBeGreaterThan(before);
}

it.each(cells)("loses nothing and works again by itself after $kind for $name", async (cell) => {
  const { kind, name, durationMs } = cell;
  const began = Promise.withResolvers<void>();
  const { clock, service, events, runs, worker, stop } = virtualWorker({
    seed,
    handle: async ({ job }) => {
      const { jobId } = job.key;
      if (/^ends-/.test(jobId)) await began.promise;
      if (jobId.startsWith("ends-in-it")) await clock.sleep(durationMs / 2);
      return { kind: "succeeded" };
    },
  });
  await worker.start();
  for (const type of types) {
    service.addJob(type, `ends-in-it-${type.provider}`);
    service.addJob(type, `ends-with-it-${type.provider}`);
  }
  await clock.advance(9_000);
  expect(service.jobs.map((job) => job.state)).toEqual(Array(4).fill("in-progress"));

  // The outage begins with the acknowledgement of one job; another one's handler ends just then.
  const isAsked = (id: string | undefined) => id?.startsWith("acknowledged-in-it") ?? false;
  let beganMs = Number.NaN;
  service.onCall = (call) => {
    if (!Number.isNaN(beganMs) || call.operation !== "acknowledge" || !isAsked(call.jobId)) return;
    beganMs = clock.monotonic();
    service.outage = kind;
    if (kind === "clock one hour off") clock.skewMs = 3_600_000;
    began.resolve();
  };
  for (const type of types) service.addJob(type, `acknowledged-in-it-${type.provider}`);
  worker.wake();
  for (let waits = 0; Number.isNaN(beganMs) && waits < 100; waits++) await clock.advance(200);
  expect(service.outage).toBe(kind);
  for (const type of types) service.addJob(type, `added-in-it-${type.provider}`);
  await clock.advance(beganMs + durationMs - clock.monotonic());
  // The hardest moment to end is when a poll has just failed, or just begun to hang.
  if (durationMs > 1_000) await untilPoll(clock, service.calls);

  service.outage = undefined;
  clock.skewMs = 0;
  const endedMs = clock.monotonic();
  for (const type of types) service.addJob(type, `fresh-${type.provider}`);
  const policy = policyOf(kind);
  const maxIntervalMs = Math.max(policy.maxDelayMs, ordinaryLimits.polling.maxIntervalMs);
  await clock.advance(maxIntervalMs + marginMs);
  const workingMs = types.map((type) => {
    const answered = service.calls.find(
      (call) =>
        call.operation === "poll" &&
        call.actionType === actionTypeName(type) &&
        call.atMs >= endedMs &&
        call.answer === "answered",
    );
    return (answered?.atMs ?? Number.NaN) - endedMs;
  });
  expect(Math.max(...workingMs), "ms until polls are answered").toBeLessThanOrEqual(maxIntervalMs + marginMs);
  if (kind === "throttled") await clock.advance(inTurnMs);
  for (const type of types) expect(runs.get(`fresh-${type.provider}`), "a job of after the outage").toBe(1);

  for (let waitedMs = 0; (!service.isAllOver || worker.inFlight > 0) && waitedMs < patienceMs; waitedMs += 10_000)
    await clock.advance(10_000);
  const overMs = clock.monotonic() - endedMs;
  expect(service.jobs.filter((job) => job.state !== "over").map((job) => job.key.jobId)).toEqual([]);
  for (const job of service.jobs) {
    expect(job.results, job.key.jobId).toHaveLength(1);
    expect(job.results[0]?.kind, job.key.jobId).toBe("succeeded");
    expect(runs.get(job.key.jobId), job.key.jobId).toBe(1);
    // The engine knows it too: a job that has its result is not mourned as lost.
    const told = events.filter((event) => event.type === "job-reported" && event.key.jobId === job.key.jobId);
    expect(told, job.key.jobId).toHaveLength(1);
  }
  expect(events.filter((event) => event.type === "bug")).toEqual([]);
  const told = events.filter(({ type }) => type === "poll-failed" || type === "poll-finished");
  for (const type of types) {
    const last = told.findLast((event) => "poller" in event && event.poller.actionType.provider === type.provider);
    expect(last?.type, type.provider).toBe("poll-finished");
  }

  const during = service.calls.filter((call) => call.atMs >= beganMs && call.atMs < endedMs);
  const polls = types.map(
    (type) => during.filter((call) => call.operation === "poll" && call.actionType === actionTypeName(type)).length,
  );
  // With the token source down polls are answered: they follow the ordinary curve, and each new offer begins it anew.
  const lastedMs = endedMs - beganMs;
  const offers = events.filter((event) => event.type === "poll-finished" && event.taken > 0).length;
  const allowed =
    kind === "token source down"
      ? emptyRamp * offers + Math.ceil(lastedMs / (0.8 * maxIntervalMs))
      : rampOf(policy) + Math.ceil(lastedMs / maxIntervalMs);
  expect(Math.max(...polls), "polls of one action type during the outage").toBeLessThanOrEqual(allowed);
  const perJob = Math.max(
    0,
    ...service.jobs.map((job) => during.filter((call) => call.jobId === job.key.jobId).length),
  );
  expect(perJob, "calls for one job during the outage").toBeLessThanOrEqual(allowedPerJob(lastedMs));
  expect(await stop()).toMatchObject({ owed: 0, isRead: true, isBroken: false });
  expect(clock.pending, "timers left behind").toBe(0);
  table.push(
    `${kind.padEnd(20)}${name.padStart(7)}${polls.join("+").padStart(9)}${String(allowed).padStart(9)}` +
      `${String(perJob).padStart(9)}${String(allowedPerJob(lastedMs)).padStart(9)}${(Math.max(...workingMs) / 1_000).toFixed(1).padStart(10)} s` +
      `${(maxIntervalMs / 1_000 + 1).toFixed(0).padStart(6)} s${(overMs / 1_000).toFixed(0).padStart(7)} s`,
  );
});

afterAll(() => {
  const head = "outage                 for    polls  allowed  per job  allowed  works in  at most  all over";
  console.log(
    `seed ${seed}; polls per action type; 10 jobs a cell, each with one accepted result\n${head}\n${table.join("\n")}`,
  );
});
