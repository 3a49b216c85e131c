// Promise: polls ask for free slots and for no more; with none free there is no poll.
import { expect, it } from "vitest";
import { Gate, startRig, thirdParty } from "../support/rig.js";

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
