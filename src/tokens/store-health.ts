// Whether a token store answers, and how often it is asked while it does not: by one look-up at a time, with back-off,
// however many clients wait. Knows no tokens and makes no look-ups itself.
import type { ClientId } from "../job/job.js";
import type { Clock } from "../std/clock.js";
import { jitteredMs } from "../std/retry.js";
import type { TokenStoreEvent } from "./token-store.js";

/** Between two look-ups that fail: short enough that a customer hardly notices the end of an outage. */
export const storeRetry = { minDelayMs: 500, maxDelayMs: 4_000, factor: 2, maxElapsedMs: Number.POSITIVE_INFINITY };
/** A single failure may be about one client. */
const toldAfterFailures = 2;

export interface StoreHealthOptions {
  readonly clock: Clock;
  readonly random: () => number;
  /** What it throws is its own affair. */
  readonly onEvent: (event: TokenStoreEvent) => void;
}

export class StoreHealth {
  readonly #options: StoreHealthOptions;
  /** Of the look-ups since the last answer, those that count: one for each wait. */
  #rounds = 0;
  #failures = 0;
  #awaySinceMs: number | undefined;
  #nextProbeMs = 0;
  #probe: ClientId | undefined;
  /** Clients take turns as probes: the look-up of one client may be the only one that fails. */
  #lastProbe: ClientId | undefined;
  #hasOthersWaiting = false;
  #isTold = false;
  #message = "";

  constructor(options: StoreHealthOptions) {
    this.#options = options;
  }

  get isAway(): boolean {
    return this.#awaySinceMs !== undefined;
  }

  /** What the last look-up failed with. */
  get message(): string {
    return this.#message;
  }

  /**
   * May the client be looked up now? While the store is away this allows one probe for each wait: the caller that gets
   * true then must say how it ended, by `answered`, `failed` or `given`.
   */
  mayAsk(clientId: ClientId): boolean {
    if (this.#awaySinceMs === undefined) return true;
    if (clientId !== this.#lastProbe) this.#hasOthersWaiting = true;
    if (this.#probe !== undefined || this.#options.clock.monotonic() < this.#nextProbeMs) return false;
    if (clientId === this.#lastProbe && this.#hasOthersWaiting) {
      // Only for this once: those who waited may have given up.
      this.#hasOthersWaiting = false;
      return false;
    }
    this.#probe = clientId;
    this.#lastProbe = clientId;
    this.#hasOthersWaiting = false;
    return true;
  }

  /** True when a look-up that waited for its turn may still be made. */
  isDue(clientId: ClientId): boolean {
    return this.#awaySinceMs === undefined || this.#probe === clientId;
  }

  /** The store said something, whatever it was. */
  answered(): void {
    const sinceMs = this.#awaySinceMs;
    const wasTold = this.#isTold;
    this.#awaySinceMs = undefined;
    this.#probe = undefined;
    this.#lastProbe = undefined;
    this.#rounds = 0;
    this.#failures = 0;
    this.#isTold = false;
    if (sinceMs === undefined || !wasTold) return;
    this.#tell({ type: "back", awayMs: this.#options.clock.monotonic() - sinceMs });
  }

  /** The store did not answer. */
  failed(clientId: ClientId, message: string): void {
    const { clock, random } = this.#options;
    this.#message = message;
    this.#failures += 1;
    const isFirst = this.#awaySinceMs === undefined;
    this.#awaySinceMs ??= clock.monotonic();
    // Those that were under way together are one failure.
    if (isFirst || this.#probe === clientId) {
      this.#rounds += 1;
      this.#nextProbeMs = clock.monotonic() + jitteredMs(storeRetry, this.#rounds, random);
    }
    this.given(clientId);
    if (isFirst) this.#lastProbe = clientId;
    if (this.#isTold || this.#failures < toldAfterFailures) return;
    this.#isTold = true;
    this.#tell({ type: "away", message });
  }

  /** The look-up ended without telling anything. */
  given(clientId: ClientId): void {
    if (this.#probe === clientId) this.#probe = undefined;
  }

  #tell(event: TokenStoreEvent): void {
    try {
      this.#options.onEvent(event);
    } catch {
      // An observer's fault must not end the look-ups.
    }
  }
}
