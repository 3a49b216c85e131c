// The jobs that one process holds: which are leased, which are owed by nobody yet, and which ended a short while
// ago. All of it in memory, the same for every single-process ledger; it knows nothing of files.
import { type JobKey, jobKeyName } from "../job/job.js";
import { isOwed, type JobState } from "../job/lifecycle.js";
import type { Clock } from "../std/clock.js";
import { TurnoverMap } from "../std/turnover.js";
import type { Lease, UnfinishedJob } from "./ledger.js";
import { isRemembered, type JobRecord, newRecord, unfinishedJob } from "./record.js";

/** One job from its lease to its end; it outlives a lease when it is still owed. */
export class HeldJob {
  readonly key: JobKey;
  /** What the ledger holds for the job. */
  record: JobRecord;
  /** The lease that may record; `undefined`: the job is owed and has no active worker. */
  lease: Lease | undefined;

  constructor(key: JobKey, record: JobRecord) {
    this.key = key;
    this.record = record;
  }
}

export interface HeldJobsOptions<Held extends HeldJob> {
  readonly clock: Clock;
  /** How long a job that had a result is remembered. */
  readonly recentMs: number;
  /** How many of them at most. */
  readonly recentMax: number;
  readonly create: (key: JobKey, record: JobRecord) => Held;
}

/** Who holds which job in this process. */
export class HeldJobs<Held extends HeldJob = HeldJob> {
  readonly #clock: Clock;
  readonly #recentMs: number;
  readonly #recentMax: number;
  readonly #create: (key: JobKey, record: JobRecord) => Held;
  readonly #held = new TurnoverMap<string, Held>();
  /** Name to monotonic time of the end, oldest first. Monotonic: a step of the wall clock forgets nothing. */
  readonly #recent = new Map<string, number>();

  constructor(options: HeldJobsOptions<Held>) {
    this.#clock = options.clock;
    this.#recentMs = options.recentMs;
    this.#recentMax = options.recentMax;
    this.#create = options.create;
  }

  /** A lease on the job; `undefined` when it is held, owed or remembered. */
  take(key: JobKey): Lease | undefined {
    const name = jobKeyName(key);
    if (this.#held.has(name) || this.#remembers(name)) return undefined;
    const job = this.#create(key, newRecord(this.#clock.now()));
    this.#held.set(name, job);
    job.lease = new HeldLease(job);
    return job.lease;
  }

  /** The job of a lease. Throws when the lease was given back or comes from elsewhere: that is a bug of ours. */
  of(lease: Lease): Held {
    const job = this.#held.get(jobKeyName(lease.key));
    if (job === undefined || job.lease !== lease) {
      throw new Error(`bug: a lease on job ${jobKeyName(lease.key)} is used after its release, or not of this ledger`);
    }
    return job;
  }

  /** True while the lease may record. */
  holds(lease: Lease): boolean {
    return this.#held.get(jobKeyName(lease.key))?.lease === lease;
  }

  /** Ends the lease: a job that is owed stays, one that had a result is remembered, any other is forgotten. */
  release(job: Held): void {
    job.lease = undefined;
    if (isOwed(job.record.state)) return;
    this.forget(job);
  }

  /** Forgets a job that has no lease. */
  forget(job: Held): void {
    const name = jobKeyName(job.key);
    this.#held.delete(name);
    if (isRemembered(job.record)) this.remember(name, 0);
  }

  /** Every owed job without an active worker, leased to the caller. */
  takeOwed(): UnfinishedJob[] {
    const owed: UnfinishedJob[] = [];
    for (const job of this.#held.values()) {
      if (job.lease !== undefined || !isOwed(job.record.state)) continue;
      job.lease = new HeldLease(job);
      owed.push(unfinishedJob(job.lease, job.record));
    }
    return owed;
  }

  /** Restores a job of a previous process, without a lease. */
  restore(job: Held): void {
    this.#held.set(jobKeyName(job.key), job);
  }

  /** Remembers an end that lies `ageMs` back. */
  remember(name: string, ageMs: number): void {
    this.#recent.delete(name);
    this.#recent.set(name, this.#clock.monotonic() - Math.max(ageMs, 0));
    for (const [oldest, endedMs] of this.#recent) {
      if (this.#recent.size <= this.#recentMax && !this.#isOld(endedMs)) break;
      this.#recent.delete(oldest);
    }
  }

  /** Every job that is held, leased or not. */
  all(): Iterable<Held> {
    return this.#held.values();
  }

  #remembers(name: string): boolean {
    const endedMs = this.#recent.get(name);
    if (endedMs === undefined) return false;
    if (!this.#isOld(endedMs)) return true;
    this.#recent.delete(name);
    return false;
  }

  #isOld(endedMs: number): boolean {
    return this.#clock.monotonic() - endedMs >= this.#recentMs;
  }
}

/** A lease is one object and no other: it shows the job's state and ends with its release. */
class HeldLease implements Lease {
  readonly key: JobKey;
  readonly #job: HeldJob;

  constructor(job: HeldJob) {
    this.#job = job;
    this.key = job.key;
  }

  get state(): JobState {
    return this.#job.record.state;
  }
}
