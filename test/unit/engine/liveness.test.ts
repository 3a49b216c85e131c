// A worker that is well is live at every moment, whatever keeps its pollers and whatever the wall clock does; one whose
// poll never ends is not.
import { expect, it } from "vitest";
import { live } from "../../../src/admin/health.js";
import { StatusBoard } from "../../../src/admin/status.js";
import type { JobGateway } from "../../../src/codepipeline/gateway.js";
import type { EngineDeps, EngineLimits } from "../../../src/engine/deps.js";
import { Worker } from "../../../src/engine/engine.js";
import type { PollerConfig } from "../../../src/engine/poller-config.js";
import type { JobHandler } from "../../../src/handlers/handler.js";
import type { JobId, Nonce, PolledJob, Region } from "../../../src/job/job.js";
import { succeeded } from "../../../src/job/outcome.js";
import { MemoryLedger } from "../../../src/ledger/memory.js";
import { FakeClock } from "../../support/fake-clock.js";
import { noArtifacts } from "../../support/no-artifacts.js";
import { noLog } from "../../support/no-log.js";

const minuteMs = 60_000;
const halfAnHourMs = 30 * minuteMs;
const hourMs = 60 * minuteMs;
const policy = { minDelayMs: 1_000, maxDelayMs: 15_000, factor: 4, maxElapsedMs: Number.POSITIVE_INFINITY };
const pollers = ["us-east-1", "eu-west-1"].map(
  (region): PollerConfig => ({
    region: region as Region,
    actionType: { category: "Build", owner: "Custom", provider: "Acme", version: "1" },
    group: "any",
    handler: "h",
    maxConcurrentJobs: 1,
    jobTimeoutMs: 2 * hourMs,
    afterCrash: "fail",
    secretProperties: [],
  }),
);
const limits: EngineLimits = {
  maxConcurrentJobs: 1,
  polling: { minIntervalMs: 1_000, maxIntervalMs: 15_000 },
  shutdown: { drainTimeoutMs: hourMs, cancelGraceMs: 1_000, reportTimeoutMs: 1_000 },
  retry: { poll: policy, throttledPoll: policy, details: policy, acknowledge: policy, report: policy },
};

function given(options: { readonly polling?: EngineLimits["polling"] } = {}) {
  const clock = new FakeClock();
  const board = new StatusBoard({ startedAtMs: clock.now(), pollers: pollers });
  const waiting: PolledJob[] = [];
  const state = { hangs: false, isWritable: true, hasRoom: true };
  const gateway: JobGateway = {
    poll: async (_type, limit) => {
      if (state.hangs) return new Promise(() => {});
      return { jobs: waiting.splice(0, limit), unreadable: [] };
    },
    details: async ({ key }) => ({ key, nonce: "1" as Nonce, ...nothing }),
    detailsAgain: () => Promise.reject(new Error("nothing is recovered")),
    acknowledge: async () => "InProgress",
    put: async () => {},
  };
  const handler: JobHandler = {
    kind: "module",
    description: "works for half an hour",
    run: () => clock.sleep(halfAnHourMs).then(() => succeeded()),
    close: async () => {},
  };
  const ledger = new MemoryLedger({ clock, recentMs: minuteMs, recentMax: 10, groupMs: 0 });
  const health = () => ({ writable: state.isWritable });
  const deps: EngineDeps = {
    gateway: () => gateway,
    handlers: { get: () => handler, close: async () => {} },
    ledger: Object.assign(ledger, { health }),
    artifacts: { ...noArtifacts, room: () => ({ isEnough: state.hasRoom }) },
    clock,
    random: () => 0.5,
    keepSecrets: () => () => {},
    mask: (text) => text,
    jobLog: () => noLog,
  };
  const own = { ...limits, polling: options.polling ?? limits.polling };
  const worker = new Worker({ deps, pollers, limits: own, observe: (event) => board.observe(event) });
  const look = () => {
    const { loops, inFlight } = worker;
    return live({ ...board.snapshot(clock.now()), loops, inFlight }, health());
  };
  return {
    clock,
    worker,
    state,
    limits: own,
    look,
    offer: (n: number) => waiting.push(offered(n)),
    inFlight: () => worker.inFlight,
  };
}

const nothing = { configuration: {}, pipeline: {}, inputs: [], outputs: [] };

