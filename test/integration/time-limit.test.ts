// Promise: a job that takes too long is stopped and fails with the reason; its slot is free again.
import { expect, it } from "vitest";
import { startRig, thirdParty } from "../support/rig.js";

const shutdown = { drainTimeoutMs: 1_000, cancelGraceMs: 50, reportTimeoutMs: 1_000 };

it("stops a handler at the job's limit and says so", async () => {
  let reason: unknown;
  await using rig = await startRig({
    actionTypes: [{ ...thirdParty, jobTimeoutMs: 30 }],
    config: { shutdown },
    handle: (job) =>
      new Promise((_, reject) =>
        job.signal.addEventListener("abort", () => {
          reason = job.signal.reason;
          reject(job.signal.reason);
        }),
      ),
  });
  const id = rig.emulator.addJob({ actionType: thirdParty });
  const job = await rig.emulator.waitForJob(id, "over");
  expect(String(reason)).toContain("time limit");
  expect(job.result?.document).toMatchObject({
    failureDetails: { type: "JobFailed", message: expect.stringContaining("limit of 0.03 s (jobTimeout)") },
  });
});

it("goes on without a handler that ignores its abort, and does not believe its late outcome", async () => {
  const late = Promise.withResolvers<unknown>();
  await using rig = await startRig({
    actionTypes: [{ ...thirdParty, jobTimeoutMs: 30, maxConcurrentJobs: 1 }],
    config: { shutdown, worker: { maxConcurrentJobs: 1 } },
    handle: (job) => (job.configuration["do"] === "hang" ? late.promise : { kind: "succeeded" }),
  });
  const id = rig.emulator.addJob({ actionType: thirdParty, configuration: { do: "hang" } });
  const next = rig.emulator.addJob({ actionType: thirdParty });
  expect((await rig.emulator.waitForJob(id, "over")).status).toBe("Failed");
  expect((await rig.emulator.waitForJob(next, "over")).status).toBe("Succeeded");
  await rig.event("handler-abandoned");
  late.resolve({ kind: "succeeded" });
  await rig.stop();
  expect(rig.emulator.job(id)?.results).toHaveLength(1);
});
