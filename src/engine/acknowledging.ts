// From details to "ours" or "not ours". The one hard case: an acknowledge whose answer was lost, and then
// InvalidNonceException: either our first attempt won, or somebody else did.
import { GatewayError, isPassing } from "../codepipeline/gateway.js";
import type { Job, Nonce } from "../job/job.js";
import type { LostReason } from "../job/lifecycle.js";
import { LedgerError } from "../ledger/ledger.js";
import type { Parts } from "./context.js";
import type { Confirmation, JobInFlight } from "./in-flight.js";
import { mayComeRight, patiently } from "./patience.js";

/** `unanswered`: we stopped before CodePipeline said anything; it may be ours. */
export type Claim =
  /** `isPresumed`: our attempt used the nonce up, as far as we can tell, but InProgress was never answered. */
  | { readonly kind: "ours"; readonly isPresumed: boolean }
  | { readonly kind: "lost"; readonly reason: LostReason; readonly message: string }
  | { readonly kind: "unanswered"; readonly message: string };

interface Asking {
  nonce: Nonce;
  /** The nonce that the ledger has: a further attempt with it needs no further record, and no disk. */
  recorded: Nonce | undefined;
  /** True once an attempt may have reached the service without our knowing its answer. */
  isAmbiguous: boolean;
}

/** AcknowledgeThirdPartyJob or AcknowledgeJob until it is answered or the work scope ends. Throws only bugs. */
export async function acknowledge(parts: Parts, flight: JobInFlight, job: Job, wasSentBefore = false): Promise<Claim> {
  const recorded = wasSentBefore ? job.nonce : undefined;
  const asking: Asking = { nonce: job.nonce, recorded, isAmbiguous: wasSentBefore };
  try {
    return await patiently(
      parts,
      flight,
      {
        policy: parts.limits.retry.acknowledge,
        signal: parts.scopes.work,
        isWorthIt: (kind) => isPassing(kind) || kind === "aborted" || (asking.isAmbiguous && mayComeRight(kind)),
        // Somebody has to mend it, which may take hours: others run meanwhile.
        parksSlot: (kind) => !isPassing(kind) && kind !== "aborted",
      },
      () => askOnce(parts, flight, asking),
    );
  } catch (error) {
    if (flight.loss) return { kind: "lost", ...flight.loss };
    return claimFrom(error, asking, parts);
  }
}

async function askOnce(parts: Parts, flight: JobInFlight, asking: Asking): Promise<Claim> {
  const gateway = parts.world.gateway(flight.key.region, flight.key.actionType.owner);
  if (flight.newerOffer) {
    // A new nonce ends the one that we sent: had it been taken, there would be no offer. An offer with the same one says
    // nothing: what we sent may still be on its way.
    if (flight.newerOffer.nonce !== asking.nonce) asking.isAmbiguous = false;
    asking.nonce = flight.newerOffer.nonce;
    flight.newerOffer = undefined;
  }
  await record(flight, asking, asking.nonce);
  try {
    return claimOf(await gateway.acknowledge(flight.key, asking.nonce, parts.scopes.work));
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    if (error.isAmbiguous) asking.isAmbiguous = true;
    if (error.kind === "not-ours" && asking.isAmbiguous) return decide(parts, flight, asking, error);
    throw error;
  }
}

/** Writes down by which nonce the job is about to be asked for. Throws LedgerError. */
async function record(flight: JobInFlight, asking: Asking, nonce: Nonce): Promise<void> {
  if (nonce === asking.recorded) return;
  await flight.guard({ type: "acknowledge-sent", nonce });
  asking.recorded = nonce;
}

/**
 * InvalidNonceException after an attempt without an answer. The nonce of fresh details tells: as long as it is the
 * one that we sent, nobody was offered the job since, so the attempt that used it up was ours. A new nonce means a
 * new offer: then the first attempt never arrived, or somebody else has it now, and one more question decides.
 */
