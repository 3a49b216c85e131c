// How a replica comes to jobs: it claims a job that a poll offered, and finds owed jobs that nobody works on. Both by
// one conditional write, so that of many replicas one wins. Looks are few while nobody is suspect.

import type { JobKey, Nonce } from "../../job/job.js";
import { mustBeGivenAway } from "../../job/lease.js";
import { isOwed } from "../../job/lifecycle.js";
import type { Clock } from "../../std/clock.js";
import type { FoundJob, Lease, UnfinishedJob } from "../ledger.js";
import { newRecord } from "../record.js";
import type { FleetRows } from "./fleet-rows.js";
import type { HandedOffers } from "./handed-offers.js";
import type { FleetJobs } from "./jobs.js";
import type { Replicas } from "./replicas.js";
import { type Fence, holderIndex, type Item, type JobRow, nobody, rowName, text } from "./rows.js";
import type { RetryingTable } from "./table.js";

export interface FleetFinderOptions {
  readonly table: RetryingTable;
  readonly rows: FleetRows;
  readonly jobs: FleetJobs;
  readonly replicas: Replicas;
  readonly offers: HandedOffers;
  readonly clock: Clock;
  readonly lookMs: number;
  readonly onFault: (message: string) => void;
}

/** What is looked for. */
export interface Search {
  readonly isWanted: (job: FoundJob) => boolean;
  readonly max: number;
  /** Every row in the index, whoever it names; else those of replicas that died, and now and then those of nobody. */
  readonly isFull: boolean;
}

/** A replica takes a few jobs at a time: others share the debts of a dead one. */
export const takenAtOnceMax = 10;
/** Rows that are taken at once. */
const takenTogether = 16;
/** The soonest that is looked again, in ms. */
export const soonMs = 1_500;
/** Two looks without a rest would see the same: a death that is due by a rounding error must not spin. */
const leastRestMs = 10;
/** What a replica that lives gave away waits for so many looks; who leaves is noticed at once. */
const nobodyEveryLooks = 3;
/** Rows that name a replica without a row, or one that does not know of them, are looked for so often, in ms. */
const fullEveryMs = 60_000;

export class FleetFinder {
  readonly #options: FleetFinderOptions;
  /** Rows that an earlier look found and left: whose they are needs no second read. */
  readonly #unwanted = new Map<string, FoundJob>();
  #nextLease = 1;
  #looks = 0;
  #fullAtMs = Number.NEGATIVE_INFINITY;
  /** There is more to be found than the last look took. */
  #isMoreLikely = false;
  #isBuryingTold = false;

  constructor(options: FleetFinderOptions) {
    this.#options = options;
  }

