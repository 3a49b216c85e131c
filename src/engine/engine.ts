// The engine as a whole: starts recovery and the pollers, and stops in three steps, each with its own scope:
// polls first, handlers when the drain timeout has passed, reports last. `stop` always settles.
import { isOver } from "../job/lifecycle.js";
import type { GivenJob } from "../job/meant.js";
import type { Order } from "../job/order.js";
import type { Clock } from "../std/clock.js";
import { endOrAbort } from "../std/end-or-abort.js";
import { endsWithin } from "../std/ends-within.js";
import { Admission, type HandlerState } from "./admission.js";
import { Breakers, type Denial } from "./breakers.js";
import { CallBudgets } from "./call-budget.js";
import type { EngineContext } from "./context.js";
import type { EngineDeps, EngineLimits } from "./deps.js";
import type { Emit, Held, Observe, OrderAnswer } from "./events.js";
import { Flights } from "./flights.js";
import { type Closed, Gate } from "./gate.js";
import { HeldAtEnd } from "./held-at-end.js";
import { giveOrder, refusedBy } from "./orders.js";
import type { Budget, PollerLoop } from "./poller.js";
import { configsByKey, type PollerConfig, pollerNameOf } from "./poller-config.js";
import { Pollers } from "./pollers.js";
import { hearOffers, recover, recoverOthers, recoverReturned } from "./recovery.js";
import { Runner } from "./runner.js";
import { Slots } from "./slots.js";
import { TokenWaits } from "./token-waits.js";
import { Turns } from "./turns.js";

export interface WorkerOptions {
  readonly deps: EngineDeps;
  readonly pollers: readonly PollerConfig[];
  readonly limits: EngineLimits;
  readonly observe: Observe;
}

/** How a worker ended. */
export interface WorkerEnd extends Held {
  /** True when a loop failed: a bug, reported by an event. */
  readonly isBroken: boolean;
}

/** Slots of all action types together, and of each: `group` is its name. */
export type WorkerSlots = Pick<Slots, "busy" | "max" | "working" | "owed" | "groups">;

export class Worker {
  readonly #poll = new AbortController();
  readonly #work = new AbortController();
  readonly #report = new AbortController();
  /** No handler runs any more; jobs only wait for CodePipeline to accept their results. */
  readonly #ceased = new AbortController();
  /** Nothing is waited for any more. */
  readonly #now = new AbortController();
  readonly #context: { -readonly [K in keyof EngineContext]: EngineContext[K] };
  readonly #slots: Slots;
  readonly #runner: Runner;
  readonly #pollers: Pollers;
  readonly #loops = new Set<Promise<void>>();
  #stopping: Promise<WorkerEnd> | undefined;
  /** Resolves when the jobs of a previous process are recovered or given back. */
  #recovered: Promise<void> = Promise.resolve();
  /** The reading of the ledger at the start, and what follows from it. */
  #beginning: Promise<void> | undefined;
  #isBroken = false;
  readonly #held: HeldAtEnd;
  readonly #ended = Promise.withResolvers<WorkerEnd>();

