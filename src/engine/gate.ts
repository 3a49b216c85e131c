// Whether new jobs may be taken now: not in a pause, not without a ledger that can be written, and not without room for
// the artifacts of another job. Jobs that run are none of its business.
import { endOrAbort } from "../std/end-or-abort.js";
import type { Parts } from "./context.js";

/** How often a ledger that cannot be written, or a disk without room, is looked at again. */
const lookMs = 1_000;

export class Gate {
  readonly #parts: Parts;
  #pause: PromiseWithResolvers<void> | undefined;
  #isRoomEnough = true;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Lets nobody through until resume(). */
  pause(): void {
    if (this.#pause) return;
    this.#pause = Promise.withResolvers<void>();
    this.#parts.emit({ type: "paused" });
  }

  resume(): void {
    if (!this.#pause) return;
    this.#pause.resolve();
    this.#pause = undefined;
    this.#parts.emit({ type: "resumed" });
  }

  /** Resolves when a poll may be made, or when the signal aborts. Calls back at each look: only a pause has none. */
  async pass(signal: AbortSignal, onLook: () => void): Promise<void> {
    const { clock, ledger } = this.#parts.world;
    while (!signal.aborted) {
      onLook();
      if (this.#pause) {
        await endOrAbort(this.#pause.promise, signal);
      } else if (!ledger.health().writable || !this.#hasRoom()) {
        // Without a record nothing new may be acknowledged; ledger and store themselves try to come back.
        await clock.sleep(lookMs, signal);
      } else {
        return;
      }
    }
  }

  /** Whether another job's artifacts have room; a change is told once, whichever poller sees it. */
  #hasRoom(): boolean {
    const { isEnough, reason = "unknown" } = this.#parts.world.artifacts.room();
    if (isEnough !== this.#isRoomEnough) {
      this.#isRoomEnough = isEnough;
      this.#parts.emit(isEnough ? { type: "room-regained" } : { type: "room-short", reason });
    }
    return isEnough;
  }
}
