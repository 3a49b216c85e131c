// What a ledger keeps of one job, and how an event changes it: the reducer of job/lifecycle.ts plus what each
// event brings along. Pure, so that every ledger, its replay and its tests share one truth; it never reads a clock.
import { afterCrash, type Claim } from "../job/claim.js";
import type { EndedKind, JobStep } from "../job/ended.js";
import type { JobEnd } from "../job/job-end.js";
import { isOwed, type JobEvent, type JobState, type LostReason, transition } from "../job/lifecycle.js";
import type { Outcome } from "../job/outcome.js";
import type { CallbackPromise, Lease, UnfinishedJob } from "./ledger.js";

/** One job as a ledger holds it; times in ms since the epoch. Never changed in place. */
export interface JobRecord {
  readonly state: JobState;
  /** When the job was first leased. */
  readonly takenAtMs: number;
  /** When it came into this state. */
  readonly sinceMs: number;
  /** What is known of whether it is ours, as far as a crash must not forget it. */
  readonly claim: Claim;
  /** The outcome that is owed; gone once it is accepted. */
  readonly outcome?: Outcome;
  /** The promise made to a service that answered 202; gone once the outcome is fixed. */
  readonly callback?: CallbackPromise;
  /** Why the job was dropped. */
  readonly lostReason?: LostReason;
  /** Its states so far; absent: an earlier process knew them. Not stored before the job has ended. */
  readonly steps?: readonly JobStep[];
  /** What is remembered of a job that ended and was acknowledged before. */
  readonly ended?: { readonly end: EndedKind; readonly told: JobEnd };
}

/** A job that has just been leased. */
export function newRecord(nowMs: number): JobRecord {
  return { state: "polled", takenAtMs: nowMs, sinceMs: nowMs, claim: { is: "none" }, steps: [["polled", nowMs]] };
}

/** The record after the event. Throws when the event is illegal in its state: that is a bug of ours. */
export function recordAfter(record: JobRecord, event: JobEvent, nowMs: number): JobRecord {
  const state = transition(record.state, event);
  const sinceMs = state === record.state ? record.sinceMs : nowMs;
  const { takenAtMs, claim } = record;
  const steps = state === record.state ? stepsOf(record) : [...stepsOf(record), [state, nowMs] as const];
  const kept = { state, takenAtMs, sinceMs, claim, steps };
  switch (event.type) {
    case "acknowledge-sent":
      return { ...kept, claim: { is: "asked", nonce: event.nonce } };
    case "acknowledge-accepted":
      return { ...kept, claim: { is: event.claim } };
    case "claim-confirmed":
      return { ...record, claim: { is: "ours" } };
    case "callback-awaited":
      return { ...kept, callback: { tokenHash: event.tokenHash, deadline: event.deadline } };
    case "outcome-settled":
      return { ...kept, outcome: event.outcome };
    case "job-lost": {
      const { reason: lostReason, end: told = {} } = event;
      return { ...kept, lostReason, ...(isOwed(record.state) ? { ended: { end: "dropped", told } } : {}) };
    }
    case "report-accepted": {
      const { end: told = {} } = event;
      const end = told.outcome?.kind ?? record.outcome?.kind;
      return { ...kept, ...(end ? { ended: { end, told } } : {}) };
    }
    case "details-received":
      return kept;
  }
}

/** The states that are known of a record, in order. */
export function stepsOf({ steps, state, sinceMs }: JobRecord): readonly JobStep[] {
  return steps ?? [[state, sinceMs]];
}

/**
 * True when a further offer of this job can only be a repeat: it had a result. A job dropped for any other reason
 * may be offered again in earnest, at once.
 */
export function isRemembered(record: JobRecord): boolean {
  return record.state === "reported" || (record.state === "dropped" && record.lostReason === "over");
}

/** What the next process is given of a record; times in ms since the epoch. */
export function unfinishedJob(lease: Lease, record: JobRecord): UnfinishedJob {
  const { takenAtMs, claim, outcome, callback } = record;
  return {
    lease,
    takenAtMs,
    claim: afterCrash(claim),
    ...(outcome === undefined ? {} : { outcome }),
    ...(callback === undefined ? {} : { callback }),
  };
}
