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
export interface Grace extends Disposable {
  readonly over: Promise<"over">;
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
    [Symbol.dispose]: () => {
      signal.removeEventListener("abort", begin);
      cancelTimer();
    },
  };
}
