// Promise: an operator can fail or release a job of a daemon that runs, whatever the job is doing, through the admin
// port; the first cause wins, and nobody is told otherwise than what becomes of the job.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { startEmulator } from "../../src/emulator/emulator.js";
import type { HandlerJob } from "../../src/handlers/handler.js";
import type { ActionType, ClientId, JobId, JobKey, Nonce, Region } from "../../src/job/job.js";
import { Secret } from "../../src/job/secret.js";
import { call } from "../support/emulator-client.js";
import { freePort, Gate, type Rig, type RigOptions, startRig, thirdParty } from "../support/rig.js";
import { openSqlite } from "../support/sqlite.js";

const token = "the-token-of-the-operator";

async function operated(options: RigOptions = {}) {
  const admin = { host: "127.0.0.1", port: await freePort(), token: new Secret(token) };
  return startRig({ ...options, config: { ...options.config, admin } });
}

async function order(rig: Rig, verb: "fail" | "release", id: string, body: object = {}, bearer = token) {
  const response = await fetch(`${rig.daemon.adminUrl}/jobs/${encodeURIComponent(id)}/${verb}`, {
    method: "POST",
    headers: { authorization: `Bearer ${bearer}`, "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

const sorry = { message: "our scanner was down" };

/** Ends when it is told to stop, with an outcome that must not count. */
function untilAborted({ signal }: HandlerJob): Promise<unknown> {
  return new Promise((resolve) => {
    signal.addEventListener("abort", () => resolve({ kind: "succeeded", summary: String(signal.reason) }));
  });
}

it("fails a running job: its handler is stopped and the operator's words are its result", async () => {
  await using rig = await operated({ handle: untilAborted });
  const id = rig.emulator.addJob({ actionType: thirdParty });
  await rig.event("job-started");
  const answer = await order(rig, "fail", id, sorry);
  expect(answer).toMatchObject({ status: 200, body: { done: true, message: expect.stringMatching(/^failed: /) } });
  const job = await rig.emulator.waitForJob(id, "over");
  expect(job.result?.document).toMatchObject({ failureDetails: { type: "JobFailed", message: sorry.message } });
  expect(job.results).toHaveLength(1);
  expect(await rig.event("job-settled")).toMatchObject({ cause: "operator" });
  expect(rig.logs).toContainEqual(
    expect.objectContaining({ level: "warn", event: "job-failed-by-operator", jobId: id, state: "running" }),
  );
});

it("fails no job whose result is fixed, and releases it", async () => {
  await using rig = await operated();
  rig.emulator.fault({ kind: "unavailable", operations: ["PutThirdPartyJobSuccessResult"] });
  const id = rig.emulator.addJob({ actionType: thirdParty });
  await rig.event("call-retried");
  const late = await order(rig, "fail", id, sorry);
  expect(late).toMatchObject({
    status: 409,
    body: { kind: "too-late", error: expect.stringMatching(/already has its result/) },
  });
  const { body } = await order(rig, "release", id);
  expect(body).toMatchObject({ done: true, message: expect.stringMatching(/times out/) });
  expect(await rig.event("job-dropped")).toMatchObject({ from: "settled", reason: "released" });
  expect(rig.emulator.job(id)?.status).toBe("InProgress");
  expect((await rig.stop()).owed).toBe(0);
});

it("takes the first of two orders, also for a handler that will not stop", async () => {
  const shutdown = { drainTimeoutMs: 10_000, cancelGraceMs: 50, reportTimeoutMs: 5_000 };
  await using rig = await operated({ handle: () => new Promise(() => {}), config: { shutdown } });
  const id = rig.emulator.addJob({ actionType: thirdParty });
  // However long the second order takes to come, the job is still there.
  const { remove } = rig.emulator.fault({ kind: "unavailable", operations: ["PutThirdPartyJobFailureResult"] });
  await rig.event("job-started");
  expect((await order(rig, "fail", id, sorry)).status).toBe(200);
  expect(await order(rig, "fail", id, { message: "another" })).toMatchObject({ status: 409 });
  remove();
  const job = await rig.emulator.waitForJob(id, "over");
  expect(job.result?.document).toMatchObject({ failureDetails: { message: sorry.message } });
});

it("releases a running job: its handler is stopped and nothing is reported", async () => {
  const reasons: unknown[] = [];
  const handle = async (job: HandlerJob) => {
    const outcome = await untilAborted(job);
    reasons.push(job.signal.reason);
    return outcome;
  };
  await using rig = await operated({
    handle,
    inFolder: (folder) => ({ ledger: { store: "sqlite", path: join(folder, "ledger.db") } }),
  });
  const id = rig.emulator.addJob({ actionType: thirdParty });
  await rig.event("job-started");
  expect((await order(rig, "release", id)).status).toBe(200);
  const { from, reason, message } = await rig.event("job-dropped");
  expect([from, reason, message]).toEqual(["running", "released", expect.stringMatching(/released by an operator/)]);
  expect(reasons.map(String)).toEqual([expect.stringMatching(/released by an operator/)]);
  expect((await rig.stop()).owed).toBe(0);
  expect(rig.emulator.job(id)).toMatchObject({ status: "InProgress", results: [] });
  expect(rig.logs).toContainEqual(
    expect.objectContaining({
      level: "warn",
      jobId: id,
      reason: "released",
      event: "job-dropped",
    }),
  );
  expect(await heldIn(join(rig.folder, "ledger.db"))).toEqual([]);
});

it("fails a job whose acknowledge has no answer as soon as it is ours, without running it", async () => {
  await using rig = await operated();
  const outage = rig.emulator.fault({ kind: "unavailable", operations: ["AcknowledgeThirdPartyJob"] });
  const id = rig.emulator.addJob({ actionType: thirdParty });
  await rig.event("call-retried");
  const answer = await order(rig, "fail", id, sorry);
  expect(answer).toMatchObject({ status: 200, body: { message: expect.stringMatching(/once CodePipeline confirms/) } });
  expect(rig.daemon.status().jobs).toMatchObject([{ jobId: id, state: "acknowledging", order: "fail" }]);
  outage.remove();
  const job = await rig.emulator.waitForJob(id, "over");
  expect(job.result?.document).toMatchObject({ failureDetails: { message: sorry.message } });
  expect(rig.count("job-started")).toBe(0);
});

it("orders jobs of an earlier process: those that wait for a slot, and those it cannot work", async () => {
  const emulator = await startEmulator();
  onTestFinished(() => emulator.close());
  emulator.addActionType(thirdParty);
  const path = await ledgerWith(["first", "second", "strange"], emulator.defaultClient.clientId as ClientId);
  const gate = new Gate();
  await using rig = await operated({
    isHeld: true,
    sharedEmulator: emulator,
    actionTypes: [{ ...thirdParty, afterCrash: "rerun" }],
    config: { ledger: { store: "sqlite", path }, worker: { maxConcurrentJobs: 1 } },
    handle: () => gate.enter(),
  });
  for (const id of ["first", "second"]) emulator.addJob({ actionType: thirdParty, id });
  await call(emulator.url, "PollForThirdPartyJobs", { actionTypeId: thirdParty, maxBatchSize: 2 });
  void rig.run();
  const { key } = await rig.event("job-started");
  const other = key.jobId === "first" ? "second" : "first";
  const answer = await order(rig, "fail", other, sorry);
  expect(answer).toMatchObject({
    status: 200,
    body: { message: expect.stringMatching(/reporting the result|the result is reported/) },
  });
  expect(await order(rig, "fail", "strange", sorry)).toMatchObject({ status: 200 });
  expect(await order(rig, "fail", "strange", sorry)).toMatchObject({ status: 409 });
  expect(await order(rig, "release", "strange")).toMatchObject({ status: 200 });
  expect(await order(rig, "release", "strange")).toMatchObject({ status: 404, body: { kind: "unknown-job" } });
  gate.release();
  expect(await rig.event("job-settled", (event) => event.key.jobId === other)).toMatchObject({ cause: "operator" });
  expect(rig.count("job-started", (event) => "key" in event && event.key?.jobId === other)).toBe(0);
});

it("asks for the Region when several have the job, and orders nothing without the token", async () => {
  await using rig = await operated({ regions: ["us-east-1", "eu-west-1"], handle: untilAborted });
  for (const region of ["us-east-1", "eu-west-1"]) rig.emulator.addJob({ actionType: thirdParty, id: "twin", region });
  for (const region of ["us-east-1", "eu-west-1"]) await rig.event("job-started", ({ key }) => key.region === region);
  expect(await order(rig, "fail", "twin", sorry)).toMatchObject({ status: 409, body: { kind: "ambiguous" } });
  expect(await order(rig, "fail", "twin", { ...sorry, region: "eu-west-1" }, "wrong")).toMatchObject({ status: 401 });
  expect(await order(rig, "fail", "twin", { ...sorry, region: "eu-west-1" })).toMatchObject({ status: 200 });
  expect((await rig.event("job-reported")).key.region).toBe("eu-west-1");
  expect(rig.emulator.job("twin", "us-east-1")?.status).toBe("InProgress");
  expect(await order(rig, "fail", "twin", { region: "us-east-1", message: " " })).toMatchObject({ status: 400 });
  expect(await order(rig, "fail", "nobody", sorry)).toMatchObject({ status: 404, body: { kind: "unknown-job" } });
});

/** A ledger as a process leaves it that died while it ran these jobs; `strange` is of a type that nobody configured. */
async function ledgerWith(ids: readonly string[], clientId: ClientId): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "partnerd-orders-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, "ledger.db");
  const ledger = await openSqlite(path);
  for (const id of ids) {
    const lease = await ledger.lease(keyOf(id, clientId));
    if (!lease) throw new Error("the ledger gave no lease");
    await ledger.record(lease, { type: "details-received" });
    await ledger.record(lease, { type: "acknowledge-sent", nonce: "nonce" as Nonce });
    await ledger.record(lease, { type: "acknowledge-accepted", claim: "ours" });
  }
  await ledger.close();
  return path;
}

async function heldIn(path: string): Promise<readonly string[]> {
  const ledger = await openSqlite(path);
  const unfinished = await ledger.unfinished();
  await ledger.close();
  return unfinished.map(({ lease }) => lease.key.jobId);
}

function keyOf(id: string, clientId: ClientId): JobKey {
  const actionType: ActionType = id === "strange" ? { ...thirdParty, provider: "Unknown" } : thirdParty;
  return { region: "us-east-1" as Region, actionType, jobId: id as JobId, clientId };
}
