// How fast CodePipeline is called while it throttles: one budget for each account and Region, over all pollers and calls.
// It lies in the engine because only the engine knows what a call is for, and gives up slots while a poll waits. While
// no call is throttled it only counts.
import { type Place, placeName } from "../job/job.js";
import type { Clock } from "../std/clock.js";
import { TurnoverSet } from "../std/turnover.js";
import type { Deed } from "./breakers.js";

/** Names a budget: what CodePipeline counts calls by. */
export function budgetScope(place: Place): string {
  return placeName(place);
}

/** Results first: they are owed. Then what is claimed with a nonce that ages; polls only bring more to do. */
const order: readonly Deed[] = ["put", "acknowledge", "details", "poll"];

/** Minimum calls a second, even if the service throttles all of them. */
const leastPerSecond = 1;
/** Minimum initial limit: one throttled call among a few says little about the quota. */
const firstPerSecond = 10;
/** How long unused calls may be saved up: a job's details and its acknowledgement belong together. */
const burstMs = 1_000;
/** A second without throttling adds this part for each such second in a row: little near the limit, much far below it. */
const stepPart = 0.05;
const mostStepPart = 0.25;
/** Of what was let through while other calls were throttled: the service's limit is not below that. */
const provenPart = 0.9;
const windowMs = 1_000;
/** After this time without a throttled or delayed call the limit is out of date. */
const liftAfterMs = 60_000;
/** An offer should be claimed within this time, and a job takes so many calls until it has its result. */
const claimWithinS = 20;
const callsPerJob = 3;

interface Waiter {
  readonly go: (isGranted: boolean) => void;
}

export interface CallBudgetOptions {
  readonly clock: Clock;
  /** Told when a limit begins, in calls a second, and when it ends. */
  readonly onLimit: (change: { readonly perSecond: number } | { readonly limitedMs: number }) => void;
}

/** One account's calls in one Region. Increase by small steps, decrease by a part. */
export class CallBudget {
  readonly #options: CallBudgetOptions;
  readonly #lines = new Map(order.map((deed) => [deed, new TurnoverSet<Waiter>()]));
  #limit: { perSecond: number; readonly sinceMs: number; quietSinceMs: number; calm: number } | undefined;
  #window = { sinceMs: Number.NEGATIVE_INFINITY, answered: 0, throttled: 0, hasWaited: false };
  #nextMs = 0;
  #cancelTimer: (() => void) | undefined;

  constructor(options: CallBudgetOptions) {
    this.#options = options;
  }

  /** Calls a second; undefined: not limited. */
  get perSecond(): number | undefined {
    return this.#limit?.perSecond;
  }

