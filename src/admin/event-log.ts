// Turns the engine's events into log lines: one for each thing worth knowing, at the level a person on duty would
// give it. A lasting fault is one line when it begins, a few while it lasts, and one when it ends.

import type { WorkerEvent } from "../engine/events.js";
import { droppedLevel } from "./drops.js";
import { type EventLogger, jobFields, pollerFields, remedyFor } from "./log-fields.js";
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
      case "call-retried":
      case "result-refused":
      case "ledger-failed":
      case "bug":
        return faultLine(log, event, refusals);
      case "offer-repeated":
      case "job-changed":
      case "job-dropped":
      case "job-started":
      case "artifact-moved":
      case "callback-awaited":
      case "job-settled":
      case "job-reported":
      case "job-unfinished":
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
    return log.at(level, "poll-recovered", { ...poller, failures: event.failures }, "polling recovered");
  }
  if (event.type === "poll-failed") {
    // The same level each time: an alert on it must not fall silent while the fault lasts.
    const shown = isPermanent(event.fault.kind) ? "error" : "warn";
    const isShown = (event.failures === 1 || isMilestone(event.failures)) && event.fault.kind !== "denied";
    return log.at(
      isShown ? shown : "debug",
      "poll-failed",
      { ...poller, code: event.fault.code, failures: event.failures, nextPollMs: Math.round(event.restMs) },
      `${event.fault.message}; ${remedyFor(event.fault.kind)}`,
    );
  }
  for (const message of event.unreadable) {
    log.warn("offer-unreadable", poller, `skipped a job that cannot be read: ${message}; it will be offered again`);
  }
  log.debug(
    "poll-finished",
    {
      ...poller,
      limit: event.limit,
      offered: event.offered,
      taken: event.taken,
      waiting: event.waiting,
      durationMs: Math.round(event.durationMs),
      nextPollMs: Math.round(event.restMs),
    },
    "polled",
  );
}

type FaultEvent = Extract<WorkerEvent, { type: "call-retried" | "result-refused" | "ledger-failed" | "bug" }>;

function faultLine(log: EventLogger, event: FaultEvent, refusals: Refusals): void {
  const job = event.key ? jobFields(event.key) : {};
  switch (event.type) {
    case "call-retried": {
      const { fault, attempt, delayMs } = event;
      const isShown = isMilestone(attempt) && !refusals.explains(event);
      return log.at(
        isShown ? "warn" : "debug",
        "call-retried",
        { ...job, code: fault.code, attempt, delayMs: Math.round(delayMs) },
        `${fault.message}; retrying in ${inWords(delayMs)} (attempt ${attempt + 1})`,
      );
    }
    case "result-refused":
      return log.error(
        "result-rejected",
        { ...job, code: event.fault.code },
        `${event.fault.message}; reporting a generic failure instead`,
      );
    case "ledger-failed":
      return log.error("ledger-failed", job, `ledger failed: ${event.message}`);
    case "bug":
      return log.error(
        "internal-error",
        { ...job, stack: event.stack },
        `internal error: ${event.message}; please report it`,
      );
  }
}

type JobEvent = Extract<
  WorkerEvent,
  {
    type:
      | "offer-repeated"
      | "job-changed"
      | "job-dropped"
      | "job-started"
      | "artifact-moved"
      | "callback-awaited"
      | "job-settled"
      | "job-reported"
      | "job-unfinished"
      | "handler-abandoned"
      | "job-recovered"
      | "order-taken";
  }
>;

function jobLine(log: EventLogger, event: JobEvent): void {
  const job = jobFields(event.key);
  switch (event.type) {
    case "offer-repeated":
      return log.debug("offer-repeated", job, "skipped a repeated offer");
    case "job-changed":
      return log.debug("job-changed", { ...job, from: event.from, to: event.to, by: event.by }, "job changed");
    case "job-dropped":
      return log.at(
        droppedLevel(event.reason, event.from),
        "job-dropped",
        { ...job, reason: event.reason, state: event.from },
        `job dropped: ${event.message}`,
      );
    case "job-started":
      return startedLine(log, event);
    case "artifact-moved": {
      const { way, name: artifact, bytes } = event;
      const what = way === "in" ? "input artifact fetched" : "output artifact uploaded";
      return log.debug("artifact-moved", { ...job, way, artifact, bytes }, what);
    }
    case "callback-awaited": {
      const until = new Date(event.untilMs).toISOString();
      return log.info("callback-awaited", { ...job, until }, "service accepted the job; waiting for its callback");
    }
    case "job-settled": {
      const { outcome, cause, durationMs } = event;
      const fields = { ...job, outcome: outcome.kind, cause, durationMs: Math.round(durationMs) };
      return log.debug("job-settled", fields, "outcome fixed; reporting it");
    }
    case "job-reported":
      return reportedLine(log, event);
    case "job-unfinished":
      return log.error("job-unfinished", { ...job, state: event.state }, `job unfinished: ${event.message}`);
    case "handler-abandoned":
      return log.error(
        "handler-abandoned",
        { ...job, handler: event.handler },
        "the handler did not stop in time; its job ended without it, and its thread ends after its other jobs; with isolation: none it may still use memory and CPU",
      );
    case "job-recovered": {
      const { state, ageMs } = event;
      return log.info("job-recovered", { ...job, state, ageMs }, "recovered job from a previous process");
    }
    case "order-taken": {
      const [name, text] =
        event.order === "fail"
          ? (["job-failed-by-operator", "an operator failed the job"] as const)
          : (["job-released-by-operator", "an operator released the job"] as const);
      return log.warn(name, { ...job, state: event.state }, text);
    }
  }
}

function startedLine(log: EventLogger, event: Extract<WorkerEvent, { type: "job-started" }>): void {
  log.info(
    "job-started",
    {
      ...jobFields(event.key),
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
}

function reportedLine(log: EventLogger, event: Extract<WorkerEvent, { type: "job-reported" }>): void {
  const { outcome, durationMs } = event;
  const fields = {
    ...jobFields(event.key),
    handler: event.handler,
    pipeline: event.pipelineName,
    action: event.actionName,
    durationMs: durationMs === undefined ? undefined : Math.round(durationMs),
    outcome: outcome.kind,
    owedMs: Math.round(event.owedMs),
    ...(event.attempts > 1 ? { attempts: event.attempts } : {}),
    ...(event.isPresumed ? { presumed: true } : {}),
    ...(outcome.externalExecutionId ? { externalExecutionId: outcome.externalExecutionId } : {}),
  };
  switch (outcome.kind) {
    case "succeeded":
      return log.info("job-succeeded", { ...fields, summary: outcome.summary }, "job succeeded");
    case "continued": {
      const { percentComplete, summary } = outcome;
      return log.info("job-continued", { ...fields, percentComplete, summary }, "job continued");
    }
    case "failed": {
      const { type, message } = outcome;
      return log.warn("job-failed", { ...fields, failureType: type, failure: message }, "job failed");
    }
  }
}

function isPermanent(kind: string): boolean {
  return kind === "denied" || kind === "misconfigured" || kind === "rejected";
}

/** 3, 10, 30, 100, …: a fault that lasts is logged again, ever more rarely. */
function isMilestone(count: number): boolean {
  const power = 10 ** Math.floor(Math.log10(count));
  return count > 2 && (count === power || count === 3 * power);
}

/** Such as: 40 ms, 2 s. */
function inWords(ms: number): string {
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${Math.round(ms / 100) / 10} s`;
}
