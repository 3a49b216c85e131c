// How a job looks in the SQLite ledger, and back again. Rows cross a thread, so they are flat lists of plain values.
// What is read is checked: a file can be damaged or edited. No secret has a column here.
import {
  type ActionCategory,
  type ActionOwner,
  type ActionType,
  type ClientId,
  defaultAccount,
  type JobId,
  type JobKey,
  placeOf,
} from "../../job/job.js";
import { isOwed, type JobState } from "../../job/lifecycle.js";
import { outcomeFrom } from "../../job/outcome.js";
import type { Clock } from "../../std/clock.js";
import { Deadline } from "../../std/deadline.js";
import { claimFrom } from "../claim-column.js";
import { endedJob, endedText } from "../ended-text.js";
import { isRemembered, type JobRecord } from "../record.js";

/** The columns of the table `jobs`, in the order of a JobRow. */
export const jobColumns = [
  "id",
  "region",
  "job_id",
  "owner",
  "category",
  "provider",
  "version",
  "client_id",
  "state",
  "since_ms",
  "taken_at_ms",
  "claim",
  "nonce",
  "outcome",
  "callback_hash",
  "callback_deadline_ms",
  "account",
] as const;

/** One owed job; `id` is unique in the file and given by the ledger. */
export type SqliteRow = readonly [
  id: number,
  region: string,
  jobId: string,
  owner: string,
  category: string,
  provider: string,
  version: string,
  clientId: string | null,
  state: string,
  sinceMs: number,
  takenAtMs: number,
  claim: string,
  nonce: string | null,
  outcome: string | null,
  callbackHash: string | null,
  callbackDeadlineMs: number | null,
  account: string,
];

/** The columns of the table `ended`, in the order of an EndedRow. */
export const endedColumns = ["region", "job_id", "state", "ended_at_ms", "account", "remembered", "history"] as const;

/** One job that ended. */
export type EndedRow = readonly [
  region: string,
  jobId: string,
  state: string,
  endedAtMs: number,
  account: string,
  /** 1: it had a result, and an offer of it is a repeat; else 0. */
  remembered: number,
  /** What is told of it later, as endedText wrote it. */
  history: string | null,
];

/** One change of the file. */
export type Write =
  | { readonly type: "put"; readonly row: SqliteRow }
  /** Over: remembered for a while. */
  | { readonly type: "end"; readonly id: number; readonly row: EndedRow }
  /** Never ours, or of no interest any more. */
  | { readonly type: "drop"; readonly id: number };

/** The change that makes the file hold this record; with `hasHistory` also what is told of a job that ended. */
export function writeOf(id: number, key: JobKey, record: JobRecord, hasHistory = false): Write {
  if (isOwed(record.state)) return { type: "put", row: rowOf(id, key, record) };
  const ended = hasHistory ? endedJob(key, record) : undefined;
  if (!isRemembered(record) && !ended) return { type: "drop", id };
  const remembered = isRemembered(record) ? 1 : 0;
  const { state, sinceMs } = record;
  const history = ended ? endedText(ended) : null;
  return {
    type: "end",
    id,
    row: [key.region, key.jobId, state, whole(sinceMs), accountOf(key), remembered, history],
  };
}

function rowOf(id: number, key: JobKey, record: JobRecord): SqliteRow {
  const { owner, category, provider, version } = key.actionType;
  return [
    id,
    key.region,
    key.jobId,
    owner,
    category,
    provider,
    version,
    key.clientId ?? null,
    record.state,
    whole(record.sinceMs),
    whole(record.takenAtMs),
    record.claim.is,
    ("nonce" in record.claim && record.claim.nonce) || null,
    record.outcome === undefined ? null : JSON.stringify(record.outcome),
    record.callback?.tokenHash ?? null,
    record.callback === undefined ? null : whole(record.callback.deadline.wallMs()),
    accountOf(key),
  ];
}

function accountOf({ account = defaultAccount }: { readonly account?: string }): string {
  return account;
}

/** A time as the file takes it: one column of type INTEGER must never be what stops a transaction. */
function whole(ms: number): number {
  return Number.isFinite(ms) ? Math.min(Math.round(ms), Number.MAX_SAFE_INTEGER) : Number.MAX_SAFE_INTEGER;
}

/** A row as it was read, checked. Throws an Error that names the row. */
export function jobFrom(
  row: Readonly<Record<string, unknown>>,
  clock: Clock,
): { id: number; key: JobKey; record: JobRecord } {
  const id = number(row, "id");
  const key: JobKey = {
    ...placeOf({ account: text(row, "account"), region: text(row, "region") }),
    actionType: actionTypeFrom(row),
    jobId: text(row, "job_id") as JobId,
    ...optional("clientId", optionalText(row, "client_id") as ClientId | undefined),
  };
  const state = text(row, "state") as JobState;
  const outcome = optionalText(row, "outcome");
  const tokenHash = optionalText(row, "callback_hash");
  if (!owedStates.includes(state) || (state === "settled") !== (outcome !== undefined)) throw damaged(row, "state");
  const claim = claimFrom(state, row["claim"], optionalText(row, "nonce"));
  if (!claim) throw damaged(row, "claim");
  const record: JobRecord = {
    state,
    takenAtMs: number(row, "taken_at_ms"),
    sinceMs: number(row, "since_ms"),
    claim,
    ...(outcome === undefined ? {} : { outcome: outcomeFrom(parsed(row, outcome), key.actionType.owner) }),
    ...(tokenHash === undefined ? {} : { callback: { tokenHash, deadline: deadlineFrom(row, clock) } }),
  };
  return { id, key, record };
}

/** Another process wrote it: there is no clock but the wall's that both know. */
function deadlineFrom(row: Readonly<Record<string, unknown>>, clock: Clock): Deadline {
  return Deadline.at(clock, number(row, "callback_deadline_ms"));
}

const owedStates: readonly JobState[] = ["acknowledging", "running", "settled"];

function actionTypeFrom(row: Readonly<Record<string, unknown>>): ActionType {
  const owner = text(row, "owner");
  if (owner !== "ThirdParty" && owner !== "Custom") throw damaged(row, "owner");
  return {
    category: text(row, "category") as ActionCategory,
    owner: owner as ActionOwner,
    provider: text(row, "provider"),
    version: text(row, "version"),
  };
}

function parsed(row: Readonly<Record<string, unknown>>, json: string): unknown {
  try {
    return JSON.parse(json);
  } catch (error) {
    throw damaged(row, "outcome", error);
  }
}

function text(row: Readonly<Record<string, unknown>>, column: string): string {
  const value = row[column];
  if (typeof value !== "string" || value === "") throw damaged(row, column);
  return value;
}

function optionalText(row: Readonly<Record<string, unknown>>, column: string): string | undefined {
  return row[column] === null ? undefined : text(row, column);
}

function number(row: Readonly<Record<string, unknown>>, column: string): number {
  const value = row[column];
  if (typeof value !== "number" || !Number.isSafeInteger(value)) throw damaged(row, column);
  return value;
}

function optional<Name extends string, Value>(name: Name, value: Value | undefined): { [key in Name]?: Value } {
  return value === undefined ? {} : ({ [name]: value } as { [key in Name]: Value });
}

function damaged(row: Readonly<Record<string, unknown>>, column: string, cause?: unknown): Error {
  const error = new Error(`row ${String(row["id"])} of its table jobs has no usable ${column}`);
  if (cause !== undefined) error.cause = cause;
  return error;
}
