// What the command line does with the configured ledger without asking a daemon: lists the jobs that are held, tells of
// one, and releases or fails one. A part of the composition root: it picks the ledger's implementation.

import { endedStory, type HistoryEntry, historyEntry } from "../admin/ended-story.js";
import { type JobStory, storyOutcome } from "../admin/job-story.js";
import type { HistorySearch } from "../job/ended.js";
import { actionTypeName, jobKeyName } from "../job/job.js";
import type { JobEvent, JobState } from "../job/lifecycle.js";
import { type GivenJob, jobMeant } from "../job/meant.js";
import { type Order, orderFor } from "../job/order.js";
import { LedgerError } from "../ledger/ledger.js";
import type { ListedJob } from "../ledger/listed-jobs.js";
import { endedJobs, type SearchHistory, withChain } from "./job-teller.js";
import { type FleetTools, fleetToolsOf, ledgerOf } from "./ledgers.js";
import type { PartsOptions } from "./parts-options.js";

export type { HistoryEntry, ListedJob, Order };

/** What the configured ledger holds, oldest first, beside daemons that may be running. Throws LedgerError. */
export async function heldJobs(options: PartsOptions): Promise<readonly ListedJob[]> {
  const { ledger } = options.config;
  switch (ledger.store) {
    case "sqlite": {
      const { listJobs } = await import("../ledger/sqlite/list.js");
      return listJobs(ledger.path);
    }
    case "dynamodb":
      return withFleet(options, ({ operator }, signal) => operator.list(signal));
    case "memory":
      throw new LedgerError("unreadable", "ledger.store is memory: only the running daemon knows its jobs");
  }
}

/** The held job that is meant by an id or the beginning of one. Throws LedgerError, and an Error when it is none or several. */
export async function heldJob(options: PartsOptions, given: GivenJob): Promise<ListedJob> {
  const meant = jobMeant(await heldJobs(options), ({ key }) => key, given);
  if (meant.kind === "one") return meant.held;
  if (meant.kind === "several") throw new Error(meant.message);
  return noneOf(given);
}

/**
 * The story of the held or ended job that is meant by an id or the beginning of one, as far as the ledger knows it.
 * Throws LedgerError, and an Error when it is none or several.
 */
export async function offlineStory(options: PartsOptions, given: GivenJob): Promise<JobStory> {
  const held = await heldJobs(options);
  const search = historyOf(options);
  const ended = await endedJobs(search, given);
  const known = new Map([...ended, ...held].map((job) => [jobKeyName(job.key), job]));
  const meant = jobMeant([...known.values()], ({ key }) => key, given);
  if (meant.kind === "several") throw new Error(meant.message);
  if (meant.kind === "none") return noneOf(given);
  const job = meant.held;
  return "standing" in job ? ledgerStory(job) : withChain(search, endedStory(job));
}

/** Searches the configured ledger's history, beside daemons that may be running. What it gives throws LedgerError. */
export function historyOf(options: PartsOptions): SearchHistory {
  const { config, clock } = options;
  const { ledger } = config;
  switch (ledger.store) {
    case "sqlite":
      return async (search) => {
        const { searchFile } = await import("../ledger/sqlite/history-file.js");
        const limits = ledger.history ?? { maxJobs: 0, maxAgeMs: 0 };
        return searchFile({ path: ledger.path, search, limits, nowMs: clock.now() });
      };
    case "dynamodb":
      return (search, signal) => withFleet(options, ({ operator }) => operator.history(search, signal));
    case "memory":
      throw new LedgerError("unreadable", "ledger.store is memory: only the running daemon knows its jobs");
  }
}

/** Searches that follow one another to fill a list. */
const searchesMax = 20;

