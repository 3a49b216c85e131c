// Whose turn it is among the customers of one action type: caps, one job at a time for each value, and an even share.
// Decides only which offers are taken now; a job that was taken is not this file's concern any more. It reads
// what is running from the jobs in flight, so that it cannot disagree with them.
import { createHmac, randomBytes } from "node:crypto";
import { type Job, jobKeyName, nonceOffered, type PolledJob } from "../job/job.js";
import { isOver } from "../job/lifecycle.js";
import type { Clock } from "../std/clock.js";
import { type Counts, fewestFirst, inOrder } from "./customer-lines.js";
import type { EngineLimits } from "./deps.js";
import type { Flights } from "./flights.js";
import type { JobInFlight } from "./in-flight.js";
import { type KeptOffer, KeptOffers } from "./kept-offers.js";
import { type PollerConfig, pollerKey } from "./poller-config.js";

export interface TurnsContext {
  readonly flights: Flights;
  readonly limits: EngineLimits;
  readonly deps: { readonly clock: Clock };
}

/** What became of a poll's offers. */
export interface Seen {
  /** Those that are kept and were not before. */
  readonly fresh: readonly KeptOffer[];
  /** Names of all of them: they are surely still offered to us. */
  readonly names: ReadonlySet<string>;
  /** Jobs that were kept already: CodePipeline offers them again although they were never taken. */
  readonly again: number;
}

/** A customer counts as one who may come again for this long after its last offer. */
const clientKnownMs = 86_400_000;
/** How many customers of one entry are remembered so: two are enough to know that it is not one alone. */
const clientsKnownMax = 1_000;
/** Slots stay free for so long while polls look for other customers behind the jobs of one that has its share. */
const lookMaxMs = 3_000;
/** After a look there is none for so many times as long: it costs a tenth of the time, of half of the slots at most. */
const lookRestFactor = 10;

interface InWork {
  readonly byClient: ReadonlyMap<string, Counts>;
  /** Values of `serialBy` of which a job is in work. */
  readonly serials: Set<string>;
}

/** A look for other customers: since when, or until when there is none. In ms of the monotonic clock. */
type Look = { readonly sinceMs: number } | { readonly restUntilMs: number };

export class Turns {
  readonly #context: TurnsContext;
  readonly #kept: KeptOffers;
  /** By entry (`group`): each customer's last offer, in ms of the monotonic clock. */
  readonly #clients = new Map<string, Map<string, number>>();
  readonly #looks = new Map<string, Look>();
  /** Taken, but not in flight yet: the ledger is asked for their leases. */
  readonly #leasing = new Map<KeptOffer, string>();
  /** Values may be secrets of few characters: without this key their hashes tell nothing. */
  readonly #hashKey = randomBytes(32);

  constructor(context: TurnsContext, kept = new KeptOffers()) {
    this.#context = context;
    this.#kept = kept;
  }

  /** Offers of the poller that wait for their turn. */
  waiting(config: PollerConfig): number {
    return this.#kept.count(pollerKey(config));
  }

  /** True while the offer waits for its turn. */
  isWaiting(config: PollerConfig, offer: KeptOffer): boolean {
    return this.#kept.has(pollerKey(config), offer);
  }

  /** Takes note of a poll's offers; jobs in flight are not among them. */
  offered(config: PollerConfig, offers: readonly PolledJob[]): Seen {
    const poller = pollerKey(config);
    const fresh: KeptOffer[] = [];
    let again = 0;
    for (const polled of offers) {
      const client = clientOf(polled);
      const serial = this.#serialOf(config, client, polled.job);
      const nonce = nonceOffered(polled);
      const offer: KeptOffer = { key: polled.key, client, ...(serial && { serial }), ...(nonce && { nonce }) };
      this.#met(config.group, client);
      const isKnown = this.#kept.has(poller, offer);
      const isKept = this.#kept.keep(poller, offer);
      if (isKnown) again += 1;
      else if (isKept) fresh.push(offer);
    }
    return { fresh, again, names: new Set(offers.map(({ key }) => jobKeyName(key))) };
  }

