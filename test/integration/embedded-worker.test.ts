// Promise: createWorker embeds the daemon: it works jobs, tells its program what happens in plain events, stops within its
// deadline, never touches the process, and leaves nothing running.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it, onTestFinished } from "vitest";
import type { Emulator } from "../../src/emulator/emulator.js";
import { startEmulator } from "../../src/emulator/emulator.js";
import {
  createWorker,
  type Handler,
  type HandlerJob,
  type PartnerdEvent,
  succeeded,
  type WorkerConfig,
} from "../../src/index.js";
import { freePort } from "../support/rig.js";
import { sourceHook } from "../support/source-hook.js";

const build = { category: "Build", owner: "Custom", provider: "Acme-Build", version: "1" } as const;

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "partnerd-embedded-"));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

function configFor(emulator: Emulator, handler: Handler, more: Partial<WorkerConfig> = {}): WorkerConfig {
  emulator.addActionType(build);
  return {
    regions: ["us-east-1"],
    actionTypes: [{ ...build, handler: "build" }],
    handlers: { build: handler },
    ledger: { store: "memory" },
    artifacts: { workDir: folder(), minFreeBytes: "0B" },
    admin: { port: 0 },
    polling: { minInterval: "50ms", maxInterval: "100ms" },
    aws: { endpoint: emulator.url },
    ...more,
  };
}

/** Resolves with the handler's job once it runs. */
function held() {
  const begun = Promise.withResolvers<HandlerJob>();
  const ended = Promise.withResolvers<void>();
  const handler: Handler = async (job) => {
    begun.resolve(job);
    await ended.promise;
    return succeeded({ summary: "late" });
  };
  return { handler, begun: begun.promise, end: ended.resolve };
}

it("tells what happens in events of plain values, until nobody listens", async () => {
  await using emulator = await startEmulator();
  await using worker = await createWorker(configFor(emulator, () => succeeded({ summary: "built" })));
  const events: PartnerdEvent[] = [];
  worker.on((event) => events.push(event));
  let starts = 0;
  const off = worker.on("job-started", () => {
    starts += 1;
  });
  await worker.start();
  const pipeline = { name: "site", stage: "Make", action: "Build" };
  const id = emulator.addJob({ actionType: build, pipeline });
  await emulator.waitForJob(id, "over");
  off();
  const second = emulator.addJob({ actionType: build });
  await new Promise<void>((resolve) => {
    worker.on("job-reported", (event) => event.job.jobId === second && resolve());
  });
  expect(await worker.stop()).toEqual({ owed: 0, results: 0, isBroken: false });
  expect(await worker.ended).toEqual({ owed: 0, results: 0, isBroken: false });
  expect(starts).toBe(1);
  const job = { jobId: id, region: "us-east-1", actionType: "Custom/Build/Acme-Build/1" };
  expect(events).toContainEqual(
    expect.objectContaining({ type: "job-started", job, pipelineName: "site", stageName: "Make", actionName: "Build" }),
  );
  expect(events).toContainEqual(
    expect.objectContaining({ type: "job-reported", job, outcome: { kind: "succeeded", summary: "built" } }),
  );
  const told = events.map(({ type }) => type);
  expect([told[0], ...told.slice(-2)]).toEqual(["worker-started", "drain-started", "drain-finished"]);
  // Plain: what they are survives a copy.
  expect(structuredClone(events)).toEqual(events);
});

it.each([
  ["a handler heeds its signal", { heeds: true, isReachable: true }, { owed: 0, results: 0 }],
  ["a handler does not", { heeds: false, isReachable: true }, { owed: 0, results: 0 }],
  ["CodePipeline takes no result", { heeds: true, isReachable: false }, { owed: 1, results: 1 }],
])("stops by its deadline when %s", async (_what, { heeds, isReachable }, held) => {
  await using emulator = await startEmulator();
  const begun = Promise.withResolvers<void>();
  const handler: Handler = (job) =>
    new Promise((_resolve, reject) => {
      begun.resolve();
      if (heeds) job.signal.addEventListener("abort", () => reject(job.signal.reason));
    });
  const shutdown = { drainTimeout: "1h", cancelGrace: "100ms", reportTimeout: "1h" };
  const worker = await createWorker(configFor(emulator, handler, { shutdown }));
  await worker.start();
  const id = emulator.addJob({ actionType: build });
  await begun.promise;
  if (!isReachable) emulator.fault({ kind: "error", code: "InternalFailure", operations: ["PutJobFailureResult"] });
  const fromMs = performance.now();
  expect(await worker.stop({ deadlineMs: 2_700 })).toEqual({ ...held, isBroken: false });
  // A hang fails by the test's own limit; this is the promise, with room for a busy machine.
  expect(performance.now() - fromMs).toBeLessThan(10_000);
  expect(emulator.job(id)?.status).toBe(isReachable ? "Failed" : "InProgress");
});

