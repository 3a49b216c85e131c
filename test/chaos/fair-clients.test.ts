// Promise: a customer who floods an action type takes nothing from the others that they would miss, and loses little by
// it. The whole engine in virtual time over the virtual service, by both readings of what a poll offers again; prints
// what it saw.
import { describe, expect, it } from "vitest";
import type { PollerConfig } from "../../src/engine/poller-config.js";
import { build, scan, virtualWorker } from "./virtual-worker.js";

const seed = Number(process.env["PARTNERD_SEED"] ?? 20_260_101);
const jobMs = 5_000;
const flood = 1_000;
const latencyMs = 50;

interface Day {
  /** The other customer offers a job each second, from before the flood on. */
  readonly isShared: boolean;
  readonly settings?: Partial<PollerConfig>;
  readonly offersAtOnce?: boolean;
  /** Jobs of the other customer before the flood. */
  readonly before?: number;
  readonly otherMs?: number;
}

/** A customer floods; how long its jobs take all together, and how long the other one waits for each of his. */
async function floodOf({ isShared, settings = {}, offersAtOnce = false, before = 10, otherMs = jobMs }: Day) {
  let turn = 0;
  const { clock, service, worker, events, stop } = virtualWorker({
    seed,
    actionTypes: [scan],
    settings,
    handle: async ({ job }) => {
      // From 4 to 6 s.
      const { jobId } = job.key;
      await clock.sleep((jobId.startsWith("b") ? otherMs : jobMs) * (0.8 + ((turn++ * 977) % 400) / 1_000));
      return { kind: "succeeded" };
    },
  });
  Object.assign(service, { latencyMs, offersAtOnce, queuesAgain: true });
  let working = 0;
  service.onCall = () => {
    working = Math.max(working, service.working);
  };
  const addedMs = new Map<string, number>();
  const offer = (client: string, name: string) => {
    addedMs.set(name, clock.monotonic());
    service.addJob(scan, name, { client });
  };
  await worker.start();
  let other = 0;
  for (; isShared && other < before; other++) {
    offer("b", `b-${other}`);
    await clock.advance(1_000);
  }
  const wallMs = clock.now() - clock.monotonic();
  const startMs = clock.monotonic();
  for (let index = 0; index < flood; index++) offer("a", `a-${index}`);
  const isOver = (name: string) =>
    service.jobs.every(({ key, state }) => !key.jobId.startsWith(name) || state === "over");
  while (!isOver("a") && clock.monotonic() - startMs < 1_000_000) {
    if (isShared) offer("b", `b-${other++}`);
    await clock.advance(1_000);
  }
  const startedMs = new Map(
    events.flatMap((event) => (event.type === "job-started" ? [[event.key.jobId as string, event.atMs - wallMs]] : [])),
  );
  const lastA = Math.max(
    ...events.flatMap((event) =>
      event.type === "job-reported" && event.key.jobId.startsWith("a") ? [event.atMs - wallMs] : [],
    ),
  );
  const waits = [...addedMs]
    .filter(([name, ms]) => name.startsWith("b") && ms >= startMs && ms < lastA - 10_000)
    .map(([name, ms]) => (startedMs.get(name) ?? Number.POSITIVE_INFINITY) - ms)
    .sort((one, two) => one - two);
  await stop();
  expect(service.jobs.filter(({ results, state }) => state === "over" && results.length !== 1)).toEqual([]);
  const polls = service.calls.filter(({ operation }) => operation === "poll");
  return {
    perSecond: (flood * 1_000) / (lastA - startMs),
    p50: waits[Math.floor(waits.length / 2)] ?? 0,
    p95: waits[Math.floor(waits.length * 0.95)] ?? 0,
    polls: polls.length,
    details: service.calls.filter(({ operation }) => operation === "details").length,
    lost: events.filter(({ type }) => type === "job-dropped").length,
    largest: Math.max(...polls.map(({ limit }) => limit ?? 0)),
    working,
    held: Math.max(...service.calls.map(({ held }) => held)),
  };
}

const show = (what: string, day: Awaited<ReturnType<typeof floodOf>>) =>
  console.log(
    what,
    JSON.stringify(day, (_, value: unknown) => (typeof value === "number" ? Math.round(value * 100) / 100 : value)),
  );

/** One poll and one job of the flood. */
const inTimeMs = jobMs + 1_000;

