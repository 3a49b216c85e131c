// Promise: an answer that is lost never loses a job and never makes two results, whichever way the service behaves.
import { describe, expect, it } from "vitest";
import type { Settings } from "../../src/emulator/emulator-settings.js";
import { custom, type Rig, startRig, thirdParty } from "../support/rig.js";

const answers: readonly Partial<Settings>[] = [
  { repeatedAcknowledge: "InProgress" },
  { repeatedAcknowledge: "InvalidNonceException" },
  { repeatedAcknowledge: "InvalidNonceException", freshNonceAtDetails: true },
];
const faults = ["lost-answer", "cut-answer", "malformed-json", "reset"] as const;

async function worksOnce(rig: Rig, actionType: typeof thirdParty | typeof custom, runs: () => number) {
  const id = rig.emulator.addJob({ actionType });
  const job = await rig.emulator.waitForJob(id, "over");
  await rig.event("job-reported", (event) => event.key.jobId === id);
  expect(job.status).toBe("Succeeded");
  expect(runs()).toBe(1);
  expect(job.results.filter((result) => result.answer === "accepted")).toHaveLength(1);
  return job;
}

describe.each(answers)("when a repeated acknowledge answers %o", (settings) => {
  for (const actionType of [thirdParty, custom]) {
    const flavour = actionType.owner === "Custom" ? "AcknowledgeJob" : "AcknowledgeThirdPartyJob";
    it.each(faults)(`works the job once after %s of ${flavour}`, async (kind) => {
      let runs = 0;
      await using rig = await startRig({
        emulator: { settings },
        handle: () => {
          runs += 1;
          return { kind: "succeeded" };
        },
      });
      rig.emulator.fault({ kind, operations: [flavour], times: 2 });
      await worksOnce(rig, actionType, () => runs);
    });
  }

  it("asks with the new nonce when the job was offered again meanwhile", async () => {
    let runs = 0;
    await using rig = await startRig({
      emulator: { settings: { ...settings, redeliveryMs: 20 } },
      handle: () => {
        runs += 1;
        return { kind: "succeeded" };
      },
    });
    for (const actionType of [thirdParty, custom]) {
      runs = 0;
      const operations = ["AcknowledgeThirdPartyJob", "AcknowledgeJob"];
      rig.emulator.fault({ kind: "reset", operations, times: 4 });
      await worksOnce(rig, actionType, () => runs);
    }
  });
});

describe.each(["InvalidJobStateException", "JobNotFoundException"] as const)(
  "when a result for a job that is over answers %s",
  (putAfterEnd) => {
    it.each(faults)("counts a put whose answer was lost by %s as accepted", async (kind) => {
      await using rig = await startRig({ emulator: { settings: { putAfterEnd } } });
      for (const actionType of [thirdParty, custom]) {
        const operations = ["PutThirdPartyJobSuccessResult", "PutJobSuccessResult"];
        rig.emulator.fault({ kind, operations, times: 1 });
        await worksOnce(rig, actionType, () => 1);
      }
      expect(rig.daemon.status().totals.succeeded).toBe(2);
      expect(rig.daemon.status().totals.dropped).toBe(0);
    });
  },
);

it("drops a job that somebody else acknowledged and never fails it", async () => {
  await using rig = await startRig();
  rig.emulator.fault({
    kind: "error",
    code: "InvalidNonceException",
    operations: ["AcknowledgeThirdPartyJob", "AcknowledgeJob"],
  });
  for (const actionType of [thirdParty, custom]) {
    const id = rig.emulator.addJob({ actionType });
    const dropped = await rig.event("job-dropped", (event) => event.key.jobId === id);
    expect(dropped.reason).toBe("not-ours");
    expect(rig.emulator.job(id)?.counts).toMatchObject({ acknowledges: 0, results: 0 });
  }
});
