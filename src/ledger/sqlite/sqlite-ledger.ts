// The durable ledger of one process: every state from the acknowledgement on is on the disk before its promise resolves.
// Records that wait are written together in one transaction, by a thread of its own; what a lease shows never runs
// ahead of the disk. While the disk fails it says why, refuses new work, and repairs itself.
import { hostname } from "node:os";
import type { HistoryLimits, HistoryPage, HistorySearch } from "../../job/ended.js";
import { messageOf } from "../../job/failure.js";
import { type JobId, type JobKey, jobKeyName, placeOf } from "../../job/job.js";
import { isOver, isOwed, type JobEvent } from "../../job/lifecycle.js";
import type { Clock } from "../../std/clock.js";
import { HeldJob, HeldJobs } from "../held-jobs.js";
import {
  type Lease,
  type Ledger,
  type LedgerCommit,
  LedgerError,
  type LedgerHealth,
  type UnfinishedJob,
} from "../ledger.js";
import type { JobRecord } from "../record.js";
import { type Change, changeBy, miss, type Recording, tell } from "../recording.js";
import { HistoryReaders } from "./history-readers.js";
import { newIdentity } from "./sqlite-file.js";
import { jobFrom, type Write, writeOf } from "./sqlite-rows.js";
import type { StoreContents } from "./sqlite-store.js";
import { SqliteThread, startSqliteWorker } from "./sqlite-thread.js";
import { type Rewrite, SqliteWriter } from "./writer.js";

export interface SqliteLedgerOptions {
  /** Absolute. A file beside it, `.lock`, keeps other processes out. */
  readonly path: string;
  readonly clock: Clock;
  /** How long a job that had a result is remembered, so that a repeated offer yields no lease. */
  readonly recentMs: number;
  /** How many such jobs at most. */
  readonly recentMax: number;
  /** How much is remembered of ended jobs, for people; absent: nothing. */
  readonly history?: HistoryLimits;
  /**
   * Two transactions start at least so far apart. A lone record never waits for it; under load a few ms make
   * several records share one transaction, which costs half the CPU.
   */
  readonly commitSpacingMs: number;
  /** How long the disk may take for one transaction before the ledger counts as not writable. */
  readonly commitTimeoutMs: number;
  /** While the ledger is not writable: the rest between two attempts to repair it. */
  readonly probeIntervalMs: number;
  /** Told whenever the ledger becomes unwritable and when it is back. A throw of it is ignored. */
  readonly onHealth: (health: LedgerHealth) => void;
  /** Told once, at the opening, when the file lies where it may not be safe; must not throw. */
  readonly onWarning?: (message: string) => void;
  /** Told of every transaction; must not throw. */
  readonly onCommit?: (commit: LedgerCommit) => void;
}

const noHistory: HistoryLimits = { maxJobs: 0, maxAgeMs: 0 };

/** A job and what the ledger was told of it, which the disk may not have yet. */
class DurableJob extends HeldJob implements Recording {
  readonly id: number;
  /** `record` is the one on the disk. */
  told: JobRecord;
  missed: Recording["missed"];
  /** The last write, under way or answered. */
  written: Promise<void> | undefined;

  constructor(id: number, key: JobKey, record: JobRecord) {
    super(key, record);
    this.id = id;
    this.told = record;
  }
}

/** Holds jobs in an SQLite file that one process at a time may use. */
export class SqliteLedger implements Ledger {
  readonly isDurable = true;
  readonly #clock: Clock;
  readonly #writer: SqliteWriter;
  readonly #jobs: HeldJobs<DurableJob>;
  /** Rows of failed transactions that the disk may have kept all the same. */
  readonly #doubtful = new Set<number>();
  readonly #hasHistory: boolean;
  readonly #readers: HistoryReaders;
  #nextId = 1;
  #closing: Promise<void> | undefined;

