// What must hold after a run of a fleet, from the emulator's histories, the journal and the table's rows.
import type { Emulator } from "../../../src/emulator/emulator.js";
import type { JobView } from "../../../src/emulator/job.js";
import type { JournalLine } from "../journal.js";
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

export function breachesOf(evidence: FleetEvidence): readonly string[] {
  const { emulator, lines } = evidence;
  const contradictions = emulator.violations().filter(({ kind }) => kind === "contradictory-result");
  return [
    ...emulator.jobs().flatMap((job) => breachesOfJob(job, evidence)),
    ...contradictions.map(({ jobId, message }) => `job ${jobId} had contradictory results: ${message}`),
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
  if (status === "InProgress") breaches.push(`${what} was acknowledged and has no result; its row: ${row ?? "none"}`);
  else if (accepted !== 1) {
    const quietMs = lines.find((line) => line.what === "quiet")?.atMs ?? 0;
    const offers = lines.filter(
      (line) => line.atMs > quietMs && (line["offered"] as readonly string[] | undefined)?.includes(id),
    ).length;
    const never =
      offers > offersInQuietMax ? `was offered ${offers} times in the quiet and acknowledged by nobody` : "";
    breaches.push(`${what} is ${status} with ${accepted} accepted results ${never}; its row: ${row ?? "none"}`);
  } else if (row) breaches.push(`${what} is over, and its row is still owed: ${row}`);
  const starts = runsIn(lines).filter(({ jobId }) => jobId === id).length;
  const mayRerun = job.actionType.provider.endsWith("rerun");
  if (!mayRerun && starts > 1) breaches.push(`${what} was started ${starts} times, and must not be run again`);
  return breaches;
}

/** No job may take as long as its limit: a clock was moved, and a limit went by it. */
function timeouts(lines: readonly JournalLine[]): readonly string[] {
  return lines
    .filter(({ what, cause }) => what === "engine job-settled" && cause === "timed-out")
    .map(({ jobId, who }) => `job ${jobId} was timed out at ${who} by a clock that was moved`);
}

function overlapText({ first, second, fromMs, toMs }: Overlap): string {
  return (
    `job ${first.jobId} was at work twice for ${Math.round(toMs - fromMs)} ms or more: ` +
    `at ${first.daemon} since ${Math.round(fromMs - first.fromMs)} ms before it began at ${second.daemon}`
  );
}
