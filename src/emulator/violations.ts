// The record of what a correct worker never does: tests assert that it is empty.
// It judges nothing itself; the rules in job-rules.ts and operations.ts report to it.
import type { Events, Violation } from "./emulator-events.js";

/** Only the first ones are kept; the total goes on. */
const keptMax = 1_000;

/** Keeps the first violations, counts all, and announces each. */
export class Violations {
  readonly #events: Events;
  readonly #kept: Violation[] = [];
  #total = 0;

  constructor(options: { readonly events: Events }) {
    this.#events = options.events;
  }

  get total(): number {
    return this.#total;
  }

  list(): readonly Violation[] {
    return [...this.#kept];
  }

  record(violation: Violation): void {
    this.#total++;
    if (this.#kept.length < keptMax) this.#kept.push(violation);
    this.#events.emit({ type: "violation", atMs: violation.atMs, violation });
  }

  clear(): void {
    this.#kept.length = 0;
    this.#total = 0;
  }
}
