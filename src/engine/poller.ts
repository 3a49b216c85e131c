// One loop per account, Region, action type and query value: take slots, poll for that many, set the jobs going, rest. It ends
// only when its signal aborts, or, in a single pass, when nothing is waiting any more. It never ends by an error.
import { GatewayError } from "../codepipeline/gateway.js";
import { jobKeyName, type PolledJob } from "../job/job.js";
import { type BackoffPolicy, type BackoffState, next, type PollResult, rested, together } from "./backoff.js";
import type { EngineContext } from "./context.js";
import { faultOf, type PollerName } from "./events.js";
import { type PollerConfig, pollerKey, pollerNameOf } from "./poller-config.js";
import type { Runner } from "./runner.js";
import type { Reservation, Slot } from "./slot.js";
import type { Slots } from "./slots.js";

/** What a polling loop does now, and whether it is about time that it did something else. */
export interface PollerStep {
  readonly doing:
    | "starting"
    | "at-gate"
    | "waiting-for-slot"
    | "gathering-slots"
    | "waiting-for-rate"
    | "polling"
    | "resting"
    | "ended";
  /** How long its next step has been due, in ms of the monotonic clock; negative: it is not due yet. */
  readonly overdueMs: number;
}

/** One polling loop, as /livez judges it. */
export interface PollerLoop extends PollerStep {
  readonly account?: string;
  readonly region: string;
  readonly actionType: string;
  readonly query?: string;
}

export interface PollerOptions {
  readonly context: EngineContext;
  readonly config: PollerConfig;
  readonly slots: Slots;
  readonly runner: Runner;
  /** How many jobs may still be taken (a single pass with a limit); Infinity otherwise. */
  readonly budget: Budget;
  /** A single pass ends when polls have brought nothing for so long, in ms. Absent: polls until stopped. */
  readonly idleEndMs?: number;
}

/** Jobs that may still be taken, over all pollers; `promised`: held by polls under way. */
export interface Budget {
  left: number;
  promised: number;
}

/**
 * When every slot was busy, freed ones are gathered for this long before the next poll: one poll for several
 * slots instead of one for each costs a quarter less per job and delays none that is running.
 */
const gatherMs = 10;
/** What a machine or a ledger is short of for a moment is there again by then. */
const gatePatienceMs = 10_000;
/**
 * Jobs that one poll is to begin at most. They begin in one turn of the event loop, half a millisecond each, and where
 * their calls are answered at once, go on together: with 100 of them that held up everything else for 40 ms, and each cost
 * a fifth more.
 */
const batchMax = 32;
/** Jobs that one poll asks for at most. CodePipeline's own cap is not documented; 100 custom jobs of 100 KB each are still read. */
const askedMax = 100;

/** What a poll's offers are taken by. */
interface PollTake {
  /** There are as many as were asked for, so there may be more. */
  readonly isFull: boolean;
  /** Slots for them. */
  readonly limit: number;
  readonly use: () => Slot | undefined;
  readonly answeredMs: number;
}

export class Poller {
  readonly #options: PollerOptions;
  readonly #name: PollerName;
  readonly #backoff: BackoffPolicy;
  #state: BackoffState = rested;
  /** Nothing is rested from the wake on until the next turn has begun. */
  #isAwake = false;
  #endRest = () => {};
  #lastWorkMs: number;
  /** True when the last poll failed: the next one holds a single slot. */
  #isProbing = false;
  #failures = 0;
  /**
   * The wait for the next poll's first slot, begun during a poll that is likely not the last: slots that are freed
   * meanwhile would go to others in the queue, and weights would have no effect.
   */
  #ahead: { readonly slot: Promise<Reservation | undefined>; readonly stop: AbortController } | undefined;
  /** True when the last poll filled all its slots. */
  #isHungry = false;
  /** Since when a single pass stands at a gate that nobody means to be closed, monotonic. */
  #closedSinceMs: number | undefined;
  /** How many of the last poll's offers were kept already. */
  #again = 0;
  #doing: PollerStep["doing"] = "starting";
  #dueMs: number;
  /** Ends the waiting between polls, but no poll that is under way: what it brings is worked. */
  readonly #end = new AbortController();

