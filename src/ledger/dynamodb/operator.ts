// What an operator sees of a fleet's table and does to it from outside, without being a replica: lists what is held and
// by whom, and ends a job that nobody works on. Writes are conditional: a replica that lives is never overruled.

import type { HistoryLimits, HistoryPage, HistorySearch } from "../../job/ended.js";
import type { FleetJobPage, FleetPause, SeenReplica } from "../../job/fleet.js";
import type { JobId, JobKey, Place } from "../../job/job.js";
import { isOwed, type JobEvent } from "../../job/lifecycle.js";
import type { Clock } from "../../std/clock.js";
import { LedgerError } from "../ledger.js";
import { damagedJob, type JobHolder, type ListedJob, listedJob } from "../listed-jobs.js";
import { recordAfter } from "../record.js";
import { pauseIn, pauseRow, removePause, writePause } from "./fleet-pause.js";
import { marginMs, replicaRow, replicaRows, seenFrom } from "./replicas.js";
import {
  holderIndex,
  type Item,
  ifUnchanged,
  itemOf,
  type JobRow,
  nobody,
  rowFrom,
  rowKey,
  rowName,
  text,
} from "./rows.js";
import { isConditionFailed, type RetryingTable } from "./table.js";
import { historyMsOf, searchTable } from "./table-history.js";

export interface FleetOperatorOptions {
  readonly table: RetryingTable;
  /** The table's name, for messages. */
  readonly name: string;
  readonly clock: Clock;
  /** How long an ended job is remembered. */
  readonly recentMs: number;
  /** How much is told of ended jobs; absent: nothing. */
  readonly history?: HistoryLimits;
  /** Told when a holder has to be watched for the length of its lease. */
  readonly onWait: (message: string) => void;
  /** Of a holder that is watched anyway: whether it lives. Absent, or `undefined`: it has to be watched first. */
  readonly isAlive?: (holder: string) => boolean | undefined;
}

/** Rows that are read at once. */
const readTogether = 16;
/** A page of the index has some thousand jobs: more are counted as such. */
const scanPages = 4;

type NamedJob = Place & { readonly jobId: JobId };

interface Range {
  readonly from: number;
  readonly max: number;
}

export class FleetOperator {
  readonly #options: FleetOperatorOptions;

  constructor(options: FleetOperatorOptions) {
    this.#options = options;
  }

  /** Every job that is held or owed, oldest first. Throws LedgerError. */
  async list(signal: AbortSignal): Promise<readonly ListedJob[]> {
    const { table } = this.#options;
    try {
      const replicas = await this.#replicas(signal);
      const items = await table.all("Scan", { IndexName: holderIndex }, signal);
      const jobs = await this.#read(items, replicas, signal);
      return jobs.sort((a, b) => (a.takenAtMs || 0) - (b.takenAtMs || 0));
    } catch (error) {
      throw table.fault(error, "unreadable");
    }
  }

