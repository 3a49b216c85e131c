// What is counted of each event and call, that it starts at zero, and that no label grows without bound or names a job.
import { afterEach, describe, expect, it } from "vitest";
import { Metrics } from "../../../src/admin/metrics.js";
import { StatusBoard } from "../../../src/admin/status.js";
import type { AdminStatus } from "../../../src/admin/view.js";
import type { PollerName, UntimedEvent } from "../../../src/engine/events.js";
import type { ActionType, ClientId, JobId, JobKey, Region } from "../../../src/job/job.js";
import { continued, failed, succeeded } from "../../../src/job/outcome.js";
import { FakeClock } from "../../support/fake-clock.js";
import { type ReadSample, readOpenMetrics } from "../../support/openmetrics.js";

const work = { handler: "h", pipelineName: "p", actionName: "a", durationMs: 5 };

const startMs = Date.UTC(2026, 0, 1);
const actionType: ActionType = { category: "Test", owner: "ThirdParty", provider: "Acme-Scan", version: "1" };
const scan = "ThirdParty/Test/Acme-Scan/1";
const region = "us-east-1" as Region;
const poller: PollerName = { region, actionType };
const key: JobKey = { region, actionType, jobId: "job-4711" as JobId, clientId: "client-4711" as ClientId };
const fault = {
  kind: "throttled",
  operation: "PollForThirdPartyJobs",
  code: "ThrottlingException",
  message: "m",
} as const;

const open: Metrics[] = [];
afterEach(() => {
  for (const metrics of open.splice(0)) metrics.close();
});

function given() {
  const board = new StatusBoard({ startedAtMs: startMs, pollers: [poller] });
  const look = () => {
    const slots = {
      busy: 3,
      max: 10,
      working: 2,
      owed: 1,
      groups: [{ group: scan, busy: 3, max: 5, working: 2, owed: 1, waiting: 0, pollers: [`us-east-1 ${scan}`] }],
    };
    const status: AdminStatus = { ...board.snapshot(startMs + 60_000), slots, inFlight: 0, unattended: 2, denials: [] };
    return { status, ledger: { writable: true } };
  };
  const options = { clock: new FakeClock(startMs), version: "1.2.3", store: "sqlite", pollers: [poller], look };
  const metrics = new Metrics(options);
  open.push(metrics);
  const see = (event: UntimedEvent, afterMs = 0) => {
    const timed = { ...event, atMs: startMs + afterMs };
    board.observe(timed);
    metrics.observe(timed);
  };
  const text = async () => (await metrics.exposition("application/openmetrics-text")).text;
  const read = async () => [...readOpenMetrics(await text()).values()].flatMap(({ samples }) => samples);
  const value = async (name: string, labels: Record<string, string> = {}) => valueIn(await read(), name, labels);
  return { metrics, see, text, read, value };
}

function valueIn(samples: readonly ReadSample[], name: string, labels: Record<string, string>): number | undefined {
  const found = samples.filter(
    (sample) => sample.name === name && Object.entries(labels).every(([label, text]) => sample.labels[label] === text),
  );
  expect(found.length).toBeLessThan(2);
  return found[0]?.value;
}

const polled = (taken: number, offered = taken, unreadable: readonly string[] = []): UntimedEvent => ({
  type: "poll-finished",
  poller,
  limit: 5,
  offered,
  taken,
  unreadable,
  durationMs: 9,
  restMs: 1_000,
});