  constructor(options: PollerOptions) {
    this.#options = options;
    this.#name = pollerNameOf(options.config);
    const { limits, deps } = options.context;
    this.#backoff = {
      minIntervalMs: limits.polling.minIntervalMs,
      maxIntervalMs: limits.polling.maxIntervalMs,
      failed: limits.retry.poll,
      throttled: limits.retry.throttledPoll,
    };
    this.#lastWorkMs = deps.clock.monotonic();
    this.#dueMs = this.#lastWorkMs;
  }

  get step(): PollerStep {
    return { doing: this.#doing, overdueMs: this.#options.context.deps.clock.monotonic() - this.#dueMs };
  }

  /** Ends the rest it is in; during a turn, the one that would follow. */
  wake(): void {
    this.#isAwake = true;
    this.#endRest();
  }

  /** An offer's turn has come: polls now, unless polls fail, which have rests of their own. */
  turnCame(): void {
    if (this.#failures === 0) this.wake();
  }

  /** Makes no further poll; `run` resolves when the one under way, if any, has been answered and its jobs are going. */
  end(): void {
    this.#end.abort();
  }

  /**
   * Polls until the poll scope ends, until `end` is called, or until a single pass has found nothing left. Never
   * rejects.
   */
  async run(): Promise<void> {
    const signal = AbortSignal.any([this.#options.context.scopes.poll, this.#end.signal]);
    const { budget } = this.#options;
    const onStop = () => {
      this.wake();
      this.#letGo();
    };
    signal.addEventListener("abort", onStop, { once: true });
    while (!signal.aborted && budget.left + budget.promised > 0) {
      this.#isAwake = false;
      // Another poll holds what is left of a single pass: it may give some of it back.
      const restMs = budget.left > 0 ? await this.#turn(signal) : this.#backoff.minIntervalMs;
      if (restMs === "end") break;
      if (restMs > 0 && !signal.aborted && !this.#isAwake) await this.#rests(restMs);
    }
    signal.removeEventListener("abort", onStop);
    this.#letGo();
    this.#begins("ended");
  }

  /** Until `wake`, at most so long. By a timer alone: a signal for each rest takes as long again. */
  async #rests(ms: number): Promise<void> {
    this.#begins("resting", ms);
    const { promise, resolve } = Promise.withResolvers<void>();
    const cancel = this.#options.context.deps.clock.after(ms, resolve);
    this.#endRest = resolve;
    await promise;
    this.#endRest = () => {};
    cancel();
  }

  /** Its next step is due `inMs` from now; /livez knows what may rightly delay it. */
  #begins(doing: PollerStep["doing"], inMs = 0): void {
    this.#doing = doing;
    this.#dueMs = this.#options.context.deps.clock.monotonic() + inMs;
  }

  /** One poll and what follows from it; the rest in ms, or `end`. */
  async #turn(signal: AbortSignal): Promise<number | "end"> {
    const { context, budget, config, idleEndMs } = this.#options;
    // A single pass waits neither for a broken handler nor for the fleet to be resumed, of which it would not hear.
    const isOver =
      idleEndMs !== undefined && !!(context.gate.isFleetPaused || context.admission.handlerClosedBy(config.handler));
    if (isOver) return "end";
    const reservation = await this.#admission(signal);
    if (!reservation) return 0;
    // Counted before the poll: two pollers must not promise the same last job of a single pass.
    const limit = Math.min(reservation.size, budget.left);
    if (limit === 0) {
      // Another poller took what was left of the pass while this one waited; it may give some of it back.
      reservation.giveBack();
      return this.#backoff.minIntervalMs;
    }
    budget.left -= limit;
    budget.promised += limit;
    this.#begins("polling");
    if (this.#isHungry && !signal.aborted) this.#takeAhead();
    const startedMs = context.deps.clock.monotonic();
    const { poll: scope } = context.scopes;
    try {
      return await this.#poll(limit, () => reservation.use(), startedMs, scope);
    } catch (error) {
      return this.#failed(error, limit, startedMs, scope);
    } finally {
      budget.promised -= limit;
      reservation.giveBack();
    }
  }

  /** Slots to poll for, once both gate and slots allow it at one moment; `undefined` when the signal aborts. */
  async #admission(signal: AbortSignal): Promise<Reservation | undefined> {
    const { config, context, slots } = this.#options;
    const name = pollerKey(config);
    const budget = context.budgets.of(config);
    let hasTurn = false;
    while (!signal.aborted) {
      if (context.gate.closedBy(config)) this.#letGo();
      await context.gate.pass(signal, () => this.#atGate(), config);
      if (signal.aborted) return undefined;
      this.#begins("waiting-for-slot");
      const ahead = this.#ahead?.slot;
      const isFull = ahead !== undefined || slots.freeFor(name) === 0;
      const reservation = await (ahead ?? slots.take(name, isFull ? 1 : this.#want(), signal));
      this.#ahead = undefined;
      if (reservation && isFull) await this.#gather(reservation, signal);
      // The gate may have closed while a slot was waited for.
      const isOpen = !signal.aborted && !context.gate.closedBy(config);
      if (isOpen && (hasTurn || budget.perSecond === undefined)) return reservation;
      reservation?.giveBack();
      if (!isOpen) continue;
      // Without slots: they may serve another Region meanwhile.
      this.#begins("waiting-for-rate");
      hasTurn = (await budget.enter("poll", signal)) ?? true;
    }
    return undefined;
  }

  /** Looks at the gate; a single pass does so only for a while, unless what runs here may be what closes it. */
  #atGate(): void {
    const { config, context, idleEndMs, runner } = this.#options;
    this.#begins("at-gate");
    if (idleEndMs === undefined) return;
    const closed = context.gate.closedBy(config);
    const isMeant = closed?.reason === "paused" && !context.gate.isFleetPaused;
    const nowMs = context.deps.clock.monotonic();
    if (!closed || isMeant || runner.inFlight > 0) this.#closedSinceMs = undefined;
    else this.#closedSinceMs ??= nowMs;
    if (nowMs - (this.#closedSinceMs ?? nowMs) >= Math.max(idleEndMs, gatePatienceMs)) this.end();
  }

  async #poll(
    limit: number,
    use: () => Slot | undefined,
    startedMs: number,
    signal: AbortSignal,
  ): Promise<number | "end"> {
    const { config, context, budget, idleEndMs } = this.#options;
    const { turns, deps } = context;
    const { clock } = deps;
    const gateway = deps.gateway(config, config.actionType.owner);
    const asked = limit + this.#behind(limit);
    const answer = await gateway.poll(config.actionType, asked, signal, config.queryParam);
    context.budgets.of(config).ended(false);
    const answeredMs = clock.monotonic();
    this.#recovered();
    // If the service returns more jobs than were asked for, the rest is ignored.
    const isFull = answer.jobs.length >= asked;
    const { taken, hasMore } = await this.#take(answer.jobs.slice(0, asked), { isFull, limit, use, answeredMs });
    budget.left += limit - taken;
    const result: PollResult = {
      kind:
        taken >= limit || (isFull && (hasMore || this.#behind(limit) > asked - limit))
          ? "full"
          : taken === 0
            ? "empty"
            : "some",
    };
    this.#isHungry = result.kind === "full";
    if (!this.#isHungry) this.#letGo();
    const restMs = together(this.#rest(result), clock.monotonic());
    const waiting = turns.waiting(config);
    context.emit({
      type: "poll-finished",
      poller: this.#name,
      limit: asked,
      offered: answer.jobs.length + answer.unreadable.length,
      taken,
      ...(waiting > 0 ? { waiting } : {}),
      unreadable: answer.unreadable.map(context.deps.mask),
      durationMs: answeredMs - startedMs,
      restMs,
    });
    if (taken > 0) this.#lastWorkMs = clock.monotonic();
    const isIdle = taken === 0 && waiting === 0;
    if (idleEndMs !== undefined && isIdle && clock.monotonic() - this.#lastWorkMs >= idleEndMs) return "end";
    return restMs;
  }

  /** Takes those of the offers, and of earlier ones, whose turn it is. `hasMore`: some were new, and wait. */
  async #take(
    jobs: readonly PolledJob[],
    { isFull, limit, use, answeredMs }: PollTake,
  ): Promise<{ readonly taken: number; readonly hasMore: boolean }> {
    const { config, context, runner } = this.#options;
    const { turns } = context;
    const offers = jobs.filter((polled) => !runner.repeated(polled));
    const { fresh, again, names } = turns.offered(config, offers);
    this.#again = again;
    const whole = new Map(offers.map((polled) => [jobKeyName(polled.key), polled]));
    // The gate may have closed during the poll. Waiting offers keep waiting; none of them was acknowledged.
    const most = context.gate.closedBy(config) ? 0 : limit;
    const takes = turns.take(config, most, isFull && fresh.length > 0, names).map(async (offer) => {
      const { key, nonce } = offer;
      const slot = use();
      const polled = whole.get(jobKeyName(key)) ?? { key, nonce };
      const isTaken = slot !== undefined && (await runner.take(polled, config, slot, answeredMs, offer));
      turns.leased(offer);
      return isTaken;
    });
    const hasMore = fresh.some((offer) => turns.isWaiting(config, offer));
    return { taken: (await Promise.all(takes)).filter(Boolean).length, hasMore };
  }

  /**
   * Jobs that a poll may ask for besides those that it has slots for: as many as it would be given again although they
   * wait for their turn, since they must not hide those behind them. None while CodePipeline does not offer them again.
   */
  #behind(limit: number): number {
    if (this.#again === 0) return 0;
    return Math.max(0, Math.min(this.#options.context.turns.waiting(this.#options.config), askedMax - limit));
  }

  #failed(error: unknown, limit: number, startedMs: number, signal: AbortSignal): number | "end" {
    const { config, context, budget, idleEndMs } = this.#options;
    budget.left += limit;
    if (signal.aborted) return 0;
    const fault =
      error instanceof GatewayError
        ? error
        : new GatewayError({ kind: "unavailable", operation: "poll", code: "bug", message: String(error) });
    if (!(error instanceof GatewayError)) {
      const stack = error instanceof Error ? (error.stack ?? "") : "";
      context.emit({ type: "bug", key: undefined, message: String(error), stack });
    }
    this.#isProbing = true;
    this.#isHungry = false;
    this.#letGo();
    this.#failures += 1;
    // The last poll of a removed or replaced poller says nothing about the next one.
    if (!this.#end.signal.aborted) {
      context.breakers.failed(this.#name, "poll", fault);
    }
    context.budgets.of(config).ended(fault.kind === "throttled");
    context.admission.machine.notice(error, "a poll failed");
    const durationMs = context.deps.clock.monotonic() - startedMs;
    const { kind, retryAfterMs } = fault;
    const restMs = this.#rest({ kind: "failed", fault: kind, retryAfterMs, tookMs: durationMs });
    context.emit({
      type: "poll-failed",
      poller: this.#name,
      fault: faultOf(fault, context.deps.mask),
      failures: this.#failures,
      durationMs,
      restMs,
    });
    const idleMs = context.deps.clock.monotonic() - this.#lastWorkMs;
    // A single pass retries a failing poll a few times, within its `idleEndMs`.
    return idleEndMs !== undefined && this.#failures >= 3 && idleMs >= idleEndMs ? "end" : restMs;
  }

  #recovered(): void {
    const { context } = this.#options;
    this.#isProbing = false;
    // The denial may be of the poller that this one replaced.
    context.breakers.passed(this.#name, "poll");
    if (this.#failures === 0) return;
    context.emit({ type: "poll-recovered", poller: this.#name, failures: this.#failures });
    this.#failures = 0;
  }

  #rest(result: PollResult): number {
    const { state, restMs } = next(this.#state, result, this.#backoff, this.#options.context.deps.random);
    this.#state = state;
    return restMs;
  }

  #want(): number {
    const { config, context, budget } = this.#options;
    // While a call for its jobs is denied, or its handler is in doubt, the poller gets one job at a time.
    const isProbing = this.#isProbing || context.breakers.isOpenFor(this.#name);
    if (isProbing) return 1;
    const { mostJobs } = context.budgets.of(config);
    const { admission } = context;
    return Math.min(config.maxConcurrentJobs, budget.left, admission.mostFor(config.handler), mostJobs, batchMax);
  }

  #takeAhead(): void {
    const { config, slots, budget } = this.#options;
    // Other pollers share what is left of a single pass.
    if (this.#ahead || budget.left !== Number.POSITIVE_INFINITY) return;
    const stop = new AbortController();
    this.#ahead = { slot: slots.take(pollerKey(config), 1, stop.signal), stop };
  }

  /** Gives back what was taken ahead, or waits for it no more. */
  #letGo(): void {
    const ahead = this.#ahead;
    this.#ahead = undefined;
    ahead?.stop.abort();
    void ahead?.slot.then((reservation) => reservation?.giveBack());
  }

  /** Waits a moment for other slots to join the first. It is held meanwhile: given back it would lose its turn. */
  async #gather(reservation: Reservation, signal: AbortSignal): Promise<void> {
    this.#begins("gathering-slots");
    await this.#options.context.deps.clock.sleep(gatherMs, signal);
    reservation.grow(this.#want());
  }
}
