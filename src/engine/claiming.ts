// Acknowledges a job until the claim's table (job/claim.ts) says whether it is ours. Nothing here decides that by
// itself: it makes the call that the table asks for, and gives the table the answer.

import { GatewayError, isPassing } from "../codepipeline/gateway.js";
import { type ClaimEvent, mayBeOurs, nextStep, nonceEvent, statusEvent } from "../job/claim.js";
import { LedgerError } from "../ledger/ledger.js";
import { following, whileFollowing } from "../std/following.js";
import { calling, callNow, callTurn, lostReason, mayComeRight, withRetries } from "./calls.js";
import type { EngineContext } from "./context.js";
import type { JobInFlight, Loss } from "./in-flight.js";

/** `unanswered`: we stopped before CodePipeline said anything; it may be ours. */
export type ClaimEnd =
  | { readonly kind: "work" }
  | ({ readonly kind: "dropped" } & Loss)
  | { readonly kind: "unanswered"; readonly message: string };

/** AcknowledgeThirdPartyJob or AcknowledgeJob until it is decided or the work scope ends. Throws only bugs. */
export async function claim(context: EngineContext, flight: JobInFlight): Promise<ClaimEnd> {
  const { clock, mask } = context.deps;
  const { acknowledge: policy, details } = context.limits.retry;
  const startedMs = clock.monotonic();
  const words = { last: "" };
  try {
    await withRetries(
      context,
      flight,
      {
        policy,
        signal: context.scopes.work,
        // A job that was never acknowledged is offered again: it is retried no longer than its details.
        isWorthIt: (fault) =>
          mayBeOurs(flight.claim)
            ? mayComeRight(fault)
            : isPassing(fault.kind) && clock.monotonic() - startedMs < details.maxElapsedMs,
        isOutsideSlot: () => mayBeOurs(flight.claim),
      },
      () => untilDecided(context, flight, words),
    );
  } catch (error) {
    if (flight.loss) return { kind: "dropped", ...flight.loss };
    const isStopped = !(error instanceof GatewayError || error instanceof LedgerError);
    if (isStopped && !context.scopes.work.aborted) throw error;
    words.last = isStopped ? "stopped before the acknowledgement was answered" : mask(error.message);
    if (mayBeOurs(flight.claim)) return { kind: "unanswered", message: words.last };
    const reason =
      error instanceof GatewayError ? lostReason(error, "unreachable") : isStopped ? "draining" : "ledger-unwritable";
    flight.learn({ type: "gave-up", reason });
  }
  const { claim: end } = flight;
  return end.is === "lost" ? { kind: "dropped", reason: end.reason, message: mask(words.last) } : { kind: "work" };
}

/** Step by step, as the table says. Rejects with GatewayError when only another attempt can tell, or with LedgerError. */
async function untilDecided(context: EngineContext, flight: JobInFlight, words: { last: string }): Promise<void> {
  for (;;) {
    flight.readOffer();
    if (flight.claim.is === "none" && !flight.slot.isWorking) {
      // Given up while it may have been ours. Now it is surely not, and nothing new is taken without a slot.
      await whileFollowing([context.scopes.poll, flight.givenUp], (until) => flight.slot.work(until));
      flight.readOffer();
    }
    const step = nextStep(flight.claim);
    switch (step.do) {
      case "ask":
        if (flight.claim.is === "none" && !(await mayAsk(context, flight, words))) return;
        await ask(context, flight, words);
        break;
      case "fetch-details":
        await fetchNonce(context, flight, words);
        break;
      case "await-offer":
      case "work":
      case "drop":
        return;
    }
  }
}

/**
 * Before the first acknowledgement: the gate is open, and it is the job's turn to be begun by its handler. A job whose turn
 * does not come in time is given up; it is offered again.
 */
async function mayAsk(context: EngineContext, flight: JobInFlight, words: { last: string }): Promise<boolean> {
  if (isClosed(context, flight, words)) return false;
  if (!flight.start || flight.start.isAdmitted) return true;
  // Nearly every job may at once, and needs no signal and no timer.
  if (flight.start.mayEnter()) return !isClosed(context, flight, words);
  const turn = following(context.scopes.poll, flight.givenUp);
  const maxMs = Math.min(context.limits.retry.details.maxElapsedMs, turnMaxMs);
  const cancel = context.deps.clock.after(maxMs, () => turn.controller.abort());
  const isAdmitted = await flight.start.admitted(turn.signal);
  cancel();
  turn[Symbol.dispose]();
  if (isClosed(context, flight, words)) return false;
  if (isAdmitted) return true;
  const short = context.admission.machine.closedBy();
  words.last = short?.message ?? `handler ${flight.config.handler} did not start earlier jobs in time`;
  flight.learn({ type: "gave-up", reason: short?.reason ?? "handler-broken" });
  return false;
}

