// Promise: whatever AWS means where its documents are silent, a job runs once and has one result, and one that was taken
// away, abandoned or retried holds up no other. By every reading: test/support/readings.ts.
import { describe, expect, it } from "vitest";
import { defaultSettings, type Settings } from "../../src/emulator/emulator-settings.js";
import type { HandlerJob } from "../../src/handlers/handler.js";
import { readings, told } from "../support/readings.js";
import { custom, Gate, type RigOptions, startRig, thirdParty } from "../support/rig.js";

it("has a reading for each setting that is not told", () => {
  const read = Object.values(readings).flatMap(Object.keys);
  expect([...new Set([...read, ...Object.keys(told)])].sort()).toEqual(Object.keys(defaultSettings).sort());
});

/** The calls of each flavour, as a fault names them. */
const calls = {
  Custom: ["AcknowledgeJob", "PutJobSuccessResult"],
  ThirdParty: ["GetThirdPartyJobDetails", "AcknowledgeThirdPartyJob", "PutThirdPartyJobSuccessResult"],
} as const;
const executionId = "11111111-2222-4333-8444-555555555555";

describe.each(Object.entries(readings))("where %s", (_, settings) => {
  const start = (options: RigOptions = {}, more: Partial<Settings> = {}) =>
    startRig({
      ...options,
      emulator: { settings: { continuationDelayMs: 5, redeliveryMs: 1_000, ...settings, ...more } },
    });

  it.each([thirdParty, custom])(
    "works a chain of $owner jobs once each, though the first answers are lost",
    async (actionType) => {
      const runs: string[] = [];
      await using rig = await start({
        handle: ({ jobId, continuationToken }: HandlerJob) => {
          runs.push(jobId);
          return continuationToken ? { kind: "succeeded" } : { kind: "continued", continuationToken: "t" };
        },
      });
      for (const operation of calls[actionType.owner]) {
        rig.emulator.fault({ kind: "lost-answer", operations: [operation], times: 1 });
      }
      const first = rig.emulator.addJob({ actionType });
      const { continuedBy = "" } = await rig.emulator.waitForJob(first, "over");
      const last = await rig.emulator.waitForJob(continuedBy, "over");
      expect([last.status, runs]).toEqual(["Succeeded", [first, continuedBy]]);
      for (const id of runs) {
        expect(rig.emulator.job(id)?.results.filter(({ answer }) => answer === "accepted")).toHaveLength(1);
      }
      // Nobody is told how many jobs a poll may ask for.
      expect(rig.emulator.violations().filter(({ kind }) => kind !== "batch-over-cap")).toEqual([]);
    },
  );

  it.each([thirdParty, custom])(
    "settles a $owner job that is offered again while nobody answers",
    async (actionType) => {
      let runs = 0;
      await using rig = await start(
        { handle: () => ({ kind: "succeeded", summary: `run ${++runs}` }) },
        { redeliveryMs: 40 },
      );
      rig.emulator.fault({ kind: "reset", operations: [calls[actionType.owner].at(-2) ?? ""], times: 3 });
      const ids = rig.emulator.addJobs({ actionType, count: 3 });
      for (const id of ids) expect((await rig.emulator.waitForJob(id, "over")).status).toBe("Succeeded");
      expect(runs).toBe(3);
    },
  );

  it("lets go of a job whose action was abandoned or timed out, and works the next", async () => {
    const gate = new Gate();
    await using rig = await start({
      actionTypes: [{ ...custom, maxConcurrentJobs: 2 }],
      handle: () => gate.enter().then(() => ({ kind: "succeeded" })),
    });
    const abandoned = rig.emulator.addJob({ actionType: custom, pipeline: { executionId } });
    const late = rig.emulator.addJob({ actionType: custom, jobTimeoutMs: 1_500 });
    await gate.waiting(2);
    rig.emulator.stopExecution(executionId, { abandon: true });
    await rig.emulator.waitForJob(late, "TimedOut");
    gate.release(2);
    const ends = [abandoned, late].map((id) =>
      Promise.race([
        rig.event("job-dropped", ({ key }) => key.jobId === id),
        rig.event("job-reported", ({ key }) => key.jobId === id),
      ]),
    );
    await Promise.all(ends);
    const next = rig.emulator.addJob({ actionType: custom });
    await gate.waiting(1);
    gate.release();
    expect((await rig.emulator.waitForJob(next, "over")).status).toBe("Succeeded");
    await rig.event("job-reported", ({ key }) => key.jobId === next);
    expect([rig.emulator.job(abandoned)?.status, rig.daemon.status().jobs]).toEqual(["Abandoned", []]);
  });

  it("works a retried stage as a new job, without the token of the one that failed", async () => {
    const seen: (string | undefined)[] = [];
    await using rig = await start({
      actionTypes: [custom],
      handle: ({ continuationToken }: HandlerJob) => {
        seen.push(continuationToken);
        if (seen.length === 1) return { kind: "continued", continuationToken: "t" };
        return seen.length === 2 ? { kind: "failed", message: "the first time" } : { kind: "succeeded" };
      },
    });
    const first = rig.emulator.addJob({ actionType: custom, pipeline: { executionId } });
    const { continuedBy = "" } = await rig.emulator.waitForJob(first, "over");
    expect((await rig.emulator.waitForJob(continuedBy, "over")).status).toBe("Failed");
    const [again = ""] = rig.emulator.retryStage(executionId);
    expect((await rig.emulator.waitForJob(again, "over")).status).toBe("Succeeded");
    expect(seen).toEqual([undefined, "t", undefined]);
  });
});
