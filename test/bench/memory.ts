// Resident memory: at 50 slots under full load, and what each job in flight holds when 10,000 handlers run at once.
// Nothing is collected by force. Whether it grows with the jobs that ended: `npm run bench -- long`.
import { rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import type { BenchLine, BenchOptions } from "./bench-line.ts";
import { Endpoint } from "./contestants.ts";
import { folderInMemory, leastConfig, MeasuredDaemon } from "./measured-daemon.ts";
import { progress } from "./rounds.ts";

const warmUpJobs = 6_000;
const fullSpeed = { latencyMs: 0, ratePerSecond: null } as const;
const quickPolls = { polling: { minInterval: "50ms", maxInterval: "50ms" } };
const holdingHandler = "export const handler = () => new Promise(() => {});\n";
const quietMs = 3_000;
const settleMaxMs = 25_000;

/** BENCH_MEMORY_JOBS: how many jobs are run after the warm-up (6,000). */
export async function run({ isSmoke, onFound }: BenchOptions): Promise<readonly BenchLine[]> {
  const jobs = isSmoke ? 2_000 : Number(process.env["BENCH_MEMORY_JOBS"] ?? 6_000);
  const inFlight = isSmoke ? 100 : 10_000;
  onFound(await underLoad(jobs, isSmoke ? 500 : warmUpJobs));
  for (const isolation of ["thread", "none"] as const) onFound([await perJob(inFlight, isolation)]);
  return [];
}

async function underLoad(jobs: number, warmUp: number): Promise<readonly BenchLine[]> {
  progress(`${warmUp + jobs} jobs at 50 slots`);
  const folder = folderInMemory();
  const endpoint = await Endpoint.start();
  endpoint.set({ jobs: 0, ...fullSpeed });
  const daemon = MeasuredDaemon.start({
    ...leastConfig(endpoint.url),
    ...quickPolls,
    ledger: { store: "sqlite", path: join(folder, "bench.db") },
    worker: { maxConcurrentJobs: 50 },
  });
  try {
    const held = [];
    for (const part of [warmUp, jobs / 2, jobs / 2]) {
      await inParts(endpoint, part);
      held.push(daemon.rssMegabytes());
    }
    return [{ name: "RSS at 50 slots under full load", values: held, unit: "MB", most: 160 }];
  } finally {
    await daemon.stop();
    endpoint.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** An order waits at most three minutes, however slow the machine is. */
async function inParts(endpoint: Endpoint, jobs: number): Promise<void> {
  const part = 25_000;
  for (let left = jobs; left > 0; left -= part) await endpoint.give({ jobs: Math.min(part, left), ...fullSpeed });
}

async function perJob(jobs: number, isolation: "thread" | "none"): Promise<BenchLine> {
  progress(`${jobs} jobs in flight, isolation: ${isolation}`);
  const folder = folderInMemory();
  const endpoint = await Endpoint.start();
  endpoint.set({ jobs: 0, ...fullSpeed });
  const config = {
    ...leastConfig(endpoint.url),
    ...quickPolls,
    ledger: { store: "sqlite", path: join(folder, "bench.db") },
    worker: { maxConcurrentJobs: jobs },
    handlers: { noop: { kind: "module", path: "./noop.mjs", isolation } },
  };
  const daemon = MeasuredDaemon.start(config, { files: { "noop.mjs": holdingHandler } });
  try {
    await wait(quietMs);
    const before = daemon.rssMegabytes();
    endpoint.set({ jobs, ...fullSpeed });
    await untilQuiet(daemon);
    const each = ((daemon.rssMegabytes() - before) / jobs) * 1024;
    return {
      name: `RSS of each of ${jobs} jobs in flight, isolation: ${isolation}`,
      values: [each],
      unit: "KB",
      most: 8,
    };
  } finally {
    // A drain would wait for the handlers.
    await daemon.kill();
    endpoint.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Until it uses next to no CPU any more: every job runs. */
async function untilQuiet(daemon: MeasuredDaemon): Promise<void> {
  const untilMs = performance.now() + settleMaxMs;
  for (let last = 0; performance.now() < untilMs; ) {
    await wait(quietMs);
    const cpuMs = daemon.cpuMs();
    if (cpuMs - last < 0.08 * quietMs) return;
    last = cpuMs;
  }
}
