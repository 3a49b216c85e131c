// Promise: `partnerd once` works what is waiting, brings it to its end, and says with its exit code how that went.
import { afterEach, describe, expect, it, vi } from "vitest";
import { FreeSpace } from "../../src/artifacts/free-space.js";
import { type OnceOptions, once } from "../../src/cli/work.js";
import type { Config } from "../../src/config/config.js";
import { Worker } from "../../src/engine/engine.js";
import { failed, succeeded } from "../../src/index.js";
import { moduleHandler } from "../support/module-handler.js";
import { custom, type Rig, type RigOptions, startRig, thirdParty } from "../support/rig.js";

type Flags = Partial<Pick<OnceOptions, "waitMs" | "maxJobs" | "jobOutcomeStatus">>;

afterEach(() => {
  vi.restoreAllMocks();
});

/** A rig whose own daemon never polls: it lends its emulator, handler and configuration. */
async function startHeld(options: RigOptions = {}): Promise<Rig> {
  return startRig({ ...options, isHeld: true, config: { log: { level: "error", format: "json" }, ...options.config } });
}

function onceWith(rig: Rig, flags: Flags = {}, config: Partial<Config> = {}): Promise<number> {
  return once({
    config: { ...rig.config, ...config },
    reread: () => Promise.reject(new Error("nobody asked for a reload")),
    environment: { PATH: process.env["PATH"] },
    waitMs: 0,
    maxJobs: Number.POSITIVE_INFINITY,
    jobOutcomeStatus: false,
    ...flags,
  });
}

describe("one pass", () => {
  it("works everything that waits, of every action type, beyond its slots, and ends", async () => {
    await using rig = await startHeld({ config: { worker: { maxConcurrentJobs: 3 } } });
    rig.emulator.addJobs({ actionType: thirdParty, count: 17 });
    rig.emulator.addJobs({ actionType: custom, count: 11 });
    expect(await onceWith(rig)).toBe(0);
    expect(rig.emulator.counts()).toMatchObject({ Succeeded: 28, Queued: 0, InProgress: 0 });
    expect(rig.emulator.violations()).toEqual([]);
  });

  it("ends at once when nothing waits, after one poll of each action type", async () => {
    await using rig = await startHeld();
    expect(await onceWith(rig)).toBe(0);
    const polls = { PollForThirdPartyJobs: { ok: 1 }, PollForJobs: { ok: 1 } };
    // A job of either type may bring a property that its type marks as secret.
    const marks = { GetActionType: { ok: 1 }, ListActionTypes: { ok: 1 } };
    expect(rig.emulator.calls()).toEqual({ ...polls, ...marks });
  });

  it("waits for the jobs it took, however long they run", async () => {
    let running = 0;
    const go = Promise.withResolvers<void>();
    await using rig = await startHeld({
      handle: async () => {
        running += 1;
        if (running === 4) go.resolve();
        await go.promise;
        return succeeded();
      },
    });
    rig.emulator.addJobs({ actionType: thirdParty, count: 4 });
    expect(await onceWith(rig)).toBe(0);
    expect(rig.emulator.counts().Succeeded).toBe(4);
  });

  it.each([1, 5])("takes no more than %i job(s) when told so, over all action types together", async (maxJobs) => {
    await using rig = await startHeld();
    rig.emulator.addJobs({ actionType: thirdParty, count: 6 });
    rig.emulator.addJobs({ actionType: custom, count: 6 });
    expect(await onceWith(rig, { maxJobs, waitMs: 60_000 })).toBe(0);
    expect(rig.emulator.counts()).toMatchObject({ Succeeded: maxJobs, Dispatched: 0, Queued: 12 - maxJobs });
  });

  it("goes on until polls have brought nothing for as long as it was told to wait", async () => {
    await using rig = await startHeld();
    const pass = onceWith(rig, { waitMs: 1_000 });
    await rig.emulator.waitForEvent((event) => event.type === "call-answered");
    const late = rig.emulator.addJob({ actionType: thirdParty });
    expect(await pass).toBe(0);
    expect(rig.emulator.job(late)?.status).toBe("Succeeded");
  });

  it("works a chain of continuations that comes within its wait", async () => {
    await using rig = await startHeld({
      emulator: { settings: { continuationDelayMs: 5 } },
      handle: (job) =>
        job.continuationToken === "3"
          ? succeeded()
          : { kind: "continued", continuationToken: String(Number(job.continuationToken ?? 0) + 1) },
    });
    const id = rig.emulator.addJob({ actionType: thirdParty });
    expect(await onceWith(rig, { waitMs: 1_000 })).toBe(0);
    expect(rig.emulator.lastJob(id)).toMatchObject({ status: "Succeeded" });
    expect(rig.emulator.jobs()).toHaveLength(4);
  });
});

