// A fleet in memory: a table that keeps the conditions the ledger writes, replicas over it that can be cut off before or
// after their calls do their work, and whose calls can be held back. test/contract runs over a real emulator.
import type { ActionType, JobId, JobKey, Nonce, Region } from "../../src/job/job.js";
import { leasePace } from "../../src/job/lease.js";
import type { JobEvent } from "../../src/job/lifecycle.js";
import { succeeded } from "../../src/job/outcome.js";
import { DynamoLedger } from "../../src/ledger/dynamodb/dynamodb-ledger.js";
import type { DynamoLedgerOptions } from "../../src/ledger/dynamodb/options.js";
import type { Item } from "../../src/ledger/dynamodb/rows.js";
import type { Table, TableOperation } from "../../src/ledger/dynamodb/table.js";
import type { Lease, LedgerHealth, UnfinishedJob } from "../../src/ledger/ledger.js";
import { FakeClock } from "./fake-clock.js";

export const leaseMs = 30_000;
/** What follows from it and from a grace of 5 s. */
export const pace = leasePace(leaseMs, 5_000);
const actionType: ActionType = { category: "Test", owner: "ThirdParty", provider: "Acme-Scan", version: "1" };
export const key = (jobId = "job-1"): JobKey => ({ region: "eu-west-1" as Region, actionType, jobId: jobId as JobId });
export const running: readonly JobEvent[] = [
  { type: "details-received" },
  { type: "acknowledge-sent", nonce: "3" as Nonce },
  { type: "acknowledge-accepted", claim: "ours" },
];
export const settled: readonly JobEvent[] = [
  ...running,
  { type: "outcome-settled", outcome: succeeded({ summary: "done" }) },
];

export function fault(name: string): Error {
  return Object.assign(new Error(`${name} of the test`), { name });
}

/** As AWS's client throws it when the other side had let go of a kept connection. */
export function reset(): Error {
  return Object.assign(new Error("socket hang up"), { name: "TimeoutError", code: "ECONNRESET" });
}

/** Rows by their keys, and the conditions of the ledger. */
export class Rows {
  readonly items = new Map<string, Item>();

  call(operation: TableOperation, input: Readonly<Record<string, unknown>>) {
    const item = (input["Item"] ?? input["Key"] ?? {}) as Item;
    const name = `${item["pk"]?.S}|${item["sk"]?.S}`;
    const values = (input["ExpressionAttributeValues"] ?? {}) as Item;
    switch (operation) {
      case "GetItem":
        return this.#found(name);
      case "PutItem":
        this.#check(name, input["ConditionExpression"], values);
        this.items.set(name, item);
        return {};
      case "DeleteItem":
        this.#check(name, input["ConditionExpression"], values);
        this.items.delete(name);
        return {};
      case "Query":
        return {
          Items: this.#all((row) =>
            values[":pk"] ? row["pk"]?.S === values[":pk"].S : row["owedBy"]?.S === values[":holder"]?.S,
          ),
        };
      case "Scan":
        return { Items: this.#all((row) => row["owedBy"] !== undefined) };
    }
  }

  #found(name: string) {
    const item = this.items.get(name);
    return item ? { Item: item } : {};
  }

  #all(matches: (row: Item) => boolean): readonly Item[] {
    return [...this.items.values()].filter(matches);
  }

  #check(name: string, condition: unknown, values: Item): void {
    if (condition === undefined) return;
    const row = this.items.get(name);
    const isTrue = String(condition)
      .split(" OR ")
      .some((each) =>
        each
          .replace(/^\((.*)\)$/, "$1")
          .split(" AND ")
          .every((term) => holds(term, row, values)),
      );
    if (!isTrue) throw fault("ConditionalCheckFailedException");
  }
}

/** One term of a condition, as far as the ledger writes them. */
function holds(term: string, row: Item | undefined, values: Item): boolean {
  if (term === "attribute_not_exists(pk)") return row === undefined;
  if (term === "attribute_exists(pk)") return row !== undefined;
  const [, attribute = "", operator, name = ""] = /^(\w+) (=|<=) (:\w+)$/.exec(term) ?? [];
  const [is, wanted] = [row?.[attribute], values[name]];
  if (!operator || !wanted) throw new Error(`the test's table does not know the condition ${term}`);
  if (operator === "<=") return is !== undefined && Number(is.N) <= Number(wanted.N);
  return is !== undefined && is.S === wanted.S && is.N === wanted.N;
}

