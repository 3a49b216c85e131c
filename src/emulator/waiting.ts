// Waiting on what happens rather than on time: for a condition, or for an event.
// Every wait ends: by its limit, its signal, or the emulator's end.
import type { EmulatorEvent, Events } from "./emulator-events.js";

/** How a wait can end before its time. */
export interface WaitOptions {
  /** Real time, whatever clock the emulator runs on: a wait that fails must fail soon. Default 20 s. */
  readonly limitMs?: number;
  readonly signal?: AbortSignal;
  /** What is waited for, for the error that says it did not come. */
  readonly what?: string;
}

const limitMsDefault = 20_000;

/** Resolves with the first value but `undefined` and `false` that `probe` gives, now or after an event. */
export function waitUntil<Value>(
  probe: (event?: EmulatorEvent) => Value | undefined | false,
  at: {
    readonly events: Events;
    readonly closing: AbortSignal;
    readonly options: WaitOptions;
    /** What the emulator looks like, for the error. */
    readonly describe: () => string;
  },
): Promise<Value> {
  const { limitMs = limitMsDefault, signal, what = "what was waited for" } = at.options;
  return new Promise((resolve, reject) => {
    const finish = (settle: () => void) => {
      clearTimeout(timer);
      unsubscribe();
      at.closing.removeEventListener("abort", onClose);
      signal?.removeEventListener("abort", onAbort);
      settle();
    };
    const fail = (why: string) => finish(() => reject(new Error(`${what} did not come: ${why}; ${at.describe()}`)));
    const onClose = () => fail("the emulator was closed");
    const onAbort = () => fail("the wait was aborted");
    const look = (event?: EmulatorEvent) => {
      try {
        const value = probe(event);
        if (value !== undefined && value !== false) finish(() => resolve(value));
      } catch (error) {
        finish(() => reject(error));
      }
    };
    const timer = setTimeout(() => fail(`${limitMs} ms are over`), limitMs);
    const unsubscribe = at.events.on(look);
    at.closing.addEventListener("abort", onClose, { once: true });
    signal?.addEventListener("abort", onAbort, { once: true });
    if (at.closing.aborted) onClose();
    else if (signal?.aborted) onAbort();
    else look();
  });
}