it("can be stopped at any time, and started once", async () => {
  await using emulator = await startEmulator();
  const config = configFor(emulator, () => succeeded());
  const idle = await createWorker(config);
  expect(await idle.stop()).toEqual({ owed: 0, results: 0, isBroken: false });
  await expect(idle.start()).rejects.toMatchObject({ name: "WorkerStartError", code: "start-failed" });
  const hasty = await createWorker(config);
  const starting = hasty.start();
  const [start, end] = await Promise.allSettled([starting, hasty.stop()]);
  expect(start).toMatchObject({ status: "rejected", reason: { code: "start-failed" } });
  expect(end).toMatchObject({ status: "fulfilled", value: { owed: 0 } });
  const twice = await createWorker(config);
  await Promise.all([twice.start(), twice.start()]);
  await Promise.all([twice.stop(), twice.stop(), twice[Symbol.asyncDispose]()]);
});

it("stops by its deadline while it still starts", async () => {
  await using emulator = await startEmulator();
  const module = join(folder(), "hangs.mjs");
  writeFileSync(
    module,
    "await new Promise((resolve) => setTimeout(resolve, 3_000));\nexport const handler = () => {};\n",
  );
  const config = configFor(emulator, () => succeeded(), { handlers: { build: { kind: "module", path: module } } });
  const worker = await createWorker(config);
  const start = expect(worker.start()).rejects.toMatchObject({ code: "start-failed" });
  expect(await worker.stop({ deadlineMs: 100 })).toEqual({ owed: 0, results: 0, isBroken: false });
  // Its own thread goes on until then; what it comes to is closed.
  await start;
});

it("finishes a running job before it stops", async () => {
  await using emulator = await startEmulator();
  const { handler, begun, end } = held();
  const worker = await createWorker(configFor(emulator, handler));
  await worker.start();
  const id = emulator.addJob({ actionType: build });
  const job = await begun;
  const draining = new Promise<void>((resolve) => job.draining.addEventListener("abort", () => resolve()));
  const stopping = worker.stop();
  await draining;
  end();
  expect(await stopping).toMatchObject({ owed: 0 });
  expect(emulator.job(id)?.status).toBe("Succeeded");
});

it("tells every mistake of a configuration at once, without a secret", async () => {
  const wrong = { actionTypes: [], handlers: {}, admin: { token: "short secret" } } as unknown as WorkerConfig;
  const error = await createWorker(wrong).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({
    name: "WorkerConfigError",
    code: "config-invalid",
    mistakes: [
      { where: "", what: expect.stringContaining("actionTypes is empty"), remedy: expect.any(String) },
      { where: "", what: expect.stringContaining("admin.token has 12 characters"), remedy: expect.any(String) },
    ],
  });
  expect(JSON.stringify(error) + String(error)).not.toContain("short secret");
  for (const nonsense of [null, 5, [], undefined]) {
    await expect(createWorker(nonsense as unknown as WorkerConfig)).rejects.toMatchObject({ code: "config-invalid" });
  }
});

it("reads a file with the variables over it, as the daemon does; an object stands alone", async () => {
  await using emulator = await startEmulator();
  const port = await freePort();
  const { handlers: _, ...settings } = configFor(emulator, () => succeeded());
  const file = join(folder(), "partnerd.yaml");
  writeFileSync(file, JSON.stringify(settings));
  process.env["PARTNERD_ADMIN_PORT"] = String(port);
  onTestFinished(() => void delete process.env["PARTNERD_ADMIN_PORT"]);
  await using byFile = await createWorker(file, { handlers: { build: () => succeeded() } });
  await using byObject = await createWorker({ ...settings, handlers: { build: () => succeeded() } });
  await Promise.all([byFile.start(), byObject.start()]);
  expect(byFile.adminUrl).toBe(`http://127.0.0.1:${port}`);
  expect(byObject.adminUrl).toBeUndefined();
  await expect(createWorker(`${file}.not`)).rejects.toMatchObject({
    mistakes: [{ what: expect.stringContaining("partnerd.yaml.not") }],
  });
});

it("leaves the process alone: no signal handlers, no exit, nothing that keeps it alive", async () => {
  await using emulator = await startEmulator();
  const place = folder();
  const module = join(place, "handler.mjs");
  writeFileSync(module, 'export const handler = () => ({ kind: "succeeded" });\n');
  for (const provider of ["function", "module", "command"]) {
    emulator.addActionType({ ...build, provider });
    emulator.addJob({ actionType: { ...build, provider } });
  }
  const script = fileURLToPath(new URL("../support/embedding-child.ts", import.meta.url));
  const argv = ["--import", sourceHook, script, emulator.url, place, module];
  const env = { ...process.env, NODE_OPTIONS: "", NODE_NO_WARNINGS: "1", ADMIN_PORT: String(await freePort()) };
  const child = spawn(process.execPath, argv, { stdio: ["ignore", "pipe", "pipe"], env });
  onTestFinished(() => void child.kill("SIGKILL"));
  const out = { stdout: "", stderr: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    out.stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    out.stderr += text;
  });
  const code = await new Promise((resolve) => child.once("close", resolve));
  expect({ code, stderr: out.stderr }).toEqual({ code: 0, stderr: "" });
  const said = JSON.parse(out.stdout) as Record<string, unknown>;
  expect(said).toMatchObject({ uncaught: ["a bug of the program's"], end: { owed: 0, isBroken: false } });
  expect([said["during"], said["after"]]).toEqual([said["before"], said["before"]]);
});
