// A store that outlives processes, and the ledger by which a process of the model uses it: what is written survives a
// crash, what could not be written does not. Shared: a replica's right may end, and others take what it leaves.
import { type JobKey, jobKeyName } from "../../../../src/job/job.js";
import { isOver, isOwed, type JobEvent } from "../../../../src/job/lifecycle.js";
import {
  type FoundJob,
  type Lease,
  type Ledger,
  LedgerError,
  type UnfinishedJob,
} from "../../../../src/ledger/ledger.js";
import { isRemembered, type JobRecord, newRecord, recordAfter, unfinishedJob } from "../../../../src/ledger/record.js";
import type { Clock } from "../../../../src/std/clock.js";
import { never } from "./service.js";

/** A row: what is written, and who has the right to the job. */
interface Row {
  readonly key: JobKey;
  record: JobRecord;
  holder: Held | undefined;
}

export class ModelStore {
  readonly rows = new Map<string, Row>();
  /** Jobs that had a result. */
  readonly ended = new Set<string>();
  readonly isShared: boolean;
  isWritable = true;
  /** False once it could not be written for a while: what happened then it may never learn. */
  isComplete = true;

  constructor(isShared: boolean) {
    this.isShared = isShared;
  }

  /** Jobs that CodePipeline may wait for. */
  get owed(): readonly Row[] {
    return [...this.rows.values()].filter(({ record }) => isOwed(record.state));
  }

  /** Nobody has what was held so; what was never asked for is forgotten. */
  free(isMeant: (holder: Held) => boolean): void {
    for (const [name, row] of this.rows) {
      if (!row.holder || !isMeant(row.holder)) continue;
      row.holder = undefined;
      if (!isOwed(row.record.state)) this.rows.delete(name);
    }
  }
}

export interface Held {
  readonly by: ModelLedger;
  readonly key: JobKey;
  readonly lost: AbortController;
  /** What was recorded, written or not. */
  told: JobRecord;
  /** An event that could not be written, and what it came after. */
  missed: { readonly type: JobEvent["type"]; readonly before: JobRecord } | undefined;
  lease: Lease | undefined;
}

export interface ModelLedgerOptions {
  readonly store: ModelStore;
  readonly clock: Clock;
  readonly isAlive: () => boolean;
  /** How long a write takes. */
  readonly writeMs: number;
  /** Told before each write and after it; true: the process died. */
  readonly onWrite: (when: "before" | "after") => boolean;
}

export class ModelLedger implements Ledger {
  readonly isDurable = true;
  readonly watch?: NonNullable<Ledger["watch"]>;
  readonly #options: ModelLedgerOptions;
  readonly #held = new Map<string, Held>();

  constructor(options: ModelLedgerOptions) {
    this.#options = options;
    if (options.store.isShared) this.watch = (isWanted, signal) => this.#watch(isWanted, signal);
  }

