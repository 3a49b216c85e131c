// Which jobs may be acknowledged as far as their handlers and the machine are concerned: asks the breaker of each handler
// and the machine, queues the jobs that must wait, tests a broken handler again, and reports changes.

import type { JobHandler } from "../handlers/handler.js";
import { valueWithin } from "../std/ends-within.js";
import { following } from "../std/following.js";
import { TurnoverSet } from "../std/turnover.js";
import type { PollerName } from "./events.js";
import type { Closed } from "./gate.js";
import { type BreakerLimits, type BreakerState, HandlerBreaker } from "./handler-breaker.js";
import { JobStart, type JobStarts, type StartChange } from "./job-start.js";
import { Machine, type MachineContext } from "./machine.js";
import { type PollerConfig, pollerNameOf } from "./poller-config.js";

export interface AdmissionContext extends MachineContext {
  readonly pollers: ReadonlyMap<string, PollerConfig>;
}

/** How a handler is now. */
export interface HandlerState {
  readonly handler: string;
  readonly state: BreakerState;
  /** Since when it is not closed, in ms since the epoch, and why; masked. */
  readonly broken: { readonly sinceMs: number; readonly code: string; readonly message: string } | undefined;
  /** The pollers whose jobs need it. */
  readonly pollers: readonly PollerName[];
}

/** How long a broken handler is left alone before it is tried again: longer each time, and always within a minute. */
const firstRestMs = 2_000;
const longestRestMs = 50_000;
/** For a handler's own check. */
const checkMaxMs = 5_000;

interface Guard {
  readonly name: string;
  /** The handler that its jobs ran with. */
  handler: JobHandler | undefined;
  readonly limits: BreakerLimits;
  readonly breaker: HandlerBreaker;
  /** Aborts when the handler is replaced. */
  readonly gone: AbortController;
  /** Test jobs since it opened. */
  trials: number;
  isTrying: boolean;
  /** Those that wait to be acknowledged, and those that wait to meet the handler. */
  readonly lines: { readonly enter: Line; readonly meet: Line };
  opened: { readonly wallMs: number; readonly ms: number } | undefined;
  /** What the starts of its jobs share: made for each, it took 600 bytes of a job in flight. */
  starts: JobStarts | undefined;
}

interface Waiter {
  /** Of several, the one with the least has waited longest. */
  readonly place: number;
  /** False: it waits on. */
  readonly look: () => boolean;
}

/** Jobs that wait for the same thing: while the first has to, so have all. */
type Line = TurnoverSet<Waiter>;

/** A handler without limits never opens. */
const noLimits: BreakerLimits = { failures: Number.POSITIVE_INFINITY, windowMs: 0 };

export class Admission {
  readonly #context: AdmissionContext;
  readonly #guards = new Map<string, Guard>();
  /** Lines in which jobs wait. */
  readonly #lines = new Set<Line>();
  #waiters = 0;
  readonly machine: Machine;

