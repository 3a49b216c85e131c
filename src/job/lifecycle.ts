// The life of a job: its states, the events that move it, and what a crash in each state asks for.
// The one reducer that the runner, the ledger, recovery, metrics and the status page all use.
import type { Nonce } from "./job.js";
import type { Outcome } from "./outcome.js";

export type JobState =
  /** Ids known; slot and lease held. */
  | "polled"
  /** Nonce and inputs known; nothing promised yet. */
  | "detailed"
  /** We asked to have it and do not know the answer. */
  | "acknowledging"
  /** Ours: the handler is at work, or a foreign service works for it. */
  | "running"
  /** The outcome is fixed and owed to CodePipeline. */
  | "settled"
  /** CodePipeline has accepted the outcome. */
  | "reported"
  /** Over without a result of ours: not ours, gone, or to be offered again. */
  | "dropped";

/** Why a job left us without a result. */
export type LostReason =
  /** InvalidNonceException, or a status that says another worker has it or it went back to the queue. */
  | "not-ours"
  /** JobNotFoundException, InvalidJobException: CodePipeline does not know it (any more). */
  | "gone"
  /** Timed out, succeeded or failed at CodePipeline: nothing can be reported. */
  | "over"
  /** Details could not be had; it was not acknowledged, so CodePipeline offers it again. */
  | "no-details"
  /** No client token, or CodePipeline refuses it: without one not even a failure can be reported. */
  | "token-rejected"
  /** We began to drain before it was acknowledged; CodePipeline offers it again. */
  | "draining"
  /** An operator paused the daemon before it was acknowledged; CodePipeline offers it again. */
  | "paused"
  /** The disk ran short of room for artifacts before it was acknowledged; CodePipeline offers it again. */
  | "no-room"
  /** The service refused the request itself (ValidationException, AccessDenied). */
  | "refused"
  /** The ledger could not record it before it was asked for; CodePipeline offers it again. */
  | "ledger-unwritable"
  /** Another replica took it over. */
  | "taken-over"
  /** An operator let go of it. */
  | "released"
  /** CodePipeline could not be asked for it in time; it was not acknowledged, and is offered again. */
  | "unreachable"
  /** CodePipeline denied what was asked for as long as it was asked patiently; it was not acknowledged. */
  | "denied";

export type JobEvent =
  /** The details came (GetThirdPartyJobDetails, or with the poll). */
  | { readonly type: "details-received" }
  /** About to ask for it; written before the call. */
  | { readonly type: "acknowledge-sent"; readonly nonce: Nonce }
  /** The acknowledge answered InProgress (`ours`), or an attempt without an answer has used the nonce up (`presumed`). */
  | { readonly type: "acknowledge-accepted"; readonly claim: "ours" | "presumed" }
  /** A job that was presumed ours was asked for again, and InProgress answered. */
  | { readonly type: "claim-confirmed" }
  /** A service answered 202 and will call back; the hash proves the caller, the token itself is never kept. */
  | { readonly type: "callback-awaited"; readonly tokenHash: string; readonly deadlineMs: number }
  /** The outcome is fixed; from here it is owed. */
  | { readonly type: "outcome-settled"; readonly outcome: Outcome }
  /** CodePipeline accepted the result, or said that the job is over after an earlier attempt of ours. */
  | { readonly type: "report-accepted" }
  /** Over without a result. "No answer" is never this. */
  | { readonly type: "job-lost"; readonly reason: LostReason };

export type JobEventType = JobEvent["type"];

/** What each event makes of each state; any other pair is a bug of ours. */
export const jobMoves: Readonly<Record<JobState, Partial<Record<JobEventType, JobState>>>> = {
  polled: { "details-received": "detailed", "job-lost": "dropped" },
  detailed: { "acknowledge-sent": "acknowledging", "job-lost": "dropped" },
  acknowledging: {
    // Asked again with the nonce of a newer offer.
    "acknowledge-sent": "acknowledging",
    "acknowledge-accepted": "running",
    "job-lost": "dropped",
  },
  running: {
    "claim-confirmed": "running",
    "callback-awaited": "running",
    "outcome-settled": "settled",
    "job-lost": "dropped",
  },
  settled: { "claim-confirmed": "settled", "report-accepted": "reported", "job-lost": "dropped" },
  reported: {},
  dropped: {},
};

/** The state after the event. Throws when the pair is illegal: that is a bug of ours, not of the world. */
export function transition(state: JobState, event: { readonly type: JobEventType }): JobState {
  // Own members only: a name out of a damaged record, such as "constructor", is no state and no event.
  const row = Object.hasOwn(jobMoves, state) ? jobMoves[state] : {};
  const next = Object.hasOwn(row, event.type) ? row[event.type] : undefined;
  if (next === undefined) throw new Error(`bug: a job that is ${state} cannot take the event ${event.type}`);
  return next;
}

/** True when nothing more happens to the job. */
export function isOver(state: JobState): boolean {
  return state === "reported" || state === "dropped";
}

/** True when CodePipeline waits for us: from the acknowledge on until a result is accepted. */
export function isOwed(state: JobState): boolean {
  return state === "acknowledging" || state === "running" || state === "settled";
}
