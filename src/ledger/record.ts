// What a ledger keeps of one job, and how an event changes it: the reducer of job/lifecycle.ts plus what each
// event brings along. Pure, so that every ledger, its replay and its tests share one truth; it never reads a clock.
import { afterCrash, type Claim } from "../job/claim.js";
import { type JobEvent, type JobState, type LostReason, transition } from "../job/lifecycle.js";
import type { Outcome } from "../job/outcome.js";
import type { Lease, UnfinishedJob } from "./ledger.js";

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
  readonly callback?: { readonly tokenHash: string; readonly deadlineMs: number };
  /** Why the job was dropped. */
  readonly lostReason?: LostReason;
}

/** A job that has just been leased. */
export function newRecord(nowMs: number): JobRecord {
  return { state: "polled", takenAtMs: nowMs, sinceMs: nowMs, claim: { is: "none" } };
}

/** The record after the event. Throws when the event is illegal in its state: that is a bug of ours. */
export function recordAfter(record: JobRecord, event: JobEvent, nowMs: number): JobRecord {
  const state = transition(record.state, event);
  const sinceMs = state === record.state ? record.sinceMs : nowMs;
  const { takenAtMs, claim } = record;
  const kept = { state, takenAtMs, sinceMs, claim };
  switch (event.type) {
    case "acknowledge-sent":
      return { ...kept, claim: { is: "asked", nonce: event.nonce } };
    case "acknowledge-accepted":
      return { ...kept, claim: { is: event.claim } };
    case "claim-confirmed":
      return { ...record, claim: { is: "ours" } };
    case "callback-awaited":
      return { ...kept, callback: { tokenHash: event.tokenHash, deadlineMs: event.deadlineMs } };
    case "outcome-settled":
      return { ...kept, outcome: event.outcome };
    case "job-lost":
      return { ...kept, lostReason: event.reason };
    case "details-received":
    case "report-accepted":
      return kept;
  }
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