  /** Some of them, in an order that stands: by holder. One scan of the index, and a read for each. Throws LedgerError. */
  async some({ from, max }: Range, signal: AbortSignal): Promise<FleetJobPage> {
    const { table } = this.#options;
    try {
      const replicas = await this.#replicas(signal);
      const { items, isCut } = await table.some("Scan", { IndexName: holderIndex }, { pages: scanPages, signal });
      const nameOf = (item: Item) => `${item["owedBy"]?.S ?? ""} ${item["pk"]?.S ?? ""}`;
      const sorted = items.toSorted((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
      const jobs = await this.#read(sorted.slice(from, from + max), replicas, signal);
      return { jobs, count: items.length, isCut };
    } catch (error) {
      throw table.fault(error, "unreadable");
    }
  }

  /** The jobs of rows that an index named. */
  async #read(items: readonly Item[], replicas: ReadonlyMap<string, Item>, signal: AbortSignal): Promise<ListedJob[]> {
    const { clock } = this.#options;
    const names = items.map((item) => text(item, "pk"));
    const jobs: ListedJob[] = [];
    for (let from = 0; from < names.length; from += readTogether) {
      const rows = await Promise.all(names.slice(from, from + readTogether).map((name) => this.#item(name, signal)));
      jobs.push(...rows.flatMap((item) => (item ? listed(item, replicas, clock) : [])));
    }
    return jobs;
  }

  /** Everybody, and whether the fleet is paused. Throws LedgerError. */
  async fleet(
    signal: AbortSignal,
  ): Promise<{ readonly replicas: readonly ShownReplica[]; readonly pause?: FleetPause }> {
    const { table } = this.#options;
    try {
      const items = await replicaRows(table, signal);
      const pause = pauseIn(items);
      const replicas = items.filter((item) => item["sk"]?.S !== pauseRow).map(shown);
      return { replicas, ...(pause === undefined ? {} : { pause }) };
    } catch (error) {
      throw table.fault(error, "unreadable");
    }
  }

  /** Pauses the whole fleet; one that is paused stays as it is. Throws LedgerError. */
  async pauseAll(by: string, signal: AbortSignal): Promise<void> {
    const { table, clock } = this.#options;
    await writePause(table, { by, nowMs: clock.now() }, signal).catch((error: unknown) => {
      throw table.fault(error, "unwritable");
    });
  }

  /** Throws LedgerError. */
  async resumeAll(signal: AbortSignal): Promise<void> {
    const { table } = this.#options;
    await removePause(table, signal).catch((error: unknown) => {
      throw table.fault(error, "unwritable");
    });
  }

  /** Ended jobs, newest first. Throws LedgerError. */
  history(search: HistorySearch, signal: AbortSignal): Promise<HistoryPage> {
    const { table, name, clock, history: limits } = this.#options;
    return searchTable({ table, name, search, limits, nowMs: clock.now(), signal });
  }

  /**
   * Changes a job that nobody works on: one whose holder is gone, or stands still for its whole lease while we watch.
   * Throws LedgerError: `locked` when a replica works on it, `lost` when the job is not there or changed meanwhile.
   */
  async end(key: NamedJob, eventsFor: (row: JobRow) => readonly JobEvent[], signal: AbortSignal): Promise<void> {
    const { table, clock, recentMs, history } = this.#options;
    try {
      const row = await this.#row(rowName(key), signal);
      if (!row || !isOwed(row.record.state)) throw lost(key, "is no longer in the ledger");
      const events = eventsFor(row);
      await this.#mustBeNobodys(row, signal);
      const nowMs = clock.now();
      const record = events.reduce((before, event) => recordAfter(before, event, nowMs), row.record);
      const fence = { ...row.fence, holder: nobody, turn: row.fence.turn + 1 };
      const item = itemOf(row.key, record, fence, { nowMs, recentMs, historyMs: historyMsOf(history) });
      await table.call("PutItem", { Item: item, ...ifUnchanged(row.fence) }, signal);
    } catch (error) {
      if (isConditionFailed(error)) throw lost(key, "was just taken over or changed by a replica: try again");
      throw table.fault(error, "unwritable");
    }
  }

  async #mustBeNobodys({ key, fence: { holder } }: JobRow, signal: AbortSignal): Promise<void> {
    if (holder === nobody) return;
    const { table, clock, onWait, isAlive } = this.#options;
    const known = isAlive?.(holder);
    if (known === false) return;
    const seen = await replicaRow(table, holder, signal);
    if (!seen) return;
    if (known) throw held(key, holder, { row: seen, how: "whose lease has not ended" });
    const leaseMs = Number(seen["leaseMs"]?.N ?? "0");
    const who = nameOf(describe(holder, seen));
    onWait(
      `job ${key.jobId} is held by ${who}; waiting ${Math.ceil((leaseMs + marginMs) / 1_000)} s to see whether it is alive`,
    );
    await clock.sleep(leaseMs + marginMs, signal);
    const now = await replicaRow(table, holder, signal);
    if (!now || now["beat"]?.N === seen["beat"]?.N) return;
    throw held(key, holder, { row: now, how: "which is alive" });
  }

  async #replicas(signal: AbortSignal): Promise<ReadonlyMap<string, Item>> {
    const items = await replicaRows(this.#options.table, signal);
    return new Map(items.map((item) => [text(item, "sk"), item]));
  }

  async #row(name: string, signal: AbortSignal): Promise<JobRow | undefined> {
    const item = await this.#item(name, signal);
    try {
      return item && rowFrom(item, this.#options.clock, "taken");
    } catch (error) {
      const what = error instanceof Error ? error.message : String(error);
      const fix = "no replica uses it: correct the row in DynamoDB, or delete it to abandon the job";
      throw new LedgerError("unreadable", `${what}; ${fix}`, error);
    }
  }

  async #item(name: string, signal: AbortSignal): Promise<Item | undefined> {
    return (await this.#options.table.call("GetItem", { Key: rowKey(name), ConsistentRead: true }, signal)).Item;
  }
}

/** The row as it is listed, if it is owed; one that cannot be read hides no other. */
function listed(item: Item, replicas: ReadonlyMap<string, Item>, clock: Clock): readonly ListedJob[] {
  const holder = item["holder"]?.S ?? nobody;
  const heldBy = holder === nobody ? undefined : describe(holder, replicas.get(holder));
  try {
    const { key, record } = rowFrom(item, clock, "listed");
    return isOwed(record.state) ? [listedJob(key, record, heldBy)] : [];
  } catch {
    return [damagedJob(text(item, "pk"), heldBy)];
  }
}

/** A replica as whoever only reads the table sees it: by its own clock. */
export interface ShownReplica extends Pick<SeenReplica, "replica" | "host" | "pid" | "note"> {
  readonly beatAtMs?: number;
  readonly leaseEndsMs?: number;
}

function shown(item: Item): ShownReplica {
  const replica = text(item, "sk");
  const { leaseEndsMs } = describe(replica, item);
  const beatAtMs = Number(item["atMs"]?.N ?? "x");
  const times = { ...(leaseEndsMs === undefined ? {} : { leaseEndsMs }), ...(beatAtMs > 0 ? { beatAtMs } : {}) };
  return { ...seenFrom(replica, item), ...times };
}

function held(
  { jobId }: JobKey,
  holder: string,
  { row, how }: { readonly row: Item; readonly how: string },
): LedgerError {
  const url = seenFrom(holder, row).note?.url;
  const where = url === undefined ? "" : ` at ${url}`;
  const who = nameOf(describe(holder, row));
  return new LedgerError(
    "locked",
    `job ${jobId} is held by ${who}, ${how}: use that daemon's admin port${where}, or stop it first`,
  );
}

function describe(replica: string, row: Item | undefined): JobHolder {
  const [atMs, leaseMs, pid] = [Number(row?.["atMs"]?.N), Number(row?.["leaseMs"]?.N), Number(row?.["pid"]?.N)];
  return {
    replica,
    ...(row?.["host"]?.S === undefined ? {} : { host: row["host"].S }),
    ...(Number.isFinite(pid) ? { pid } : {}),
    ...(Number.isFinite(atMs + leaseMs) ? { leaseEndsMs: atMs + leaseMs } : {}),
  };
}

function nameOf({ replica, host, pid }: JobHolder): string {
  return host === undefined ? `replica ${replica}` : `process ${pid ?? "?"} on host ${host} (replica ${replica})`;
}

function lost({ jobId }: NamedJob, what: string): LedgerError {
  return new LedgerError("lost", `job ${jobId} ${what}`);
}
