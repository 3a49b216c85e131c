// The rows of jobs as one replica writes them: takes, what is recorded, and the write that gives a row away. Each moves
// the job's lease by what the table answered, and only by that.

import { mayWork, mustBeGivenAway } from "../../job/lease.js";
import { isOver, isOwed } from "../../job/lifecycle.js";
import type { Clock } from "../../std/clock.js";
import { whileFollowing } from "../../std/following.js";
import { LedgerError } from "../ledger.js";
import { isRemembered, type JobRecord } from "../record.js";
import type { FleetHealth } from "./health.js";
import type { FleetJob, FleetJobs } from "./jobs.js";
import type { Replicas } from "./replicas.js";
import {
  type Condition,
  either,
  type Fence,
  ifAbsent,
  ifHeld,
  ifUnchanged,
  itemOf,
  type JobRow,
  nobody,
  rowFrom,
  rowKey,
} from "./rows.js";
import { isAboutTheRow, isConditionFailed, type RetryingTable } from "./table.js";

export interface FleetRowsOptions {
  readonly table: RetryingTable;
  readonly jobs: FleetJobs;
  readonly replicas: Replicas;
  readonly clock: Clock;
  readonly health: FleetHealth;
  /** For how long replicas of an older partnerd remember a job that had a result. */
  readonly recentMs: number;
  /** For how long an ended job is told of; 0: not at all. */
  readonly historyMs: number;
  readonly isClosed: () => boolean;
  readonly onFault: (message: string) => void;
}

export class FleetRows {
  readonly #options: FleetRowsOptions;
  readonly #damaged = new Set<string>();

  constructor(options: FleetRowsOptions) {
    this.#options = options;
  }

  /** The row as it stands; a damaged one is told of once, and is nobody's to touch. Rejects with what the table threw. */
  async read(name: string, signal: AbortSignal): Promise<JobRow | undefined> {
    const { table, clock, onFault } = this.#options;
    const { Item: item } = await table.call("GetItem", { Key: rowKey(name), ConsistentRead: true }, signal);
    if (item === undefined) return undefined;
    try {
      return rowFrom(item, clock, "taken");
    } catch (error) {
      // Told once; somebody has to look at it.
      if (!this.#damaged.has(name)) onFault(error instanceof Error ? error.message : String(error));
      this.#damaged.add(name);
      return undefined;
    }
  }

  /** Puts our name into the row. What stands there when it is another's. Rejects when nobody knows whether it did. */
  async take(job: FleetJob, signal: AbortSignal): Promise<JobRow | undefined> {
    const { jobs, replicas } = this.#options;
    if (!replicas.mayWork || replicas.self !== job.fence.holder) {
      jobs.move(job, "refused");
      return undefined;
    }
    const condition = job.before === undefined ? ifAbsent : ifUnchanged(job.before);
    let row: JobRow | undefined;
    try {
      const isTaken = await this.#put(job, job.record, job.fence, condition, signal).then(
        () => true,
        (error: unknown) => (isConditionFailed(error) ? false : Promise.reject(error)),
      );
      // It may be our own earlier attempt that changed the row.
      if (!isTaken) row = await this.read(job.name, signal);
      const isOurs = isTaken || (row !== undefined && isSame(row.fence, job.fence));
      // By now our name may have run out.
      replicas.check();
      jobs.move(job, isOurs ? "answered" : "refused");
      return isOurs ? undefined : row;
    } catch (error) {
      jobs.move(job, "no-answer");
      throw this.#failed(error);
    }
  }

