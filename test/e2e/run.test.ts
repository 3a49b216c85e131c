// Promise: `partnerd run` as a process manager sees it: what it writes where, what it survives, how it ends.
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { logEvents } from "../../src/std/log-events.js";
import {
  configFor,
  handlerModule,
  type Program,
  startProgram,
  startTestEmulator,
  thirdParty,
} from "../support/program.js";
import { freePort } from "../support/rig.js";

const succeeds = handlerModule('return { kind: "succeeded", summary: "scanned" };');
const module = { kind: "module", path: "./handler.mjs" };

/** Ends it as a process manager would. */
async function stopped(program: Program) {
  program.child.kill("SIGTERM");
  return program.ended;
}

describe("the running program", () => {
  it("works jobs, tells each story in JSON lines on stdout, and ends in 0 at SIGTERM", async () => {
    const emulator = await startTestEmulator();
    const files = { "partnerd.yaml": configFor(emulator, module), "handler.mjs": succeeds };
    const program = startProgram(["run"], { files });
    const ids = emulator.addJobs({ actionType: thirdParty, count: 12 });
    await emulator.waitFor(() => emulator.counts().Succeeded === ids.length);
    const { code, signal, err } = await stopped(program);
    expect({ code, signal, err }).toEqual({ code: 0, signal: null, err: "" });
    const lines = program.logs();
    for (const line of lines) {
      expect(line).toMatchObject({ level: expect.stringMatching(/^(info|warn|error)$/), msg: expect.any(String) });
      expect(Object.keys(logEvents)).toContain(line["event"]);
      expect(new Date(String(line["time"])).toISOString()).toBe(line["time"]);
    }
    for (const jobId of ids) {
      const story = lines.filter((line) => line["jobId"] === jobId).map((line) => line["event"]);
      expect(story).toEqual(["job-started", "job-succeeded"]);
    }
    for (const line of lines.filter(({ event }) => event === "job-succeeded")) {
      expect(line).toMatchObject({ handler: "only", durationMs: expect.any(Number) });
      expect(line).toMatchObject({ pipeline: expect.any(String), action: expect.any(String) });
    }
    expect(lines.at(0)).toMatchObject({ event: "starting" });
    expect(lines.at(-1)).toMatchObject({ event: "stopped", level: "info", owed: 0 });
    expect(emulator.violations()).toEqual([]);
  });

  it("writes for people when told so", async () => {
    const emulator = await startTestEmulator();
    const files = { "partnerd.yaml": configFor(emulator, module), "handler.mjs": succeeds };
    const program = startProgram(["run", "--log-format", "pretty"], { files });
    await program.says(/worker started/);
    const { code, out } = await stopped(program);
    expect(code).toBe(0);
    expect(out).not.toMatch(/^\{/m);
  });

  it("finds its configuration by -c and by PARTNERD_CONFIG, and takes the environment's word over it", async () => {
    const emulator = await startTestEmulator();
    const files = { "here.yaml": configFor(emulator, module), "handler.mjs": succeeds };
    for (const [argv, environment] of [
      [["run", "-c", "here.yaml"], {}],
      [["run"], { PARTNERD_CONFIG: "here.yaml" }],
    ] as const) {
      const program = startProgram(argv, {
        files,
        environment: { ...environment, PARTNERD_WORKER_MAX_CONCURRENT_JOBS: "7" },
      });
      const [line] = await program.says(/.*"worker started"/);
      expect(line).toContain('"slots":7');
      expect((await stopped(program)).code).toBe(0);
    }
  });
});

describe("a start that fails", () => {
  it("ends in 78 with every mistake on stderr, each with its place, and nothing on stdout", async () => {
    const text = [
      "regions: [us-east-1]",
      "actionTypes:",
      "  - { provider: Acme-Scan, category: Test, owner: ThirdParty, version: 1.10, handler: nobody }",
      "handlers:",
      "  scan: { kind: command, command: [./scan.sh], secret: x }",
      "polling: { minInterval: 10 }",
      "clientTokens: { source: static, tokens: { not-a-uuid: super-secret-token } }",
      "",
    ].join("\n");
    const { code, out, err } = await startProgram(["run"], { files: { "partnerd.yaml": text } }).ended;
    expect({ code, out }).toEqual({ code: 78, out: "" });
    const lines = err.trimEnd().split("\n");
    expect(lines.length).toBeGreaterThanOrEqual(5);
    for (const line of lines) expect(line).toMatch(/^partnerd\.yaml:\d+: /);
    for (const word of ["nobody", "version", "secret", "minInterval", "tokens"]) expect(err).toContain(word);
    expect(err).not.toContain("super-secret-token");
  });

  it("ends in 1 with one clear line when the admin port is taken", async () => {
    const holder = createServer();
    const port = await new Promise<number>((resolve) => {
      holder.listen(0, "127.0.0.1", () => resolve((holder.address() as { port: number }).port));
    });
    onTestFinished(() => void holder.close());
    const emulator = await startTestEmulator();
    const files = { "partnerd.yaml": configFor(emulator, module, { admin: { port } }), "handler.mjs": succeeds };
    const program = startProgram(["run"], { files });
    expect(await program.ended).toMatchObject({ code: 1, signal: null, err: "" });
    const [line, ...more] = program.logs().filter(({ level }) => level === "error");
    expect(line?.["msg"]).toMatch(
      new RegExp(`^could not start: the admin port 127\\.0\\.0\\.1:${port} is taken.*admin\\.port`),
    );
    expect(more).toEqual([]);
    expect(emulator.calls()).toEqual({});
  });

  it.each([
    ["does not exist", undefined, /handler "only": cannot read the module .*correct `path`/],
    ["throws at import", 'throw new Error("no licence");', /handler "only": .*no licence/],
    ["is no JavaScript", "export const handler = (", /handler "only": /],
    ["exports no handler", "export const work = () => {};", /handler "only": .*handler/],
    ["throws and leaves a timer behind", 'setInterval(() => {}, 1e6); throw new Error("no licence");', /no licence/],
  ])("ends in 1 with a clear line when the handler's module %s", async (_what, text, why) => {
    const emulator = await startTestEmulator();
    const files = {
      "partnerd.yaml": configFor(emulator, module),
      ...(text === undefined ? {} : { "handler.mjs": text }),
    };
    const program = startProgram(["run"], { files });
    expect(await program.ended).toMatchObject({ code: 1, signal: null, err: "" });
    const [line] = program.logs().filter(({ level }) => level === "error");
    expect(line?.["msg"]).toMatch(why);
    expect(line?.["msg"]).not.toContain("\n    at ");
    expect(emulator.calls()).toEqual({});
  });

  it("ends in 1 while another process holds the ledger, and says which", async () => {
    const emulator = await startTestEmulator();
    const ledger = { store: "sqlite", path: "./partnerd.db" };
    const files = { "partnerd.yaml": configFor(emulator, module, { ledger }), "handler.mjs": succeeds };
    const first = startProgram(["run"], { files });
    await first.logged("worker-started");
    const second = startProgram(["run"], { folder: first.folder });
    expect(await second.ended).toMatchObject({ code: 1, err: "" });
    const [line] = second.logs().filter(({ level }) => level === "error");
    expect(line?.["msg"]).toContain(String(first.child.pid));
    expect((await stopped(first)).code).toBe(0);
    const third = startProgram(["run"], { folder: first.folder });
    await third.logged("worker-started");
    expect((await stopped(third)).code).toBe(0);
  });
});

describe("when nobody reads what it writes", () => {
  const chatty = handlerModule(
    'for (let n = 0; n < 200; n++) job.log.info("x".repeat(1000)); return { kind: "succeeded" };',
  );

  it.each(["pipe", "socket"] as const)("goes on working when the reader of its %s stands still", async (unread) => {
    const emulator = await startTestEmulator();
    const files = { "partnerd.yaml": configFor(emulator, module), "handler.mjs": chatty };
    const program = startProgram(["run"], { files, unread });
    emulator.addJobs({ actionType: thirdParty, count: 30 });
    await emulator.waitFor(() => emulator.counts().Succeeded === 30);
    program.child.kill("SIGTERM");
    expect(await program.ended).toMatchObject({ code: 0, signal: null, err: "" });
  });

  it("goes on working when its reader has gone away", async () => {
    const emulator = await startTestEmulator();
    const files = { "partnerd.yaml": configFor(emulator, module), "handler.mjs": chatty };
    const program = startProgram(["run"], { files });
    await program.logged("worker-started");
    program.child.stdout?.destroy();
    program.child.stderr?.destroy();
    emulator.addJobs({ actionType: thirdParty, count: 30 });
    await emulator.waitFor(() => emulator.counts().Succeeded === 30);
    expect(await stopped(program)).toMatchObject({ code: 0, signal: null });
  });
});

describe("a module handler in its thread", () => {
  const hurts = handlerModule(
    `const { do: what, secret } = job.configuration;
     if (what === "exit") process.exit(0);
     if (what === "throw") { setTimeout(() => { throw new Error("detached one"); }, 0); await new Promise(() => {}); }
     if (what === "reject") { Promise.reject(new Error("detached one")); await new Promise(() => {}); }
     if (what === "print") {
       console.log(secret, "\\u001b[31m");
       process.stderr.write(secret + "\\nsecond line");
       process.emitWarning(secret);
       writeSync(1, secret + "\\n");
       execSync("echo " + secret, { stdio: "inherit" });
     }
     return { kind: "succeeded" };`,
    'import { execSync } from "node:child_process"; import { writeSync } from "node:fs";',
  );

  it.each([
    ["exit", "called process.exit(0)"],
    ["throw", "threw an uncaught error: detached one"],
    ["reject", "did not handle a rejected promise: detached one"],
  ])("that does this: %s, fails its own job and hurts neither the daemon nor the next job", async (what, why) => {
    const emulator = await startTestEmulator();
    const files = { "partnerd.yaml": configFor(emulator, module), "handler.mjs": hurts };
    const program = startProgram(["run"], { files });
    const bad = emulator.addJob({ actionType: thirdParty, configuration: { do: what } });
    expect(await emulator.waitForJob(bad, "over")).toMatchObject({
      status: "Failed",
      result: { document: { failureDetails: { type: "SystemUnavailable", message: expect.stringContaining(why) } } },
    });
    const next = emulator.addJob({ actionType: thirdParty });
    expect((await emulator.waitForJob(next, "over")).status).toBe("Succeeded");
    expect(await stopped(program)).toMatchObject({ code: 0, signal: null, err: "" });
    expect(program.logs()).toContainEqual(
      expect.objectContaining({
        event: "handler-thread-ended",
        handler: "only",
        jobs: 1,
        msg: expect.stringContaining(why),
      }),
    );
  });

  it("prints only masked log lines", async () => {
    const emulator = await startTestEmulator();
    const actionTypes = [{ ...thirdParty, handler: "only", secretProperties: ["secret"] }];
    const files = { "partnerd.yaml": configFor(emulator, module, { actionTypes }), "handler.mjs": hurts };
    const program = startProgram(["run"], { files });
    const configuration = { do: "print", secret: "hunter2-of-the-customer" };
    const id = emulator.addJob({ actionType: thirdParty, configuration });
    expect((await emulator.waitForJob(id, "over")).status).toBe("Succeeded");
    const { out, err } = await stopped(program);
    expect(err).toBe("");
    expect(out).not.toContain(configuration.secret);
    // Every line is JSON, or this throws. A warning is printed in the next turn: with its job, or not any more.
    const printed = program.logs().filter(({ stream }) => stream !== undefined);
    expect(printed.length).toBeGreaterThanOrEqual(5);
    for (const { jobId } of printed) expect(jobId).toBe(id);
  });
});

it("does not take the end of a module in its own thread for a stop in order", async () => {
  const emulator = await startTestEmulator();
  const unsafe = { ...module, isolation: "none" };
  const files = { "partnerd.yaml": configFor(emulator, unsafe), "handler.mjs": handlerModule("process.exit(0);") };
  const program = startProgram(["run"], { files });
  emulator.addJob({ actionType: thirdParty });
  expect(await program.ended).toMatchObject({ code: 75, err: expect.stringContaining("called process.exit()") });
});

describe("a module handler in the daemon's thread that forgets its errors", () => {
  it.each([
    ["a detached promise that rejects", 'Promise.reject(new Error("detached one"));'],
    ["a throw in a timer", 'setTimeout(() => { throw new Error("detached one"); }, 0);'],
    [
      "a throw in an event listener",
      'setImmediate(() => new EventTarget().dispatchEvent(new Event("x"))); process.nextTick(() => { throw new Error("detached one"); });',
    ],
    ["a rejection with nothing", "Promise.reject(); Promise.reject(new Error('detached one'));"],
  ])("(%s) brings down neither the daemon nor another job", async (_what, stray) => {
    const emulator = await startTestEmulator();
    const body = `if (job.configuration.do === "stray") { ${stray} }\nreturn { kind: "succeeded" };`;
    const unsafe = { ...module, isolation: "none" };
    const files = { "partnerd.yaml": configFor(emulator, unsafe), "handler.mjs": handlerModule(body) };
    const program = startProgram(["run"], { files });
    const stray_ = emulator.addJobs({ actionType: thirdParty, count: 5, configuration: { do: "stray" } });
    await program.says(/detached one/);
    const later = emulator.addJobs({ actionType: thirdParty, count: 5 });
    await emulator.waitFor(() => emulator.counts().Succeeded === stray_.length + later.length);
    expect(await stopped(program)).toMatchObject({ code: 0, signal: null, err: "" });
    const strays = program.logs().filter((line) => line["event"] === "unhandled-error");
    expect(strays.length).toBeGreaterThanOrEqual(5);
    for (const line of strays) expect(line["level"]).toBe("error");
  });
});

it("answers its probes while it works and is no longer there after the end", async () => {
  const emulator = await startTestEmulator();
  const port = await freePort();
  const files = { "partnerd.yaml": configFor(emulator, module, { admin: { port } }), "handler.mjs": succeeds };
  const program = startProgram(["run"], { files });
  await program.logged("worker-started");
  expect((await fetch(`http://127.0.0.1:${port}/livez`)).status).toBe(200);
  const healthy = startProgram(["healthcheck"], { folder: program.folder });
  expect(await healthy.ended).toMatchObject({ code: 0, err: "" });
  expect((await stopped(program)).code).toBe(0);
  await expect(fetch(`http://127.0.0.1:${port}/livez`)).rejects.toThrow();
  const gone = startProgram(["healthcheck"], { folder: program.folder });
  expect((await gone.ended).code).toBe(1);
});

it("takes up after a kill what it owed, and reports it once", async () => {
  const emulator = await startTestEmulator();
  const ledger = { store: "sqlite", path: "./partnerd.db" };
  const files = { "partnerd.yaml": configFor(emulator, module, { ledger }), "handler.mjs": succeeds };
  const { remove } = emulator.fault({ kind: "unavailable", operations: ["PutThirdPartyJobSuccessResult"] });
  const first = startProgram(["run"], { files });
  const id = emulator.addJob({ actionType: thirdParty });
  await emulator.waitForEvent((event) => event.type === "call-answered" && event.status === 503);
  first.child.kill("SIGKILL");
  await first.ended;
  remove();
  const second = startProgram(["run", "-c", join(first.folder, "partnerd.yaml")]);
  const job = await emulator.waitForJob(id, "over");
  expect(job).toMatchObject({ status: "Succeeded", counts: { acknowledges: 1 } });
  await second.logged("job-succeeded");
  expect(await stopped(second)).toMatchObject({ code: 0 });
  expect(second.logs().some((line) => line["event"] === "job-recovered")).toBe(true);
  expect(emulator.violations()).toEqual([]);
});

it("drains and ends in 0 after --exit-after-uptime", async () => {
  const emulator = await startTestEmulator();
  const files = { "partnerd.yaml": configFor(emulator, module), "handler.mjs": succeeds };
  const id = emulator.addJob({ actionType: thirdParty });
  const program = startProgram(["run", "--exit-after-uptime", "2s"], { files });
  expect(await program.ended).toMatchObject({ code: 0, signal: null, err: "" });
  const events = program.logs().map((line) => line["event"]);
  expect(events.slice(events.indexOf("uptime-reached"))).toEqual(["uptime-reached", "drain-started", "stopped"]);
  expect(emulator.job(id)?.status).toBe("Succeeded");
  for (const [value, why] of [
    ["0s", "1s is the minimum"],
    ["577h", "576h is the maximum"],
    ["12", "Write 12s"],
  ] as const) {
    const { code, err } = await startProgram(["run", "--exit-after-uptime", value], { files }).ended;
    expect([code, err]).toEqual([64, expect.stringContaining(why)]);
  }
});
