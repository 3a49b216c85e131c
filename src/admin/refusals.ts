// What the log need not repeat: an account and Region where access is denied has its own two lines, one when it begins and one when it
// ends, and what follows from it for polls and jobs is not logged again.

import type { PollerName, WorkerEvent } from "../engine/events.js";
import { placeName, pollerName } from "../job/job.js";

/** Where access is denied, and which pollers were denied last: a reader of events. */
export class Refusals {
  readonly #places = new Set<string>();
  readonly #pollers = new Set<string>();

  observe(event: WorkerEvent): void {
    if (event.type === "breaker-opened") this.#places.add(placeName(event.poller));
    if (event.type === "breaker-closed") this.#places.delete(placeName(event));
    if (event.type !== "poll-failed") return;
    const name = pollerName(event.poller);
    if (event.fault.kind === "denied") this.#pollers.add(name);
    else this.#pollers.delete(name);
  }

  /** True when a job's call failed for the reason that the line about its account and Region gave. */
  explains(event: Extract<WorkerEvent, { type: "call-retried" }>): boolean {
    return event.fault.kind === "denied" && this.#places.has(placeName(event.key));
  }

  /** True, once, for a poller whose last failure was denied access. */
  wasRefused(poller: PollerName): boolean {
    return this.#pollers.delete(pollerName(poller));
  }
}
