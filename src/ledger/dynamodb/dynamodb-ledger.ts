// The ledger that a fleet shares, over a Table. Every write is conditional on the lease it is made under, so that
// whoever lost a job can change nothing of it; leases end with the replica's heartbeat (replicas.ts). What is known of
// each lease is in job/lease.ts; this file tells it what happens.

import type { HistoryPage, HistorySearch } from "../../job/ended.js";
import { type JobId, type JobKey, jobKeyName, type Nonce, type Place } from "../../job/job.js";
import { leasePace, mayWork, mustBeGivenAway } from "../../job/lease.js";
import { isOwed, type JobEvent } from "../../job/lifecycle.js";
import { endOrAbort } from "../../std/end-or-abort.js";
import { valueWithin } from "../../std/ends-within.js";
import {
  type FoundJob,
  type HandedOffer,
  type Lease,
  type Ledger,
  LedgerError,
  type LedgerHealth,
  type PromisedJob,
  type UnfinishedJob,
} from "../ledger.js";
import { changeBy, miss, tell } from "../recording.js";
import { FleetFinder, soonMs, takenAtOnceMax } from "./finder.js";
import { Fleet, type FleetOptions } from "./fleet.js";
import { FleetPauses } from "./fleet-pause.js";
import { FleetRows, isBehind } from "./fleet-rows.js";
import { HandedOffers } from "./handed-offers.js";
import { FleetHealth, quietly } from "./health.js";
import { type FleetJob, FleetJobs } from "./jobs.js";
import { FleetOperator, type FleetOperatorOptions } from "./operator.js";
import type { DynamoLedgerOptions } from "./options.js";
import { Replicas } from "./replicas.js";
import { rowName } from "./rows.js";
import { RetryingTable } from "./table.js";
import { historyMsOf, searchTable } from "./table-history.js";

/** A silent table must not delay a stop: what it did not record, others find out once our lease has expired. */
const closeMaxMs = 500;

/** A heartbeat whose answer takes longer, on an overloaded machine, is waited for beside the next. */
const answerMs = 2_000;

/** Holds jobs in a DynamoDB table that a fleet shares. */
export class DynamoLedger implements Ledger {
  readonly isDurable = true;
  readonly #options: DynamoLedgerOptions;
  readonly #table: RetryingTable;
  readonly #beats: RetryingTable;
  readonly #beatMs: number;
  readonly #replicas: Replicas;
  readonly #jobs: FleetJobs;
  readonly #rows: FleetRows;
  readonly #finder: FleetFinder;
  readonly #offers: HandedOffers;
  readonly #closing = new AbortController();
  readonly #health: FleetHealth;
  readonly fleet: Fleet;
  #loops: Promise<unknown> = Promise.resolve();
  #closed: Promise<void> | undefined;

