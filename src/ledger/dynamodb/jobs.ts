// The jobs that one replica of a fleet holds, in its memory: each with its fence and the signal that it was lost.
import { type JobKey, jobKeyName } from "../../job/job.js";
import type { JobEvent, JobState } from "../../job/lifecycle.js";
import { type Lease, LedgerError, type UnfinishedJob } from "../ledger.js";
import { type JobRecord, unfinishedJob } from "../record.js";
import { type Fence, rowName } from "./rows.js";

/** A job under a lease of this replica. */
export class FleetJob {
  readonly key: JobKey;
  readonly name: string;
  readonly lease: FleetLease;
  /** What its lease shows: what the table holds, and what need not be in it. */
  record: JobRecord;
  /** The record that was written last, and answered. */
  stored: JobRecord | undefined;
  /** The newest record told; the table may not have it yet. */
  told: JobRecord;
  /** The last event that could not be written, and the record it was to change: it may be told again. */
  missed: { readonly type: JobEvent["type"]; readonly before: JobRecord } | undefined;
  /** Ends when the writes so far are answered; never rejects. */
  written: Promise<void> = Promise.resolve();
  #fence: Fence;
  readonly #lost = new AbortController();

  constructor(key: JobKey, record: JobRecord, fence: Fence) {
    this.key = key;
    this.name = rowName(key);
    this.record = record;
    this.told = record;
    this.#fence = fence;
    this.lease = new FleetLease(this, this.#lost.signal);
  }

  get fence(): Fence {
    return this.#fence;
  }

  get isLost(): boolean {
    return this.#lost.signal.aborted;
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

  /** What whoever records under a lost lease is told. */
  lostError(): LedgerError {
    const reason = this.lost.reason instanceof Error ? this.lost.reason.message : "its lease is lost";
    return new LedgerError("lost", `job ${jobKeyName(this.key)} is no longer held here: ${reason}`);
  }

  asUnfinished(): UnfinishedJob {
    return unfinishedJob(this.lease, this.record);
  }
}

/** Shows the state that the table holds; its signal aborts when another replica may have the job. */
class FleetLease implements Lease {
  readonly key: JobKey;
  readonly lost: AbortSignal;
  readonly #job: FleetJob;

  constructor(job: FleetJob, lost: AbortSignal) {
    this.#job = job;
    this.key = job.key;
    this.lost = lost;
  }

  get state(): JobState {
    return this.#job.record.state;
  }
}
