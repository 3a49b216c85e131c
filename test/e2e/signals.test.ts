// Promise: signals are requests with known answers: the first SIGTERM or SIGINT drains, a second one aborts the
// handlers, a third ends at once; SIGHUP reads the configuration again, SIGUSR2 tells what is going on.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { describe, expect, it, onTestFinished } from "vitest";
import { signalGroup } from "../../src/std/process-tree.js";
import { startService } from "../fixtures/handlers/service.js";
import {
  configFor,
  handlerModule,
  startProgram,
  startTestEmulator,
  thirdParty,
  toldTwice,
} from "../support/program.js";

/** Signals closer together than a second are one wish. */
const nextWish = () => pause(1_100);

const module = { kind: "module", path: "./handler.mjs" };
/** Stops when it is told to, and says so. */
const obedient = handlerModule(`
  job.log.info("at work");
  await new Promise((resolve) => job.signal.addEventListener("abort", resolve));
  job.log.info("told to stop");
  throw job.signal.reason;
`);
/** Works on, whatever it is told, and keeps the process busy. */
const deaf = handlerModule(`
  job.log.info("at work");
  setInterval(() => {}, 10);
  await new Promise(() => {});
`);

/** A program with one job under way, whose handler is a service in the test's hands. */
async function startWithService(more: Readonly<Record<string, unknown>> = {}) {
  const emulator = await startTestEmulator();
  const finish = Promise.withResolvers<void>();
  const service = await startService({
    jobs: async (_request, answer) => {
      await finish.promise;
      answer.end('{"kind":"succeeded"}');
    },
  });
  onTestFinished(() => service.close());
  const files = { "partnerd.yaml": configFor(emulator, { kind: "http", url: `${service.url}/jobs` }, more) };
  const program = startProgram(["run"], { files });
  const id = emulator.addJob({ actionType: thirdParty });
  await service.request(1);
  return { emulator, program, id, finish: finish.resolve };
}

async function startWithModule(text: string, more: Readonly<Record<string, unknown>> = {}) {
  const emulator = await startTestEmulator();
  const files = { "partnerd.yaml": configFor(emulator, module, more), "handler.mjs": text };
  const program = startProgram(["run"], { files });
  const id = emulator.addJob({ actionType: thirdParty });
  await program.says(/"at work"/);
  return { emulator, program, id };
}

describe.each(["SIGTERM", "SIGINT"] as const)("%s", (signal) => {
  it("once: takes nothing more, waits for the job that runs, reports it and ends in 0", async () => {
    const { emulator, program, id, finish } = await startWithService();
    program.child.kill(signal);
    await program.logged("drain-started");
    const later = emulator.addJob({ actionType: thirdParty });
    finish();
    expect(await program.ended).toMatchObject({ code: 0, signal: null, err: "" });
    expect(emulator.job(id)?.status).toBe("Succeeded");
    expect(emulator.job(later)).toMatchObject({ status: "Queued", counts: { offers: 0 } });
    expect(program.logs().find((line) => line["event"] === "stop-requested")).toMatchObject({ signal });
  });

  it("twice within a second: is one wish", async () => {
    const { emulator, program, id, finish } = await startWithService();
    program.child.kill(signal);
    await program.logged("drain-started");
    for (let n = 0; n < 5; n++) program.child.kill(signal);
    program.child.kill("SIGUSR2");
    // Signals arrive in order of their handling; by the dump all of them were heard.
    await program.logged("status");
    finish();
    expect(await program.ended).toMatchObject({ code: 0 });
    expect(emulator.job(id)?.status).toBe("Succeeded");
    expect(program.logs().some((line) => line["event"] === "handlers-stopping")).toBe(false);
  });

  it("twice: aborts the handlers, reports the jobs as failed and ends in 0", async () => {
    const { emulator, program, id } = await startWithModule(obedient, { shutdown: { drainTimeout: "10m" } });
    program.child.kill(signal);
    await program.logged("drain-started");
    await nextWish();
    program.child.kill(signal);
    expect(await program.ended).toMatchObject({ code: 0, signal: null, err: "" });
    expect(program.logs().map((line) => line["event"])).toContain("handlers-stopping");
    expect(emulator.job(id)).toMatchObject({ status: "Failed" });
    expect(emulator.job(id)?.result?.document).toMatchObject({ failureDetails: { type: "SystemUnavailable" } });
  });

  it("three times: ends at once, in 75, with a handler that hears nothing", async () => {
    const more = {
      shutdown: { drainTimeout: "10m", cancelGrace: "10m" },
      ledger: { store: "sqlite", path: "./partnerd.db" },
    };
    const { emulator, program, id } = await startWithModule(deaf, more);
    program.child.kill(signal);
    await program.logged("drain-started");
    await nextWish();
    program.child.kill(signal);
    await program.logged("handlers-stopping");
    await nextWish();
    program.child.kill(signal);
    expect(await program.ended).toMatchObject({ code: 75, signal: null, err: "" });
    expect(program.logs().at(-1)).toMatchObject({
      level: "error",
      event: "stopped",
      owed: 1,
      results: 0,
    });
    expect(emulator.job(id)?.status).toBe("InProgress");
    // What was left is in the ledger: the next start brings it to its end.
    const next = startProgram(["run"], { folder: program.folder });
    const job = await emulator.waitForJob(id, "over");
    expect(job).toMatchObject({ status: "Failed", counts: { acknowledges: 1 } });
    await next.logged("job-failed");
    next.child.kill("SIGTERM");
    expect(await next.ended).toMatchObject({ code: 0 });
  });
});

