// Promise: startWorker works the jobs of an emulator in the test's own process, with handlers as functions, and leaves
// nothing behind.
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { continued, type Handler, succeeded, type WorkerConfig } from "../../src/index.js";
import { startEmulator, startWorker } from "../../src/testkit/index.js";

const build = { category: "Build", owner: "Custom", provider: "Acme-Build", version: "1" } as const;
const scan = { category: "Test", owner: "ThirdParty", provider: "Acme-Scan", version: "1" } as const;

function config(handler: Handler, more: Partial<WorkerConfig> = {}): WorkerConfig {
  const actionTypes = [build, scan].map((type) => ({ ...type, handler: "only" }));
  return { actionTypes, handlers: { only: handler }, ...more };
}

// Workers of other files come and go beside this one.
const place = mkdtempSync(join(tmpdir(), "partnerd-own-"));
beforeAll(() => void vi.stubEnv("TMPDIR", place));
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(place, { recursive: true, force: true });
});

const folders = () => readdirSync(place).filter((name) => name.startsWith("partnerd-worker-"));

it("works jobs of both owners, and their chains", async () => {
  await using emulator = await startEmulator({ settings: { continuationDelayMs: 10 } });
  const before = folders().length;
  const handler: Handler = ({ configuration, continuationToken }) =>
    configuration["Steps"] === "2" && continuationToken === undefined
      ? continued("2")
      : succeeded({ summary: `built ${configuration["Target"] ?? ""}` });
  {
    await using worker = await startWorker(emulator, config(handler));
    const first = emulator.addJob({ actionType: build, configuration: { Target: "main" } });
    const chain = emulator.addJob({ actionType: scan, configuration: { Steps: "2" } });
    expect(await emulator.waitForJob(first, "over")).toMatchObject({
      status: "Succeeded",
      result: { document: { executionDetails: { summary: "built main" } } },
    });
    await emulator.waitFor(() => emulator.lastJob(chain)?.continues !== undefined);
    await emulator.waitFor(() => emulator.lastJob(chain)?.status === "Succeeded");
    expect(worker.adminUrl).toBeUndefined();
    expect(await worker.stop()).toEqual({ owed: 0, results: 0, isBroken: false });
  }
  expect(emulator.violations()).toEqual([]);
  expect(folders().length).toBe(before);
});

it("hands artifacts in and takes them out", async () => {
  await using emulator = await startEmulator();
  emulator.addActionType({ ...build, inputs: { minimumCount: 0, maximumCount: 5 } });
  await using _ = await startWorker(
    emulator,
    config(async (job) => {
      const text = await readFile(join(await job.input("Source"), "a.txt"), "utf8");
      await writeFile(join(await job.folder(), "b.txt"), text.toUpperCase());
      await job.output("Report", ".");
      return succeeded();
    }),
  );
  const id = emulator.addJob({
    actionType: build,
    inputs: [{ name: "Source", files: { "a.txt": "hello" } }],
    outputs: [{ name: "Report" }],
  });
  const job = await emulator.waitForJob(id, "over");
  expect(job).toMatchObject({ status: "Succeeded", outputs: [{ name: "Report", uploaded: { byJob: id } }] });
});

it("writes its log where it is told to", async () => {
  await using emulator = await startEmulator();
  const lines: string[] = [];
  await using worker = await startWorker(
    emulator,
    config((job) => {
      job.log.info("hello", { of: job.jobId });
      return succeeded();
    }),
    { log: { write: (line) => lines.push(line) } },
  );
  const id = emulator.addJob({ actionType: build });
  await emulator.waitForJob(id, "over");
  await worker.stop();
  expect(lines.map((line) => JSON.parse(line))).toContainEqual(
    expect.objectContaining({ event: "handler-log", msg: "hello", of: id, jobId: id }),
  );
});

it("fails to start with a typed error, and leaves nothing", async () => {
  await using emulator = await startEmulator();
  const before = folders().length;
  const wrong = config(() => succeeded(), { handlers: { other: () => succeeded() } });
  await expect(startWorker(emulator, wrong)).rejects.toMatchObject({ code: "config-invalid" });
  const missing = config(() => succeeded(), { handlers: { only: { kind: "module", path: "/nowhere.mjs" } } });
  await expect(startWorker(emulator, missing)).rejects.toMatchObject({
    code: "start-failed",
    message: expect.stringMatching(/handler "only".*\/nowhere\.mjs/),
  });
  expect(folders().length).toBe(before);
});
