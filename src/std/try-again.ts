// Tries again what failed by something that passes soon, for a limited time.
import type { Clock } from "./clock.js";

export interface TryAgain {
  readonly clock: Clock;
  /** Ends the waiting; the promise then rejects with the last error. */
  readonly signal: AbortSignal;
  readonly restMs: number;
  readonly maxMs: number;
  /** Asked at each failure. */
  readonly passes: (error: unknown) => boolean;
}

/** What `work` gives, or what it threw last. */
export async function tryAgain<T>(options: TryAgain, work: () => Promise<T>): Promise<T> {
  const startedMs = options.clock.monotonic();
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!(await restToTryAgain(options, startedMs, error))) throw error;
    }
  }
}

/** Rests after an error that passes; false when there is to be no other attempt. */
export async function restToTryAgain(options: TryAgain, startedMs: number, error: unknown): Promise<boolean> {
  const { clock, signal, restMs, maxMs, passes } = options;
  const isLate = clock.monotonic() - startedMs >= maxMs;
  if (isLate || signal.aborted || !passes(error)) return false;
  await clock.sleep(restMs, signal);
  return !signal.aborted;
}
