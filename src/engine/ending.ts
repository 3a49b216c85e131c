// The two ways in which a job ends here without a result of ours.
import type { JobKey } from "../job/job.js";
import type { Parts } from "./context.js";
import type { JobInFlight, Loss } from "./in-flight.js";
import { laneOf } from "./poller-config.js";

/** Ends a job for good: it is not ours, gone, ended, offered again, or released. */
export async function drop(parts: Parts, flight: JobInFlight, { reason, message }: Loss): Promise<void> {
  const from = flight.state;
  await flight.note({ type: "job-lost", reason });
  parts.emit({ type: "job-dropped", key: flight.key, from, reason, message });
}

/** Leaves a job in the ledger while CodePipeline waits for us: the next start, or another replica, continues it. */
export function leave(parts: Parts, flight: JobInFlight, message: string): void {
  flight.end();
  parts.emit({ type: "job-left", key: flight.key, state: flight.state, isOurs: staysOurs(parts, flight.key), message });
}

/** False for what we cannot work of a ledger that others share: it is theirs, and we would not learn what they did. */
export function staysOurs({ lanes, world }: Parts, key: JobKey): boolean {
  return laneOf(lanes, key) !== undefined || world.ledger.watch === undefined;
}
