// Whether a shared ledger can be written: told when it changes, and remembered since when. Heartbeats and rows fail for
// reasons of their own, so that a heartbeat that succeeds says nothing of rows that are refused.
import type { Clock } from "../../std/clock.js";
import type { LedgerHealth } from "../ledger.js";

export interface FleetHealthOptions {
  readonly clock: Clock;
  /** Told whenever it changes. A throw of it is ignored. */
  readonly onHealth: (health: LedgerHealth) => void;
}

/** What was written. */
export type Written = "heartbeat" | "rows";

export class FleetHealth {
  readonly #options: FleetHealthOptions;
  readonly #reasons = new Map<Written, string>();
  #now: LedgerHealth = { writable: true };

  constructor(options: FleetHealthOptions) {
    this.#options = options;
  }

  get now(): LedgerHealth {
    return this.#now;
  }

  /** A write succeeded. */
  good(written: Written): void {
    if (this.#reasons.delete(written)) this.#turn();
  }

  /** A write failed, for a reason that the next one meets as well. */
  bad(written: Written, reason: string): void {
    this.#reasons.set(written, reason);
    this.#turn();
  }

  #turn(): void {
    const wasWritable = this.#now.writable;
    const [reason] = this.#reasons.values();
    const sinceMs = this.#now.sinceMs ?? this.#options.clock.now();
    this.#now = reason === undefined ? { writable: true } : { writable: false, reason, sinceMs };
    if (this.#now.writable !== wasWritable) quietly(() => this.#options.onHealth(this.#now));
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
