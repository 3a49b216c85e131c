// The ledger that a fleet shares, over a Table. Every write is conditional on the lease it is made under, so that
// whoever lost a job can change nothing of it; leases end with the replica's heartbeat (replicas.ts).
import { type JobId, type JobKey, jobKeyName, type Region } from "../../job/job.js";
import { isOver, isOwed, type JobEvent } from "../../job/lifecycle.js";
import { endOrAbort } from "../../std/end-or-abort.js";
import {
  type FoundJob,
  type Lease,
  type Ledger,
  LedgerError,
  type LedgerHealth,
  type UnfinishedJob,
} from "../ledger.js";
import { isRemembered, type JobRecord, newRecord, recordAfter } from "../record.js";
import { FleetFinder, takenAtOnceMax } from "./finder.js";
import { FleetHealth, quietly } from "./health.js";
import { FleetJob } from "./jobs.js";
import type { DynamoLedgerOptions } from "./options.js";
import { Replicas } from "./replicas.js";
import { type Fence, ifHeld, itemOf, nobody, rowKey, rowName } from "./rows.js";
import { isAboutTheRow, isConditionFailed, PatientTable } from "./table.js";

/** A table that is silent must not hold up a stop: what it was not told, others find out once our lease has run out. */
const closeMaxMs = 500;

/** Holds jobs in a DynamoDB table that a fleet shares. */
export class DynamoLedger implements Ledger {
  readonly isDurable = true;
  readonly #options: DynamoLedgerOptions;
  readonly #table: PatientTable;
  readonly #replicas: Replicas;
  readonly #finder: FleetFinder;
  readonly #held = new Map<string, FleetJob>();
  /** Released jobs whose last write failed; it is made again with the heartbeat. */
  readonly #unsettled = new Map<string, FleetJob>();
  readonly #closing = new AbortController();
  readonly #health: FleetHealth;
  #nextLease = 1;
  #beating: Promise<void> = Promise.resolve();
  #catching: Promise<void> | undefined;
  #closed: Promise<void> | undefined;

