// Searches the ended jobs of a ledger file: newest first, part by part, beside the daemon that writes it. It blocks, so
// it runs in a thread of its own or in a command, never on the thread that serves jobs nor on the one that writes.
import type { DatabaseSync } from "node:sqlite";
import {
  type EndedJob,
  type HistoryLimits,
  type HistoryPage,
  type HistorySearch,
  isWanted,
  placeBefore,
} from "../../job/ended.js";
import { type JobId, placeOf } from "../../job/job.js";
import { endedFrom } from "../ended-text.js";
import { readLedgerFile } from "./file-reading.js";

/** Rows of one part: each is a transaction of about a millisecond, so that the write-ahead log is never held back. */
const partRows = 500;
/** Rows that one search looks at. */
const searchRowsMax = 20_000;

/** What is searched, and how far back. */
export interface HistoryQuery {
  readonly path: string;
  readonly search: HistorySearch;
  readonly limits: HistoryLimits;
  readonly nowMs: number;
}

/** One page. Throws LedgerError. */
export function searchFile({ path, search, limits, nowMs }: HistoryQuery): HistoryPage {
  return readLedgerFile(path, (db) => searchRows(db, search, limits, nowMs));
}

function searchRows(db: DatabaseSync, search: HistorySearch, limits: HistoryLimits, nowMs: number): HistoryPage {
  const { limit, before, ...filter } = search;
  const newest = Number(db.prepare("SELECT max(id) AS id FROM ended").get()?.["id"] ?? 0);
  const oldest = newest - limits.maxJobs;
  const part = db.prepare(
    `SELECT id, region, job_id, account, ended_at_ms, history FROM ended
     WHERE id < ? AND id > ? AND ended_at_ms > ? ORDER BY id DESC LIMIT ${partRows}`,
  );
  const found: { readonly id: number; readonly job: EndedJob }[] = [];
  let from = placeBefore(before) ?? newest + 1;
  for (let looked = 0; looked < searchRowsMax; looked += partRows) {
    const rows = part.all(from, oldest, nowMs - limits.maxAgeMs);
    for (const row of rows) {
      const job = jobOf(row);
      if (job && isWanted(job, filter)) found.push({ id: Number(row["id"]), job });
      if (found.length > limit) return pageOf(found.slice(0, limit));
    }
    if (rows.length < partRows) return { jobs: found.map(({ job }) => job) };
    from = Number(rows.at(-1)?.["id"]);
  }
  return { jobs: found.map(({ job }) => job), next: String(from) };
}

function pageOf(found: readonly { readonly id: number; readonly job: EndedJob }[]): HistoryPage {
  const last = found.at(-1);
  return { jobs: found.map(({ job }) => job), ...(last ? { next: String(last.id) } : {}) };
}

function jobOf(row: Readonly<Record<string, unknown>>): EndedJob | undefined {
  const { region, job_id: jobId, account, ended_at_ms: endedAtMs, history } = row;
  if (typeof history !== "string") return undefined;
  const key = { ...placeOf({ account: String(account), region: String(region) }), jobId: String(jobId) as JobId };
  return endedFrom({ key, endedAtMs: Number(endedAtMs) }, history);
}
