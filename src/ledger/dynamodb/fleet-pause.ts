// Whether the whole fleet is paused: one row among those of the replicas, so that the look for silent replicas, which is
// made anyway, brings it along. What was read last holds while the table is away. Older versions take the row for a
// replica without a heartbeat and pass it over.
import { type FleetPause, pausedBy } from "../../job/fleet.js";
import type { Clock } from "../../std/clock.js";
import { quietly } from "./health.js";
import { type Item, replicasPartition } from "./rows.js";
import { isConditionFailed, type RetryingTable } from "./table.js";

/** The row's sort key: no replica's name begins so. */
export const pauseRow = "!pause";

export interface FleetPausesOptions {
  readonly table: RetryingTable;
  readonly clock: Clock;
  /** Told whenever it changes. A throw of it is ignored. */
  readonly onPause: (pause: FleetPause | undefined) => void;
}

export class FleetPauses {
  readonly #options: FleetPausesOptions;
  #now: FleetPause | undefined;
  /** Monotonic; a look that set out before our own last write knows nothing of it. */
  #writtenMs = Number.NEGATIVE_INFINITY;

  constructor(options: FleetPausesOptions) {
    this.#options = options;
  }

  /** As it was last read or written. */
  get now(): FleetPause | undefined {
    return this.#now;
  }

  /** Takes in what a look found that set out at `askedMs`. */
  saw(items: readonly Item[], askedMs: number): void {
    if (askedMs <= this.#writtenMs) return;
    this.#turn(pauseIn(items));
  }

  /** Pauses the fleet; one that is paused already keeps its time and its name. Rejects with what the table threw. */
  async pause(by: string, signal: AbortSignal): Promise<void> {
    const { table, clock } = this.#options;
    await writePause(table, { by, nowMs: clock.now() }, signal);
    const { Item: row } = await table.call("GetItem", { Key: pauseKey, ConsistentRead: true }, signal);
    this.#wrote(row && pauseIn([row]));
  }

  /** Ends it. Rejects with what the table threw. */
  async resume(signal: AbortSignal): Promise<void> {
    await removePause(this.#options.table, signal);
    this.#wrote(undefined);
  }

  #wrote(pause: FleetPause | undefined): void {
    this.#writtenMs = this.#options.clock.monotonic();
    this.#turn(pause);
  }

  #turn(pause: FleetPause | undefined): void {
    const was = this.#now;
    this.#now = pause;
    if ((was === undefined) !== (pause === undefined)) quietly(() => this.#options.onPause(pause));
  }
}

const pauseKey: Item = { pk: { S: replicasPartition }, sk: { S: pauseRow } };

/** Writes the row, unless it stands. Rejects with what the table threw. */
export async function writePause(
  table: RetryingTable,
  { by, nowMs }: { readonly by: string; readonly nowMs: number },
  signal: AbortSignal,
): Promise<void> {
  const Item = { ...pauseKey, sinceMs: { N: String(nowMs) }, by: { S: pausedBy(by) } };
  const input = { Item, ConditionExpression: "attribute_not_exists(pk)" };
  await table.call("PutItem", input, signal).catch((error: unknown) => {
    if (!isConditionFailed(error)) throw error;
  });
}

/** Removes the row. Rejects with what the table threw. */
export async function removePause(table: RetryingTable, signal: AbortSignal): Promise<void> {
  await table.call("DeleteItem", { Key: pauseKey }, signal);
}

/** The pause among the rows of the replicas. Whatever is in its row: that it stands is the pause. */
export function pauseIn(items: readonly Item[]): FleetPause | undefined {
  const row = items.find((item) => item["sk"]?.S === pauseRow);
  return row && { sinceMs: Number(row["sinceMs"]?.N ?? "x"), by: pausedBy(row["by"]?.S ?? "") };
}
