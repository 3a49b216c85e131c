// Promise: several daemons over one DynamoDB table work each job once, and take over what a dead one leaves.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, expect, it, onTestFinished } from "vitest";
import type { DynamoLedgerConfig } from "../../src/config/config.js";
import type { HandlerJob } from "../../src/handlers/handler.js";
import type { ClientId, JobId, JobKey, Nonce, Region } from "../../src/job/job.js";
import type { JobEvent } from "../../src/job/lifecycle.js";
import { rowName } from "../../src/ledger/dynamodb/rows.js";
import { systemClock } from "../../src/std/clock.js";
import { startService } from "../fixtures/handlers/service.js";
import { type Dynamo, dynamoRegion, startDynamo } from "../support/dynamo.js";
import { call } from "../support/emulator-client.js";
import type { FleetOrder } from "../support/fleet-child.js";
import { custom, freePort, Gate, type Rig, type RigOptions, startRig, thirdParty } from "../support/rig.js";
import { sourceHook } from "../support/source-hook.js";

let dynamo: Dynamo;
const children: ChildProcess[] = [];
beforeAll(async () => {
  dynamo = await startDynamo();
});
afterAll(() => dynamo.close());
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

async function newLedger(leaseMs: number): Promise<DynamoLedgerConfig> {
  const table = await dynamo.createTable();
  return { store: "dynamodb", table, region: dynamoRegion, endpoint: dynamo.endpoint, leaseMs };
}

/** Three daemons over one table and one emulator; the first one's rig has the emulator. */
async function startFleet(ledger: DynamoLedgerConfig, options: RigOptions) {
  const first = await startRig({ ...options, config: { ...options.config, ledger } });
  const rigs = [first];
  for (let n = 1; n < 3; n++) {
    const others = { ...options, config: { ...options.config, ledger }, sharedEmulator: first.emulator };
    rigs.push(await startRig(others));
  }
  return {
    rigs,
    emulator: first.emulator,
    // The first one last: it has the emulator. (Node 22 has no AsyncDisposableStack.)
    [Symbol.asyncDispose]: async () => {
      for (const rig of rigs.toReversed()) await rig[Symbol.asyncDispose]();
    },
  };
}

it("works no job twice, however often it is offered to whom", { timeout: 60_000 }, async () => {
  const runs = new Map<string, number>();
  const handle = async (job: HandlerJob) => {
    runs.set(job.jobId, (runs.get(job.jobId) ?? 0) + 1);
    await new Promise<void>((resolve) => setImmediate(resolve));
    return { kind: "succeeded" };
  };
  await using fleet = await startFleet(await newLedger(20_000), {
    emulator: { settings: { redeliveryMs: 1_500, freshNonceAtRedelivery: false } },
    aws: { socketTimeoutMs: 10_000, requestTimeoutMs: 10_000 },
    handle,
  });
  // Offered again to others while it is still asked for.
  fleet.emulator.fault({ kind: "latency", operations: ["AcknowledgeThirdPartyJob"], ms: 2_000, times: 8 });
  const ids = Array.from({ length: 25 }, (_, n) => fleet.emulator.addJob({ actionType: thirdParty, id: `job-${n}` }));
  const jobs = await Promise.all(ids.map((id) => fleet.emulator.waitForJob(id, "over")));
  expect(jobs.map((job) => job.status)).toEqual(ids.map(() => "Succeeded"));
  expect(ids.map((id) => runs.get(id))).toEqual(ids.map(() => 1));
  expect(jobs.map((job) => job.results.length)).toEqual(ids.map(() => 1));
  expect(jobs.some((job) => job.counts.offers > 1)).toBe(true);
  const repeats = fleet.rigs.reduce((sum, rig) => sum + rig.count("offer-repeated"), 0);
  expect(repeats).toBeGreaterThan(0);
});

