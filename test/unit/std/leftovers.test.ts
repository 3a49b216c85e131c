// Processes found by their environment while other work goes on: real ones, and a /proc of the test's that hangs.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import { afterEach, describe, expect, it, onTestFinished } from "vitest";
import { systemClock } from "../../../src/std/clock.js";
import { Leftovers } from "../../../src/std/leftovers.js";
import { FakeClock } from "../../support/fake-clock.js";

const variable = "PARTNERD_TEST_MARK";
const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

/** A process with this mark that has said that it runs; in a session of its own. */
async function marked(value: string | undefined, script = "echo up; exec sleep 60"): Promise<ChildProcess> {
  const env = { PATH: process.env["PATH"], ...(value === undefined ? {} : { [variable]: value }) };
  const child = spawn("sh", ["-c", script], { env, detached: true, stdio: ["ignore", "pipe", "ignore"] });
  children.push(child);
  await once(child.stdout as NodeJS.ReadableStream, "data");
  return child;
}

async function isKilled(child: ChildProcess): Promise<boolean> {
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  return child.signalCode === "SIGKILL";
}

function lives(child: ChildProcess): boolean {
  return child.exitCode === null && child.signalCode === null;
}

describe("leftovers", () => {
  it("are those whose mark is exactly this one", async () => {
    const leftovers = new Leftovers({ variable, clock: systemClock });
    const [mine, longer, shorter, none] = await Promise.all([
      marked("/run/job-1"),
      marked("/run/job-10"),
      marked("/run/job-"),
      marked(undefined),
    ]);
    expect(await leftovers.kill("/run/job-1")).toBe(1);
    expect(await isKilled(mine)).toBe(true);
    expect([longer, shorter, none].map(lives)).toEqual([true, true, true]);
    expect(await leftovers.kill("/run/job-1")).toBe(0);
  });

  it("are found though a search before met them as somebody else's", async () => {
    const leftovers = new Leftovers({ variable, clock: systemClock });
    const other = await marked("/run/job-2");
    expect(await leftovers.kill("/run/job-1")).toBe(0);
    expect(await leftovers.kill("/run/job-2")).toBe(1);
    expect(await isKilled(other)).toBe(true);
  });

  it("are told to each who asked, whoever shares the search", async () => {
    const leftovers = new Leftovers({ variable, clock: systemClock });
    const jobs = ["/run/a", "/run/b", "/run/c"];
    const all = await Promise.all([...jobs, "/run/b"].map((job) => marked(job)));
    const killed = await Promise.all([...jobs, "/run/d"].map((job) => leftovers.kill(job)));
    expect(killed).toEqual([1, 2, 1, 0]);
    expect(await Promise.all(all.map(isKilled))).toEqual([true, true, true, true]);
  });

  it("are killed with the children that they make meanwhile", async () => {
    const leftovers = new Leftovers({ variable, clock: systemClock });
    const forking = await marked("/run/forks", "echo up; while :; do sleep 0.3 & sleep 0.001; done");
    expect(await leftovers.kill("/run/forks")).toBeGreaterThanOrEqual(1);
    expect(await isKilled(forking)).toBe(true);
    expect(await leftovers.kill("/run/forks")).toBe(0);
  });

  it("are none where there is no /proc, and no timer is left", async () => {
    const clock = new FakeClock();
    const leftovers = new Leftovers({ variable, clock, proc: "/nowhere" });
    expect(await leftovers.kill("/run/job-1")).toBe(0);
    expect(clock.pending).toBe(0);
  });

  it("are given up when a process hangs the search, and nobody else is kept waiting until it goes on", async () => {
    const proc = mkdtempSync(join(tmpdir(), "partnerd-proc-"));
    onTestFinished(() => rmSync(proc, { recursive: true, force: true }));
    mkdirSync(join(proc, "11"));
    mkdirSync(join(proc, "12"));
    writeFileSync(join(proc, "11", "environ"), "PATH=/bin\0");
    execFileSync("mkfifo", [join(proc, "12", "environ")]);
    const clock = new FakeClock();
    const leftovers = new Leftovers({ variable, clock, proc });
    const first = leftovers.kill("/run/job-1");
    await clock.advance(1_000);
    expect(await first).toBe(0);
    // At once, without the clock.
    expect(await leftovers.kill("/run/job-2")).toBe(0);
    expect(clock.pending).toBe(0);
    const fifo = await open(join(proc, "12", "environ"), "w");
    await fifo.close();
    rmSync(join(proc, "12"), { recursive: true });
    // The search that hung has ended; a new one is made.
    const child = await marked("/run/job-3");
    const folder = join(proc, String(child.pid));
    mkdirSync(folder);
    writeFileSync(join(folder, "environ"), `${variable}=/run/job-3\0`);
    child.once("exit", () => rmSync(folder, { recursive: true }));
    let killed = 0;
    const asking = (async () => {
      for (; killed === 0; await turn()) killed = await leftovers.kill("/run/job-3");
    })();
    await expect.poll(() => clock.advance(10).then(() => killed)).toBe(1);
    await asking;
    expect(await isKilled(child)).toBe(true);
  });
});
