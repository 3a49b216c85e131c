// How long a job waits for its handler: from a poll's answer at 200 jobs/s, and from its appearance at 5 jobs/s (Poisson)
// for several intervals, with the polls that each makes and what it costs while nothing comes.
import { readFileSync } from "node:fs";
import { setTimeout as wait } from "node:timers/promises";
import { Client } from "undici";
import type { BenchLine, BenchOptions } from "./bench-line.ts";
import { type Contestant, Endpoint, startDaemon } from "./contestants.ts";
import { progress, roundsWithin } from "./rounds.ts";

const latencyMs = 20;
/** Of the part's time; the rest is for the intervals. */
const loadShare = 0.45;
/** Polling cannot beat half an interval. */
const wanted = { p50: 0.52, p95: 1.0 };

export async function run(options: BenchOptions): Promise<readonly BenchLine[]> {
  options.onFound(await underLoad(options));
  return fromAppearance(options);
}

/** Above two round trips, those of details and acknowledge, as a client that does nothing else sees them: what the daemon adds. */
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
  const trips: number[] = [];
  for (const round of roundsWithin({ rounds, seconds })) {
    progress(`round ${round + 1} of ${rounds}: 200 jobs/s`);
    const daemon = startDaemon({ endpoint: endpoint.url });
    try {
      // Warm: the first hundreds wait for the compiler.
      await endpoint.give({ jobs: isSmoke ? 10 : 800, latencyMs, ratePerSecond: 200 });
      await endpoint.give({ jobs, latencyMs, ratePerSecond: 200 });
      await wait(200);
      const pickups = pickupsIn(daemon).slice(-jobs);
      const tripMs = await roundTripMs(endpoint, isSmoke ? 5 : 50);
      trips.push(tripMs);
      for (const [name, values] of Object.entries(rows)) {
        values.push(percentile(pickups, Number(name.slice(1)) / 100) - 2 * tripMs);
      }
    } finally {
      await daemon.stop();
    }
  }
  const most: Readonly<Record<string, number>> = { p50: 5, p99: 15 };
  const at = `pickup at 200 jobs/s, ${latencyMs} ms a call`;
  return [
    { name: `${at}: a bare round trip`, values: trips, unit: "ms" },
    ...Object.entries(rows).map(([name, values]) => ({
      name: `${at}, above two round trips: ${name}`,
      values,
      unit: "ms",
      ...(most[name] === undefined ? {} : { most: most[name] }),
    })),
  ];
}

/** The median of `calls`, one after the other: the endpoint's own timer and the machine add some 0.8 ms to its latency. */
async function roundTripMs(endpoint: Endpoint, calls: number): Promise<number> {
  endpoint.set({ jobs: 0, latencyMs, ratePerSecond: null });
  const client = new Client(endpoint.url, { allowH2: false });
  const times: number[] = [];
  for (let call = 0; call < calls; call++) {
    const startedMs = performance.now();
    const { body } = await client.request({
      path: "/",
      method: "POST",
      headers: { "x-amz-target": "CodePipeline_20150709.AcknowledgeThirdPartyJob" },
      body: "{}",
    });
    await body.text();
    times.push(performance.now() - startedMs);
  }
  await client.close();
  return percentile(times, 0.5);
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
  const seconds = isSmoke ? { idle: 1, jobs: 1 } : { idle: 15, jobs: 30 };
  progress(`intervals of ${intervals.join(", ")} ms at the same time, for ${seconds.idle + seconds.jobs} s`);
  const found = await Promise.all(intervals.map((intervalMs) => atInterval(intervalMs, seconds)));
  // 150 jobs tell a median to 0.04 of the interval, too little for a verdict; those of all intervals to 0.02.
  const parts = found.flatMap(({ parts }) => parts);
  const part = (of: "p50" | "p95") => ({
    name: `all intervals, 5 jobs/s: from appearance to pickup / interval, ${of}`,
    values: [percentile(parts, Number(of.slice(1)) / 100)],
    unit: "×",
    most: wanted[of],
  });
  return [...found.flatMap(({ lines }) => lines), part("p50"), part("p95")];
}

interface AtInterval {
  readonly lines: readonly BenchLine[];
  /** How long each job waited, in intervals. */
  readonly parts: readonly number[];
}

async function atInterval(
  intervalMs: number,
  seconds: { readonly idle: number; readonly jobs: number },
): Promise<AtInterval> {
  const interval = `${intervalMs}ms`;
  const endpoint = await Endpoint.start();
  const daemon = startDaemon({ endpoint: endpoint.url, minInterval: interval, maxInterval: interval });
  try {
    await endpoint.give({ jobs: 1, latencyMs: 0, ratePerSecond: null });
    // The gaps between polls are the interval's from the second on.
    await wait(2 * intervalMs);
    const cpuBefore = daemon.cpuMicros();
    endpoint.set({ jobs: 0, latencyMs: 0, ratePerSecond: null });
    await wait(seconds.idle * 1_000);
    const idlePercent = ((daemon.cpuMicros() - cpuBefore) / (seconds.idle * 1e6)) * 100;
    const order = { jobs: 5 * seconds.jobs, latencyMs: 0, ratePerSecond: 5, isPoisson: true } as const;
    const { appearedToDetailsMs: waits = [], polls, elapsedMs } = await endpoint.give(order);
    const at = `interval ${intervalMs} ms, 5 jobs/s`;
    const lines = [
      { name: `${at}: polls a minute`, values: [(polls / elapsedMs) * 60_000], unit: "" },
      { name: `${at}: from appearance to pickup, p50`, values: [percentile(waits, 0.5)], unit: "ms" },
      { name: `${at}: from appearance to pickup, p95`, values: [percentile(waits, 0.95)], unit: "ms" },
      { name: `${at}: CPU while nothing comes`, values: [idlePercent], unit: "% of a core" },
    ];
    return { lines, parts: waits.map((ms) => ms / intervalMs) };
  } finally {
    await daemon.stop();
    endpoint.stop();
  }
}

function percentile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
}
