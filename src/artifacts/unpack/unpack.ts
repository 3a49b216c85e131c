// Unpacks artifacts in threads: the near side. Takes a file, which may still be growing, and gives a folder, or the
// JobFailure that says why not. What an archive is, and what is refused, is decided in the thread (unpack-worker.ts).
// It must never know where the file comes from.
import { rm } from "node:fs/promises";
import type { Worker } from "node:worker_threads";
import type { Clock } from "../../std/clock.js";
import { failureOfRefusal, refusalOf } from "../refusal.js";
import { fileComplete, giveUp, headWritten, newProgress, type Progress, tailWritten } from "./growing-file.js";
import { UnpackThread } from "./thread.js";
import type { Unpacked, UnpackOrder } from "./unpack-request.js";
import { startsLikeZip } from "./zip-end.js";

export interface UnpackCall extends UnpackOrder {
  /** Ends the work: the result then rejects with the signal's reason. */
  readonly signal: AbortSignal;
}

/**
 * One file on its way to a folder. Report to it what is written and await `result`. There is no need to wait for the
 * thread in between: what it has not read yet is in the file.
 */
export interface Unpacking {
  /** So many bytes from the start of the file are written (not only handed to a stream). */
  wrote(bytes: number): void;
  /**
   * How many last bytes are worth fetching before the others, judged by the first ones: those of a large zip, whose
   * directory is at its end. 0 for all else.
   */
  tailWanted(first: Buffer): number;
  /**
   * All bytes from this offset to the end of the file are written: with them a zip is unpacked while the rest arrives.
   * Without it, and for other kinds, nothing changes but the time.
   */
  wroteTail(offset: number): void;
  /** The file is written in full. Without it `result` never resolves. */
  complete(): void;
  /** The file will not be complete: the result rejects with this reason. */
  giveUp(reason: unknown): void;
  /**
   * Resolves when `into` is there in full. Rejects, with nothing left at `into` and the thread's work ended, with:
   * JobFailure ConfigurationError (the archive is hostile, broken, encrypted or too large: the customer must fix it),
   * JobFailure SystemUnavailable (disk full, our own trouble), or the reason of the signal or of `giveUp`.
   */
  readonly result: Promise<Unpacked>;
}

export interface UnpackerOptions {
  readonly clock: Clock;
  /**
   * Threads at most, two or more. One is kept for files that are there in full, so that slow downloads delay no other
   * job.
   */
  readonly threadsMax: number;
  /** A thread without work ends after this time. */
  readonly threadIdleMs: number;
  /** So long a thread may take to end its work before it is ended by force. */
  readonly threadEndMs: number;
  /** Starts a thread (`startUnpackWorker`). */
  readonly start: () => Worker;
}

/** A smaller zip has come before a second request for its end is answered. */
const tailFromBytes = 8 * 2 ** 20;
/** The directory of about 40,000 entries; and never more than an eighth of what is fetched anyway. */
const tailMaxBytes = 4 * 2 ** 20;

interface Waiting {
  readonly call: UnpackCall;
  readonly progress: Progress;
  readonly settle: PromiseWithResolvers<Unpacked>;
  isComplete: boolean;
  /** Why it is no longer needed. */
  givenUp: { readonly reason: unknown } | undefined;
  thread: UnpackThread | undefined;
  /** Settled: the thread may be at work for another. */
  isOver: boolean;
}

/** Owns the threads. They are started when there is work, reused, and ended when they are idle. */
export class Unpacker {
  readonly #options: UnpackerOptions;
  readonly #waiting: Waiting[] = [];
  readonly #running = new Set<Waiting>();
  readonly #threads = new Set<UnpackThread>();
  #isClosed = false;

  constructor(options: UnpackerOptions) {
    this.#options = options;
  }

  /** Unpacks a file that is there in full. Resolves and rejects as `Unpacking.result`. */
  unpack(call: UnpackCall): Promise<Unpacked> {
    const unpacking = this.begin(call);
    unpacking.complete();
    return unpacking.result;
  }

