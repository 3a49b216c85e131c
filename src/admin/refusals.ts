// What the log need not repeat: a Region that denies access has its own two lines, one when it begins and one when it
// ends, and what follows from it for polls and jobs is not logged again.

import type { PollerName, WorkerEvent } from "../engine/events.js";
import { pollerName } from "../job/job.js";

/** Which Regions deny access, and which pollers were denied last: a reader of events. */
export class Refusals {
  readonly #regions = new Set<string>();
  readonly #pollers = new Set<string>();

  observe(event: WorkerEvent): void {
    if (event.type === "breaker-opened") this.#regions.add(event.poller.region);
    if (event.type === "breaker-closed") this.#regions.delete(event.region);
    if (event.type !== "poll-failed") return;
    const name = pollerName(event.poller);
    if (event.fault.kind === "denied") this.#pollers.add(name);
    else this.#pollers.delete(name);
  }

  /** True when a job's call failed for the reason that the Region's own line gave. */
  explains(event: Extract<WorkerEvent, { type: "call-retried" }>): boolean {
    return event.fault.kind === "denied" && this.#regions.has(event.key.region);
  }

  /** True, once, for a poller whose last failure was denied access. */
  wasRefused(poller: PollerName): boolean {
    return this.#pollers.delete(pollerName(poller));
  }
}