  async lease(key: JobKey): Promise<Lease | undefined> {
    if (!this.#options.isAlive()) return never();
    this.#mustBeUsable();
    const { store, clock } = this.#options;
    const name = jobKeyName(key);
    if (store.rows.has(name) || this.#held.has(name) || store.ended.has(name)) return undefined;
    const row: Row = { key, record: newRecord(clock.now()), holder: undefined };
    store.rows.set(name, row);
    return this.#hold(row);
  }

  async record(lease: Lease, event: JobEvent): Promise<void> {
    const { store, clock, isAlive, onWrite, writeMs } = this.#options;
    if (!isAlive()) return never();
    const name = jobKeyName(lease.key);
    const held = this.#held.get(name);
    if (held?.lease !== lease) throw new Error(`bug: a lease on ${name} is used after its release`);
    if (held.lost.signal.aborted) throw new LedgerError("lost", "the lease is lost");
    const before = held.missed?.type === event.type ? held.missed.before : held.told;
    const record = recordAfter(before, event, clock.now());
    if (!isOwed(before.state) && !isOwed(record.state)) {
      held.told = record;
      return;
    }
    if (!store.isWritable) {
      if (event.type !== "acknowledge-sent") {
        held.told = record;
        held.missed = { type: event.type, before };
      }
      throw new LedgerError("unwritable", "the disk is full");
    }
    held.told = record;
    held.missed = undefined;
    await clock.sleep(writeMs);
    if (!isAlive() || onWrite("before")) return never();
    if (held.lost.signal.aborted) throw new LedgerError("lost", "the lease is lost");
    if (held.told === record) this.#write(held);
    if (onWrite("after")) return never();
  }

  async release(lease: Lease): Promise<void> {
    if (!this.#options.isAlive()) return never();
    const held = this.#held.get(jobKeyName(lease.key));
    if (held?.lease !== lease) return;
    held.lease = undefined;
    this.#givenUp(held);
  }

  async unfinished(): Promise<readonly UnfinishedJob[]> {
    if (!this.#options.isAlive()) return never();
    this.#mustBeUsable();
    return this.#takeFree(() => true);
  }

  health() {
    return this.#options.store.isWritable ? { writable: true } : { writable: false, reason: "the disk is full" };
  }

  async retryNow(): Promise<void> {
    if (this.#options.store.isWritable) this.rewrite();
  }

  async close(): Promise<void> {}

  /** The store can be written again: what it missed is written. */
  rewrite(): void {
    if (!this.#options.isAlive()) return;
    for (const held of this.#held.values()) {
      if (held.missed && !held.lost.signal.aborted) this.#write(held);
      held.missed = undefined;
      if (held.lease === undefined) this.#givenUp(held);
    }
  }

  /** The right to every job ends; the returned function lets others have them. */
  loseAll(): () => void {
    const lost = new Set(this.#held.values());
    for (const held of lost) held.lost.abort(new Error("no heartbeat"));
    return () => this.#options.store.free((holder) => lost.has(holder));
  }

  #givenUp(held: Held): void {
    // What is not written yet stays with the process.
    if (held.missed && !held.lost.signal.aborted) return;
    const name = jobKeyName(held.key);
    this.#held.delete(name);
    const { store } = this.#options;
    const row = store.rows.get(name);
    // Whoever lost a job changes nothing of it.
    if (row?.holder !== held || held.lost.signal.aborted) return;
    row.holder = undefined;
    if (isRemembered(held.told)) store.ended.add(name);
    if (!isOwed(row.record.state)) store.rows.delete(name);
  }

  #write(held: Held): void {
    const { store } = this.#options;
    const name = jobKeyName(held.key);
    const row = store.rows.get(name);
    if (row?.holder !== held) return;
    row.record = held.told;
    if (isRemembered(held.told)) store.ended.add(name);
    if (isOver(held.told.state)) store.rows.delete(name);
  }

  #hold(row: Row): Lease {
    const lost = new AbortController();
    const held: Held = { by: this, key: row.key, lost, told: row.record, missed: undefined, lease: undefined };
    const lease: Lease = {
      key: row.key,
      get state() {
        return held.told.state;
      },
      ...(this.#options.store.isShared ? { lost: lost.signal } : {}),
    };
    held.lease = lease;
    row.holder = held;
    this.#held.set(jobKeyName(row.key), held);
    return lease;
  }

  #takeFree(isWanted: (job: FoundJob) => boolean): UnfinishedJob[] {
    const free = this.#options.store.owed.filter(
      ({ key, record, holder }) =>
        holder === undefined && isWanted({ key, state: record.state, hasCallback: record.callback !== undefined }),
    );
    return free.map((row) => unfinishedJob(this.#hold(row), row.record));
  }

  async *#watch(isWanted: (job: FoundJob) => boolean, signal: AbortSignal): AsyncGenerator<readonly UnfinishedJob[]> {
    const { clock, isAlive, store } = this.#options;
    while (!signal.aborted) {
      const found = isAlive() && store.isWritable ? this.#takeFree(isWanted) : [];
      if (found.length > 0) yield found;
      await clock.sleep(1_000, signal);
    }
  }

  #mustBeUsable(): void {
    if (!this.#options.store.isWritable) throw new LedgerError("unwritable", "the disk is full");
  }
}
