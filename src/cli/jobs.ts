// `partnerd jobs`: what the ledger holds, for the operator at night, beside a daemon that runs or without one; and
// `release` and `fail` for one job of a daemon that is stopped. Shows no outcome's texts: they may be a customer's.
import type { LoadOptions } from "../config/load.js";
import { loadConfig } from "../config/load.js";
import type { HeldJobEnd, ListedJob } from "../daemon.js";
import { describeError } from "../std/errors.js";
import type { Io } from "./cli.js";
import { exitCodes } from "./exit-codes.js";

/** Lists what is held. The exit code: 0, or 1 when the ledger cannot be read. Throws ConfigError. */
export async function jobsCommand(
  options: LoadOptions,
  { json }: { readonly json: boolean },
  io: Pick<Io, "out" | "err">,
  nowMs: number = Date.now(),
): Promise<number> {
  const { config } = await loadConfig(options);
  const { heldJobs } = await import("../daemon.js");
  return orFailed(io, async () => {
    const jobs = await heldJobs(config);
    if (json) io.out(`${JSON.stringify(jobs.map(jsonOf), undefined, 2)}\n`);
    else io.out(tableOf(jobs, nowMs));
  });
}

/** One job by its id, and what is to become of it. */
export interface EndJob {
  readonly id: string;
  readonly region?: string;
  readonly end: HeldJobEnd;
}

/** Releases or fails one job. The exit code: 0, or 1 with a line that says why not. Throws ConfigError. */
export async function endJobCommand(options: LoadOptions, { id, region, end }: EndJob, io: Io): Promise<number> {
  const { config } = await loadConfig(options);
  const [{ endHeldJob, heldJobs }, { createLog }, { Masker }, { systemClock }] = await Promise.all([
    import("../daemon.js"),
    import("../std/log.js"),
    import("../std/masking.js"),
    import("../std/clock.js"),
  ]);
  return orFailed(io, async () => {
    const found = (await heldJobs(config)).filter(
      ({ key }) => key.jobId === id && (region === undefined || key.region === region),
    );
    const [job] = found;
    if (!job) throw new Error(`the ledger holds no job ${oneLine(id)}${region === undefined ? "" : ` of ${region}`}`);
    if (found.length > 1) {
      throw new Error(
        `several Regions have such a job: say --region ${found.map(({ key }) => key.region).join(" or ")}`,
      );
    }
    const masker = new Masker();
    const log = createLog({ level: "warn", format: "pretty", masker, destination: { write: io.err } });
    await endHeldJob({ config, log, masker, clock: systemClock, environment: io.environment }, job.key, end);
    const done = {
      release: "released: CodePipeline is told nothing and lets the action time out",
      fail: "failed: the next start of the daemon reports it",
    };
    io.out(`job ${oneLine(job.key.jobId)} ${done[end.kind]}\n`);
  });
}

async function orFailed(io: Pick<Io, "err">, act: () => Promise<void>): Promise<number> {
  try {
    await act();
    return exitCodes.ok;
  } catch (error) {
    io.err(`${describeError(error)}\n`);
    return exitCodes.failed;
  }
}

function jsonOf({ key, state, standing, sinceMs, takenAtMs, outcome, callbackDeadlineMs }: ListedJob) {
  const { owner, category, provider, version } = key.actionType;
  return {
    jobId: key.jobId,
    region: key.region,
    actionType: `${owner}/${category}/${provider}/${version}`,
    ...(key.clientId === undefined ? {} : { clientId: key.clientId }),
    standing,
    state,
    since: timeOf(sinceMs),
    takenAt: timeOf(takenAtMs),
    ...(outcome === undefined ? {} : { outcome }),
    ...(callbackDeadlineMs === undefined ? {} : { callbackDeadline: timeOf(callbackDeadlineMs) }),
  };
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
};

function tableOf(jobs: readonly ListedJob[], nowMs: number): string {
  if (jobs.length === 0) return "no jobs are held and no results are owed\n";
  const rows = jobs.map((job) => {
    const { jobId, actionType, region, clientId } = jsonOf(job);
    const standing = `${says[job.standing]}${job.outcome === undefined ? "" : ` (${job.outcome})`}`;
    return [
      jobId,
      standing,
      ageOf(nowMs - job.sinceMs),
      ageOf(nowMs - job.takenAtMs),
      actionType,
      region,
      clientId ?? "-",
    ];
  });
  const all = [["JOB", "STANDING", "FOR", "HELD FOR", "ACTION TYPE", "REGION", "CLIENT"], ...rows].map((row) =>
    row.map(oneLine),
  );
  const widths = all[0]?.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0))) ?? [];
  const lines = all.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
  const owed = jobs.filter(({ standing }) => standing === "owed").length;
  return `${lines.join("\n")}\n${jobs.length} held, ${owed} of them with a result that is owed\n`;
}

/** Two units at most, such as `2h 5m`. */
function ageOf(ms: number): string {
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

/** A text from outside made fit for one line of a terminal. */
function oneLine(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\s]+/gu, " ");
}
