// The ledger that forgets with its process: for trying out, for the demo, and as the measure for the durable ones.
// It must never touch a disk. A few microseconds per job.
import type { HistoryLimits, HistoryPage, HistorySearch } from "../job/ended.js";
import type { JobKey } from "../job/job.js";
import type { JobEvent } from "../job/lifecycle.js";
import type { Clock } from "../std/clock.js";
import { endedJob } from "./ended-text.js";
import { HeldJob, HeldJobs } from "./held-jobs.js";
import { type Lease, type Ledger, LedgerError, type LedgerHealth, type UnfinishedJob } from "./ledger.js";
import { MemoryHistory } from "./memory-history.js";
import { recordAfter } from "./record.js";

export interface MemoryLedgerOptions {
  readonly clock: Clock;
  /** How long a job that had a result is remembered, so that a repeated offer yields no lease. */
  readonly recentMs: number;
  /** How many such jobs at most. */
  readonly recentMax: number;
  /**
   * Under load, jobs about to call CodePipeline go on in groups so far apart, as they do behind a ledger that commits
   * in groups; a lone one never waits. Doing the same thing for several jobs in one turn of the event loop costs a
   * quarter less CPU than doing it for each by itself. 0: never.
   */
  readonly groupMs: number;
  /** How much is remembered of ended jobs; absent: nothing. */
  readonly history?: HistoryLimits;
}

/** Holds jobs in memory only; what is owed when the process dies is lost. */
export class MemoryLedger implements Ledger {
  readonly isDurable = false;
  readonly #clock: Clock;
  readonly #jobs: HeldJobs;
  readonly #groupMs: number;
  readonly #history: MemoryHistory;
  #isClosed = false;
  #lastGroupMs = Number.NEGATIVE_INFINITY;
  #nextGroup: Promise<void> | undefined;

  constructor(options: MemoryLedgerOptions) {
    this.#clock = options.clock;
    this.#groupMs = options.groupMs;
    this.#history = new MemoryHistory(options.history ?? { maxJobs: 0, maxAgeMs: 0 });
    this.#jobs = new HeldJobs({ ...options, create: (key, record) => new HeldJob(key, record) });
  }

  async lease(key: JobKey): Promise<Lease | undefined> {
    this.#mustBeOpen();
    return this.#jobs.take(key);
  }

  async record(lease: Lease, event: JobEvent): Promise<void> {
    this.#mustBeOpen();
    const job = this.#jobs.of(lease);
    job.record = recordAfter(job.record, event, this.#clock.now());
    const ended = endedJob(job.key, job.record);
    if (ended) this.#history.add(ended);
    if (event.type === "acknowledge-sent" || event.type === "outcome-settled") await this.#group();
  }

  /** Resolves with the next group; at once when the last one is long enough ago. */
  #group(): Promise<void> | undefined {
    const sinceMs = this.#clock.monotonic() - this.#lastGroupMs;
    if (this.#nextGroup === undefined && sinceMs >= this.#groupMs) {
      this.#lastGroupMs = this.#clock.monotonic();
      return undefined;
    }
    this.#nextGroup ??= this.#clock.sleep(this.#groupMs - sinceMs).then(() => {
      this.#nextGroup = undefined;
      this.#lastGroupMs = this.#clock.monotonic();
    });
    return this.#nextGroup;
  }

  async release(lease: Lease): Promise<void> {
    if (this.#jobs.holds(lease)) this.#jobs.release(this.#jobs.of(lease));
  }

  async unfinished(): Promise<readonly UnfinishedJob[]> {
    this.#mustBeOpen();
    return this.#jobs.takeOwed();
  }

  async history(search: HistorySearch): Promise<HistoryPage> {
    return this.#history.search(search, this.#clock.now());
  }

  health(): LedgerHealth {
    return { writable: true };
  }

  async close(): Promise<void> {
    this.#isClosed = true;
  }

  #mustBeOpen(): void {
    if (this.#isClosed) throw new LedgerError("unwritable", "the ledger is closed");
  }
}
