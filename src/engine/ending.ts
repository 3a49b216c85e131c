// The two ways in which a job ends here without a result of ours.
import type { JobKey } from "../job/job.js";
import type { EngineContext } from "./context.js";
import type { JobInFlight, Loss } from "./in-flight.js";
import { configOf } from "./poller-config.js";
import { jobEnd } from "./told-at-end.js";

/** Ends a job for good: it is not ours, gone, ended, offered again, or released. */
export async function drop(context: EngineContext, flight: JobInFlight, { reason, message }: Loss): Promise<void> {
  const from = flight.state;
  const end = jobEnd(flight, { message }, context.deps.mask);
  await flight.note({ type: "job-lost", reason, end });
  context.emit({ type: "job-dropped", key: flight.key, from, reason, message });
}

/** Leaves a job in the ledger while CodePipeline waits for us: the next start, or another replica, continues it. */
export function leave(context: EngineContext, flight: JobInFlight, message: string): void {
  flight.end();
  context.emit({
    type: "job-unfinished",
    key: flight.key,
    state: flight.state,
    isOurs: staysOurs(context, flight.key),
    message,
  });
}

/** False for what we cannot work of a ledger that others share: it is theirs, and we would not learn what they did. */
export function staysOurs({ pollers, deps }: EngineContext, key: JobKey): boolean {
  return configOf(pollers, key) !== undefined || deps.ledger.watch === undefined;
}