  /** Begins with a file that may still be growing. Never throws; all that goes wrong is in `result`. */
  begin(call: UnpackCall): Unpacking {
    const job: Waiting = {
      call,
      progress: newProgress(),
      settle: Promise.withResolvers(),
      isComplete: false,
      givenUp: undefined,
      thread: undefined,
      isOver: false,
    };
    const aborted = () => this.#giveUp(job, call.signal.reason);
    job.settle.promise.catch(() => {}).finally(() => call.signal.removeEventListener("abort", aborted));
    if (this.#isClosed) this.#giveUp(job, new Error("bug: the unpacker is closed"));
    else if (call.signal.aborted) aborted();
    else {
      call.signal.addEventListener("abort", aborted, { once: true });
      this.#waiting.push(job);
      this.#assign();
    }
    return {
      wrote: (bytes) => headWritten(job.progress, bytes),
      tailWanted: (first) => tailOf(first, call.size ?? 0),
      wroteTail: (offset) => tailWritten(job.progress, offset),
      complete: () => {
        job.isComplete = true;
        fileComplete(job.progress);
        this.#assign();
      },
      giveUp: (reason) => this.#giveUp(job, reason),
      result: job.settle.promise,
    };
  }

  /** Ends every work (its result rejects) and every thread. Idempotent. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const job of [...this.#waiting, ...this.#running]) this.#giveUp(job, new Error("the unpacker was closed"));
    await Promise.all([...this.#threads].map((thread) => thread.end()));
  }

  #giveUp(job: Waiting, reason: unknown): void {
    if (job.isOver || job.givenUp !== undefined) return;
    job.givenUp = { reason };
    giveUp(job.progress);
    if (job.thread !== undefined) {
      // The result rejects once the thread writes no more: the caller may remove the folder then.
      void job.thread.endWork();
      return;
    }
    const index = this.#waiting.indexOf(job);
    if (index >= 0) this.#waiting.splice(index, 1);
    job.settle.reject(reason);
  }

  /** Gives work to threads: files that are complete first, and growing ones only while a thread stays free. */
  #assign(): void {
    for (;;) {
      const busy = [...this.#threads].filter((thread) => thread.isBusy).length;
      if (this.#isClosed || busy >= this.#options.threadsMax) return;
      const isLast = busy === this.#options.threadsMax - 1;
      const job = this.#waiting.find((each) => each.isComplete) ?? (isLast ? undefined : this.#waiting[0]);
      if (job === undefined) return;
      this.#waiting.splice(this.#waiting.indexOf(job), 1);
      void this.#work(job);
    }
  }

  async #work(job: Waiting): Promise<void> {
    const { artifact, file, into, plainName, size, limits } = job.call;
    const request = { artifact, file, into, plainName, limits, progress: job.progress };
    this.#running.add(job);
    try {
      const thread = [...this.#threads].find((each) => !each.isBusy) ?? this.#newThread(artifact);
      job.thread = thread;
      const unpacked = await thread.run(size === undefined ? request : { ...request, size });
      // Given up in the very moment when it was done: the caller that gave up expects no folder.
      if (job.givenUp !== undefined) await rm(into, { recursive: true, force: true });
      else job.settle.resolve(unpacked);
    } catch (error) {
      job.settle.reject(job.givenUp === undefined ? error : job.givenUp.reason);
    } finally {
      job.isOver = true;
      this.#running.delete(job);
      if (job.givenUp !== undefined) job.settle.reject(job.givenUp.reason);
      this.#assign();
    }
  }

  /** Throws JobFailure: a limit of threads (a container's pids, systemd's TasksMax) may be reached at any time. */
  #newThread(artifact: string): UnpackThread {
    const { start, clock, threadIdleMs, threadEndMs } = this.#options;
    try {
      const thread: UnpackThread = new UnpackThread({
        start,
        clock,
        idleMs: threadIdleMs,
        endMs: threadEndMs,
        onEnd: () => this.#threads.delete(thread),
      });
      this.#threads.add(thread);
      return thread;
    } catch (error) {
      throw failureOfRefusal(refusalOf(error, artifact), error);
    }
  }
}

function tailOf(first: Buffer, size: number): number {
  return size < tailFromBytes || !startsLikeZip(first) ? 0 : Math.min(tailMaxBytes, Math.floor(size / 8));
}
