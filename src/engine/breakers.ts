// Which Regions refuse us altogether: credentials that expired, are missing, lack a permission, or a clock that is off.
// A breaker changes no job. Pollers go on asking, within a minute at the latest, so that it closes by itself.
import type { GatewayError } from "../codepipeline/gateway.js";
import type { Region } from "../job/job.js";
import { faultOf } from "./context.js";
import type { Emit, PollerName } from "./events.js";
import { laneName } from "./poller-config.js";

export interface BreakersOptions {
  readonly emit: Emit;
  readonly mask: (text: string) => string;
  /** In ms, of a clock that never jumps. */
  readonly monotonic: () => number;
}

/** One breaker for each Region: open while CodePipeline refuses any poller of it. */
export class Breakers {
  readonly #options: BreakersOptions;
  readonly #open = new Map<Region, { readonly sinceMs: number; readonly refused: Set<string> }>();

  constructor(options: BreakersOptions) {
    this.#options = options;
  }

  /** A poll failed. Opens the Region's breaker when it was refused. */
  failed(poller: PollerName, error: GatewayError): void {
    if (error.kind !== "denied") return;
    const known = this.#open.get(poller.region);
    if (known) {
      known.refused.add(laneName(poller));
      return;
    }
    const { emit, mask, monotonic } = this.#options;
    this.#open.set(poller.region, { sinceMs: monotonic(), refused: new Set([laneName(poller)]) });
    emit({ type: "breaker-opened", poller, fault: faultOf(error, mask) });
  }

  /** A poll was answered, or there is no such poller any more. Closes the breaker when nobody else is refused. */
  passed(poller: PollerName): void {
    const breaker = this.#open.get(poller.region);
    if (!breaker?.refused.delete(laneName(poller)) || breaker.refused.size > 0) return;
    this.#open.delete(poller.region);
    const openMs = this.#options.monotonic() - breaker.sinceMs;
    this.#options.emit({ type: "breaker-closed", region: poller.region, openMs });
  }
}
