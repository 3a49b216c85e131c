// Offers whose turn has not come: ids only, and not more than so many. Nothing here is ours, and nothing is lost with it:
// CodePipeline offers every job again that nobody acknowledged.
import { type JobKey, jobKeyName, type Nonce } from "../job/job.js";

/** One job that a poll offered and that was not taken. */
export interface KeptOffer {
  readonly key: JobKey;
  /** The customer: client id or account id; "" where CodePipeline did not say. */
  readonly client: string;
  /** What `serialBy` names, as far as it is known, hashed where it may be secret. */
  readonly serial?: string | undefined;
  /** Custom jobs only: that of the newest offer; details do not tell it. */
  readonly nonce?: Nonce | undefined;
}

/** More than a scan of any backlog that partnerd gets through within an hour; about 300 bytes each. */
const offersMax = 10_000;

/** By poller and client, each client's in the order of their offers. */
export class KeptOffers {
  readonly #pollers = new Map<string, Map<string, Map<string, KeptOffer>>>();
  readonly #max: number;
  #size = 0;

  constructor(max = offersMax) {
    this.#max = max;
  }

  get size(): number {
    return this.#size;
  }

  /** Pollers that have any. */
  pollers(): Iterable<string> {
    return this.#pollers.keys();
  }

  /** The poller's, by client. */
  of(poller: string): ReadonlyMap<string, ReadonlyMap<string, KeptOffer>> {
    return this.#pollers.get(poller) ?? new Map();
  }

  count(poller: string): number {
    let sum = 0;
    for (const offers of this.of(poller).values()) sum += offers.size;
    return sum;
  }

  has(poller: string, { key, client }: KeptOffer): boolean {
    return this.of(poller).get(client)?.has(jobKeyName(key)) ?? false;
  }

  /**
   * Keeps the offer, or refreshes the one of the same job in its place; what was known of its `serial` stays. When there
   * are too many, the client that has the most gives one up: the newest, which may be this one. False then.
   */
  keep(poller: string, offer: KeptOffer): boolean {
    const name = jobKeyName(offer.key);
    const known = this.of(poller).get(offer.client)?.get(name);
    if (known) {
      this.#list(poller, offer.client).set(name, { ...offer, serial: offer.serial ?? known.serial });
      return true;
    }
    this.#list(poller, offer.client).set(name, offer);
    this.#size += 1;
    if (this.#size > this.#max) this.#giveOneUp();
    return this.has(poller, offer);
  }

  remove(poller: string, { key, client }: KeptOffer): void {
    if (this.#pollers.get(poller)?.get(client)?.delete(jobKeyName(key))) this.#size -= 1;
    this.#tidy(poller, client);
  }

  /** There is no such poller any more. */
  forget(poller: string): void {
    this.#size -= this.count(poller);
    this.#pollers.delete(poller);
  }

  #giveOneUp(): void {
    let most: { readonly poller: string; readonly offers: ReadonlyMap<string, KeptOffer> } | undefined;
    for (const [poller, clients] of this.#pollers) {
      for (const offers of clients.values()) if (offers.size > (most?.offers.size ?? 0)) most = { poller, offers };
    }
    const newest = most && [...most.offers.values()].at(-1);
    if (most && newest) this.remove(most.poller, newest);
  }

  #list(poller: string, client: string): Map<string, KeptOffer> {
    const clients = this.#pollers.get(poller) ?? new Map<string, Map<string, KeptOffer>>();
    this.#pollers.set(poller, clients);
    const offers = clients.get(client) ?? new Map<string, KeptOffer>();
    clients.set(client, offers);
    return offers;
  }

  #tidy(poller: string, client: string): void {
    const clients = this.#pollers.get(poller);
    if (clients?.get(client)?.size === 0) clients.delete(client);
    if (clients?.size === 0) this.#pollers.delete(poller);
  }
}
