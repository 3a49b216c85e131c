// A clock that stands still until a test advances it; timers fire in order, and between two of them the
// promises they woke run to rest. Its wall time can be set forward and back; timers and monotonic time do not notice.
import type { Clock } from "../../src/std/clock.js";

interface Timer {
  readonly atMs: number;
  readonly order: number;
  readonly fire: () => void;
}

/** Not the wall time of any start: whoever mixes the two clocks is far off. */
const monotonicStartMs = 5_000;

export class FakeClock implements Clock {
  #nowMs = monotonicStartMs;
  /** From monotonic to wall time. */
  #wallOffsetMs: number;
  #order = 0;
  readonly #timers = new Set<Timer>();

  constructor(startMs = Date.UTC(2026, 0, 1)) {
    this.#wallOffsetMs = startMs - monotonicStartMs;
  }

  now(): number {
    return this.#nowMs + this.#wallOffsetMs;
  }

  monotonic(): number {
    return this.#nowMs;
  }

  /** Sets the wall clock forward, or back. No time passes. */
  step(ms: number): void {
    this.#wallOffsetMs += ms;
  }

  /** How many timers wait: for asserting that nothing was left behind. */
  get pending(): number {
    return this.#timers.size;
  }

  /** When the next timer fires, in ms from now. */
  get nextInMs(): number | undefined {
    const next = this.#next();
    return next && next.atMs - this.#nowMs;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal?.aborted || ms <= 0) {
        resolve();
        return;
      }
      const done = () => {
        cancel();
        signal?.removeEventListener("abort", done);
        resolve();
      };
      const cancel = this.after(ms, done);
      signal?.addEventListener("abort", done, { once: true });
    });
  }

  after(ms: number, callback: () => void): () => void {
    const timer: Timer = { atMs: this.#nowMs + Math.max(ms, 0), order: this.#order++, fire: callback };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** Moves time on by `ms`, firing what falls due on the way. */
  async advance(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms;
    await settle();
    for (let next = this.#next(); next && next.atMs <= untilMs; next = this.#next()) {
      this.#timers.delete(next);
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      next.fire();
      await settle();
    }
    this.#nowMs = untilMs;
  }

  /** Moves time on while the process stands still: no timer has fired yet when it goes on. */
  jump(ms: number): void {
    this.#nowMs += ms;
  }

  #next(): Timer | undefined {
    let first: Timer | undefined;
    for (const timer of this.#timers) {
      if (!first || timer.atMs < first.atMs || (timer.atMs === first.atMs && timer.order < first.order)) first = timer;
    }
    return first;
  }
}

/** Lets promise chains run to rest. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
}
