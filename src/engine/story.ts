// One job, top to bottom: slot, details, claim, handler, result. The same story for a job that a poll offered, that a
// previous process left, or that another replica gave up; it begins where the job's state says. Every step may fail
// without hurting another job; once a job is acknowledged it leaves only by an accepted result, or stays in the ledger.

import { GatewayError, isPassing } from "../codepipeline/gateway.js";
import { nonceEvent } from "../job/claim.js";
import { stoppedText } from "../job/end-texts.js";
import type { Job, OfferedJob, PolledJob } from "../job/job.js";
import { type Failed, failed } from "../job/outcome.js";
import type { FoundJob } from "../ledger/ledger.js";
import { Deadline } from "../std/deadline.js";
import { whileFollowing } from "../std/following.js";
import { calling, lostReason, mayComeRight, withRetries } from "./calls.js";
import { claim } from "./claiming.js";
import type { EngineContext } from "./context.js";
import { drop, leave } from "./ending.js";
import { metHandler, neverBegun } from "./handler-turn.js";
import { handle } from "./handling.js";
import type { JobInFlight, Loss } from "./in-flight.js";
import { maskSecretsOf, shownDetails } from "./job-secrets.js";
import { configOf, notConfigured, type PollerConfig } from "./poller-config.js";
import { report, settle } from "./reporting.js";
import type { JobWait } from "./slots.js";
import { tokenWaitMaxMs } from "./token-waits.js";

const interrupted =
  "partnerd was terminated while this job was running, so its outcome is unknown; run the action again";

/** Takes the job from its state to its end. Rejects only for a bug. */
export async function story(context: EngineContext, flight: JobInFlight, offer?: PolledJob): Promise<void> {
  if (flight.isRecovered && !(await begins(context, flight))) return;
  if (flight.loss) return drop(context, flight, flight.loss);
  if (flight.state === "settled") {
    if (!flight.owed) throw new Error("bug: a settled job without its outcome in the ledger");
    // A previous process may have reported it.
    return report(context, flight, flight.owed, "unanswered");
  }
  if (flight.state === "running") {
    if (flight.failure !== undefined) return fail(context, flight, flight.failure);
    if (turnOf(flight, flight.config) === "owe") {
      const outcome = failed(interrupted, { type: "SystemUnavailable" });
      return settle(context, flight, { outcome, cause: "interrupted" });
    }
  }
  const job = await detailsOf(context, flight, offer);
  if (!job) return;
  flight.pipeline = job.pipeline;
  flight.isContinuation = job.continuationToken !== undefined;
  if (!context.turns.mayBegin(flight, job)) return putBack(context, flight, job);
  const unmask = maskSecretsOf(context, flight.config, job);
  const start = context.admission.start(flight.config.handler);
  flight.start = start;
  try {
    if (await isOurs(context, flight)) await work(context, flight, job);
  } finally {
    // Unless its handler's end said more.
    start.ended("unknown");
    unmask();
  }
}

/** A job from the ledger waits for its slot; false when it ends, or stays in the ledger, before that. */
async function begins(context: EngineContext, flight: JobInFlight): Promise<boolean> {
  // An order to fail it needs no slot, once it is ours for certain.
  const orders = flight.state === "running" ? [flight.givenUp, flight.failing] : [flight.givenUp];
  const wait = turnOf(flight, flight.config);
  const hasTurn = await whileFollowing([context.scopes.poll, ...orders], (until) => flight.slot[wait](until));
  if (orders.some(({ aborted }) => aborted)) return true;
  const config = configOf(context.pollers, flight.key);
  if (!config) {
    leave(context, flight, `${notConfigured(context.pollers, flight.key)}; it stays in the ledger`);
    return false;
  }
  // The settings of now: the configuration may have changed while it waited, `afterCrash` included.
  flight.config = config;
  flight.polledAtMs = context.deps.clock.monotonic();
  if (!hasTurn) {
    leave(context, flight, "stopped before it was recovered; it stays in the ledger");
    return false;
  }
  return wait === "work" || turnOf(flight, config) === wait || begins(context, flight);
}

