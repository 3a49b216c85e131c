// What is told of a job that a ledger remembers: as a story, as a link of a chain, and as an entry of the history.
import type { EndedJob } from "../job/ended.js";
import { actionTypeName } from "../job/job.js";
import type { JobStory, StoryLink, StoryOutcome } from "./job-story.js";

/** The story of an ended job, as far as its ledger remembers it. */
export function endedStory(job: EndedJob): JobStory {
  const { key, end, reason, message, takenAtMs, endedAtMs, steps, outcome, attempts } = job;
  const { handler, pipelineName, stageName, actionName, actionExecutionId, cause } = job;
  const at = timeOf(endedAtMs);
  const names = { handler, pipelineName, stageName, actionName, actionExecutionId, cause, clientId: key.clientId };
  return {
    version: 1,
    source: "ledger",
    jobId: key.jobId,
    ...(key.account === undefined ? {} : { account: key.account }),
    region: key.region,
    actionType: actionTypeName(key.actionType),
    ...known(names),
    ...(job.isContinuation ? { isContinuation: true } : {}),
    state: end === "dropped" ? "dropped" : "reported",
    since: at,
    takenAt: timeOf(takenAtMs),
    states: steps.map(([state, atMs]) => ({ state, at: timeOf(atMs), retries: [] })),
    chain: [endedLink(job)],
    ...(outcome ? { outcome: shownOutcome(outcome) } : {}),
    ...(job.durationMs === undefined ? {} : { durationMs: job.durationMs }),
    ...(end === "dropped"
      ? { end: { kind: "dropped", at, reason: reason ?? "unknown", message: message ?? "" } }
      : { reported: { at, attempts: attempts ?? 1 } }),
    log: { lines: [], leftOut: 0 },
  };
}

/** As CodePipeline's own words have it. */
function shownOutcome({ kind, type, text, ...rest }: NonNullable<EndedJob["outcome"]>): StoryOutcome {
  const said = text === undefined ? {} : kind === "failed" ? { message: text } : { summary: text };
  return { kind, ...(type === undefined ? {} : { type }), ...said, ...rest };
}

/** Its place in the chain of its action. */
export function endedLink({ key, end, takenAtMs, outcome }: EndedJob): StoryLink {
  const percent = outcome?.percentComplete;
  return {
    jobId: key.jobId,
    at: timeOf(takenAtMs),
    end,
    ...(percent === undefined ? {} : { percentComplete: percent }),
  };
}

/** One entry of `GET /history`, version 1; times are ISO 8601. Later versions may add members. */
export interface HistoryEntry {
  readonly jobId: string;
  /** Absent: the account `default`. */
  readonly account?: string;
  readonly region: string;
  readonly actionType: string;
  readonly clientId?: string;
  readonly handler?: string;
  readonly pipelineName?: string;
  readonly stageName?: string;
  readonly actionName?: string;
  readonly actionExecutionId?: string;
  readonly end: EndedJob["end"];
  /** The failure's type, or why it was dropped. */
  readonly reason?: string;
  /** The summary, the failure's message, or why it was dropped. */
  readonly text?: string;
  readonly takenAt: string;
  readonly endedAt: string;
  readonly durationMs?: number;
}

/** An ended job as one entry. */
export function historyEntry(job: EndedJob): HistoryEntry {
  const { key, end, outcome, message } = job;
  const { handler, pipelineName, stageName, actionName, actionExecutionId } = job;
  const reason = end === "dropped" ? job.reason : outcome?.type;
  const text = end === "dropped" ? message : outcome?.text;
  return {
    jobId: key.jobId,
    ...(key.account === undefined ? {} : { account: key.account }),
    region: key.region,
    actionType: actionTypeName(key.actionType),
    ...known({ clientId: key.clientId, handler, pipelineName, stageName, actionName, actionExecutionId }),
    end,
    ...known({ reason, text }),
    takenAt: timeOf(job.takenAtMs),
    endedAt: timeOf(job.endedAtMs),
    ...(job.durationMs === undefined ? {} : { durationMs: job.durationMs }),
  };
}

function known<T extends Readonly<Record<string, string | undefined>>>(names: T): { [K in keyof T]?: string } {
  return Object.fromEntries(Object.entries(names).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: string;
  };
}

/** A damaged row may have any number for a time. */
function timeOf(ms: number): string {
  const time = new Date(ms);
  return Number.isNaN(time.getTime()) ? "" : time.toISOString();
}
