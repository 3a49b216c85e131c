// Which job an operator means by an id: the whole id or, as logs show it, a beginning that only one job has. One rule for
// the daemon and for the command line without one. Pure.
import { defaultAccount, type JobKey } from "./job.js";

/** What was given. */
export interface GivenJob {
  /** A job's id, or the beginning of one. */
  readonly jobId: string;
  /** Needed when several Regions have a job of this id. */
  readonly region?: string;
  /** Needed when several accounts have a job of this id. */
  readonly account?: string;
}

/** The job that an id names, or why that is not clear. */
export type Meant<Held> =
  | { readonly kind: "one"; readonly held: Held }
  | { readonly kind: "none" }
  | { readonly kind: "several"; readonly message: string; readonly keys: readonly JobKey[] };

/** How many ids a message names; more would not help to choose. */
const namedMax = 5;

/** Picks among all jobs that there are. A whole id counts before any beginning, so that every job can be named. */
export function jobMeant<Held>(
  jobs: readonly Held[],
  keyOf: (held: Held) => JobKey,
  { jobId, ...place }: GivenJob,
): Meant<Held> {
  if (jobId === "") return { kind: "none" };
  const there = jobs.filter((held) => isThere(keyOf(held), place));
  const whole = there.filter((held) => keyOf(held).jobId === jobId);
  const meant = whole.length > 0 ? whole : there.filter((held) => keyOf(held).jobId.startsWith(jobId));
  const [held] = meant;
  if (held === undefined) return { kind: "none" };
  if (meant.length === 1) return { kind: "one", held };
  const keys = meant.map(keyOf);
  return { kind: "several", message: whichOf(keys), keys };
}

/** True for a job of the Region and the account that were named, if they were. */
export function isThere(key: JobKey, { region, account }: Omit<GivenJob, "jobId">): boolean {
  const isAccount = account === undefined || (key.account ?? defaultAccount) === account;
  return isAccount && (region === undefined || key.region === region);
}

function whichOf(keys: readonly JobKey[]): string {
  const ids = [...new Set(keys.map((key) => key.jobId))];
  if (ids.length === 1) {
    const regions = [...new Set(keys.map((key) => key.region))];
    if (regions.length === keys.length) {
      return `several Regions have a job with that id: name the Region, --region ${regions.join(" or ")}`;
    }
    const accounts = [...new Set(keys.map((key) => key.account ?? defaultAccount))].join(" or ");
    const also = regions.length > 1 ? ` and --region ${regions.join(" or ")}` : "";
    return `several accounts have a job with that id: name the account, --account ${accounts}${also}`;
  }
  const more = ids.length > namedMax ? `, and ${ids.length - namedMax} more` : "";
  return `several jobs have an id that begins like this: ${ids.slice(0, namedMax).join(", ")}${more}; write more characters of it`;
}
