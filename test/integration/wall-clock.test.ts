// Promise: a wall clock that is set forward or back while partnerd runs ends nothing early and keeps nothing going.
import { describe, expect, it, onTestFinished } from "vitest";
import { answersJson, startService } from "../fixtures/handlers/service.js";
import { startRig, thirdParty } from "../support/rig.js";
import { SteppedClock } from "../support/stepped-clock.js";

const twoHoursMs = 2 * 3_600_000;

describe.each([
  ["forward", twoHoursMs],
  ["back", -twoHoursMs],
])("when the wall clock is set %s by two hours", (_way, stepMs) => {
  it("a service that was away is asked again, as long as its job has time", async () => {
    const clock = new SteppedClock();
    let asked = 0;
    const service = await startService({
      jobs: (request, answer) => {
        asked += 1;
        if (asked === 2) clock.step(stepMs);
        const behaviour = answersJson(asked < 6 ? 503 : 200, { kind: "succeeded", summary: "there again" });
        return behaviour(request, answer);
      },
    });
    onTestFinished(() => service.close());
    await using rig = await startRig({
      clock,
      actionTypes: [{ ...thirdParty, handler: "scan", jobTimeoutMs: 30 * 60_000 }],
      config: { handlers: { scan: { kind: "http", url: `${service.url}/jobs`, requestTimeoutMs: 5_000 } } },
    });
    const id = rig.emulator.addJob({ actionType: thirdParty });
    const job = await rig.emulator.waitForJob(id, "over");
    expect(job.result?.document).toEqual({ executionDetails: { summary: "there again" } });
    expect(asked).toBe(6);
  });

  it("a handler runs on, and the jobs that come next are worked", async () => {
    const clock = new SteppedClock();
    await using rig = await startRig({
      clock,
      actionTypes: [{ ...thirdParty, jobTimeoutMs: 30 * 60_000 }],
      handle: (job) => {
        clock.step(stepMs);
        return { kind: "succeeded", summary: job.signal.aborted ? "aborted" : "worked" };
      },
    });
    for (let n = 0; n < 3; n++) {
      const id = rig.emulator.addJob({ actionType: thirdParty });
      const job = await rig.emulator.waitForJob(id, "over");
      expect(job.result?.document).toEqual({ executionDetails: { summary: "worked" } });
    }
    expect(rig.daemon.live()).toEqual({ live: true, reasons: [] });
  });
});
