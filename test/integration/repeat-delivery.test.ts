// Promise: one job is worked once, however often polls offer it.
import { expect, it } from "vitest";
import { defaultRetry, startRig, thirdParty } from "../support/rig.js";

it("skips a job that is offered again while it is asked for, and works it once", async () => {
  let runs = 0;
  await using rig = await startRig({
    emulator: { settings: { redeliveryMs: 10, freshNonceAtRedelivery: false } },
    handle: () => {
      runs += 1;
      return { kind: "succeeded" };
    },
  });
  const id = "offered-again";
  rig.emulator.fault({ kind: "latency", operations: ["AcknowledgeThirdPartyJob"], ms: 300, times: 1 });
  rig.emulator.addJob({ actionType: thirdParty, id });
  await rig.event("offer-repeated");
  const job = await rig.emulator.waitForJob(id, "over");
  expect(job.status).toBe("Succeeded");
  expect(job.counts.offers).toBeGreaterThan(1);
  expect(runs).toBe(1);
  expect(job.results).toHaveLength(1);
});

it("takes a job again that it let go of before the acknowledgement", async () => {
  await using rig = await startRig({
    emulator: { settings: { redeliveryMs: 30 } },
    config: {
      retry: {
        ...defaultRetry,
        details: { minDelayMs: 1, maxDelayMs: 1, factor: 1, maxElapsedMs: 0 },
      },
    },
  });
  rig.emulator.fault({ kind: "unavailable", operations: ["GetThirdPartyJobDetails"], times: 1 });
  const id = rig.emulator.addJob({ actionType: thirdParty });
  const job = await rig.emulator.waitForJob(id, "over");
  expect(rig.count("job-dropped", (event) => event.type === "job-dropped" && event.reason === "no-details")).toBe(1);
  expect(job.status).toBe("Succeeded");
});
