// Puts an outcome to CodePipeline: patient, bounded only by the job's life and the report scope, and never twice
// once it was accepted. A put whose answer was lost and that is then refused as "over" was accepted. Whoever lost the
// job meanwhile puts nothing more.
import { GatewayError } from "../codepipeline/gateway.js";
import type { LostReason } from "../job/lifecycle.js";
import { failed, type Outcome } from "../job/outcome.js";
import { confirm } from "./acknowledging.js";
import { faultOf, type Parts } from "./context.js";
import type { JobInFlight } from "./in-flight.js";
import { mayComeRight, patiently } from "./patience.js";

/** `owed`: stopped, or out of patience, before CodePipeline took it. */
export type ReportEnd =
  | { readonly kind: "accepted"; readonly attempts: number; readonly isPresumed: boolean; readonly outcome: Outcome }
  | { readonly kind: "lost"; readonly reason: LostReason; readonly message: string }
  | { readonly kind: "owed"; readonly message: string };

interface Putting {
  outcome: Outcome;
  attempts: number;
  /** True once an attempt may have been recorded without our knowing. */
  isAmbiguous: boolean;
  isReplaced: boolean;
  /** When a result of a job that is only presumed ours was first refused. */
  refusedAtMs: number | undefined;
}

/** Longer than any redelivery that is known; how long it really takes CodePipeline does not say. */
const offerPatienceMs = 10 * 60_000;

/** Puts the outcome until CodePipeline takes it, says that the job is over, or the report scope ends. */
export async function report(
  parts: Parts,
  flight: JobInFlight,
  outcome: Outcome,
  wasSentBefore = false,
): Promise<ReportEnd> {
  const putting: Putting = {
    outcome,
    attempts: 0,
    isAmbiguous: wasSentBefore,
    isReplaced: false,
    refusedAtMs: undefined,
  };
  try {
    return await patiently(
      parts,
      flight,
      {
        policy: parts.limits.retry.report,
        signal: parts.scopes.report,
        isWorthIt: mayComeRight,
        parksSlot: () => true,
      },
      () => putOnce(parts, flight, putting),
    );
  } catch (error) {
    if (flight.loss) return { kind: "lost", ...flight.loss };
    if (error instanceof GatewayError) return { kind: "owed", message: parts.world.mask(error.message) };
    if (parts.scopes.report.aborted) return { kind: "owed", message: "stopped before the result was put" };
    throw error;
  }
}

async function putOnce(parts: Parts, flight: JobInFlight, putting: Putting): Promise<ReportEnd> {
  const gateway = parts.world.gateway(flight.key.region, flight.key.actionType.owner);
  // Read before each put: a process that stood still learns only by it that others have the job.
  if (flight.lease.lost?.aborted && flight.loss) return { kind: "lost", ...flight.loss };
  putting.attempts += 1;
  // As of now: an offer may make it ours while the put is under way, and that put is refused all the same.
  const wasPresumed = flight.isPresumed;
  try {
    await gateway.put(flight.key, putting.outcome, parts.scopes.report);
    return accepted(putting, false);
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    if (error.isAmbiguous) putting.isAmbiguous = true;
    const message = parts.world.mask(error.message);
    switch (error.kind) {
      case "over":
      case "gone":
        if (wasPresumed) return claimAndPut(parts, flight, putting, error);
        if (putting.isAmbiguous) return accepted(putting, true);
        return { kind: "lost", reason: error.kind, message };
      case "rejected":
      case "not-ours":
        return replace(parts, flight, putting, error);
      default:
        throw error;
    }
  }
}

function accepted(putting: Putting, isPresumed: boolean): ReportEnd {
  return { kind: "accepted", attempts: putting.attempts, isPresumed, outcome: putting.outcome };
}

/**
 * Refused although we presumed the job to be ours. Either it never was: then it is offered again, the offer lets us
 * ask for it properly, and the result is put without running the job twice. Or an earlier put went through unseen:
 * then no offer comes. So the result waits for an offer for a while before it counts as one or the other.
 */
async function claimAndPut(
  parts: Parts,
  flight: JobInFlight,
  putting: Putting,
  refusal: GatewayError,
): Promise<ReportEnd> {
  const confirmed = flight.isPresumed ? await confirm(parts, flight) : "ours";
  if (confirmed === "ours") return putOnce(parts, flight, putting);
  const nowMs = parts.world.clock.monotonic();
  putting.refusedAtMs ??= nowMs;
  if (confirmed === "open" && nowMs - putting.refusedAtMs < offerPatienceMs) {
    flight.slot.awaitOffer();
    throw new GatewayError({
      kind: "unavailable",
      operation: refusal.operation,
      code: refusal.code,
      message: `${refusal.message} (its acknowledge was never answered; waiting for it to be offered again)`,
    });
  }
  flight.isPresumed = false;
  if (putting.isAmbiguous) return accepted(putting, true);
  return { kind: "lost", reason: "over", message: parts.world.mask(refusal.message) };
}

/** A result that CodePipeline will never take would let the job hang: a short failure goes in its place, once. */
async function replace(parts: Parts, flight: JobInFlight, putting: Putting, error: GatewayError): Promise<ReportEnd> {
  const message = parts.world.mask(error.message);
  if (putting.isReplaced) return { kind: "lost", reason: "refused", message };
  parts.emit({ type: "result-refused", key: flight.key, fault: faultOf(error, parts.world.mask) });
  putting.isReplaced = true;
  putting.outcome = failed(
    `CodePipeline refused the result of this job as invalid (${error.code}); see partnerd's log`,
  );
  return putOnce(parts, flight, putting);
}
