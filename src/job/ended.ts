// A job that ended, as its ledger remembers it for whoever asks later: how it ended, what is told of it, and how it is
// searched for. Texts are masked before they come here, and no configuration value does. Pure.
import { actionTypeName, type JobKey } from "./job.js";
import type { JobEnd } from "./job-end.js";
import type { JobState, LostReason } from "./lifecycle.js";

/** How a job ended; only those that were acknowledged are remembered as dropped. */
export type EndedKind = (typeof endedKinds)[number];
export const endedKinds = ["succeeded", "continued", "failed", "dropped"] as const;

/** When a job came into a state, in ms since the epoch. */
export type JobStep = readonly [state: JobState, atMs: number];

/** One job that ended; times in ms since the epoch. */
export interface EndedJob extends JobEnd {
  readonly key: JobKey;
  readonly end: EndedKind;
  /** Why it was dropped. */
  readonly reason?: LostReason;
  readonly takenAtMs: number;
  readonly endedAtMs: number;
  /** Its states in order, as far as the process knew them that ended it. */
  readonly steps: readonly JobStep[];
}

/** Which ended jobs are looked for; what is left out may be anything. */
export interface HistoryFilter {
  /** The job's id, or a beginning of it. */
  readonly jobId?: string;
  /** The client id, or a beginning of it. */
  readonly clientId?: string;
  /** The pipeline's name, or a beginning of it. */
  readonly pipeline?: string;
  readonly outcome?: EndedKind;
  /** The provider, or all four parts. */
  readonly actionType?: string;
  readonly actionExecutionId?: string;
}

/** One page of a search, newest first. */
export interface HistorySearch extends HistoryFilter {
  /** How many jobs at most. */
  readonly limit: number;
  /** Where the page before it ended; absent: with the newest. */
  readonly before?: string;
}

export interface HistoryPage {
  readonly jobs: readonly EndedJob[];
  /**
   * Where to look further. It may be there although the page is not full: one search looks at so many jobs and no more.
   * Absent: there are no older ones.
   */
  readonly next?: string;
}

/** How much a ledger remembers of ended jobs. */
export interface HistoryLimits {
  /** 0: none. */
  readonly maxJobs: number;
  readonly maxAgeMs: number;
}

/** Where a page ended, for ledgers that number their jobs; `undefined`: nobody wrote that, and the search begins anew. */
export function placeBefore(before: string | undefined): number | undefined {
  return before !== undefined && /^\d{1,15}$/.test(before) ? Number(before) : undefined;
}

/** True for a job that is looked for. */
export function isWanted(job: EndedJob, filter: HistoryFilter): boolean {
  const { key, end, pipelineName, actionExecutionId } = job;
  const { jobId, clientId, pipeline, outcome, actionType, actionExecutionId: execution } = filter;
  const begins = (text: string | undefined, beginning: string | undefined) =>
    beginning === undefined || text?.startsWith(beginning) === true;
  return (
    begins(key.jobId, jobId) &&
    begins(key.clientId, clientId) &&
    begins(pipelineName, pipeline) &&
    (outcome === undefined || end === outcome) &&
    (actionType === undefined || [key.actionType.provider, actionTypeName(key.actionType)].includes(actionType)) &&
    (execution === undefined || actionExecutionId === execution)
  );
}
