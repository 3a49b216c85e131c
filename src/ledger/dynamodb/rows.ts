// How a job looks in the DynamoDB ledger, and back again: attribute values as the API takes them, conditions, keys.
// What is read is checked: a table can be edited. No secret has an attribute here; it makes no call.
import { createHash } from "node:crypto";
import { deflateRawSync, inflateRawSync } from "node:zlib";
import type { EndedJob } from "../../job/ended.js";
import {
  type ActionType,
  type ClientId,
  type JobId,
  type JobKey,
  jobKeyName,
  type Place,
  placeFrom,
  placeName,
} from "../../job/job.js";
import { isOwed, type JobState } from "../../job/lifecycle.js";
import { outcomeFrom } from "../../job/outcome.js";
import type { Clock } from "../../std/clock.js";
import { Deadline } from "../../std/deadline.js";
import { claimFrom } from "../claim-column.js";
import { endedFrom, endedJob, endedText } from "../ended-text.js";
import type { CallbackPromise } from "../ledger.js";
import { isRemembered, type JobRecord } from "../record.js";

export interface AttributeValue {
  readonly S?: string;
  readonly N?: string;
}
export type Item = Readonly<Record<string, AttributeValue>>;

/** Holds owed jobs that nobody works on. */
export const nobody = "nobody";
/** Sorts the heartbeats of all replicas under one partition key; no job's name is so short. */
export const replicasPartition = "replicas";
/** The sparse index: jobs in flight or owed, by the replica that holds them. */
export const holderIndex = "by-holder";

/** The sparse index of ended jobs: by the day of their end, then by its time. */
export const historyIndex = "by-end";

/** The days of the history are those of UTC. */
export function dayOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}

/** Who may write a job's row: a replica, and which of its leases. `turn` counts the writes of one lease. */
export interface Fence {
  readonly holder: string;
  readonly lease: number;
  readonly turn: number;
}

/** A job's row as it was read, checked. */
export interface JobRow {
  readonly key: JobKey;
  readonly fence: Fence;
  readonly record: JobRecord;
  /** The job had a result: as long as its row stands, an offer of it is a repeat. */
  readonly isRemembered: boolean;
}

/** A row that is not owed is of no use a day later: no offer is repeated so late, and no write comes so late. */
const unowedKeptMs = 86_400_000;
/** A longer record is packed: DynamoDB takes 400 KB in a row, and JSON makes six bytes of one control character. */
const plainMaxBytes = 262_144;
const packedMark = "deflate:";

/** The partition key of a job: readable for ids as CodePipeline gives them, a hash for any other that is legal. */
export function rowName(key: Place & Pick<JobKey, "jobId">): string {
  if (/^[\x21-\x7e]{1,512}$/.test(key.jobId) && !key.jobId.startsWith("sha256:")) return jobKeyName(key);
  const hash = createHash("sha256").update(Buffer.from(key.jobId, "utf16le")).digest("hex");
  return `${placeName(key)}/sha256:${hash}`;
}

/** The primary key of a job's row. */
export function rowKey(name: string): Item {
  return { pk: { S: name }, sk: { S: "job" } };
}

/** The times that a row is written by. */
export interface RowTimes {
  readonly nowMs: number;
  /** For how long replicas of an older partnerd remember it. */
  readonly recentMs: number;
  /** For how long an ended job is told of; 0: not at all. */
  readonly historyMs: number;
}

