// What is remembered of a job that ends, for whoever asks later: names, times and texts that were masked. Neither tokens
// nor variables nor the action's configuration.
import type { EndedOutcome, JobEnd } from "../job/job-end.js";
import type { Outcome } from "../job/outcome.js";
import type { JobInFlight } from "./in-flight.js";

/** How it ended: with a result that CodePipeline has, or why without one. */
export type HowEnded = { readonly outcome: Outcome; readonly attempts: number } | { readonly message: string };

/** The end of a job as the ledger keeps it. */
export function jobEnd(flight: JobInFlight, how: HowEnded, mask: (text: string) => string): JobEnd {
  const { pipelineName, stageName, actionName, actionExecutionId } = flight.pipeline ?? {};
  const named = { pipelineName, stageName, actionName, actionExecutionId, cause: flight.endCause };
  const known = Object.entries(named).filter(([, value]) => value !== undefined);
  // What a handler calls its run may hold a secret, which is masked only once the job's details were fetched.
  const shown = flight.pipeline ? mask : undefined;
  return {
    handler: flight.config.handler,
    ...(Object.fromEntries(known) as Pick<JobEnd, "pipelineName">),
    ...(flight.isContinuation ? { isContinuation: true } : {}),
    ...(flight.durationMs === undefined ? {} : { durationMs: Math.round(flight.durationMs) }),
    ...("outcome" in how
      ? { attempts: how.attempts, outcome: endedOutcome(how.outcome, mask, shown) }
      : { message: mask(how.message) }),
  };
}

function endedOutcome(
  outcome: Outcome,
  mask: (text: string) => string,
  shown: ((text: string) => string) | undefined,
): EndedOutcome {
  const { kind, externalExecutionId: id } = outcome;
  const text = kind === "failed" ? outcome.message : outcome.summary;
  const percent = kind === "continued" ? outcome.percentComplete : undefined;
  return {
    kind,
    ...(kind === "failed" ? { type: outcome.type } : {}),
    ...(text === undefined ? {} : { text: mask(text) }),
    ...(percent === undefined ? {} : { percentComplete: percent }),
    ...(id === undefined || shown === undefined ? {} : { externalExecutionId: shown(id) }),
  };
}
