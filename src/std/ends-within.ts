// Waits for something that may never end, with a limit.
import type { Clock } from "./clock.js";

/** Waits until the promise ends, at most `ms`, or until the signal aborts. Never rejects: its error is its owner's. */
export async function endsWithin(
  ending: Promise<unknown>,
  ms: number,
  clock: Clock,
  signal?: AbortSignal,
): Promise<void> {
  if (signal?.aborted) return;
  const over = new AbortController();
  const end = () => over.abort();
  void ending.then(end, end);
  await clock.sleep(ms, signal ? AbortSignal.any([over.signal, signal]) : over.signal);
}