/** An offer that is older may have been made to somebody else. */
const turnMaxMs = 30_000;

/**
 * The gate is asked again: nothing is acknowledged in a drain, a pause, without a ledger or without disk space, for a
 * handler that does not work, nor once our right to the job ended.
 */
function isClosed(context: EngineContext, flight: JobInFlight, words: { last: string }): boolean {
  const closed = flight.loss ?? context.gate.closedBy({ handler: flight.config.handler, start: flight.start });
  if (!closed) return false;
  words.last = closed.message;
  flight.learn({ type: "put-off" });
  flight.learn({ type: "gave-up", reason: closed.reason });
  return true;
}

/**
 * One acknowledge, unless what is known of the claim changes before its turn comes: then the table is to be asked again.
 * Rejects with the fault when it decided nothing.
 */
async function ask(context: EngineContext, flight: JobInFlight, words: { last: string }): Promise<void> {
  const { key, claim: before } = flight;
  const signal = before.is === "doubted" ? context.scopes.report : context.scopes.work;
  await callTurn(context, flight, "acknowledge", signal);
  // An offer that came meanwhile is newer.
  flight.readOffer();
  const step = nextStep(flight.claim);
  if (flight.claim.is !== before.is || step.do !== "ask") return;
  const { nonce } = step;
  await flight.ask(nonce);
  // The write may have taken its time; nothing was sent yet.
  if (flight.claim.is === "asked" && isClosed(context, flight, words)) return;
  try {
    const status = await callNow(context, flight, "acknowledge", (gateway) => gateway.acknowledge(key, nonce, signal));
    words.last = `the acknowledgement was answered ${status ?? "without a status"}, not InProgress`;
    flight.learn(statusEvent(status));
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    words.last = error.message;
    const event = meaningOf(error);
    flight.learn(event);
    if (event.type === "put-off" || event.type === "no-answer") throw error;
  }
  if (before.is === "doubted" && isOurs(flight)) await flight.confirm();
}

function meaningOf(fault: GatewayError): ClaimEvent {
  switch (fault.kind) {
    case "not-ours":
      return { type: "nonce-refused" };
    case "gone":
    case "over":
      return { type: "ended", reason: fault.kind };
    case "rejected":
      return { type: "ended", reason: "refused" };
    default:
      return { type: fault.isAmbiguous ? "no-answer" : "put-off" };
  }
}

/** Details for the sake of their nonce. Rejects with the fault when it decided nothing. */
async function fetchNonce(context: EngineContext, flight: JobInFlight, words: { last: string }): Promise<void> {
  const { key, claim: before } = flight;
  const signal = before.is === "doubted" ? context.scopes.report : context.scopes.work;
  try {
    const fresh = await calling(context, flight, "details", signal, (gateway) => gateway.detailsAgain(key, signal));
    // An offer that came meanwhile is newer than these details.
    flight.readOffer();
    if (flight.claim === before) flight.learn(nonceEvent(before, fresh.nonce));
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    words.last = error.message;
    const event = meaningOf(error);
    if (event.type !== "ended") throw error;
    flight.learn(event);
  }
}

/**
 * Asks once more for a job that is presumed ours, now that an offer or a refused result says otherwise: true once it
 * is ours, false when there is nothing left to ask for. Rejects with a GatewayError while only another offer can tell.
 */
export function clearDoubt(context: EngineContext, flight: JobInFlight, refusal?: GatewayError): Promise<boolean> {
  return flight.inTurn(async () => {
    const words = { last: "" };
    flight.readOffer();
    if (nextStep(flight.claim).do === "await-offer") await fetchNonce(context, flight, words);
    const step = nextStep(flight.claim);
    if (step.do === "ask" && !flight.hasLeft) await ask(context, flight, words);
    if (isOurs(flight)) return true;
    if (nextStep(flight.claim).do === "drop") return false;
    throw new GatewayError({
      kind: "unavailable",
      operation: refusal?.operation ?? "Acknowledge",
      code: refusal?.code ?? "no-offer",
      message: `${refusal?.message ?? words.last} (its acknowledgement was never answered; waiting for the next offer)`,
    });
  });
}

function isOurs({ claim: { is } }: JobInFlight): boolean {
  return is === "ours";
}