async function decide(parts: Parts, flight: JobInFlight, asking: Asking, refusal: GatewayError): Promise<Claim> {
  const gateway = parts.world.gateway(flight.key.region, flight.key.actionType.owner);
  const fresh = await gateway.detailsAgain(flight.key, parts.scopes.work);
  // Offered while that was asked: there is no need to guess.
  if (flight.newerOffer) return askOnce(parts, flight, asking);
  if (fresh.nonce === undefined || fresh.nonce === asking.nonce) return { kind: "ours", isPresumed: true };
  try {
    await record(flight, asking, fresh.nonce);
  } catch (error) {
    if (!(error instanceof LedgerError)) throw error;
    // It may be ours all the same: it is asked for until the ledger can say by which nonce.
    const { operation, code } = refusal;
    throw new GatewayError({ kind: "unavailable", operation, code, message: `${refusal.message} (${error.message})` });
  }
  asking.nonce = fresh.nonce;
  asking.isAmbiguous = false;
  try {
    return claimOf(await gateway.acknowledge(flight.key, asking.nonce, parts.scopes.work));
  } catch (error) {
    if (error instanceof GatewayError && error.isAmbiguous) asking.isAmbiguous = true;
    if (error instanceof GatewayError && error.kind === "not-ours") {
      return { kind: "lost", reason: "not-ours", message: refusal.message };
    }
    throw error;
  }
}

/**
 * Asks for a job that we presumed to be ours and that was offered again, which an acknowledged job is not. One
 * question under way at a time: its answer is everybody's. Throws GatewayError.
 */
export function confirm(parts: Parts, flight: JobInFlight): Promise<Confirmation> {
  flight.confirming ??= confirmOnce(parts, flight).finally(() => {
    flight.confirming = undefined;
  });
  return flight.confirming;
}

async function confirmOnce(parts: Parts, flight: JobInFlight): Promise<Confirmation> {
  const gateway = parts.world.gateway(flight.key.region, flight.key.actionType.owner);
  try {
    const offered = flight.newerOffer ?? (await gateway.detailsAgain(flight.key, parts.scopes.report));
    flight.newerOffer = undefined;
    if (offered.nonce === undefined) return "open";
    const claim = claimOf(await gateway.acknowledge(flight.key, offered.nonce, parts.scopes.report));
    if (claim.kind === "ours") flight.isPresumed = false;
    else if (claim.kind === "lost" && claim.reason === "over") return "over";
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    if (error.kind === "gone" || error.kind === "over") return "over";
    if (error.kind !== "not-ours") throw error;
  }
  return flight.isPresumed ? "open" : "ours";
}

function claimOf(status: string | undefined): Claim {
  switch (status) {
    case "InProgress":
      return { kind: "ours", isPresumed: false };
    case "TimedOut":
    case "Succeeded":
    case "Failed":
      return { kind: "lost", reason: "over", message: `CodePipeline says that the job is already ${status}` };
    case "Created":
    case "Queued":
    case "Dispatched":
      return { kind: "lost", reason: "not-ours", message: `the acknowledge was answered ${status}, not InProgress` };
    default:
      return {
        kind: "lost",
        reason: "not-ours",
        message: `the acknowledge was answered with ${status === undefined ? "no status" : "an unknown status"}; not run`,
      };
  }
}

function claimFrom(error: unknown, asking: Asking, parts: Parts): Claim {
  if (error instanceof LedgerError) {
    // A job that was never asked for is simply offered again; one that was may be ours.
    return asking.isAmbiguous
      ? { kind: "unanswered", message: error.message }
      : { kind: "lost", reason: "ledger-unwritable", message: error.message };
  }
  if (!(error instanceof GatewayError)) {
    if (parts.scopes.work.aborted) return unanswered(asking, "stopped before the acknowledge was answered");
    throw error;
  }
  const message = parts.world.mask(error.message);
  switch (error.kind) {
    case "not-ours":
      return { kind: "lost", reason: "not-ours", message };
    case "gone":
      return { kind: "lost", reason: "gone", message };
    case "over":
      return { kind: "lost", reason: "over", message };
    case "token-rejected":
      return asking.isAmbiguous ? unanswered(asking, message) : { kind: "lost", reason: "token-rejected", message };
    case "misconfigured":
      return asking.isAmbiguous ? unanswered(asking, message) : { kind: "lost", reason: "refused", message };
    case "rejected":
      return { kind: "lost", reason: "refused", message };
    case "aborted":
    case "throttled":
    case "unavailable":
    case "denied":
    case "token-unavailable":
      return unanswered(asking, message);
  }
}

function unanswered(asking: Asking, message: string): Claim {
  // Refusals alone (throttled, denied) have changed nothing at CodePipeline: the job is offered again.
  return asking.isAmbiguous
    ? { kind: "unanswered", message }
    : { kind: "lost", reason: "draining", message: `not acknowledged before the stop: ${message}` };
}
