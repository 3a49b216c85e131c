// How a replica comes to jobs: it claims a job that a poll offered, and finds owed jobs that nobody works on. Both by
// one conditional write, so that of many replicas one wins.
import type { JobKey } from "../../job/job.js";
import { isOwed } from "../../job/lifecycle.js";
import type { Clock } from "../../std/clock.js";
import type { FoundJob, UnfinishedJob } from "../ledger.js";
import type { JobRecord } from "../record.js";
import { FleetJob } from "./jobs.js";
import type { Replicas } from "./replicas.js";
import {
  type Condition,
  type Fence,
  holderIndex,
  type Item,
  ifFree,
  ifUnchanged,
  itemOf,
  type JobRow,
  nobody,
  rowFrom,
  rowKey,
  rowName,
  text,
} from "./rows.js";
import { isConditionFailed, type PatientTable } from "./table.js";

export interface FleetFinderOptions {
  readonly table: PatientTable;
  readonly replicas: Replicas;
  readonly clock: Clock;
  readonly recentMs: number;
  /** True for rows that this process holds, or has yet to settle. */
  readonly isOurs: (rowName: string) => boolean;
  readonly nextFence: () => Fence;
  readonly hold: (job: FleetJob) => void;
  readonly onFault: (message: string) => void;
}

/** What is looked for. */
export interface Search {
  readonly isWanted: (job: FoundJob) => boolean;
  readonly max: number;
  /** Also jobs of replicas that have left no row of their own. */
  readonly isFirst: boolean;
}

/** A replica takes a few jobs at a time: others share the debts of a dead one. */
export const takenAtOnceMax = 10;
/** Rows that are taken at once. */
const takenTogether = 16;

export class FleetFinder {
  readonly #options: FleetFinderOptions;
  readonly #damaged = new Set<string>();
  /** Rows that the last look found and left: whose they are needs no second read. */
  readonly #unwanted = new Map<string, FoundJob>();

  constructor(options: FleetFinderOptions) {
    this.#options = options;
  }