describe("its exit code", () => {
  it("is 0 although a job failed, unless asked for the jobs' outcome", async () => {
    await using rig = await startHeld({ handle: () => failed("no") });
    rig.emulator.addJob({ actionType: thirdParty });
    expect(await onceWith(rig)).toBe(0);
    rig.emulator.addJob({ actionType: thirdParty });
    expect(await onceWith(rig, { jobOutcomeStatus: true })).toBe(3);
    expect(rig.emulator.counts().Failed).toBe(2);
  });

  it("is 0 when asked for the jobs' outcome and none failed", async () => {
    await using rig = await startHeld();
    rig.emulator.addJob({ actionType: custom });
    expect(await onceWith(rig, { jobOutcomeStatus: true })).toBe(0);
  });

  it("is 1 when an action type's polls fail to the end, and the other's jobs are worked all the same", async () => {
    await using rig = await startHeld();
    rig.emulator.fault({ kind: "error", code: "AccessDeniedException", operations: ["PollForJobs"] });
    rig.emulator.addJobs({ actionType: thirdParty, count: 3 });
    expect(await onceWith(rig)).toBe(1);
    expect(rig.emulator.counts().Succeeded).toBe(3);
  });

  it("is 1 when nobody answers at all, within its patience", async () => {
    await using rig = await startHeld();
    rig.emulator.fault({ kind: "reset" });
    expect(await onceWith(rig)).toBe(1);
  });

  it("is 1 when the disk is full to the end, and nothing is polled", async () => {
    await using rig = await startHeld();
    vi.spyOn(FreeSpace.prototype, "room").mockReturnValue({ isEnough: false, reason: "0 bytes are free" });
    // The unit test of pollers waits until it ends by itself.
    vi.spyOn(Worker.prototype, "once").mockResolvedValue();
    expect(await onceWith(rig)).toBe(1);
    expect(rig.emulator.calls()).toEqual({});
  });

  it("is 0 when polls fail at first and then work", async () => {
    await using rig = await startHeld();
    rig.emulator.fault({ kind: "throttle", times: 2 });
    rig.emulator.addJobs({ actionType: thirdParty, count: 2 });
    expect(await onceWith(rig)).toBe(0);
    expect(rig.emulator.counts().Succeeded).toBe(2);
  });

  it("is 75 when a result could not be brought home", async () => {
    await using rig = await startHeld();
    rig.emulator.fault({ kind: "unavailable", operations: ["PutThirdPartyJobSuccessResult"] });
    rig.emulator.addJob({ actionType: thirdParty });
    const pass = onceWith(rig, {}, { shutdown: { drainTimeoutMs: 50, cancelGraceMs: 20, reportTimeoutMs: 50 } });
    await rig.emulator.waitForEvent((event) => event.type === "call-answered" && event.status === 503);
    process.emit("SIGTERM", "SIGTERM");
    expect(await pass).toBe(75);
  });

  it("is 1 when a handler cannot be loaded, before anything is polled", async () => {
    await using rig = await startHeld();
    const handlers: Config["handlers"] = { scripted: moduleHandler(`${rig.folder}/not-there.mjs`) };
    expect(await onceWith(rig, {}, { handlers })).toBe(1);
    expect(rig.emulator.calls()).toEqual({});
  });
});

it("stops early at a signal, after the jobs that run", async () => {
  const go = Promise.withResolvers<void>();
  const started = Promise.withResolvers<void>();
  await using rig = await startHeld({
    config: { worker: { maxConcurrentJobs: 1 } },
    handle: async (job) => {
      started.resolve();
      job.draining.addEventListener("abort", () => go.resolve());
      await go.promise;
      return succeeded();
    },
  });
  rig.emulator.addJobs({ actionType: thirdParty, count: 5 });
  const pass = onceWith(rig, { waitMs: 60_000 });
  await started.promise;
  process.emit("SIGINT", "SIGINT");
  expect(await pass).toBe(0);
  expect(rig.emulator.counts()).toMatchObject({ Succeeded: 1, InProgress: 0 });
});