describe("a customer who floods", () => {
  it.each<[string, Partial<Day>]>([
    ["by default", {}],
    ["by default, while the other's jobs are short", { otherMs: 500 }],
    ["with a cap of 45 of 50", { settings: { maxConcurrentJobsPerClient: 45 }, otherMs: 500 }],
    ["with a cap of half the slots", { settings: { maxConcurrentJobsPerClient: 25 } }],
  ])(
    "leaves the other one his turn, and gets the rest: %s",
    async (what, day) => {
      const alone = await floodOf({ ...day, isShared: false });
      const shared = await floodOf({ ...day, isShared: true });
      show(`${what}: alone `, alone);
      show(`${what}: shared`, shared);
      expect(shared.p95).toBeLessThanOrEqual(inTimeMs);
      // A slot works a job in 5 s: nine tenths of what the cap allows, the last jobs of the flood included.
      expect(alone.perSecond).toBeGreaterThanOrEqual((0.9 * (day.settings?.maxConcurrentJobsPerClient ?? 50)) / 5);
      // The other one's jobs take slots as well: so many of 50, all the time.
      const others = (day.otherMs ?? jobMs) / 1_000;
      const left = (day.settings?.maxConcurrentJobsPerClient ?? 50) <= 25 ? 1 : (50 - others) / 50;
      expect(shared.perSecond).toBeGreaterThanOrEqual(0.9 * alone.perSecond * left);
      expect(Math.max(shared.working, alone.working)).toBeLessThanOrEqual(50);
    },
    120_000,
  );

  it.each<[string, Partial<Day>]>([
    ["by default", {}],
    ["with a cap of 45 of 50", { settings: { maxConcurrentJobsPerClient: 45 } }],
  ])(
    "starves nobody where every poll offers again what was not taken: %s",
    async (what, day) => {
      // Behind more such jobs than a poll may ask for nobody can be seen: here fairness ends.
      const shared = await floodOf({ ...day, isShared: true, offersAtOnce: true });
      show(`${what}, offered at once: shared`, shared);
      expect(shared.p95).toBeLessThan(Number.POSITIVE_INFINITY);
      expect(shared.largest).toBeLessThanOrEqual(100);
      expect(shared.working).toBeLessThanOrEqual(50);
    },
    120_000,
  );
});

it("weights share the slots between action types while both have jobs, and one gets all when the other has none", async () => {
  const running = new Map<string, number>();
  let turn = 0;
  const { clock, service, worker, stop } = virtualWorker({
    seed,
    maxConcurrentJobs: 40,
    weights: { [scan.provider]: 3 },
    handle: async ({ job }) => {
      const { provider } = job.key.actionType;
      running.set(provider, (running.get(provider) ?? 0) + 1);
      await clock.sleep(jobMs * (0.8 + ((turn++ * 977) % 400) / 1_000));
      running.set(provider, (running.get(provider) ?? 0) - 1);
      return { kind: "succeeded" };
    },
  });
  service.latencyMs = latencyMs;
  for (let index = 0; index < 400; index++) service.addJob(build, `build-${index}`);
  await worker.start();
  await clock.advance(20_000);
  const alone = running.get(build.provider) ?? 0;
  for (let index = 0; index < 1_000; index++) service.addJob(scan, `scan-${index}`);
  await clock.advance(25_000);
  const seen = { heavy: 0, light: 0 };
  for (let second = 0; second < 60; second++) {
    seen.heavy += running.get(scan.provider) ?? 0;
    seen.light += running.get(build.provider) ?? 0;
    await clock.advance(1_000);
  }
  console.log(
    `alone ${alone} of 40; weights 3 and 1: ${(seen.heavy / 60).toFixed(1)} and ${(seen.light / 60).toFixed(1)}`,
  );
  expect(alone).toBeGreaterThanOrEqual(36);
  expect(seen.heavy / seen.light).toBeGreaterThan(2.6);
  expect(seen.heavy / seen.light).toBeLessThan(3.4);
  await stop();
}, 120_000);

describe("serialBy", () => {
  it("runs one job of each value at a time, and keeps the slots for the others", async () => {
    const running = new Set<string>();
    let most = 0;
    const values = 8;
    const { clock, service, worker, events, stop } = virtualWorker({
      seed,
      actionTypes: [scan],
      maxConcurrentJobs: 10,
      settings: { serialBy: "configuration.Project" },
      handle: async ({ job }) => {
        const project = job.configuration["Project"] ?? "";
        if (running.has(project)) throw new Error(`two jobs of ${project} at once`);
        running.add(project);
        most = Math.max(most, running.size);
        await clock.sleep(2_000);
        running.delete(project);
        return { kind: "succeeded" };
      },
    });
    Object.assign(service, { latencyMs, queuesAgain: true });
    await worker.start();
    for (let index = 0; index < 80; index++) {
      service.addJob(scan, `job-${index}`, { client: "a", configuration: { Project: `p-${index % values}` } });
    }
    for (let seconds = 0; !service.isAllOver && seconds < 600; seconds++) await clock.advance(1_000);
    expect(service.isAllOver).toBe(true);
    expect(service.jobs.every(({ results }) => results.length === 1 && results[0]?.kind === "succeeded")).toBe(true);
    expect(most).toBe(values);
    const details = service.calls.filter(({ operation }) => operation === "details").length;
    // Once to learn its value, once to begin it.
    expect(details).toBeLessThanOrEqual(2 * 80);
    const perValueMs =
      clock.monotonic() -
      service.jobs.reduce((least, { addedAtMs }) => Math.min(least, addedAtMs), Number.POSITIVE_INFINITY);
    console.log(`80 jobs of 8 values: ${Math.round(perValueMs / 1_000)} s; without any gap 20 s; ${details} details`);
    expect(perValueMs).toBeLessThanOrEqual(30_000);
    expect(events.some((event) => event.type === "bug")).toBe(false);
    await stop();
  });
});
