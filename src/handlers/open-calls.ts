// The calls of one handler that are under way. Gives each its own signal, which follows the engine's, so that
// handler code never hangs a listener on a signal that outlives the job, and ends them all when the handler closes.
import { following } from "../std/following.js";
import { TurnoverSet } from "../std/turnover.js";

/** Tracks the calls of one handler from start to end. */
export class OpenCalls {
  readonly #open = new TurnoverSet<{ readonly controller: AbortController; readonly settled: Promise<unknown> }>();
  #isClosed = false;

  /** How many calls are under way. */
  get count(): number {
    return this.#open.size;
  }

  /** Runs `work` under a signal that aborts with `signal` or at `close`. Rejects with the reason if it is too late. */
  within<T>(signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    if (this.#isClosed) return Promise.reject(new HandlerClosed());
    if (signal.aborted) return Promise.reject(signal.reason);
    const own = following(signal);
    const settled = begun(work, own.signal);
    const member = this.#open.add({ controller: own.controller, settled });
    const leave = () => {
      this.#open.delete(member);
      own[Symbol.dispose]();
    };
    // Not awaited: a waiting function takes 650 bytes of each job in flight, this a third.
    settled.then(leave, leave);
    return settled;
  }

  /** Aborts every call and resolves when all have settled. Idempotent; never rejects. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const open = [...this.#open];
    for (const { controller } of open) controller.abort(new HandlerClosed());
    await Promise.allSettled(open.map(({ settled }) => settled));
  }
}

/** What throws at once rejects. */
function begun<T>(work: (signal: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T> {
  try {
    return work(signal);
  } catch (error) {
    return Promise.reject(error);
  }
}

/** Why a call ended or was refused: its handler was closed. */
export class HandlerClosed extends Error {
  constructor() {
    super("the handler was closed");
    this.name = "HandlerClosed";
  }
}
