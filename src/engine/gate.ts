// What must hold before a job is taken, asked in one place and again after every wait: no drain, no pause of this
// process or of its fleet, a ledger that can be written, room for the artifacts of another job, a machine that lacks nothing, a handler that works. It does not
// concern jobs that are ours already.
import type { LostReason } from "../job/lifecycle.js";
import { endOrAbort } from "../std/end-or-abort.js";
import type { EngineDeps, Scopes } from "./deps.js";
import type { Emit } from "./events.js";
import type { JobStart } from "./job-start.js";

/** How often what closes the gate, but for a pause, is checked again. */
const lookMs = 1_000;

/** The handler that a job needs; once it is polled, with its start. */
export interface Wanted {
  readonly handler: string;
  readonly start?: JobStart | undefined;
}

/** Why no job may be taken now: the reason for a job that is dropped because of it, and a sentence. */
export interface Closed {
  readonly reason: LostReason;
  readonly message: string;
}

export interface GateContext {
  readonly scopes: Pick<Scopes, "poll">;
  readonly deps: Pick<EngineDeps, "ledger" | "artifacts" | "clock">;
  readonly emit: Emit;
  readonly admission: {
    closedBy(handler: string, start?: JobStart): Closed | undefined;
    readonly machine: { closedBy(): Closed | undefined };
  };
}

export class Gate {
  readonly #context: GateContext;
  #pause: PromiseWithResolvers<void> | undefined;
  #isRoomEnough = true;

  constructor(context: GateContext) {
    this.#context = context;
  }

  /** Closes the gate until resume(). */
  pause(): void {
    if (this.#pause) return;
    this.#pause = Promise.withResolvers<void>();
    this.#context.emit({ type: "paused" });
  }

  resume(): void {
    if (!this.#pause) return;
    this.#pause.resolve();
    this.#pause = undefined;
    this.#context.emit({ type: "resumed" });
  }

  /** An operator paused every process that shares the ledger; it tells when that ends. */
  get isFleetPaused(): boolean {
    return this.#context.deps.ledger.fleet?.pause !== undefined;
  }

  /** Why no job may be taken at this moment, of any handler or of this one; `undefined`: it may. */
  closedBy(wanted?: Wanted): Closed | undefined {
    const { scopes, deps, admission } = this.#context;
    if (scopes.poll.aborted) return { reason: "draining", message: "a drain began before it was acknowledged" };
    if (this.#pause) return { reason: "paused", message: "an operator paused the daemon before it was acknowledged" };
    if (this.isFleetPaused) return { reason: "paused", message: "the fleet was paused before it was acknowledged" };
    const { writable, reason = "unknown" } = deps.ledger.health();
    if (!writable) return { reason: "ledger-unwritable", message: reason };
    const room = this.#room();
    if (room !== undefined) return { reason: "no-room", message: room };
    return wanted ? admission.closedBy(wanted.handler, wanted.start) : admission.machine.closedBy();
  }

  /** Resolves when a job may be taken, or when the signal aborts. `onLook` is called at each check; a pause has none. */
  async pass(signal: AbortSignal, onLook: () => void = () => {}, wanted?: Wanted): Promise<void> {
    while (!signal.aborted) {
      onLook();
      if (!this.closedBy(wanted)) return;
      // Everything else recovers by itself.
      if (this.#pause) await endOrAbort(this.#pause.promise, signal);
      else await this.#context.deps.clock.sleep(lookMs, signal);
    }
  }

  /** Why the disk has no space for another job's artifacts. A change is one event, whoever notices it. */
  #room(): string | undefined {
    const { isEnough, reason = "unknown" } = this.#context.deps.artifacts.room();
    if (isEnough !== this.#isRoomEnough) {
      this.#isRoomEnough = isEnough;
      this.#context.emit(isEnough ? { type: "room-regained" } : { type: "room-short", reason });
    }
    return isEnough ? undefined : reason;
  }
}
