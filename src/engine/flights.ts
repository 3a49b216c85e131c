// The jobs that are in flight, by name, and who waits for them to end.
import { type JobKey, jobKeyName } from "../job/job.js";
import { TurnoverMap } from "../std/turnover.js";
import type { JobInFlight } from "./in-flight.js";

interface Waiter {
  readonly left: Set<string>;
  readonly resolve: () => void;
}

export class Flights {
  readonly #byName = new TurnoverMap<string, JobInFlight>();
  readonly #idle = new Set<() => void>();
  readonly #waiters = new Set<Waiter>();

  get size(): number {
    return this.#byName.size;
  }

  get(key: JobKey): JobInFlight | undefined {
    return this.#byName.get(jobKeyName(key));
  }

  /** All of them now, in the order of their beginning. */
  all(): Iterable<JobInFlight> {
    return this.#byName.values();
  }

  add(flight: JobInFlight): void {
    this.#byName.set(jobKeyName(flight.key), flight);
  }

  remove(flight: JobInFlight): void {
    const name = jobKeyName(flight.key);
    // A later offer of the job may be in flight already: the lease was free a moment before this.
    if (this.#byName.get(name) === flight) this.#byName.delete(name);
    for (const waiter of this.#waiters) {
      if (!waiter.left.delete(name) || waiter.left.size > 0) continue;
      this.#waiters.delete(waiter);
      waiter.resolve();
    }
    if (this.size > 0) return;
    for (const resolve of this.#idle) resolve();
    this.#idle.clear();
  }

  /** Resolves when no job is in flight. */
  whenIdle(): Promise<void> {
    return this.size === 0 ? Promise.resolve() : new Promise((resolve) => this.#idle.add(resolve));
  }

  /** Resolves when every job that is in flight now has ended here, whatever came since. */
  whenTheseEnd(): Promise<void> {
    if (this.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.add({ left: new Set(this.#byName.keys()), resolve }));
  }
}