it("kills at the third a command that ignores SIGTERM", async () => {
  const emulator = await startTestEmulator();
  const script = "trap '' TERM; echo group $$; while :; do sleep 0.05; done";
  const more = { shutdown: { drainTimeout: "10m", cancelGrace: "10m" } };
  const handler = { kind: "command", command: ["/bin/sh", "-c", script] };
  const program = startProgram(["run"], { files: { "partnerd.yaml": configFor(emulator, handler, more) } });
  emulator.addJob({ actionType: thirdParty });
  await program.says(/"group \d+"/);
  const group = Number(
    /"group (\d+)"/.exec(
      program
        .logs()
        .map((line) => `"${line["msg"]}"`)
        .join(),
    )?.[1],
  );
  onTestFinished(() => void signalGroup(group, "SIGKILL"));
  await toldTwice(program);
  expect(isAtWork(group)).toBe(true);
  program.child.kill("SIGTERM");
  expect(await program.ended).toMatchObject({ signal: null });
  await expect.poll(() => isAtWork(group)).toBe(false);
});

/** Whether the process lives; one that is dead but that init has not looked at does not. */
function isAtWork(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}

it("ends after the drain's limits with a handler that hears nothing, and leaves nothing owed", async () => {
  const { emulator, program, id } = await startWithModule(deaf, {
    shutdown: { drainTimeout: "100ms", cancelGrace: "100ms" },
  });
  program.child.kill("SIGTERM");
  expect(await program.ended).toMatchObject({ code: 0, signal: null, err: "" });
  expect(emulator.job(id)).toMatchObject({ status: "Failed", counts: { results: 1 } });
});

it("ends in 75 when CodePipeline takes no result, and the next start pays what is owed", async () => {
  const { emulator, program, id, finish } = await startWithService({
    ledger: { store: "sqlite", path: "./partnerd.db" },
    shutdown: { drainTimeout: "200ms", cancelGrace: "100ms", reportTimeout: "200ms" },
  });
  const { remove } = emulator.fault({ kind: "unavailable" });
  finish();
  await program.logged("call-retried");
  program.child.kill("SIGTERM");
  expect(await program.ended).toMatchObject({ code: 75, signal: null, err: "" });
  expect(program.logs().at(-1)).toMatchObject({ level: "error", owed: 1 });
  remove();
  const next = startProgram(["run"], { folder: program.folder });
  const job = await emulator.waitForJob(id, "over");
  expect(job).toMatchObject({ status: "Succeeded", counts: { acknowledges: 1, results: 1 } });
  await next.logged("job-succeeded");
  next.child.kill("SIGTERM");
  expect(await next.ended).toMatchObject({ code: 0 });
});

describe("SIGUSR1", () => {
  it("opens no inspector, and changes nothing", async () => {
    const { program, finish } = await startWithService();
    for (let n = 0; n < 3; n++) program.child.kill("SIGUSR1");
    // Node would tell of its inspector on stderr, some time after the signal.
    await nextWish();
    program.child.kill("SIGUSR2");
    await program.says(/"status"/);
    finish();
    program.child.kill("SIGTERM");
    expect(await program.ended).toMatchObject({ code: 0, signal: null, err: "" });
  });
});

