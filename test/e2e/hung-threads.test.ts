// Promise: the process ends in time and with its code although threads of it hang in the kernel for ever, as on a disk
// that is gone. Here they open a FIFO that nobody writes to.
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { expect, it } from "vitest";
import {
  configFor,
  handlerModule,
  startProgram,
  startTestEmulator,
  testFolder,
  thirdParty,
  toldTwice,
} from "../support/program.js";

const module = { kind: "module", path: "./handler.mjs" };
const aWorker = `
  const { promise, resolve } = Promise.withResolvers();
  const text = 'require("node:worker_threads").parentPort.postMessage(1); require("node:fs").openSync("fifo");';
  new Worker(text, { eval: true }).once("message", resolve).unref();
  await promise;`;
const fileOperations = `for (let n = 0; n < 8; n++) void open("fifo").catch(() => {});`;
const imports = `import { open } from "node:fs/promises"; import { Worker } from "node:worker_threads";`;

async function start(body: string, more: object = {}, head = "") {
  const emulator = await startTestEmulator();
  const folder = testFolder();
  execFileSync("mkfifo", [join(folder, "fifo")]);
  const files = {
    "partnerd.yaml": configFor(emulator, module, { ...more }),
    "handler.mjs": handlerModule(body, `${imports}\n${head}`),
  };
  const program = startProgram(["run"], { folder, files });
  return { emulator, program };
}

const deaf = `job.log.info("at work"); await new Promise(() => {});`;
const good = `return { kind: "succeeded" };`;
const limits = { shutdown: { drainTimeout: "10m", cancelGrace: "10m" } };

it.each([
  ["a worker", aWorker],
  ["file operations", fileOperations],
])("ends in 0 when nothing is owed: %s hangs", async (_what, hang) => {
  const { emulator, program } = await start(`${hang} ${good}`);
  const id = emulator.addJob({ actionType: thirdParty });
  await emulator.waitForJob(id, "over");
  await program.logged("job-succeeded");
  program.child.kill("SIGTERM");
  expect(await program.ended).toMatchObject({ code: 0, signal: null, err: "" });
  expect(program.logs()).toContainEqual(expect.objectContaining({ event: "stopped", level: "info", owed: 0 }));
});

it.each([
  ["a worker", aWorker],
  ["file operations", fileOperations],
])("ends in 75 at the third signal: %s hangs", async (_what, hang) => {
  const { emulator, program } = await start(`${hang} ${deaf}`, limits);
  emulator.addJob({ actionType: thirdParty });
  await program.says(/"at work"/);
  await toldTwice(program);
  program.child.kill("SIGTERM");
  expect(await program.ended).toMatchObject({ code: 75, signal: null, err: "" });
});

it.each([
  ["a worker", aWorker],
  ["file operations", fileOperations],
])("ends a start that never comes to an end: %s hangs", async (_what, hang) => {
  const { program } = await start(good, {}, `${hang} process.stderr.write("loading\\n"); await new Promise(() => {});`);
  await program.says(/loading/);
  program.child.kill("SIGTERM");
  expect(await program.ended).toMatchObject({ code: 0, signal: null, err: "" });
});