describe("the metrics", () => {
  it("are OpenMetrics from the first scrape on, with what rates need at zero", async () => {
    const { read, value } = given();
    expect((await read()).length).toBeGreaterThan(50);
    expect(await value("partnerd_polls_total", { action_type: scan, region, end: "throttled" })).toBe(0);
    expect(await value("partnerd_results_total", { kind: "failed" })).toBe(0);
    expect(await value("partnerd_config_reloads_total", { end: "refused" })).toBe(0);
    expect(await value("partnerd_build_info", { version: "1.2.3", node: process.versions.node })).toBe(1);
  });

  it("count polls by how they ended", async () => {
    const { see, value } = given();
    see(polled(0));
    see(polled(2, 4, ["no id"]));
    see({ type: "offer-repeated", key });
    see({ type: "poll-failed", poller, fault, failures: 1, durationMs: 9, restMs: 5_000 }, 1_000);
    const labels = { action_type: scan, region };
    expect(await value("partnerd_polls_total", { ...labels, end: "empty" })).toBe(1);
    expect(await value("partnerd_polls_total", { ...labels, end: "jobs" })).toBe(1);
    expect(await value("partnerd_polls_total", { ...labels, end: "throttled" })).toBe(1);
    expect(await value("partnerd_offers_total", { ...labels, end: "taken" })).toBe(2);
    expect(await value("partnerd_offers_total", { ...labels, end: "unreadable" })).toBe(1);
    expect(await value("partnerd_offers_total", { ...labels, end: "repeated" })).toBe(1);
    expect(await value("partnerd_poller_failures", labels)).toBe(1);
    expect(await value("partnerd_poller_last_answer_timestamp_seconds", labels)).toBe(startMs / 1_000);
  });

  it("follow a job from its pickup to its result, and show what is owed with its age", async () => {
    const { see, value } = given();
    const begun = { pipelineName: "p", actionName: "a", actionExecutionId: "e" };
    see({ type: "job-changed", key, from: "acknowledging", to: "running", by: "acknowledge-accepted" });
    see({ type: "job-started", key, handler: "h", pickupMs: 20, deadlineMs: 0, isContinuation: false, ...begun });
    expect(await value("partnerd_jobs_in_flight", { action_type: scan, state: "running" })).toBe(1);
    see({ type: "job-changed", key, from: "running", to: "settled", by: "outcome-settled" }, 18_000);
    see({ type: "job-settled", key, outcome: succeeded(), cause: "returned", durationMs: 18_000 }, 18_000);
    expect(await value("partnerd_results_owed")).toBe(1);
    expect(await value("partnerd_results_owed_oldest_age_seconds")).toBe(42);
    see({ type: "job-changed", key, from: "settled", to: "reported", by: "report-accepted" }, 19_000);
    see(
      { type: "job-reported", key, outcome: succeeded(), attempts: 1, owedMs: 1_000, ...work, isPresumed: false },
      19_000,
    );
    expect(await value("partnerd_results_owed")).toBe(0);
    expect(await value("partnerd_results_owed_oldest_age_seconds")).toBe(0);
    expect(await value("partnerd_jobs_started_total", { action_type: scan, region, continuation: "false" })).toBe(1);
    expect(await value("partnerd_job_pickup_seconds_bucket", { action_type: scan, le: "0.025" })).toBe(1);
    expect(await value("partnerd_job_duration_seconds_sum", { action_type: scan, kind: "succeeded" })).toBe(18);
    expect(await value("partnerd_job_duration_seconds_bucket", { kind: "succeeded", le: "10.0" })).toBe(0);
    expect(await value("partnerd_result_owed_seconds_sum")).toBe(1);
    expect(await value("partnerd_results_total", { kind: "succeeded", failure_type: "none" })).toBe(1);
  });

  it("tell failures by their type, and other ends by their reason", async () => {
    const { see, value } = given();
    const wrong = failed("no", { type: "ConfigurationError" });
    const reported = { attempts: 1, owedMs: 1, ...work, isPresumed: false };
    see({ type: "job-reported", key, outcome: wrong, ...reported });
    see({ type: "job-reported", key, outcome: continued("token"), ...reported });
    see({ type: "job-dropped", key, from: "polled", reason: "token-rejected", message: "m" });
    see({ type: "job-unfinished", key, state: "settled", isOurs: true, message: "m" });
    see({ type: "job-recovered", key, state: "running", ageMs: 5 });
    see({ type: "call-retried", key, fault, attempt: 1, delayMs: 5 });
    see({ type: "handler-abandoned", key, handler: "h" });
    see({ type: "result-refused", key, fault });
    see({ type: "bug", key, message: "m", stack: "" });
    expect(await value("partnerd_results_total", { failure_type: "ConfigurationError" })).toBe(1);
    expect(await value("partnerd_results_total", { kind: "continued" })).toBe(1);
    expect(await value("partnerd_jobs_dropped_total", { reason: "token-rejected" })).toBe(1);
    expect(await value("partnerd_jobs_unfinished_total", { state: "settled" })).toBe(1);
    expect(await value("partnerd_jobs_recovered_total", { state: "running" })).toBe(1);
    expect(await value("partnerd_call_retries_total", { code: "ThrottlingException" })).toBe(1);
    for (const name of ["handlers_abandoned", "results_refused", "bugs"]) {
      expect(await value(`partnerd_${name}_total`)).toBe(1);
    }
  });

  it("count calls, look-ups, commits and reloads", async () => {
    const { metrics, value } = given();
    const operation = "AcknowledgeJob";
    metrics.onCall({ region, operation, end: "answered", code: "ok", durationMs: 30 });
    metrics.onCall({ region, operation, end: "throttled", code: "ThrottlingException", durationMs: 70 });
    metrics.onLookup({ end: "unknown-client", durationMs: 2 });
    metrics.onCommit({ isDurable: true, durationMs: 3 });
    metrics.observe({ type: "reload-refused", message: "why", atMs: 1 });
    metrics.observe({ type: "reload-finished", applied: ["worker"], needsRestart: [], atMs: 1 });
    metrics.observe({ type: "reload-finished", applied: ["worker"], needsRestart: ["ledger"], atMs: 1 });
    metrics.observe({ type: "reload-finished", applied: [], needsRestart: [], atMs: 1 });
    expect(await value("partnerd_api_calls_total", { region, operation, code: "ok" })).toBe(1);
    expect(await value("partnerd_throttles_total", { region, operation })).toBe(1);
    expect(await value("partnerd_api_call_duration_seconds_sum", { operation })).toBeCloseTo(0.1);
    expect(await value("partnerd_token_lookups_total", { end: "unknown-client" })).toBe(1);
    expect(await value("partnerd_ledger_commits_total", { store: "sqlite", end: "durable" })).toBe(1);
    expect(await value("partnerd_ledger_commit_duration_seconds_count", { store: "sqlite" })).toBe(1);
    for (const end of ["refused", "applied", "needs-restart", "unchanged"]) {
      expect(await value("partnerd_config_reloads_total", { end })).toBe(1);
    }
  });

  it("show slots of all and of each action type, and the state of each Region", async () => {
    const { see, value } = given();
    expect(await value("partnerd_slots_limit")).toBe(10);
    for (const jobId of ["a", "b", "c"] as JobId[]) {
      see({ type: "job-changed", key: { ...key, jobId }, from: "polled", to: "running", by: "details-received" });
    }
    // One of the three is owed without a slot.
    expect(await value("partnerd_slots_in_use")).toBe(2);
    expect(await value("partnerd_action_type_slots_in_use", { action_type: scan })).toBe(2);
    expect(await value("partnerd_slots_free")).toBe(8);
    expect(await value("partnerd_slots_parked")).toBe(1);
    expect(await value("partnerd_action_type_slots_limit", { action_type: scan })).toBe(5);
    expect(await value("partnerd_breaker_state", { region, state: "closed" })).toBe(1);
    expect(await value("partnerd_region_answers", { region })).toBe(1);
    see({ type: "poll-failed", poller, fault, failures: 5, durationMs: 9, restMs: 5_000 });
    see({ type: "breaker-opened", poller, fault: { ...fault, kind: "denied" } });
    expect(await value("partnerd_region_answers", { region })).toBe(0);
    expect(await value("partnerd_breaker_state", { region, state: "closed" })).toBe(0);
    expect(await value("partnerd_breaker_state", { region, state: "open" })).toBe(1);
  });

  it("count what was configured once, and is not any more, under one name", async () => {
    const { see, value } = given();
    for (let at = 0; at < 50; at++) {
      const gone = { ...key, jobId: `job-${at}` as JobId, actionType: { ...actionType, provider: `Gone-${at}` } };
      see({ type: "job-changed", key: gone, from: "settled", to: "settled", by: "report-accepted" });
      see({ type: "job-dropped", key: gone, from: "settled", reason: "over", message: "m" });
    }
    expect(await value("partnerd_jobs_in_flight", { action_type: "other" })).toBe(50);
    expect(await value("partnerd_jobs_dropped_total", { action_type: "other" })).toBe(50);
  });

  it("tell when no job can be taken for want of room", async () => {
    const { see, value } = given();
    expect(await value("partnerd_jobs_unattended")).toBe(2);
    expect(await value("partnerd_artifacts_room")).toBe(1);
    see({ type: "room-short", reason: "full" });
    expect(await value("partnerd_artifacts_room")).toBe(0);
  });

  it("know the action types that a reload brings, from zero on", async () => {
    const { see, value } = given();
    const added = [{ region, actionType: { ...actionType, provider: "New" } }];
    see({ type: "pollers-changed", added, removed: [], slots: 10 });
    const labels = { action_type: "ThirdParty/Test/New/1", region };
    expect(await value("partnerd_polls_total", { ...labels, end: "empty" })).toBe(0);
    see({ ...polled(0), ...{ poller: added[0] } } as UntimedEvent);
    expect(await value("partnerd_polls_total", { ...labels, end: "empty" })).toBe(1);
  });

  it("take no more names of errors than they have room for, and none that is no name", async () => {
    const { metrics, read, text } = given();
    const call = { region, operation: "AcknowledgeJob", end: "rejected", durationMs: 1 };
    metrics.onCall({ ...call, code: 'hostile"} 1\n# EOF\n' });
    for (let at = 0; at < 500; at++) metrics.onCall({ ...call, code: `Invented${at}Exception` });
    const codes = (await read()).filter(({ name }) => name === "partnerd_api_calls_total");
    expect(codes.length).toBe(61);
    expect(codes.find(({ labels }) => labels["code"] === "other")?.value).toBe(441);
    expect(await text()).not.toContain("hostile");
  });

  it("name no job and no client", async () => {
    const { see, text } = given();
    const begun = { pipelineName: "secret-pipeline", actionName: "a", actionExecutionId: "execution-1" };
    see({ type: "job-changed", key, from: "acknowledging", to: "running", by: "acknowledge-accepted" });
    see({ type: "job-started", key, handler: "h", pickupMs: 20, deadlineMs: 0, isContinuation: true, ...begun });
    see({ type: "job-settled", key, outcome: failed("secret words"), cause: "threw", durationMs: 1 });
    expect(await text()).not.toMatch(/4711|secret|execution-1/);
  });

  it("keep the formats of two scrapes at once apart, and their names whole", async () => {
    const { metrics } = given();
    const scrapes = await Promise.all(
      ["application/openmetrics-text", "text/plain", "application/openmetrics-text", "text/plain"].map((accept) =>
        metrics.exposition(accept),
      ),
    );
    for (const [at, { text }] of scrapes.entries()) {
      expect(text.includes("# TYPE partnerd_polls_total counter")).toBe(at % 2 === 1);
      expect(text.includes("# EOF")).toBe(at % 2 === 0);
      expect(text).toContain("\npartnerd_polls_total{");
    }
  });
});