  /** Writes a newly offered job's first row; false when it is another's, owed, or remembered. Rejects as the table does. */
  async claim(job: FleetJob, signal: AbortSignal): Promise<boolean> {
    const { clock, replicas } = this.#options;
    if (await this.#put(job.key, job.record, job.fence, ifFree(clock.now()), signal)) return true;
    const row = await this.#read(job.name, signal);
    // Never owed, and its replica is gone: nobody will ever work it.
    const isAbandoned =
      row !== undefined &&
      !isOwed(row.record.state) &&
      row.recentUntilMs === undefined &&
      (await replicas.isGone(row.fence.holder, signal));
    if (!isAbandoned) return false;
    return this.#put(job.key, job.record, job.fence, ifUnchanged(row.fence), signal);
  }

  /** Owed jobs that nobody works on, leased to us. Rejects as the table does, and then it took none. */
  async find(search: Search, signal: AbortSignal): Promise<readonly UnfinishedJob[]> {
    const found: UnfinishedJob[] = [];
    try {
      await this.#findInto(found, search, signal);
    } catch (error) {
      // What was taken must be taken up; the next look meets the fault again.
      if (found.length === 0) throw error;
    }
    return found;
  }

  async #findInto(found: UnfinishedJob[], search: Search, signal: AbortSignal): Promise<void> {
    const { replicas } = this.#options;
    await replicas.look(signal);
    const seen = new Set<string>();
    for (const holder of [nobody, ...replicas.dead()]) {
      const names = (await this.#owedBy(holder, signal)).map((item) => text(item, "pk"));
      for (const name of names) seen.add(name);
      await this.#takeAll(names, search, found, signal);
      if (holder !== nobody && names.length === 0) await replicas.bury(holder, signal);
    }
    for (const name of this.#unwanted.keys()) if (!seen.has(name)) this.#unwanted.delete(name);
    if (search.isFirst) {
      const items = await this.#options.table.all("Scan", { IndexName: holderIndex }, signal);
      const orphans = items.filter((item) => !replicas.isKnown(text(item, "owedBy")));
      await this.#takeAll(
        orphans.map((item) => text(item, "pk")),
        search,
        found,
        signal,
      );
    }
  }

  async #takeAll(names: readonly string[], search: Search, found: UnfinishedJob[], signal: AbortSignal): Promise<void> {
    // Not everybody begins with the same row.
    const shuffled = names.map((name) => ({ name, at: Math.random() })).sort((a, b) => a.at - b.at);
    for (let from = 0; from < shuffled.length; ) {
      const room = Math.min(takenTogether, search.max - found.length);
      if (room <= 0 || signal.aborted) return;
      const group = shuffled.slice(from, from + room);
      from += room;
      const taken = await Promise.allSettled(group.map(({ name }) => this.#take(name, search, signal)));
      found.push(...taken.flatMap((one) => (one.status === "fulfilled" && one.value ? [one.value] : [])));
      const failed = taken.find((one) => one.status === "rejected");
      if (failed) throw failed.reason;
    }
  }

  /** One owed job, if it is still nobody's. A row that cannot be read hurts no other. */
  async #take(name: string, search: Search, signal: AbortSignal): Promise<UnfinishedJob | undefined> {
    const { replicas, isOurs, nextFence, hold } = this.#options;
    const known = this.#unwanted.get(name);
    if (isOurs(name) || (known && !search.isWanted(known))) return undefined;
    const row = await this.#read(name, signal);
    if (!row || !isOwed(row.record.state)) return undefined;
    const { state, callback } = row.record;
    const one: FoundJob = { key: row.key, state, hasCallback: callback !== undefined };
    if (!search.isWanted(one)) {
      this.#unwanted.set(name, one);
      return undefined;
    }
    const { holder } = row.fence;
    if (holder !== nobody && !(await replicas.isGone(holder, signal))) return undefined;
    const fence = nextFence();
    const isTaken = await this.#put(row.key, row.record, fence, ifUnchanged(row.fence), signal);
    if (!isTaken || isOurs(name)) return undefined;
    const job = new FleetJob(row.key, row.record, fence);
    hold(job);
    // Our own lease may have run out while we asked.
    if (replicas.self !== fence.holder) job.lose("the lease of this replica ran out");
    return job.asUnfinished();
  }

  /** One conditional write; true when the row is as we wrote it, also by an attempt whose answer was lost. */
  async #put(
    key: JobKey,
    record: JobRecord,
    fence: Fence,
    condition: Condition,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { table, clock, recentMs } = this.#options;
    const item = itemOf(key, record, fence, { nowMs: clock.now(), recentMs });
    try {
      await table.call("PutItem", { Item: item, ...condition }, signal);
      return true;
    } catch (error) {
      if (!isConditionFailed(error)) throw error;
    }
    const now = await this.#read(rowName(key), signal);
    return now?.fence.holder === fence.holder && now.fence.lease === fence.lease;
  }

  async #read(name: string, signal: AbortSignal): Promise<JobRow | undefined> {
    const { table, onFault } = this.#options;
    const { Item: item } = await table.call("GetItem", { Key: rowKey(name), ConsistentRead: true }, signal);
    if (item === undefined) return undefined;
    try {
      return rowFrom(item);
    } catch (error) {
      // Told once; somebody has to look at it.
      if (!this.#damaged.has(name)) onFault(error instanceof Error ? error.message : String(error));
      this.#damaged.add(name);
      return undefined;
    }
  }

  /** Token hashes of callbacks that somebody waits for, of the jobs by these names. Throws LedgerError. */
  async promised(names: readonly string[], signal: AbortSignal): Promise<readonly string[]> {
    const read = Promise.all(names.map((name) => this.#read(name, signal)));
    const rows = await read.catch((error: unknown) => {
      throw this.#options.table.fault(error, "unreadable");
    });
    return rows.flatMap((row) =>
      row?.record.state === "running" && row.record.callback ? [row.record.callback.tokenHash] : [],
    );
  }

  #owedBy(holder: string, signal: AbortSignal): Promise<readonly Item[]> {
    const query = {
      IndexName: holderIndex,
      KeyConditionExpression: "owedBy = :holder",
      ExpressionAttributeValues: { ":holder": { S: holder } },
    };
    return this.#options.table.all("Query", query, signal);
  }
}
