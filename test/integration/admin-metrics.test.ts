// Promise: what /metrics says is true of the calls that CodePipeline saw, it is OpenMetrics, and it names no customer.
import { join } from "node:path";
import { expect, it } from "vitest";
import { type ReadSample, readOpenMetrics } from "../support/openmetrics.js";
import { freePort, Gate, type Rig, type RigOptions, startRig, thirdParty } from "../support/rig.js";

async function withAdmin(options: RigOptions = {}): Promise<Rig> {
  const admin = { host: "127.0.0.1", port: await freePort() };
  return startRig({ actionTypes: [thirdParty], ...options, config: { admin, ...options.config } });
}

async function scrape({ daemon }: Rig) {
  const answer = await fetch(`${daemon.adminUrl}/metrics`, { headers: { accept: "application/openmetrics-text" } });
  expect(answer.status).toBe(200);
  expect(answer.headers.get("content-type")).toBe("application/openmetrics-text; version=1.0.0; charset=utf-8");
  const text = await answer.text();
  const samples = [...readOpenMetrics(text).values()].flatMap((family) => family.samples);
  return { text, sum: (name: string, labels: Record<string, string> = {}) => sumOf(samples, name, labels) };
}

function sumOf(samples: readonly ReadSample[], name: string, labels: Record<string, string>): number {
  const found = samples.filter(
    (sample) => sample.name === name && Object.entries(labels).every(([label, text]) => sample.labels[label] === text),
  );
  if (found.length === 0) return Number.NaN;
  return found.reduce((total, { value }) => total + value, 0);
}

it("counts what came of jobs, and every call as CodePipeline saw it", async () => {
  await using rig = await withAdmin({
    inFolder: (folder) => ({ ledger: { store: "sqlite", path: join(folder, "partnerd.db") } }),
    handle: (job) => (job.configuration["fail"] ? { kind: "failed", message: "no" } : { kind: "succeeded" }),
  });
  rig.emulator.fault({ kind: "throttle", operations: ["AcknowledgeThirdPartyJob"], times: 2 });
  rig.emulator.addJobs({ actionType: thirdParty, count: 3 });
  rig.emulator.addJobs({ actionType: thirdParty, count: 2, configuration: { fail: "yes" } });
  await rig.emulator.waitFor(() => rig.emulator.counts().Succeeded === 3 && rig.emulator.counts().Failed === 2);
  await rig.event("job-reported", () => rig.count("job-reported") === 5);
  const { sum, text } = await scrape(rig);

  expect(sum("partnerd_results_total", { kind: "succeeded" })).toBe(3);
  expect(sum("partnerd_results_total", { kind: "failed", failure_type: "JobFailed" })).toBe(2);
  expect(sum("partnerd_jobs_started_total")).toBe(5);
  expect(sum("partnerd_job_pickup_seconds_count")).toBe(5);
  expect(sum("partnerd_job_duration_seconds_count")).toBe(5);
  expect(sum("partnerd_throttles_total", { operation: "AcknowledgeThirdPartyJob" })).toBe(2);
  expect(sum("partnerd_api_calls_total", { operation: "AcknowledgeThirdPartyJob", code: "ok" })).toBe(5);
  expect(sum("partnerd_api_calls_total", { code: "ThrottlingException" })).toBe(2);
  const results = ["PutThirdPartyJobSuccessResult", "PutThirdPartyJobFailureResult"];
  expect(results.map((operation) => sum("partnerd_api_calls_total", { operation }))).toEqual([3, 2]);
  expect(sum("partnerd_token_lookups_total", { end: "found" })).toBe(17);
  expect(sum("partnerd_ledger_commits_total", { store: "sqlite", end: "durable" })).toBeGreaterThan(0);
  expect(sum("partnerd_results_owed")).toBe(0);
  expect(sum("partnerd_slots_limit")).toBe(10);
  for (const { id } of rig.emulator.jobs()) expect(text).not.toContain(id);
  for (const secret of Object.values(rig.emulator.defaultClient)) expect(text).not.toContain(secret);
});

it("wants one slot more while CodePipeline may have more jobs than there are slots, and none once all are done", async () => {
  const gate = new Gate();
  await using rig = await withAdmin({
    config: { worker: { maxConcurrentJobs: 2 } },
    handle: async () => {
      await gate.enter();
      return { kind: "succeeded" };
    },
  });
  const wanted = async () => (await scrape(rig)).sum("partnerd_slots_wanted");
  await rig.event("poll-finished");
  expect(await wanted()).toBe(0);
  rig.emulator.addJobs({ actionType: thirdParty, count: 3 });
  await gate.waiting(2);
  await expect.poll(wanted).toBe(3);
  gate.release(2);
  await gate.waiting(1);
  gate.release();
  await rig.event("job-reported", () => rig.count("job-reported") === 3);
  await expect.poll(wanted).toBe(0);
});

it("shows an outage: the Region cut off, and the owed result with its age", async () => {
  const gate = new Gate();
  await using rig = await withAdmin({
    handle: async () => {
      await gate.enter();
      return { kind: "succeeded" };
    },
  });
  rig.emulator.addJobs({ actionType: thirdParty, count: 1 });
  await gate.waiting(1);
  const { remove } = rig.emulator.fault({ kind: "unavailable" });
  gate.release();
  await rig.event("job-settled");
  await rig.event("poll-failed", ({ failures }) => failures >= 5);
  await rig.event("call-retried", ({ attempt }) => attempt >= 2);
  const during = await scrape(rig);
  expect(during.sum("partnerd_results_owed")).toBe(1);
  expect(during.sum("partnerd_results_owed_oldest_age_seconds")).toBeGreaterThan(0);
  expect(during.sum("partnerd_slots_parked")).toBe(1);
  expect(during.sum("partnerd_region_answers", { region: "us-east-1" })).toBe(0);
  expect(during.sum("partnerd_polls_total", { end: "unavailable" })).toBeGreaterThanOrEqual(5);
  // An outage is no reason to restart: it is alive, only not ready.
  const probes = await Promise.all(["/livez", "/readyz"].map((path) => fetch(`${rig.daemon.adminUrl}${path}`)));
  expect(probes.map(({ status }) => status)).toEqual([200, 503]);
  remove();
  await rig.event("job-reported");
  const after = await scrape(rig);
  expect(after.sum("partnerd_results_owed")).toBe(0);
});

it("answers in the middle of a stop", async () => {
  const gate = new Gate();
  await using rig = await withAdmin({
    handle: async () => {
      await gate.enter();
      return { kind: "succeeded" };
    },
  });
  rig.emulator.addJobs({ actionType: thirdParty, count: 1 });
  await gate.waiting(1);
  const end = rig.daemon.worker.stop();
  await rig.event("drain-started");
  const { sum } = await scrape(rig);
  expect(sum("partnerd_draining")).toBe(1);
  expect(sum("partnerd_jobs_in_flight", { state: "running" })).toBe(1);
  expect((await fetch(`${rig.daemon.adminUrl}/livez`)).status).toBe(200);
  gate.release();
  await end;
  expect((await scrape(rig)).sum("partnerd_results_total", { kind: "succeeded" })).toBe(1);
});
