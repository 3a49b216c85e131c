// How long a handler may take to stop once it is asked to, and what becomes of one that does not.
import type { Clock } from "../../std/clock.js";

/** The handler did not settle in time after its signal aborted; `cause` is why it was to stop. */
export class HandlerAbandoned extends Error {
  constructor(graceMs: number, cause: unknown) {
    super(`the handler did not stop within ${graceMs} ms; it was abandoned and may still be running`, {
      cause,
    });
    this.name = "HandlerAbandoned";
  }
}

/** Resolves with "over" when the grace that an abort begins has passed. */
export interface Grace {
  readonly over: Promise<"over">;
  /** Takes timer and listener away. */
  cancel(): void;
}

export function graceAfter(signal: AbortSignal, graceMs: number, clock: Clock): Grace {
  let cancelTimer = () => {};
  let begin = () => {};
  const over = new Promise<"over">((resolve) => {
    begin = () => {
      cancelTimer = clock.after(graceMs, () => resolve("over"));
    };
  });
  signal.addEventListener("abort", begin, { once: true });
  return {
    over,
    cancel: () => {
      signal.removeEventListener("abort", begin);
      cancelTimer();
    },
  };
}
