// Turns the engine's events into log lines: one for each thing worth knowing, at the level a person on duty would
// give it. A lasting fault is one line when it begins, a few while it lasts, and one when it ends.

import type { WorkerEvent } from "../engine/events.js";
import type { LostReason } from "../job/lifecycle.js";
import { type EventLogger, jobFields, mend, pollerFields } from "./log-fields.js";
import { Refusals } from "./refusals.js";
import { workerLine } from "./worker-lines.js";

/** A reader of events that writes log lines. */
export function eventLog(log: EventLogger): (event: WorkerEvent) => void {
  const refusals = new Refusals();
  return (event) => {
    refusals.observe(event);
    switch (event.type) {
      case "poll-finished":
      case "poll-failed":
      case "poll-recovered":
        return pollLine(log, event, refusals);
      case "offer-repeated":
        return log.debug(jobFields(event.key), "offer repeated, skipped");
      case "job-changed":
        return log.debug({ ...jobFields(event.key), from: event.from, to: event.to, by: event.by }, "job changed");
      case "job-dropped":
        return log[droppedLevel(event.reason, event.from)](
          { ...jobFields(event.key), reason: event.reason, state: event.from },
          `job dropped: ${event.message}`,
        );
      case "call-retried":
        return log[isMilestone(event.attempt) && !refusals.explains(event) ? "warn" : "debug"](
          {
            ...jobFields(event.key),
            code: event.fault.code,
            attempt: event.attempt,
            delayMs: Math.round(event.delayMs),
          },
          `${event.fault.message}; tried again`,
        );
      case "result-refused":
        return log.error(
          { ...jobFields(event.key), code: event.fault.code },
          `${event.fault.message}; a short failure is put in its place`,
        );
      case "ledger-failed":
        return log.error(event.key ? jobFields(event.key) : {}, `ledger failed: ${event.message}`);
      case "bug":
        return log.error(
          { ...(event.key ? jobFields(event.key) : {}), stack: event.stack },
          `a bug in partnerd: ${event.message}; please report it`,
        );
      case "job-started":
      case "callback-awaited":
      case "job-settled":
      case "job-reported":
      case "job-left":
      case "handler-abandoned":
      case "job-recovered":
      case "order-taken":
        return jobLine(log, event);
      default:
        return workerLine(log, event);
    }
  };
}

type PollEvent = Extract<WorkerEvent, { type: "poll-finished" | "poll-failed" | "poll-recovered" }>;

function pollLine(log: EventLogger, event: PollEvent, refusals: Refusals): void {
  const poller = pollerFields(event.poller);
  if (event.type === "poll-recovered") {
    const level = refusals.wasRefused(event.poller) ? "debug" : "info";
    return log[level]({ ...poller, failures: event.failures }, "polling works again");
  }
  if (event.type === "poll-failed") {
    // The same level each time: an alert on it must not fall silent while the fault goes on.
    const told = isPermanent(event.fault.kind) ? "error" : "warn";
    const isTold = (event.failures === 1 || isMilestone(event.failures)) && event.fault.kind !== "denied";
    const level = isTold ? told : "debug";
    return log[level](
      { ...poller, code: event.fault.code, failures: event.failures, nextPollMs: Math.round(event.restMs) },
      `${event.fault.message}; ${mend(event.fault.kind)}`,
    );
  }
  for (const message of event.unreadable) {
    log.warn(poller, `an offered job cannot be read: ${message}; it is skipped and will be offered again`);
  }
  log.debug(
    {
      ...poller,
      limit: event.limit,
      offered: event.offered,
      taken: event.taken,
      durationMs: Math.round(event.durationMs),
      nextPollMs: Math.round(event.restMs),
    },
    "polled",
  );
}

type JobEvent = Extract<
  WorkerEvent,
  {
    type:
      | "job-started"
      | "callback-awaited"
      | "job-settled"
      | "job-reported"
      | "job-left"
      | "handler-abandoned"
      | "job-recovered"
      | "order-taken";
  }
