// Promise: whatever comes between a daemon and its fleet's table, no job is at work twice at a time, each is reported
// truthfully, and callbacks reach whoever has the job or are told to come again.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as after } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { DeleteTableCommand } from "@aws-sdk/client-dynamodb";
import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";
import type { DynamoLedgerConfig } from "../../src/config/config.js";
import type { HandlerJob } from "../../src/handlers/handler.js";
import { tableDefinition } from "../../src/ledger/dynamodb/table.js";
import { startService } from "../fixtures/handlers/service.js";
import { createTable, type Dynamo, dynamoRegion, startDynamo } from "../support/dynamo.js";
import type { FleetOrder } from "../support/fleet-child.js";
import { startRelay } from "../support/relay.js";
import { freePort, Gate, type RigOptions, startRig, thirdParty } from "../support/rig.js";
import { sourceHook } from "../support/source-hook.js";

let dynamo: Dynamo;
beforeAll(async () => {
  dynamo = await startDynamo();
});
afterAll(() => dynamo.close());

async function newLedger(leaseMs: number): Promise<DynamoLedgerConfig> {
  const table = await dynamo.createTable();
  return { store: "dynamodb", table, region: dynamoRegion, endpoint: dynamo.endpoint, leaseMs };
}

it("runs no handler while the former holder's is still stopping", { timeout: 60_000 }, async () => {
  const ledger = await newLedger(2_000);
  const relay = await startRelay(dynamo.endpoint);
  onTestFinished(() => relay[Symbol.asyncDispose]());
  const gate = new Gate();
  let [runs, atWork, most] = [0, 0, 0];
  const handle = async (job: HandlerJob) => {
    runs += 1;
    atWork += 1;
    most = Math.max(most, atWork);
    void gate.enter();
    if (runs === 1) {
      await new Promise((resolve) => job.signal.addEventListener("abort", resolve, { once: true }));
      // As long as its grace, which is a second here, allows.
      await after(900);
    }
    atWork -= 1;
    return { kind: "succeeded", summary: `run ${runs}` };
  };
  const options: RigOptions = { actionTypes: [{ ...thirdParty, afterCrash: "rerun" }], handle };
  await using first = await startRig({ ...options, config: { ledger: { ...ledger, endpoint: relay.url } } });
  const id = first.emulator.addJob({ actionType: thirdParty });
  await gate.waiting(1);
  await using second = await startRig({ ...options, config: { ledger }, sharedEmulator: first.emulator });
  await second.event("poll-finished");
  relay.cut();
  expect(await first.event("job-dropped")).toMatchObject({ reason: "taken-over" });
  const job = await first.emulator.waitForJob(id, "over");
  expect(job.result?.document).toMatchObject({ executionDetails: { summary: "run 2" } });
  expect({ runs, most }).toEqual({ runs: 2, most: 1 });
  expect(first.count("job-reported")).toBe(0);
});

