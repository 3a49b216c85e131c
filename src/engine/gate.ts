// What must hold before a job is taken, asked in one place and again after every wait: no drain, no pause, a ledger that
// can be written, room for the artifacts of another job. Jobs that are ours already are none of its business.
import type { LostReason } from "../job/lifecycle.js";
import { endOrAbort } from "../std/end-or-abort.js";
import type { Parts } from "./context.js";

/** How often a ledger that cannot be written, or a disk without room, is looked at again. */
const lookMs = 1_000;

/** Why no job may be taken now: as the reason of a job that is dropped for it, and in words. */
export interface Closed {
  readonly reason: LostReason;
  readonly message: string;
}

export class Gate {
  readonly #parts: Omit<Parts, "gate">;
  #pause: PromiseWithResolvers<void> | undefined;
  #isRoomEnough = true;

  constructor(parts: Omit<Parts, "gate">) {
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

  /** Why no job may be taken at this moment; `undefined`: it may. */
  closedBy(): Closed | undefined {
    const { scopes, world } = this.#parts;
    if (scopes.poll.aborted) return { reason: "draining", message: "a drain began before it was acknowledged" };
    if (this.#pause) return { reason: "paused", message: "an operator paused the daemon before it was acknowledged" };
    const { writable, reason = "unknown" } = world.ledger.health();
    if (!writable) return { reason: "ledger-unwritable", message: reason };
    const room = this.#room();
    return room === undefined ? undefined : { reason: "no-room", message: room };
  }

  /** Resolves when a job may be taken, or when the signal aborts. Calls back at each look: only a pause has none. */
  async pass(signal: AbortSignal, onLook: () => void = () => {}): Promise<void> {
    while (!signal.aborted) {
      onLook();
      if (!this.closedBy()) return;
      // Ledger and store themselves try to come back.
      if (this.#pause) await endOrAbort(this.#pause.promise, signal);
      else await this.#parts.world.clock.sleep(lookMs, signal);
    }
  }

  /** Why another job's artifacts have no room; a change is told once, whoever sees it. */
  #room(): string | undefined {
    const { isEnough, reason = "unknown" } = this.#parts.world.artifacts.room();
    if (isEnough !== this.#isRoomEnough) {
      this.#isRoomEnough = isEnough;
      this.#parts.emit(isEnough ? { type: "room-regained" } : { type: "room-short", reason });
    }
    return isEnough ? undefined : reason;
  }
}
