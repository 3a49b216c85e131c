// How long a job waits for its handler: from a poll's answer at 200 jobs/s, and from its appearance at 5 jobs/s (Poisson)
// for several intervals, with the polls that each makes and what it costs while nothing comes.
import { readFileSync } from "node:fs";
import { setTimeout as wait } from "node:timers/promises";
import type { BenchLine, BenchOptions } from "./bench-line.ts";
import { type Contestant, Endpoint, startDaemon } from "./contestants.ts";
import { progress, roundsWithin } from "./rounds.ts";

const latencyMs = 20;
/** Of the part's time; the rest is for the intervals. */
const loadShare = 0.5;
/** Polling cannot beat half an interval. */
const wanted = { p50: 0.52, p95: 1.0 };

export async function run(options: BenchOptions): Promise<readonly BenchLine[]> {
  options.onFound(await underLoad(options));
  return fromAppearance(options);
}

/** Above two round trips, those of details and acknowledge: what the daemon itself adds. */
async function underLoad(options: BenchOptions): Promise<readonly BenchLine[]> {
  const endpoint = await Endpoint.start();
  try {
    return await underLoadOf(endpoint, { ...options, seconds: options.seconds * loadShare });
  } finally {
    endpoint.stop();
  }
}

async function underLoadOf(
  endpoint: Endpoint,
  { rounds, seconds, isSmoke }: BenchOptions,
): Promise<readonly BenchLine[]> {
  const jobs = isSmoke ? 40 : 1_500;
  const rows: Readonly<Record<string, number[]>> = { p50: [], p95: [], p99: [] };
  for (const round of roundsWithin({ rounds, seconds })) {
    progress(`round ${round + 1} of ${rounds}: 200 jobs/s`);
    const daemon = startDaemon({ endpoint: endpoint.url });
    try {
      // Warm: the first hundreds wait for the compiler.
      await endpoint.give({ jobs: isSmoke ? 10 : 800, latencyMs, ratePerSecond: 200 });
      await endpoint.give({ jobs, latencyMs, ratePerSecond: 200 });
      await wait(200);
      const pickups = pickupsIn(daemon).slice(-jobs);
      for (const [name, values] of Object.entries(rows)) {
        values.push(percentile(pickups, Number(name.slice(1)) / 100) - 2 * latencyMs);
      }
    } finally {
      await daemon.stop();
    }
  }
  const most: Readonly<Record<string, number>> = { p50: 5, p99: 15 };
  return Object.entries(rows).map(([name, values]) => ({
    name: `pickup at 200 jobs/s, ${latencyMs} ms a call, above two round trips: ${name}`,
    values,
    unit: "ms",
    ...(most[name] === undefined ? {} : { most: most[name] }),
  }));
}

/** From the log: whole milliseconds, as operators see them. */
function pickupsIn(daemon: Contestant): readonly number[] {
  return [...readFileSync(daemon.logPath, "utf8").matchAll(/"pickupMs":(\d+(?:\.\d+)?)/g)].map(([, ms]) => Number(ms));
}

/**
 * All intervals at the same time: they share neither endpoint nor daemon, and at 5 jobs/s all of them together leave the
 * cores idle for most of the time.
 */
async function fromAppearance({ isSmoke }: BenchOptions): Promise<readonly BenchLine[]> {
  const intervals = isSmoke ? [200] : [200, 500, 1_000, 2_000];
  const seconds = isSmoke ? 1 : 15;
  progress(`intervals of ${intervals.join(", ")} ms at the same time, for ${2 * seconds} s`);
  return (await Promise.all(intervals.map((intervalMs) => atInterval(intervalMs, seconds)))).flat();
}

async function atInterval(intervalMs: number, seconds: number): Promise<readonly BenchLine[]> {
  const interval = `${intervalMs}ms`;
  const endpoint = await Endpoint.start();
  const daemon = startDaemon({ endpoint: endpoint.url, minInterval: interval, maxInterval: interval });
  try {
    await endpoint.give({ jobs: 1, latencyMs: 0, ratePerSecond: null });
    // The gaps between polls are the interval's from the second on.
    await wait(2 * intervalMs);
    const cpuBefore = daemon.cpuMicros();
    endpoint.set({ jobs: 0, latencyMs: 0, ratePerSecond: null });
    await wait(seconds * 1_000);
    const idlePercent = ((daemon.cpuMicros() - cpuBefore) / (seconds * 1e6)) * 100;
    const order = { jobs: 5 * seconds, latencyMs: 0, ratePerSecond: 5, isPoisson: true } as const;
    const { appearedToDetailsMs: waits = [], polls, elapsedMs } = await endpoint.give(order);
    const at = `interval ${intervalMs} ms, 5 jobs/s`;
    const part = (of: number) => percentile(waits, of);
    return [
      { name: `${at}: polls a minute`, values: [(polls / elapsedMs) * 60_000], unit: "" },
      { name: `${at}: from appearance to pickup, p50`, values: [part(0.5)], unit: "ms" },
      { name: `${at}: from appearance to pickup, p95`, values: [part(0.95)], unit: "ms" },
      { name: `${at}: p50 / interval`, values: [part(0.5) / intervalMs], unit: "×", most: wanted.p50 },
      { name: `${at}: p95 / interval`, values: [part(0.95) / intervalMs], unit: "×", most: wanted.p95 },
      { name: `${at}: CPU while nothing comes`, values: [idlePercent], unit: "% of a core" },
    ];
  } finally {
    await daemon.stop();
    endpoint.stop();
  }
}

function percentile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
}
