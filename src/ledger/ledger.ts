// The contract of ledgers: the record of jobs held and outcomes owed, written before what it guards.
// A ledger never holds a credential, a client token or a handler's secret; details are fetched again.
import type { Claim } from "../job/claim.js";
import type { HistoryPage, HistorySearch } from "../job/ended.js";
import type { FleetJobPage, FleetPause, ReplicaNote, SeenFleet } from "../job/fleet.js";
import type { JobId, JobKey, Nonce, Place } from "../job/job.js";
import type { JobDeadline, JobEvent, JobState } from "../job/lifecycle.js";
import type { Outcome } from "../job/outcome.js";

export interface Ledger {
  /** True when what is recorded outlives the process: then a stop may leave jobs for the next start. */
  readonly isDurable: boolean;
  /**
   * The right to work this job. `undefined`: it is in flight here or elsewhere, or ended with a result a short
   * while ago, so the offer is a repeat. Throws LedgerError when the ledger cannot be used. A ledger that others share
   * hands the offer's nonce to whoever has the job, where it tells them whether the job is theirs.
   */
  lease(key: JobKey, nonce?: Nonce): Promise<Lease | undefined>;
  /**
   * Resolves once the event is as durable as this ledger can make it. Throws LedgerError, and then the lease keeps
   * its state: an `acknowledge-sent` that could not be written must not be acted on. For a job that is already
   * ours later events may follow, or the same one again, so that what runs can be finished and reported; the
   * ledger writes what it missed when it can. Throws Bug on an illegal event or a lease that was released.
   */
  record(lease: Lease, event: JobEvent): Promise<void>;
  /**
   * Gives the lease back; a job that is over is remembered for a while if it had a result, one that is still owed
   * stays in the ledger. Never throws.
   */
  release(lease: Lease): Promise<void>;
  /** Owed jobs that nobody works on (an earlier process left them, or they were released), each leased to the caller. */
  unfinished(): Promise<readonly UnfinishedJob[]>;
  /**
   * A ledger that others share: owed jobs that came to be nobody's, each leased to the caller, a few at a time, as
   * they are found; `isWanted` is asked anew for each look. Ends when the signal aborts. Never throws.
   */
  watch?(isWanted: (job: FoundJob) => boolean, signal: AbortSignal): AsyncIterable<readonly UnfinishedJob[]>;
  /**
   * A ledger that others share: offers that other processes got for jobs that are only presumed to be ours, as they
   * come. Ends when the signal aborts. Never throws.
   */
  handedOffers?(signal: AbortSignal): AsyncIterable<readonly HandedOffer[]>;
  /**
   * A ledger that others share: jobs with this id that have no outcome yet, whichever process has them, or none.
   * Throws LedgerError when the ledger cannot be read.
   */
  promised?(jobId: JobId, places: readonly Place[]): Promise<readonly PromisedJob[]>;
  /**
   * A ledger that others share: how many jobs were interrupted here because the right to them ended, and are not known
   * to have been given back. Nobody may ever find them.
   */
  orphaned?(): number;
  /** A ledger that others share: its fleet. */
  readonly fleet?: SharedFleet;
  /**
   * Ended jobs that had been acknowledged, newest first, as far back as the ledger remembers them; those of all processes
   * of a ledger that others share. Each search is bounded in what it looks at, and slows no job down. Throws LedgerError
   * `unreadable`, also when the signal aborts. Absent: it remembers none.
   */
  history?(search: HistorySearch, signal: AbortSignal): Promise<HistoryPage>;
  /** Whether a record could be written now. Costs nothing: the ledger itself keeps trying while it cannot. */
  health(): LedgerHealth;
  /** While nothing can be written: tries again now, not later. Resolves when that has ended either way. Never throws. */
  retryNow?(): Promise<void>;
  /** Writes what is pending and closes the store. Idempotent. */
  close(): Promise<void>;
}

/** The replicas that share a ledger. */
export interface SharedFleet {
  /** Nobody of the fleet takes jobs: as it was last read, which holds while the table is away. Costs nothing. */
  readonly pause: FleetPause | undefined;
  /** Everybody, as the last look found them. Costs nothing: the look is made anyway. */
  seen(): SeenFleet;
  /** Heartbeats carry from now on what this says of this process. It must not throw. */
  describe(note: () => ReplicaNote): void;
  /** Pauses all of them, until resume(): it outlives restarts. Throws LedgerError. */
  pauseAll(by: string): Promise<void>;
  /** Throws LedgerError. */
  resumeAll(): Promise<void>;
  /** Some of the jobs that are held or owed, whoever has them, by holder. Throws LedgerError. */
  jobs(range: { readonly from: number; readonly max: number }): Promise<FleetJobPage>;
  /**
   * Changes a job that no replica works on. Throws LedgerError: `locked` while one does, `lost` when the job is not there,
   * not in a state for it, or changed meanwhile.
   */
  end(key: Place & { readonly jobId: JobId }, eventsFor: (state: JobState) => readonly JobEvent[]): Promise<void>;
}

/** Whether a ledger can be written, and if not, why and since when (ms since the epoch). */
export interface LedgerHealth {
  readonly writable: boolean;
  readonly reason?: string;
  readonly sinceMs?: number;
}

/** One write to a ledger's store as it ended: what is counted of it. */
export interface LedgerCommit {
  readonly isDurable: boolean;
  readonly durationMs: number;
}

/** The right to one job. `state` is what the ledger holds for it. */
export interface Lease {
  readonly key: JobKey;
  readonly state: JobState;
  /**
   * Aborts when the right ends: at once when somebody else has the job, else so early that handlers which stop within
   * their grace have ended before anybody else may begin one. Absent: it cannot end. To read it is to look at the
   * clock: a process that stood still sees it aborted before any timer fires, so read it before each call that counts.
   */
  readonly lost?: AbortSignal;
}

/** A job that is held here, and the nonce of an offer that another process got for it. */
export interface HandedOffer {
  readonly key: JobKey;
  readonly nonce: Nonce;
}

/** A job whose outcome somebody waits for. */
export interface PromisedJob {
  /** SHA-256, in hex, of the token by which a service delivers it. Absent: none is recorded. */
  readonly tokenHash: string | undefined;
}

/** An owed job without an active worker, before it is recovered. */
export interface FoundJob {
  readonly key: JobKey;
  readonly state: JobState;
  /** A service works for it. */
  readonly hasCallback: boolean;
}

/**
 * What was promised to a service that answered 202: what its token must hash to, and until when it may call. How the
 * time is stored is each store's own affair.
 */
export interface CallbackPromise {
  readonly tokenHash: string;
  readonly deadline: JobDeadline;
}

/** A job as an earlier process left it. */
export interface UnfinishedJob {
  readonly lease: Lease;
  /** When it was first taken, in ms since the epoch. */
  readonly takenAtMs: number;
  /** What that process left of the claim: an acknowledgement that it had recorded counts as unanswered. */
  readonly claim: Claim;
  /** The outcome that is owed, if it was fixed. */
  readonly outcome?: Outcome;
  /** Set when a service answered 202. */
  readonly callback?: CallbackPromise;
}

/** The ledger cannot be read or written. The message says why and what to do. */
export class LedgerError extends Error {
  readonly code: "unwritable" | "unreadable" | "locked" | "too-new" | "lost";

  constructor(code: LedgerError["code"], message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "LedgerError";
    this.code = code;
  }
}
