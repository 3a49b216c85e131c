// From an outcome to CodePipeline: recorded in the ledger first, then reported until it is accepted. Only the end of
// the job or of the report scope ends that. job/report.ts says what an answer means, job/claim.ts whose the job is.
import { GatewayError, type GatewayFaultKind } from "../codepipeline/gateway.js";
import type { LostReason } from "../job/lifecycle.js";
import { failed, type Outcome } from "../job/outcome.js";
import { type ReportEventType, type ReportState, reportAfter } from "../job/report.js";
import { calling, mayComeRight, withRetries } from "./calls.js";
import { clearDoubt } from "./claiming.js";
import type { EngineContext } from "./context.js";
import { drop, leave } from "./ending.js";
import { type EndCause, faultOf } from "./events.js";
import type { JobInFlight } from "./in-flight.js";
import { jobEnd } from "./told-at-end.js";

/** Longer than any redelivery that was seen; CodePipeline documents no limit. */
const offerWaitMs = 10 * 60_000;

/** Fixes the outcome, then owes it until CodePipeline has it. */
export async function settle(
  context: EngineContext,
  flight: JobInFlight,
  end: { readonly outcome: Outcome; readonly cause: EndCause; readonly startedMs?: number },
): Promise<void> {
  const { emit, deps } = context;
  const { outcome, cause, startedMs } = end;
  flight.endCause = cause;
  flight.durationMs = startedMs === undefined ? undefined : deps.clock.monotonic() - startedMs;
  if (flight.loss) return drop(context, flight, flight.loss);
  await flight.note({ type: "outcome-settled", outcome });
  // While it was written another replica may have taken over: it will report another outcome.
  if (flight.loss) return drop(context, flight, flight.loss);
  emit({ type: "job-settled", key: flight.key, outcome, cause, durationMs: flight.durationMs ?? 0 });
  await report(context, flight, outcome, "due");
}

/** A result on its way: what is reported, and what is known of the attempts before. */
interface Owed {
  outcome: Outcome;
  state: ReportState;
  attempts: number;
  /** Since a result of a job that is not surely ours was refused: how long polls may have brought an offer, as of when. */
  doubt: { waitedMs: number; atMs: number } | undefined;
  last: { readonly reason: LostReason; readonly message: string };
}

/** Reports an outcome until CodePipeline accepts it, says that the job has ended, or the report scope ends. */
export async function report(
  context: EngineContext,
  flight: JobInFlight,
  outcome: Outcome,
  from: "due" | "unanswered",
): Promise<void> {
  const { emit, scopes, deps } = context;
  const owedSinceMs = deps.clock.monotonic();
  const last = { reason: "over", message: "" } as const;
  const owed: Owed = { outcome, state: from, attempts: 0, doubt: undefined, last };
  let event: ReportEventType;
  try {
    event = await withRetries(
      context,
      flight,
      {
        policy: context.limits.retry.report,
        signal: scopes.report,
        isWorthIt: mayComeRight,
        isOutsideSlot: () => true,
      },
      () => untilAnswered(context, flight, owed),
    );
  } catch (error) {
    if (flight.loss) return drop(context, flight, flight.loss);
    if (error instanceof GatewayError) return leave(context, flight, deps.mask(error.message));
    if (scopes.report.aborted) return leave(context, flight, "stopped before CodePipeline accepted the result");
    throw error;
  }
  if (owed.state === "lost") return drop(context, flight, owed.last);
  // CodePipeline has it: another job need not wait until a slow disk knows that, too.
  flight.slot.free();
  await flight.note({ type: "report-accepted", end: jobEnd(flight, owed, deps.mask) });
  emit({
    type: "job-reported",
    key: flight.key,
    outcome: owed.outcome,
    attempts: owed.attempts,
    owedMs: deps.clock.monotonic() - owedSinceMs,
    handler: flight.config.handler,
    pipelineName: flight.pipeline?.pipelineName,
    actionName: flight.pipeline?.actionName,
    durationMs: flight.durationMs,
    isPresumed: event !== "put-accepted",
  });
}

/** The answer that ends it. Rejects with the fault when only another attempt can tell. */
async function untilAnswered(context: EngineContext, flight: JobInFlight, owed: Owed): Promise<ReportEventType> {
  for (;;) {
    const event = await putOnce(context, flight, owed);
    if (event === "again") continue;
    const before = owed.state;
    owed.state = reportAfter(before, event);
    if (owed.state !== "replaced" || before === "replaced") return event;
  }
}

/** One put, and whose the job is when the put is refused; `again`: it is ours after all. */
async function putOnce(context: EngineContext, flight: JobInFlight, owed: Owed): Promise<ReportEventType | "again"> {
  const { key } = flight;
  // No late result is reported once our right to the job has ended.
  if (flight.loss) throw flight.givenUp.reason;
  owed.attempts += 1;
  // As of now: an offer may make it ours while the put is under way, and that put is refused all the same.
  const wasOurs = flight.claim.is === "ours";
  try {
    const { report: signal } = context.scopes;
    await calling(context, flight, "put", signal, (gateway) => gateway.put(key, owed.outcome, signal));
    return "put-accepted";
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    if (error.isAmbiguous) owed.state = reportAfter(owed.state, "no-answer");
    const event = endedBy(error.kind);
    if (event === undefined) throw error;
    const message = context.deps.mask(error.message);
    owed.last = { reason: event === "invalid" ? "refused" : error.kind === "gone" ? "gone" : "over", message };
    if (event === "over" && !wasOurs && (await isOursAfterAll(context, flight, owed, error))) return "again";
    if (event === "invalid" && reportAfter(owed.state, event) === "replaced") {
      context.emit({ type: "result-refused", key, fault: faultOf(error, context.deps.mask) });
      // A result that CodePipeline never takes would let the job hang.
      owed.outcome = failed(
        `CodePipeline rejected the result of this job as invalid (${error.code}); see partnerd's log`,
      );
    }
    return event;
  }
}

function endedBy(kind: GatewayFaultKind): ReportEventType | undefined {
  if (kind === "over" || kind === "gone") return "over";
  return kind === "rejected" || kind === "not-ours" ? "invalid" : undefined;
}

/**
 * Refused although we presumed the job to be ours. Either it never was: then it is offered again, and the offer lets us
 * ask for it and put the result without running the job twice. Or an earlier put went through unseen: then no offer
 * comes. So the result waits for an offer for a while before it counts as one or the other.
 */
async function isOursAfterAll(
  context: EngineContext,
  flight: JobInFlight,
  owed: Owed,
  refusal: GatewayError,
): Promise<boolean> {
  const nowMs = context.deps.clock.monotonic();
  owed.doubt ??= { waitedMs: 0, atMs: nowMs };
  // A pause makes no polls, and so brings no offer.
  if (!context.gate.closedBy()) owed.doubt.waitedMs += nowMs - owed.doubt.atMs;
  owed.doubt.atMs = nowMs;
  flight.learn({ type: "result-refused" });
  try {
    return await clearDoubt(context, flight, refusal);
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    if (owed.doubt.waitedMs < offerWaitMs) {
      flight.slot.awaitOffer();
      throw error;
    }
    flight.learn({ type: "gave-up", reason: "not-ours" });
    // Others of a fleet may have had the offers: as "over" the job would be remembered, and each later one refused.
    owed.last = { ...owed.last, reason: "not-ours" };
    return false;
  }
}
