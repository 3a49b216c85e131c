// What the ledger of a fleet is given: its table, its times, and who is told of its faults.

import type { HistoryLimits } from "../../job/ended.js";
import type { FleetPause } from "../../job/fleet.js";
import type { Clock } from "../../std/clock.js";
import type { RetryPolicyMs } from "../../std/retry.js";
import type { LedgerHealth } from "../ledger.js";
import type { Table } from "./table.js";

/** Times in ms. */
export interface DynamoLedgerOptions {
  readonly table: Table;
  /** The same table by connections of its own, so that a heartbeat waits behind no other call. */
  readonly beats: Table;
  /** The table's name, for messages. */
  readonly name: string;
  readonly clock: Clock;
  /** For how long replicas of an older partnerd remember a job that had a result; we do while its row stands. */
  readonly recentMs: number;
  /** How much is told of ended jobs; absent: nothing. */
  readonly history?: HistoryLimits;
  /** How long a replica may be silent before others take its jobs over, which they do within 5 s. */
  readonly leaseMs: number;
  /** How long handlers that are told to stop may take: they are told so early that they have ended with the lease. */
  readonly graceMs: number;
  /** How often watch() looks for jobs that nobody works on; left out: as seldom as the lease allows. */
  readonly lookMs?: number;
  /** While the table cannot be written: the rest between two heartbeats. */
  readonly probeIntervalMs: number;
  /** How long one call is tried, and how. */
  readonly retry: RetryPolicyMs;
  /** Told whenever the ledger becomes unwritable and when it is back. A throw of it is ignored. */
  readonly onHealth: (health: LedgerHealth) => void;
  /** Told when the fleet is paused, and when it is resumed. A throw of it is ignored. */
  readonly onPause?: (pause: FleetPause | undefined) => void;
  /** Told what does not keep the ledger from working: a damaged row, a look that failed. A throw of it is ignored. */
  readonly onFault: (message: string) => void;
}