/** The whole row: every write replaces all of it. */
export function itemOf(key: JobKey, record: JobRecord, fence: Fence, times: RowTimes): Item {
  const { state, steps: _, ended: __, callback, ...rest } = record;
  const ended = times.historyMs > 0 ? endedJob(key, record) : undefined;
  const keptMs = Math.max(unowedKeptMs, ended ? times.historyMs : 0);
  const { jobId, clientId, actionType } = key;
  // Replicas that know nothing of accounts take it for a Region that is not configured there, and leave the row alone.
  const region = placeName(key);
  return {
    ...rowKey(rowName(key)),
    holder: { S: fence.holder },
    lease: { N: String(fence.lease) },
    turn: { N: String(fence.turn) },
    state: { S: state },
    job: { S: JSON.stringify({ region, jobId, clientId, actionType }) },
    record: { S: packed(JSON.stringify({ ...rest, ...(callback && storedPromise(callback)) })) },
    // Only what is owed is in the index, and stays until it is not.
    ...(isOwed(state)
      ? { owedBy: { S: fence.holder } }
      : { expiresAt: { N: String(Math.ceil((times.nowMs + keptMs) / 1_000)) } }),
    ...(ended
      ? {
          endedOn: { S: dayOf(ended.endedAtMs) },
          endedAtMs: { N: String(Math.round(ended.endedAtMs)) },
          history: { S: endedText(ended) },
        }
      : {}),
    // That it is there is the mark; older replicas compare it with their own clock.
    ...(isRemembered(record) ? { recentUntilMs: { N: String(times.nowMs + times.recentMs) } } : {}),
  };
}

/** How long a service may take yet goes by no clock: the deadline itself is for people, and for older replicas. */
function storedPromise({ tokenHash, deadline }: CallbackPromise) {
  return { callback: { tokenHash, deadlineMs: deadline.wallMs() }, callbackLeftMs: deadline.leftMs() };
}

/** A condition and what it speaks of, as PutItem and DeleteItem take it. */
export interface Condition {
  readonly ConditionExpression: string;
  readonly ExpressionAttributeValues?: Item;
}

/** There is no row. Rows are never deleted, so one that is missing never was, or went with its table. */
export const ifAbsent: Condition = { ConditionExpression: "attribute_not_exists(pk)" };

/** The lease still holds. An attempt that arrives late never undoes a newer one, and one that repeats changes nothing. */
export function ifHeld(fence: Fence): Condition {
  return {
    ConditionExpression: "(holder = :holder AND lease = :lease AND turn <= :turn)",
    ExpressionAttributeValues: fenceValues(fence, ""),
  };
}

/** Nothing has changed since the row was read. */
export function ifUnchanged(fence: Fence): Condition {
  return {
    ConditionExpression: "(holder = :oldholder AND lease = :oldlease AND turn = :oldturn)",
    ExpressionAttributeValues: fenceValues(fence, "old"),
  };
}

/** One of them holds. */
export function either(...conditions: readonly Condition[]): Condition {
  const values = Object.assign({}, ...conditions.map((each) => each.ExpressionAttributeValues ?? {})) as Item;
  return {
    ConditionExpression: conditions.map((each) => each.ConditionExpression).join(" OR "),
    ...(Object.keys(values).length === 0 ? {} : { ExpressionAttributeValues: values }),
  };
}

function fenceValues({ holder, lease, turn }: Fence, old: "" | "old"): Item {
  const entries = { holder: { S: holder }, lease: { N: String(lease) }, turn: { N: String(turn) } };
  return Object.fromEntries(Object.entries(entries).map(([name, value]) => [`:${old}${name}`, value]));
}

function packed(json: string): string {
  if (Buffer.byteLength(json) <= plainMaxBytes) return json;
  return packedMark + deflateRawSync(json).toString("base64");
}

function unpacked(value: string): string {
  if (!value.startsWith(packedMark)) return value;
  const bytes = Buffer.from(value.slice(packedMark.length), "base64");
  return inflateRawSync(bytes, { maxOutputLength: unpackedMaxBytes }).toString("utf8");
}

/** Many times what the longest outcome takes. */
const unpackedMaxBytes = 8_388_608;

/**
 * A row as it was read. Whoever takes it over leaves its service the time that was left when it was written; `listed`
 * has the deadline by its holder's clock, for people. Throws an Error that names the row.
 */