  /**
   * Up to `most` offers whose turn it is, of whichever customer has the fewest jobs in work first. They are kept no more,
   * and count as in work until `leased`. `isMore`: CodePipeline has others, so customers that have their share wait a
   * moment until these have been looked at. Jobs in `names` come first of their customer's: what was offered a while ago
   * may be back in CodePipeline's queue by now.
   */
  take(
    config: PollerConfig,
    most: number,
    isMore: boolean,
    names: ReadonlySet<string> = new Set(),
  ): readonly KeptOffer[] {
    const poller = pollerKey(config);
    const next = this.#next(config, most, this.#mayLook(config, isMore), names);
    for (const offer of next) {
      this.#kept.remove(poller, offer);
      this.#leasing.set(offer, config.group);
    }
    return next;
  }

  /** The job of a taken offer is in flight, or will not be. */
  leased(offer: KeptOffer): void {
    this.#leasing.delete(offer);
  }

  /** True when an offer of the poller only needs a slot. */
  isNext(config: PollerConfig): boolean {
    return this.#kept.count(pollerKey(config)) > 0 && this.#next(config, 1, false).length > 0;
  }

  /** Pollers whose offers wait for their turn. */
  pollers(): Iterable<string> {
    return this.#kept.pollers();
  }

  /**
   * True when the job may be asked for, now that its details are known; from then on its value is taken. Of a job that may
   * be ours already it is only noted.
   */
  mayBegin(flight: JobInFlight, job: Job): boolean {
    const client = flight.key.clientId ?? job.accountId;
    flight.client = client;
    const serial = this.#serialOf(flight.config, client ?? "", job);
    if (serial !== undefined && !flight.isRecovered && this.#isTaken(flight, serial)) return false;
    flight.serial = serial;
    return true;
  }

  /** A job of a previous process is in flight: its client is known before its details, which a fixed result never needs. */
  recovered(flight: JobInFlight): void {
    flight.serial = this.#serialOf(flight.config, flight.client ?? "", undefined);
  }

  /** What is kept of a job that was begun too early, once it has ended here. */
  offerOf(flight: JobInFlight, job: Job): KeptOffer {
    const { key, claim, config } = flight;
    const client = flight.client ?? "";
    const nonce = "nonce" in claim && key.clientId === undefined ? claim.nonce : undefined;
    return { key, client, serial: this.#serialOf(config, client, job), nonce };
  }

  /** What is kept of a job that was offered once more while it was begun, should it be dropped. */
  offerAgain({ client = "", serial }: JobInFlight, polled: PolledJob): KeptOffer {
    return { key: polled.key, client, serial, nonce: nonceOffered(polled) };
  }

  /** The job waits again. */
  putBack(config: PollerConfig, offer: KeptOffer): void {
    this.#kept.keep(pollerKey(config), offer);
  }

  /** There is no such poller any more, or its settings are others. */
  forget(config: PollerConfig): void {
    this.#kept.forget(pollerKey(config));
    this.#looks.delete(pollerKey(config));
  }

  #next(config: PollerConfig, most: number, isLooking: boolean, names?: ReadonlySet<string>): readonly KeptOffer[] {
    const kept = this.#kept.of(pollerKey(config));
    if (kept.size === 0) return [];
    const work = this.#inWork(config);
    const share = isLooking ? shareOf(config, this.#context.limits, [...kept.keys()], work) : Number.POSITIVE_INFINITY;
    const { maxConcurrentJobsPerClient: here = Number.POSITIVE_INFINITY } = config;
    const { maxConcurrentJobsPerClient: all = Number.POSITIVE_INFINITY } = this.#context.limits;
    const lines = [...kept].map(([client, offers], place) => {
      const counts = { ...(work.byClient.get(client) ?? none) };
      const mayHaveMore = () => counts.here < share && (client === "" || (counts.here < here && counts.all < all));
      return { place, offers: inOrder(offers, names), counts, mayHaveMore };
    });
    return fewestFirst(lines, most, work.serials);
  }

  /** Read off the jobs in flight. A job whose outcome is fixed needs no slot and no cap, but its value is its own until the end. */
  #inWork({ group }: PollerConfig): InWork {
    const byClient = new Map<string, Counts>();
    const serials = new Set<string>();
    const add = (client: string, of: string) => {
      const counts = byClient.get(client) ?? { ...none };
      counts.all += 1;
      if (of === group) counts.here += 1;
      byClient.set(client, counts);
    };
    for (const [{ client, serial }, of] of this.#leasing) {
      add(client, of);
      if (serial !== undefined && of === group) serials.add(serial);
    }
    for (const { state, client = "", serial, config } of this.#context.flights.all()) {
      if (isOver(state)) continue;
      if (state !== "settled") add(client, config.group);
      if (serial !== undefined && config.group === group) serials.add(serial);
    }
    return { byClient, serials };
  }

  #isTaken(by: JobInFlight, serial: string): boolean {
    for (const flight of this.#context.flights.all()) {
      if (flight === by || flight.serial !== serial || isOver(flight.state)) continue;
      if (flight.config.group === by.config.group) return true;
    }
    return false;
  }

