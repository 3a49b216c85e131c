// Who of the fleet is alive. Every replica has one row with a heartbeat, and holds its jobs as long as the row beats.
// No two clocks are compared: whoever watches measures with its own how long a heartbeat has stood still.
import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import type { Clock } from "../../std/clock.js";
import { type Item, replicasPartition, text } from "./rows.js";
import { isConditionFailed, isReset, type PatientTable } from "./table.js";

export interface ReplicasOptions {
  readonly table: PatientTable;
  readonly clock: Clock;
  readonly leaseMs: number;
  /** The lease ran out: whatever was held under this name may be another's by now. */
  readonly onExpired: () => void;
}

/** Another replica, as it was last seen. */
interface Seen {
  readonly beat: number;
  readonly leaseMs: number;
  /** When this heartbeat was first seen, monotonic. */
  readonly sinceMs: number;
}

/** Watchers wait a little longer than the lease, so that its holder gives up first. */
export const marginMs = 250;
/** So many leases after its end a replica's row is removed: by then no late write of it can arrive. */
const buriedAfterLeases = 5;
/** A row that nobody removes goes by its time to live. */
const rowKeptMs = 7 * 86_400_000;

export class Replicas {
  readonly #options: ReplicasOptions;
  readonly #seen = new Map<string, Seen>();
  #self: string | undefined;
  #beat = 0;
  /** Monotonic; when the last heartbeat that was answered set out. */
  #renewedMs = 0;
  #cancelExpiry: () => void = () => {};

  constructor(options: ReplicasOptions) {
    this.#options = options;
  }

