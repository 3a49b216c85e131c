// Promise: a policy that lacks one call of the job API is named by that call. What was not acknowledged is left to be
// offered again, what is ours is kept; polls go on with one job at a time, and all comes right by itself.
import { describe, expect, it } from "vitest";
import { custom, defaultRetry, Gate, type Rig, startRig, thirdParty } from "../support/rig.js";

const calls = {
  ThirdParty: {
    details: "GetThirdPartyJobDetails",
    acknowledge: "AcknowledgeThirdPartyJob",
    put: "PutThirdPartyJobSuccessResult",
    poll: "PollForThirdPartyJobs",
  },
  Custom: { acknowledge: "AcknowledgeJob", put: "PutJobSuccessResult", poll: "PollForJobs" },
} as const;

function deny(rig: Rig, operation: string) {
  return rig.emulator.fault({ kind: "error", code: "AccessDeniedException", operations: [operation] });
}

/** Offers are made again soon, and patience with what was not acknowledged is short. */
function start(options: Parameters<typeof startRig>[0] = {}) {
  return startRig({
    emulator: { settings: { redeliveryMs: 60 } },
    config: { retry: { ...defaultRetry, details: { ...defaultRetry.details, maxElapsedMs: 150 } } },
    ...options,
  });
}

/**
 * The most that was taken of a poll which began when the breaker was open: one may have been under way then. It may ask for
 * more, so that offers which wait for their turn do not hide those behind them.
 */
function mostTaken({ events }: Rig): number {
  const since = events.findIndex(({ type }) => type === "breaker-opened");
  const taken = events.slice(since).flatMap((event) => (event.type === "poll-finished" ? [event.taken] : []));
  return Math.max(...taken.slice(1));
}

describe.each([
  ["details", thirdParty],
  ["acknowledge", thirdParty],
  ["acknowledge", custom],
] as const)("a policy that denies %s", (deed, actionType) => {
  const operation = deed === "details" ? calls.ThirdParty.details : calls[actionType.owner].acknowledge;

  it(`of ${actionType.owner} jobs costs none of them`, async () => {
    await using rig = await start({ actionTypes: [actionType] });
    const { remove } = deny(rig, operation);
    const ids = Array.from({ length: 6 }, () => rig.emulator.addJob({ actionType }));
    const { fault } = await rig.event("breaker-opened");
    expect(fault).toMatchObject({ operation, code: "AccessDeniedException", kind: "denied" });
    expect(rig.daemon.worker.denials).toMatchObject([{ deed, fault: { operation } }]);
    const dropped = await rig.event("job-dropped");
    expect(dropped).toMatchObject({ reason: "denied", from: deed === "details" ? "polled" : "acknowledging" });
    // The same one is offered again, and taken again.
    const isLater = (event: (typeof rig.events)[number]) => rig.events.indexOf(event) > rig.events.indexOf(dropped);
    await rig.event("call-retried", (event) => event.key.jobId === dropped.key.jobId && isLater(event));
    await Promise.all(ids.map((id) => rig.event("job-dropped", ({ key }) => key.jobId === id)));
    const since = rig.events.findLastIndex(({ type }) => type === "job-dropped");
    await rig.event("poll-finished", (event) => event.taken === 1 && rig.events.indexOf(event) > since);
    expect(mostTaken(rig)).toBe(1);
    expect(rig.count("poll-failed")).toBe(0);
    remove();
    await rig.event("breaker-closed");
    const jobs = await Promise.all(ids.map((id) => rig.emulator.waitForJob(id, "over")));
    expect(jobs.map(({ status }) => status)).toEqual(ids.map(() => "Succeeded"));
    expect(rig.daemon.worker.denials).toEqual([]);
    expect(await rig.stop()).toMatchObject({ owed: 0 });
  });
});

describe.each([thirdParty, custom])("a policy that denies the results of $owner jobs", (actionType) => {
  const { put } = calls[actionType.owner];

  it("keeps each result until it is taken, and polls for one job at a time meanwhile", async () => {
    const gate = new Gate();
    await using rig = await start({
      actionTypes: [actionType],
      emulator: {},
      handle: async () => {
        await gate.enter();
        return { kind: "succeeded" };
      },
    });
    const ids = Array.from({ length: 3 }, () => rig.emulator.addJob({ actionType }));
    await gate.waiting(3);
    const { remove } = deny(rig, put);
    gate.release(3);
    const { fault } = await rig.event("breaker-opened");
    expect(fault).toMatchObject({ operation: put, kind: "denied" });
    for (const id of ids) await rig.event("call-retried", (event) => event.key.jobId === id && event.attempt >= 4);
    ids.push(rig.emulator.addJob({ actionType }), rig.emulator.addJob({ actionType }));
    await gate.waiting(2);
    expect(mostTaken(rig)).toBe(1);
    expect([rig.daemon.worker.owed, rig.count("job-dropped"), rig.count("poll-failed")]).toEqual([5, 0, 0]);
    gate.release(2);
    remove();
    await rig.event("breaker-closed");
    const jobs = await Promise.all(ids.map((id) => rig.emulator.waitForJob(id, "over")));
    expect(jobs.map(({ status }) => status)).toEqual(ids.map(() => "Succeeded"));
    expect(await rig.stop()).toMatchObject({ owed: 0 });
  });
});

it("keeps a job whose acknowledgement had no answer while the acknowledgement is denied, for it may be ours", async () => {
  await using rig = await start({ actionTypes: [thirdParty] });
  rig.emulator.fault({ kind: "lost-answer", operations: [calls.ThirdParty.acknowledge], times: 1 });
  // The older fault strikes first.
  const { remove } = deny(rig, calls.ThirdParty.acknowledge);
  const id = rig.emulator.addJob({ actionType: thirdParty });
  await rig.event("breaker-opened");
  // Far beyond the patience with what was not acknowledged.
  await rig.event("call-retried", (event) => event.attempt >= 15);
  expect([rig.count("job-dropped"), rig.daemon.worker.owed]).toEqual([0, 1]);
  remove();
  expect((await rig.emulator.waitForJob(id, "over")).status).toBe("Succeeded");
});