/** What a job from the ledger waits for: a slot where it is asked for, its service or its handler works; else none. */
export function turnOf({ state, hasCallback }: Omit<FoundJob, "key">, { afterCrash }: PollerConfig): JobWait {
  if (state === "running") return hasCallback || afterCrash === "rerun" ? "work" : "owe";
  return state === "settled" ? "owe" : "work";
}

/** It was not acknowledged: its slot is free again, and its offer waits until the job before it has its result. */
async function putBack(context: EngineContext, flight: JobInFlight, job: Job): Promise<void> {
  const { serialBy } = flight.config;
  const message = `a job with the same ${serialBy} is running; this one waits for its result`;
  flight.again = context.turns.offerOf(flight, job);
  await drop(context, flight, { reason: "not-its-turn", message });
}

async function detailsOf(
  context: EngineContext,
  flight: JobInFlight,
  offer: PolledJob | undefined,
): Promise<Job | undefined> {
  if (!offer) return detailsOfOurs(context, flight);
  const { scopes, deps } = context;
  const drained: Loss = { reason: "draining", message: "a drain began before its details arrived" };
  try {
    const ask = () => offeredDetails(context, flight, offer);
    let job = await onceTokenIsKnown(context, flight, ask);
    if (!flight.slot.isWorking) {
      if (!(await whileFollowing([scopes.poll, flight.givenUp], (until) => flight.slot.work(until)))) {
        await drop(context, flight, flight.loss ?? drained);
        return undefined;
      }
      // Offered again while it waited for the slot, it has another nonce by now.
      job = await ask();
    }
    flight.learn(nonceEvent(flight.claim, job.nonce));
    await flight.note({ type: "details-received" });
    return job;
  } catch (error) {
    if (flight.loss) await drop(context, flight, flight.loss);
    else if (scopes.poll.aborted) await drop(context, flight, drained);
    else if (!(error instanceof GatewayError)) throw error;
    else await drop(context, flight, { reason: lostReason(error, "no-details"), message: deps.mask(error.message) });
    return undefined;
  }
}

/**
 * What the call gives, as soon as the token source can tell the client's token; the job gives up its slot for that wait.
 * Rejects with the last fault, also when too many jobs wait.
 */
async function onceTokenIsKnown<T>(context: EngineContext, flight: JobInFlight, call: () => Promise<T>): Promise<T> {
  const { tokenWaits, limits, scopes } = context;
  let isWaiting = false;
  const isWorthIt = ({ kind }: GatewayError) => {
    if (kind !== "token-unavailable") return false;
    isWaiting ||= tokenWaits.begin();
    if (isWaiting) flight.slot.yield();
    return isWaiting;
  };
  const policy = { ...limits.retry.details, maxElapsedMs: tokenWaitMaxMs };
  try {
    return await withRetries(context, flight, { policy, signal: scopes.poll, isWorthIt }, call);
  } finally {
    if (isWaiting) tokenWaits.end();
  }
}

function offeredDetails(context: EngineContext, flight: JobInFlight, offer: PolledJob): Promise<OfferedJob> {
  const { limits, scopes } = context;
  return withRetries(
    context,
    flight,
    {
      policy: limits.retry.details,
      signal: scopes.poll,
      // A token source that fails may still have the tokens of other clients, whose jobs need the slot.
      isWorthIt: ({ kind }) => isPassing(kind) && kind !== "token-unavailable",
    },
    () => calling(context, flight, "details", scopes.poll, (gateway) => gateway.details(offer, scopes.poll)),
  );
}

/** Details of a job that may be ours. Only CodePipeline's word that it is gone ends it. */
async function detailsOfOurs(context: EngineContext, flight: JobInFlight): Promise<Job | undefined> {
  const { limits, scopes, deps } = context;
  // A job that runs can be failed without its details.
  const alsoEndedBy = flight.state === "running" ? [flight.givenUp, flight.failing] : [flight.givenUp];
  try {
    return await withRetries(
      context,
      flight,
      {
        policy: { ...limits.retry.acknowledge, maxElapsedMs: Number.POSITIVE_INFINITY },
        signal: scopes.work,
        isWorthIt: mayComeRight,
        isOutsideSlot: () => true,
        alsoEndedBy,
      },
      () =>
        calling(context, flight, "details", scopes.work, (gateway) => gateway.detailsAgain(flight.key, scopes.work)),
    );
  } catch (error) {
    if (flight.loss) await drop(context, flight, flight.loss);
    else if (flight.failure !== undefined && flight.state === "running") await fail(context, flight, flight.failure);
    else if (scopes.work.aborted) leave(context, flight, "stopped before its details arrived; it stays in the ledger");
    else if (!(error instanceof GatewayError)) throw error;
    else await drop(context, flight, { reason: lostReason(error, "refused"), message: deps.mask(error.message) });
    return undefined;
  }
}

