// Promise: polls ask for free slots and for no more; with none free there is no poll.
import { expect, it } from "vitest";
import type { Region } from "../../src/job/job.js";
import { freePort, Gate, startRig, thirdParty } from "../support/rig.js";

it("asks for as many jobs as slots are free, and not at all when none is", async () => {
  const gate = new Gate();
  await using rig = await startRig({
    actionTypes: [{ ...thirdParty, maxConcurrentJobs: 4 }],
    config: { worker: { maxConcurrentJobs: 4 } },
    isHeld: true,
    handle: async () => {
      await gate.enter();
      return { kind: "succeeded" };
    },
  });
  const ids = rig.emulator.addJobs({ actionType: thirdParty, count: 9 });
  void rig.run();
  await gate.waiting(4);
  await rig.event("poll-finished", (event) => event.taken === 4);
  expect(rig.daemon.worker.slots).toMatchObject({ busy: 4, max: 4 });
  expect(rig.emulator.calls()["PollForThirdPartyJobs"]).toEqual({ ok: 1 });
  // A wake would end a rest at once: only the lack of slots can hold the poll back.
  rig.daemon.worker.wake();
  gate.release();
  await rig.event("poll-finished", (event) => event.limit === 1 && event.taken === 1);
  for (let released = 1; released < ids.length; released++) {
    await gate.waiting(1);
    gate.release();
  }
  await rig.emulator.waitFor(() => rig.emulator.counts().Succeeded === 9);
  const polls = rig.events.filter((event) => event.type === "poll-finished");
  expect(polls.slice(0, 2).map((event) => event.limit)).toEqual([4, 1]);
  for (const event of polls) expect(event.limit).toBeLessThanOrEqual(4);
});

it("takes no more jobs than it asked for from a service that answers too many", async () => {
  let most = 0;
  let now = 0;
  await using rig = await startRig({
    actionTypes: [{ ...thirdParty, maxConcurrentJobs: 3 }],
    config: { worker: { maxConcurrentJobs: 3 } },
    handle: async () => {
      now += 1;
      most = Math.max(most, now);
      await new Promise((resolve) => setImmediate(resolve));
      now -= 1;
      return { kind: "succeeded" };
    },
  });
  const ids = rig.emulator.addJobs({ actionType: thirdParty, count: 30 });
  await rig.emulator.waitFor(() => rig.emulator.counts().Succeeded === ids.length);
  expect(most).toBeLessThanOrEqual(3);
  expect(rig.emulator.violations()).toEqual([]);
});

it("keeps each entry of one action type to its own limit, also when a reload parts or joins them", async () => {
  const gate = new Gate();
  const [us, eu] = ["us-east-1", "eu-west-1"] as const;
  const entry = (region: string, maxConcurrentJobs: number) => ({
    ...thirdParty,
    regions: [region as Region],
    maxConcurrentJobs,
  });
  const running: Record<string, number> = { [us]: 0, [eu]: 0 };
  await using rig = await startRig({
    regions: [us, eu],
    actionTypes: [entry(us, 4), entry(eu, 2)],
    config: { worker: { maxConcurrentJobs: 20 }, admin: { host: "127.0.0.1", port: await freePort() } },
    handle: async (job) => {
      running[job.region] = (running[job.region] ?? 0) + 1;
      await gate.enter();
      running[job.region] = (running[job.region] ?? 0) - 1;
      return { kind: "succeeded" };
    },
  });
  for (const region of [us, eu]) rig.emulator.addJobs({ actionType: thirdParty, region, count: 12 });
  await gate.waiting(6);
  expect(running).toEqual({ [us]: 4, [eu]: 2 });
  const name = "ThirdParty/Test/Acme-Scan/1";
  expect(rig.daemon.status().slots.groups).toMatchObject([
    { group: `${name} in ${us}`, busy: 4, max: 4 },
    { group: `${name} in ${eu}`, busy: 2, max: 2 },
  ]);
  const metrics = await (await fetch(`${rig.daemon.adminUrl}/metrics`)).text();
  for (const [region, limit] of [
    [us, 4],
    [eu, 2],
  ] as const) {
    for (const what of ["limit", "in_use"]) {
      const line = `partnerd_action_type_slots_${what}{action_type="${name} in ${region}"} ${limit}\n`;
      expect(metrics).toContain(line);
    }
  }
  const [first] = rig.config.actionTypes;
  if (!first) throw new Error("no action type");
  const joined = { ...first, regions: [us as Region, eu as Region], maxConcurrentJobs: 7 };
  void rig.daemon.reload(async () => ({ ...rig.config, actionTypes: [joined] }));
  await gate.waiting(7);
  expect(rig.daemon.status().slots.groups).toMatchObject([{ group: name, busy: 7, max: 7 }]);
  while (rig.emulator.counts().Succeeded < 24) {
    gate.release(24);
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(rig.emulator.violations()).toEqual([]);
});
