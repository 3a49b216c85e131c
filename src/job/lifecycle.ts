// The life of a job: its states, the events that move it, and what a crash in each state asks for.
// The one reducer that the runner, the ledger, recovery, metrics and the status page all use.
import type { Nonce } from "./job.js";
import type { JobEnd } from "./job-end.js";
import type { Outcome } from "./outcome.js";

export type JobState =
  /** A poll returned its ids; slot and lease are held. */
  | "polled"
  /** Nonce and inputs are known; nothing has been promised to CodePipeline yet. */
  | "detailed"
  /** Acknowledged, with no answer yet: the claim decides. */
  | "acknowledging"
  /** Ours: its handler runs, or a service works on it and will call back. */
  | "running"
  /** The outcome is fixed, and owed to CodePipeline. */
  | "settled"
  /** CodePipeline has accepted the outcome. */
  | "reported"
  /** Ended without a result of ours: not ours, gone, released, or to be offered again. */
  | "dropped";

/** Why a job ended without a result of ours. */
export type LostReason =
  /** InvalidNonceException, or a status that says another worker has it or it went back to the queue. */
  | "not-ours"
  /** JobNotFoundException, InvalidJobException: CodePipeline does not know it (any more). */
  | "gone"
  /** It has ended at CodePipeline (timed out, succeeded or failed): nothing can be reported. */
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
  /** Its handler does no job now (its breaker is open), or did not begin those before it in time. */
  | "handler-broken"
  /** `serialBy`: a job with the same value is in work; it was not acknowledged, and is taken when that one has its result. */
  | "not-its-turn"
  /** The machine is out of files, processes, memory or disk space; CodePipeline offers it again. */
  | "machine-short"
  /** The service refused the request itself (ValidationException, AccessDenied). */
  | "refused"
  /** The ledger could not record it before it was asked for; CodePipeline offers it again. */
  | "ledger-unwritable"
  /** Another replica took it over. */
  | "taken-over"
  /** An operator released it. */
  | "released"
  /** CodePipeline could not be reached in time; it was not acknowledged, and is offered again. */
  | "unreachable"
  /** CodePipeline denied every attempt (credentials or permissions); it was not acknowledged, and is offered again. */
  | "denied";

/** When the work on a job has to end; no wall time, which would move with every step of the clock. */
export interface JobDeadline {
  /** In ms; never below 0. */
  leftMs(): number;
  /** As the wall clock stands now, in ms since the epoch. */
  wallMs(): number;
}

export type JobEvent =
  /** The details arrived, from `GetThirdPartyJobDetails` or with the poll. */
  | { readonly type: "details-received" }
  /** An acknowledgement is about to be sent; written before the call. */
  | { readonly type: "acknowledge-sent"; readonly nonce: Nonce }
  /** The claim came to `ours` or `presumed`: the handler may run. */
  | { readonly type: "acknowledge-accepted"; readonly claim: "ours" | "presumed" }
  /** A presumed job was acknowledged again, and answered `InProgress`. */
  | { readonly type: "claim-confirmed" }
  /** A service answered 202 and will call back. Of its token only the hash is kept. */
  | { readonly type: "callback-awaited"; readonly tokenHash: string; readonly deadline: JobDeadline }
  /** The outcome is fixed; from here on it is owed. */
  | { readonly type: "outcome-settled"; readonly outcome: Outcome }
  /** CodePipeline has the result: it accepted it now, or an earlier attempt of ours whose answer was lost. */
  | { readonly type: "report-accepted"; readonly end?: JobEnd }
  /** The job ends without a result of ours; `reason` says why. A missing answer is never a reason. */
  | { readonly type: "job-lost"; readonly reason: LostReason; readonly end?: JobEnd };

export type JobEventType = JobEvent["type"];

/** The next state for each event. Any other combination is a bug in partnerd. */
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

/** The state after the event. Throws for an illegal combination: that is a bug in partnerd. */
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

/** True when it was accepted as ours, for certain or by presumption, and its result is not with CodePipeline yet. */
export function isTaken(state: JobState): boolean {
  return state === "running" || state === "settled";
}

/** True when CodePipeline waits for us: from the acknowledgement on until a result is accepted. */
export function isOwed(state: JobState): boolean {
  return state === "acknowledging" || isTaken(state);
}