  /** Our name while our lease holds; a new one after it ran out. */
  get self(): string | undefined {
    const { clock, leaseMs } = this.#options;
    // A timer may be late when the process was held up.
    if (this.#self !== undefined && clock.monotonic() - this.#renewedMs >= leaseMs) this.#expire();
    return this.#self;
  }

  /** Two heartbeats may be lost before the lease is. */
  get beatIntervalMs(): number {
    return this.#options.leaseMs / 3;
  }

  /**
   * One heartbeat; takes a new name when there is none. Rejects with what the SDK threw. One attempt, and a second at
   * once when the connection was reset: the other side may have let go of a kept one, which says nothing of the table.
   */
  async renew(signal: AbortSignal): Promise<void> {
    const { table, clock, leaseMs } = this.#options;
    const id = this.self ?? randomUUID();
    const isNew = this.#self === undefined;
    const startedMs = clock.monotonic();
    const item: Item = {
      pk: { S: replicasPartition },
      sk: { S: id },
      beat: { N: String(this.#beat + 1) },
      leaseMs: { N: String(leaseMs) },
      // For people: nobody else's clock is compared with it.
      atMs: { N: String(clock.now()) },
      host: { S: hostname() || "unknown" },
      pid: { N: String(process.pid) },
      expiresAt: { N: String(Math.ceil((clock.now() + rowKeptMs) / 1_000)) },
    };
    const condition = isNew ? "attribute_not_exists(pk)" : "attribute_exists(pk)";
    this.#beat += 1;
    const input = { Item: item, ConditionExpression: condition };
    const beat = () => table.call("PutItem", input, signal, "one");
    try {
      await beat().catch((error: unknown) => (isReset(error) ? beatAgain(beat, isNew) : Promise.reject(error)));
    } catch (error) {
      // The row is gone: others hold us for dead.
      if (!isNew && isConditionFailed(error)) this.#expire();
      throw error;
    }
    // An answer that came too late renews nothing.
    if (clock.monotonic() - startedMs >= leaseMs || (!isNew && this.#self !== id)) return;
    this.#self = id;
    this.#renewedMs = startedMs;
    this.#cancelExpiry();
    this.#cancelExpiry = clock.after(startedMs + leaseMs - clock.monotonic(), () => this.#expire());
  }

  /** Looks at every heartbeat. Rejects with what the SDK threw. */
  async look(signal: AbortSignal): Promise<void> {
    const { table, clock } = this.#options;
    const items = await table.all(
      "Query",
      {
        KeyConditionExpression: "pk = :pk",
        ExpressionAttributeValues: { ":pk": { S: replicasPartition } },
        ConsistentRead: true,
      },
      signal,
    );
    const nowMs = clock.monotonic();
    const ids = new Set<string>();
    for (const item of items) {
      const id = text(item, "sk");
      ids.add(id);
      const [beat, leaseMs] = [Number(item["beat"]?.N), Number(item["leaseMs"]?.N)];
      // A row that somebody edited must not keep us from the others; nobody can tell whether its replica lives.
      if (!Number.isFinite(beat) || !Number.isFinite(leaseMs)) continue;
      if (this.#seen.get(id)?.beat === beat) continue;
      this.#seen.set(id, { beat, leaseMs, sinceMs: nowMs });
    }
    for (const id of this.#seen.keys()) if (!ids.has(id)) this.#seen.delete(id);
  }

  /** Those whose lease has run out, as far as the last look shows. */
  dead(): readonly string[] {
    return [...this.#seen.keys()].filter((id) => this.#isDead(id));
  }

  /** True when the last look showed a row of that name, dead or alive. */
  isKnown(id: string): boolean {
    return this.#seen.has(id) || id === this.#self;
  }

  /** True when the replica has no row any more, or has stood still for its lease. Rejects with what the SDK threw. */
  async isGone(id: string, signal: AbortSignal): Promise<boolean> {
    if (id === this.#self) return false;
    if (this.#isDead(id)) return true;
    const { Item: row } = await this.#options.table.call(
      "GetItem",
      { Key: replicaKey(id), ConsistentRead: true },
      signal,
    );
    return row === undefined;
  }

  /** Removes the row of a dead replica that holds nothing, once no late write of it can come any more. */
  async bury(id: string, signal: AbortSignal): Promise<void> {
    const seen = this.#seen.get(id);
    const { table, clock } = this.#options;
    if (!seen || clock.monotonic() - seen.sinceMs < seen.leaseMs * buriedAfterLeases) return;
    await this.#remove(table, id, seen.beat, signal);
    this.#seen.delete(id);
  }

  /** Ends our lease in good order: nothing is held under our name any more. */
  async leave(signal: AbortSignal): Promise<void> {
    const id = this.#self;
    this.stop();
    if (id !== undefined) await this.#options.table.call("DeleteItem", { Key: replicaKey(id) }, signal, "one");
  }

  /** Stops counting; the row stays, and its lease runs out for others. */
  stop(): void {
    this.#cancelExpiry();
    this.#self = undefined;
  }

  async #remove(table: PatientTable, id: string, beat: number, signal: AbortSignal): Promise<void> {
    const condition = {
      ConditionExpression: "beat = :beat",
      ExpressionAttributeValues: { ":beat": { N: String(beat) } },
    };
    try {
      await table.call("DeleteItem", { Key: replicaKey(id), ...condition }, signal);
    } catch (error) {
      // It beats again, or somebody else removed it.
      if (!isConditionFailed(error)) throw error;
    }
  }

  #isDead(id: string): boolean {
    const seen = this.#seen.get(id);
    if (!seen || id === this.#self) return false;
    return this.#options.clock.monotonic() - seen.sinceMs >= seen.leaseMs + marginMs;
  }

  #expire(): void {
    this.#cancelExpiry();
    this.#self = undefined;
    this.#options.onExpired();
  }
}

/** The second attempt. A new name is nobody else's: when its row stands already, the first attempt wrote it. */
async function beatAgain(beat: () => Promise<unknown>, isNew: boolean): Promise<void> {
  try {
    await beat();
  } catch (error) {
    if (!isNew || !isConditionFailed(error)) throw error;
  }
}

/** The primary key of a replica's row. */
export function replicaKey(id: string): Item {
  return { pk: { S: replicasPartition }, sk: { S: id } };
}
