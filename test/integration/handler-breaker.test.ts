// Promise: a handler that can do no job at all costs at most five of them, however many may run at once; none is
// acknowledged while it is broken, other handlers go on, and it works again by itself.

import { chmodSync, renameSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { ready } from "../../src/admin/health.js";
import type { Config, HandlerConfig } from "../../src/config/config.js";
import type { JobView } from "../../src/emulator/emulated-job.js";
import { moduleHandler } from "../support/module-handler.js";
import { startProxy } from "../support/proxy.js";
import {
  defaultRetry,
  freePort,
  type Rig,
  type RigOptions,
  scriptedHandler,
  startRig,
  thirdParty,
} from "../support/rig.js";

const breaker = { failures: 5, windowMs: 60_000 };
const healthyType = { ...thirdParty, provider: "Acme-Healthy" };
const slots = 50;

/** Fifty slots for the handler in question, and a healthy one beside it. Offers are made again soon. */
async function startBeside(handlerIn: (folder: string) => HandlerConfig, options: RigOptions = {}): Promise<Rig> {
  return startRig({
    emulator: { settings: { redeliveryMs: 1_000 } },
    actionTypes: [
      { ...thirdParty, handler: "tried", maxConcurrentJobs: slots },
      { ...healthyType, handler: "scripted", maxConcurrentJobs: slots },
    ],
    inFolder: (folder) => ({
      handlers: { tried: handlerIn(folder), scripted: { ...moduleHandler(scriptedHandler), breaker } },
    }),
    ...options,
    config: { worker: { maxConcurrentJobs: 2 * slots }, ...options.config },
  });
}

interface Broken {
  readonly handler: (folder: string) => HandlerConfig;
  readonly breaks: (folder: string) => void;
  readonly repair: (folder: string) => Promise<void>;
  readonly code: string;
}

const programIn = (folder: string) => join(folder, "build.sh");

function write(path: string, text: string, mode = 0o755): void {
  writeFileSync(path, text);
  chmodSync(path, mode);
}

const command = (folder: string): HandlerConfig => {
  write(programIn(folder), "#!/bin/sh\nexit 0\n");
  return { kind: "command", command: [programIn(folder)], env: {}, breaker };
};
const repair = async (folder: string) => write(programIn(folder), "#!/bin/sh\nexit 0\n");

const commands: readonly (readonly [string, Broken])[] = [
  [
    "whose program was removed",
    {
      handler: command,
      breaks: (folder) => renameSync(programIn(folder), join(folder, "away")),
      repair,
      code: "ENOENT",
    },
  ],
  [
    "whose interpreter is not there",
    {
      handler: command,
      breaks: (folder) => write(programIn(folder), "#!/no/such/interpreter\n"),
      repair,
      code: "ENOENT",
    },
  ],
  [
    "whose program cannot be executed",
    { handler: command, breaks: (folder) => write(programIn(folder), "#!/bin/sh\n", 0o644), repair, code: "EACCES" },
  ],
];

async function ended(rig: Rig, ids: readonly string[]): Promise<readonly JobView[]> {
  return Promise.all(ids.map((id) => rig.emulator.waitForJob(id, "over")));
}

function count(rig: Rig, ids: readonly string[], ...statuses: readonly string[]): number {
  return rig.emulator.jobs().filter(({ id, status }) => ids.includes(id) && statuses.includes(status)).length;
}

/** What is said of the broken handler, wherever somebody may look. */
function expectTold(rig: Rig, code: string): void {
  const { ready: isReady, notes } = ready(rig.daemon.status(), { writable: true });
  expect(isReady).toBe(true);
  expect(notes).toMatchObject([{ note: "handler-broken", message: expect.stringContaining("handler tried") }]);
  expect(rig.daemon.status().handlers).toMatchObject([
    { handler: "tried", state: "open", broken: { code } },
    { handler: "scripted", state: "closed" },
  ]);
  expect(rig.logs.filter(({ handler, level }) => handler === "tried" && level === "error")).toHaveLength(1);
}

describe.each(commands)("a command %s", (_what, { handler, breaks, repair, code }) => {
  it("fails five jobs, then none is acknowledged until it is there again", async () => {
    await using rig = await startBeside(handler);
    breaks(rig.folder);
    const ids = rig.emulator.addJobs({ actionType: thirdParty, count: slots });
    expect(await rig.event("handler-broken")).toMatchObject({ handler: "tried", code });
    const healthy = rig.emulator.addJobs({ actionType: healthyType, count: 20 });
    await ended(rig, healthy);
    expectTold(rig, code);
    const failed = rig.emulator.jobs({ status: "Failed" });
    expect(failed.length).toBe(breaker.failures);
    for (const job of failed) {
      expect(job.result?.document).toMatchObject({ failureDetails: { type: "SystemUnavailable" } });
    }
    expect(count(rig, ids, "InProgress")).toBe(0);
    await repair(rig.folder);
    await rig.event("handler-recovered");
    const jobs = await ended(rig, ids);
    expect(jobs.filter(({ status }) => status === "Succeeded")).toHaveLength(slots - breaker.failures);
    expect(rig.count("handler-broken")).toBe(1);
    expect(rig.emulator.violations()).toEqual([]);
  });
});

it("jobs with inputs wait for no download to learn that the program is missing", async () => {
  await using rig = await startBeside(command);
  renameSync(programIn(rig.folder), join(rig.folder, "away"));
  const ids = rig.emulator.addJobs({ actionType: thirdParty, count: slots, inputs: [{ name: "Source" }] });
  await rig.event("handler-broken");
  expect(count(rig, ids, "Failed", "InProgress")).toBeLessThanOrEqual(breaker.failures);
});

/** An http handler at a port where nobody listens yet. */
async function serviceAt(listens: (server: Server, port: number) => void) {
  const port = await freePort();
  const server = createServer((_request, answer) => void answer.end('{"kind":"succeeded"}'));
  onTestFinished(() => void server.close());
  return {
    handler: (): HandlerConfig => ({
      kind: "http",
      url: `http://127.0.0.1:${port}/jobs`,
      requestTimeoutMs: 5_000,
      breaker,
    }),
    start: () => listens(server, port),
  };
}

describe("a service that refuses connections", () => {
  it("holds five jobs, which it works once it is up, and no other is acknowledged meanwhile", async () => {
    const service = await serviceAt((server, port) => void server.listen(port, "127.0.0.1"));
    await using rig = await startBeside(service.handler);
    const ids = rig.emulator.addJobs({ actionType: thirdParty, count: slots });
    expect(await rig.event("handler-broken")).toMatchObject({ handler: "tried", code: "ECONNREFUSED" });
    await ended(rig, rig.emulator.addJobs({ actionType: healthyType, count: 20 }));
    expectTold(rig, "ECONNREFUSED");
    expect(count(rig, ids, "InProgress")).toBe(breaker.failures);
    service.start();
    await rig.event("handler-recovered");
    const jobs = await ended(rig, ids);
    expect(jobs.filter(({ status }) => status !== "Succeeded")).toEqual([]);
    expect(rig.count("handler-broken")).toBe(1);
  });

  it("fails no more than five jobs whose time is over", async () => {
    const service = await serviceAt(() => {});
    await using rig = await startBeside(service.handler, {
      actionTypes: [{ ...thirdParty, handler: "tried", maxConcurrentJobs: slots, jobTimeoutMs: 1_000 }],
    });
    const ids = rig.emulator.addJobs({ actionType: thirdParty, count: slots });
    await rig.event("handler-broken");
    await Promise.all(
      Array.from({ length: breaker.failures }, (_, n) =>
        rig.event("job-reported", ({ key }) => ids.indexOf(key.jobId) >= n),
      ),
    );
    await rig.event("poll-finished");
    expect(count(rig, ids, "InProgress", "Failed")).toBeLessThanOrEqual(breaker.failures);
    const { ready: isReady, reasons } = ready(rig.daemon.status(), { writable: true });
    expect(isReady).toBe(false);
    expect(reasons).toMatchObject([{ reason: "handler-broken" }]);
  });
});

it("a job's own failure never opens the breaker, and closes a row of faults", async () => {
  const script = 'case "$(cat)" in *ok*) exit 0;; esac; echo bad >&2; exit 1';
  await using rig = await startBeside(() => ({ kind: "command", command: ["sh", "-c", script], env: {}, breaker }));
  const ids = rig.emulator.addJobs({ actionType: thirdParty, count: 20 });
  const jobs = await ended(rig, ids);
  expect(jobs.map(({ status }) => status)).toEqual(ids.map(() => "Failed"));
  expect(rig.count("handler-broken")).toBe(0);
});

it("a handler that has just worked costs no more when it breaks: what is acknowledged already waits", async () => {
  await using rig = await startBeside(command);
  await ended(rig, rig.emulator.addJobs({ actionType: thirdParty, count: 60 }));
  renameSync(programIn(rig.folder), join(rig.folder, "away"));
  const ids = rig.emulator.addJobs({ actionType: thirdParty, count: 60 });
  await rig.event("handler-broken");
  renameSync(join(rig.folder, "away"), programIn(rig.folder));
  await rig.event("handler-recovered");
  const jobs = await ended(rig, ids);
  expect(jobs.filter(({ status }) => status === "Failed")).toHaveLength(breaker.failures);
});

it("a reload that changes the handler gives it a new start", async () => {
  await using rig = await startBeside(command);
  renameSync(programIn(rig.folder), join(rig.folder, "away"));
  const ids = rig.emulator.addJobs({ actionType: thirdParty, count: 10 });
  await rig.event("handler-broken");
  const tried: HandlerConfig = { kind: "command", command: [join(rig.folder, "away")], env: {}, breaker };
  const handlers: Config["handlers"] = { ...rig.config.handlers, tried };
  await rig.daemon.reload(async () => ({ ...rig.config, handlers }));
  await rig.event("handler-recovered");
  const jobs = await ended(rig, ids);
  expect(jobs.filter(({ status }) => status === "Succeeded")).toHaveLength(10 - breaker.failures);
});

it("a single pass ends when the handler is broken, with the jobs that are left unacknowledged", async () => {
  await using rig = await startBeside(command, { isHeld: true, config: { retry: defaultRetry } });
  renameSync(programIn(rig.folder), join(rig.folder, "away"));
  const ids = rig.emulator.addJobs({ actionType: thirdParty, count: 20 });
  await rig.daemon.worker.once({ idleEndMs: 3_000, maxJobs: Number.POSITIVE_INFINITY });
  expect(count(rig, ids, "Failed")).toBe(breaker.failures);
  expect(count(rig, ids, "InProgress", "Succeeded")).toBe(0);
});

it("counts a proxy that turns its requests away as a service that cannot be reached", async () => {
  const proxy = await startProxy(() => 1, { isGuarded: true });
  const url = "http://scan.test/jobs";
  const retry = { ...defaultRetry, handler: { ...defaultRetry.handler, maxElapsedMs: 50 } };
  await using rig = await startBeside(() => ({ kind: "http", url, requestTimeoutMs: 2_000, breaker }), {
    environment: { HTTP_PROXY: `http://${proxy.host}` },
    config: { worker: { maxConcurrentJobs: 2 * slots }, retry },
  });
  rig.emulator.addJobs({ actionType: thirdParty, count: 20 });
  expect(await rig.event("handler-broken")).toMatchObject({ code: "proxy-auth-required" });
  expect(proxy.passed).toBe(0);
});
