import { execFileSync } from "node:child_process";
import { getEventListeners } from "node:events";
import { closeSync, openSync, readdirSync, readFileSync } from "node:fs";
import { mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { systemClock } from "../../../src/std/clock.js";
import { type GroupOptions, runGroup, signalGroup } from "../../../src/std/process-tree.js";
import { FakeClock, settle } from "../../support/fake-clock.js";

const graceMs = 5_000;
const controllers: AbortController[] = [];

afterEach(() => {
  for (const controller of controllers.splice(0)) controller.abort();
});

/** A shell script under way, with its output to read and wait on. */
function running(script: string, overrides: Partial<GroupOptions> = {}) {
  const clock = new FakeClock();
  const controller = new AbortController();
  controllers.push(controller);
  const output = { stdout: "", stderr: "" };
  let look = () => {};
  const end = runGroup({
    program: "/bin/sh",
    args: ["-c", script],
    cwd: tmpdir(),
    env: { PATH: process.env["PATH"] ?? "/usr/bin:/bin" },
    input: "",
    onOutput: (stream, chunk) => {
      output[stream] += chunk.toString();
      look();
    },
    signal: controller.signal,
    graceMs,
    killSignal: new AbortController().signal,
    clock,
    ...overrides,
  });
  return {
    clock,
    output,
    end,
    signal: controller.signal,
    abort: () => controller.abort(new Error("enough")),
    /** Resolves with the match once stdout shows the pattern. */
    shows: (pattern: RegExp) =>
      new Promise<RegExpExecArray>((resolve) => {
        look = () => {
          const found = pattern.exec(output.stdout);
          if (found) resolve(found);
        };
        look();
      }),
  };
}

/** Real time, and a grace that is over only if something hangs. */
const realTime = { clock: systemClock, graceMs: 25_000 };

/** Resolves when somebody waits for the clock: then it can be advanced. */
async function waitedFor(clock: FakeClock): Promise<void> {
  while (clock.pending === 0) await settle();
}

/** Moves the clock on until the run has ended. */
async function endOf({ clock, end }: ReturnType<typeof running>) {
  let isOver = false;
  const over = () => {
    isOver = true;
  };
  void end.then(over, over);
  while (!isOver) await clock.advance(50);
  return end;
}

describe("runGroup", () => {
  it("feeds a program, reads it and tells its exit code", async () => {
    const run = running("cat; echo done >&2; exit 3", { input: "the input" });
    expect(await run.end).toEqual({ exitCode: 3, exitSignal: null, isAborted: false, hadLeftovers: false });
    expect(run.output).toEqual({ stdout: "the input", stderr: "done\n" });
    expect(run.clock.pending).toBe(0);
    expect(getEventListeners(run.signal, "abort")).toEqual([]);
  });

  it("tells the signal that a program died of", async () => {
    expect(await running("kill -SEGV $$").end).toMatchObject({ exitCode: null, exitSignal: "SIGSEGV" });
  });

  it("gives the program the environment it is told and nothing else", async () => {
    const run = running("exec env", { env: { PATH: "/usr/bin:/bin", ONLY: "this" } });
    await run.end;
    const names = run.output.stdout.split("\n").map((line) => line.split("=")[0]);
    // PWD is the shell's own.
    expect(names.filter((name) => name !== "" && name !== "PWD" && name !== "_").sort()).toEqual(["ONLY", "PATH"]);
  });

  it("does not mind a program that reads none of a large input", async () => {
    const run = running("exec true", { input: "x".repeat(4 * 1024 * 1024) });
    expect(await run.end).toMatchObject({ exitCode: 0, isAborted: false });
  });

  it("reads all that a program printed just before it exited", async () => {
    const run = running("head -c 3000000 /dev/zero | tr '\\0' x");
    await run.end;
    expect(run.output.stdout).toHaveLength(3_000_000);
  });

  it.each([
    ["a program that does not exist", { program: "/nonexistent/program" }, "ENOENT"],
    ["a folder that does not exist", { cwd: "/nonexistent" }, "ENOENT"],
    ["a program that is a folder", { program: tmpdir() }, "EACCES"],
    ["arguments over the system's limit", { args: ["-c", "true", "x".repeat(3 * 1024 * 1024)] }, "E2BIG"],
  ])("rejects %s", async (_what, overrides, code) => {
    const run = running("", overrides);
    await expect(run.end).rejects.toMatchObject({ code });
    expect(run.clock.pending).toBe(0);
  });

  it("asks first: SIGTERM reaches the program and its children, who may finish within the grace", async () => {
    const child = `sh -c 'trap "echo child-bye; exit 0" TERM; echo child-up; while :; do sleep 0.01; done' &`;
    const run = running(`trap "wait; echo bye; exit 0" TERM; ${child} while :; do wait; done`, realTime);
    await run.shows(/child-up/);
    run.abort();
    expect(await run.end).toMatchObject({ exitCode: 0, exitSignal: null, isAborted: true });
    expect(run.output.stdout).toBe("child-up\nchild-bye\nbye\n");
    expect(getEventListeners(run.signal, "abort")).toEqual([]);
  });

  it("lets a child have its whole grace although the program went at once", async () => {
    const run = running(`sh -c 'trap "echo asked" TERM; echo up $$; while :; do sleep 0.01; done' & wait`);
    const child = Number((await run.shows(/up (\d+)/))[1]);
    run.abort();
    await run.shows(/asked/);
    await run.clock.advance(graceMs - 50);
    expect(isAlive(child)).toBe(true);
    await run.clock.advance(50);
    expect(await run.end).toMatchObject({ exitSignal: "SIGTERM", isAborted: true });
    while (isAlive(child)) await settle();
  });

  it("kills after the grace, grandchildren that ignore SIGTERM included", async () => {
    const ignoring = (then: string) => `trap "" TERM; ${then}; while :; do sleep 60; done`;
    const run = running(ignoring(`(${ignoring("(echo grandchild; sleep 60) & :")}) & echo group $$`));
    const group = Number((await run.shows(/group (\d+)/))[1]);
    await run.shows(/grandchild/);
    run.abort();
    await run.clock.advance(graceMs - 50);
    expect(isAlive(group)).toBe(true);
    await run.clock.advance(50);
    expect(await run.end).toMatchObject({ exitSignal: "SIGKILL", isAborted: true });
    expect(run.clock.pending).toBe(0);
  });

  it("kills within the grace when it is told to", async () => {
    const killing = new AbortController();
    const run = running("trap '' TERM; echo group $$; while :; do sleep 0.01; done", { killSignal: killing.signal });
    const group = Number((await run.shows(/group (\d+)/))[1]);
    run.abort();
    await waitedFor(run.clock);
    expect(isAlive(group)).toBe(true);
    killing.abort();
    expect(await run.end).toMatchObject({ exitSignal: "SIGKILL", isAborted: true });
    expect(getEventListeners(killing.signal, "abort")).toEqual([]);
  });

  const deaf = "trap '' TERM; while :; do sleep 0.01; done";
  it.each([
    ["while it works", `echo group $$; ${deaf}`, () => {}],
    ["within the grace", `echo group $$; ${deaf}`, (abort: () => void) => abort()],
    ["while its program is gone and a child is waited for", `(${deaf}) & echo group $$`, () => {}],
    ["while it is stopped", "echo group $$; kill -STOP $$", () => {}],
  ])("kills the whole group in the turn that it is told to, %s", async (_when, script, before) => {
    const killing = new AbortController();
    const run = running(script, { killSignal: killing.signal });
    const group = Number((await run.shows(/group (\d+)/))[1]);
    before(run.abort);
    killing.abort();
    // Read without a wait in between: nothing but the kernel had a turn.
    const until = performance.now() + 1_000;
    while (groupLives(group) && performance.now() < until);
    expect(groupLives(group)).toBe(false);
    await endOf(run);
    expect(getEventListeners(killing.signal, "abort")).toEqual([]);
  });

  it("kills after the grace although no file can be read any more", async () => {
    const folder = await mkdtemp(join(tmpdir(), "partnerd-tree-"));
    const fifo = join(folder, "fifo");
    execFileSync("mkfifo", [fifo]);
    // As many file operations as Node does at once, none of which ends before somebody writes.
    const hung = Array.from({ length: 4 }, () => open(fifo, "r"));
    try {
      const run = running("(trap '' TERM; while :; do sleep 0.01; done) & echo group $$; wait");
      const group = Number((await run.shows(/group (\d+)/))[1]);
      run.abort();
      expect(await endOf(run)).toMatchObject({ isAborted: true });
      while (groupLives(group)) await settle();
    } finally {
      const writer = openSync(fifo, "w");
      for (const handle of await Promise.all(hung)) await handle.close();
      closeSync(writer);
      await rm(folder, { recursive: true });
    }
  });

  it("ends a program that has stopped itself", async () => {
    const run = running("echo stopping; kill -STOP $$", realTime);
    await run.shows(/stopping/);
    run.abort();
    expect(await run.end).toMatchObject({ isAborted: true, exitSignal: "SIGTERM" });
  });

  it("kills what a program leaves behind, so that its open pipe keeps nobody waiting", async () => {
    const run = running("sleep 60 & echo left $!");
    const left = Number((await run.shows(/left (\d+)/))[1]);
    await waitedFor(run.clock);
    await run.clock.advance(1_000);
    expect(await run.end).toMatchObject({ exitCode: 0, isAborted: false, hadLeftovers: true });
    // The clock of the test runs ahead of the kernel: only the end itself can be waited for.
    while (isAlive(left)) await settle();
  });

  it("settles although a descendant that fled into a session of its own holds the pipes", async () => {
    const folder = await mkdtemp(join(tmpdir(), "partnerd-test-"));
    const flee = `setsid sh -c 'echo fled $$; : >away; exec sleep 60' &`;
    const run = running(`${flee} while [ ! -e away ]; do sleep 0.01; done; exit 0`, { cwd: folder });
    const fled = Number((await run.shows(/fled (\d+)/))[1]);
    await waitedFor(run.clock);
    await run.clock.advance(1_000);
    expect(await run.end).toMatchObject({ exitCode: 0, isAborted: false, hadLeftovers: false });
    expect(run.clock.pending).toBe(0);
    expect(isAlive(fled)).toBe(true);
    process.kill(fled, "SIGKILL");
    await rm(folder, { recursive: true });
  });

  it("ends at once what is aborted while it starts", async () => {
    const run = running("while :; do sleep 60; done", realTime);
    run.abort();
    expect(await run.end).toMatchObject({ isAborted: true });
  });
});

describe("signalGroup", () => {
  it("says so when there is nobody", async () => {
    const run = running("echo $$");
    await run.end;
    expect(signalGroup(Number(run.output.stdout), 0)).toBe(false);
  });
});

/** True while anybody in the group lives. */
function groupLives(group: number): boolean {
  return readdirSync("/proc").some((name) => {
    if (!/^\d+$/.test(name)) return false;
    try {
      const [state, , pgrp] = (readFileSync(`/proc/${name}/stat`, "utf8").split(") ").at(-1) ?? "").split(" ");
      return Number(pgrp) === group && state !== "Z" && state !== "X";
    } catch {
      return false;
    }
  });
}

/** True for a process that lives; a zombie that nobody has looked at yet is dead. */
function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

it("rejects with the system's error when there are no descriptors for the pipes", async () => {
  execFileSync("prlimit", ["--pid", String(process.pid), "--nofile=2048:"]);
  const held: number[] = [];
  try {
    for (;;) held.push(openSync("/dev/null", "r"));
  } catch {
    // None is left.
  }
  try {
    await expect(running("true").end).rejects.toMatchObject({ code: "EMFILE" });
  } finally {
    for (const descriptor of held) closeSync(descriptor);
  }
  expect(await running("true").end).toMatchObject({ exitCode: 0 });
});
