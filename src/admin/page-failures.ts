// Equal failures as one: a broken target fails every job alike, and a list of three hundred such rows hides the one that is
// different. Pure.
import { placeName } from "../job/job.js";
import type { PastJob } from "./history.js";

/** Failures that read alike. */
export interface FailureGroup {
  readonly key: string;
  readonly latest: PastJob;
  readonly count: number;
  /** How many clients' jobs they are. */
  readonly clients: number;
}

/** Groups by what was said, with numbers and ids left out; the one with the latest failure first. */
export function equalFailures(troubles: readonly PastJob[], each: boolean): readonly FailureGroup[] {
  if (each) {
    return troubles.map((latest) => {
      return { key: `${placeName(latest)}/${latest.jobId} ${latest.atMs}`, latest, count: 1, clients: 1 };
    });
  }
  const groups = new Map<string, { latest: PastJob; count: number; clients: Set<string | undefined> }>();
  for (const job of troubles) {
    const key = JSON.stringify([placeName(job), job.actionType, job.end, job.reason, alike(job.text ?? "")]);
    const known = groups.get(key);
    if (known) {
      known.count += 1;
      known.clients.add(job.clientId);
    } else groups.set(key, { latest: job, count: 1, clients: new Set([job.clientId]) });
  }
  return [...groups].map(([key, group]) => ({ ...group, key, clients: group.clients.size }));
}

/** Ids, times and counts differ where the reason is the same. */
function alike(text: string): string {
  return text.replace(/[0-9a-f-]*\d[0-9a-f-]*/gi, "#");
}
