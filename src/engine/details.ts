// The details of a polled job: tried again while that makes sense. Nothing is promised yet, so whatever goes wrong,
// the job is left to be offered again, and others are not kept waiting.
import { GatewayError, type GatewayFaultKind, isPassing } from "../codepipeline/gateway.js";
import type { Job, PolledJob } from "../job/job.js";
import type { LostReason } from "../job/lifecycle.js";
import type { Parts } from "./context.js";
import type { JobInFlight } from "./in-flight.js";
import { patiently } from "./patience.js";

export type DetailsAnswer =
  | { readonly kind: "got"; readonly job: Job }
  | { readonly kind: "lost"; readonly reason: LostReason; readonly message: string };

/** GetThirdPartyJobDetails, or what PollForJobs gave. Throws only bugs. */
export async function getDetails(parts: Parts, flight: JobInFlight, polled: PolledJob): Promise<DetailsAnswer> {
  const { limits, scopes, world } = parts;
  const gateway = world.gateway(flight.key.region, flight.key.actionType.owner);
  try {
    const job = await patiently(
      parts,
      flight,
      { policy: limits.retry.details, signal: scopes.poll, isWorthIt: isWorthWaiting },
      () => gateway.details(polled, scopes.poll),
    );
    return { kind: "got", job };
  } catch (error) {
    if (flight.loss) return { kind: "lost", ...flight.loss };
    if (scopes.poll.aborted) {
      return { kind: "lost", reason: "draining", message: "a drain began before its details came" };
    }
    if (!(error instanceof GatewayError)) throw error;
    return { kind: "lost", reason: lostReason(error.kind), message: world.mask(error.message) };
  }
}

/**
 * A token source in trouble may still have the tokens of all other clients: a job that waits for it would hold a
 * slot that their jobs need.
 */
function isWorthWaiting(kind: GatewayFaultKind): boolean {
  return isPassing(kind) && kind !== "token-unavailable";
}

function lostReason(kind: GatewayFaultKind): LostReason {
  switch (kind) {
    case "gone":
    case "over":
    case "token-rejected":
    case "not-ours":
      return kind;
    case "rejected":
    case "misconfigured":
      return "refused";
    default:
      return "no-details";
  }
}