>;

function jobLine(log: EventLogger, event: JobEvent): void {
  const job = jobFields(event.key);
  switch (event.type) {
    case "job-started":
      return log.info(
        {
          ...job,
          handler: event.handler,
          pipeline: event.pipelineName,
          action: event.actionName,
          actionExecutionId: event.actionExecutionId,
          continuation: event.isContinuation || undefined,
          pickupMs: Math.round(event.pickupMs),
          deadline: new Date(event.deadlineMs).toISOString(),
        },
        "job started",
      );
    case "callback-awaited":
      return log.info(
        { ...job, until: new Date(event.untilMs).toISOString() },
        "the service works on; waiting for its callback",
      );
    case "job-settled":
      return log.debug(
        { ...job, outcome: event.outcome.kind, cause: event.cause, durationMs: Math.round(event.durationMs) },
        "outcome settled",
      );
    case "job-reported":
      return reportedLine(log, event);
    case "job-left":
      return log.error(
        { ...job, state: event.state },
        `job unfinished while CodePipeline waits for it: ${event.message}`,
      );
    case "handler-abandoned":
      return log.error(
        { ...job, handler: event.handler },
        "the handler did not stop when it was told to; its job ended without it, and its thread ends after its other jobs; with isolation: none it may still use memory and CPU",
      );
    case "job-recovered":
      return log.info({ ...job, state: event.state, ageMs: event.ageMs }, "job of an earlier process taken up again");
    case "order-taken":
      return log.warn(
        { ...job, state: event.state },
        event.order === "fail" ? "an operator fails the job" : "an operator lets go of the job",
      );
  }
}

function reportedLine(log: EventLogger, event: Extract<WorkerEvent, { type: "job-reported" }>): void {
  const { outcome } = event;
  const fields = {
    ...jobFields(event.key),
    outcome: outcome.kind,
    owedMs: Math.round(event.owedMs),
    ...(event.attempts > 1 ? { attempts: event.attempts } : {}),
    ...(event.isPresumed ? { presumed: true } : {}),
    ...(outcome.externalExecutionId ? { externalExecutionId: outcome.externalExecutionId } : {}),
  };
  switch (outcome.kind) {
    case "succeeded":
      return log.info({ ...fields, summary: outcome.summary }, "job succeeded");
    case "continued":
      return log.info(
        { ...fields, percentComplete: outcome.percentComplete, summary: outcome.summary },
        "job continued",
      );
    case "failed":
      return log.warn({ ...fields, failureType: outcome.type, failure: outcome.message }, "job failed");
  }
}

function droppedLevel(reason: LostReason, from: string): "debug" | "info" | "warn" | "error" {
  // Somebody wanted it so.
  if (reason === "released") return "warn";
  const isWorked = from === "running" || from === "settled";
  // Its outcome is not lost: the other replica reports it. Why this one was held up is worth a look.
  if (reason === "taken-over") return isWorked ? "warn" : "info";
  // After the work was done a lost job is a lost outcome.
  if (isWorked) return "error";
  switch (reason) {
    case "not-ours":
    case "draining":
    case "paused":
      return "info";
    case "gone":
    case "over":
    case "no-details":
    case "unreachable":
    case "token-rejected":
    case "ledger-unwritable":
    case "no-room":
      return "warn";
    // The handler and the machine have lines of their own.
    case "handler-broken":
    case "machine-short":
      return "debug";
    case "denied":
    case "refused":
      return "error";
  }
}

function isPermanent(kind: string): boolean {
  return kind === "denied" || kind === "misconfigured" || kind === "rejected";
}

/** 1, 3, 10, 30, 100, …: a fault that lasts is told again, ever more rarely. */
function isMilestone(count: number): boolean {
  const power = 10 ** Math.floor(Math.log10(count));
  return count > 2 && (count === power || count === 3 * power);
}
