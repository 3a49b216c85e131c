import { expect, it, vi } from "vitest";
import type { JobGateway } from "../../../src/codepipeline/gateway.js";
import type { EngineDeps } from "../../../src/engine/deps.js";
import { Worker, type WorkerEnd } from "../../../src/engine/engine.js";
import type { Observe, WorkerEvent } from "../../../src/engine/events.js";
import type { PollerConfig } from "../../../src/engine/poller-config.js";
import type { JobId, JobKey, Region } from "../../../src/job/job.js";
import { succeeded } from "../../../src/job/outcome.js";
import type { Lease, Ledger, UnfinishedJob } from "../../../src/ledger/ledger.js";
import { MemoryLedger } from "../../../src/ledger/memory.js";
import { FakeClock, settle } from "../../support/fake-clock.js";

const policy = { minDelayMs: 1_000, maxDelayMs: 15_000, factor: 4, maxElapsedMs: Number.POSITIVE_INFINITY };
const config: PollerConfig = {
  region: "us-east-1" as Region,
  actionType: { category: "Test", owner: "ThirdParty", provider: "Acme-Scan", version: "1" },
  group: "any",
  handler: "h",
  maxConcurrentJobs: 5,
  jobTimeoutMs: 1_000,
  afterCrash: "fail",
  secretProperties: [],
};

/** A worker that finds nothing to do, but for what is told. */
function idle(
  given: {
    clock?: FakeClock;
    gateway?: Partial<JobGateway>;
    ledger?: Ledger;
    learnSecrets?: () => Promise<void>;
    observe?: Observe;
  } = {},
) {
  const { clock = new FakeClock() } = given;
  const gateway = { poll: async () => ({ jobs: [], unreadable: [] }), ...given.gateway } as JobGateway;
  const worker = new Worker({
    deps: {
      gateway: () => gateway,
      handlers: { get: () => undefined },
      ledger: given.ledger ?? new MemoryLedger({ clock, recentMs: 60_000, recentMax: 10, groupMs: 0 }),
      artifacts: { room: () => ({ isEnough: true }) },
      clock,
      random: () => 0.5,
      keepSecrets: () => () => {},
      ...(given.learnSecrets ? { learnSecrets: given.learnSecrets } : {}),
      mask: (text: string) => text,
      jobLog: () => undefined,
    } as unknown as EngineDeps,
    pollers: [config],
    limits: {
      maxConcurrentJobs: 5,
      polling: { minIntervalMs: 1_000, maxIntervalMs: 1_000 },
      shutdown: { drainTimeoutMs: 1_000, cancelGraceMs: 1_000, reportTimeoutMs: 1_000 },
      retry: { poll: policy, throttledPoll: policy, details: policy, acknowledge: policy, report: policy },
    },
    observe: given.observe ?? (() => {}),
  });
  return { worker, clock };
}

/** What an earlier process owes. */
function leftJobs(count: number): readonly UnfinishedJob[] {
  return Array.from({ length: count }, (_, n) => {
    const key: JobKey = { region: config.region, actionType: config.actionType, jobId: `job-${n}` as JobId };
    return { lease: { key, state: "settled" }, takenAtMs: 0, claim: { is: "ours" }, outcome: succeeded() };
  });
}

it("leaves no listener behind for each pause", async () => {
  const { worker, clock } = idle();
  await worker.start();
  await clock.advance(5_000);
  let listeners = 0;
  const { addEventListener: add, removeEventListener: remove } = AbortSignal.prototype;
  const adds = vi.spyOn(AbortSignal.prototype, "addEventListener").mockImplementation(function (
    this: AbortSignal,
    ...args
  ) {
    listeners += 1;
    add.apply(this, args as Parameters<typeof add>);
  });
  const removes = vi.spyOn(AbortSignal.prototype, "removeEventListener").mockImplementation(function (
    this: AbortSignal,
    ...args
  ) {
    listeners -= 1;
    remove.apply(this, args as Parameters<typeof remove>);
  });
  const grown: number[] = [];
  for (let turn = 0; turn < 20; turn++) {
    worker.pause();
    await clock.advance(5_000);
    worker.resume();
    await clock.advance(5_000);
    grown.push(listeners);
  }
  adds.mockRestore();
  removes.mockRestore();
  expect(grown.at(-1)).toBe(grown[0]);
  void worker.stop();
  await clock.advance(5_000);
});

it("stops in its time though a ledger takes seconds for each job that is given back", async () => {
  const clock = new FakeClock();
  const unanswered = (_key: unknown, _outcome: unknown, signal: AbortSignal) =>
    new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  const { worker } = idle({
    clock,
    gateway: { put: unanswered as JobGateway["put"] },
    ledger: {
      unfinished: async () => leftJobs(120),
      release: () => clock.sleep(5_000),
      health: () => ({ writable: true }),
    } as unknown as Ledger,
  });
  await worker.start();
  await clock.advance(10);
  expect(worker.inFlight).toBe(120);
  let end: WorkerEnd | undefined;
  void worker.stop().then((ended) => {
    end = ended;
  });
  // The three limits of a stop, and a second.
  await clock.advance(4_000);
  expect(end).toMatchObject({ owed: 120, isRead: true, isBroken: false });
});