it("hands over at once what a daemon gives back when it stops", { timeout: 60_000 }, async () => {
  const shutdown = { drainTimeoutMs: 20, cancelGraceMs: 20, reportTimeoutMs: 20 };
  const gate = new Gate();
  const ledger = await newLedger(600_000);
  await using first = await startRig({
    config: { ledger, shutdown },
    handle: async () => {
      await gate.enter();
      return { kind: "succeeded", summary: "by the first" };
    },
  });
  const id = first.emulator.addJob({ actionType: thirdParty });
  await gate.waiting(1);
  const noPuts = first.emulator.fault({ kind: "unavailable", operations: ["PutThirdPartyJobSuccessResult"] });
  gate.release();
  await first.event("job-settled");
  await using second = await startRig({ config: { ledger }, sharedEmulator: first.emulator });
  expect((await first.stop()).owed).toBe(1);
  noPuts.remove();
  await second.event("job-recovered");
  const job = await first.emulator.waitForJob(id, "over");
  expect(job.result?.document).toMatchObject({ executionDetails: { summary: "by the first" } });
});

it("puts what a killed daemon owed, and settles what it ran", { timeout: 60_000 }, async () => {
  const ledger = await newLedger(2_000);
  await using second = await startRig({ isHeld: true, config: { ledger } });
  const { emulator } = second;
  await using third = await startRig({ isHeld: true, config: { ledger }, sharedEmulator: emulator });
  const noPuts = emulator.fault({ kind: "unavailable", operations: ["PutThirdPartyJobSuccessResult"] });
  const ids = ["ends", "runs"];
  for (const id of ids) emulator.addJob({ actionType: thirdParty, id });
  const child = startChild({ url: emulator.url, client: emulator.defaultClient, ledger });
  await Promise.race([
    once(child.stdout, "data"),
    once(child.process, "exit").then(() => Promise.reject(new Error("the child ended"))),
  ]);
  // Only now do the others begin: the child has both jobs.
  for (const rig of [second, third]) void rig.run();
  await Promise.all([second, third].map((rig: Rig) => rig.event("poll-finished")));
  expect(second.count("job-recovered") + third.count("job-recovered")).toBe(0);
  noPuts.remove();
  const gone = once(child.process, "exit");
  child.process.kill("SIGKILL");
  await gone;
  const [ends, runs] = await Promise.all(ids.map((id) => emulator.waitForJob(id, "over")));
  expect(ends?.result?.document).toMatchObject({ executionDetails: { summary: "made by the child" } });
  expect(runs?.result?.document).toMatchObject({ failureDetails: { type: "SystemUnavailable" } });
  expect([ends, runs].map((job) => job?.results.filter((put) => put.answer === "accepted").length)).toEqual([1, 1]);
  expect(second.count("job-recovered") + third.count("job-recovered")).toBe(2);
  expect(second.count("bug") + third.count("bug")).toBe(0);
});

it("reports nothing once its lease is lost: neither what is owed nor what comes now", { timeout: 60_000 }, async () => {
  const ledger = await newLedger(3_000);
  const gate = new Gate();
  const summary = (text: string) => ({ kind: "succeeded", summary: text });
  await using first = await startRig({
    config: { ledger },
    handle: async ({ jobId }) => {
      if (jobId === "runs") await gate.enter();
      return summary("by the first");
    },
  });
  const { emulator } = first;
  const noPuts = emulator.fault({ kind: "unavailable", operations: ["PutThirdPartyJobSuccessResult"] });
  for (const id of ["owed", "runs"]) emulator.addJob({ actionType: thirdParty, id });
  await gate.waiting(1);
  await first.event("call-retried", ({ key, fault }) => key.jobId === "owed" && fault.operation.startsWith("Put"));
  // Others hold the first for dead: its own next heartbeat tells it so.
  await dynamo.removeReplicas(ledger.table);
  const dropped = await Promise.all(
    ["owed", "runs"].map((id) => first.event("job-dropped", ({ key }) => key.jobId === id)),
  );
  expect(dropped.map(({ from, reason }) => [from, reason])).toEqual([
    ["settled", "taken-over"],
    ["running", "taken-over"],
  ]);
  gate.release();
  noPuts.remove();
  // Whoever finds them now, the first under its new name or the second, has the right to report them.
  await using second = await startRig({ config: { ledger }, sharedEmulator: emulator });
  const [owed, runs] = await Promise.all(["owed", "runs"].map((id) => emulator.waitForJob(id, "over")));
  expect(owed?.result?.document).toMatchObject({ executionDetails: { summary: "by the first" } });
  expect(runs?.result?.document).toMatchObject({ failureDetails: { type: "SystemUnavailable" } });
  expect([owed, runs].map((job) => job?.results.filter((put) => put.answer === "accepted").length)).toEqual([1, 1]);
  expect(first.count("job-recovered") + second.count("job-recovered")).toBe(2);
  // A lease that is lost is no fault of the ledger.
  expect(first.events.filter(({ type }) => type === "ledger-failed" || type === "bug")).toEqual([]);
});

