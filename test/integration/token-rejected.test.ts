// Promise: a customer whose token is wrong, unknown or newly changed never holds up the others.
import { expect, it } from "vitest";
import { custom, startRig, thirdParty } from "../support/rig.js";

const bad = "aaaaaaaa-1111-4111-8111-111111111111";
const unknown = "bbbbbbbb-1111-4111-8111-111111111111";

it("drops the jobs of a client whose token is refused, and works all others", async () => {
  await using rig = await startRig({ tokens: { [bad]: "wrong" } });
  rig.emulator.addClient({ clientId: bad, clientToken: "right" });
  rig.emulator.addClient({ clientId: unknown, clientToken: "never told to us" });
  const badIds = rig.emulator.addJobs({ actionType: thirdParty, clientId: bad, count: 5 });
  const unknownIds = rig.emulator.addJobs({ actionType: thirdParty, clientId: unknown, count: 5 });
  const goodIds = rig.emulator.addJobs({ actionType: thirdParty, count: 10 });
  for (const id of goodIds) expect((await rig.emulator.waitForJob(id, "over")).status).toBe("Succeeded");
  for (const id of [...badIds, ...unknownIds]) {
    const dropped = await rig.event("job-dropped", (event) => event.key.jobId === id);
    expect(dropped.reason).toBe("token-rejected");
    expect(dropped.message).not.toContain("wrong");
    expect(rig.emulator.job(id)?.counts.acknowledges).toBe(0);
  }
  expect(rig.daemon.worker.slots.owed).toBe(0);
});

it("asks twice with a refused token and then leaves the client alone for a while", async () => {
  await using rig = await startRig({ tokens: { [bad]: "wrong" } });
  rig.emulator.addClient({ clientId: bad, clientToken: "right" });
  const [first = "", ...rest] = rig.emulator.addJobs({ actionType: thirdParty, clientId: bad, count: 1 });
  await rig.event("job-dropped", (event) => event.key.jobId === first);
  const asked = rig.emulator.calls();
  const later = rig.emulator.addJobs({ actionType: thirdParty, clientId: bad, count: 4 });
  for (const id of [...rest, ...later]) await rig.event("job-dropped", (event) => event.key.jobId === id);
  expect(asked["GetThirdPartyJobDetails"]).toEqual({ InvalidClientTokenException: 2 });
  expect(rig.emulator.calls()["GetThirdPartyJobDetails"]).toEqual({ InvalidClientTokenException: 2 });
});

it("keeps a result for a client whose token was changed under a running job, and reports it once it is corrected", async () => {
  const go = Promise.withResolvers<void>();
  const client = "cccccccc-1111-4111-8111-111111111111";
  await using rig = await startRig({
    tokens: { [client]: "old" },
    handle: async (job) => {
      if (job.clientId === client) await go.promise;
      return { kind: "succeeded" };
    },
  });
  rig.emulator.addClient({ clientId: client, clientToken: "old" });
  const id = rig.emulator.addJob({ actionType: thirdParty, clientId: client });
  await rig.event("job-started");
  rig.emulator.addClient({ clientId: client, clientToken: "new" });
  go.resolve();
  await rig.event("call-retried", (event) => event.fault.kind === "token-rejected");
  // The slot is free for others meanwhile.
  const [other = ""] = rig.emulator.addJobs({ actionType: thirdParty, count: 1 });
  expect((await rig.emulator.waitForJob(other, "over")).status).toBe("Succeeded");
  rig.emulator.addClient({ clientId: client, clientToken: "old" });
  expect((await rig.emulator.waitForJob(id, "over")).status).toBe("Succeeded");
});

it("keeps a job that may be ours when the client's token is refused at the second acknowledgement", async () => {
  const client = "cccccccc-1111-4111-8111-111111111111";
  await using rig = await startRig({ tokens: { [client]: "old" }, config: { worker: { maxConcurrentJobs: 1 } } });
  rig.emulator.addClient({ clientId: client, clientToken: "old" });
  rig.emulator.fault({ kind: "lost-answer", operations: ["AcknowledgeThirdPartyJob"], times: 1 });
  const id = rig.emulator.addJob({ actionType: thirdParty, clientId: client });
  await rig.event("call-retried");
  rig.emulator.addClient({ clientId: client, clientToken: "new" });
  await rig.event("call-retried", (event) => event.fault.kind === "token-rejected");
  // The only slot is free for others meanwhile.
  const [other = ""] = rig.emulator.addJobs({ actionType: custom, count: 1 });
  expect((await rig.emulator.waitForJob(other, "over")).status).toBe("Succeeded");
  rig.emulator.addClient({ clientId: client, clientToken: "old" });
  expect((await rig.emulator.waitForJob(id, "over")).status).toBe("Succeeded");
  expect(rig.daemon.worker.slots).toMatchObject({ owed: 0 });
  expect(rig.count("job-dropped")).toBe(0);
});
