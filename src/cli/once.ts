// `partnerd once`: one pass over every action type, for cron jobs, tests and trying out.
import { loadForWork, type RunFlags } from "./configured.js";
import { once } from "./work.js";

export interface OnceFlags extends RunFlags {
  /** Goes on until polls have brought nothing for so long. */
  readonly waitMs: number;
  /** Infinity: no limit. */
  readonly maxJobs: number;
  readonly jobOutcomeStatus: boolean;
}

/** The exit code: 0, 1, 3, 70, 75 or 78. */
export async function onceCommand(flags: OnceFlags): Promise<number> {
  const loaded = await loadForWork(flags);
  if (typeof loaded === "number") return loaded;
  const { waitMs, maxJobs, jobOutcomeStatus } = flags;
  return once({ ...loaded, waitMs, maxJobs, jobOutcomeStatus });
}
