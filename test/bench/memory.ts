// Resident memory: at 50 slots under full load, whether it grows with the jobs that ended, and what each job in flight
// holds when 10,000 handlers run at once. Nothing is collected by force.
import { setTimeout as wait } from "node:timers/promises";
import type { BenchLine, BenchOptions } from "./bench-line.ts";
import { Endpoint } from "./contestants.ts";
import { leastConfig, MeasuredDaemon } from "./measured-daemon.ts";

/** Until what is bounded is full: the slope over a million jobs is measured from here. */
const warmUpJobs = 25_000;
const fullSpeed = { latencyMs: 0, ratePerSecond: null } as const;
const quickPolls = { polling: { minInterval: "50ms", maxInterval: "50ms" } };
const holdingHandler = "export const handler = () => new Promise(() => {});\n";
const quietMs = 3_000;
const settleMaxMs = 240_000;

/** BENCH_MEMORY_JOBS: over how many jobs it is to be flat (100,000). */
export async function run({ isSmoke }: BenchOptions): Promise<readonly BenchLine[]> {
  const jobs = isSmoke ? 2_000 : Number(process.env["BENCH_MEMORY_JOBS"] ?? 100_000);
  const inFlight = isSmoke ? 100 : 10_000;
  return [...(await underLoad(jobs, isSmoke ? 500 : warmUpJobs)), ...(await perJob(inFlight))];
}

async function underLoad(jobs: number, warmUp: number): Promise<readonly BenchLine[]> {
  const endpoint = await Endpoint.start();
  endpoint.set({ jobs: 0, ...fullSpeed });
  const daemon = MeasuredDaemon.start({
    ...leastConfig(endpoint.url),
    ...quickPolls,
    worker: { maxConcurrentJobs: 50 },
  });
  try {
    await inParts(endpoint, warmUp);
    const warm = daemon.rssMegabytes();
    const half = jobs / 2;
    await inParts(endpoint, half);
    const middle = daemon.rssMegabytes();
    await inParts(endpoint, half);
    const last = daemon.rssMegabytes();
    return [
      { name: "RSS at 50 slots under full load", values: [warm, middle, last], unit: "MB", most: 160 },
      { name: `RSS after ${jobs} jobs, above that after half of them`, values: [last - middle], unit: "MB" },
    ];
  } finally {
    await daemon.stop();
    endpoint.stop();
  }
}

/** An order waits at most three minutes, however slow the machine is. */
async function inParts(endpoint: Endpoint, jobs: number): Promise<void> {
  const part = 25_000;
  for (let left = jobs; left > 0; left -= part) await endpoint.give({ jobs: Math.min(part, left), ...fullSpeed });
}

async function perJob(jobs: number): Promise<readonly BenchLine[]> {
  const lines: BenchLine[] = [];
  for (const isolation of ["thread", "none"] as const) {
    const endpoint = await Endpoint.start();
    endpoint.set({ jobs: 0, ...fullSpeed });
    const config = {
      ...leastConfig(endpoint.url),
      ...quickPolls,
      worker: { maxConcurrentJobs: jobs },
      handlers: { noop: { kind: "module", path: "./noop.mjs", isolation } },
    };
    const daemon = MeasuredDaemon.start(config, { files: { "noop.mjs": holdingHandler } });
    try {
      await wait(quietMs * 2);
      const before = daemon.rssMegabytes();
      endpoint.set({ jobs, ...fullSpeed });
      await untilQuiet(daemon);
      const each = ((daemon.rssMegabytes() - before) / jobs) * 1024;
      const name = `RSS of each of ${jobs} jobs in flight, isolation: ${isolation}`;
      lines.push({ name, values: [each], unit: "KB", most: 8 });
    } finally {
      // A drain would wait for the handlers.
      await daemon.kill();
      endpoint.stop();
    }
  }
  return lines;
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
