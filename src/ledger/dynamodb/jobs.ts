// The jobs whose rows may be under the name of this replica, in its memory: registered before a take is sent, forgotten
// once the row cannot be ours. What follows from what is in job/lease.ts.
import { type JobKey, jobKeyName } from "../../job/job.js";
import { type LeaseEventType, type LeaseState, leaseAfter, mayBeOurRow, mayWork } from "../../job/lease.js";
import { isOwed, type JobEvent, type JobState } from "../../job/lifecycle.js";
import { TurnoverMap } from "../../std/turnover.js";
import { type Lease, LedgerError, type UnfinishedJob } from "../ledger.js";
import { type JobRecord, unfinishedJob } from "../record.js";
import { type Fence, rowName } from "./rows.js";

/** How a job's row stands for us: the fence that our writes are made under, and what stood there before the first. */
export interface Taking {
  readonly key: JobKey;
  readonly record: JobRecord;
  readonly fence: Fence;
  /** Absent: there was no row. */
  readonly before?: Fence;
}

/** A job under a lease of this replica. */
export class FleetJob {
  readonly key: JobKey;
  readonly name: string;
  readonly before: Fence | undefined;
  readonly lease: FleetLease;
  /** What its lease shows: what the table holds, and what need not be in it. */
  record: JobRecord;
  /** The record that was written last, and answered. */
  stored: JobRecord | undefined;
  /** The newest record; the table may not have it yet. */
  told: JobRecord;
  /** The last event that could not be written, and the record that it would change: it may be recorded again. */
  missed: { readonly type: JobEvent["type"]; readonly before: JobRecord } | undefined;
  /** Ends when the writes so far are answered; never rejects. */
  written: Promise<void> = Promise.resolve();
  is: LeaseState = "free";
  /** Monotonic; when work under its lease ended. */
  endedMs: number | undefined;
  #fence: Fence;
  readonly #lost = new AbortController();

  constructor({ key, record, fence, before }: Taking, check: () => void) {
    this.key = key;
    this.name = rowName(key);
    this.before = before;
    this.record = record;
    this.told = record;
    this.#fence = fence;
    this.lease = new FleetLease(this, this.#lost.signal, check);
  }

  get fence(): Fence {
    return this.#fence;
  }

  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /** The fence of the next write. */
  nextFence(): Fence {
    this.#fence = { ...this.#fence, turn: this.#fence.turn + 1 };
    return this.#fence;
  }

  lose(reason: string): void {
    this.#lost.abort(new Error(reason));
  }

  /** The error for recording under a lost lease. */
  lostError(): LedgerError {
    const reason = this.lost.reason instanceof Error ? this.lost.reason.message : "its lease has ended";
    return new LedgerError("lost", `job ${jobKeyName(this.key)} is no longer held here: ${reason}`);
  }

  asUnfinished(): UnfinishedJob {
    return unfinishedJob(this.lease, this.record);
  }
}

/** Every job whose row may be ours, by the row's name. */
export class FleetJobs {
  readonly #jobs = new TurnoverMap<string, FleetJob>();
  readonly #monotonic: () => number;
  readonly #check: () => void;
  /** Rows were given to nobody since somebody asked: a look may find them. */
  areSomeNobodys = false;

  /** `check` looks whether our name still holds, whatever timers did. */
  constructor({ monotonic, check }: { readonly monotonic: () => number; readonly check: () => void }) {
    this.#monotonic = monotonic;
    this.#check = check;
  }

  /** Registers a take that is about to be sent. */
  take(taking: Taking): FleetJob {
    const job = new FleetJob(taking, this.#check);
    this.#jobs.set(job.name, job);
    this.move(job, "sent");
    return job;
  }

  has(name: string): boolean {
    return this.#jobs.has(name);
  }

  get(name: string): FleetJob | undefined {
    return this.#jobs.get(name);
  }

  /** What has happened to a lease; `reason` says why work under it ends. */
  move(job: FleetJob, event: LeaseEventType, reason = "another replica has taken it over"): void {
    job.is = leaseAfter(job.is, event);
    if (event === "written" && isOwed(job.told.state)) this.areSomeNobodys = true;
    if (job.is !== "taking" && !mayWork(job.is)) job.endedMs ??= this.#monotonic();
    if (job.is === "stopping" || job.is === "lost") job.lose(reason);
    if (job.is === "free" && this.#jobs.get(job.name) === job) this.#jobs.delete(job.name);
  }

  all(): readonly FleetJob[] {
    return [...this.#jobs.values()];
  }

  /** True while a row may be under our name. */
  get areAnyOurs(): boolean {
    return this.all().some(({ is }) => mayBeOurRow(is));
  }
}

/** Shows the state that the table holds; its signal aborts when another replica may have the job. */
class FleetLease implements Lease {
  readonly key: JobKey;
  readonly #job: FleetJob;
  readonly #lost: AbortSignal;
  readonly #check: () => void;

  constructor(job: FleetJob, lost: AbortSignal, check: () => void) {
    this.#job = job;
    this.key = job.key;
    this.#lost = lost;
    this.#check = check;
  }

  get state(): JobState {
    return this.#job.record.state;
  }

  /** A process that stood still learns it here before its timers fire. */
  get lost(): AbortSignal {
    if (mayWork(this.#job.is)) this.#check();
    return this.#lost;
  }
}
