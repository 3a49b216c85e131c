// `npm run bench -- long`: whether memory and CPU per job stay the same over a million jobs. Two daemons, one after the
// other: memory ledger and `isolation: none`; SQLite ledger, its file in memory, and a handler in its thread. Prints both
// figures for each part of the jobs, and the slope of RSS over the second half, when all that is bounded is full.
import { rmSync } from "node:fs";
import { join } from "node:path";
import type { BenchLine, BenchOptions } from "./bench-line.ts";
import { Endpoint } from "./contestants.ts";
import { folderInMemory, leastConfig, MeasuredDaemon } from "./measured-daemon.ts";
import { progress } from "./rounds.ts";
import { slopeOf } from "./slope.ts";

const fullSpeed = { latencyMs: 0, ratePerSecond: null } as const;
const slots = 50;
/** RSS is read this often. */
const sampleJobs = 5_000;
/** A line of progress for every tenth of the jobs. */
const partsShown = 10;
/** More than what malloc and V8's own steps come to, and far less than 100 bytes for each of a million jobs. */
const mostMbPerMillion = 50;

/** BENCH_JOBS: how many jobs each daemon works (1,000,000). BENCH_LONG_SECONDS: it ends after so many, whatever it has. */
export async function run({ seconds, isSmoke }: BenchOptions): Promise<readonly BenchLine[]> {
  const jobs = Number(process.env["BENCH_JOBS"] ?? (isSmoke ? 20_000 : 1_000_000));
  const mostSeconds = Number(process.env["BENCH_LONG_SECONDS"] ?? seconds) / 2;
  const folder = folderInMemory();
  try {
    return [
      ...(await worked("memory ledger, isolation none", { jobs, mostSeconds }, { store: "memory" }, "none")),
      ...(await worked(
        "sqlite ledger",
        { jobs, mostSeconds },
        { store: "sqlite", path: join(folder, "bench.db") },
        "thread",
      )),
    ];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Limits {
  readonly jobs: number;
  readonly mostSeconds: number;
}

async function worked(
  name: string,
  { jobs, mostSeconds }: Limits,
  ledger: object,
  isolation: "thread" | "none",
): Promise<readonly BenchLine[]> {
  const endpoint = await Endpoint.start();
  endpoint.set({ jobs: 0, ...fullSpeed });
  const daemon = MeasuredDaemon.start({
    ...leastConfig(endpoint.url),
    ledger,
    worker: { maxConcurrentJobs: slots },
    handlers: { noop: { kind: "module", path: "./noop.mjs", isolation } },
  });
  const [ats, rss, cpu]: [number[], number[], number[]] = [[], [], []];
  const beganMs = performance.now();
  try {
    let shown = 0;
    let before = daemon.cpuMs();
    for (let done = 0; done < jobs && performance.now() - beganMs < mostSeconds * 1_000; ) {
      await endpoint.give({ jobs: sampleJobs, ...fullSpeed });
      done += sampleJobs;
      ats.push(done);
      rss.push(daemon.rssMegabytes());
      if (done - shown < jobs / partsShown) continue;
      const micros = ((daemon.cpuMs() - before) / (done - shown)) * 1_000;
      progress(`${name}: ${done} jobs, ${daemon.rssMegabytes().toFixed(0)} MB, ${micros.toFixed(0)} µs of CPU a job`);
      cpu.push(micros);
      [shown, before] = [done, daemon.cpuMs()];
    }
  } finally {
    await daemon.stop();
    endpoint.stop();
  }
  return linesOf(name, { ats, rss, cpu });
}

function linesOf(
  name: string,
  found: { readonly ats: readonly number[]; readonly rss: readonly number[]; readonly cpu: readonly number[] },
): readonly BenchLine[] {
  const { ats, rss, cpu } = found;
  const half = Math.floor(ats.length / 2);
  // It takes milliseconds for hours: here a million jobs are one.
  const { perHour, margin } = slopeOf(
    ats.slice(half).map((jobs) => jobs * 3.6),
    rss.slice(half),
  );
  const title = `${name}, ${ats.at(-1) ?? 0} jobs`;
  const tenths = Array.from(
    { length: partsShown },
    (_, at) => rss[Math.ceil(((at + 1) * rss.length) / partsShown) - 1],
  );
  return [
    { name: `${title}: RSS after each tenth`, values: tenths.map((mb) => mb ?? Number.NaN), unit: "MB" },
    {
      name: `${title}: RSS gained by a million more (second half; ± ${margin.toFixed(0)})`,
      values: [perHour],
      unit: "MB",
      most: mostMbPerMillion,
    },
    { name: `${title}: CPU per job of each tenth`, values: cpu, unit: "µs" },
    {
      name: `${title}: CPU per job, last tenth / second tenth`,
      values: [(cpu.at(-1) ?? Number.NaN) / (cpu[1] ?? Number.NaN)],
      unit: "×",
      most: 1.15,
    },
  ];
}
