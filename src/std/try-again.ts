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
export function tryAgain<T>(options: TryAgain, work: () => Promise<T>): Promise<T> {
  const { clock, signal, restMs, maxMs, passes } = options;
  const startedMs = clock.monotonic();
  // A chain and no loop: a function that waits takes 400 bytes more of each job in flight, and hardly any job fails.
  const attempt = (): Promise<T> =>
    work().catch(async (error: unknown) => {
      const isLate = clock.monotonic() - startedMs >= maxMs;
      if (isLate || signal.aborted || !passes(error)) throw error;
      await clock.sleep(restMs, signal);
      if (signal.aborted) throw error;
      return attempt();
    });
  return attempt();
}