it("reports no outcome that it could not record because another has the job", { timeout: 60_000 }, async () => {
  const ledger = await newLedger(600_000);
  const gate = new Gate();
  await using rig = await startRig({
    config: { ledger },
    handle: async () => {
      await gate.enter();
      return { kind: "succeeded" };
    },
  });
  const id = rig.emulator.addJob({ actionType: thirdParty });
  await gate.waiting(1);
  await dynamo.giveToAnother(ledger.table, `us-east-1/${id}`);
  gate.release();
  expect(await rig.event("job-dropped")).toMatchObject({ reason: "taken-over" });
  await rig.stop();
  expect(rig.emulator.job(id)?.results).toEqual([]);
  expect(rig.count("job-reported")).toBe(0);
});

function startChild(order: FleetOrder) {
  const script = fileURLToPath(new URL("../support/fleet-child.ts", import.meta.url));
  const started = spawn(process.execPath, ["--import", sourceHook, script, JSON.stringify(order)], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  children.push(started);
  return { process: started, stdout: started.stdout };
}

it("tells a service that reached another replica to come again, and a stranger nothing", {
  timeout: 60_000,
}, async () => {
  const service = await startService({ jobs: (_request, answer) => void answer.writeHead(202).end() });
  onTestFinished(() => service.close());
  const ledger = await newLedger(20_000);
  const options = async (): Promise<RigOptions> => ({
    actionTypes: [{ ...thirdParty, handler: "scan" }],
    config: {
      ledger,
      handlers: { scan: { kind: "http", url: `${service.url}/jobs`, requestTimeoutMs: 1_000 } },
      admin: { host: "127.0.0.1", port: await freePort() },
    },
  });
  await using first = await startRig(await options());
  const id = first.emulator.addJob({ actionType: thirdParty });
  const { callback } = JSON.parse((await service.request(1)).body) as { callback: { url: string; token: string } };
  await first.event("callback-awaited");
  await using second = await startRig({ ...(await options()), sharedEmulator: first.emulator });
  const deliver = async (base: string | undefined, token: string) => {
    const answer = await fetch(`${base}${new URL(callback.url).pathname}`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
      body: JSON.stringify({ kind: "succeeded" }),
    });
    return answer.status;
  };
  expect(await deliver(second.daemon.adminUrl, callback.token)).toBe(503);
  expect(await deliver(second.daemon.adminUrl, "a-token-of-nobody")).toBe(404);
  expect(await deliver(first.daemon.adminUrl, callback.token)).toBe(200);
  expect((await first.emulator.waitForJob(id, "over")).status).toBe("Succeeded");
  await first.event("job-reported");
  expect(await deliver(second.daemon.adminUrl, callback.token)).toBe(404);
});

/** A job that a replica which is gone had acknowledged; `leave` gives it to the table with its outcome, as nobody's. */
async function owedBy(rig: Rig, ledger: DynamoLedgerConfig, actionType: typeof thirdParty | typeof custom) {
  const { url, defaultClient } = rig.emulator;
  const { clientId, clientToken } = defaultClient;
  const isCustom = actionType.owner === "Custom";
  const id = rig.emulator.addJob({ actionType });
  const polled = await call(url, isCustom ? "PollForJobs" : "PollForThirdPartyJobs", {
    actionTypeId: actionType,
    maxBatchSize: 1,
  });
  const details = isCustom ? undefined : await call(url, "GetThirdPartyJobDetails", { jobId: id, clientToken });
  const { nonce } = (details?.json["jobDetails"] ?? (polled.json["jobs"] as unknown[])[0]) as { nonce: Nonce };
  const { code } = isCustom
    ? await call(url, "AcknowledgeJob", { jobId: id, nonce })
    : await call(url, "AcknowledgeThirdPartyJob", { jobId: id, nonce, clientToken });
  expect(code).toBe("ok");
  const key: JobKey = {
    region: "us-east-1" as Region,
    actionType,
    jobId: id as JobId,
    ...(isCustom ? {} : { clientId: clientId as ClientId }),
  };
  const leave = async (state: "running" | "settled" = "settled") => {
    const gone = await dynamo.open({ table: ledger.table, clock: systemClock });
    const lease = await gone.lease(key);
    if (!lease) throw new Error("no lease");
    const events: readonly JobEvent[] = [
      { type: "details-received" },
      { type: "acknowledge-sent", nonce },
      { type: "acknowledge-accepted", claim: "ours" },
    ];
    const outcome: JobEvent = { type: "outcome-settled", outcome: { kind: "succeeded" } };
    for (const event of state === "settled" ? [...events, outcome] : events) await gone.record(lease, event);
    await gone.release(lease);
    await gone.close();
  };
  return { id, key, leave };
}

