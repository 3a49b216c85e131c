// `partnerd jobs`: what the ledger holds, for the operator at night, beside daemons that run or without one. Shows no
// outcome's texts: they may be a customer's. A ledger in memory is shown by the daemon that has it.

import type { ListedJob } from "../compose/offline-jobs.js";
import type { Config } from "../config/config.js";
import type { LoadOptions } from "../config/load.js";
import { loadConfig } from "../config/load.js";
import { defaultAccount, placeOf } from "../job/job.js";
import { describeError } from "../std/errors.js";
import { oneLine } from "../std/one-line.js";
import { askDaemon, stranger } from "./daemon-calls.js";
import { exitCodes } from "./exit-codes.js";
import type { Io } from "./io.js";
import { ledgerParts } from "./ledger-parts.js";

/** Lists what is held. The exit code: 0, or 1 when the ledger cannot be read. Throws ConfigError. */
export async function jobsCommand(
  options: LoadOptions,
  { json }: { readonly json: boolean },
  io: Io,
  nowMs: number = Date.now(),
): Promise<number> {
  const { config } = await loadConfig(options);
  return orFailed(io, async () => {
    const jobs = config.ledger.store === "memory" ? await jobsOfDaemon(config) : await jobsInLedger(config, io);
    if (json) return io.out(`${JSON.stringify(jobs.map(jsonOf), undefined, 2)}\n`);
    io.out(tableOf(jobs, nowMs));
    if (config.ledger.store === "dynamodb") await sayPause(config, io);
  });
}

/** A paused fleet explains why nothing is begun. */
async function sayPause(config: Config, io: Io): Promise<void> {
  const { fleetReport } = await import("../compose/offline-fleet.js");
  const { pauseText } = await fleetReport(await ledgerParts(config, io));
  if (pauseText !== "") io.out(`${oneLine(pauseText)}: no replica accepts jobs until partnerd fleet resume\n`);
}

/** Runs a command over a ledger; what goes wrong is one line, and exit code 1. */
export async function orFailed(io: Pick<Io, "err">, act: () => Promise<void>): Promise<number> {
  try {
    await act();
    return exitCodes.ok;
  } catch (error) {
    io.err(`${describeError(error)}\n`);
    return exitCodes.failed;
  }
}

/** A job as it is shown, wherever it was read. */
interface ShownJob extends Omit<ListedJob, "key" | "takenAtMs" | "state" | "owed"> {
  readonly jobId: string;
  /** Absent: the account `default`. */
  readonly account?: string;
  readonly region: string;
  readonly actionType: string;
  readonly clientId?: string;
  readonly state: string;
  readonly takenAtMs?: number;
}

async function jobsInLedger(config: Config, io: Io): Promise<readonly ShownJob[]> {
  const { heldJobs } = await import("../compose/offline-jobs.js");
  return (await heldJobs(await ledgerParts(config, io))).map(({ key, owed: _, ...job }) => {
    const { owner, category, provider, version } = key.actionType;
    const { jobId, clientId } = key;
    const client = clientId === undefined ? {} : { clientId };
    return { jobId, ...placeOf(key), actionType: `${owner}/${category}/${provider}/${version}`, ...client, ...job };
  });
}

async function jobsOfDaemon({ admin }: Config): Promise<readonly ShownJob[]> {
  const only = "ledger.store is memory: only the running daemon knows its jobs";
  const answer = await askDaemon(admin, { method: "GET", path: "/status" });
  if (answer.kind === "off") throw new Error(`${only}, and its admin port is off (admin.port: 0)`);
  if (answer.kind === "nobody") throw new Error(`${only}, and no daemon answers at ${answer.url} (${answer.reason})`);
  const { jobs } = (answer.body ?? {}) as { readonly jobs?: unknown };
  if (answer.status === 401) throw new Error(`${only}, and ${answer.url} answered 401: is admin.token the daemon's?`);
  if (answer.status !== 200 || !Array.isArray(jobs)) throw new Error(`${only}, and ${stranger(answer)}`);
  return jobs.flatMap(shownFromStatus);
}

/** One line of a status document; what is not ours yet is not shown, as no ledger keeps it. */
function shownFromStatus(line: unknown): readonly ShownJob[] {
  const { jobId, account, region, actionType, clientId, state, sinceMs, isAwaitingCallback } = (line ?? {}) as Record<
    string,
    unknown
  >;
  const standing = state === "acknowledging" ? "asked" : state === "settled" ? "owed" : "running";
  if (state !== "acknowledging" && state !== "running" && state !== "settled") return [];
  if (typeof jobId !== "string" || typeof region !== "string" || typeof actionType !== "string") return [];
  return [
    {
      jobId,
      ...(typeof account === "string" ? { account } : {}),
      region,
      actionType,
      ...(typeof clientId === "string" ? { clientId } : {}),
      standing: standing === "running" && isAwaitingCallback === true ? "awaits-callback" : standing,
      state,
      sinceMs: typeof sinceMs === "number" ? sinceMs : Number.NaN,
    },
  ];
}

