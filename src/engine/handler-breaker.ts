// The breaker of one handler: which of its jobs may start, by how those before them fared. Pure but for the time that it
// is given; admission.ts decides who waits, what is logged and when the handler is tested again.
import type { WorkerFault } from "../job/worker-fault.js";

/** `failures` faults of the handler in a row, each within `windowMs` of the one before, open its breaker. */
export interface BreakerLimits {
  readonly failures: number;
  readonly windowMs: number;
}

/** `half-open`: one job is let through, to see whether the handler works again. */
export type BreakerState = "closed" | "half-open" | "open";

/** How a job ended, as far as it says something of its handler: it works, it has this fault, or nothing is known. */
export type HandlerEnd = "sound" | "unknown" | WorkerFault;

interface Found {
  readonly job: object;
  readonly fault: WorkerFault;
  atMs: number;
  /** The job could not begin, and the next that can refutes it. What ends a job at its work is refuted only by an end. */
  readonly isStart: boolean;
  /** The job still tries: a fault of now, however old. */
  isCurrent: boolean;
}

/** What a handler has proved by beginning jobs counts for so long. */
const provedMs = 250;

/**
 * A job asks twice: before it is acknowledged, and before its handler is given it. Jobs that the handler was given and
 * has not begun count as failures to come, so that never more than `failures` jobs meet a broken handler at once; after
 * the first fault there is one at a time. Those that are acknowledged meanwhile wait. They are as few, unless
 * the handler is beginning jobs just now: for each of these one more, or a round trip to CodePipeline would bound
 * how many jobs a second it gets.
 */
export class HandlerBreaker {
  readonly #limits: BreakerLimits;
  readonly #monotonic: () => number;
  /** Let through, and not given to the handler yet. */
  readonly #coming = new Set<object>();
  /** Given to the handler, and not begun. */
  readonly #starting = new Set<object>();
  /** Jobs that began since the last fault, each soon after the one before, and when the last one did. */
  #proved = 0;
  #provedMs = Number.NEGATIVE_INFINITY;
  #faults: Found[] = [];
  #probe: object | undefined;
  #state: BreakerState = "closed";

  constructor(limits: BreakerLimits, monotonic: () => number) {
    this.#limits = limits;
    this.#monotonic = monotonic;
  }

  get state(): BreakerState {
    return this.#state;
  }

  /** True while the handler has faults that nothing refuted: its jobs start one at a time. */
  get isSuspect(): boolean {
    this.#forgetOld();
    return this.#faults.length > 0 || this.#state !== "closed";
  }

  /** The newest fault. */
  get fault(): WorkerFault | undefined {
    return this.#faults.at(-1)?.fault;
  }

  /** True for the one job that shows whether the handler works again. */
  isProbe(job: object): boolean {
    return this.#probe === job;
  }

  /** True when one more job may be acknowledged now. */
  mayStart(): boolean {
    // Those that are acknowledged already come first.
    if (this.isSuspect) return this.#coming.size === 0 && this.#mayMeet();
    const isProved = this.#monotonic() - this.#provedMs <= provedMs;
    return this.#coming.size + this.#starting.size < this.#limits.failures + (isProved ? this.#proved : 0);
  }

  /** A job was let through, which `mayStart` allowed. */
  started(job: object): void {
    if (this.isSuspect) this.#probe = job;
    this.#coming.add(job);
  }

  /** True when the handler may be given the job now. */
  mayRun(job: object): boolean {
    return this.#probe === job || this.#mayMeet();
  }

  /** The handler is given the job, which `mayRun` allowed. */
  runs(job: object): void {
    if (this.isSuspect) this.#probe = job;
    this.#coming.delete(job);
    this.#starting.add(job);
  }

  /** True when one more job may meet what may be broken. */
  #mayMeet(): boolean {
    if (this.#state === "open") return false;
    if (this.isSuspect && this.#probe !== undefined) return false;
    return this.#state === "half-open" || this.#starting.size + this.#faults.length < this.#limits.failures;
  }

  /** The job is busy with something else before it begins: others need not wait for it. */
  setAside(job: object): void {
    this.#forget(job);
  }

  /** The handler could begin the job: it can be started, or its service can be reached. */
  begun(job: object): void {
    this.#forget(job);
    const nowMs = this.#monotonic();
    this.#proved = nowMs - this.#provedMs <= provedMs ? this.#proved + 1 : 1;
    this.#provedMs = nowMs;
    this.#faults = this.#faults.filter(({ isStart }) => !isStart);
    if (this.#faults.length === 0) this.#close();
  }

  /** The job still tries, and the handler is at fault now. */
  unwell(job: object, fault: WorkerFault): void {
    this.#forget(job);
    this.#found({ job, fault, isStart: true, isCurrent: true });
  }

  /** The job ended. */
  ended(job: object, end: HandlerEnd, hasBegun: boolean): void {
    this.#forget(job);
    if (end === "sound") return this.#close();
    if (end !== "unknown") this.#found({ job, fault: end, isStart: !hasBegun, isCurrent: false });
    const own = this.#faults.find((each) => each.job === job);
    if (own?.isCurrent) Object.assign(own, { isCurrent: false, atMs: this.#monotonic() });
    if (this.#probe === job) this.#probe = undefined;
  }

  /** An open breaker lets one job through. */
  halfOpen(): void {
    if (this.#state !== "open") return;
    this.#state = "half-open";
    this.#probe = undefined;
  }

  #forget(job: object): void {
    this.#coming.delete(job);
    this.#starting.delete(job);
  }

  #found(found: Omit<Found, "atMs">): void {
    this.#provedMs = Number.NEGATIVE_INFINITY;
    if (!Number.isFinite(this.#limits.failures)) return;
    this.#forgetOld();
    const others = this.#faults.filter(({ job }) => job !== found.job);
    this.#faults = [...others, { ...found, atMs: this.#monotonic() }].slice(-this.#limits.failures);
    const isAgain = this.#state === "half-open" && this.#probe === found.job;
    if (this.#probe === found.job) this.#probe = undefined;
    if (isAgain || this.#faults.length >= this.#limits.failures) this.#state = "open";
  }

  #close(): void {
    this.#faults = [];
    this.#probe = undefined;
    this.#state = "closed";
  }

  /** A row of faults ends when none follows in time. */
  #forgetOld(): void {
    // Asked several times for each job, and nearly always there is nothing.
    if (this.#faults.length === 0) return;
    if (this.#state !== "closed" || this.#faults.some(({ isCurrent }) => isCurrent)) return;
    const lastMs = this.#faults.at(-1)?.atMs;
    if (lastMs === undefined || this.#monotonic() - lastMs <= this.#limits.windowMs) return;
    this.#faults = [];
    this.#probe = undefined;
  }
}
