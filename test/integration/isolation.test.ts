// Promise: one bad Region or action type never stops the others.
import { expect, it } from "vitest";
import { ready } from "../../src/admin/health.js";
import { freePort, startRig, thirdParty } from "../support/rig.js";

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

it.each(["UnrecognizedClientException", "OptInRequired", "InternalFailure"])(
  "is ready though one Region has answered %s since the start, and says so where people look",
  async (code) => {
    await using rig = await startRig({
      regions: [...regions, "eu-south-2"],
      actionTypes: only,
      config: { admin: { host: "127.0.0.1", port: await freePort() } },
      isHeld: true,
    });
    const fault = rig.emulator.fault({ kind: "error", code, region: "eu-south-2" });
    const readyz = async () => {
      const answer = await fetch(`${rig.daemon.adminUrl}/readyz`);
      return { status: answer.status, ...((await answer.json()) as { reasons: object[]; notes: object[] }) };
    };
    expect(await readyz()).toMatchObject({ status: 503, reasons: [{ reason: "not-yet-polled" }] });
    void rig.run();
    for (const region of regions) await rig.event("poll-finished", ({ poller }) => poller.region === region);
    await rig.event("poll-failed", ({ failures }) => failures === 5);
    const isDenied = code !== "InternalFailure";
    const why = isDenied ? "denied PollForThirdPartyJobs" : "does not answer its polls";
    const message = expect.stringContaining(`in eu-south-2: CodePipeline ${why}`);
    const notes = [{ note: isDenied ? "call-denied" : "poller-unanswered", message }];
    expect(await readyz()).toEqual({ status: 200, ready: true, reasons: [], notes });
    expect(await (await fetch(`${rig.daemon.adminUrl}/`)).text()).toMatch(/in eu-south-2/);
    fault.remove();
    await rig.event("poll-recovered");
    expect(await readyz()).toEqual({ status: 200, ready: true, reasons: [], notes: [] });
  },
);

it("is not ready while no Region answers, however few polls have failed", async () => {
  await using rig = await startRig({ regions, actionTypes: only, isHeld: true });
  rig.emulator.fault({ kind: "error", code: "InternalFailure" });
  void rig.run();
  for (const region of regions) await rig.event("poll-failed", ({ poller }) => poller.region === region);
  expect(ready(rig.daemon.status(), { writable: true })).toMatchObject({
    ready: false,
    reasons: [{ reason: "breaker-open" }],
  });
});

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
