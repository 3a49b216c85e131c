// Where log lines go: written at once, so that a crash loses none, yet never waited for. When the reader does not
// keep up, lines wait in a bounded queue (log-queue.ts); what was dropped is counted, and reported by a line of its
// own once the reader is back.

import { constants, fstatSync, openSync, writeSync } from "node:fs";
import { isatty } from "node:tty";
import { codeOf } from "./errors.js";
import { type LogBatch, type LogLevel, LogQueue } from "./log-queue.js";

export interface LogOutputOptions {
  /** Most bytes that wait for a slow reader. */
  readonly maxWaitingBytes: number;
  /** Between two tries while it takes nothing. */
  readonly retryMs: number;
  readonly isColored: boolean;
  /** Writes some of the bytes and says how many; throws EAGAIN when none can be taken now. Must not block. */
  readonly write: (bytes: Uint8Array) => number;
}

export interface LostLines {
  readonly lines: number;
  readonly why: string;
}

/** How long the end of the process waits for a slow reader: in all, and while it takes nothing. */
const exitFlush = { maxMs: 2_000, stalledMs: 500 };
/** As much as a pipe takes at once. */
const batchBytes = 64 * 1024;
/** Between two tries while the reader takes something. */
const progressRetryMs = 1;
/** Most time for one drain: what the event loop can do without. */
const drainMaxMs = 5;
/** A reader that is back but never catches up is reported after this long. */
const reportLatestMs = 60_000;

/**
 * Standard output or error as a place for log lines. A reader that has stopped (`| less`, journald, a stuck
 * collector) never stops the daemon. What still waits when the process ends is written then, for at most two seconds.
 */
export function openLogOutput(fd: 1 | 2, environment: Readonly<Record<string, string | undefined>>): LogOutput {
  const output = new LogOutput({
    maxWaitingBytes: 16 * 1024 * 1024,
    retryMs: 20,
    isColored: isatty(fd) && !environment["NO_COLOR"] && environment["TERM"] !== "dumb",
    write: withoutBlocking(fd),
  });
  process.once("exit", () => output.flush(exitFlush));
  return output;
}

/**
 * Writes to the same place without blocking. A pipe or terminal is opened again, so that the mode is ours alone. A
 * socket (systemd's journal) cannot be: there Node's own stream is told not to block, before every write, since a
 * child process that inherits the descriptor sets it to blocking. A file has no reader: it is written as it is.
 */
function withoutBlocking(fd: 1 | 2): LogOutputOptions["write"] {
  const stats = fstatSync(fd);
  if (!isatty(fd) && !stats.isFIFO() && !stats.isSocket()) return (bytes) => writeSync(fd, bytes);
  try {
    const own = openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
    return (bytes) => writeSync(own, bytes);
  } catch {
    // A socket, a pipe of another user, or no /proc.
    const { _handle: handle } = (fd === 1 ? process.stdout : process.stderr) as NodeJS.WriteStream & StreamWithHandle;
    return (bytes) => {
      handle?.setBlocking?.(false);
      return writeSync(fd, bytes);
    };
  }
}

/** Node has it, and its documentation does not name it. */
interface StreamWithHandle {
  readonly _handle?: { readonly setBlocking?: (isBlocking: boolean) => number };
}

/** Writes lines in order; never throws, never waits. */
export class LogOutput {
  readonly isColored: boolean;
  readonly #options: LogOutputOptions;
  readonly #queue: LogQueue;
  /** What is being written: it was taken out of the queue, and is not dropped any more. */
  #batch: LogBatch | undefined;
  /** How much of the batch is written. */
  #written = 0;
  /** The last line that was written is not whole, since its rest could not be. */
  #isTorn = false;
  #timer: NodeJS.Timeout | undefined;
  #lost = 0;
  #whyLost = "";
  /** Since when lines go through again that are not reported yet; monotonic. */
  #backSinceMs: number | undefined;
  #report: ((lost: LostLines) => void) | undefined;
  /** How many lost lines the line that is being logged reports. */
  #reporting = 0;

  constructor(options: LogOutputOptions) {
    this.#options = options;
    this.#queue = new LogQueue(options.maxWaitingBytes);
    this.isColored = options.isColored;
  }

  /** Called with what was lost, once lines go through again; logs one line. */
  onLost(report: (lost: LostLines) => void): void {
    this.#report = report;
  }

