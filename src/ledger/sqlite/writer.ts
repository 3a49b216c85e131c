// The queue in front of the ledger's thread: what waits is written in one transaction, and while that is under way
// the next one collects. It owns the ledger's health: a fault fails the records it met, then everything is written
// anew into a freshly opened file, at once and from then on at intervals, until the disk is back.
import { messageOf } from "../../job/failure.js";
import type { Clock } from "../../std/clock.js";
import { type LedgerCommit, LedgerError, type LedgerHealth } from "../ledger.js";
import type { Write } from "./sqlite-rows.js";
import type { StoreContents } from "./sqlite-store.js";
import type { SqliteThread } from "./sqlite-thread.js";

/** One change that waits for the disk; exactly one of the two is called, synchronously with the answer. */
export interface WaitingWrite {
  readonly write: Write;
  readonly onDone: () => void;
  readonly onFault: (fault: LedgerError) => void;
}

/** All that the file must hold now; `onDone` is called when it does. */
export interface Rewrite {
  readonly writes: readonly Write[];
  readonly onDone: () => void;
}

/** What the writer asks of its thread, one thing at a time. */
export type WritingThread = Pick<SqliteThread, "open" | "commit" | "reopen" | "close" | "abandon">;

export interface SqliteWriterOptions {
  readonly path: string;
  readonly thread: (onDeath: (fault: LedgerError) => void) => WritingThread;
  readonly clock: Clock;
  /** Two transactions start at least so far apart, so that under load several records share one. */
  readonly commitSpacingMs: number;
  readonly commitTimeoutMs: number;
  readonly probeIntervalMs: number;
  readonly onHealth: (health: LedgerHealth) => void;
  /** Told of every transaction; must not throw. */
  readonly onCommit?: (commit: LedgerCommit) => void;
  /** Asked before each attempt to repair. */
  readonly rewrite: () => Rewrite;
}

/** Most changes of one transaction: bounds its time and the message that carries it. */
const batchMax = 1_000;

/** Writes changes in groups, each durable when it is answered. */
export class SqliteWriter {
  readonly #options: SqliteWriterOptions;
  readonly #thread: WritingThread;
  #waiting: WaitingWrite[] = [];
  #health: LedgerHealth = { writable: true };
  /** The loop that writes and repairs, while it runs. */
  #driving: Promise<void> | undefined;
  /** Cancels the rest before the next attempt to repair. While it is set, whatever comes fails at once. */
  #cancelRest: (() => void) | undefined;
  /** An answer that nobody waits for any more; the thread can be asked nothing before it. */
  #late: Promise<void> | undefined;
  /** Monotonic. */
  #lastCommitMs = Number.NEGATIVE_INFINITY;
  #isClosed = false;

  constructor(options: SqliteWriterOptions) {
    this.#options = options;
    this.#thread = options.thread((fault) => this.#reopenSoon(fault));
  }

  get health(): LedgerHealth {
    return this.#health;
  }

  /** Opens the file and reads what an earlier process left. Throws LedgerError, and then holds nothing open. */
  async open(): Promise<StoreContents> {
    try {
      return await this.#limited(this.#thread.open(this.#options.clock.now()));
    } catch (error) {
      this.#isClosed = true;
      await this.#closeThread();
      throw error;
    }
  }

