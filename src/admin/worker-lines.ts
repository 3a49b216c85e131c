// The log lines about the worker as a whole: breakers, pollers that come and go, reloads, pauses and the drain.
import type { WorkerEvent } from "../engine/events.js";
import { placeText } from "../job/job.js";
import { heldText } from "./held-text.js";
import { type EventLogger, placeFields, pollerFields, remedyFor } from "./log-fields.js";

type WorkerLineEvent = Extract<
  WorkerEvent,
  {
    type:
      | "worker-started"
      | "breaker-opened"
      | "breaker-closed"
      | "calls-limited"
      | "calls-unlimited"
      | "handler-thread-ended"
      | "room-short"
      | "room-regained"
      | "handler-broken"
      | "handler-recovered"
      | "machine-short"
      | "machine-regained"
      | "pollers-changed"
      | "reload-started"
      | "reload-finished"
      | "reload-refused"
      | "paused"
      | "resumed"
      | "drain-started"
      | "drain-hurried"
      | "drain-finished";
  }
>;

/** Writes the line of one event. */
export function workerLine(log: EventLogger, event: WorkerLineEvent): void {
  switch (event.type) {
    case "worker-started":
      return log.info("worker-started", { pollers: event.pollers, slots: event.slots }, "worker started");
    case "breaker-opened":
      return log.error(
        "access-denied",
        { ...pollerFields(event.poller), code: event.fault.code },
        `CodePipeline denied access in ${placeText(event.poller)}: ${event.fault.message}; ${remedyFor("denied")}`,
      );
    case "breaker-closed": {
      const fields = { ...placeFields(event), deniedMs: Math.round(event.openMs) };
      return log.info("access-restored", fields, `CodePipeline grants access in ${placeText(event)} again`);
    }
    case "calls-limited": {
      const { scope, perSecond } = event;
      const fields = { scope, callsPerSecond: Math.round(perSecond) };
      const text = `CodePipeline throttles calls in ${scope}: making them in turn, results first; no action needed unless it lasts`;
      return log.warn("calls-throttled", fields, text);
    }
    case "calls-unlimited": {
      const fields = { scope: event.scope, limitedMs: Math.round(event.limitedMs) };
      return log.info("calls-unthrottled", fields, `CodePipeline no longer throttles calls in ${event.scope}`);
    }
    case "pollers-changed":
      for (const poller of event.removed)
        log.info("poller-removed", pollerFields(poller), "stopped polling: no longer configured");
      for (const poller of event.added) log.info("poller-added", pollerFields(poller), "started polling");
      return;
    case "reload-started":
      return log.debug("reload-started", {}, "reloading the configuration");
    case "reload-finished":
      return reloadedLine(log, event);
    case "reload-refused":
      return log.error("reload-rejected", {}, `reload rejected; keeping the current configuration: ${event.message}`);
    case "handler-thread-ended":
      return threadEndedLine(log, event);
    case "room-short":
    case "room-regained":
    case "handler-broken":
    case "handler-recovered":
    case "machine-short":
    case "machine-regained":
      return troubleLine(log, event);
    case "paused":
      return log.info("paused", {}, "paused: not accepting jobs until resume");
    case "resumed":
      return log.info("resumed", {}, "resumed");
    case "drain-started":
    case "drain-hurried":
    case "drain-finished":
      return drainLine(log, event);
  }
}

type DrainEvent = Extract<WorkerLineEvent, { type: "drain-started" | "drain-hurried" | "drain-finished" }>;

function drainLine(log: EventLogger, event: DrainEvent): void {
  switch (event.type) {
    case "drain-started": {
      const { inFlight, timeoutMs } = event;
      return log.info("drain-started", { inFlight, timeoutMs }, "draining: not accepting jobs, finishing running ones");
    }
    case "drain-hurried":
      return log.warn(
        "handlers-stopping",
        { inFlight: event.inFlight },
        `stopping the handlers that still run: ${event.reason}`,
      );
    case "drain-finished": {
      const { owed, results, isRead, durationMs } = event;
      const level = owed > 0 || !isRead ? "error" : "info";
      const fields = { owed, results, durationMs: Math.round(durationMs) };
      return log.at(level, "stopped", fields, `stopped; ${heldText(event)}`);
    }
  }
}

type TroubleEvent = Extract<
  WorkerLineEvent,
  {
    type:
      | "room-short"
      | "room-regained"
      | "handler-broken"
      | "handler-recovered"
      | "machine-short"
      | "machine-regained";
  }
>;

/** What keeps jobs from being accepted, and its end. */
function troubleLine(log: EventLogger, event: TroubleEvent): void {
  switch (event.type) {
    case "room-short": {
      const { reason } = event;
      return log.error("disk-space-low", { reason }, `low disk space: not accepting jobs: ${reason}`);
    }
    case "room-regained":
      return log.info("disk-space-restored", {}, "enough disk space again: accepting jobs");
    case "handler-broken": {
      const { handler, code, message } = event;
      const text = `handler ${handler} is broken: not accepting its jobs: ${message}; checking again within a minute`;
      return log.error("handler-broken", { handler, code }, text);
    }
    case "handler-recovered": {
      const { handler } = event;
      const fields = { handler, brokenMs: Math.round(event.openMs) };
      return log.info("handler-restored", fields, `handler ${handler} works again: accepting its jobs`);
    }
    case "machine-short": {
      const { code, reason } = event;
      return log.error("machine-short", { code, reason }, `out of resources: not accepting jobs: ${reason}`);
    }
    case "machine-regained":
      return log.info(
        "machine-restored",
        { shortMs: Math.round(event.shortMs) },
        "enough resources again: accepting jobs",
      );
  }
}

function threadEndedLine(log: EventLogger, event: Extract<WorkerEvent, { type: "handler-thread-ended" }>): void {
  const { handler, what, jobs, restMs } = event;
  const fate = jobs === 0 ? "no job ran in it" : `its ${jobs} running jobs fail as SystemUnavailable`;
  const rest = restMs === 0 ? "" : ` after ${restMs / 1_000} s`;
  const message = `the thread of handler ${handler} ended: it ${what}; ${fate}; the next job starts a new thread${rest}`;
  log.error("handler-thread-ended", { handler, jobs, restMs }, message);
}

function reloadedLine(log: EventLogger, event: Extract<WorkerEvent, { type: "reload-finished" }>): void {
  const { applied, needsRestart } = event;
  if (applied.length + needsRestart.length === 0)
    return log.info("reload-finished", { applied, needsRestart }, "configuration reloaded: nothing changed");
  const now = applied.length > 0 ? [`applied: ${applied.join(", ")}; running jobs keep their old settings`] : [];
  const later = needsRestart.length > 0 ? [`needs a restart: ${needsRestart.join(", ")}`] : [];
  const level = needsRestart.length > 0 ? "warn" : "info";
  const message = `configuration reloaded; ${[...now, ...later].join("; ")}`;
  log.at(level, "reload-finished", { applied, needsRestart }, message);
}