  /** What `serialBy` says of the job; undefined: nothing, or it is not known yet. */
  #serialOf({ serialBy }: PollerConfig, client: string, job: Job | undefined): string | undefined {
    if (serialBy === undefined) return undefined;
    if (serialBy === "client") return client === "" ? undefined : client;
    const value = job?.configuration[serialBy.slice("configuration.".length)];
    return value === undefined ? undefined : createHmac("sha256", this.#hashKey).update(value).digest("base64");
  }

  #mayLook(config: PollerConfig, isMore: boolean): boolean {
    const poller = pollerKey(config);
    const nowMs = this.#context.deps.clock.monotonic();
    const look = this.#looks.get(poller);
    if (look && "sinceMs" in look) {
      const tookMs = nowMs - look.sinceMs;
      if (isMore && tookMs < lookMaxMs) return true;
      this.#looks.set(poller, { restUntilMs: nowMs + lookRestFactor * tookMs });
      return false;
    }
    if (!isMore || nowMs < (look?.restUntilMs ?? 0) || !this.#areSeveral(config.group)) return false;
    this.#looks.set(poller, { sinceMs: nowMs });
    return true;
  }

  #met(group: string, client: string): void {
    const clients = this.#clients.get(group) ?? new Map<string, number>();
    this.#clients.set(group, clients);
    // The newest stands last.
    clients.delete(client);
    clients.set(client, this.#context.deps.clock.monotonic());
    const [oldest] = clients.keys();
    if (clients.size > clientsKnownMax && oldest !== undefined) clients.delete(oldest);
  }

  #areSeveral(group: string): boolean {
    const sinceMs = this.#context.deps.clock.monotonic() - clientKnownMs;
    let count = 0;
    for (const lastMs of this.#clients.get(group)?.values() ?? []) if (lastMs >= sinceMs) count += 1;
    return count > 1;
  }
}

const none: Readonly<Counts> = { all: 0, here: 0 };

/** An even share of the entry's slots, for those who have jobs and one who may come. */
function shareOf(config: PollerConfig, limits: EngineLimits, clients: readonly string[], { byClient }: InWork): number {
  const working = [...byClient].flatMap(([client, { here }]) => (here > 0 ? [client] : []));
  const count = new Set([...clients, ...working]).size;
  return Math.ceil(Math.min(config.maxConcurrentJobs, limits.maxConcurrentJobs) / Math.max(2, count));
}

function clientOf({ key, job }: PolledJob): string {
  return key.clientId ?? job?.accountId ?? "";
}
