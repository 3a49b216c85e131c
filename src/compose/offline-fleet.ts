// What the command line does with a fleet without asking a daemon. A part of the composition root.
import { type FleetPause, pauseText } from "../job/fleet.js";
import type { ShownReplica } from "../ledger/dynamodb/operator.js";
import { withFleet } from "./offline-jobs.js";
import type { PartsOptions } from "./parts-options.js";

export interface FleetReport {
  readonly replicas: readonly ShownReplica[];
  readonly pause?: FleetPause;
  /** The pause in words, or none. */
  readonly pauseText: string;
}

/** The replicas and the pause. Throws LedgerError. */
export async function fleetReport(options: PartsOptions): Promise<FleetReport> {
  const fleet = await withFleet(options, ({ operator }, signal) => operator.fleet(signal));
  return { ...fleet, pauseText: fleet.pause ? pauseText(fleet.pause) : "" };
}

/** Throws LedgerError. */
export function pauseFleet(options: PartsOptions, by: string): Promise<void> {
  return withFleet(options, ({ operator }, signal) => operator.pauseAll(by, signal));
}

/** Throws LedgerError. */
export function resumeFleet(options: PartsOptions): Promise<void> {
  return withFleet(options, ({ operator }, signal) => operator.resumeAll(signal));
}
