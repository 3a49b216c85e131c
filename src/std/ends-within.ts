// Waits for something that may never end, with a limit.
import type { Clock } from "./clock.js";
import { following } from "./following.js";

export interface WaitLimit {
  readonly ms: number;
  readonly clock: Clock;
  /** Ends the waiting early. */
  readonly signal?: AbortSignal;
}

/** What the promise gives, or `late` when the limit comes first. Rejects as the promise does before it. */
export async function valueWithin<T, L>(
  promise: Promise<T>,
  late: L,
  { ms, clock, signal }: WaitLimit,
): Promise<T | L> {
  const waiting = signal ? following(signal) : following();
  try {
    return await Promise.race([promise, clock.sleep(ms, waiting.signal).then(() => late)]);
  } finally {
    waiting.controller.abort();
    waiting[Symbol.dispose]();
  }
}

/** Waits until the promise ends, at most `ms`, or until the signal aborts. Never rejects: its error is its owner's. */
export async function endsWithin(
  ending: Promise<unknown>,
  ms: number,
  clock: Clock,
  signal?: AbortSignal,
): Promise<void> {
  const ended = ending.catch(() => {});
  await valueWithin(ended, undefined, { ms, clock, ...(signal && { signal }) });
}
