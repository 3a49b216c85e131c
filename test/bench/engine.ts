// What a job costs: this daemon beside ideal, featureless pools, all against one cheap endpoint process, one after the
// other, round after round. CPU and memory are the kernel's figures for the whole process.
import type { BenchLine, BenchOptions } from "./bench-line.ts";
import { ratio } from "./bench-line.ts";
import { type Contestant, Endpoint, startDaemon, startPool } from "./contestants.ts";
import { progress, roundsWithin } from "./rounds.ts";

interface Measured {
  readonly jobsPerSecond: number;
  readonly cpuMicrosPerJob: number;
  readonly rssMegabytes: number;
  readonly callsPerJob: number;
  /** Of a daemon. */
  readonly loopP99Ms?: number;
}

const full = "partnerd, sqlite ledger";
const least = "partnerd, memory ledger, isolation none";
const plain = "pool, SDK as it comes";

/** All contestants in turn. BENCH_JOBS: how many jobs each works in a round (4,000). */
export async function run({ rounds, seconds, isSmoke }: BenchOptions): Promise<readonly BenchLine[]> {
  const jobs = isSmoke ? 60 : Number(process.env["BENCH_JOBS"] ?? 4_000);
  const endpoint = await Endpoint.start();
  const { url } = endpoint;
  const contestants: Readonly<Record<string, () => Contestant>> = {
    [plain]: () => startPool(url, "plain"),
    [full]: () => startDaemon({ endpoint: url, ledger: "sqlite" }),
    [least]: () => startDaemon({ endpoint: url, isolation: "none" }),
    "partnerd, memory ledger": () => startDaemon({ endpoint: url }),
    "pool, SDK tuned by its options": () => startPool(url, "tuned"),
    "pool, undici by hand": () => startPool(url, "floor"),
  };
  const results = new Map<string, Measured[]>();
  try {
    for (const round of roundsWithin({ rounds, seconds })) {
      for (const [name, start] of Object.entries(contestants)) {
        progress(`round ${round + 1} of ${rounds}: ${name}`);
        results.set(name, [...(results.get(name) ?? []), await measure(endpoint, start(), jobs)]);
      }
    }
  } finally {
    endpoint.stop();
  }
  return linesOf(results);
}

function linesOf(results: ReadonlyMap<string, readonly Measured[]>): readonly BenchLine[] {
  const of = (name: string, what: keyof Measured) => (results.get(name) ?? []).flatMap((row) => row[what] ?? []);
  const compared = (name: string, most?: number, fastest?: number): readonly BenchLine[] => [
    ratio(
      { name: `CPU per job  ${name} / ${plain}`, ...(most === undefined ? {} : { most }) },
      of(name, "cpuMicrosPerJob"),
      of(plain, "cpuMicrosPerJob"),
    ),
    ratio(
      { name: `jobs/s       ${name} / ${plain}`, ...(fastest === undefined ? {} : { least: fastest }) },
      of(name, "jobsPerSecond"),
      of(plain, "jobsPerSecond"),
    ),
  ];
  return [
    ...compared(full, 0.6, 1.5),
    ...compared(least, 0.5, 1.8),
    ...[...results.keys()].filter((name) => ![plain, full, least].includes(name)).flatMap((name) => compared(name)),
    ...[...results.keys()].flatMap((name): readonly BenchLine[] => [
      { name: `CPU per job  ${name}`, values: of(name, "cpuMicrosPerJob"), unit: "µs" },
      { name: `jobs/s       ${name}`, values: of(name, "jobsPerSecond"), unit: "/s" },
      { name: `RSS          ${name}`, values: of(name, "rssMegabytes"), unit: "MB" },
      { name: `calls/job    ${name}`, values: of(name, "callsPerJob"), unit: "calls" },
    ]),
    ...[...results.keys()]
      .filter((name) => of(name, "loopP99Ms").length > 0)
      .map((name) => ({ name: `event loop p99 ${name}`, values: of(name, "loopP99Ms"), unit: "ms", most: 20 })),
  ];
}

async function measure(endpoint: Endpoint, contestant: Contestant, jobs: number): Promise<Measured> {
  try {
    await endpoint.give({ jobs: Math.ceil(jobs / 3), latencyMs: 0, ratePerSecond: null });
    if (contestant.hasProbe) contestant.watchLoop();
    const cpuBefore = contestant.cpuMicros();
    const done = await endpoint.give({ jobs, latencyMs: 0, ratePerSecond: null });
    return {
      jobsPerSecond: jobs / (done.elapsedMs / 1_000),
      cpuMicrosPerJob: (contestant.cpuMicros() - cpuBefore) / jobs,
      rssMegabytes: contestant.rssMegabytes(),
      callsPerJob: done.calls / jobs,
      ...(contestant.hasProbe && { loopP99Ms: (await contestant.lateness()).p99Ms }),
    };
  } finally {
    await contestant.stop();
  }
}
