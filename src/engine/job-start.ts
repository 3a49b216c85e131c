// How far one job has come with its handler, and what that says of the handler and of the machine. Decides nothing: the
// breaker of its handler does (handler-breaker.ts), through admission.ts.
import type { HandlerStart, JobHandler } from "../handlers/handler.js";
import type { WorkerFault } from "../job/worker-fault.js";
import type { Clock } from "../std/clock.js";
import type { HandlerEnd } from "./handler-breaker.js";

/** What a job's start tells. */
export type StartChange =
  | { readonly type: "aside" }
  | { readonly type: "begun" }
  | { readonly type: "unwell"; readonly fault: WorkerFault }
  | { readonly type: "ended"; readonly end: HandlerEnd; readonly hasBegun: boolean };

/** What the starts of all jobs of one handler share. */
export interface JobStarts {
  readonly clock: Clock;
  /** A job that ran for so long did not fail quickly. */
  readonly windowMs: number;
  readonly isProbe: (job: JobStart) => boolean;
  readonly mayEnter: (job: JobStart) => boolean;
  readonly enter: (job: JobStart, signal: AbortSignal) => Promise<boolean>;
  readonly mayMeet: (job: JobStart) => boolean;
  readonly meet: (job: JobStart, signal: AbortSignal) => Promise<boolean>;
  readonly runsBy: (handler: JobHandler) => void;
  readonly short: (fault: WorkerFault) => void;
  readonly change: (job: JobStart, change: StartChange) => void;
}

/** One job's start. */
export class JobStart implements HandlerStart {
  readonly #shared: JobStarts;
  #isAdmitted = false;
  /** By the monotonic clock. */
  #begunMs: number | undefined;
  #isOver = false;
  #cancelLasted = () => {};

  constructor(shared: JobStarts) {
    this.#shared = shared;
  }

  /** True once it may be acknowledged, as far as handler and machine are concerned. */
  get isAdmitted(): boolean {
    return this.#isAdmitted;
  }

  /** True once its handler began. */
  get hasBegun(): boolean {
    return this.#begunMs !== undefined;
  }

  /** True when it may be acknowledged now, as far as handler and machine are concerned. */
  mayEnter(): boolean {
    this.#isAdmitted ||= this.#shared.mayEnter(this);
    return this.#isAdmitted;
  }

  /** Waits for its turn; false when the signal aborts, or when the handler or the machine fails meanwhile. */
  async admitted(signal: AbortSignal): Promise<boolean> {
    this.#isAdmitted ||= await this.#shared.enter(this, signal);
    return this.#isAdmitted;
  }

  /** True when its handler may be given the job now, which it then must be. */
  mayMeet(): boolean {
    return this.#shared.mayMeet(this);
  }

  /** Waits until its handler may be given the job; false when the signal aborts first. */
  async turn(signal: AbortSignal): Promise<boolean> {
    return this.mayMeet() || this.#shared.meet(this, signal);
  }

  /** Its handler is given the job now. `isPromised`: a service has it already. */
  runs(handler: JobHandler, isPromised: boolean): void {
    this.#shared.runsBy(handler);
    if (isPromised || !handler.saysBegun) this.begun();
  }

  /** It is busy with something else before it begins. */
  aside(): void {
    if (!this.hasBegun && !this.#isOver) this.#shared.change(this, { type: "aside" });
  }

  /** Its handler could begin. */
  begun(): void {
    if (this.#isOver) return;
    const { clock, windowMs, isProbe } = this.#shared;
    if (!this.hasBegun && isProbe(this)) {
      const sound = { type: "ended", end: "sound", hasBegun: true } as const;
      this.#cancelLasted = clock.after(windowMs, () => this.#shared.change(this, sound));
    }
    this.#begunMs ??= clock.monotonic();
    this.#shared.change(this, { type: "begun" });
  }

  /** It met a fault, and still tries. */
  unwell(fault: WorkerFault): void {
    if (this.#isOver) return;
    if (fault.where === "machine") this.#shared.short(fault);
    else this.#shared.change(this, { type: "unwell", fault });
  }

  /** It ended. Only the first call counts. */
  ended(end: HandlerEnd): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#cancelLasted();
    const { clock, windowMs, short, change } = this.#shared;
    const isMachine = typeof end === "object" && end.where === "machine";
    if (isMachine) short(end);
    const isLate = this.#begunMs !== undefined && clock.monotonic() - this.#begunMs > windowMs;
    const saysNothing = isMachine || (typeof end === "object" && isLate);
    change(this, { type: "ended", end: saysNothing ? "unknown" : end, hasBegun: this.hasBegun });
  }
}