function offered(n: number): PolledJob {
  const [config] = pollers;
  if (!config) throw new Error("no lane");
  return { key: { region: config.region, actionType: config.actionType, jobId: `job-${n}` as JobId } };
}

type Given = ReturnType<typeof given>;

/** Looks at every turn of the event loop while `act` goes on; the first look that says "not live". */
async function lookedAt({ look }: Given, act: () => Promise<unknown>): Promise<unknown> {
  let isOver = false;
  let found: unknown;
  const turn = () => {
    const { live: isLive, reasons } = look();
    if (!isLive) found ??= reasons;
    if (!isOver) setImmediate(turn);
  };
  turn();
  await act();
  isOver = true;
  return found;
}

it.each<[string, (given: Given) => Promise<unknown>]>([
  [
    "its only slot is busy for half an hour, and free again",
    async ({ clock, offer, inFlight }) => {
      offer(1);
      await clock.advance(minuteMs);
      expect(inFlight()).toBe(1);
      await clock.advance(halfAnHourMs);
      expect(inFlight()).toBe(0);
      offer(2);
      await clock.advance(hourMs);
    },
  ],
  [
    "it is paused for half an hour, and resumed",
    async ({ clock, worker }) => {
      worker.pause();
      await clock.advance(halfAnHourMs);
      worker.resume();
      await clock.advance(halfAnHourMs);
    },
  ],
  [
    "its ledger cannot be written for half an hour",
    async ({ clock, state }) => {
      state.isWritable = false;
      await clock.advance(halfAnHourMs);
      state.isWritable = true;
      await clock.advance(halfAnHourMs);
    },
  ],
  [
    "artifacts have no room for half an hour",
    async ({ clock, state }) => {
      state.hasRoom = false;
      await clock.advance(halfAnHourMs);
      state.hasRoom = true;
      await clock.advance(halfAnHourMs);
    },
  ],
  [
    "the wall clock is set forward, then back",
    async ({ clock }) => {
      for (const step of [2 * hourMs, -4 * hourMs]) {
        clock.step(step);
        await clock.advance(halfAnHourMs);
      }
    },
  ],
  [
    "another pace comes into force",
    async ({ clock, worker, limits: own }) => {
      const polling = { minIntervalMs: hourMs, maxIntervalMs: hourMs };
      await worker.apply({ pollers, limits: { ...own, polling } });
      await clock.advance(halfAnHourMs);
      void worker.apply({ pollers: pollers.slice(0, 1), limits: own });
      await clock.advance(halfAnHourMs);
      void worker.apply({ pollers, limits: own });
      await clock.advance(halfAnHourMs);
    },
  ],
  [
    "it drains for half an hour",
    async ({ clock, worker, offer }) => {
      offer(1);
      await clock.advance(minuteMs);
      void worker.stop();
      await clock.advance(hourMs);
    },
  ],
])("is live at every moment while %s", async (_what, act) => {
  const one = given();
  const found = await lookedAt(one, async () => {
    await one.worker.start();
    await one.clock.advance(minuteMs);
    await act(one);
  });
  expect(found).toBeUndefined();
  void one.worker.stop();
  await one.clock.advance(hourMs);
});

it("is live in a rest of an hour, also after a pause in the middle of it", async () => {
  const one = given({ polling: { minIntervalMs: hourMs, maxIntervalMs: hourMs } });
  const found = await lookedAt(one, async () => {
    await one.worker.start();
    await one.clock.advance(minuteMs);
    one.worker.pause();
    await one.clock.advance(minuteMs);
    one.worker.resume();
    await one.clock.advance(3 * hourMs);
  });
  expect(found).toBeUndefined();
  void one.worker.stop();
  await one.clock.advance(hourMs);
});

it("is not live once a poll has not ended for ten minutes, and says which", async () => {
  const one = given();
  await one.worker.start();
  await one.clock.advance(minuteMs);
  one.state.hangs = true;
  // At the latest after the longest rest.
  await one.clock.advance(10 * minuteMs);
  expect(one.look().live).toBe(true);
  await one.clock.advance(minuteMs);
  expect(one.look()).toEqual({
    live: false,
    reasons: [
      { reason: "poller-stuck", message: expect.stringMatching(/Acme\/1 in .* has stopped polling \(polling/) },
    ],
  });
  void one.worker.stop();
  await one.clock.advance(2 * hourMs);
});
