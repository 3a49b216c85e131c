// Searches the ended jobs of a fleet's table: newest first, day by day, by the index of ended jobs. One search reads so
// many rows and no more: what it costs is known before it is made.
import { type EndedJob, type HistoryLimits, type HistoryPage, type HistorySearch, isWanted } from "../../job/ended.js";
import { LedgerError } from "../ledger.js";
import { dayOf, endedRowFrom, historyIndex, type Item } from "./rows.js";
import { addHistoryIndex, type RetryingTable } from "./table.js";

/** Rows that one search reads: at about 1 KB each, 500 read units. */
const searchRowsMax = 4_000;
/** Rows of one call. */
const callRows = 500;
const dayMs = 86_400_000;

export interface TableSearch {
  readonly table: RetryingTable;
  readonly name: string;
  readonly search: HistorySearch;
  /** Absent: nothing is remembered. */
  readonly limits: HistoryLimits | undefined;
  readonly nowMs: number;
  readonly signal: AbortSignal;
}

/** Where a search continues: a day, where in it, and how many rows newer ones were passed. */
interface Cursor {
  readonly day: string;
  readonly after?: Item | undefined;
  readonly passed: number;
}

/** How long the row of an ended job is kept to be told of, in ms. */
export function historyMsOf(limits: HistoryLimits | undefined): number {
  return limits && limits.maxJobs > 0 ? limits.maxAgeMs : 0;
}

/** One page. Throws LedgerError. */
export async function searchTable(options: TableSearch): Promise<HistoryPage> {
  const { table, name, limits } = options;
  if (!limits || limits.maxJobs === 0) return { jobs: [] };
  try {
    return await searched(options, limits);
  } catch (error) {
    const isMissing = error instanceof Error && error.name === "ValidationException" && /index/i.test(error.message);
    if (!isMissing) throw table.fault(error, "unreadable");
    const message = `the ledger's table ${name} has no index ${historyIndex}, so ended jobs cannot be listed: ${addHistoryIndex(name)}`;
    throw new LedgerError("unreadable", message, error);
  }
}

async function searched(options: TableSearch, limits: HistoryLimits): Promise<HistoryPage> {
  const { search, nowMs } = options;
  const { limit, before, ...filter } = search;
  const oldestMs = nowMs - limits.maxAgeMs;
  const found: EndedJob[] = [];
  // A replica whose clock is ahead has ended jobs tomorrow.
  let at: Cursor = cursorFrom(before) ?? { day: dayOf(nowMs + dayMs), passed: 0 };
  for (let read = 0; read < searchRowsMax && at.passed < limits.maxJobs && at.day >= dayOf(oldestMs); ) {
    const { items, last } = await readRows(options, at, Math.min(callRows, limits.maxJobs - at.passed));
    for (const [index, item] of items.entries()) {
      const job = endedRowFrom(item);
      if (!job || job.endedAtMs <= oldestMs || !isWanted(job, filter)) continue;
      found.push(job);
      if (found.length < limit) continue;
      const next: Cursor = { day: at.day, after: keyOf(item), passed: at.passed + index + 1 };
      return { jobs: found, next: textOf(next) };
    }
    // An empty day is read as well.
    read += Math.max(1, items.length);
    const passed = at.passed + items.length;
    at = last ? { day: at.day, after: last, passed } : { day: dayBefore(at.day), passed };
  }
  const isOver = at.passed >= limits.maxJobs || at.day < dayOf(oldestMs);
  return { jobs: found, ...(isOver ? {} : { next: textOf(at) }) };
}

async function readRows({ table, signal }: TableSearch, { day, after }: Cursor, max: number) {
  const answer = await table.call(
    "Query",
    {
      IndexName: historyIndex,
      KeyConditionExpression: "endedOn = :day",
      ExpressionAttributeValues: { ":day": { S: day } },
      ScanIndexForward: false,
      Limit: max,
      ...(after ? { ExclusiveStartKey: after } : {}),
    },
    signal,
  );
  return { items: answer.Items ?? [], last: answer.LastEvaluatedKey };
}

function keyOf(item: Item): Item {
  const { pk, sk, endedOn, endedAtMs } = item;
  return Object.fromEntries(Object.entries({ pk, sk, endedOn, endedAtMs }).flatMap(([k, v]) => (v ? [[k, v]] : [])));
}

function dayBefore(day: string): string {
  return dayOf(Date.parse(day) - dayMs);
}

function textOf(cursor: Cursor): string {
  return Buffer.from(JSON.stringify(cursor)).toString("base64url");
}

/** What an address says is looked at: a wrong one begins anew. */
function cursorFrom(text: string | undefined): Cursor | undefined {
  if (text === undefined) return undefined;
  try {
    const { day, after, passed } = JSON.parse(Buffer.from(text, "base64url").toString("utf8")) as Partial<Cursor>;
    const isDay = typeof day === "string" && /^\d{4}-\d\d-\d\d$/.test(day) && !Number.isNaN(Date.parse(day));
    if (!isDay || !Number.isSafeInteger(passed)) return undefined;
    const key = after && keyOf(after);
    const isKey = key && Object.keys(key).length === 4 && Object.values(key).every(isValue);
    return { day, passed: passed as number, ...(isKey ? { after: key } : {}) };
  } catch {
    return undefined;
  }
}

function isValue(value: Item[string]): boolean {
  return typeof value?.S === "string" || typeof value?.N === "string";
}
