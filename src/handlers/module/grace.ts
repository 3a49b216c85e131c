// How long a handler may take to stop once it is asked to, and what becomes of one that does not.
import type { Clock } from "../../std/clock.js";
import { follow } from "../../std/following.js";
import type { Settled } from "./handler-job.js";

/** The handler did not settle in time after its signal aborted; `cause` is why it was to stop. */
export class HandlerAbandoned extends Error {
  constructor(graceMs: number, cause: unknown) {
    super(`the handler did not stop within ${graceMs} ms; it was abandoned and may still be running`, {
      cause,
    });
    this.name = "HandlerAbandoned";
  }
}

export interface Grace {
  readonly signal: AbortSignal;
  /** From the abort on. */
  readonly graceMs: number;
  readonly clock: Clock;
}

/** How the work ended; "over" if it did not within the grace that an abort begins. Neither rejects. */
export function settledOrOver(work: Promise<Settled>, { signal, graceMs, clock }: Grace): Promise<Settled | "over"> {
  // One promise, since each job in flight holds it: with a race and its parts it took a kilobyte more.
  return new Promise((resolve) => {
    let cancel = () => {};
    const following = follow(signal, {
      abort: () => {
        cancel = clock.after(graceMs, () => resolve("over"));
      },
    });
    void work.then((settled) => {
      following[Symbol.dispose]();
      cancel();
      resolve(settled);
    });
  });
}
