// Whether a shared ledger can be written: told when it changes, and remembered since when.
import type { Clock } from "../../std/clock.js";
import type { LedgerHealth } from "../ledger.js";

export interface FleetHealthOptions {
  readonly clock: Clock;
  /** Told whenever it changes. A throw of it is ignored. */
  readonly onHealth: (health: LedgerHealth) => void;
}

export class FleetHealth {
  readonly #options: FleetHealthOptions;
  #now: LedgerHealth = { writable: true };

  constructor(options: FleetHealthOptions) {
    this.#options = options;
  }

  get now(): LedgerHealth {
    return this.#now;
  }

  /** A write succeeded. */
  good(): void {
    this.#turn({ writable: true });
  }

  /** A write failed, for a reason that the next one meets as well. */
  bad(reason: string): void {
    this.#turn({ writable: false, reason, sinceMs: this.#now.sinceMs ?? this.#options.clock.now() });
  }

  #turn(health: LedgerHealth): void {
    const isNews = health.writable !== this.#now.writable;
    this.#now = health;
    if (isNews) quietly(() => this.#options.onHealth(health));
  }
}

/** Calls a listener, whose bug must not stop the ledger; health() tells the same. */
export function quietly(call: () => void): void {
  try {
    call();
  } catch {
    // Said above.
  }
}
