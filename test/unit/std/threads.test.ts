// Which threads keep process.exit waiting: found while they hang, and not any more once they are free. They hang in the
// opening of a FIFO until somebody writes to it.
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, mkdtempSync, openSync, rmSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { expect, it, onTestFinished } from "vitest";
import { Threads } from "../../../src/std/threads.js";

function fifo() {
  const folder = mkdtempSync(join(tmpdir(), "partnerd-threads-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, "fifo");
  execFileSync("mkfifo", [path]);
  return { path, write: () => closeSync(openSync(path, "w")) };
}

const long = 20_000;
const short = 100;

it("are free when nothing is under way, and when workers end as they are told to", async () => {
  const threads = new Threads();
  expect(await threads.end(long)).toBe(true);
  const worker = new Worker("for (;;);", { eval: true });
  await once(worker, "online");
  expect(await threads.end(long)).toBe(true);
});

it("are not free while a worker hangs", async () => {
  const threads = new Threads();
  const { path, write } = fifo();
  // Nothing interrupts such a call; once the file is there, the thread is in it.
  const command = `: > "${path}.started"; exec cat "${path}"`;
  const worker = new Worker(`require("node:child_process").execSync(${JSON.stringify(command)})`, { eval: true });
  await once(worker, "online");
  await expect.poll(() => existsSync(`${path}.started`)).toBe(true);
  expect(await threads.end(short)).toBe(false);
  write();
  expect(await threads.end(long)).toBe(true);
});

it("are not free while a file operation hangs", async () => {
  const threads = new Threads();
  const { path, write } = fifo();
  const opened = open(path);
  expect(await threads.end(short)).toBe(false);
  write();
  await (await opened).close();
  expect(await threads.end(long)).toBe(true);
});
