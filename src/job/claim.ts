// What we know of whether a job is ours. CodePipeline says so only in its answer to an acknowledge, an answer can be
// lost, and the nonce is good once; this table is the one place that decides what follows. Pure: no I/O, no clock.
import type { Nonce } from "./job.js";
import type { LostReason } from "./lifecycle.js";

export type Claim =
  /** Nothing that we asked can have been done. `nonce`: what to ask with; absent: its details must be fetched first. */
  | { readonly is: "none"; readonly nonce?: Nonce }
  /** An acknowledge with this nonce is recorded, and under way. */
  | { readonly is: "asked"; readonly nonce: Nonce }
  /** An acknowledge with this nonce may have been accepted: no answer came, or the process died before it. */
  | { readonly is: "unanswered"; readonly nonce: Nonce }
  /** The nonce was refused after an attempt without an answer: used up, by that attempt or by somebody else. */
  | { readonly is: "disputed"; readonly nonce: Nonce }
  /** Used up by us, as far as its details tell; InProgress was never answered. Its handler may run. */
  | { readonly is: "presumed" }
  /** Presumed, but offered again or its result refused. `nonce`: what to ask with; absent: an offer has to come. */
  | { readonly is: "doubted"; readonly nonce?: Nonce }
  /** InProgress was answered. */
  | { readonly is: "ours" }
  | { readonly is: "lost"; readonly reason: LostReason };
export type ClaimState = Claim["is"];

export type ClaimEvent =
  /** An acknowledge with this nonce is about to be sent. */
  | { readonly type: "sent"; readonly nonce: Nonce }
  | { readonly type: "in-progress" }
  /** InvalidNonceException. */
  | { readonly type: "nonce-refused" }
  /** A status that says that the job is not ours for now: it is back in the queue, or with somebody else. */
  | { readonly type: "not-ours" }
  /** CodePipeline's clear word that nothing more comes of the job: it is gone, over, or refuses the question. */
  | { readonly type: "ended"; readonly reason: LostReason }
  /** No answer came; what was asked may have been done. A crash is one, too. */
  | { readonly type: "no-answer" }
  /** Throttled, denied, never connected: what was asked was not done. */
  | { readonly type: "put-off" }
  /** An offer came that names no nonce, as third-party offers do. */
  | { readonly type: "offered" }
  /** An offer, or fresh details, named another nonce than the one that we know. */
  | { readonly type: "fresh-nonce"; readonly nonce: Nonce }
  /** Fresh details named the same nonce, or none, as GetJobDetails does. */
  | { readonly type: "same-nonce" }
  /** CodePipeline answered a result of ours with "over" or "gone". */
  | { readonly type: "result-refused" }
  /** Nobody waits any longer for an answer or an offer. */
  | { readonly type: "gave-up"; readonly reason: LostReason };
export type ClaimEventType = ClaimEvent["type"];

/** What each event makes of each claim; an event that a state does not name changes nothing. */
export const claimMoves: Readonly<Record<ClaimState, Partial<Record<ClaimEventType, ClaimState>>>> = {
  none: { sent: "asked", "fresh-nonce": "none", ended: "lost", "gave-up": "lost" },
  asked: {
    "in-progress": "ours",
    "nonce-refused": "lost",
    "not-ours": "lost",
    ended: "lost",
    "no-answer": "unanswered",
    "put-off": "none",
  },
  unanswered: {
    sent: "unanswered",
    "in-progress": "ours",
    "nonce-refused": "disputed",
    "not-ours": "lost",
    ended: "lost",
    // An acknowledged job is not offered: the attempt without an answer never arrived.
    "fresh-nonce": "none",
  },
  // As long as the nonce is the same nobody was offered the job since: the attempt that used it up was ours.
  disputed: { "same-nonce": "presumed", "fresh-nonce": "none", ended: "lost" },
  presumed: { offered: "doubted", "fresh-nonce": "doubted", "result-refused": "doubted" },
  doubted: {
    sent: "doubted",
    "fresh-nonce": "doubted",
    "nonce-refused": "doubted",
    // Its handler may have run: the next offer lets us give the result that we have.
    "not-ours": "doubted",
    "in-progress": "ours",
    ended: "lost",
    "gave-up": "lost",
  },
  ours: {},
  lost: {},
};

/** The claim after the event. */
export function claimAfter(claim: Claim, event: ClaimEvent): Claim {
  const is = claimMoves[claim.is][event.type];
  switch (is) {
    case undefined:
      return claim;
    case "none":
      return event.type === "fresh-nonce" ? { is, nonce: event.nonce } : { is, ...nonceOf(claim) };
    case "doubted":
      // A nonce is good for one question.
      return event.type === "fresh-nonce" ? { is, nonce: event.nonce } : { is };
    case "asked":
    case "unanswered":
    case "disputed": {
      const { nonce } = event.type === "sent" ? event : nonceOf(claim);
      if (nonce === undefined) throw new Error(`bug: a claim that is ${claim.is} cannot take the event ${event.type}`);
      return { is, nonce };
    }
    case "lost":
      return { is, reason: "reason" in event ? event.reason : "not-ours" };
    default:
      return { is };
  }
}

/** What to do next for a claim. */
export type ClaimStep =
  | { readonly do: "ask"; readonly nonce: Nonce }
  | { readonly do: "fetch-details" }
  /** Only another offer, or fresh details that name a nonce, tell more. */
  | { readonly do: "await-offer" }
  | { readonly do: "work" }
  | { readonly do: "drop"; readonly reason: LostReason };

export function nextStep(claim: Claim): ClaimStep {
  switch (claim.is) {
    case "none":
      return claim.nonce === undefined ? { do: "fetch-details" } : { do: "ask", nonce: claim.nonce };
    case "asked":
    case "unanswered":
      return { do: "ask", nonce: claim.nonce };
    case "disputed":
      return { do: "fetch-details" };
    case "doubted":
      return claim.nonce === undefined ? { do: "await-offer" } : { do: "ask", nonce: claim.nonce };
    case "presumed":
    case "ours":
      return { do: "work" };
    case "lost":
      return { do: "drop", reason: claim.reason };
  }
}

/** What AcknowledgeJob's or AcknowledgeThirdPartyJob's status says; only InProgress means run. */
export function statusEvent(status: string | undefined): ClaimEvent {
  switch (status) {
    case "InProgress":
      return { type: "in-progress" };
    case "TimedOut":
    case "Succeeded":
    case "Failed":
      return { type: "ended", reason: "over" };
    default:
      // Created, Queued, Dispatched, none, or a word that nobody knows.
      return { type: "not-ours" };
  }
}

/** What a nonce that was heard of means: an offer's, or fresh details'. */
export function nonceEvent(claim: Claim, nonce: Nonce | undefined): ClaimEvent {
  if (nonce === undefined || nonce === nonceOf(claim).nonce) return { type: "same-nonce" };
  return { type: "fresh-nonce", nonce };
}

/** What the next process knows of a claim that this one recorded. */
export function afterCrash(claim: Claim): Claim {
  return claimAfter(claim, { type: "no-answer" });
}

/** True when CodePipeline may take the job for ours: then it is never dropped without its word. */
export function mayBeOurs({ is }: Claim): boolean {
  return is !== "none" && is !== "lost";
}

function nonceOf(claim: Claim): { readonly nonce?: Nonce } {
  return "nonce" in claim && claim.nonce !== undefined ? { nonce: claim.nonce } : {};
}