it("says at any time how many jobs CodePipeline waits for: those that wait for a slot, and none that is not ours", async () => {
  const jobId = "polled" as JobId;
  const jobs = [{ key: { region: config.region, actionType: config.actionType, jobId } }];
  const { worker, clock } = idle({
    gateway: {
      poll: async (_, limit) => ({ jobs: limit > 0 ? jobs : [], unreadable: [] }),
      details: () => new Promise(() => {}),
    },
  });
  await worker.start();
  await clock.advance(10);
  expect([worker.inFlight, worker.owed]).toEqual([1, 0]);
  const ledger = { unfinished: async () => leftJobs(120), health: () => ({ writable: true }) } as unknown as Ledger;
  const other = idle({ gateway: { put: () => new Promise(() => {}) }, ledger });
  await other.worker.start();
  await other.clock.advance(10);
  expect([other.worker.inFlight, other.worker.owed]).toEqual([120, 120]);
});

it("counts what it finds when it is stopped while the ledger is still being read, and begins nothing", async () => {
  const clock = new FakeClock();
  const events: string[] = [];
  const given: string[] = [];
  const { worker } = idle({
    clock,
    observe: ({ type }) => events.push(type),
    ledger: {
      unfinished: async () => {
        await clock.sleep(800);
        return leftJobs(3);
      },
      release: async ({ key }: Lease) => void given.push(key.jobId),
      health: () => ({ writable: true }),
    } as unknown as Ledger,
  });
  const started = worker.start();
  await clock.advance(10);
  const stopped = worker.stop();
  await clock.advance(5_000);
  await started;
  expect(await stopped).toMatchObject({ owed: 3, isRead: true, isBroken: false });
  expect(given).toEqual(["job-0", "job-1", "job-2"]);
  expect(events).toEqual(["drain-started", "job-unfinished", "job-unfinished", "job-unfinished", "drain-finished"]);
});

it("waits no longer for such a ledger than for a drain", async () => {
  const clock = new FakeClock();
  const ledger = { isDurable: true, unfinished: () => new Promise(() => {}), health: () => ({ writable: true }) };
  const { worker } = idle({ clock, ledger: ledger as unknown as Ledger });
  void worker.start();
  let end: WorkerEnd | undefined;
  void worker.stop().then((ended) => {
    end = ended;
  });
  await clock.advance(4_000);
  expect(end).toMatchObject({ owed: 0, isRead: false, isBroken: false });
});

it("ends every wait at once when it is told to, and says what is owed", async () => {
  const clock = new FakeClock();
  const events: WorkerEvent[] = [];
  const unanswered = (_key: unknown, _outcome: unknown, signal: AbortSignal) =>
    new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  const ledger = { isDurable: true, unfinished: async () => leftJobs(8), health: () => ({ writable: true }) };
  const { worker } = idle({
    clock,
    ledger: { ...ledger, release: async () => {} } as unknown as Ledger,
    gateway: { put: unanswered as JobGateway["put"] },
    observe: (event) => events.push(event),
  });
  await worker.start();
  await clock.advance(100);
  let end: WorkerEnd | undefined;
  void worker.stop().then((ended) => {
    end = ended;
  });
  await clock.advance(100);
  expect(end).toBeUndefined();
  worker.stopNow("a third SIGTERM");
  // Only for jobs to notice.
  await clock.advance(1_000);
  expect(end).toMatchObject({ owed: 8, results: 8, isDurable: true, isRead: true, isBroken: false });
  expect(events.at(-1)).toMatchObject({ type: "drain-finished", owed: 8, results: 8 });
});

it.each([0, 5_000])(
  "gives results that are left their own time at once, and tells no handler to stop, when what waited is left: %i ms",
  async (releaseMs) => {
    const clock = new FakeClock();
    const events: WorkerEvent[] = [];
    const [last, ...results] = leftJobs(6);
    if (!last) throw new Error("no job");
    const { outcome: _, ...running } = last;
    const interrupted: UnfinishedJob = { ...running, lease: { ...last.lease, state: "running" } };
    const { worker } = idle({
      clock,
      gateway: { put: (_key, _outcome, signal) => new Promise((_, no) => signal.addEventListener("abort", no)) },
      ledger: {
        unfinished: async () => [...results, interrupted],
        release: async () => (releaseMs > 0 ? clock.sleep(releaseMs) : undefined),
        health: () => ({ writable: true }),
      } as unknown as Ledger,
      observe: (event) => void events.push(event),
    });
    await worker.start();
    await clock.advance(10);
    let end: WorkerEnd | undefined;
    void worker.stop().then((ended) => {
      end = ended;
    });
    // The time of results, and what aborts take.
    await clock.advance(1_000 + 1_100);
    expect(end).toMatchObject({ owed: 6, results: 5 });
    expect(events.filter(({ type }) => type === "drain-hurried")).toEqual([]);
  },
);

it.each(["start", "once"] as const)("%s begins no job before it knows what is secret", async (how) => {
  const known = Promise.withResolvers<void>();
  const memory = new MemoryLedger({ clock: new FakeClock(), recentMs: 60_000, recentMax: 10, groupMs: 0 });
  const ledger = Object.assign(memory, { isDurable: true });
  const polls = vi.fn(async () => ({ jobs: [], unreadable: [] }));
  const { worker } = idle({ gateway: { poll: polls }, ledger, learnSecrets: () => known.promise });
  void (how === "start" ? worker.start() : worker.once({ idleEndMs: 0, maxJobs: 1 }));
  await settle();
  // Nobody knows yet whose callback it is: the service has to come again.
  expect([polls.mock.calls.length, worker.mayAwaitCallback("job-0")]).toEqual([0, true]);
  known.resolve();
  await vi.waitFor(() => expect(polls).toHaveBeenCalled());
  expect(worker.mayAwaitCallback("job-0")).toBe(false);
  await worker.stop();
});