  /** Queues one change. */
  write(waiting: WaitingWrite): void {
    if (this.#cancelRest !== undefined || this.#isClosed) {
      waiting.onFault(new LedgerError("unwritable", this.#health.reason ?? "the ledger is closed"));
      return;
    }
    this.#waiting.push(waiting);
    this.#wake();
  }

  /** Writes what waits and closes the file. Never throws; call it once. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.retryNow();
    this.#stopResting();
    await this.#closeThread();
  }

  /** Ends a rest: one more attempt to remedy, and to write what waits. Resolves when it has ended either way. */
  async retryNow(): Promise<void> {
    this.#stopResting();
    this.#wake();
    await this.#driving;
  }

  #wake(): void {
    this.#driving ??= this.#drive();
  }

  async #drive(): Promise<void> {
    // Everything that this turn of the event loop records goes into one transaction.
    await new Promise<void>((resolve) => setImmediate(resolve));
    while (this.#waiting.length > 0 || !this.#health.writable) {
      if (!this.#health.writable && !(await this.#repair())) {
        this.#rest();
        break;
      }
      await this.#keepSpacing();
      if (this.#waiting.length > 0) await this.#commit(this.#waiting.splice(0, batchMax));
    }
    this.#driving = undefined;
  }

  async #keepSpacing(): Promise<void> {
    const { clock, commitSpacingMs } = this.#options;
    const restMs = this.#lastCommitMs + commitSpacingMs - clock.monotonic();
    if (restMs > 0 && !this.#isClosed) await clock.sleep(restMs);
    this.#lastCommitMs = clock.monotonic();
  }

  async #commit(batch: readonly WaitingWrite[]): Promise<void> {
    const { clock, onCommit } = this.#options;
    const startedMs = clock.monotonic();
    try {
      await this.#limited(this.#thread.commit(batch.map((waiting) => waiting.write)));
    } catch (error) {
      onCommit?.({ isDurable: false, durationMs: clock.monotonic() - startedMs });
      const fault = asFault(error);
      this.#turnUnwritable(fault);
      for (const waiting of batch) waiting.onFault(fault);
      return;
    }
    onCommit?.({ isDurable: true, durationMs: clock.monotonic() - startedMs });
    for (const waiting of batch) waiting.onDone();
  }

  /** One attempt; true when the file holds everything again. What waits goes on waiting for the answer. */
  async #repair(): Promise<boolean> {
    if (this.#late !== undefined) return false;
    const { writes, onDone } = this.#options.rewrite();
    try {
      await this.#limited(this.#thread.reopen(writes));
    } catch (error) {
      this.#turnUnwritable(asFault(error));
      return false;
    }
    onDone();
    this.#turn({ writable: true });
    return true;
  }

  #rest(): void {
    const { clock, probeIntervalMs } = this.#options;
    this.#cancelRest = clock.after(probeIntervalMs, () => {
      this.#cancelRest = undefined;
      this.#wake();
    });
    const fault = new LedgerError("unwritable", this.#health.reason ?? "the ledger is not writable");
    for (const waiting of this.#waiting.splice(0)) waiting.onFault(fault);
  }

  #stopResting(): void {
    this.#cancelRest?.();
    this.#cancelRest = undefined;
  }

  /** The answer, or a fault when the disk takes too long; then nothing is asked until the late answer is here. */
  #limited<Answer>(asked: Promise<Answer>): Promise<Answer> {
    const { clock, commitTimeoutMs, path } = this.#options;
    return new Promise((resolve, reject) => {
      const cancel = clock.after(commitTimeoutMs, () => {
        this.#late = asked.then(
          () => this.#cameLate(),
          () => this.#cameLate(),
        );
        reject(
          new LedgerError("unwritable", `the disk of the ledger ${path} has not answered for ${commitTimeoutMs} ms`),
        );
      });
      asked.then(resolve, reject).finally(cancel);
    });
  }

  /** Whatever the answer says, everything is written anew: the records it was for have failed already. */
  #cameLate(): void {
    this.#late = undefined;
    if (this.#isClosed) return;
    this.#stopResting();
    this.#wake();
  }

  #reopenSoon(fault: LedgerError): void {
    if (this.#isClosed) return;
    this.#turnUnwritable(fault);
    this.#wake();
  }

  #turnUnwritable(fault: LedgerError): void {
    this.#turn({ writable: false, reason: fault.message, sinceMs: this.#health.sinceMs ?? this.#options.clock.now() });
  }

  #turn(health: LedgerHealth): void {
    const isNews = health.writable !== this.#health.writable;
    this.#health = health;
    if (!isNews) return;
    try {
      this.#options.onHealth(health);
    } catch {
      // A listener's bug must not stop the writing; health() tells the same.
    }
  }

  async #closeThread(): Promise<void> {
    if (this.#late === undefined) {
      try {
        await this.#limited(this.#thread.close());
        return;
      } catch {
        // All that was answered is in the write-ahead log already; a file closed badly is repaired at the next start.
      }
    }
    this.#thread.abandon();
  }
}

function asFault(error: unknown): LedgerError {
  if (error instanceof LedgerError) return error;
  return new LedgerError("unwritable", `the ledger is not writable: ${messageOf(error)}`, error);
}