  private constructor(options: DynamoLedgerOptions) {
    this.#options = options;
    const { table, name, clock, retry, leaseMs } = options;
    this.#health = new FleetHealth({ clock: options.clock, onHealth: options.onHealth });
    this.#table = new PatientTable({ table, name, clock, retry });
    this.#replicas = new Replicas({ table: this.#table, clock, leaseMs, onExpired: () => this.#expire() });
    this.#finder = new FleetFinder({
      table: this.#table,
      replicas: this.#replicas,
      clock,
      recentMs: options.recentMs,
      isOurs: (row) => this.#isOurs(row),
      nextFence: () => this.#fence(),
      hold: (job) => this.#held.set(job.name, job),
      onFault: (message) => quietly(() => options.onFault(message)),
    });
  }

  /** Takes a name in the fleet. Throws LedgerError: `unwritable` when the table cannot be used. */
  static async open(options: DynamoLedgerOptions): Promise<DynamoLedger> {
    const ledger = new DynamoLedger(options);
    try {
      await ledger.#replicas.renew(ledger.#closing.signal);
    } catch (error) {
      ledger.#table.close();
      throw ledger.#table.fault(error, "unwritable");
    }
    ledger.#beating = ledger.#beatOn();
    return ledger;
  }

  async lease(key: JobKey): Promise<Lease | undefined> {
    this.#mustBeUsable();
    const name = rowName(key);
    if (this.#isOurs(name)) return undefined;
    const job = new FleetJob(key, newRecord(this.#options.clock.now()), this.#fence());
    // Held from here on: a second offer of this moment must not ask as well.
    this.#held.set(name, job);
    try {
      if (await this.#finder.claim(job, this.#closing.signal)) return job.lease;
    } catch (error) {
      // It may have been written all the same.
      this.#unsettled.set(name, job);
      this.#held.delete(name);
      throw this.#failed(error);
    }
    this.#held.delete(name);
    return undefined;
  }

  async record(lease: Lease, event: JobEvent): Promise<void> {
    this.#mustBeOpen();
    const job = this.#of(lease);
    const before = job.missed?.type === event.type ? job.missed.before : job.told;
    const record = recordAfter(before, event, this.#options.clock.now());
    if (this.#replicas.self !== job.fence.holder) job.lose("the lease of this replica ran out");
    if (job.isLost) throw job.lostError();
    job.missed = undefined;
    job.told = record;
    if (!isOwed(before.state) && !isOwed(record.state)) {
      // Before the acknowledge nothing is promised, and recovery would forget it: its release writes what is needed.
      job.record = record;
      return;
    }
    try {
      await this.#write(job, record);
    } catch (error) {
      // An acknowledge that is not written is not sent; any later event has happened, written or not.
      if (event.type !== "acknowledge-sent") job.missed = { type: event.type, before };
      else if (job.told === record) job.told = before;
      throw error;
    }
  }

  async release(lease: Lease): Promise<void> {
    const job = this.#held.get(rowName(lease.key));
    if (job?.lease !== lease) return;
    await job.written;
    if (this.#held.get(job.name) !== job) return;
    if (this.#closed === undefined && !job.isLost) {
      this.#unsettled.set(job.name, job);
      await this.#settle(job);
    }
    this.#held.delete(job.name);
  }

  async promised(jobId: JobId, regions: readonly Region[]): Promise<readonly string[]> {
    const names = regions.map((region) => rowName({ jobId, region }));
    return this.#finder.promised(names, this.#closing.signal);
  }

  async unfinished(): Promise<readonly UnfinishedJob[]> {
    this.#mustBeUsable();
    try {
      return await this.#finder.find(
        { isWanted: () => true, max: Number.POSITIVE_INFINITY, isFirst: true },
        this.#closing.signal,
      );
    } catch (error) {
      throw this.#table.fault(error, "unreadable");
    }
  }

  async *watch(isWanted: (job: FoundJob) => boolean, signal: AbortSignal): AsyncGenerator<readonly UnfinishedJob[]> {
    const { clock, lookMs } = this.#options;
    const over = AbortSignal.any([signal, this.#closing.signal]);
    for (await clock.sleep(lookMs, over); !over.aborted; await clock.sleep(lookMs, over)) {
      if (!this.#health.now.writable || this.#replicas.self === undefined) continue;
      let found: readonly UnfinishedJob[] = [];
      try {
        found = await this.#finder.find({ isWanted, max: takenAtOnceMax, isFirst: false }, over);
      } catch (error) {
        const { message } = this.#table.fault(error, "unreadable");
        if (!over.aborted) quietly(() => this.#options.onFault(message));
      }
      if (found.length > 0) yield found;
    }
  }

  health(): LedgerHealth {
    return this.#health.now;
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  /** Puts what the record says, under the job's lease, after whatever is being written for it. */
  #write(job: FleetJob, record: JobRecord, holder = job.fence.holder): Promise<void> {
    const writing = job.written.then(() => this.#writeNow(job, record, holder));
    job.written = writing.catch(() => {});
    return writing;
  }

  async #writeNow(job: FleetJob, record: JobRecord, holder: string): Promise<void> {
    const { clock, recentMs } = this.#options;
    const fence = job.nextFence();
    const isKept = isOwed(record.state) || isRemembered(record);
    const signal = AbortSignal.any([this.#closing.signal, job.lost]);
    const item = itemOf(job.key, record, { ...fence, holder }, { nowMs: clock.now(), recentMs });
    const what = isKept ? { Item: item } : { Key: rowKey(job.name) };
    try {
      await this.#table.call(isKept ? "PutItem" : "DeleteItem", { ...what, ...ifHeld(fence) }, signal);
    } catch (error) {
      // Of a job that was dropped no row of ours shall be there, and none is.
      const isGone = !isKept && isConditionFailed(error);
      if (isConditionFailed(error) && !isGone) job.lose("another replica has taken the job over");
      if (job.isLost) throw job.lostError();
      if (!isGone) throw this.#failed(error);
    }
    if (this.#replicas.self !== undefined) this.#health.good();
    job.record = record;
    job.stored = record;
  }

  /** The last write of a job that is given back; made again later when it fails. Never rejects. */
  async #settle(job: FleetJob): Promise<void> {
    const { told, stored } = job;
    try {
      // The row of an ended job stands already, and what was dropped after its acknowledge is gone already.
      if (!isOver(told.state) || stored !== told)
        await this.#write(job, told, isOwed(told.state) ? nobody : job.fence.holder);
      this.#unsettled.delete(job.name);
    } catch {
      // health() says why; a job that was lost is no longer ours to settle.
      if (job.isLost) this.#unsettled.delete(job.name);
    }
  }

  async #beatOn(): Promise<void> {
    const { clock, probeIntervalMs } = this.#options;
    const { signal } = this.#closing;
    while (!signal.aborted) {
      await clock.sleep(this.#health.now.writable ? this.#replicas.beatIntervalMs : probeIntervalMs, signal);
      if (signal.aborted) return;
      try {
        await this.#replicas.renew(signal);
        if (this.#replicas.self === undefined) continue;
        this.#health.good();
        // Never waited for: rows that the table does not take must not cost the heartbeat, and with it every lease.
        this.#catching ??= this.#catchUp().finally(() => {
          this.#catching = undefined;
        });
      } catch (error) {
        this.#failed(error);
      }
    }
  }

  /** Never rejects. What failed writes left: events of jobs that go on, and rows of jobs that were given back. */
  async #catchUp(): Promise<void> {
    const behind = [...this.#held.values()].filter(
      (job) => job.missed && job.stored !== job.told && !this.#unsettled.has(job.name),
    );
    const writes = behind.map((job) => this.#write(job, job.told).catch(() => {}));
    await Promise.all([...writes, ...[...this.#unsettled.values()].map((job) => this.#settle(job))]);
  }

  /** Our lease ran out: whatever we held may be another's. */
  #expire(): void {
    for (const job of this.#held.values()) job.lose("the lease of this replica ran out");
    this.#unsettled.clear();
    if (this.#closed !== undefined) return;
    this.#health.bad("the lease of this replica ran out before its table could be written again");
  }

  async #close(): Promise<void> {
    const late = new AbortController();
    const cancel = this.#options.clock.after(closeMaxMs, () => late.abort(new Error("the ledger was closed")));
    await endOrAbort(Promise.all([...this.#held.values()].map((job) => job.written)), late.signal);
    const holdsNothing = this.#held.size === 0 && this.#unsettled.size === 0;
    this.#closing.abort(new Error("the ledger is closed"));
    await endOrAbort(Promise.all([this.#beating, this.#catching]), late.signal);
    // With jobs under our name the row stays: its lease gives what still runs here the time to end. The same when it
    // cannot be taken out.
    if (holdsNothing) await endOrAbort(this.#replicas.leave(late.signal), late.signal);
    cancel();
    this.#replicas.stop();
    this.#table.close();
  }

  #isOurs(row: string): boolean {
    return this.#held.has(row) || this.#unsettled.has(row);
  }

  #of(lease: Lease): FleetJob {
    const job = this.#held.get(rowName(lease.key));
    if (job?.lease !== lease) {
      throw new Error(`bug: a lease on job ${jobKeyName(lease.key)} is used after its release, or not of this ledger`);
    }
    return job;
  }

  #fence(): Fence {
    return { holder: this.#replicas.self ?? nobody, lease: this.#nextLease++, turn: 0 };
  }

  /** The fault for whoever asked; unless it is about one row alone, nothing new is taken until a write succeeds. */
  #failed(error: unknown): LedgerError {
    if (this.#closed !== undefined) return new LedgerError("unwritable", "the ledger is closed");
    const fault = this.#table.fault(error, "unwritable");
    if (!isAboutTheRow(error)) this.#health.bad(fault.message);
    return fault;
  }

  #mustBeUsable(): void {
    this.#mustBeOpen();
    const { writable, reason = "the ledger cannot be written" } = this.#health.now;
    if (!writable || this.#replicas.self === undefined) throw new LedgerError("unwritable", reason);
  }

  #mustBeOpen(): void {
    if (this.#closed !== undefined) throw new LedgerError("unwritable", "the ledger is closed");
  }
}