function jsonOf({ sinceMs, takenAtMs, callbackDeadlineMs, heldBy, outcome, ...job }: ShownJob) {
  const { jobId, account, region, actionType, clientId, standing, state } = job;
  return {
    jobId,
    ...(account === undefined ? {} : { account }),
    region,
    actionType,
    ...(clientId === undefined ? {} : { clientId }),
    standing,
    state,
    since: timeOf(sinceMs),
    ...(takenAtMs === undefined ? {} : { takenAt: timeOf(takenAtMs) }),
    ...(outcome === undefined ? {} : { outcome }),
    ...(callbackDeadlineMs === undefined ? {} : { callbackDeadline: timeOf(callbackDeadlineMs) }),
    ...(heldBy === undefined ? {} : { heldBy: holderJson(heldBy) }),
  };
}

function holderJson({ leaseEndsMs, ...holder }: NonNullable<ListedJob["heldBy"]>) {
  return { ...holder, ...(leaseEndsMs === undefined ? {} : { leaseEnds: timeOf(leaseEndsMs) }) };
}

function timeOf(ms: number): string {
  const time = new Date(ms);
  return Number.isNaN(time.getTime()) ? "never" : time.toISOString();
}

const says: Readonly<Record<ListedJob["standing"], string>> = {
  asked: "acknowledge unanswered",
  running: "running",
  "awaits-callback": "awaits callback",
  owed: "result owed",
  damaged: "damaged row",
};

function tableOf(jobs: readonly ShownJob[], nowMs: number): string {
  if (jobs.length === 0) return "the ledger holds no jobs\n";
  const isShared = jobs.some(({ heldBy }) => heldBy !== undefined);
  const hasAccounts = jobs.some(({ account }) => account !== undefined);
  const rows = jobs.map((job) => [
    job.jobId,
    `${says[job.standing]}${job.outcome === undefined ? "" : ` (${job.outcome})`}`,
    ageOf(nowMs - job.sinceMs),
    job.takenAtMs === undefined ? "-" : ageOf(nowMs - job.takenAtMs),
    job.actionType,
    ...(hasAccounts ? [job.account ?? defaultAccount] : []),
    job.region,
    job.clientId ?? "-",
    ...(isShared ? [holderOf(job, nowMs)] : []),
  ]);
  const heads = [
    "JOB",
    "STANDING",
    "FOR",
    "HELD FOR",
    "ACTION TYPE",
    ...(hasAccounts ? ["ACCOUNT"] : []),
    "REGION",
    "CLIENT",
  ];
  const all = [[...heads, ...(isShared ? ["HELD BY"] : [])], ...rows];
  const owed = jobs.filter(({ standing }) => standing === "owed").length;
  return `${columns(all)}${jobs.length} held, ${owed} of them with a result owed\n`;
}

/** Rows under each other, whatever their texts hold. */
export function columns(rows: readonly (readonly string[])[]): string {
  const all = rows.map((row) => row.map(oneLine));
  const widths = all[0]?.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0))) ?? [];
  const lines = all.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
  return `${lines.join("\n")}\n`;
}

/** Such as `worker-3 pid 17, lease ends in 12s`. */
function holderOf({ heldBy }: ShownJob, nowMs: number): string {
  if (!heldBy) return "nobody";
  const { replica, host, pid, leaseEndsMs } = heldBy;
  const who = host === undefined ? `replica ${replica}` : `${host} pid ${pid ?? "?"}`;
  if (leaseEndsMs === undefined) return `${who}, gone`;
  const leftMs = leaseEndsMs - nowMs;
  return leftMs >= 0 ? `${who}, lease ends in ${ageOf(leftMs)}` : `${who}, lease ended ${ageOf(-leftMs)} ago`;
}

/** Two units at most, such as `2h 5m`. */
export function ageOf(ms: number): string {
  if (Number.isNaN(ms)) return "-";
  const seconds = Math.max(0, Math.floor(ms / 1_000));
  const [days, hours, minutes] = [
    Math.floor(seconds / 86_400),
    Math.floor(seconds / 3_600) % 24,
    Math.floor(seconds / 60) % 60,
  ];
  if (days > 0) return `${days}d ${hours}h`;
  if (hours > 0) return `${hours}h ${minutes}m`;
  return minutes > 0 ? `${minutes}m ${seconds % 60}s` : `${seconds}s`;
}