/** `before`, `after`: it fails before or after its work is done. */
interface Spoilt {
  readonly before?: Error;
  readonly after?: Error;
  /** It reaches the table only then. */
  readonly held?: Promise<unknown>;
  /** It reaches the table at once, and its answer comes only then. */
  readonly slow?: Promise<unknown>;
  /** Its caller gives it up at once, and it reaches the table then. */
  readonly late?: Promise<unknown>;
}

/** A replica with a table of its own in between: it can be cut off, before or after its calls do their work. */
export class Replica {
  readonly clock: FakeClock;
  readonly table: Table;
  readonly health: LedgerHealth[] = [];
  readonly faults: string[] = [];
  /** Decides what becomes of each call. */
  spoil: (operation: TableOperation, item: Item | undefined) => Spoilt = () => ({});
  calls = 0;
  /** True: calls are never answered. */
  isSilent = false;
  readonly #rows: Rows;

  constructor(rows: Rows, clock: FakeClock) {
    this.#rows = rows;
    this.clock = clock;
    this.table = {
      call: async (operation, input) => {
        this.calls += 1;
        if (this.isSilent) return new Promise(() => {});
        const { before, after, held, slow, late } = this.spoil(
          operation,
          (input["Item"] ?? input["Key"]) as Item | undefined,
        );
        if (before) throw before;
        if (late) {
          // What it is answered then reaches nobody.
          void late.then(() => this.#rows.call(operation, input)).catch(() => {});
          throw fault("TimeoutError");
        }
        await held;
        try {
          return this.#rows.call(operation, input);
        } finally {
          await slow;
          // Whatever the table said.
          if (after) await Promise.reject(after);
        }
      },
      close: () => {},
    };
  }

  open(options: Partial<DynamoLedgerOptions> = {}): Promise<DynamoLedger> {
    return DynamoLedger.open({
      table: this.table,
      beats: this.table,
      name: "ledger",
      clock: this.clock,
      recentMs: 3_600_000,
      leaseMs,
      graceMs: 5_000,
      probeIntervalMs: 1_000,
      retry: { minDelayMs: 50, maxDelayMs: 1_000, factor: 2, maxElapsedMs: 5_000 },
      onHealth: (health) => this.health.push(health),
      onFault: (message) => this.faults.push(message),
      ...options,
    });
  }

  cutOff(): void {
    this.spoil = () => ({ before: fault("TimeoutError") });
  }

  heal(): void {
    this.spoil = () => ({});
  }
}

export function setUp() {
  const rows = new Rows();
  const clock = new FakeClock();
  return { rows, clock, a: new Replica(rows, clock), b: new Replica(rows, clock) };
}

export async function leased(ledger: DynamoLedger, events: readonly JobEvent[] = [], jobKey = key()): Promise<Lease> {
  const lease = await ledger.lease(jobKey);
  if (!lease) throw new Error("no lease");
  for (const event of events) await ledger.record(lease, event);
  return lease;
}

/** True for a call about the row of a job. */
export function isJob(item: Item | undefined): boolean {
  return item?.["sk"]?.S === "job";
}

/** Collects what a ledger finds while it watches, until `stop`. */
export function watched(ledger: DynamoLedger) {
  const stop = new AbortController();
  const found: UnfinishedJob[] = [];
  const end = (async () => {
    for await (const jobs of ledger.watch(() => true, stop.signal)) found.push(...jobs);
  })();
  return {
    found,
    ids: () => found.map(({ lease }) => lease.key.jobId as string),
    stop: () => {
      stop.abort();
      return end;
    },
  };
}

/** The outcome of a promise that needs time to pass. */
export async function whenPassed<T>(
  clock: FakeClock,
  ms: number,
  promise: Promise<T>,
): Promise<PromiseSettledResult<T>> {
  const settling = Promise.allSettled([promise]);
  await clock.advance(ms);
  const [result] = await settling;
  return result;
}
