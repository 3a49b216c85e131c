// Which job an operator means by an id: the whole id or, as logs show it, a beginning that only one job has. One rule for
// the daemon and for the command line without one. Pure.
import type { JobKey } from "./job.js";

/** What was given. */
export interface GivenJob {
  /** A job's id, or the beginning of one. */
  readonly jobId: string;
  /** Needed when several Regions have a job of this id. */
  readonly region?: string;
}

/** The one that is meant, or why nobody can tell. */
export type Meant<Held> =
  | { readonly kind: "one"; readonly held: Held }
  | { readonly kind: "none" }
  | { readonly kind: "several"; readonly message: string };

/** How many ids a message names; more help nobody to choose. */
const namedMax = 5;

/** Picks among all jobs that there are. A whole id counts before any beginning, so that every job can be named. */
export function jobMeant<Held>(
  jobs: readonly Held[],
  keyOf: (held: Held) => JobKey,
  { jobId, region }: GivenJob,
): Meant<Held> {
  if (jobId === "") return { kind: "none" };
  const inRegion = jobs.filter((held) => region === undefined || keyOf(held).region === region);
  const whole = inRegion.filter((held) => keyOf(held).jobId === jobId);
  const meant = whole.length > 0 ? whole : inRegion.filter((held) => keyOf(held).jobId.startsWith(jobId));
  const [held] = meant;
  if (held === undefined) return { kind: "none" };
  if (meant.length === 1) return { kind: "one", held };
  return { kind: "several", message: whichOf(meant.map(keyOf)) };
}

function whichOf(keys: readonly JobKey[]): string {
  const ids = [...new Set(keys.map((key) => key.jobId))];
  if (ids.length === 1) {
    const regions = keys.map((key) => key.region).join(" or ");
    return `several Regions have a job with that id: name the Region, --region ${regions}`;
  }
  const more = ids.length > namedMax ? `, and ${ids.length - namedMax} more` : "";
  return `several jobs have an id that begins so: ${ids.slice(0, namedMax).join(", ")}${more}; write more of it`;
}
