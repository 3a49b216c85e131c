// One sample of each event of the engine, and the log lines that events make, for the tests of the event log.
import { expect } from "vitest";
import { eventLog } from "../../../src/admin/event-log.js";
import type { GatewayFaultKind } from "../../../src/codepipeline/gateway.js";
import type { Fault, PollerName, UntimedEvent } from "../../../src/engine/events.js";
import type { ActionType, ClientId, JobId, JobKey, Region } from "../../../src/job/job.js";
import type { JobState, LostReason } from "../../../src/job/lifecycle.js";
import { type Outcome, succeeded } from "../../../src/job/outcome.js";
import type { LogEvent } from "../../../src/std/log-events.js";

export const atMs = Date.UTC(2026, 0, 1);
const actionType: ActionType = { category: "Test", owner: "ThirdParty", provider: "Acme-Scan", version: "1" };
export const poller: PollerName = { region: "us-east-1" as Region, actionType };
export const key: JobKey = { ...poller, jobId: "job-1" as JobId, clientId: "client-1" as ClientId };
export const pollerFields = { actionType: "ThirdParty/Test/Acme-Scan/1", region: "us-east-1" };
export const jobFields = { ...pollerFields, jobId: "job-1", clientId: "client-1" };

interface Line {
  readonly level: string;
  readonly event: LogEvent;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly message: string;
}

/** The lines that these events make. */
export function linesOf(...events: readonly UntimedEvent[]): readonly Line[] {
  const lines: Line[] = [];
  const at = (level: string, event: LogEvent, fields: Line["fields"], message: string) => {
    lines.push({ level, event, fields, message });
  };
  const read = eventLog({
    debug: (event, fields, message) => at("debug", event, fields, message),
    info: (event, fields, message) => at("info", event, fields, message),
    warn: (event, fields, message) => at("warn", event, fields, message),
    error: (event, fields, message) => at("error", event, fields, message),
    at,
  });
  for (const event of events) read({ ...event, atMs });
  return lines;
}

/** The only line that this event makes. */
export function lineOf(event: UntimedEvent): Line {
  const lines = linesOf(event);
  expect(lines).toHaveLength(1);
  return lines[0] as Line;
}

function fault(kind: GatewayFaultKind = "unavailable"): Fault {
  return { kind, operation: "PollForThirdPartyJobs", code: "ECONNRESET", message: "PollForThirdPartyJobs failed" };
}

export function polled(unreadable: readonly string[] = []): UntimedEvent {
  return { type: "poll-finished", poller, limit: 5, offered: 3, taken: 2, unreadable, durationMs: 9.4, restMs: 999.6 };
}

export function pollFailed(failures: number, kind: GatewayFaultKind = "unavailable"): UntimedEvent {
  return { type: "poll-failed", poller, fault: fault(kind), failures, durationMs: 9, restMs: 1_500.4 };
}

export function retried(attempt: number): UntimedEvent {
  return { type: "call-retried", key, fault: fault(), attempt, delayMs: 12.5 };
}

export function reported(outcome: Outcome, rest: { attempts?: number; isPresumed?: boolean } = {}): UntimedEvent {
  const work = { handler: "scan", pipelineName: "Shop", actionName: "Scan", durationMs: 7.2 };
  return { type: "job-reported", key, outcome, attempts: 1, owedMs: 3.4, ...work, isPresumed: false, ...rest };
}

export function dropped(reason: LostReason, from: JobState): UntimedEvent {
  return { type: "job-dropped", key, from, reason, message: "why" };
}

export const started: UntimedEvent = {
  type: "job-started",
  key,
  handler: "scan",
  pickupMs: 4.6,
  deadlineMs: atMs + 60_000,
  isContinuation: false,
  pipelineName: "Shop",
  actionName: "Scan",
  actionExecutionId: "exec-1",
};

/** One of each type of event. A new type without an entry does not compile. */
export const oneOfEach: Readonly<Record<UntimedEvent["type"], UntimedEvent>> = {
  "worker-started": { type: "worker-started", pollers: 2, slots: 5 },
  "poll-finished": polled(),
  "poll-failed": pollFailed(1),
  "poll-recovered": { type: "poll-recovered", poller, failures: 4 },
  "breaker-opened": { type: "breaker-opened", poller, fault: fault("denied") },
  "breaker-closed": { type: "breaker-closed", region: poller.region, openMs: 1_234.5 },
  "offer-repeated": { type: "offer-repeated", key },
  "job-changed": { type: "job-changed", key, from: "polled", to: "detailed", by: "details-received" },
  "job-started": started,
  "artifact-moved": { type: "artifact-moved", key, way: "in", name: "Source", bytes: 1_024 },
  "callback-awaited": { type: "callback-awaited", key, untilMs: atMs + 1_000 },
  "job-settled": { type: "job-settled", key, outcome: succeeded(), cause: "returned", durationMs: 7.2 },
  "job-reported": reported(succeeded()),
  "job-dropped": dropped("not-ours", "acknowledging"),
  "call-retried": retried(1),
  "result-refused": { type: "result-refused", key, fault: fault("rejected") },
  "job-unfinished": { type: "job-unfinished", key, state: "settled", isOurs: true, message: "stopped" },
  "handler-abandoned": { type: "handler-abandoned", key, handler: "scan" },
  "handler-thread-ended": {
    type: "handler-thread-ended",
    handler: "scan",
    what: "called process.exit(1)",
    jobs: 2,
    restMs: 1_000,
  },
  "job-recovered": { type: "job-recovered", key, state: "running", ageMs: 4_000 },
  "order-taken": { type: "order-taken", key, order: "fail", state: "running" },
  "ledger-failed": { type: "ledger-failed", key: undefined, message: "disk full" },
  bug: { type: "bug", key: undefined, message: "broken promise", stack: "at x" },
  "pollers-changed": { type: "pollers-changed", added: [poller], removed: [], slots: 5 },
  "reload-started": { type: "reload-started" },
  "reload-finished": { type: "reload-finished", applied: ["worker"], needsRestart: ["ledger"] },
  "reload-refused": { type: "reload-refused", message: "why" },
  "room-short": { type: "room-short", reason: "/var/tmp has 1 MiB left" },
  "room-regained": { type: "room-regained" },
  "handler-broken": { type: "handler-broken", handler: "scan", code: "ENOENT", message: "its program does not exist" },
  "handler-recovered": { type: "handler-recovered", handler: "scan", openMs: 65_000 },
  "machine-short": { type: "machine-short", code: "EMFILE", reason: "the machine is out of open files (EMFILE)" },
  "machine-regained": { type: "machine-regained", shortMs: 6_000 },
  "calls-limited": { type: "calls-limited", scope: "us-east-1", perSecond: 4.7 },
  "calls-unlimited": { type: "calls-unlimited", scope: "us-east-1", limitedMs: 61_000.4 },
  paused: { type: "paused" },
  resumed: { type: "resumed" },
  "drain-started": { type: "drain-started", inFlight: 2, timeoutMs: 25_000 },
  "drain-hurried": { type: "drain-hurried", inFlight: 1, reason: "second signal" },
  "drain-finished": { type: "drain-finished", owed: 0, results: 0, isDurable: true, isRead: true, durationMs: 10.6 },
};
