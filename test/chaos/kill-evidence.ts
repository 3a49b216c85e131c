// What killed daemons left behind, and what of it must not be: the journal, the ledger, the emulator and the service
// that calls back are asked one against the other.

import type { JobView } from "../../src/emulator/emulated-job.js";
import type { Emulator } from "../../src/emulator/emulator.js";
import type { JobEvent } from "../../src/job/lifecycle.js";
import type { Outcome } from "../../src/job/outcome.js";
import { linesOf } from "./journal.js";
import type { Deliveries } from "./late-service.js";

/** What daemons wrote down while they lived. */
export interface Promises {
  /** How often the handler was started, by job. */
  readonly started: ReadonlyMap<string, number>;
  /** Jobs whose wait for a callback is in the ledger. */
  readonly promised: ReadonlySet<string>;
  /** Those of them whose handler was started once more after that. */
  readonly startedAfterPromise: ReadonlySet<string>;
  /** The outcomes that were in the ledger, by job. */
  readonly settled: ReadonlyMap<string, readonly string[]>;
  /** Jobs whose results were recorded as accepted. */
  readonly reported: ReadonlySet<string>;
}

export interface Evidence extends Promises {
  /** The states of the jobs that the ledger holds at the end; absent: nobody looked. */
  readonly held: ReadonlyMap<string, string>;
  /** What a service delivered for a job, and which of it was answered 200. */
  readonly deliveries: (jobId: string) => Deliveries;
}

/** Of all jobs, or of one. */
export function promisesIn(path: string, ofJob?: string): Promises {
  const started = new Map<string, number>();
  const promised = new Set<string>();
  const startedAfterPromise = new Set<string>();
  const settled = new Map<string, string[]>();
  const reported = new Set<string>();
  for (const { what, phase, jobId = "", answer, event } of linesOf(path, ofJob)) {
    if (what === "handler" && phase === "asked") {
      started.set(jobId, (started.get(jobId) ?? 0) + 1);
      if (promised.has(jobId)) startedAfterPromise.add(jobId);
    }
    if (what !== "record" || answer !== "ok") continue;
    const recorded = event as JobEvent;
    if (recorded.type === "callback-awaited") promised.add(jobId);
    if (recorded.type === "report-accepted") reported.add(jobId);
    if (recorded.type !== "outcome-settled") continue;
    settled.set(jobId, [...(settled.get(jobId) ?? []), textOf(recorded.outcome)]);
  }
  return { started, promised, startedAfterPromise, settled, reported };
}

/** What tells an outcome from any other: it is found again in the result that CodePipeline accepted. */
function textOf(outcome: Outcome): string {
  return outcome.kind === "failed" ? outcome.message : (outcome.summary ?? "");
}

export function breachesIn(emulator: Emulator, evidence: Evidence): string[] {
  const contradictions = emulator.violations().filter(({ kind }) => kind === "contradictory-result");
  return [
    ...contradictions.map(({ jobId, message }) => `job ${jobId}: contradictory result: ${message}`),
    ...emulator
      .jobs()
      .flatMap((job) =>
        [...breachesOf(job, evidence), ...callbackBreachesOf(job, evidence)].map(
          (breach) => `${breach}; ${storyOf(job, evidence)}`,
        ),
      ),
  ];
}

function breachesOf(job: JobView, { started, settled, held }: Evidence): string[] {
  const breaches: string[] = [];
  const accepted = job.results.filter(({ answer }) => answer === "accepted");
  if (accepted.length !== 1) breaches.push(`job ${job.id} has ${accepted.length} accepted results`);
  // However long the last daemon had: a job that is ours must be known to be ours.
  if (job.status === "InProgress" && !held.has(job.id)) breaches.push(`job ${job.id} is ours and in no ledger`);
  const starts = started.get(job.id) ?? 0;
  const mayRerun = job.actionType.provider?.includes("Rerun");
  if (!mayRerun && starts > 1) breaches.push(`job ${job.id} was started ${starts} times`);
  const outcomes = settled.get(job.id) ?? [];
  if (outcomes.length > 1) breaches.push(`job ${job.id} was settled ${outcomes.length} times`);
  const document = JSON.stringify(job.result?.document ?? {});
  for (const outcome of outcomes) {
    if (!document.includes(outcome)) breaches.push(`job ${job.id} was settled otherwise than it was reported`);
  }
  return breaches;
}

function callbackBreachesOf(job: JobView, { promised, startedAfterPromise, deliveries }: Evidence): string[] {
  const breaches: string[] = [];
  const { sent, taken } = deliveries(job.id);
  const document = JSON.stringify(job.result?.document ?? {});
  if (startedAfterPromise.has(job.id)) breaches.push(`job ${job.id} was started again after its promise was recorded`);
  if (taken.length > 1) breaches.push(`${taken.length} deliveries of job ${job.id} were answered 200`);
  for (const text of taken) {
    if (!document.includes(text)) breaches.push(`job ${job.id} has another result than the delivery answered 200`);
  }
  // Interrupted by a kill, say.
  if (promised.has(job.id) && !sent.some((text) => document.includes(text))) {
    breaches.push(`job ${job.id} was promised a callback and ended by something else: ${document}`);
  }
  return breaches;
}

function storyOf(job: JobView, { started, promised, settled, held, deliveries }: Evidence): string {
  const { id, status, actionType, counts, acknowledges, results } = job;
  const { sent, taken, answers } = deliveries(id);
  return JSON.stringify({
    status,
    actionType: `${actionType.owner}/${actionType.provider}`,
    counts,
    acknowledges: acknowledges.map(({ answer }) => answer),
    results: results.map(({ kind, answer }) => `${kind} ${answer}`),
    started: started.get(id) ?? 0,
    promised: promised.has(id),
    deliveries: `${taken.length} taken of ${sent.length}, answered ${answers.join(" ")}`,
    settled: settled.get(id)?.length ?? 0,
    inLedger: held.get(id) ?? "not",
  });
}