  private constructor(options: SqliteLedgerOptions) {
    const { path, clock, recentMs, recentMax, history = noHistory, ...writing } = options;
    const holder = { pid: process.pid, host: hostname(), sinceMs: clock.now() };
    this.#clock = clock;
    this.#hasHistory = history.maxJobs > 0;
    this.#readers = new HistoryReaders({ path, clock, history });
    this.#jobs = new HeldJobs({
      clock,
      recentMs,
      recentMax,
      create: (key, record) => new DurableJob(this.#nextId++, key, record),
    });
    this.#writer = new SqliteWriter({
      path,
      thread: (onDeath) => {
        const store = { path, recentMs, recentMax, history, holder, identity: newIdentity() };
        return new SqliteThread({ path, onDeath, start: () => startSqliteWorker(store) });
      },
      clock,
      commitSpacingMs: writing.commitSpacingMs,
      commitTimeoutMs: writing.commitTimeoutMs,
      probeIntervalMs: writing.probeIntervalMs,
      onHealth: writing.onHealth,
      ...(writing.onCommit ? { onCommit: writing.onCommit } : {}),
      rewrite: () => this.#rewrite(),
    });
  }

  /**
   * Opens the file, or makes it. Throws LedgerError: `locked` when another process has it, `too-new`, `unreadable`
   * when it is damaged or not ours, `unwritable`.
   */
  static async open(options: SqliteLedgerOptions): Promise<SqliteLedger> {
    const ledger = new SqliteLedger(options);
    const contents = await ledger.#writer.open();
    try {
      ledger.#load(contents);
    } catch (error) {
      await ledger.close();
      throw new LedgerError("unreadable", `the ledger ${options.path} is damaged: ${messageOf(error)}`, error);
    }
    const { risk } = contents;
    if (risk?.kind === "served") options.onWarning?.(`the ledger ${options.path} ${risk.what}; ${risk.fix}`);
    return ledger;
  }

  async lease(key: JobKey): Promise<Lease | undefined> {
    this.#mustBeUsable();
    return this.#jobs.take(key);
  }

  async record(lease: Lease, event: JobEvent): Promise<void> {
    this.#mustBeOpen();
    const job = this.#jobs.of(lease);
    const change = changeBy(job, event, this.#clock.now());
    const write = writeOf(job.id, job.key, change.record, this.#hasHistory);
    tell(job, change);
    if (!change.mustBeWritten) {
      job.record = change.record;
      return;
    }
    job.written = this.#write(write, job, change);
    await job.written;
  }

  async release(lease: Lease): Promise<void> {
    if (!this.#jobs.holds(lease)) return;
    const job = this.#jobs.of(lease);
    try {
      await job.written;
    } catch {
      // The caller that recorded it got the error.
    }
    if (this.#jobs.holds(lease)) this.#jobs.release(job);
  }

  async unfinished(): Promise<readonly UnfinishedJob[]> {
    this.#mustBeUsable();
    return this.#jobs.takeOwed();
  }

  history(search: HistorySearch, signal: AbortSignal): Promise<HistoryPage> {
    return this.#readers.search(search, signal);
  }

  health(): LedgerHealth {
    return this.#writer.health;
  }

  retryNow(): Promise<void> {
    return this.#writer.retryNow();
  }

  close(): Promise<void> {
    this.#readers.close();
    this.#closing ??= this.#writer.close();
    return this.#closing;
  }

  #write(write: Write, job: DurableJob, change: Change): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#writer.write({
        write,
        onDone: () => {
          job.record = change.record;
          resolve();
        },
        onFault: (fault) => {
          if (miss(job, change) && !isOwed(change.before.state)) this.#doubtful.add(job.id);
          reject(fault);
        },
      });
    });
  }

  /** All that the file must hold: what failed transactions left is taken out, what they missed is put in. */
  #rewrite(): Rewrite {
    const told = new Map<DurableJob, JobRecord>();
    const writes: Write[] = [...this.#doubtful].map((id) => ({ type: "drop", id }));
    for (const job of this.#jobs.all()) {
      if (!isOwed(job.told.state) && !isOwed(job.record.state)) continue;
      told.set(job, job.told);
      writes.push(writeOf(job.id, job.key, job.told, this.#hasHistory));
    }
    return {
      writes,
      onDone: () => {
        this.#doubtful.clear();
        for (const [job, record] of told) {
          job.record = record;
          if (job.lease === undefined && isOver(record.state)) this.#jobs.forget(job);
        }
      },
    };
  }

  #load(contents: StoreContents): void {
    const nowMs = this.#clock.now();
    for (const row of contents.jobs) {
      const { id, key, record } = jobFrom(row, this.#clock);
      this.#nextId = Math.max(this.#nextId, id + 1);
      this.#jobs.restore(new DurableJob(id, key, record));
    }
    for (const { region, jobId, endedAtMs, account } of contents.ended) {
      const name = jobKeyName({ ...placeOf({ account, region }), jobId: jobId as JobId });
      this.#jobs.remember(name, nowMs - endedAtMs);
    }
  }

  #mustBeUsable(): void {
    this.#mustBeOpen();
    const { writable, reason } = this.#writer.health;
    if (!writable) throw new LedgerError("unwritable", reason ?? "the ledger is not writable");
  }

  #mustBeOpen(): void {
    if (this.#closing !== undefined) throw new LedgerError("unwritable", "the ledger is closed");
  }
}