  private constructor(options: DynamoLedgerOptions) {
    this.#options = options;
    const { clock, name, retry, recentMs, leaseMs, graceMs } = options;
    const pace = leasePace(leaseMs, graceMs);
    const onFault = (message: string) => quietly(() => options.onFault(message));
    const health = new FleetHealth({ clock, onHealth: options.onHealth });
    const table = new RetryingTable({ table: options.table, name, clock, retry });
    const beats = new RetryingTable({ table: options.beats, name, clock, retry });
    const jobs: FleetJobs = new FleetJobs({ monotonic: () => clock.monotonic(), check: () => replicas.check() });
    const replicas: Replicas = new Replicas({
      table,
      beats,
      clock,
      pace,
      onLapsing: () => this.#endWork(),
      onExpired: () => this.#expire(),
      onLook: (items, askedMs) => pauses.saw(items, askedMs),
    });
    const pauses = new FleetPauses({ table, clock, onPause: (pause) => options.onPause?.(pause) });
    const history = options.history ? { history: options.history } : {};
    const operator = { name, clock, recentMs, ...history, onFault };
    this.fleet = fleetOf({ table, replicas, pauses, closing: this.#closing.signal }, operator);
    const isClosed = () => this.#closed !== undefined;
    const historyMs = historyMsOf(options.history);
    const rows = new FleetRows({ table, jobs, replicas, clock, health, recentMs, historyMs, isClosed, onFault });
    const lookMs = options.lookMs ?? pace.lookMs;
    this.#offers = new HandedOffers({ table, jobs, clock });
    this.#finder = new FleetFinder({ table, rows, jobs, replicas, offers: this.#offers, clock, lookMs, onFault });
    this.#health = health;
    this.#table = table;
    this.#beats = beats;
    this.#beatMs = pace.beatMs;
    this.#jobs = jobs;
    this.#replicas = replicas;
    this.#rows = rows;
  }

  /** Takes a name in the fleet. Throws LedgerError: `unwritable` when the table cannot be used. */
  static async open(options: DynamoLedgerOptions): Promise<DynamoLedger> {
    const ledger = new DynamoLedger(options);
    try {
      await ledger.#replicas.renew(ledger.#closing.signal);
    } catch (error) {
      ledger.#letGo();
      throw ledger.#table.fault(error, "unwritable");
    }
    ledger.#loops = Promise.all([ledger.#beatOn(), ledger.#settleOn()]);
    return ledger;
  }

  async lease(key: JobKey, nonce?: Nonce): Promise<Lease | undefined> {
    this.#mustBeUsable();
    if (this.#jobs.has(rowName(key))) return undefined;
    try {
      return await this.#finder.claim(key, nonce, this.#closing.signal);
    } catch (error) {
      throw this.#table.fault(error, "unreadable");
    }
  }

  async record(lease: Lease, event: JobEvent): Promise<void> {
    this.#mustBeOpen();
    const job = this.#of(lease);
    const change = changeBy(job, event, this.#options.clock.now());
    this.#replicas.check();
    if (!mayWork(job.is)) throw job.lostError();
    tell(job, change);
    if (!change.mustBeWritten) {
      // Its release writes what is needed.
      job.record = change.record;
      return;
    }
    try {
      await this.#rows.write(job, change.record, this.#closing.signal);
    } catch (error) {
      miss(job, change);
      throw error;
    }
  }

  async release(lease: Lease): Promise<void> {
    const job = this.#jobs.get(rowName(lease.key));
    if (job?.lease !== lease) return;
    this.#jobs.move(job, "given-back");
    if (this.#closed === undefined) await this.#rows.settle(job, this.#closing.signal);
  }

  async promised(jobId: JobId, places: readonly Place[]): Promise<readonly PromisedJob[]> {
    const { signal } = this.#closing;
    try {
      const read = await Promise.all(places.map((place) => this.#rows.read(rowName({ jobId, ...place }), signal)));
      const records = read.flatMap((row) => (row ? [row.record] : []));
      if (records.length === 0 && !(await this.#replicas.haveStood(signal)))
        throw new LedgerError(
          "unreadable",
          "the table may have been deleted recently: it is not known yet whose job this is",
        );
      // Once the outcome is fixed, nobody waits for another.
      const promised = records.filter(({ state }) => isOwed(state) && state !== "settled");
      return promised.map(({ callback }) => ({ tokenHash: callback?.tokenHash }));
    } catch (error) {
      throw this.#table.fault(error, "unreadable");
    }
  }

  async unfinished(): Promise<readonly UnfinishedJob[]> {
    this.#mustBeUsable();
    try {
      const all = { isWanted: () => true, max: Number.POSITIVE_INFINITY, isFull: true };
      return await this.#finder.find(all, this.#closing.signal);
    } catch (error) {
      throw this.#table.fault(error, "unreadable");
    }
  }

  watch(isWanted: (job: FoundJob) => boolean, signal: AbortSignal): AsyncGenerator<readonly UnfinishedJob[]> {
    const { clock } = this.#options;
    const rest = (over: AbortSignal) => clock.sleep(this.#isUsable ? this.#finder.restMs : soonMs, over);
    const look = (over: AbortSignal) => this.#finder.find({ isWanted, max: takenAtOnceMax, isFull: false }, over);
    return this.#looks(rest, look, signal);
  }

  handedOffers(signal: AbortSignal): AsyncGenerator<readonly HandedOffer[]> {
    const rest = (over: AbortSignal) => this.#offers.rest(over);
    return this.#looks(rest, (over) => this.#offers.look(over), signal);
  }

  /** What each look finds, if anything; a failed look is reported, and the next one follows. */
  async *#looks<T>(
    rest: (over: AbortSignal) => Promise<void>,
    look: (over: AbortSignal) => Promise<readonly T[]>,
    signal: AbortSignal,
  ): AsyncGenerator<readonly T[]> {
    const over = AbortSignal.any([signal, this.#closing.signal]);
    for (await rest(over); !over.aborted; await rest(over)) {
      if (!this.#isUsable) continue;
      let found: readonly T[] = [];
      try {
        found = await look(over);
      } catch (error) {
        const { message } = this.#table.fault(error, "unreadable");
        if (!over.aborted) quietly(() => this.#options.onFault(message));
      }
      if (found.length > 0) yield found;
    }
  }

  history(search: HistorySearch, signal: AbortSignal): Promise<HistoryPage> {
    const { clock, history: limits, name } = this.#options;
    const over = AbortSignal.any([signal, this.#closing.signal]);
    return searchTable({ table: this.#table, name, search, limits, nowMs: clock.now(), signal: over });
  }

  health(): LedgerHealth {
    return this.#health.now;
  }

  orphaned(): number {
    return this.#jobs.all().filter(({ is, lost, told }) => is === "released" && lost.aborted && isOwed(told.state))
      .length;
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #beatOn(): Promise<void> {
    const { clock, probeIntervalMs } = this.#options;
    const { signal } = this.#closing;
    for (let isWell = true; ; ) {
      await clock.sleep(isWell ? this.#beatMs : Math.min(this.#beatMs, probeIntervalMs), signal);
      if (signal.aborted) return;
      isWell = await valueWithin(this.#beat(signal), false, { ms: Math.min(this.#beatMs, answerMs), clock, signal });
    }
  }

  /** One heartbeat; true when it renewed our name. Never rejects. */
  async #beat(signal: AbortSignal): Promise<boolean> {
    try {
      await this.#replicas.renew(signal);
      if (!this.#replicas.mayWork) return false;
      this.#health.good("heartbeat");
      return true;
    } catch (error) {
      if (this.#closed === undefined) this.#health.bad("heartbeat", this.#table.fault(error, "unwritable").message);
      return false;
    }
  }

  /** What failed writes left: events of jobs that continue, and rows of jobs without an active worker here. */
  async #settleOn(): Promise<void> {
    const { clock, probeIntervalMs } = this.#options;
    const { signal } = this.#closing;
    for (; !signal.aborted; await clock.sleep(probeIntervalMs, signal)) await this.#settleAll(signal);
  }

  /** Never rejects. */
  async #settleAll(signal: AbortSignal): Promise<void> {
    const away = this.#jobs.all().filter(({ is }) => mustBeGivenAway(is));
    const behind = this.#jobs.all().filter(isBehind);
    await Promise.all([
      ...away.map((job) => this.#rows.settle(job, signal)),
      ...behind.map((job) => this.#rows.write(job, job.told, signal).catch(() => {})),
    ]);
  }

  /** Our lease expires: running jobs must end before another replica may start them. */
  #endWork(): void {
    for (const job of this.#jobs.all()) this.#jobs.move(job, "lapsing", "the lease of this replica is expiring");
  }

  #expire(): void {
    this.#endWork();
    if (this.#closed !== undefined) return;
    this.#health.bad("heartbeat", "the lease of this replica expired before its table was writable again");
  }

  /** Our name goes last: as long as a row may be under it, its lease gives what still runs here the time to end. */
  async #close(): Promise<void> {
    const { clock, onFault } = this.#options;
    const late = new AbortController();
    const cancel = clock.after(closeMaxMs, () => late.abort(new Error("the ledger was closed")));
    // Writes under way continue; those that wait for a retry are retried now.
    this.#closing.abort(new Error("the ledger is closed"));
    await endOrAbort(Promise.all([this.#loops, ...this.#jobs.all().map((job) => job.written)]), late.signal);
    await endOrAbort(this.#settleAll(late.signal), late.signal);
    if (!this.#jobs.areAnyOurs) await endOrAbort(this.#replicas.leave(late.signal), late.signal);
    const orphaned = this.orphaned();
    const lost = `${orphaned} jobs were interrupted and could not be recorded in the table: they may never be reported`;
    if (orphaned > 0) quietly(() => onFault(lost));
    cancel();
    this.#letGo();
  }

  #letGo(): void {
    this.#replicas.stop();
    this.#table.close();
    this.#beats.close();
  }

  #of(lease: Lease): FleetJob {
    const job = this.#jobs.get(rowName(lease.key));
    if (job?.lease !== lease || mustBeGivenAway(job.is)) {
      throw new Error(`bug: a lease on job ${jobKeyName(lease.key)} is used after its release, or not of this ledger`);
    }
    return job;
  }

  get #isUsable(): boolean {
    return this.#health.now.writable && this.#replicas.mayWork;
  }

  #mustBeUsable(): void {
    this.#mustBeOpen();
    if (this.#isUsable) return;
    throw new LedgerError("unwritable", this.#health.now.reason ?? "the lease of this replica is expiring");
  }

  #mustBeOpen(): void {
    if (this.#closed !== undefined) throw new LedgerError("unwritable", "the ledger is closed");
  }
}

/** A holder that we watch anyway need not be watched first. */
function fleetOf(
  options: Omit<FleetOptions, "operator">,
  {
    onFault,
    ...rest
  }: Pick<FleetOperatorOptions, "clock" | "recentMs" | "name" | "history"> & {
    readonly onFault: (message: string) => void;
  },
): Fleet {
  const { table, replicas } = options;
  const isAlive = (holder: string) => replicas.isAlive(holder);
  return new Fleet({ ...options, operator: new FleetOperator({ ...rest, table, onWait: onFault, isAlive }) });
}
