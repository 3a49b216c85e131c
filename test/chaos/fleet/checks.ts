// What must hold after a run of a fleet, from the emulator's histories, the journal and the table's rows.

import type { JobView } from "../../../src/emulator/emulated-job.js";
import type { Emulator } from "../../../src/emulator/emulator.js";
import type { JournalLine } from "../journal.js";
import { isInDoubt, isUnheard, wentWithTable } from "./excuses.js";
import { type Overlap, overlapsIn, runsIn, stallsIn } from "./overlaps.js";
import { cancelGraceMs, type Plan } from "./plan.js";

export interface FleetEvidence {
  readonly plan: Plan;
  readonly emulator: Emulator;
  readonly lines: readonly JournalLine[];
  /** What the table holds for somebody once every daemon has drained, by job id. */
  readonly rows: ReadonlyMap<string, string>;
}

/** How long a daemon that stood still has, once it goes on, until its last handler has stopped: the grace, and time to notice. */
const stopMs = cancelGraceMs + 500;
/** An offer that nobody acknowledges is repeated every 2 s in the quiet: a living fleet takes it within a few. */
const offersInQuietMax = 5;

/** True for a breach that more time might have fixed; all others stand however busy the machine was. */
export function isOfTime(breach: string): boolean {
  return /^(lost|offered in vain|not over|row left):/.test(breach);
}

/** Each breach begins with its kind and a colon. */
export function breachesOf(evidence: FleetEvidence): readonly string[] {
  const { emulator, lines } = evidence;
  const contradictions = emulator.violations().filter(({ kind }) => kind === "contradictory-result");
  return [
    ...emulator.jobs().flatMap((job) => breachesOfJob(job, evidence)),
    ...contradictions.map(({ jobId, message }) => `contradiction: job ${jobId}: ${message}`),
    ...overlapsIn(runsIn(lines), stallsIn(lines), stopMs).map(overlapText),
    ...timeouts(lines),
  ];
}

function breachesOfJob(job: JobView, { lines, rows }: FleetEvidence): readonly string[] {
  const { id, status } = job;
  const what = `job ${id} (${job.actionType.provider}, ${job.pipeline.action})`;
  const breaches: string[] = [];
  const accepted = job.results.filter(({ answer }) => answer === "accepted").length;
  const row = rows.get(id);
  const isAcknowledged = status === "InProgress";
  const isExcused = isAcknowledged ? !row && wentWithTable(lines, id) : row && isUnheard(lines, id, row);
  if (isAcknowledged && !isExcused)
    breaches.push(`lost: ${what} was acknowledged and has no result; its row: ${row ?? "none"}`);
  else if (accepted !== 1 && !isExcused) {
    const quietMs = lines.find((line) => line.what === "quiet")?.atMs ?? 0;
    const offers = lines.filter(
      (line) => line.atMs > quietMs && (line["offered"] as readonly string[] | undefined)?.includes(id),
    ).length;
    const kind = offers > offersInQuietMax ? "offered in vain" : "not over";
    const counted = `${accepted} accepted results, ${offers} offers in the quiet`;
    breaches.push(`${kind}: ${what} is ${status} with ${counted}; its row: ${row ?? "none"}`);
  } else if (row && !isInDoubt(row)) breaches.push(`row left: ${what} is over, and its row is still owed: ${row}`);
  const starts = runsIn(lines).filter(({ jobId }) => jobId === id).length;
  const mayRerun = job.actionType.provider.endsWith("rerun");
  if (!mayRerun && starts > 1) breaches.push(`run again: ${what} was started ${starts} times`);
  return breaches;
}

/** No job may take as long as its limit: a clock was moved, and a limit went by it. */
function timeouts(lines: readonly JournalLine[]): readonly string[] {
  return lines
    .filter(({ what, cause }) => what === "engine job-settled" && cause === "timed-out")
    .map(({ jobId, who }) => `timed out: job ${jobId} at ${who}, by a clock that was moved`);
}

function overlapText({ first, second, fromMs, toMs }: Overlap): string {
  return (
    `at work twice: job ${first.jobId} for ${Math.round(toMs - fromMs)} ms or more: ` +
    `at ${first.daemon} since ${Math.round(fromMs - first.fromMs)} ms before it began at ${second.daemon}`
  );
}
