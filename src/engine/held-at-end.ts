// What is held when a stop ends: the jobs that CodePipeline or our ledger still waits for. One answer for the exit code,
// the log's last line and the page's last frame. Decides nothing.
import { type JobKey, jobKeyName } from "../job/job.js";
import { isOwed, type JobState } from "../job/lifecycle.js";
import type { Ledger } from "../ledger/ledger.js";
import type { Held, UntimedEvent } from "./events.js";

/** The part of a runner that is asked. */
export interface Holder {
  flights(): Iterable<{ readonly key: JobKey; readonly state: JobState }>;
  readonly unfinished: ReadonlyMap<string, JobState>;
}

/** Remembers what could not be written to the ledger, and counts. */
export class HeldAtEnd {
  readonly #ledger: Pick<Ledger, "health" | "isDurable" | "orphaned" | "retryNow">;
  /** Set once what earlier processes left is known. */
  isRead: boolean;
  /** The ledger rewrites all of it before it is writable again. */
  readonly #untold = new Set<string>();

  constructor(ledger: Pick<Ledger, "health" | "isDurable" | "orphaned" | "retryNow">) {
    this.#ledger = ledger;
    this.isRead = !ledger.isDurable;
  }

  /** Has the ledger try once more to write what it could not. */
  async settle(): Promise<void> {
    if (!this.#ledger.health().writable) await this.#ledger.retryNow?.();
  }

  /** Reads the engine's events. */
  observe(event: UntimedEvent): void {
    if (event.type === "ledger-failed" && event.key) this.#untold.add(jobKeyName(event.key));
    if (event.type === "poll-finished" && this.#ledger.health().writable) this.#untold.clear();
  }

  count(holder: Holder): Held {
    const working = [...holder.flights()].filter(({ state }) => isOwed(state));
    // CodePipeline may be done with these, but the ledger does not know, and so the next start recovers them.
    const untold = this.#ledger.health().writable ? [] : [...this.#untold];
    const states = new Map<string, JobState>([
      ...untold.map((name) => [name, "running"] as const),
      ...holder.unfinished,
      ...working.map(({ key, state }) => [jobKeyName(key), state] as const),
    ]);
    const results = [...states.values()].filter((state) => state === "settled").length;
    // Interrupted jobs that a shared ledger does not know of are owed like any.
    const owed = states.size + (this.#ledger.orphaned?.() ?? 0);
    return { owed, results, isDurable: this.#ledger.isDurable, isRead: this.isRead };
  }
}
