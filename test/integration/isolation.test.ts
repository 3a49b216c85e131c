// Promise: one bad Region or action type never stops the others.
import { expect, it } from "vitest";
import { startRig, thirdParty } from "../support/rig.js";

const regions = ["us-east-1", "eu-west-1"];
const only = [thirdParty];

it.each(["black-hole", "throttle", "internal-error", "html", "endless-body"] as const)(
  "works one Region while every call to the other meets %s",
  async (kind) => {
    await using rig = await startRig({ regions, actionTypes: only });
    rig.emulator.fault({ kind, region: "eu-west-1" });
    const ids = rig.emulator.addJobs({ actionType: thirdParty, region: "us-east-1", count: 40 });
    await rig.emulator.waitFor(() => rig.emulator.counts().Succeeded === ids.length);
  },
);

it("goes on polling one action type while another is unknown to CodePipeline", async () => {
  const other = { ...thirdParty, provider: "Acme-Other" };
  await using rig = await startRig({ actionTypes: [thirdParty, other] });
  rig.emulator.fault({
    kind: "error",
    code: "ActionTypeNotFoundException",
    operations: ["PollForThirdPartyJobs"],
    actionType: { provider: "Acme-Other" },
  });
  const failed = await rig.event("poll-failed");
  expect(failed.fault.kind).toBe("misconfigured");
  expect(failed.poller.actionType.provider).toBe("Acme-Other");
  const ids = rig.emulator.addJobs({ actionType: thirdParty, count: 20 });
  await rig.emulator.waitFor(() => rig.emulator.counts().Succeeded === ids.length);
});
