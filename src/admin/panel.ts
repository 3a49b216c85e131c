// What the admin port shows of a running worker, besides the probes: metrics. A reader of events
// and of the parts' calls; the daemon hands it the present and knows nothing of what becomes of it.
import type { Clock } from "../std/clock.js";
import type { PollerName, WorkerEvent } from "../worker/events.js";
import type { LedgerState } from "./health.js";
import { Metrics } from "./metrics.js";
import type { AdminPageRoute } from "./routes.js";
import type { AdminStatus } from "./view.js";

export interface PanelOptions {
  readonly clock: Clock;
  readonly version: string;
  /** The ledger's store. */
  readonly store: string;
  readonly pollers: readonly PollerName[];
  /** The present. */
  readonly look: () => { readonly status: AdminStatus; readonly ledger: LedgerState };
}

/** Reads what happens and makes the pages of it. */
export class Panel {
  readonly metrics: Metrics;

  constructor(options: PanelOptions) {
    this.metrics = new Metrics(options);
  }

  /** Pages by path. */
  get pages(): Readonly<Record<string, AdminPageRoute>> {
    return {
      "/metrics": { isGuarded: false, page: (accept) => this.metrics.exposition(accept) },
    };
  }

  observe(event: WorkerEvent): void {
    this.metrics.observe(event);
  }

  close(): void {
    this.metrics.close();
  }
}
