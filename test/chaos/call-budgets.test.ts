// Promise: the engine makes no call that it could do without. In virtual time, over the virtual service, which keeps
// every call that it got; prints what it counted.
import { expect, it } from "vitest";
import { actionTypeName } from "../../src/job/job.js";
import { ordinaryLimits } from "../support/engine-limits.js";
import { build, scan, virtualWorker } from "./virtual-worker.js";

const seed = Number(process.env["PARTNERD_SEED"] ?? 20_260_101);
const hourMs = 3_600_000;

it("polls for as many jobs as slots are free, and never when none is", async () => {
  const maxConcurrentJobs = 7;
  let turn = 0;
  const { clock, service, worker, stop } = virtualWorker({
    seed,
    maxConcurrentJobs,
    actionTypes: [scan],
    handle: async () => {
      await clock.sleep(100 + ((turn++ * 977) % 9_000));
      return { kind: "succeeded" };
    },
  });
  for (let index = 0; index < 300; index++) service.addJob(scan, `job-${index}`);
  await worker.start();
  for (let waits = 0; !service.isAllOver && waits < 2_000; waits++) await clock.advance(1_000);
  expect(service.isAllOver).toBe(true);
  const polls = service.calls.filter((call) => call.operation === "poll");
  // Held at CodePipeline is held here: each such job has a slot of ours.
  expect(polls.filter((call) => call.limit !== maxConcurrentJobs - call.held)).toEqual([]);
  expect(polls.filter((call) => call.held >= maxConcurrentJobs)).toEqual([]);
  expect(Math.max(...polls.map((call) => call.held)), "the slots were in use").toBeGreaterThan(0);
  await stop();
  console.log(`300 jobs through ${maxConcurrentJobs} slots: ${polls.length} polls, each for exactly the free slots`);
});

it("never lets the polls of several action types promise a slot twice", async () => {
  const maxConcurrentJobs = 6;
  const { clock, service, worker, events, stop } = virtualWorker({
    seed,
    maxConcurrentJobs,
    handle: async () => {
      await clock.sleep(3_000);
      return { kind: "succeeded" };
    },
  });
  for (let index = 0; index < 60; index++) service.addJob(index % 2 === 0 ? scan : build, `job-${index}`);
  let most = 0;
  service.onCall = (call) => {
    if (call.operation !== "poll") return;
    most = Math.max(most, call.held + (call.limit ?? Number.POSITIVE_INFINITY));
  };
  await worker.start();
  for (let waits = 0; !service.isAllOver && waits < 2_000; waits++) await clock.advance(1_000);
  expect(service.isAllOver).toBe(true);
  expect(most).toBeLessThanOrEqual(maxConcurrentJobs);
  expect(events.filter((event) => event.type === "offer-repeated")).toEqual([]);
  await stop();
});

it("asks for the details, acknowledgements and reports once for each job", async () => {
  const { clock, service, worker, stop } = virtualWorker({
    seed,
    maxConcurrentJobs: 20,
    handle: async ({ job }) => {
      if (job.key.jobId.endsWith("7")) throw new Error("no");
      return { kind: "succeeded" };
    },
  });
  const count = 1_000;
  for (let index = 0; index < count; index++) service.addJob(index % 2 === 0 ? scan : build, `job-${index}`);
  await worker.start();
  for (let waits = 0; !service.isAllOver && waits < 2_000; waits++) await clock.advance(1_000);
  expect(service.isAllOver).toBe(true);
  const tally = new Map<string, number>();
  for (const { operation, jobId } of service.calls) {
    if (jobId === undefined) continue;
    const name = `${operation} ${jobId}`;
    tally.set(name, (tally.get(name) ?? 0) + 1);
  }
  expect(tally.size).toBe(3 * count);
  expect([...tally].filter(([, calls]) => calls !== 1)).toEqual([]);
  expect(service.jobs.filter((job) => job.results.length !== 1)).toEqual([]);
  const polls = service.calls.filter((call) => call.operation === "poll").length;
  expect(polls, "polls for 1,000 jobs that end at once").toBeLessThanOrEqual(count / 3);
  await stop();
  console.log(`${count} jobs: ${polls} polls, and 1 details, 1 acknowledge, 1 result each`);
});

/** Long rests of several pollers end at once, and get at most so much longer. */
const togetherMs = 100;

it("rests between idle polls as the curve says, for each action type", async () => {
  const { clock, service, worker, stop } = virtualWorker({ seed });
  await worker.start();
  await clock.advance(hourMs);
  const { minIntervalMs, maxIntervalMs } = ordinaryLimits.polling;
  for (const type of [scan, build]) {
    const at = service.calls.filter((call) => call.actionType === actionTypeName(type)).map((call) => call.atMs);
    const rests = at.slice(1).map((ms, index) => ms - (at[index] ?? 0));
    const wrong = rests.filter((restMs, index) => {
      const curveMs = Math.min(maxIntervalMs, minIntervalMs * 1.5 ** index);
      return restMs > curveMs * 1.05 + togetherMs || restMs < curveMs * 0.95 - 1e-6;
    });
    expect(wrong).toEqual([]);
    expect(at.length).toBeGreaterThanOrEqual(hourMs / (1.05 * maxIntervalMs + togetherMs));
    expect(at.length).toBeLessThanOrEqual(8 + hourMs / (0.95 * maxIntervalMs));
    console.log(`idle for an hour: ${at.length} polls of ${actionTypeName(type)}`);
  }
  expect(service.calls.every((call) => call.operation === "poll")).toBe(true);
  await stop();
});

it("makes no call at all while it is paused", async () => {
  const { clock, service, worker, stop } = virtualWorker({ seed });
  await worker.start();
  await clock.advance(10_000);
  worker.pause();
  // The rest that each poller is in ends, then it waits.
  await clock.advance(ordinaryLimits.polling.maxIntervalMs);
  const before = service.calls.length;
  service.addJob(scan, "waits");
  await clock.advance(hourMs);
  expect(service.calls.length).toBe(before);
  worker.resume();
  await clock.advance(1_000);
  expect(service.isAllOver).toBe(true);
  await stop();
});