it("puts what is owed of one action type while all slots of another are busy", { timeout: 60_000 }, async () => {
  const ledger = await newLedger(5_000);
  const gate = new Gate();
  await using rig = await startRig({
    isHeld: true,
    actionTypes: [{ ...thirdParty, maxConcurrentJobs: 1, afterCrash: "rerun" }, custom],
    config: { ledger },
    handle: async () => {
      await gate.enter();
      return { kind: "succeeded" };
    },
  });
  const held = await owedBy(rig, ledger, thirdParty);
  const owed = await owedBy(rig, ledger, custom);
  const long = rig.emulator.addJob({ actionType: thirdParty });
  void rig.run();
  await gate.waiting(1);
  await held.leave("running");
  const operator = async () => (await dynamo.rowOf(ledger.table, rowName(held.key)))?.["holder"]?.S;
  await expect.poll(operator, { interval: 20, timeout: 10_000 }).not.toBe("nobody");
  await owed.leave();
  await rig.event("job-reported", ({ key }) => key.jobId === owed.id);
  expect(rig.count("job-started", (event) => "key" in event && event.key?.jobId === held.id)).toBe(0);
  gate.release();
  await gate.waiting(1);
  gate.release();
  for (const id of [long, held.id]) await rig.event("job-reported", ({ key }) => key.jobId === id);
});

it("counts no job as its own debt whose action type only other replicas work", { timeout: 60_000 }, async () => {
  const ledger = await newLedger(5_000);
  await using rig = await startRig({ isHeld: true, actionTypes: [custom, thirdParty], config: { ledger } });
  const owed = await owedBy(rig, ledger, thirdParty);
  await owed.leave();
  await using other = await startRig({ actionTypes: [custom], config: { ledger }, sharedEmulator: rig.emulator });
  await other.event("job-unfinished", ({ key }) => key.jobId === owed.id);
  expect(await other.stop()).toMatchObject({ owed: 0, isRead: true, isBroken: false });
  void rig.run();
  await rig.event("job-reported", ({ key }) => key.jobId === owed.id);
});

it("puts what is owed though every slot is busy, and works again only by a slot", { timeout: 60_000 }, async () => {
  const ledger = await newLedger(5_000);
  const gate = new Gate();
  await using rig = await startRig({
    isHeld: true,
    actionTypes: [{ ...thirdParty, afterCrash: "rerun" }],
    config: { ledger, worker: { maxConcurrentJobs: 1 } },
    handle: async () => {
      await gate.enter();
      return { kind: "succeeded" };
    },
  });
  const again = await owedBy(rig, ledger, thirdParty);
  const owed = await owedBy(rig, ledger, thirdParty);
  const long = rig.emulator.addJob({ actionType: thirdParty });
  void rig.run();
  await gate.waiting(1);
  await again.leave("running");
  await owed.leave();
  await rig.event("job-reported", ({ key }) => key.jobId === owed.id);
  expect(rig.emulator.job(long)?.status).toBe("InProgress");
  expect(rig.count("job-started")).toBe(1);
  gate.release();
  await gate.waiting(1);
  gate.release();
  for (const id of [long, again.id]) await rig.event("job-reported", ({ key }) => key.jobId === id);
});