  constructor(context: AdmissionContext) {
    this.#context = context;
    this.machine = new Machine(context, () => this.#serve());
  }

  /** Why no job of the handler may be taken now, or not this one. One that waits for its turn waits for the machine. */
  closedBy(handler: string, start?: JobStart): Closed | undefined {
    const { machine } = this;
    const isWaiting = start !== undefined && !start.isAdmitted;
    const short = isWaiting ? undefined : start ? machine.shortBy() : machine.closedBy();
    return short ?? this.handlerClosedBy(handler, start);
  }

  /** The same, but for the machine. */
  handlerClosedBy(handler: string, start?: JobStart): Closed | undefined {
    const { breaker } = this.#guardOf(handler);
    if (breaker.state === "closed") return undefined;
    if (start?.isAdmitted ? breaker.isProbe(start) : breaker.mayStart()) return undefined;
    const why = this.#context.deps.mask(breaker.fault?.message ?? "it fails");
    return { reason: "handler-broken", message: `handler ${handler} is broken: ${why}` };
  }

  /** Jobs that a poll may ask for, as far as the handler and the machine are concerned. */
  mostFor(handler: string): number {
    const most = this.#guardOf(handler).breaker.isSuspect ? 1 : Number.POSITIVE_INFINITY;
    return Math.max(1, Math.min(most, this.machine.left));
  }

  /** Every handler that a poller needs. */
  get states(): readonly HandlerState[] {
    const configs = Map.groupBy(this.#context.pollers.values(), ({ handler }) => handler);
    return [...configs].map(([handler, pollers]) => {
      const { breaker, opened } = this.#guardOf(handler);
      const { fault, state } = breaker;
      const message = this.#context.deps.mask(fault?.message ?? "it fails");
      const broken = opened && { sinceMs: opened.wallMs, code: fault?.code ?? "unknown", message };
      return { handler, state, broken, pollers: pollers.map(pollerNameOf) };
    });
  }

  /** The start of one job of the handler. */
  start(handler: string): JobStart {
    const guard = this.#guardOf(handler);
    guard.starts ??= this.#startsOf(guard);
    return new JobStart(guard.starts);
  }

  #startsOf(guard: Guard): JobStarts {
    const { machine } = this;
    return {
      clock: this.#context.deps.clock,
      windowMs: guard.limits.windowMs,
      isProbe: (job) => guard.breaker.isProbe(job),
      mayEnter: (job) => this.#mayEnter(guard, job) ?? false,
      enter: (job, signal) => this.#until(guard.lines.enter, signal, () => this.#mayEnter(guard, job)),
      mayMeet: (job) => this.#mayMeet(guard, job),
      meet: (job, signal) => this.#until(guard.lines.meet, signal, () => this.#mayMeet(guard, job) || undefined),
      runsBy: (runs) => {
        guard.handler ??= runs;
      },
      short: (fault) => machine.short(fault),
      change: (job, change) => {
        if (change.type === "begun") machine.begun(job);
        else if (change.type === "ended") machine.ended(job);
        else machine.waits(job);
        this.#change(guard, job, change);
      },
    };
  }

  /** A new configuration applies: the state of handlers that are replaced, or have other limits, is discarded. */
  forgetReplaced(): void {
    for (const guard of [...this.#guards.values()]) {
      const { handler, limits, name } = guard;
      const isReplaced = handler && this.#context.deps.handlers.get(name) !== handler;
      const { failures, windowMs } = this.#limitsOf(name);
      if (!isReplaced && failures === limits.failures && windowMs === limits.windowMs) continue;
      this.#guards.delete(guard.name);
      guard.gone.abort();
      this.#closed(guard);
    }
    this.#serve();
  }

  #limitsOf(name: string): BreakerLimits {
    return this.#context.limits.handlerBreakers?.get(name) ?? noLimits;
  }

  #guardOf(name: string): Guard {
    const known = this.#guards.get(name);
    if (known) return known;
    const { clock } = this.#context.deps;
    const limits = this.#limitsOf(name);
    const guard: Guard = {
      name,
      handler: undefined,
      limits,
      breaker: new HandlerBreaker(limits, () => clock.monotonic()),
      gone: new AbortController(),
      trials: 0,
      isTrying: false,
      lines: { enter: new TurnoverSet(), meet: new TurnoverSet() },
      opened: undefined,
      starts: undefined,
    };
    this.#guards.set(name, guard);
    return guard;
  }

