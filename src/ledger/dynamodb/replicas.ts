// Who of the fleet is alive. Every replica has one row with a heartbeat, and holds its jobs as long as the row beats.
// No two clocks are compared: whoever watches measures with its own how long a heartbeat has stood still, from the
// answer that first showed it to the question that showed it last.
import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { noteFrom, noteText, type ReplicaNote, type SeenReplica } from "../../job/fleet.js";
import type { LeasePace } from "../../job/lease.js";
import type { Clock } from "../../std/clock.js";
import { type Item, nobody, replicasPartition, text } from "./rows.js";
import { isConditionFailed, isReset, type RetryingTable } from "./table.js";

export interface ReplicasOptions {
  readonly table: RetryingTable;
  /** The same table by connections of its own. */
  readonly beats: RetryingTable;
  readonly clock: Clock;
  readonly pace: LeasePace;
  /** Our name runs out so soon that handlers must stop now. */
  readonly onLapsing: () => void;
  /** Our name ran out: whatever was held under it may be another's by now. */
  readonly onExpired: () => void;
  /** Told of every row that a look found, and when it set out, monotonic. */
  readonly onLook?: (items: readonly Item[], askedMs: number) => void;
}

/** Another replica, as it was last seen. */
interface Seen {
  /** Absent: rows of jobs name it, and it has no row of its own. */
  readonly beat: number | undefined;
  readonly leaseMs: number;
  /** When the answer came that first showed this heartbeat, monotonic. */
  readonly sinceMs: number;
}

/** Watchers wait a little longer than the lease, so that its holder gives up first. */
export const marginMs = 250;
/** So many leases after its end a replica's row is removed: by then no late write of it can arrive. */
const buriedAfterLeases = 5;
/** A row that is not removed expires by its time to live. */
const rowKeptMs = 7 * 86_400_000;

export class Replicas {
  readonly #options: ReplicasOptions;
  readonly #seen = new Map<string, Seen>();
  #self: string | undefined;
  #beat = 0;
  /** Monotonic; when the last heartbeat that was answered set out. */
  #renewedMs = 0;
  /** Monotonic; when we took the name that we have. */
  #namedMs = 0;
  #isLapsing = false;
  /** Monotonic; when the last look set out. What came after it nobody has seen. */
  #askedMs = Number.NEGATIVE_INFINITY;
  #cancelTimers: () => void = () => {};
  /** What our heartbeats say of us; absent: nothing yet. */
  #note: (() => ReplicaNote) | undefined;
  /** The rows of the last look, and when its answer came, monotonic. */
  #last: { readonly items: readonly Item[]; readonly atMs: number } | undefined;

  constructor(options: ReplicasOptions) {
    this.#options = options;
  }

  /** Our name while it holds; a new one after it ran out. */
  get self(): string | undefined {
    this.check();
    return this.#self;
  }

  /** True while work may begin under our name. */
  get mayWork(): boolean {
    this.check();
    return this.#self !== undefined && !this.#isLapsing;
  }