  constructor(options: WorkerOptions) {
    const { clock } = options.deps;
    this.#held = new HeldAtEnd(options.deps.ledger);
    const emit: Emit = (event) => {
      try {
        options.observe({ ...event, atMs: clock.now() });
      } catch {
        // What a reader throws must not reach the engine; daemon.ts reports it.
      }
      if (event.type === "job-changed" || event.type === "job-unfinished") this.#ceaseIfWorked();
      this.#held.observe(event);
    };
    const context = {
      deps: options.deps,
      limits: options.limits,
      scopes: { poll: this.#poll.signal, work: this.#work.signal, report: this.#report.signal },
      emit,
      breakers: new Breakers({ emit, mask: options.deps.mask, monotonic: () => clock.monotonic() }),
      pollers: configsByKey(options.pollers),
      tokenWaits: new TokenWaits(),
      budgets: budgetsOf(clock, emit),
      flights: new Flights(),
    };
    const whole = Object.assign(context, { admission: new Admission(context), turns: new Turns(context) });
    this.#context = Object.assign(whole, { gate: new Gate(whole) });
    this.#slots = new Slots({ max: options.limits.maxConcurrentJobs });
    this.#runner = new Runner(this.#context, this.#slots);
    this.#pollers = new Pollers({
      context: this.#context,
      slots: this.#slots,
      runner: this.#runner,
      watch: (loop) => this.#watch(loop),
    });
  }

  get slots(): WorkerSlots {
    const { busy, max, working, owed, groups } = this.#slots;
    return { busy, max, working, owed, groups };
  }

  /** What each polling loop does now. */
  get loops(): readonly PollerLoop[] {
    return this.#pollers.loops;
  }

  get inFlight(): number {
    return this.#runner.inFlight;
  }

  /** For how many jobs CodePipeline or the ledger waits by now. */
  get owed(): number {
    return this.#held.count(this.#runner).owed;
  }

  /** Jobs that CodePipeline waits for without an active worker here: mostly of action types no longer configured. */
  get unattended(): number {
    return this.#runner.unfinished.size;
  }

  /** Why no job is taken now, whatever its handler; absent: jobs are. */
  get closedBy(): Closed | undefined {
    return this.#context.gate.closedBy();
  }

  /** Calls that CodePipeline denies now. */
  get denials(): readonly Denial[] {
    return this.#context.breakers.denials;
  }

  /** Calls a second, where CodePipeline throttles; none while it does not. */
  get callLimits(): CallBudgets["limits"] {
    return this.#context.budgets.limits;
  }

  /** The handlers of all pollers, as they are now. */
  get handlers(): readonly HandlerState[] {
    return this.#context.admission.states;
  }

  /** Resolves when the worker has stopped, for whatever reason. */
  get ended(): Promise<WorkerEnd> {
    return this.#ended.promise;
  }

  /**
   * True when a callback for the job may come before it is listened for: while jobs of a previous process are being
   * recovered, or their details fetched.
   */
  mayAwaitCallback(jobId: string): boolean {
    return !this.#held.isRead || this.#runner.awaitsCallback(jobId);
  }

  /** True from the first call of stop() on. */
  get isStopping(): boolean {
    return this.#stopping !== undefined;
  }

  /** Recovers the jobs of a previous process and starts to poll. Throws LedgerError if the ledger cannot be read. */
  async start(): Promise<void> {
    this.#beginning = this.#begin({ left: Number.POSITIVE_INFINITY, promised: 0 });
    await this.#beginning;
  }

  /**
   * One pass: processes the waiting jobs until polls have brought nothing for `idleEndMs` or `maxJobs` were taken, then
   * waits for the jobs in flight. Call stop() afterwards all the same.
   */
  async once(pass: { readonly idleEndMs: number; readonly maxJobs: number }): Promise<void> {
    this.#context.tokenWaits.turnOff();
    this.#beginning = this.#begin({ left: pass.maxJobs, promised: 0 }, pass.idleEndMs);
    await this.#beginning;
    await this.#loopsEnd();
    if (!this.#poll.signal.aborted) await this.#runner.whenIdle();
  }

  /** Stops polls and acknowledges until resume(); acknowledged jobs continue. */
  pause(): void {
    this.#context.gate.pause();
  }

  resume(): void {
    this.#context.gate.resume();
  }

  /** Polls now instead of after the rest. */
  wake(): void {
    this.#pollers.wake();
  }

  /**
   * Takes on other action types and limits while it runs. Pollers whose action type or timing changed end after the
   * poll that is under way, and others begin; running jobs keep their old settings. Resolves when everything that began
   * before has ended. Call it only between start() and stop().
   */
  async apply(change: { readonly pollers: readonly PollerConfig[]; readonly limits: EngineLimits }): Promise<void> {
    const context = this.#context;
    const isNewPace =
      JSON.stringify([context.limits.polling, context.limits.retry.poll, context.limits.retry.throttledPoll]) !==
      JSON.stringify([change.limits.polling, change.limits.retry.poll, change.limits.retry.throttledPoll]);
    context.limits = change.limits;
    context.pollers = configsByKey(change.pollers);
    context.admission.forgetReplaced();
    this.#slots.resize(change.limits.maxConcurrentJobs);
    const { added, removed, ended } = this.#pollers.apply(isNewPace);
    context.emit({
      type: "pollers-changed",
      added: added.map(pollerNameOf),
      removed: removed.map(pollerNameOf),
      slots: change.limits.maxConcurrentJobs,
    });
    if (added.length > 0) void this.#watch(recoverReturned(context, this.#runner));
    await ended;
    await this.#runner.whenTheseEnd();
  }

  /** Carries out an operator's order for one job: fails it, or releases it. Rejects only for a bug. */
  async order(job: GivenJob, order: Order): Promise<OrderAnswer> {
    // Until then the ledger's jobs are leased, and would not be found.
    await this.#recovered;
    return giveOrder(this.#context, this.#runner, job, order).catch(refusedBy);
  }

  /** Drains and ends. Idempotent; resolves within the three shutdown limits together. */
  stop(): Promise<WorkerEnd> {
    if (!this.#stopping) {
      this.#stopping = this.#drain();
      this.#stopping.then(this.#ended.resolve, this.#ended.reject);
    }
    return this.#stopping;
  }

  /** Ends a drain's waiting now: handlers are aborted, what is owed is still reported. */
  hurry(reason: string): void {
    void this.stop();
    if (this.#work.signal.aborted) return;
    this.#context.emit({ type: "drain-hurried", inFlight: this.inFlight, reason });
    this.#work.abort(new Error(reason));
  }

  /** Ends every wait of a stop now: what CodePipeline has not accepted by now stays owed. */
  stopNow(reason: string): void {
    this.hurry(reason);
    this.#now.abort();
  }

  async #begin(budget: Budget, idleEndMs?: number): Promise<void> {
    if (this.isStopping) return;
    const context = this.#context;
    const { ledger, learnSecrets } = context.deps;
    // Before the ledger leases its jobs, and whether or not a stop comes: what is held is to be known.
    if (learnSecrets) await endOrAbort(learnSecrets(), context.scopes.poll);
    const unfinished = await ledger.unfinished();
    this.#held.isRead = true;
    if (!this.isStopping)
      context.emit({ type: "worker-started", pollers: context.pollers.size, slots: this.#slots.max });
    this.#recovered = this.#watch(recover(context, this.#runner, unfinished));
    void this.#watch(hearOffers(context, this.#runner));
    if (this.isStopping) return;
    // A single pass recovers what there was when it began.
    if (idleEndMs === undefined) void this.#watch(recoverOthers(context, this.#runner, this.#slots));
    this.#pollers.begin({ budget, ...(idleEndMs === undefined ? {} : { idleEndMs }) });
  }

  /** Watches a loop until it ends. None may end by an error: that drains the daemon and ends the process. */
  #watch(running: Promise<void>): Promise<void> {
    const loop = running
      .catch((error: unknown) => {
        this.#isBroken = true;
        const stack = error instanceof Error ? (error.stack ?? "") : "";
        this.#context.emit({ type: "bug", key: undefined, message: `a loop failed: ${String(error)}`, stack });
        void this.stop();
      })
      .finally(() => this.#loops.delete(loop));
    this.#loops.add(loop);
    return loop;
  }

  async #loopsEnd(): Promise<void> {
    while (this.#loops.size > 0) await Promise.all(this.#loops);
  }

  async #drain(): Promise<WorkerEnd> {
    const { clock } = this.#context.deps;
    const { drainTimeoutMs, cancelGraceMs, reportTimeoutMs } = this.#context.limits.shutdown;
    const startedMs = clock.monotonic();
    this.#context.emit({ type: "drain-started", inFlight: this.inFlight, timeoutMs: drainTimeoutMs });
    this.#poll.abort(new Error("partnerd is draining"));
    // Jobs that a start under way still finds are given back, and counted.
    if (this.#beginning) await endsWithin(this.#beginning, drainTimeoutMs, clock, this.#work.signal);
    this.#ceaseIfWorked();
    await this.#idleWithin(drainTimeoutMs, AbortSignal.any([this.#work.signal, this.#ceased.signal]));
    if (this.#ceased.signal.aborted) {
      // Only results are left: their own time begins now, and no handler is aborted.
      await this.#idleWithin(reportTimeoutMs, this.#now.signal);
    } else if (this.inFlight > 0) {
      this.hurry("the drain timeout has passed");
      await this.#idleWithin(cancelGraceMs + reportTimeoutMs, this.#now.signal);
    }
    this.#work.abort(new Error("partnerd stops"));
    this.#report.abort(new Error("partnerd stops"));
    // What is left only has to notice its abort; a handler that does not is abandoned by its own limit.
    await this.#idleWithin(abortedSettleMs);
    // A ledger that does not answer must not delay a stop: what is not written is recovered by the next start.
    await endsWithin(Promise.all([this.#loopsEnd(), this.#held.settle()]), abortedSettleMs, clock);
    const held = this.#held.count(this.#runner);
    this.#context.emit({ type: "drain-finished", ...held, durationMs: clock.monotonic() - startedMs });
    return { ...held, isBroken: this.#isBroken };
  }

  /** In a drain: true from the moment on when every job that is left only waits for CodePipeline to take its result. */
  #ceaseIfWorked(): void {
    if (!this.#poll.signal.aborted || this.inFlight === 0) return;
    const flights = [...this.#runner.flights()];
    if (flights.every(({ state, isEnded }) => isEnded || state === "settled" || isOver(state))) this.#ceased.abort();
  }

  /** Waits until no job is in flight, at most so long, or until the signal aborts. */
  #idleWithin(ms: number, signal?: AbortSignal): Promise<void> {
    return endsWithin(this.#runner.whenIdle(), ms, this.#context.deps.clock, signal);
  }
}

/** How long jobs have to notice that everything was aborted. */
const abortedSettleMs = 500;

function budgetsOf(clock: Clock, emit: Emit): CallBudgets {
  return new CallBudgets({
    clock,
    onLimit: (scope, change) =>
      emit(
        "perSecond" in change
          ? { type: "calls-limited", scope, ...change }
          : { type: "calls-unlimited", scope, ...change },
      ),
  });
}
