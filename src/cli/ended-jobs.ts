// `partnerd jobs --ended`: the ended jobs that the ledger remembers, searched beside daemons that run or without one. A
// ledger in memory is searched by the daemon that has it.
import type { HistoryEntry } from "../compose/offline-jobs.js";
import type { Config } from "../config/config.js";
import type { LoadOptions } from "../config/load.js";
import { loadConfig } from "../config/load.js";
import { askDaemon, stranger } from "./daemon-calls.js";
import type { Io } from "./io.js";
import { ageOf, columns, orFailed } from "./jobs-command.js";
import { ledgerParts } from "./ledger-parts.js";

/** What is looked for; what is left out may be anything. */
export interface EndedFlags {
  readonly id?: string;
  readonly client?: string;
  readonly pipeline?: string;
  readonly type?: string;
  readonly outcome?: HistoryEntry["end"];
  readonly limit?: number;
}

const limitByDefault = 50;

/** Lists ended jobs. The exit code: 0, or 1 when the ledger cannot be read. Throws ConfigError. */
export async function endedJobsCommand(
  options: LoadOptions,
  flags: EndedFlags & { readonly json: boolean },
  io: Io,
  nowMs: number = Date.now(),
): Promise<number> {
  const { config } = await loadConfig(options);
  return orFailed(io, async () => {
    const entries =
      config.ledger.store === "memory" ? await entriesOfDaemon(config, flags) : await inLedger(config, flags, io);
    if (flags.json) io.out(`${JSON.stringify(entries, undefined, 2)}\n`);
    else io.out(tableOf(entries, nowMs));
  });
}

async function inLedger(config: Config, flags: EndedFlags, io: Io): Promise<readonly HistoryEntry[]> {
  const { id: jobId, client: clientId, pipeline, type: actionType, outcome, limit = limitByDefault } = flags;
  const given = Object.entries({ jobId, clientId, pipeline, actionType, outcome }).filter(
    ([, value]) => value !== undefined,
  );
  const { endedEntries } = await import("../compose/offline-jobs.js");
  return endedEntries(await ledgerParts(config, io), { ...(Object.fromEntries(given) as object), limit });
}

async function entriesOfDaemon({ admin }: Config, flags: EndedFlags): Promise<readonly HistoryEntry[]> {
  const only = "ledger.store is memory: only the running daemon remembers ended jobs";
  const { id: job, client, pipeline, type, outcome, limit = limitByDefault } = flags;
  const given = Object.entries({ job, client, pipeline, type, outcome, limit: String(limit) });
  const query = new URLSearchParams(given.filter((part): part is [string, string] => part[1] !== undefined));
  const answer = await askDaemon(admin, { method: "GET", path: `/history?${query}` });
  if (answer.kind === "off") throw new Error(`${only}, and its admin port is off (admin.port: 0)`);
  if (answer.kind === "nobody") throw new Error(`${only}, and no daemon answers at ${answer.url} (${answer.reason})`);
  if (answer.status === 401) throw new Error(`${only}, and ${answer.url} answered 401: is admin.token the daemon's?`);
  const { jobs } = (answer.body ?? {}) as { readonly jobs?: unknown };
  if (answer.status !== 200 || !Array.isArray(jobs) || !jobs.every(isEntry))
    throw new Error(`${only}, and ${stranger(answer)}`);
  return jobs;
}

function isEntry(value: unknown): value is HistoryEntry {
  const { jobId, region, actionType, end, endedAt } = (value ?? {}) as Partial<HistoryEntry>;
  return [jobId, region, actionType, end, endedAt].every((each) => typeof each === "string");
}

function tableOf(entries: readonly HistoryEntry[], nowMs: number): string {
  if (entries.length === 0) return "the ledger remembers no ended job like that\n";
  const hasAccounts = entries.some(({ account }) => account !== undefined);
  const rows = entries.map((entry) => {
    const { jobId, end, reason, endedAt, durationMs, actionType, account, region, clientId, pipelineName, text } =
      entry;
    return [
      jobId,
      reason === undefined ? end : `${end} (${reason})`,
      `${ageOf(nowMs - Date.parse(endedAt))} ago`,
      durationMs === undefined ? "-" : ageOf(durationMs),
      actionType,
      ...(hasAccounts ? [account ?? "default"] : []),
      region,
      clientId ?? "-",
      pipelineName ?? "-",
      // The rest is told by `jobs show`.
      (text ?? "-").slice(0, textMax),
    ];
  });
  const heads = ["JOB", "OUTCOME", "ENDED", "TOOK", "ACTION TYPE", ...(hasAccounts ? ["ACCOUNT"] : [])];
  return columns([[...heads, "REGION", "CLIENT", "PIPELINE", "SAID"], ...rows]);
}

const textMax = 100;
