// One job of any ledger, as `partnerd jobs` shows it: how it stands and since when, never its outcome's texts.
import { type ActionType, type JobId, type JobKey, placeFrom } from "../job/job.js";
import type { JobState } from "../job/lifecycle.js";
import type { Outcome } from "../job/outcome.js";
import type { JobRecord } from "./record.js";

/** One job that a ledger holds; times in ms since the epoch. */
export interface ListedJob {
  readonly key: JobKey;
  readonly state: JobState | "damaged";
  /** Since when it is in this state; NaN if unknown. */
  readonly sinceMs: number;
  /** When it was first taken. */
  readonly takenAtMs: number;
  /**
   * `running`: work goes on, or was interrupted. `owed`: the outcome waits for CodePipeline. `damaged`: the ledger's
   * record of it cannot be read, and somebody has to look at it.
   */
  readonly standing: "asked" | "running" | "awaits-callback" | "owed" | "damaged";
  /** Set when a service works for it: until when it may call. */
  readonly callbackDeadlineMs?: number;
  /** Set when the outcome is fixed. */
  readonly outcome?: "succeeded" | "continued" | "failed";
  /** The whole of it, for who asks for this one job. */
  readonly owed?: Outcome;
  /** In a ledger that a fleet shares: who has it. Absent: nobody, until a replica finds it. */
  readonly heldBy?: JobHolder;
}

/** A replica of a fleet. */
export interface JobHolder {
  readonly replica: string;
  readonly host?: string;
  readonly pid?: number;
  /** By the clock of that replica. Absent: it is gone. */
  readonly leaseEndsMs?: number;
}

/** A job as it is listed. */
export function listedJob(key: JobKey, record: JobRecord, heldBy?: JobHolder): ListedJob {
  const { state, sinceMs, takenAtMs, outcome, callback } = record;
  return {
    key,
    state,
    sinceMs,
    takenAtMs,
    standing: standingOf(state, callback !== undefined),
    ...(callback === undefined ? {} : { callbackDeadlineMs: callback.deadline.wallMs() }),
    ...(outcome === undefined ? {} : { outcome: outcome.kind, owed: outcome }),
    ...(heldBy === undefined ? {} : { heldBy }),
  };
}

/** A job whose row cannot be read, by the row's name, `REGION/ID` or `ACCOUNT@REGION/ID`. */
export function damagedJob(name: string, heldBy?: JobHolder): ListedJob {
  const at = name.indexOf("/");
  const unknown = { category: "?", owner: "?", provider: "?", version: "?" } as unknown as ActionType;
  return {
    key: { ...placeFrom(name.slice(0, at)), jobId: name.slice(at + 1) as JobId, actionType: unknown },
    state: "damaged",
    sinceMs: Number.NaN,
    takenAtMs: Number.NaN,
    standing: "damaged",
    ...(heldBy === undefined ? {} : { heldBy }),
  };
}

function standingOf(state: JobState, hasCallback: boolean): ListedJob["standing"] {
  if (state === "acknowledging") return "asked";
  if (state === "settled") return "owed";
  return hasCallback ? "awaits-callback" : "running";
}