/** Claims the job; true when its handler may run. */
async function isOurs(context: EngineContext, flight: JobInFlight): Promise<boolean> {
  if (flight.state !== "running") {
    const end = await claim(context, flight);
    if (end.kind === "dropped") {
      await drop(context, flight, end);
      return false;
    }
    if (end.kind === "unanswered") {
      leave(context, flight, end.message);
      return false;
    }
    await flight.note({ type: "acknowledge-accepted", claim: flight.claim.is === "ours" ? "ours" : "presumed" });
  }
  // A service that works on the job needs no slot of ours: its callback may be on its way.
  if (flight.slot.isWorking || flight.callback) return true;
  const { work: scope } = context.scopes;
  const orders = [flight.givenUp, flight.failing];
  const hasSlot = await whileFollowing([scope, ...orders], (until) => flight.slot.work(until));
  if (hasSlot || orders.some(({ aborted }) => aborted) || !scope.aborted) return true;
  await stopped(context, flight, "it had a slot");
  return false;
}

/** Ends a job that is ours at a stop that came before its handler had it. */
async function stopped(context: EngineContext, flight: JobInFlight, before: string): Promise<void> {
  if (context.deps.ledger.isDurable && turnOf(flight, flight.config) === "work") {
    leave(context, flight, `stopped before ${before}; it stays in the ledger, and the next start runs its handler`);
    return;
  }
  await settle(context, flight, { outcome: failed(stoppedText, { type: "SystemUnavailable" }), cause: "stopped" });
}

/** Runs the handler of a job that is ours and reports what came of it. */
async function work(context: EngineContext, flight: JobInFlight, job: Job): Promise<void> {
  const { emit, deps } = context;
  const { clock } = deps;
  if (flight.loss) return drop(context, flight, flight.loss);
  if (flight.failure !== undefined) return fail(context, flight, flight.failure);
  const handler = deps.handlers.get(flight.config.handler);
  if (!handler) {
    const outcome = failed(`no handler called ${flight.config.handler} is configured`, { type: "ConfigurationError" });
    return settle(context, flight, { outcome, cause: "no-handler", startedMs: clock.monotonic() });
  }
  const deadline = flight.deadline ?? Deadline.in(clock, flight.config.jobTimeoutMs);
  if (!(await metHandler(context, flight, deadline))) {
    if (flight.loss) return drop(context, flight, flight.loss);
    if (flight.failure !== undefined) return fail(context, flight, flight.failure);
    if (context.scopes.work.aborted) return stopped(context, flight, "its handler could begin it");
    return settle(context, flight, { outcome: neverBegun(context, flight), cause: "timed-out" });
  }
  const startedMs = clock.monotonic();
  emit({
    type: "job-started",
    key: flight.key,
    handler: flight.config.handler,
    pickupMs: startedMs - flight.polledAtMs,
    deadlineMs: deadline.wallMs(),
    isContinuation: job.continuationToken !== undefined,
    pipelineName: job.pipeline.pipelineName,
    stageName: job.pipeline.stageName,
    actionName: job.pipeline.actionName,
    actionExecutionId: job.pipeline.actionExecutionId,
    details: shownDetails(context, flight.config, job),
  });
  const ending = await handle(context, flight, job, handler, deadline);
  switch (ending.kind) {
    case "ended":
      return settle(context, flight, { ...ending, startedMs });
    case "unfinished":
      return leave(context, flight, "its service is still working; the next start waits for the callback");
    case "given-up":
      return drop(context, flight, flight.loss ?? { reason: "released", message: "released" });
  }
}

/** Ends a job of ours as an operator decided. */
function fail(context: EngineContext, flight: JobInFlight, outcome: Failed): Promise<void> {
  return settle(context, flight, { outcome, cause: "operator" });
}