/** Ended jobs, newest first, up to the search's limit. Throws LedgerError. */
export async function endedEntries(options: PartsOptions, search: HistorySearch): Promise<readonly HistoryEntry[]> {
  const history = historyOf(options);
  const found: HistoryEntry[] = [];
  let before: string | undefined;
  for (let page = 0; page < searchesMax && found.length < search.limit; page++) {
    const more = { ...search, limit: search.limit - found.length, ...(before === undefined ? {} : { before }) };
    const { jobs, next } = await history(more, new AbortController().signal);
    found.push(...jobs.map(historyEntry));
    before = next;
    if (before === undefined) break;
  }
  return found;
}

function noneOf({ jobId, region, account }: GivenJob): never {
  const where = `${region === undefined ? "" : ` of ${region}`}${account === undefined ? "" : ` of the account ${account}`}`;
  throw new Error(`the ledger holds no job ${jobId}${where}`);
}

/** As much of a job's story as its ledger knows. */
export function ledgerStory({ key, state, owed, heldBy, ...job }: ListedJob): JobStory {
  const { jobId, account, region, clientId } = key;
  const since = timeOf(job.sinceMs);
  const takenAt = timeOf(job.takenAtMs);
  const callbackUntil = timeOf(job.callbackDeadlineMs);
  return {
    version: 1,
    source: "ledger",
    jobId,
    ...(account === undefined ? {} : { account }),
    region,
    actionType: actionTypeName(key.actionType),
    ...(clientId === undefined ? {} : { clientId }),
    state,
    ...(since === undefined ? {} : { since }),
    ...(takenAt === undefined ? {} : { takenAt }),
    ...(callbackUntil === undefined ? {} : { callbackUntil }),
    states: since === undefined ? [] : [{ state, at: since, retries: [] }],
    chain: [],
    // Its secrets are known to nobody here.
    ...(owed === undefined ? {} : { outcome: storyOutcome(owed) }),
    ...(heldBy === undefined ? {} : { heldBy: holderOf(heldBy) }),
    log: { lines: [], leftOut: 0 },
  };
}

function holderOf({ replica, host, pid }: NonNullable<ListedJob["heldBy"]>): NonNullable<JobStory["heldBy"]> {
  return { replica, ...(host === undefined ? {} : { host }), ...(pid === undefined ? {} : { pid }) };
}

function timeOf(ms: number | undefined): string | undefined {
  const time = new Date(ms ?? Number.NaN);
  return Number.isNaN(time.getTime()) ? undefined : time.toISOString();
}

/**
 * Releases a held job, or fixes its outcome as failed for a daemon to report. Throws LedgerError: `locked` while a
 * daemon works on it, `lost` when the job is not there or not in a state for it.
 */
export async function endHeldJob(options: PartsOptions, { key }: Pick<ListedJob, "key">, end: Order): Promise<void> {
  if (options.config.ledger.store === "dynamodb") {
    return withFleet(options, ({ operator }, signal) =>
      operator.end(key, ({ record }) => eventsFor(key.jobId, record.state, end), signal),
    );
  }
  const ledger = await ledgerOf(options);
  const unfinished = await ledger.unfinished();
  try {
    const found = unfinished.find(({ lease }) => jobKeyName(lease.key) === jobKeyName(key));
    if (!found) throw new LedgerError("lost", `job ${key.jobId} is no longer in the ledger`);
    const { lease } = found;
    for (const event of eventsFor(key.jobId, lease.state, end)) await ledger.record(lease, event);
  } finally {
    for (const { lease } of unfinished) await ledger.release(lease);
    await ledger.close();
  }
}

/** What the order does to a job that nobody works on. Throws LedgerError: `lost`. */
export function eventsFor(jobId: string, state: JobState, order: Order): readonly JobEvent[] {
  const step = orderFor(jobId, state, order);
  if (step.kind === "too-late") throw new LedgerError("lost", step.message);
  return step.events;
}

/** Opens the fleet's table for a moment. Throws LedgerError. */
export async function withFleet<T>(
  options: PartsOptions,
  act: (tools: FleetTools, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const tools = await fleetToolsOf(options);
  try {
    return await act(tools, new AbortController().signal);
  } finally {
    tools.close();
  }
}