describe("SIGHUP", () => {
  it("reads the configuration again, says what came of it, and interrupts nothing", async () => {
    const { emulator, program, id, finish } = await startWithService();
    const file = join(program.folder, "partnerd.yaml");
    program.child.kill("SIGHUP");
    await program.says(/"reload-finished","applied":\[\],"needsRestart":\[\]/);
    writeFileSync(join(program.folder, "new.mjs"), handlerModule(`return { kind: "succeeded", summary: "new" };`));
    writeFileSync(file, configFor(emulator, { kind: "module", path: "./new.mjs" }));
    program.child.kill("SIGHUP");
    const [line] = await program.says(/.*"reload-finished","applied":\["handlers".*/);
    expect(JSON.parse(line)).toMatchObject({ applied: ["handlers", "handler modules"] });
    writeFileSync(file, "colour: red\n");
    program.child.kill("SIGHUP");
    const refused = await program.logged("reload-rejected");
    expect(refused).toContain("colour");
    finish();
    expect((await emulator.waitForJob(id, "over")).status).toBe("Succeeded");
    const next = emulator.addJob({ actionType: thirdParty });
    expect((await emulator.waitForJob(next, "over")).status).toBe("Succeeded");
    await program.says(/"summary":"new"/);
    program.child.kill("SIGTERM");
    expect(await program.ended).toMatchObject({ code: 0, err: "" });
  });

  it("tells of what is doubtful in the configuration, as the start does", async () => {
    const { emulator, program, finish } = await startWithService();
    const doubtful = configFor(
      emulator,
      { kind: "http", url: "http://127.0.0.1:9/jobs" },
      { ledger: { store: "memory", lease: "30s" } },
    );
    writeFileSync(join(program.folder, "partnerd.yaml"), doubtful);
    program.child.kill("SIGHUP");
    const line = await program.logged("reload-warning");
    expect(JSON.parse(line)).toMatchObject({
      level: "warn",
      msg: expect.stringMatching(/ledger.lease has no effect with store: memory; write store: dynamodb/),
    });
    finish();
    program.child.kill("SIGTERM");
    expect(await program.ended).toMatchObject({ code: 0, err: "" });
  });

  it("loads a changed module anew, while a job that runs ends in the old one", async () => {
    const emulator = await startTestEmulator();
    const says = (word: string) =>
      `await new Promise((go) => { if (job.configuration.wait) job.draining.addEventListener("abort", go); else go(); });
      return { kind: "succeeded", summary: word };`.replace("word", JSON.stringify(word));
    const files = { "partnerd.yaml": configFor(emulator, module), "handler.mjs": handlerModule(says("old")) };
    const program = startProgram(["run"], { files });
    const waits = emulator.addJob({ actionType: thirdParty, configuration: { wait: "yes" } });
    await program.logged("job-started");
    writeFileSync(join(program.folder, "handler.mjs"), handlerModule("throw new SyntaxError("));
    program.child.kill("SIGHUP");
    await program.logged("reload-rejected");
    writeFileSync(join(program.folder, "handler.mjs"), handlerModule(says("new")));
    program.child.kill("SIGHUP");
    await program.says(/"reload-finished","applied":\["handler modules"\]/);
    const next = emulator.addJob({ actionType: thirdParty });
    await emulator.waitForJob(next, "over");
    program.child.kill("SIGTERM");
    expect(await program.ended).toMatchObject({ code: 0, err: "" });
    for (const [id, summary] of [
      [next, "new"],
      [waits, "old"],
    ] as const) {
      expect(emulator.job(id)?.result?.document).toMatchObject({ executionDetails: { summary } });
    }
  });

  it("may bring the first module handler, and what that forgets brings down no daemon either", async () => {
    const { emulator, program, id, finish } = await startWithService();
    const forgets = `Promise.reject(new Error("detached one")); return { kind: "succeeded" };`;
    writeFileSync(join(program.folder, "handler.mjs"), handlerModule(forgets));
    const unsafe = { ...module, isolation: "none" };
    writeFileSync(join(program.folder, "partnerd.yaml"), configFor(emulator, unsafe));
    program.child.kill("SIGHUP");
    await program.says(/"reload-finished","applied":\["handlers"/);
    const next = emulator.addJob({ actionType: thirdParty });
    await program.says(/detached one/);
    const later = emulator.addJob({ actionType: thirdParty });
    for (const each of [next, later]) expect((await emulator.waitForJob(each, "over")).status).toBe("Succeeded");
    finish();
    expect((await emulator.waitForJob(id, "over")).status).toBe("Succeeded");
    program.child.kill("SIGTERM");
    expect(await program.ended).toMatchObject({ code: 0, err: "" });
  });
});

describe("while the daemon starts", () => {
  /** A program whose module handler is being loaded, and loads for ever unless a file called `go` is there. */
  async function startSlowly() {
    const emulator = await startTestEmulator();
    const waits = `
      import { existsSync } from "node:fs";
      process.stderr.write("loading\\n");
      while (!existsSync(new URL("go", import.meta.url))) await new Promise((resolve) => setTimeout(resolve, 10));`;
    const files = {
      "partnerd.yaml": configFor(emulator, module),
      "handler.mjs": handlerModule(`return { kind: "succeeded" };`, waits),
    };
    const program = startProgram(["run"], { files });
    await program.says(/loading/);
    return { emulator, program };
  }

  it.each(["SIGTERM", "SIGINT"] as const)("%s ends it in 0: nothing was begun", async (signal) => {
    const { program } = await startSlowly();
    program.child.kill(signal);
    expect(await program.ended).toMatchObject({ code: 0, signal: null });
    expect(program.logs().at(-1)).toMatchObject({ signal, event: "stopped", owed: 0 });
  });

  it("SIGTERM ends it in 75 when the ledger holds a job of an earlier process", async () => {
    const more = { ledger: { store: "sqlite", path: "./partnerd.db" } };
    const { emulator, program } = await startWithModule(deaf, more);
    program.child.kill("SIGKILL");
    await program.ended;
    const slow = handlerModule(
      "",
      `process.stderr.write("loading\\n"); await new Promise(() => setInterval(() => {}, 10));`,
    );
    const files = { "partnerd.yaml": configFor(emulator, module, more), "handler.mjs": slow };
    const next = startProgram(["run"], { folder: program.folder, files });
    await next.says(/loading/);
    next.child.kill("SIGTERM");
    expect(await next.ended).toMatchObject({ code: 75, signal: null });
    expect(next.logs().at(-1)).toMatchObject({
      level: "error",
      event: "stopped",
      owed: 1,
    });
  });

  it("SIGHUP and SIGUSR2 do it no harm, and the configuration is read again when it has started", async () => {
    const { emulator, program } = await startSlowly();
    program.child.kill("SIGHUP");
    program.child.kill("SIGUSR2");
    await program.logged("status");
    writeFileSync(
      join(program.folder, "partnerd.yaml"),
      configFor(emulator, module, { worker: { maxConcurrentJobs: 7 } }),
    );
    writeFileSync(join(program.folder, "go"), "");
    await program.says(/"reload-finished","applied":\[[^\]]*"worker"/);
    program.child.kill("SIGTERM");
    expect(await program.ended).toMatchObject({ code: 0, signal: null });
  });
});

describe("SIGUSR2", () => {
  it("logs slots, pollers and each job, as often as it is sent, and interrupts nothing", async () => {
    const { emulator, program, id, finish } = await startWithService();
    program.child.kill("SIGUSR2");
    await program.logged("job-status");
    const lines = program.logs();
    expect(lines.find((line) => line["event"] === "status")).toMatchObject({ jobs: 1, pollers: 1, slots: { max: 50 } });
    expect(lines.find((line) => line["event"] === "poller-status")).toMatchObject({ region: "us-east-1" });
    expect(lines.find((line) => line["event"] === "job-status")).toMatchObject({ jobId: id, state: "running" });
    finish();
    await emulator.waitForJob(id, "over");
    program.child.kill("SIGTERM");
    expect(await program.ended).toMatchObject({ code: 0, err: "" });
  });
});

describe("once", () => {
  it("drains at SIGTERM as the daemon does", async () => {
    const emulator = await startTestEmulator();
    const files = { "partnerd.yaml": configFor(emulator, module), "handler.mjs": obedientToDrain };
    const program = startProgram(["once", "--wait", "10m"], { files });
    const id = emulator.addJob({ actionType: thirdParty });
    await program.complains(/"at work"/);
    program.child.kill("SIGTERM");
    expect(await program.ended).toMatchObject({ code: 0, signal: null, out: "" });
    expect(emulator.job(id)?.status).toBe("Succeeded");
  });

  it.each([
    [[], 0],
    [["--job-outcome-status"], 3],
  ])("with %o ends in %i after a job that failed, with its log on stderr alone", async (flags, code) => {
    const emulator = await startTestEmulator();
    const text = handlerModule('return { kind: "failed", message: "no" };');
    const files = { "partnerd.yaml": configFor(emulator, module), "handler.mjs": text };
    emulator.addJob({ actionType: thirdParty });
    const program = startProgram(["once", ...flags], { files });
    expect(await program.ended).toMatchObject({
      code,
      signal: null,
      out: "",
      err: expect.stringContaining("job failed"),
    });
  });

  it("ends in 1 when nobody answers", async () => {
    const emulator = await startTestEmulator();
    const files = {
      "partnerd.yaml": configFor(emulator, module, { retry: { poll: { minDelay: "10ms", maxDelay: "20ms" } } }),
      "handler.mjs": obedient,
    };
    emulator.fault({ kind: "reset" });
    const program = startProgram(["once"], { files });
    expect(await program.ended).toMatchObject({
      code: 1,
      out: "",
      err: expect.stringContaining("PollForThirdPartyJobs failed"),
    });
  });
});

/** Ends its work well as soon as a drain begins. */
const obedientToDrain = handlerModule(`
  job.log.info("at work");
  if (!job.draining.aborted) await new Promise((resolve) => job.draining.addEventListener("abort", resolve));
  return { kind: "succeeded" };
`);
