// Promise: caps and serialBy hold over the real API, without another customer waiting behind, and what closes the gate
// closes it for offers that waited as for any other.
import { expect, it } from "vitest";
import type { HandlerJob } from "../../src/handlers/handler.js";
import { custom, Gate, type Rig, startRig, thirdParty } from "../support/rig.js";

/** Counts jobs at the door, by whose they are. */
function doorBy(read: (job: HandlerJob) => string) {
  const gate = new Gate();
  const inside = new Map<string, number>();
  const most = new Map<string, number>();
  const handle = async (job: HandlerJob) => {
    const name = read(job);
    const now = (inside.get(name) ?? 0) + 1;
    inside.set(name, now);
    most.set(name, Math.max(most.get(name) ?? 0, now));
    await gate.enter();
    inside.set(name, (inside.get(name) ?? 0) - 1);
    return { kind: "succeeded" };
  };
  return { gate, most, handle };
}

const acknowledged = ({ emulator }: Rig) =>
  emulator.jobs().filter(({ acknowledges }) => acknowledges.length > 0).length;

it("works one job of each account at a time, and takes the next by the nonce that waited with it", async () => {
  const { gate, most, handle } = doorBy((job) => job.accountId ?? "?");
  const type = { ...custom, maxConcurrentJobsPerClient: 1 };
  await using rig = await startRig({ actionTypes: [type], handle });
  const accounts = ["111111111111", "222222222222"];
  const ids = accounts.flatMap((accountId) =>
    rig.emulator.addJobs({ actionType: custom, accountId, count: 3, configuration: { Secret: "hush" } }),
  );
  for (let round = 0; round < 3; round++) {
    await gate.waiting(2);
    gate.release(2);
  }
  for (const id of ids) await rig.emulator.waitForJob(id, "Succeeded");
  expect(Object.fromEntries(most)).toEqual({ "111111111111": 1, "222222222222": 1 });
  expect(rig.emulator.calls()["GetJobDetails"]).toMatchObject({ ok: 4 });
  expect(rig.emulator.violations()).toEqual([]);
});

it("acknowledges no second job with the same value before the first has its result", async () => {
  const { gate, most, handle } = doorBy((job) => job.configuration["Project"] ?? "?");
  const type = { ...thirdParty, serialBy: "configuration.Project" };
  await using rig = await startRig({ actionTypes: [type], handle });
  const ids = ["shop", "blog"].flatMap((Project) =>
    rig.emulator.addJobs({ actionType: thirdParty, count: 2, configuration: { Project } }),
  );
  await gate.waiting(2);
  await rig.event("job-dropped", ({ reason }) => reason === "not-its-turn");
  expect(acknowledged(rig)).toBe(2);
  gate.release(2);
  await gate.waiting(2);
  gate.release(2);
  for (const id of ids) await rig.emulator.waitForJob(id, "Succeeded");
  expect(Object.fromEntries(most)).toEqual({ shop: 1, blog: 1 });
  expect(rig.emulator.violations()).toEqual([]);
  await rig.stop();
  expect(rig.daemon.status()).toMatchObject({ inFlight: 0, totals: { dropped: 0, succeeded: 4 } });
  expect(rig.rawLogs.join("")).not.toContain('"error"');
});

it("asks the gate for an offer that waited as for any other", async () => {
  const { gate, handle } = doorBy(() => "all");
  const type = { ...thirdParty, maxConcurrentJobsPerClient: 1 };
  await using rig = await startRig({ actionTypes: [type], handle });
  const ids = rig.emulator.addJobs({ actionType: thirdParty, count: 2 });
  await gate.waiting(1);
  await rig.event("poll-finished", ({ waiting }) => waiting === 1);
  rig.daemon.worker.pause();
  gate.release(1);
  await rig.event("job-reported");
  const polls = rig.count("poll-finished");
  await expect.poll(() => rig.daemon.worker.loops.map(({ doing }) => doing)).toEqual(["at-gate"]);
  // One may have been under way.
  expect(rig.count("poll-finished") - polls).toBeLessThanOrEqual(1);
  expect(acknowledged(rig)).toBe(1);
  rig.daemon.worker.resume();
  await gate.waiting(1);
  gate.release(1);
  for (const id of ids) await rig.emulator.waitForJob(id, "Succeeded");
});

it("ends a single pass only when the offers that waited had their turn", async () => {
  const type = { ...thirdParty, maxConcurrentJobsPerClient: 1 };
  await using rig = await startRig({ actionTypes: [type], isHeld: true });
  const ids = rig.emulator.addJobs({ actionType: thirdParty, count: 5 });
  await rig.daemon.worker.once({ idleEndMs: 0, maxJobs: 100 });
  expect(ids.map((id) => rig.emulator.job(id)?.status)).toEqual(Array(5).fill("Succeeded"));
});