  /** Ends what is over by the clock: a timer may be late when the process was held up. */
  check(): void {
    const { clock, pace, onLapsing } = this.#options;
    if (this.#self === undefined) return;
    const sinceMs = clock.monotonic() - this.#renewedMs;
    if (sinceMs >= pace.workMs && !this.#isLapsing) {
      this.#isLapsing = true;
      onLapsing();
    }
    if (sinceMs >= pace.heldMs) this.#expire();
  }

  /**
   * One heartbeat; takes a new name when there is none. Rejects with what the table threw. One attempt, and a second at
   * once when the connection was reset: the other side may have let go of a kept one, which says nothing of the table.
   */
  async renew(signal: AbortSignal): Promise<void> {
    const { beats, clock, pace } = this.#options;
    const mine = this.self;
    const id = mine ?? randomUUID();
    const startedMs = clock.monotonic();
    this.#beat += 1;
    const input = {
      Item: this.#row(id),
      ConditionExpression: mine === undefined ? "attribute_not_exists(pk)" : "attribute_exists(pk)",
    };
    const beat = () => beats.call("PutItem", input, signal, "one");
    try {
      await beat().catch((error: unknown) =>
        isReset(error) ? beatAgain(beat, mine === undefined) : Promise.reject(error),
      );
    } catch (error) {
      // The row is gone: others hold us for dead.
      if (mine !== undefined && mine === this.#self && isConditionFailed(error)) this.#expire();
      throw error;
    }
    // An answer that came too late, or after that of a later heartbeat, renews nothing.
    if (clock.monotonic() - startedMs >= pace.heldMs || this.self !== mine || startedMs < this.#renewedMs) return;
    if (mine === undefined) this.#namedMs = startedMs;
    this.#self = id;
    this.#renewedMs = startedMs;
    this.#isLapsing = false;
    this.#cancelTimers();
    const cancels = [pace.workMs, pace.heldMs].map((ms) =>
      clock.after(startedMs + ms - clock.monotonic(), () => this.check()),
    );
    this.#cancelTimers = () => {
      for (const cancel of cancels) cancel();
    };
  }

  /**
   * True when our own row has stood for as long as a name holds: then no row went with a table that was deleted and made
   * anew before those who hold jobs could write theirs again. Rejects with what the table threw.
   */
  async haveStood(signal: AbortSignal): Promise<boolean> {
    const { table, clock, pace } = this.#options;
    const id = this.self;
    if (id === undefined || clock.monotonic() - this.#namedMs < pace.heldMs) return false;
    return (await replicaRow(table, id, signal)) !== undefined;
  }

  /** Looks at every heartbeat; true when somebody left since the last look. Rejects with what the table threw. */
  async look(signal: AbortSignal): Promise<boolean> {
    const { table, clock } = this.#options;
    const askedMs = clock.monotonic();
    const items = await replicaRows(table, signal);
    const answeredMs = clock.monotonic();
    this.#last = { items, atMs: answeredMs };
    this.#options.onLook?.(items, askedMs);
    const ids = new Set<string>();
    for (const item of items) {
      const id = text(item, "sk");
      ids.add(id);
      const [beat, leaseMs] = [Number(item["beat"]?.N), Number(item["leaseMs"]?.N)];
      // A row that somebody edited must not keep us from the others; nobody can tell whether its replica lives.
      if (!Number.isFinite(beat) || !Number.isFinite(leaseMs)) continue;
      if (this.#seen.get(id)?.beat === beat) continue;
      this.#seen.set(id, { beat, leaseMs, sinceMs: answeredMs });
    }
    this.#askedMs = askedMs;
    const gone = [...this.#seen].filter(([id, { beat }]) => beat !== undefined && !ids.has(id));
    for (const [id] of gone) this.#seen.delete(id);
    return gone.length > 0;
  }

  /** Rows of jobs name these: whoever has no row of its own is waited for as long as for one that fell silent. */
  areNamed(ids: ReadonlySet<string>): void {
    const { clock, pace } = this.#options;
    for (const [id, { beat }] of this.#seen) if (beat === undefined && !ids.has(id)) this.#seen.delete(id);
    for (const id of ids) {
      if (id === nobody || id === this.#self || this.#seen.has(id)) continue;
      this.#seen.set(id, { beat: undefined, leaseMs: pace.heldMs, sinceMs: clock.monotonic() });
    }
  }

  /** Those whose lease had run out when the last look set out; none while ours has. */
  dead(): readonly string[] {
    return [...this.#seen.keys()].filter((id) => this.isDead(id));
  }

  /** Whoever stood still for its lease has given up that name, and never comes back under it. */
  isDead(id: string): boolean {
    const seen = this.#seen.get(id);
    if (!seen || this.self === undefined || id === this.#self) return false;
    return this.#askedMs - seen.sinceMs >= seen.leaseMs + marginMs;
  }

  /** Whether the replica lives, if a look has seen its heartbeat; `undefined`: nobody knows. */
  isAlive(id: string): boolean | undefined {
    if (id === this.self) return true;
    if (this.#seen.get(id)?.beat === undefined) return undefined;
    return !this.isDead(id);
  }

  /** True when the replica has no row any more, or is dead. Rejects with what the table threw. */
  async isGone(id: string, signal: AbortSignal): Promise<boolean> {
    if (id === nobody || this.isDead(id)) return true;
    if (id === this.self) return false;
    return (await replicaRow(this.#options.table, id, signal)) === undefined;
  }

  /** In how many ms the first that has fallen silent would be dead. */
  get nextDeathMs(): number {
    const nowMs = this.#options.clock.monotonic();
    const alive = [...this.#seen].filter(([id]) => id !== this.#self && !this.isDead(id));
    return Math.min(...alive.map(([, { leaseMs, sinceMs }]) => sinceMs + leaseMs + marginMs - nowMs));
  }

  /** From now on heartbeats carry what this says: a heartbeat is written anyway. */
  describe(note: () => ReplicaNote): void {
    this.#note = note;
  }

  /** How old the last look is, in ms; absent: there was none. */
  get lookAgeMs(): number | undefined {
    return this.#last && this.#options.clock.monotonic() - this.#last.atMs;
  }

  /** Everybody whom the last look found. */
  seen(): readonly SeenReplica[] {
    const nowMs = this.#options.clock.monotonic();
    return (this.#last?.items ?? []).flatMap((item): readonly SeenReplica[] => {
      const replica = item["sk"]?.S ?? "";
      const seen = this.#seen.get(replica);
      const isSelf = replica === this.self;
      // A row without a heartbeat is no replica, and one that was removed since is none any more.
      if (!isSelf && seen?.beat === undefined) return [];
      const silentMs = nowMs - (isSelf ? this.#renewedMs : (seen?.sinceMs ?? nowMs));
      return [{ ...seenFrom(replica, item), isSelf, isGone: !isSelf && this.isDead(replica), silentMs }];
    });
  }

  /** Removes the row of a dead replica that holds nothing, once no late write of it can come any more. */
  async bury(id: string, signal: AbortSignal): Promise<void> {
    const seen = this.#seen.get(id);
    const { table, clock } = this.#options;
    if (seen?.beat === undefined || clock.monotonic() - seen.sinceMs < seen.leaseMs * buriedAfterLeases) return;
    const condition = {
      ConditionExpression: "beat = :beat",
      ExpressionAttributeValues: { ":beat": { N: String(seen.beat) } },
    };
    try {
      await table.call("DeleteItem", { Key: replicaKey(id), ...condition }, signal);
    } catch (error) {
      // It beats again, or somebody else removed it.
      if (!isConditionFailed(error)) throw error;
    }
    this.#seen.delete(id);
  }

  /** Gives our name up: no row is under it any more. */
  async leave(signal: AbortSignal): Promise<void> {
    const id = this.#self;
    this.stop();
    if (id !== undefined) await this.#options.beats.call("DeleteItem", { Key: replicaKey(id) }, signal, "one");
  }

  /** Stops counting; the row stays, and its lease runs out for others. */
  stop(): void {
    this.#cancelTimers();
    this.#self = undefined;
  }

  #row(id: string): Item {
    const { clock, pace } = this.#options;
    const note = this.#note?.();
    return {
      ...replicaKey(id),
      beat: { N: String(this.#beat) },
      leaseMs: { N: String(pace.heldMs) },
      // For people: nobody else's clock is compared with it.
      atMs: { N: String(clock.now()) },
      host: { S: hostname() || "unknown" },
      pid: { N: String(process.pid) },
      ...(note === undefined ? {} : { about: { S: noteText(note) } }),
      expiresAt: { N: String(Math.ceil((clock.now() + rowKeptMs) / 1_000)) },
    };
  }

  #expire(): void {
    this.stop();
    this.#options.onExpired();
  }
}

/** What a replica's row says of it. */
export function seenFrom(replica: string, item: Item): Pick<SeenReplica, "replica" | "host" | "pid" | "note"> {
  const pid = Number(item["pid"]?.N ?? "x");
  const host = item["host"]?.S;
  const note = noteFrom(item["about"]?.S);
  return {
    replica,
    ...(host === undefined ? {} : { host: host.slice(0, 255) }),
    ...(Number.isSafeInteger(pid) ? { pid } : {}),
    ...(note === undefined ? {} : { note }),
  };
}

/** The second attempt. A new name is nobody else's: when its row stands already, the first attempt wrote it. */
async function beatAgain(beat: () => Promise<unknown>, isNew: boolean): Promise<void> {
  try {
    await beat();
  } catch (error) {
    if (!isNew || !isConditionFailed(error)) throw error;
  }
}

/** The rows of all replicas. */
export function replicaRows(table: RetryingTable, signal: AbortSignal): Promise<readonly Item[]> {
  const query = {
    KeyConditionExpression: "pk = :pk",
    ExpressionAttributeValues: { ":pk": { S: replicasPartition } },
    ConsistentRead: true,
  };
  return table.all("Query", query, signal);
}

/** The row of one replica, if it has one. */
export async function replicaRow(table: RetryingTable, id: string, signal: AbortSignal): Promise<Item | undefined> {
  return (await table.call("GetItem", { Key: replicaKey(id), ConsistentRead: true }, signal)).Item;
}

/** The primary key of a replica's row. */
function replicaKey(id: string): Item {
  return { pk: { S: replicasPartition }, sk: { S: id } };
}