  /** True when the job may be acknowledged now, which it then is; false when its handler fails. */
  #mayEnter(guard: Guard, job: JobStart): boolean | undefined {
    if (this.handlerClosedBy(guard.name)) return false;
    // If its handler was replaced meanwhile, the job runs with the new one.
    if (!this.machine.mayStart() || !(guard.gone.signal.aborted || guard.breaker.mayStart())) return undefined;
    guard.breaker.started(job);
    this.machine.started(job);
    return true;
  }

  /** True when the handler may be given the job now, which it then is. */
  #mayMeet(guard: Guard, job: JobStart): boolean {
    if (!guard.gone.signal.aborted && !guard.breaker.mayRun(job)) return false;
    guard.breaker.runs(job);
    return true;
  }

  /** What `look` finds; it is asked again at changes while it finds nothing. False once the signal aborts. */
  #until(line: Line, signal: AbortSignal, look: () => boolean | undefined): Promise<boolean> {
    const now = signal.aborted ? false : look();
    if (now !== undefined) return Promise.resolve(now);
    return new Promise((resolve) => {
      const again = () => {
        const found = signal.aborted ? false : look();
        if (found === undefined) return false;
        line.delete(member);
        if (line.size === 0) this.#lines.delete(line);
        signal.removeEventListener("abort", again);
        resolve(found);
        return true;
      };
      const member = line.add({ place: this.#waiters++, look: again });
      this.#lines.add(line);
      signal.addEventListener("abort", again, { once: true });
    });
  }

  /**
   * Looks at the first of each line, the longest-waiting first: thousands of jobs may wait, and every job that begins or
   * ends comes here.
   */
  #serve(): void {
    if (this.#lines.size === 0) return;
    const stuck = new Set<Line>();
    for (let next = this.#firstBut(stuck); next; next = this.#firstBut(stuck)) {
      if (!next.waiter.look()) stuck.add(next.line);
    }
  }

  #firstBut(stuck: ReadonlySet<Line>): { readonly line: Line; readonly waiter: Waiter } | undefined {
    let first: { readonly line: Line; readonly waiter: Waiter } | undefined;
    for (const line of this.#lines) {
      const [waiter] = line;
      if (!waiter || stuck.has(line)) continue;
      if (!first || waiter.place < first.waiter.place) first = { line, waiter };
    }
    return first;
  }

  #change(guard: Guard, job: JobStart, change: StartChange): void {
    const { breaker } = guard;
    const before = breaker.state;
    if (change.type === "aside") breaker.setAside(job);
    else if (change.type === "begun") breaker.begun(job);
    else if (change.type === "unwell") breaker.unwell(job, change.fault);
    else breaker.ended(job, change.end, change.hasBegun);
    const { state } = breaker;
    if (!guard.gone.signal.aborted) {
      if (state === "open" && before !== "open") this.#opened(guard);
      if (state === "closed" && before !== "closed") this.#closed(guard);
    }
    this.#serve();
  }

  #opened(guard: Guard): void {
    const { clock, mask } = this.#context.deps;
    const { fault } = guard.breaker;
    if (!guard.opened) {
      guard.opened = { wallMs: clock.now(), ms: clock.monotonic() };
      const [code, message] = [fault?.code ?? "unknown", mask(fault?.message ?? "it fails")];
      this.#context.emit({ type: "handler-broken", handler: guard.name, code, message });
    }
    void this.#tryAgain(guard);
  }

  #closed(guard: Guard): void {
    const { opened } = guard;
    if (!opened) return;
    guard.opened = undefined;
    guard.trials = 0;
    const openMs = this.#context.deps.clock.monotonic() - opened.ms;
    this.#context.emit({ type: "handler-recovered", handler: guard.name, openMs });
  }

  /** Lets one job through after a rest, once the handler's own check passes. Never rejects. */
  async #tryAgain(guard: Guard): Promise<void> {
    if (guard.isTrying) return;
    guard.isTrying = true;
    const { clock } = this.#context.deps;
    const until = AbortSignal.any([this.#context.scopes.poll, guard.gone.signal]);
    while (guard.breaker.state === "open" && !until.aborted) {
      const restMs = Math.min(firstRestMs * 2 ** guard.trials, longestRestMs);
      guard.trials += 1;
      await clock.sleep(restMs, until);
      if (until.aborted || !(await this.#passesCheck(guard, until))) continue;
      // A job that was still retrying may have reached it meanwhile.
      guard.breaker.halfOpen();
      this.#serve();
    }
    guard.isTrying = false;
  }

  async #passesCheck({ handler }: Guard, until: AbortSignal): Promise<boolean> {
    if (!handler?.check) return true;
    const checking = following(until);
    const passed = handler.check(checking.signal).then(
      () => true,
      () => false,
    );
    const { clock } = this.#context.deps;
    const isPassed = await valueWithin(passed, false, { ms: checkMaxMs, clock, signal: until });
    checking.controller.abort();
    checking[Symbol.dispose]();
    return isPassed && !until.aborted;
  }
}
