// Where log lines go: written at once, so that a crash loses none, yet never waited for. When the reader of a pipe
// does not keep up, lines wait in a bounded queue; what does not fit is counted and told of later.
import { constants, fstatSync, openSync, writeSync } from "node:fs";
import { isatty } from "node:tty";

export interface LogOutputOptions {
  readonly fd: number;
  /** Most bytes that wait for a slow reader. */
  readonly maxWaitingBytes: number;
  /** Between two tries while it is slow. */
  readonly retryMs: number;
  readonly isColored: boolean;
  /** Writes some of the bytes and says how many; throws EAGAIN when none can be taken now. */
  readonly writeSync: (fd: number, bytes: Uint8Array) => number;
}

/** Most time that the end of the process waits for a slow reader. */
const exitFlushMs = 2_000;

/**
 * Standard output or error as a place for log lines. A pipe or terminal is opened anew, without blocking: else a
 * reader that stands still (`| less`, a stuck collector) would stop the whole daemon, polls and probes included.
 * What still waits when the process ends is written then, for at most two seconds.
 */
export function openLogOutput(fd: 1 | 2, environment: Readonly<Record<string, string | undefined>>): LogOutput {
  const output = new LogOutput({
    fd: withoutBlocking(fd),
    maxWaitingBytes: 16 * 1024 * 1024,
    retryMs: 20,
    isColored: isatty(fd) && !environment["NO_COLOR"] && environment["TERM"] !== "dumb",
    writeSync: (to, bytes) => writeSync(to, bytes),
  });
  process.once("exit", () => output.flush(exitFlushMs));
  return output;
}

/** A descriptor of our own for the same pipe or terminal; the given one where that cannot be had. */
function withoutBlocking(fd: number): number {
  try {
    if (!isatty(fd) && !fstatSync(fd).isFIFO()) return fd;
    return openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch {
    // No /proc, or the pipe belongs to another user: writing may block then, but nothing is lost.
    return fd;
  }
}

/** Writes lines in order; never throws, never waits. */
export class LogOutput {
  readonly isColored: boolean;
  readonly #options: LogOutputOptions;
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #timer: NodeJS.Timeout | undefined;
  #lost = 0;
  #whyLost = "";

  constructor(options: LogOutputOptions) {
    this.#options = options;
    this.isColored = options.isColored;
  }

  /** Writes the line, or lets it wait its turn. */
  write(line: string): void {
    const bytes = Buffer.from(line);
    const rest = this.#waiting.length === 0 ? this.#put(bytes) : bytes;
    if (rest === undefined) return;
    // The rest of a line that is half written must follow, or the next line is spoilt too.
    if (rest.length === bytes.length && this.#waitingBytes + rest.length > this.#options.maxWaitingBytes) {
      this.#lose("its reader does not keep up");
      return;
    }
    this.#waiting.push(rest);
    this.#waitingBytes += rest.length;
    this.#retryLater();
  }

  /** How many lines were lost since the last call, once lines go through again. */
  takeLost(): { readonly lines: number; readonly why: string } | undefined {
    if (this.#lost === 0 || this.#waiting.length > 0) return undefined;
    const lost = { lines: this.#lost, why: this.#whyLost };
    this.#lost = 0;
    return lost;
  }

  /** Writes what waits. Blocks for at most so many ms: only for the end of the process. */
  flush(limitMs: number): void {
    const until = performance.now() + limitMs;
    const nap = new Int32Array(new SharedArrayBuffer(4));
    this.#drain();
    while (this.#waiting.length > 0 && performance.now() < until) {
      Atomics.wait(nap, 0, 0, this.#options.retryMs);
      this.#drain();
    }
  }

  #drain(): void {
    while (this.#waiting.length > 0) {
      const [first] = this.#waiting;
      if (first === undefined) return;
      const rest = this.#put(first);
      if (rest !== undefined) {
        this.#waitingBytes -= first.length - rest.length;
        this.#waiting[0] = rest;
        return;
      }
      this.#waiting.shift();
      this.#waitingBytes -= first.length;
    }
  }

  /** What could not be taken now; `undefined`: done with it. */
  #put(bytes: Uint8Array): Uint8Array | undefined {
    let rest = bytes;
    try {
      while (rest.length > 0) rest = rest.subarray(this.#options.writeSync(this.#options.fd, rest));
      return undefined;
    } catch (error) {
      const code = (error as { code?: unknown }).code;
      if (code === "EAGAIN" || code === "EINTR") return rest;
      // The reader is gone, the disk is full: there is nobody to tell until a write works again.
      this.#lose(`it could not be written (${String(code)})`);
      return undefined;
    }
  }

  #lose(why: string): void {
    this.#lost++;
    this.#whyLost = why;
  }

  #retryLater(): void {
    if (this.#timer !== undefined) return;
    // Not a reason to stay alive: the end of the process flushes.
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#drain();
      if (this.#waiting.length > 0) this.#retryLater();
    }, this.#options.retryMs).unref();
  }
}
