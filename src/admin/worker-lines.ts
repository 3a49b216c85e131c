// The log lines about the worker as a whole: breakers, pollers that come and go, reloads, pauses and the drain.
import type { WorkerEvent } from "../engine/events.js";
import { heldText } from "./held-text.js";
import { type EventLogger, mend, pollerFields } from "./log-fields.js";

type WorkerLineEvent = Extract<
  WorkerEvent,
  {
    type:
      | "worker-started"
      | "breaker-opened"
      | "breaker-closed"
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

/** What concerns the worker as a whole. */
export function workerLine(log: EventLogger, event: WorkerLineEvent): void {
  switch (event.type) {
    case "worker-started":
      return log.info({ pollers: event.pollers, slots: event.slots }, "worker started");
    case "breaker-opened":
      return log.error(
        { ...pollerFields(event.poller), code: event.fault.code },
        `CodePipeline denied access in ${event.poller.region}: ${event.fault.message}; ${mend("denied")}`,
      );
    case "breaker-closed":
      return log.info(
        { region: event.region, openMs: Math.round(event.openMs) },
        `CodePipeline accepts us in ${event.region} again`,
      );
    case "pollers-changed":
      for (const poller of event.removed) log.info(pollerFields(poller), "polling ends: it is not configured any more");
      for (const poller of event.added) log.info(pollerFields(poller), "polling begins");
      return;
    case "reload-started":
      return log.debug({}, "reading the configuration again");
    case "reload-finished":
      return reloadedLine(log, event);
    case "reload-refused":
      return log.error({}, `configuration read again and refused, the running one stays: ${event.message}`);
    case "handler-thread-ended":
      return threadEndedLine(log, event);
    case "room-short":
      return log.error({}, `no room for the artifacts of another job, so no new job is taken: ${event.reason}`);
    case "room-regained":
      return log.info({}, "there is room for artifacts again");
    case "handler-broken":
    case "handler-recovered":
    case "machine-short":
    case "machine-regained":
      return troubleLine(log, event);
    case "paused":
    case "resumed":
      return log.info({}, event.type === "paused" ? "paused: no job is taken until resume" : "resumed");
    case "drain-started":
      return log.info(
        { inFlight: event.inFlight, timeoutMs: event.timeoutMs },
        "draining: no new jobs, waiting for those that run",
      );
    case "drain-hurried":
      return log.warn({ inFlight: event.inFlight }, `stopping the handlers that still run: ${event.reason}`);
    case "drain-finished": {
      const { owed, results, isRead, durationMs } = event;
      return log[owed > 0 || !isRead ? "error" : "info"](
        { owed, results, durationMs: Math.round(durationMs) },
        `stopped: ${heldText(event)}`,
      );
    }
  }
}

type TroubleEvent = Extract<
  WorkerLineEvent,
  { type: "handler-broken" | "handler-recovered" | "machine-short" | "machine-regained" }
>;

/** What keeps jobs from being taken, and its end. */
function troubleLine(log: EventLogger, event: TroubleEvent): void {
  switch (event.type) {
    case "handler-broken": {
      const next = "it is tried again within a minute";
      const text = `the handler ${event.handler} does not work, so none of its jobs is taken: ${event.message}; ${next}`;
      return log.error({ handler: event.handler, code: event.code }, text);
    }
    case "handler-recovered": {
      const fields = { handler: event.handler, openMs: Math.round(event.openMs) };
      return log.info(fields, `the handler ${event.handler} works again`);
    }
    case "machine-short":
      return log.error({ code: event.code }, `the machine is short, so no new job is taken: ${event.reason}`);
    case "machine-regained":
      return log.info({ shortMs: Math.round(event.shortMs) }, "the machine has what jobs need again");
  }
}

function threadEndedLine(log: EventLogger, event: Extract<WorkerEvent, { type: "handler-thread-ended" }>): void {
  const { handler, what, jobs, restMs } = event;
  const fate = jobs === 0 ? "no job ran in it" : `its ${jobs} running jobs fail as SystemUnavailable`;
  const rest = restMs === 0 ? "" : `, after a rest of ${restMs / 1_000} s`;
  const message = `the thread of the handler ${handler} ended: it ${what}; ${fate}; the next job starts a new thread${rest}`;
  log.error({ handler, jobs, restMs }, message);
}

function reloadedLine(log: EventLogger, event: Extract<WorkerEvent, { type: "reload-finished" }>): void {
  const { applied, needsRestart } = event;
  if (applied.length + needsRestart.length === 0) return log.info({}, "configuration read again: nothing changed");
  const now = applied.length > 0 ? [`in force now: ${applied.join(", ")}; jobs that run end as they began`] : [];
  const later = needsRestart.length > 0 ? [`in force only after a restart: ${needsRestart.join(", ")}`] : [];
  const level = needsRestart.length > 0 ? "warn" : "info";
  log[level]({ applied, needsRestart }, `configuration read again, ${[...now, ...later].join("; ")}`);
}
