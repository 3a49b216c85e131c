// Whether the machine has what another job needs: files, processes, memory, disk space. A shortage closes the gate, which
// reopens by itself after a pause and a test that really opens a file, starts a process and writes; at first for one
// start at a time.

import { machineFault, WorkerFault } from "../job/worker-fault.js";
import { valueWithin } from "../std/ends-within.js";
import type { EngineDeps, EngineLimits, Scopes } from "./deps.js";
import type { Emit } from "./events.js";
import type { Closed } from "./gate.js";

export interface MachineContext {
  readonly deps: EngineDeps;
  readonly limits: EngineLimits;
  readonly scopes: Scopes;
  readonly emit: Emit;
}

const firstRestMs = 1_000;
const longestRestMs = 15_000;
/** A disk that hangs fails the test. */
const testMaxMs = 10_000;
/** A shortage ends after so long without a fault. */
const calmMs = 5_000;
/** After a shortage: which share of the jobs that ran during it may run at once, and how soon that number may grow. */
const keptShare = 0.75;
const growMs = 30_000;

export class Machine {
  readonly #context: MachineContext;
  readonly #onChange: () => void;
  readonly #starting = new Set<object>();
  /** Jobs that were let through and have not ended. */
  readonly #atWork = new Set<object>();
  /** How many jobs may run at once, because there was a shortage with more. */
  #most = Number.POSITIVE_INFINITY;
  #is: "well" | "short" | "trying" = "well";
  /** True if a job could start since the machine was last tested. */
  #hasBegun = false;
  #fault: WorkerFault | undefined;
  #again = new AbortController();
  #isVerifying = false;

  /** `onChange` is called when more may start than before, or fewer. */
  constructor(context: MachineContext, onChange: () => void) {
    this.#context = context;
    this.#onChange = onChange;
  }

  /** Why no job may be acknowledged now. */
  shortBy(): Closed | undefined {
    if (this.#is !== "short") return undefined;
    return { reason: "machine-short", message: this.#message };
  }

  /** Why no job may be polled for now. */
  closedBy(): Closed | undefined {
    if (this.#is !== "short" && this.left > 0) return undefined;
    return { reason: "machine-short", message: this.#message };
  }

  /** How many more jobs may be taken. */
  get left(): number {
    const most = this.#is === "trying" ? this.#atWork.size + 1 : this.#most;
    return Math.max(0, Math.min(most, this.#most) - this.#atWork.size);
  }

  /** True when one more job may begin now. */
  mayStart(): boolean {
    if (this.#is === "short" || this.left === 0) return false;
    return this.#is === "well" || this.#starting.size === 0;
  }

  started(job: object): void {
    this.#starting.add(job);
    this.#atWork.add(job);
  }

  /** The job could begin. */
  begun(job: object): void {
    this.#hasBegun = true;
    this.#starting.delete(job);
  }

  /** The job ended. */
  ended(job: object): void {
    this.#starting.delete(job);
    this.#atWork.delete(job);
  }

  /** The job is still trying to start. */
  waits(job: object): void {
    this.#starting.delete(job);
  }

  get #message(): string {
    return this.#context.deps.mask(this.#fault?.message ?? "the machine is short");
  }

  /** A shortage was seen, or reported: a report is checked first, unless there just was a shortage. */
  short(fault: WorkerFault): void {
    if (fault.isHearsay && this.#is === "well") return void this.#verify(fault);
    const { emit, deps } = this.#context;
    this.#fault = fault;
    const was = this.#is;
    this.#is = "short";
    if (was === "short") return;
    // The rest is for running jobs: they have results to report.
    const atOnce = Math.min(this.#atWork.size, this.#most);
    if (atOnce > 0) this.#most = Math.max(1, Math.floor(atOnce * keptShare));
    this.#again.abort();
    if (was === "well") {
      emit({ type: "machine-short", code: fault.code ?? "unknown", reason: deps.mask(fault.message) });
      void this.#recover();
    }
    this.#onChange();
  }

  /** A program's own claim of a shortage affects other jobs only once it is confirmed. */
  async #verify(fault: WorkerFault): Promise<void> {
    if (this.#isVerifying) return;
    this.#isVerifying = true;
    const isSo = !(await this.#passesTest());
    this.#isVerifying = false;
    const { code, message } = fault;
    if (isSo && !this.#context.scopes.poll.aborted) this.short(new WorkerFault("machine", message, { code }));
  }

  /** True for a fault of the machine that one of our own parts met; it counts. */
  hasMet(error: unknown): boolean {
    if (!(error instanceof WorkerFault) || error.where !== "machine") return false;
    this.short(error);
    return true;
  }

  /** Looks whether an error was a shortage. */
  notice(error: unknown, what: string): void {
    const fault = machineFault(error, what);
    if (fault) this.short(fault);
  }

  /** Until the shortage ends, or a stop. Never rejects. */
  async #recover(): Promise<void> {
    const { emit, deps, scopes } = this.#context;
    const [{ clock }, stop] = [deps, scopes.poll];
    const sinceMs = clock.monotonic();
    for (let restMs = firstRestMs; ; restMs = this.#hasBegun ? firstRestMs : Math.min(restMs * 2, longestRestMs)) {
      await clock.sleep(restMs, stop);
      const isBack = !stop.aborted && (await this.#passesTest());
      if (stop.aborted) return;
      this.#hasBegun = false;
      if (!isBack) continue;
      this.#again = new AbortController();
      this.#is = "trying";
      this.#onChange();
      await clock.sleep(calmMs, AbortSignal.any([stop, this.#again.signal]));
      if (stop.aborted) return;
      if (!this.#again.signal.aborted) break;
    }
    this.#is = "well";
    emit({ type: "machine-regained", shortMs: clock.monotonic() - sinceMs });
    this.#onChange();
    await this.#grow();
  }

  /** Step by step back to no limit, until the next shortage. */
  async #grow(): Promise<void> {
    const { deps, limits, scopes } = this.#context;
    const again = new AbortController();
    this.#again = again;
    const until = AbortSignal.any([scopes.poll, again.signal]);
    while (Number.isFinite(this.#most)) {
      await deps.clock.sleep(growMs, until);
      if (until.aborted) return;
      const more = Math.ceil(this.#most / keptShare);
      this.#most = more > limits.maxConcurrentJobs ? Number.POSITIVE_INFINITY : more;
      this.#onChange();
    }
  }

  async #passesTest(): Promise<boolean> {
    const { clock, testMachine: test } = this.#context.deps;
    if (!test) return true;
    const passed = test().then(
      () => true,
      () => false,
    );
    return valueWithin(passed, false, { ms: testMaxMs, clock, signal: this.#context.scopes.poll });
  }
}
