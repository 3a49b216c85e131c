// Promise: whatever CodePipeline answers, nothing that is ours is lost, and work goes on when it answers again.
import { expect, it } from "vitest";
import type { FaultDocument } from "../../src/emulator/injected-faults.js";
import { custom, startRig, thirdParty } from "../support/rig.js";

const faults: readonly FaultDocument[] = [
  { kind: "throttle" },
  { kind: "throttle", status: 429, retryAfter: 1 },
  { kind: "internal-error" },
  { kind: "unavailable" },
  { kind: "reset" },
  { kind: "lost-answer" },
  { kind: "cut-answer" },
  { kind: "html" },
  { kind: "html", status: 200 },
  { kind: "malformed-json" },
  { kind: "endless-body" },
  { kind: "error", code: "ExpiredTokenException" },
  { kind: "error", code: "UnrecognizedClientException" },
  { kind: "error", code: "AccessDeniedException", status: 403 },
];

/** A call that is struck by a body without end takes its whole limit, and a job meets several. */
const impatient = { connectionTimeoutMs: 500, requestTimeoutMs: 500 };

/** While calls are throttled they are made in turn: an offer has to live longer than the wait between two of them. */
const redeliveryOf = ({ kind }: FaultDocument) => ({ redeliveryMs: kind === "throttle" ? 2_000 : 200 });

it.each(faults)("loses nothing when any call in five meets $kind $status $code", async (fault) => {
  await using rig = await startRig({ emulator: { seed: 7, settings: redeliveryOf(fault) }, aws: impatient });
  const { remove } = rig.emulator.fault({ ...fault, probability: 0.2 });
  rig.emulator.addJobs({ actionType: thirdParty, count: 15 });
  rig.emulator.addJobs({ actionType: custom, count: 15 });
  await rig.emulator.waitFor(() => rig.emulator.counts().InProgress + rig.emulator.counts().Succeeded >= 20);
  remove();
  await rig.emulator.waitFor(() => rig.emulator.counts().Succeeded === 30);
  for (const job of rig.emulator.jobs()) {
    expect(job.results.filter((result) => result.answer === "accepted")).toHaveLength(1);
  }
});

it.each(faults.filter(({ kind }) => kind !== "endless-body"))(
  "works again by itself after an outage of $kind $status $code",
  async (fault) => {
    await using rig = await startRig({ emulator: { settings: redeliveryOf(fault) } });
    const { remove } = rig.emulator.fault(fault);
    const ids = rig.emulator.addJobs({ actionType: thirdParty, count: 3 });
    await rig.event("poll-failed");
    remove();
    await rig.event("poll-recovered");
    for (const id of ids) expect((await rig.emulator.waitForJob(id, "over")).status).toBe("Succeeded");
  },
);

it("reads answers whose members are null or missing job by job, and guesses nothing", async () => {
  await using rig = await startRig({ emulator: { settings: { redeliveryMs: 20 } } });
  const cases: readonly FaultDocument[] = [
    { kind: "null-members", operations: ["PollForThirdPartyJobs"], times: 1 },
    { kind: "missing-members", operations: ["PollForThirdPartyJobs"], members: ["jobId"], times: 1 },
    { kind: "null-members", operations: ["GetThirdPartyJobDetails"], members: ["nonce"], times: 1 },
    { kind: "missing-members", operations: ["GetThirdPartyJobDetails"], members: ["data"], times: 1 },
    { kind: "null-members", operations: ["GetThirdPartyJobDetails"], members: ["inputArtifacts"], times: 1 },
    { kind: "null-members", operations: ["PollForJobs"], members: ["nonce"], times: 1 },
    { kind: "missing-members", operations: ["PollForJobs"], members: ["data"], times: 1 },
  ];
  for (const fault of cases) {
    rig.emulator.fault(fault);
    const actionType = fault.operations?.[0] === "PollForJobs" ? custom : thirdParty;
    const id = rig.emulator.addJob({ actionType });
    expect((await rig.emulator.waitForJob(id, "over")).status).toBe("Succeeded");
  }
});

it("does not run a job whose acknowledgement was answered without InProgress", async () => {
  let runs = 0;
  await using rig = await startRig({
    handle: () => {
      runs += 1;
      return { kind: "succeeded" };
    },
  });
  rig.emulator.fault({
    kind: "missing-members",
    operations: ["AcknowledgeThirdPartyJob"],
    members: ["status"],
    applied: false,
    times: 1,
  });
  const id = rig.emulator.addJob({ actionType: thirdParty });
  const dropped = await rig.event("job-dropped", (event) => event.key.jobId === id);
  expect(dropped.reason).toBe("not-ours");
  expect(runs).toBe(0);
});
