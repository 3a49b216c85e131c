// What is searched for among ended jobs, as it stands in the address of GET /history. What an address says is not
// trusted: cut to a length, and refused where it would otherwise find more than was asked for.
import type { EndedKind, HistorySearch } from "../job/ended.js";
import { quote } from "../std/quote.js";

export type EndedHow = EndedKind;
export const endedHows: readonly EndedHow[] = ["succeeded", "continued", "failed", "dropped"];

export interface HistoryQuery {
  readonly job?: string | undefined;
  readonly client?: string | undefined;
  readonly pipeline?: string | undefined;
  readonly type?: string | undefined;
  readonly execution?: string | undefined;
  readonly outcome?: EndedHow | undefined;
  /** Where the page before ended. */
  readonly before?: string | undefined;
}

/** Longer than any id of CodePipeline, and than the place of a page. */
const valueMax = 2_000;
/** Rows of a page, and the most that a program may ask for. */
export const pageRows = 50;
const pageRowsMax = 500;

const words = ["job", "client", "pipeline", "type", "execution", "before"] as const;

export function historyQuery(query: URLSearchParams): HistoryQuery {
  const text = (name: string) => query.get(name)?.trim().slice(0, valueMax).toWellFormed() ?? "";
  const given = words.flatMap((name) => (text(name) === "" ? [] : [[name, text(name)]]));
  const outcome = endedHows.find((how) => how === text("outcome"));
  return { ...(Object.fromEntries(given) as HistoryQuery), ...(outcome ? { outcome } : {}) };
}

/** Why the address is no search; undefined: it is one. A word that is not known must not widen what is found. */
export function queryMistake(query: URLSearchParams): string | undefined {
  const known: readonly string[] = [...words, "outcome", "limit"];
  const unknown = [...query.keys()].find((name) => !known.includes(name));
  if (unknown !== undefined) return `there is no ${quote(unknown)} to search by; there are ${known.join(", ")}`;
  const outcome = query.get("outcome")?.trim() ?? "";
  if (outcome !== "" && !endedHows.some((how) => how === outcome))
    return `there is no outcome ${quote(outcome)}; there are ${endedHows.join(", ")}`;
  const limit = query.get("limit");
  if (limit !== null && !/^[1-9]\d{0,5}$/.test(limit)) return `limit is a whole number from 1 on, not ${quote(limit)}`;
  return undefined;
}

/** How many jobs a page shall have, by `limit` of the address. */
export function rowsWanted(query: URLSearchParams): number {
  return Math.min(pageRowsMax, Number(query.get("limit") ?? pageRows));
}

/** The address of a search. */
export function historyPath(query: HistoryQuery): string {
  const parts = Object.entries(query).filter((part): part is [string, string] => part[1] !== undefined);
  return parts.length === 0 ? "/history" : `/history?${new URLSearchParams(parts)}`;
}

/** True when not all jobs are wanted. */
export function isNarrowed({ before: _, ...query }: HistoryQuery): boolean {
  return Object.values(query).some((value) => value !== undefined);
}

/** The search that a ledger is asked for. */
export function searchOf(
  { job, client, pipeline, type, execution, outcome, before }: HistoryQuery,
  limit: number,
): HistorySearch {
  const given = {
    jobId: job,
    clientId: client,
    pipeline,
    actionType: type,
    actionExecutionId: execution,
    outcome,
    before,
  };
  return { limit, ...(Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as object) };
}