it("reports nothing from a process that was frozen for longer than its lease", { timeout: 60_000 }, async () => {
  const ledger = await newLedger(2_000);
  await using second = await startRig({ isHeld: true, config: { ledger } });
  const { emulator } = second;
  const late: string[] = [];
  let [isToFreeze, isFrozen, polls] = [false, false, 0];
  const answered = Promise.withResolvers<void>();
  const goesOn = Promise.withResolvers<void>();
  const relay = await startRelay(
    emulator.url,
    ({ operation }) => {
      if (isFrozen && operation.startsWith("Put")) answered.resolve();
      if (isFrozen || second.count("job-reported") < 2) return undefined;
      if (operation.startsWith("Put")) late.push(operation);
      if (operation.startsWith("Poll") && ++polls === 30) goesOn.resolve();
      return undefined;
    },
    (operation) => {
      // While it waits for an answer: what it had begun to send when it froze, nobody could call back.
      if (isToFreeze && operation.startsWith("Put")) isFrozen = child.kill("SIGSTOP");
      return undefined;
    },
  );
  onTestFinished(() => relay[Symbol.asyncDispose]());
  const noPuts = emulator.fault({ kind: "unavailable", operations: ["PutThirdPartyJobSuccessResult"] });
  const ids = ["ends", "runs"];
  for (const id of ids) emulator.addJob({ actionType: thirdParty, id });
  const order: FleetOrder = { url: relay.url, client: emulator.defaultClient, ledger };
  const script = fileURLToPath(new URL("../support/fleet-child.ts", import.meta.url));
  const child = spawn(process.execPath, ["--import", sourceHook, script, JSON.stringify(order)], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  await once(child.stdout, "data");
  isToFreeze = true;
  await answered.promise;
  noPuts.remove();
  void second.run();
  const jobs = await Promise.all(ids.map((id) => emulator.waitForJob(id, "over")));
  for (const id of ids) await second.event("job-reported", ({ key }) => key.jobId === id);
  [isToFreeze, isFrozen] = [false, false];
  child.kill("SIGCONT");
  await goesOn.promise;
  expect(late).toEqual([]);
  expect(jobs.map(({ result }) => result?.document)).toMatchObject([
    { executionDetails: { summary: "made by the child" } },
    { failureDetails: { type: "SystemUnavailable" } },
  ]);
});

it("fails what ran truthfully once a table that was deleted is there again", { timeout: 60_000 }, async () => {
  const ledger = await newLedger(2_000);
  await using rig = await startRig({
    config: { ledger },
    handle: ({ signal }) => new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
  });
  const id = rig.emulator.addJob({ actionType: thirdParty });
  await rig.event("job-started");
  await dynamo.client.send(new DeleteTableCommand({ TableName: ledger.table }));
  await rig.event("job-dropped");
  await createTable(dynamo.client, tableDefinition(ledger.table));
  const job = await rig.emulator.waitForJob(id, "over");
  expect(job.result?.document).toMatchObject({ failureDetails: { type: "SystemUnavailable" } });
  await rig.event("job-reported");
  expect(await rig.stop()).toMatchObject({ owed: 0, isBroken: false });
});

it("owes what ran when a table that was deleted does not come back", { timeout: 60_000 }, async () => {
  const ledger = await newLedger(2_000);
  await using rig = await startRig({
    config: { ledger },
    handle: ({ signal }) => new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
  });
  rig.emulator.addJob({ actionType: thirdParty });
  await rig.event("job-started");
  await dynamo.client.send(new DeleteTableCommand({ TableName: ledger.table }));
  await rig.event("job-dropped");
  // By which the process ends with 75, after a line that says so.
  await rig.daemon.worker.stop();
  expect(rig.daemon.worker.owed).toBe(1);
  await rig.stop();
  expect(rig.rawLogs.join("")).toContain("1 jobs were interrupted and could not be recorded in the table");
});

it("tells a service to come again that calls whoever lost the job", { timeout: 60_000 }, async () => {
  const service = await startService({ jobs: (_request, answer) => void answer.writeHead(202).end() });
  onTestFinished(() => service.close());
  const relay = await startRelay(dynamo.endpoint);
  onTestFinished(() => relay[Symbol.asyncDispose]());
  const ledger = await newLedger(2_000);
  const options = async (endpoint: string): Promise<RigOptions> => ({
    actionTypes: [{ ...thirdParty, handler: "scan" }],
    config: {
      ledger: { ...ledger, endpoint },
      handlers: { scan: { kind: "http", url: `${service.url}/jobs`, requestTimeoutMs: 1_000 } },
      admin: { host: "127.0.0.1", port: await freePort() },
    },
  });
  await using first = await startRig(await options(relay.url));
  const id = first.emulator.addJob({ actionType: thirdParty });
  const { callback } = JSON.parse((await service.request(1)).body) as { callback: { url: string; token: string } };
  await first.event("callback-awaited");
  await using second = await startRig({ ...(await options(dynamo.endpoint)), sharedEmulator: first.emulator });
  await second.event("poll-finished");
  const deliver = async (base: string | undefined) => {
    const answer = await fetch(`${base}${new URL(callback.url).pathname}`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${callback.token}` },
      body: JSON.stringify({ kind: "succeeded" }),
    });
    return { status: answer.status, retryAfter: Number(answer.headers.get("retry-after")) > 0 };
  };
  relay.cut();
  await first.event("job-dropped");
  expect(await deliver(first.daemon.adminUrl)).toEqual({ status: 503, retryAfter: true });
  await second.event("job-recovered");
  await expect.poll(() => deliver(second.daemon.adminUrl), { timeout: 20_000 }).toMatchObject({ status: 200 });
  expect((await first.emulator.waitForJob(id, "over")).status).toBe("Succeeded");
  expect(first.count("job-reported")).toBe(0);
});