  /** Puts what the record says, under the job's lease, after whatever is being written for it. */
  write(job: FleetJob, record: JobRecord, signal: AbortSignal): Promise<void> {
    const writing = job.written.then(() => this.#write(job, record, signal));
    job.written = writing.catch(() => {});
    return writing;
  }

  /** Makes the row of a job that nobody works here say so. Never rejects: it is tried again with each heartbeat. */
  settle(job: FleetJob, signal: AbortSignal): Promise<void> {
    const settling = job.written.then(() => this.#settle(job, signal)).catch(() => {});
    job.written = settling;
    return settling;
  }

  /** The fault for whoever asked; unless it is about one row alone, nothing new is taken until a write succeeds. */
  #failed(error: unknown): LedgerError {
    const { table, health, isClosed } = this.#options;
    if (isClosed()) return new LedgerError("unwritable", "the ledger is closed");
    const fault = table.fault(error, "unwritable");
    if (!isAboutTheRow(error)) health.bad("rows", fault.message);
    return fault;
  }

  async #write(job: FleetJob, record: JobRecord, closing: AbortSignal): Promise<void> {
    const { jobs, replicas } = this.#options;
    // Whoever stood still writes nothing late.
    replicas.check();
    if (!mayWork(job.is)) throw job.lostError();
    // What was dropped is anybody's; of the others those that are over are remembered.
    const holder = isOver(record.state) && !isRemembered(record) ? nobody : job.fence.holder;
    try {
      await whileFollowing([closing, job.lost], (signal) => this.#replace(job, record, holder, signal));
    } catch (error) {
      if (job.lost.aborted) throw job.lostError();
      // An earlier attempt of ours may have dropped it.
      if (!isConditionFailed(error)) throw this.#failed(error);
      if (holder !== nobody) {
        jobs.move(job, "refused");
        throw job.lostError();
      }
    }
    job.record = record;
    job.stored = record;
  }

  async #settle(job: FleetJob, signal: AbortSignal): Promise<void> {
    const { jobs, health } = this.#options;
    if (!mustBeGivenAway(job.is)) return;
    const { told } = job;
    const isSaid = job.is === "released" && isOver(told.state) && job.stored === told;
    if (isSaid) return jobs.move(job, "written");
    try {
      await this.#replace(job, told, isRemembered(told) ? job.fence.holder : nobody, signal);
      jobs.move(job, "written");
    } catch (error) {
      // Another has it by now, or it was done already.
      if (isConditionFailed(error)) return jobs.move(job, "refused");
      if (isAboutTheRow(error)) jobs.move(job, "refused");
      throw this.#failed(error);
    } finally {
      // Where nothing waits to be written any more, the next write shows how rows fare.
      if (!jobs.all().some((each) => mustBeGivenAway(each.is) || isBehind(each))) health.good("rows");
    }
  }

  /**
   * Puts what the row of the job's lease is to say: at first over that row alone, or over what a take that may yet arrive
   * would change. So a copy that arrives late, in a table that was made anew meanwhile, finds nothing to write over, and
   * brings back no job that is over. Only when that is refused it is read what stands there instead.
   */
  async #replace(job: FleetJob, record: JobRecord, holder: string, signal: AbortSignal): Promise<void> {
    const fence = job.nextFence();
    const ours = either(ifHeld(fence), ...(job.is === "unsure" && job.before ? [ifUnchanged(job.before)] : []));
    for (let condition = ours, attempt = 1; ; attempt++) {
      try {
        return await this.#put(job, record, { ...fence, holder }, condition, signal);
      } catch (error) {
        if (!isConditionFailed(error) || attempt === replacesMax) throw error;
        const row = await this.read(job.name, signal);
        if (!this.#mayReplace(job, record, row)) throw error;
        condition = either(ours, row === undefined ? ifAbsent : ifUnchanged(row.fence));
      }
    }
  }

  /**
   * True when the job's row went with its table: it is missing, as long as it cannot have been removed, or another's offer
   * of the job has a row that was never owed. Nobody acknowledges by a row that was written over. Whoever does not know
   * whether the job was ever its own writes over nobody's, and whoever stood still meanwhile writes nothing late.
   */
  #mayReplace(job: FleetJob, record: JobRecord, row: JobRow | undefined): boolean {
    const { clock, replicas } = this.#options;
    replicas.check();
    if (!mayWork(job.is) && !mustBeGivenAway(job.is)) return false;
    if (row === undefined) return job.endedMs === undefined || clock.monotonic() - job.endedMs < recreatedMaxMs;
    return row.record.claim.is === "none" && isOwed(record.state) && job.is !== "unsure";
  }

  async #put(job: FleetJob, record: JobRecord, fence: Fence, condition: Condition, signal: AbortSignal) {
    const { table, clock, recentMs, historyMs, replicas, health } = this.#options;
    const item = itemOf(job.key, record, fence, { nowMs: clock.now(), recentMs, historyMs });
    await table.call("PutItem", { Item: item, ...condition }, signal);
    if (replicas.self !== undefined) health.good("rows");
  }
}

/** Rows of ended jobs stay for a day: what is missing sooner went with its table, and is written anew. */
const recreatedMaxMs = 12 * 3_600_000;

/** A row that was never owed may change a few times between a read and the write: so often it is tried to replace it. */
const replacesMax = 4;

function isSame(one: Fence, other: Fence): boolean {
  return one.holder === other.holder && one.lease === other.lease;
}

/** True while what was told of a job that goes on is not in its row. */
export function isBehind(job: FleetJob): boolean {
  return mayWork(job.is) && job.missed !== undefined && job.stored !== job.told;
}