  /** A lease on a newly offered job; none when it is another's, owed, or remembered. Rejects as the table does. */
  async claim(key: JobKey, nonce: Nonce | undefined, signal: AbortSignal): Promise<Lease | undefined> {
    const { jobs, rows, clock, offers } = this.#options;
    const name = rowName(key);
    const record = newRecord(clock.now());
    const first = jobs.take({ key, record, fence: this.#fence() });
    const row = await rows.take(first, signal);
    if (first.is === "held") return first.lease;
    if (!row) return undefined;
    if (!(await this.#isFree(row, name, signal))) {
      if (nonce !== undefined) await offers.leave(row, nonce, signal);
      return undefined;
    }
    if (jobs.has(name)) return undefined;
    const second = jobs.take({ key, record, fence: this.#fence(), before: row.fence });
    await rows.take(second, signal);
    return second.is === "held" ? second.lease : undefined;
  }

  /** Owed jobs without an active worker, leased to us. Rejects as the table does, and then it took none. */
  async find(search: Search, signal: AbortSignal): Promise<readonly UnfinishedJob[]> {
    const found: UnfinishedJob[] = [];
    try {
      await this.#findInto(found, search, signal);
      this.#isMoreLikely = found.length >= search.max;
    } catch (error) {
      this.#isMoreLikely = true;
      // Jobs that were taken must be recovered; the next look meets the fault again.
      if (found.length === 0) throw error;
    }
    return found;
  }

  /** How long the next look may wait, in ms. */
  get restMs(): number {
    const { lookMs, jobs, replicas } = this.#options;
    // Jobs that we release ourselves will soon have no holder.
    const isSoon = this.#isMoreLikely || jobs.all().some(({ is }) => mustBeGivenAway(is));
    return Math.max(leastRestMs, Math.min(lookMs, isSoon ? soonMs : replicas.nextDeathMs));
  }

  async #findInto(found: UnfinishedJob[], search: Search, signal: AbortSignal): Promise<void> {
    const { jobs, replicas, clock } = this.#options;
    const hasSomebodyLeft = await replicas.look(signal);
    this.#looks += 1;
    if (jobs.areSomeNobodys) this.#isMoreLikely = true;
    jobs.areSomeNobodys = false;
    const isFull = search.isFull || clock.monotonic() - this.#fullAtMs >= fullEveryMs;
    const isNobodysTurn = hasSomebodyLeft || this.#looks % nobodyEveryLooks === 0 || this.#isMoreLikely;
    const dead = replicas.dead();
    const rows = isFull
      ? await this.#all(signal)
      : await this.#owedBy([...(isNobodysTurn ? [nobody] : []), ...dead], signal);
    const free = rows.filter(({ holder }) => this.#mayTake(holder) || holder === replicas.self);
    const names = free.map(({ name }) => name);
    if (isFull) this.#forgetAllBut(new Set(names));
    await this.#takeAll(names, search, found, signal);
    const holders = new Set(rows.map(({ holder }) => holder));
    for (const id of dead) if (!holders.has(id)) await this.#bury(id, signal);
  }

  #forgetAllBut(names: ReadonlySet<string>): void {
    for (const name of this.#unwanted.keys()) if (!names.has(name)) this.#unwanted.delete(name);
  }

  /** Whatever the index shows: also rows under our own name, and under names that have no row. */
  async #all(signal: AbortSignal): Promise<readonly OwedRow[]> {
    const { table, replicas, clock } = this.#options;
    this.#fullAtMs = clock.monotonic();
    const rows = (await table.all("Scan", { IndexName: holderIndex }, signal)).map(owedRow);
    replicas.areNamed(new Set(rows.map(({ holder }) => holder)));
    return rows;
  }

  async #owedBy(holders: readonly string[], signal: AbortSignal): Promise<readonly OwedRow[]> {
    const rows: OwedRow[] = [];
    for (const holder of holders) {
      const query = {
        IndexName: holderIndex,
        KeyConditionExpression: "owedBy = :holder",
        ExpressionAttributeValues: { ":holder": { S: holder } },
      };
      rows.push(...(await this.#options.table.all("Query", query, signal)).map(owedRow));
    }
    return rows;
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
    const { jobs, rows, replicas } = this.#options;
    const known = this.#unwanted.get(name);
    if (jobs.has(name) || (known && !search.isWanted(known))) return undefined;
    const row = await rows.read(name, signal);
    if (!row || !isOwed(row.record.state) || jobs.has(name)) return undefined;
    if (row.fence.holder === replicas.self) return this.#disown(row, signal);
    if (!this.#mayTake(row.fence.holder)) return undefined;
    const { state, callback } = row.record;
    const one: FoundJob = { key: row.key, state, hasCallback: callback !== undefined };
    if (!search.isWanted(one)) {
      this.#unwanted.set(name, one);
      return undefined;
    }
    const job = jobs.take({ key: row.key, record: row.record, fence: this.#fence(), before: row.fence });
    await rows.take(job, signal);
    return job.is === "held" ? job.asUnfinished() : undefined;
  }

  /** A row under our name that we do not hold: a write that came late. Nobody's from here on, for the next look. */
  async #disown({ key, record, fence }: JobRow, signal: AbortSignal): Promise<undefined> {
    const { jobs, rows } = this.#options;
    const job = jobs.take({ key, record, fence });
    jobs.move(job, "no-answer");
    await rows.settle(job, signal);
  }

  #mayTake(holder: string): boolean {
    return holder === nobody || this.#options.replicas.isDead(holder);
  }

  /** True when an offer of the job is in earnest: it was never owed or is over without a result, and nobody is at it. */
  async #isFree(row: JobRow, name: string, signal: AbortSignal): Promise<boolean> {
    const { replicas, jobs } = this.#options;
    const { holder } = row.fence;
    if (row.isRemembered) return false;
    const isOurs = holder === replicas.self;
    if (!isOwed(row.record.state)) return isOurs || (await replicas.isGone(holder, signal));
    if (isOurs && !jobs.has(name)) await this.#disown(row, signal);
    return false;
  }

  /** A policy may not allow it: then the row goes by its time to live. */
  async #bury(holder: string, signal: AbortSignal): Promise<void> {
    const { replicas, table, onFault } = this.#options;
    try {
      await replicas.bury(holder, signal);
    } catch (error) {
      if (!this.#isBuryingTold)
        onFault(`could not delete the row of a dead replica: ${table.fault(error, "unwritable").message}`);
      this.#isBuryingTold = true;
    }
  }

  /** The fence of a new take. */
  #fence(): Fence {
    return { holder: this.#options.replicas.self ?? nobody, lease: this.#nextLease++, turn: 0 };
  }
}

/** A row as the index shows it, which lags behind the table. */
interface OwedRow {
  readonly name: string;
  readonly holder: string;
}

function owedRow(item: Item): OwedRow {
  return { name: text(item, "pk"), holder: text(item, "owedBy") };
}
