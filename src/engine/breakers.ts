// Which calls CodePipeline denies us: credentials that expired, are missing, lack a permission, or a clock that is off.
// Every call of a poller and of its jobs counts. A breaker changes no job; calls are retried, so it closes by
// itself.
import type { GatewayError } from "../codepipeline/gateway.js";
import { type Place, placeName, placeOf, pollerName, typeKey } from "../job/job.js";
import { type Emit, type Fault, faultOf, type PollerName } from "./events.js";

export interface BreakersOptions {
  readonly emit: Emit;
  readonly mask: (text: string) => string;
  /** In ms, by the monotonic clock. */
  readonly monotonic: () => number;
}

const deeds = ["poll", "details", "acknowledge", "put"] as const;
/** What a call is for. */
export type Deed = (typeof deeds)[number];

/** One call that is denied now. */
export interface Denial {
  readonly poller: PollerName;
  readonly deed: Deed;
  readonly fault: Fault;
}

interface Breaker {
  readonly place: Place;
  readonly sinceMs: number;
  readonly denials: Map<string, Denial & { readonly lastMs: number }>;
}

/** A denial this old is of a job that has ended: a call that is still wanted is repeated within a minute. */
const forgottenMs = 300_000;

/** One breaker for each account and Region: open while CodePipeline denies any call of it. */
export class Breakers {
  readonly #options: BreakersOptions;
  readonly #open = new Map<string, Breaker>();

  constructor(options: BreakersOptions) {
    this.#options = options;
  }

  /** Every call that is denied now. */
  get denials(): readonly Denial[] {
    return [...this.#open.values()].flatMap(({ denials }) => [...denials.values()]);
  }

  /** True while a call of the poller or of its jobs is denied. */
  isOpenFor(poller: PollerName): boolean {
    if (this.#open.size === 0) return false;
    const names = [pollerName(poller), typeKey(poller)];
    return this.denials.some((denial) => names.includes(pollerName(denial.poller)));
  }

  /** A call failed. Opens the place's breaker when it was denied. */
  failed(poller: PollerName, deed: Deed, error: GatewayError): void {
    if (error.kind !== "denied") return;
    const { emit, mask, monotonic } = this.#options;
    const { actionType, query } = poller;
    const place = placeOf(poller);
    const lastMs = monotonic();
    // A job's key is taken for the pollers of its type: a job does not say by which of them it came.
    const named = { ...place, actionType, ...(query === undefined ? {} : { query }) };
    const denial = { poller: named, deed, fault: faultOf(error, mask), lastMs };
    const name = `${pollerName(poller)} ${deed}`;
    const known = this.#open.get(placeName(place));
    if (known) {
      known.denials.set(name, denial);
      return;
    }
    this.#open.set(placeName(place), { place, sinceMs: lastMs, denials: new Map([[name, denial]]) });
    emit({ type: "breaker-opened", poller: denial.poller, fault: denial.fault });
  }

  /** A call was answered. Closes the breaker when no other is denied. */
  passed(poller: PollerName, deed: Deed): void {
    const breaker = this.#open.get(placeName(poller));
    if (!breaker) return;
    const staleMs = this.#options.monotonic() - forgottenMs;
    const stale = [...breaker.denials].flatMap(([name, { lastMs }]) => (lastMs < staleMs ? [name] : []));
    this.#remove(poller, [`${pollerName(poller)} ${deed}`, ...stale]);
  }

  /** There is no such poller any more. Calls for jobs count for all pollers of the type. */
  forget(poller: PollerName, which: "others-stay" | "last-of-type" = "last-of-type"): void {
    const ofType = which === "others-stay" ? [] : deeds.map((deed) => `${typeKey(poller)} ${deed}`);
    this.#remove(poller, [`${pollerName(poller)} poll`, ...ofType]);
  }

  #remove(of: Place, names: readonly string[]): void {
    const breaker = this.#open.get(placeName(of));
    if (!breaker) return;
    let isRemoved = false;
    for (const name of names) if (breaker.denials.delete(name)) isRemoved = true;
    if (!isRemoved || breaker.denials.size > 0) return;
    this.#open.delete(placeName(of));
    const openMs = this.#options.monotonic() - breaker.sinceMs;
    this.#options.emit({ type: "breaker-closed", ...breaker.place, openMs });
  }
}