  /** Jobs that a poll may ask for, so that they can be claimed before their offers grow old. */
  get mostJobs(): number {
    if (!this.#limit) return Number.POSITIVE_INFINITY;
    return Math.max(1, Math.floor((this.#limit.perSecond * claimWithinS) / callsPerJob));
  }

  /**
   * Undefined: the call may be made at once. Else resolves true when it may, in its turn, and false when the signal aborts
   * first. Tell of its end by `ended`.
   */
  enter(deed: Deed, signal: AbortSignal): Promise<boolean> | undefined {
    if (!this.#limit) return undefined;
    if (signal.aborted) return Promise.resolve(false);
    return new Promise((resolve) => {
      const line = this.#lines.get(deed);
      const waiter: Waiter = {
        go: (isGranted) => {
          if (member) line?.delete(member);
          signal.removeEventListener("abort", onAbort);
          resolve(isGranted);
        },
      };
      const onAbort = () => {
        waiter.go(false);
        this.#serve();
      };
      signal.addEventListener("abort", onAbort, { once: true });
      const member = line?.add(waiter);
      this.#serve();
    });
  }

  /** A call was answered, or failed otherwise than by throttling. */
  ended(isThrottled: boolean): void {
    const nowMs = this.#options.clock.monotonic();
    if (nowMs - this.#window.sinceMs >= windowMs) this.#adapt(nowMs);
    if (isThrottled) this.#window.throttled += 1;
    else this.#window.answered += 1;
    if (isThrottled && !this.#limit) this.#begin(nowMs);
  }

  #begin(nowMs: number): void {
    const perSecond = Math.max(firstPerSecond, this.#window.answered);
    this.#limit = { perSecond, sinceMs: nowMs, quietSinceMs: nowMs, calm: 0 };
    // A bucket that is empty now fills no faster than that.
    this.#nextMs = nowMs + windowMs / perSecond;
    this.#options.onLimit({ perSecond });
  }

  /** At the end of a window: by what came of its calls. */
  #adapt(nowMs: number): void {
    const { sinceMs, answered, throttled, hasWaited } = this.#window;
    this.#window = { sinceMs: nowMs, answered: 0, throttled: 0, hasWaited: this.#isWaitedFor };
    const limit = this.#limit;
    if (!limit) return;
    if (throttled > 0 || hasWaited) limit.quietSinceMs = nowMs;
    const seconds = (nowMs - sinceMs) / 1_000;
    if (throttled > 0) {
      limit.calm = 0;
      const less = limit.perSecond * (1 - throttled / (answered + throttled) / 2);
      limit.perSecond = Math.max(leastPerSecond, less, Math.min(limit.perSecond, (provenPart * answered) / seconds));
    } else if (hasWaited) {
      limit.calm += 1;
      limit.perSecond *= 1 + Math.min(mostStepPart, stepPart * limit.calm);
    } else if (nowMs - limit.quietSinceMs >= liftAfterMs) {
      this.#limit = undefined;
      this.#options.onLimit({ limitedMs: nowMs - limit.sinceMs });
      this.#serve();
    }
  }

  get #isWaitedFor(): boolean {
    for (const line of this.#lines.values()) if (line.size > 0) return true;
    return false;
  }

  /** The next waiter of the first line that has any. */
  #next(): Waiter | undefined {
    for (const line of this.#lines.values()) {
      const [first] = line;
      if (first) return first;
    }
    return undefined;
  }

  #serve(): void {
    const { clock } = this.#options;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    for (let next = this.#next(); next; next = this.#next()) {
      const nowMs = clock.monotonic();
      if (this.#limit && nowMs < this.#nextMs) {
        this.#window.hasWaited = true;
        this.#cancelTimer = clock.after(this.#nextMs - nowMs, () => this.#serve());
        return;
      }
      if (this.#limit) this.#nextMs = Math.max(nowMs - burstMs, this.#nextMs) + 1_000 / this.#limit.perSecond;
      next.go(true);
    }
  }
}

export interface CallBudgetsOptions {
  readonly clock: Clock;
  readonly onLimit: (scope: string, ...change: Parameters<CallBudgetOptions["onLimit"]>) => void;
}

/** The budgets of all accounts and Regions that were called. */
export class CallBudgets {
  readonly #options: CallBudgetsOptions;
  readonly #byScope = new Map<string, CallBudget>();

  constructor(options: CallBudgetsOptions) {
    this.#options = options;
  }

  of(place: Place): CallBudget {
    const scope = budgetScope(place);
    const known = this.#byScope.get(scope);
    if (known) return known;
    const { clock, onLimit } = this.#options;
    const budget = new CallBudget({ clock, onLimit: (change) => onLimit(scope, change) });
    this.#byScope.set(scope, budget);
    return budget;
  }

  /** Nothing is polled there any more. A call that is still made for a job there begins anew. */
  forget(place: Place): void {
    this.#byScope.delete(budgetScope(place));
  }

  /** Those that are limited now, in calls a second. */
  get limits(): readonly { readonly scope: string; readonly perSecond: number }[] {
    return [...this.#byScope].flatMap(([scope, { perSecond }]) =>
      perSecond === undefined ? [] : [{ scope, perSecond }],
    );
  }
}