export function rowFrom(item: Item, clock: Clock, purpose: "taken" | "listed"): JobRow {
  const job = parsed(item, "job");
  const rest = parsed(item, "record");
  const state = text(item, "state") as JobState;
  const { owner, category, provider, version } = (job["actionType"] ?? {}) as ActionType;
  const names = [job["region"], job["jobId"], owner, category, provider, version];
  if (!names.every((name) => typeof name === "string" && name !== "")) throw damaged(item, "job");
  if (owner !== "ThirdParty" && owner !== "Custom") throw damaged(item, "job");
  const { takenAtMs, sinceMs, outcome } = rest;
  const isTimed = typeof takenAtMs === "number" && typeof sinceMs === "number";
  if (!isTimed || (state === "settled") !== (outcome !== undefined)) throw damaged(item, "record");
  const { is, nonce } = (rest["claim"] ?? rest) as Readonly<Record<string, unknown>>;
  const claim = claimFrom(state, is, nonce);
  if (!claim) throw damaged(item, "record");
  const clientId = job["clientId"];
  const leftMs = purpose === "taken" ? rest["callbackLeftMs"] : undefined;
  const callback = callbackFrom(item, rest["callback"], { clock, leftMs });
  return {
    key: {
      ...placeFrom(String(job["region"])),
      actionType: { owner, category, provider, version },
      jobId: job["jobId"] as JobId,
      ...(typeof clientId === "string" ? { clientId: clientId as ClientId } : {}),
    },
    fence: { holder: text(item, "holder"), lease: number(item, "lease"), turn: number(item, "turn") },
    record: {
      state,
      takenAtMs,
      sinceMs,
      claim,
      ...(outcome === undefined ? {} : { outcome: outcomeFrom(outcome, owner) }),
      ...(callback === undefined ? {} : { callback }),
    },
    isRemembered: item["recentUntilMs"] !== undefined,
  };
}

/** The ended job of a row of the history; `undefined`: no partnerd wrote that. */
export function endedRowFrom(item: Item): EndedJob | undefined {
  const { region, jobId } = parsedOrNothing(item, "job");
  const endedAtMs = Number(item["endedAtMs"]?.N);
  const { S: history } = item["history"] ?? {};
  if (typeof region !== "string" || typeof jobId !== "string" || !Number.isFinite(endedAtMs)) return undefined;
  const key = { ...placeFrom(region), jobId: jobId as JobId };
  return history === undefined ? undefined : endedFrom({ key, endedAtMs }, history);
}

function parsedOrNothing(item: Item, name: string): Readonly<Record<string, unknown>> {
  try {
    return parsed(item, name);
  } catch {
    // Damaged rows are told of by whoever has to work by them.
    return {};
  }
}

function callbackFrom(
  item: Item,
  value: unknown,
  { clock, leftMs }: { readonly clock: Clock; readonly leftMs: unknown },
): CallbackPromise | undefined {
  if (value === undefined) return undefined;
  const { tokenHash, deadlineMs = null } = (value ?? {}) as Record<string, unknown>;
  if (typeof tokenHash !== "string") throw damaged(item, "record");
  if (typeof leftMs === "number") return { tokenHash, deadline: Deadline.in(clock, leftMs) };
  // JSON has no Infinity: it turned into null.
  const wallMs = typeof deadlineMs === "number" ? deadlineMs : Number.MAX_SAFE_INTEGER;
  return { tokenHash, deadline: Deadline.at(clock, wallMs) };
}

function parsed(item: Item, name: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(unpacked(text(item, name)));
    if (typeof value === "object" && value !== null) return value as Record<string, unknown>;
  } catch (error) {
    throw damaged(item, name, error);
  }
  throw damaged(item, name);
}

/** The attribute's text. Throws an Error that names the row. */
export function text(item: Item, name: string): string {
  const value = item[name]?.S;
  if (value === undefined || value === "") throw damaged(item, name);
  return value;
}

function number(item: Item, name: string): number {
  const value = Number(item[name]?.N ?? "x");
  if (!Number.isFinite(value)) throw damaged(item, name);
  return value;
}

function damaged(item: Item, name: string, cause?: unknown): Error {
  return new Error(
    `the row ${item["pk"]?.S ?? "?"} has no usable ${name}`,
    cause === undefined ? undefined : { cause },
  );
}
