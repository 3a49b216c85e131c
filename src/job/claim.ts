// What we know of whether a job is ours. CodePipeline says so only in its answer to an acknowledgement, an answer can be
// lost, and the nonce is good once; this table is the one place that decides what follows. Pure: no I/O, no clock.
import type { Nonce } from "./job.js";
import type { LostReason } from "./lifecycle.js";

export type Claim =
  /** Not acknowledged, for certain. Without a `nonce` its details are fetched first. */
  | { readonly is: "none"; readonly nonce?: Nonce }
  /** An acknowledgement with this nonce is in the ledger and on its way; no answer yet. */
  | { readonly is: "asked"; readonly nonce: Nonce }
  /** An acknowledgement with this nonce may have been accepted: its answer was lost, or the process died before it came. */
  | { readonly is: "unanswered"; readonly nonce: Nonce }
  /** The nonce is used up: by our acknowledgement whose answer was lost, or by another worker. Fresh details tell which. */
  | { readonly is: "disputed"; readonly nonce: Nonce }
  /** Very likely ours: the details still name the nonce that we used. No `InProgress` was seen; the handler runs. */
  | { readonly is: "presumed" }
  /** Presumed ours, then offered again, or its result refused. Without a `nonce` it waits for another offer. */
  | { readonly is: "doubted"; readonly nonce?: Nonce }
  /** CodePipeline answered `InProgress`. */
  | { readonly is: "ours" }
  /** Not ours: nothing more is done for the job; `reason` says why. */
  | { readonly is: "lost"; readonly reason: LostReason };
export type ClaimState = Claim["is"];

export type ClaimEvent =
  /** An acknowledgement with this nonce is about to be sent. */
  | { readonly type: "sent"; readonly nonce: Nonce }
  /** The acknowledgement was answered `InProgress`. */
  | { readonly type: "in-progress" }
  /** The acknowledgement was answered `InvalidNonceException`. */
  | { readonly type: "nonce-refused" }
  /** A status said that the job is not ours for now: it is back in the queue, or with another worker. */
  | { readonly type: "not-ours" }
  /** CodePipeline said that the job cannot become ours: it is gone, has ended, or the acknowledgement is invalid. */
  | { readonly type: "ended"; readonly reason: LostReason }
  /** No answer came, so the acknowledgement may have been accepted. A crash counts as this. */
  | { readonly type: "no-answer" }
  /** Throttled, denied, or never connected: the acknowledgement was not accepted. */
  | { readonly type: "put-off" }
  /** A poll offered the job again, without a nonce, as third-party polls do. */
  | { readonly type: "offered" }
  /** A new offer, or fresh details, named another nonce than ours. */
  | { readonly type: "fresh-nonce"; readonly nonce: Nonce }
  /** Fresh details named our nonce, or none, as `GetJobDetails` does. */
  | { readonly type: "same-nonce" }
  /** CodePipeline refused our result: the job has ended or is gone. */
  | { readonly type: "result-refused" }
  /** We stop waiting for an answer or an offer; `reason` says why. */
  | { readonly type: "gave-up"; readonly reason: LostReason };
export type ClaimEventType = ClaimEvent["type"];

/** The next state for each event. An event that is not listed for a state changes nothing. */
export const claimMoves: Readonly<Record<ClaimState, Partial<Record<ClaimEventType, ClaimState>>>> = {
  // A nonce is good for one offer: after another one, its details are fetched anew.
  none: { sent: "asked", offered: "none", "fresh-nonce": "none", ended: "lost", "gave-up": "lost" },
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
  // The same nonce: the job was not offered since, so our own attempt used it up.
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
      // Details that are on their way are as good as any offer until they come.
      if (event.type === "offered") return nonceOf(claim).nonce === undefined ? claim : { is };
      return event.type === "fresh-nonce" ? { is, nonce: event.nonce } : { is, ...nonceOf(claim) };
    case "doubted":
      // A nonce can be used once.
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
  /** Only another offer, or fresh details with a nonce, can decide. */
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
      // Created, Queued, Dispatched, none, or an unknown word.
      return { type: "not-ours" };
  }
}

/** What the nonce of an offer, or of fresh details, means. */
export function nonceEvent(claim: Claim, nonce: Nonce | undefined): ClaimEvent {
  if (nonce === undefined || nonce === nonceOf(claim).nonce) return { type: "same-nonce" };
  return { type: "fresh-nonce", nonce };
}

/** What the next process knows of a claim that this one recorded. */
export function afterCrash(claim: Claim): Claim {
  return claimAfter(claim, { type: "no-answer" });
}

/** True when CodePipeline may hold the job for us: then it is dropped only when CodePipeline says so. */
export function mayBeOurs({ is }: Claim): boolean {
  return is !== "none" && is !== "lost";
}

function nonceOf(claim: Claim): { readonly nonce?: Nonce } {
  return "nonce" in claim && claim.nonce !== undefined ? { nonce: claim.nonce } : {};
}
