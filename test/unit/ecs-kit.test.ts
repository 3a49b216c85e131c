// Promise: on Amazon ECS a task is protected exactly while its partnerd works jobs, and the scaling example scales by a
// metric that there is. ECS' agent and partnerd are stood in for on loopback.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { expect, it, onTestFinished } from "vitest";
import { exposed } from "../../src/admin/exposition.js";
import { snapshotFamilies } from "../../src/admin/snapshot-metrics.js";
import { statusWith } from "../support/admin-status.js";
import { loadedInContainer } from "../support/container-config.js";

const root = new URL("../../", import.meta.url);
const text = (path: string) => readFileSync(new URL(path, root), "utf8");
const program = fileURLToPath(new URL("config/ecs/task-protection.mjs", root));

/** A server on loopback, gone with the test. */
async function served(answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> {
  const server = createServer(answer);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** ECS' agent: what it was told, in order. `refuse` is how often it refuses first. */
async function agent(refuse = 0) {
  const told: unknown[] = [];
  let refusals = refuse;
  const url = await served(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = JSON.parse(Buffer.concat(chunks).toString()) as { readonly ProtectionEnabled: boolean };
    told.push({ method: request.method, path: request.url, body });
    response.setHeader("content-type", "application/json");
    if (refusals-- > 0) {
      response.statusCode = 400;
      response.end('{"error":{"Code":"ThrottlingException","Message":"slower"}}');
      return;
    }
    response.end(JSON.stringify({ protection: { ProtectionEnabled: body.ProtectionEnabled, TaskArn: "arn" } }));
  });
  return { url, told };
}

/** The container: partnerd's metrics come from `slots`. Its output so far; ended by SIGTERM. */
function started(url: string, metrics: string, more: Readonly<Record<string, string>> = {}) {
  const env = { ECS_AGENT_URI: url, METRICS_URL: metrics, EVERY_SECONDS: "0.02", ...more };
  const child = spawn(process.execPath, [program], { env, stdio: "pipe" });
  const output: string[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => output.push(String(chunk)));
  const exit = once(child, "exit");
  onTestFinished(() => void child.kill("SIGKILL"));
  const end = async () => {
    child.kill("SIGTERM");
    return (await exit)[0];
  };
  return { output, end };
}

function metricsOf(slots: { inUse: number }): string {
  const { slots: seen, ...status } = statusWith();
  const families = snapshotFamilies({
    status: { ...status, slots: { ...seen, working: slots.inUse } },
    ledger: { writable: true },
  });
  return exposed(families, undefined).text;
}

const path = "/task-protection/v1/state";
const on = { method: "PUT", path, body: { ProtectionEnabled: true, ExpiresInMinutes: 60 } };
const off = { method: "PUT", path, body: { ProtectionEnabled: false } };

it("protects the task while jobs run, and says each change once", async () => {
  const slots = { inUse: 0 };
  const { url, told } = await agent();
  let looks = 0;
  const metrics = await served((_request, response) => {
    looks += 1;
    response.end(metricsOf(slots));
  });
  const { end, output } = started(url, metrics);
  await expect.poll(() => told).toEqual([off]);
  slots.inUse = 2;
  await expect.poll(() => told).toEqual([off, on]);
  const seen = looks;
  await expect.poll(() => looks).toBeGreaterThan(seen + 3);
  slots.inUse = 0;
  await expect.poll(() => told).toEqual([off, on, off]);
  expect(await end()).toBe(0);
  expect(output.join("")).not.toContain("trying again");
});

it("renews a protection in time", async () => {
  const { url, told } = await agent();
  const metrics = await served((_request, response) => response.end(metricsOf({ inUse: 1 })));
  started(url, metrics, { MINUTES: "0.001" });
  await expect.poll(() => told.length).toBeGreaterThan(3);
  expect(new Set(told.map((each) => JSON.stringify(each))).size).toBe(1);
});

it("tries again what ECS refuses, and leaves all as it is while partnerd does not answer", async () => {
  const { url, told } = await agent(1);
  let isThere = false;
  const metrics = await served((_request, response) => {
    response.statusCode = isThere ? 200 : 503;
    response.end(isThere ? metricsOf({ inUse: 1 }) : "");
  });
  const { output } = started(url, metrics);
  await expect.poll(() => output.join("")).toContain("answered 503 without the metric; trying again");
  expect(told).toEqual([]);
  isThere = true;
  await expect.poll(() => told).toEqual([on, on]);
  expect(output.join("")).toContain("ECS did not take it (400)");
});

it("scales by a metric that there is, one task for each full set of slots", async () => {
  const policy = JSON.parse(text("config/ecs/scaling-policy.json"));
  const { TargetValue, CustomizedMetricSpecification: metric } = policy.TargetTrackingScalingPolicyConfiguration;
  const names = snapshotFamilies({ status: statusWith(), ledger: { writable: true } }).map(({ name }) => name);
  expect(names).toContain(metric.MetricName);
  const { config } = await loadedInContainer(text("config/container.yaml"));
  expect(TargetValue).toBe(config.worker.maxConcurrentJobs);
  // PutScalingPolicy's parameters, from the Application Auto Scaling API Reference.
  expect(Object.keys(policy).toSorted()).toEqual(
    [
      "PolicyName",
      "PolicyType",
      "ResourceId",
      "ScalableDimension",
      "ServiceNamespace",
      "TargetTrackingScalingPolicyConfiguration",
    ].toSorted(),
  );
});