  /** Writes the line, or lets it wait its turn. */
  write(line: string, level: LogLevel = "info"): void {
    const lines = this.#reporting || 1;
    if (this.#isIdle) {
      const bytes = Buffer.from(line);
      this.#begin({ bytes, ends: [{ at: bytes.length, lines }] });
      if (this.#writeBatch()) {
        this.#reportLost();
        return;
      }
      if (this.#written > 0) {
        this.#retryLater(progressRetryMs);
        return;
      }
      // Nothing of it is written yet: it waits like any other, and may be dropped.
      this.#batch = undefined;
    }
    const dropped = this.#queue.add(line, level, lines);
    if (dropped > 0) this.#countLost(dropped, "the reader of the log did not keep up");
    this.#retryLater(this.#options.retryMs);
  }

  /** Writes what waits. Blocks, within limits that are looked at after every batch: only for the end of the process. */
  flush({ maxMs, stalledMs }: { readonly maxMs: number; readonly stalledMs: number }): void {
    const until = performance.now() + maxMs;
    let takenAt = performance.now();
    const nap = new Int32Array(new SharedArrayBuffer(4));
    for (;;) {
      if (this.#drain(until)) takenAt = performance.now();
      if (this.#isIdle || performance.now() >= Math.min(until, takenAt + stalledMs)) return;
      Atomics.wait(nap, 0, 0, progressRetryMs);
    }
  }

  get #isIdle(): boolean {
    return this.#batch === undefined && this.#queue.bytes === 0;
  }

  #begin(batch: LogBatch): void {
    this.#batch = batch;
    this.#written = 0;
  }

  /** Writes what the reader takes now. True when it took something. */
  #drain(untilMs: number): boolean {
    let isTaken = false;
    do {
      if (this.#batch === undefined) {
        const next = this.#queue.take(batchBytes);
        if (next === undefined) break;
        this.#begin(next);
      }
      const before = this.#written;
      const isDone = this.#writeBatch();
      isTaken ||= isDone || this.#written > before;
      if (!isDone) break;
    } while (performance.now() < untilMs);
    if (isTaken) this.#reportLost();
    return isTaken;
  }

  /** True when the batch is done with: written, or lost. */
  #writeBatch(): boolean {
    const batch = this.#batch;
    if (batch === undefined) return true;
    try {
      if (this.#isTorn) {
        this.#options.write(newline);
        this.#isTorn = false;
      }
      while (this.#written < batch.bytes.length) {
        const taken = this.#options.write(batch.bytes.subarray(this.#written));
        if (taken === 0) return false;
        this.#written += taken;
      }
      if (this.#lost > 0) this.#backSinceMs ??= performance.now();
    } catch (error) {
      const code = codeOf(error);
      if (code === "EAGAIN" || code === "EINTR") return false;
      // The reader is gone, the disk is full: it cannot be reported until a write works again. A line that lacks nothing
      // but its newline is not lost: that is written first.
      const lost = batch.ends.filter(({ at }) => at - newline.length > this.#written);
      this.#isTorn ||= this.#written > 0 && !batch.ends.some(({ at }) => at === this.#written);
      this.#backSinceMs = undefined;
      this.#countLost(
        lost.reduce((sum, { lines }) => sum + lines, 0),
        `the log could not be written (${code})`,
      );
    }
    this.#batch = undefined;
    return true;
  }

  #countLost(lines: number, why: string): void {
    this.#lost += lines;
    this.#whyLost = why;
  }

  /** One line for all that was lost: when half of the queue is free again, or when it never will be. */
  #reportLost(): void {
    if (this.#lost === 0 || this.#backSinceMs === undefined || this.#report === undefined) return;
    const isCatchingUp = this.#queue.bytes <= this.#options.maxWaitingBytes / 2;
    if (!isCatchingUp && performance.now() - this.#backSinceMs < reportLatestMs) return;
    const lines = this.#lost;
    this.#lost = 0;
    this.#backSinceMs = undefined;
    this.#reporting = lines;
    try {
      this.#report({ lines, why: this.#whyLost });
    } finally {
      this.#reporting = 0;
    }
  }

  #retryLater(delayMs: number): void {
    if (this.#timer !== undefined) return;
    // Not a reason to stay alive: the end of the process flushes.
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      const isTaken = this.#drain(performance.now() + drainMaxMs);
      if (!this.#isIdle) this.#retryLater(isTaken ? progressRetryMs : this.#options.retryMs);
    }, delayMs).unref();
  }
}

const newline = Buffer.from("\n");
