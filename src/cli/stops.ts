// Signals as requests: the first SIGTERM or SIGINT drains, a second one later than a second hurries, a third ends at
// once. Repeats within that second are one nervous key press. SIGHUP reloads, SIGUSR2 asks for a dump.
import type { Clock } from "../std/clock.js";

export interface StopOptions {
  readonly clock: Clock;
  readonly onDrain: (signal: string) => void;
  readonly onHurry: (signal: string) => void;
  readonly onAtOnce: (signal: string) => void;
  readonly onDump: () => void;
  readonly onReload: () => void;
}

/** A second signal this soon after the last is the same wish. */
const sameWishMs = 1_000;

/** Listens until `close` is called. */
export function listenForStops(options: StopOptions): { readonly close: () => void } {
  let wishes = 0;
  let lastMs = Number.NEGATIVE_INFINITY;
  const onStop = (signal: string) => {
    const nowMs = options.clock.monotonic();
    if (nowMs - lastMs < sameWishMs) return;
    lastMs = nowMs;
    wishes += 1;
    if (wishes === 1) options.onDrain(signal);
    else if (wishes === 2) options.onHurry(signal);
    else options.onAtOnce(signal);
  };
  const listeners = [
    ["SIGTERM", onStop],
    ["SIGINT", onStop],
    ["SIGHUP", options.onReload],
    ["SIGUSR2", options.onDump],
  ] as const;
  for (const [signal, listener] of listeners) process.on(signal, listener);
  return {
    close: () => {
      for (const [signal, listener] of listeners) process.off(signal, listener);
    },
  };
}
