// Whether a job costs the same however many slots and action types there are, and how late the event loop runs. In ratios
// to the first size of each sort, from interleaved rounds.
import type { BenchLine, BenchOptions } from "./bench-line.ts";
import { Endpoint } from "./contestants.ts";
import { median } from "./figures.ts";
import { leastConfig, MeasuredDaemon } from "./measured-daemon.ts";

interface Size {
  readonly slots: number;
  readonly types: number;
}

const slotSizes: readonly Size[] = [10, 50, 500, 5_000].map((slots) => ({ slots, types: 1 }));
const typeSizes: readonly Size[] = [1, 10, 100].map((types) => ({ slots: 50, types }));
const adminPort = 18_574;

interface Measured {
  readonly cpuMicros: number;
  readonly loopP99Ms: number;
}

/** BENCH_SCALE_JOBS: how many jobs each size runs in a round (6,000). */
export async function run({ rounds, isSmoke }: BenchOptions): Promise<readonly BenchLine[]> {
  const jobs = isSmoke ? 200 : Number(process.env["BENCH_SCALE_JOBS"] ?? 6_000);
  const endpoint = await Endpoint.start();
  try {
    return [
      ...(await compared(endpoint, slotSizes, ({ slots }) => `${slots} slots`, jobs, isSmoke ? 1 : rounds)),
      ...(await compared(endpoint, typeSizes, ({ types }) => `${types} action types`, jobs, isSmoke ? 1 : rounds)),
    ];
  } finally {
    endpoint.stop();
  }
}

async function compared(
  endpoint: Endpoint,
  sizes: readonly Size[],
  nameOf: (size: Size) => string,
  jobs: number,
  rounds: number,
): Promise<readonly BenchLine[]> {
  const measured = sizes.map((): Measured[] => []);
  for (let round = 0; round < rounds; round++) {
    for (const [at, size] of sizes.entries()) measured[at]?.push(await measure(endpoint, size, jobs));
  }
  const base = median((measured[0] ?? []).map(({ cpuMicros }) => cpuMicros));
  return sizes.flatMap((size, at) => {
    const own = measured[at] ?? [];
    return [
      {
        name: `CPU per job with ${nameOf(size)} / ${nameOf(sizes[0] ?? size)}`,
        values: own.map(({ cpuMicros }) => cpuMicros / base),
        unit: "×",
        most: 1.15,
      },
      {
        name: `event loop p99 with ${nameOf(size)}`,
        values: own.map(({ loopP99Ms }) => loopP99Ms),
        unit: "ms",
        most: 20,
      },
    ];
  });
}

async function measure(endpoint: Endpoint, { slots, types }: Size, jobs: number): Promise<Measured> {
  const fullSpeed = { latencyMs: 0, ratePerSecond: null } as const;
  endpoint.set({ jobs: 0, ...fullSpeed });
  const config = {
    ...leastConfig(endpoint.url),
    // At the default intervals: at shorter ones the empty polls of 100 action types would be what is measured.
    worker: { maxConcurrentJobs: slots },
    admin: { port: adminPort },
    actionTypes: Array.from({ length: types }, (_, index) => ({
      category: "Test",
      owner: "ThirdParty",
      provider: index === 0 ? "Bench" : `Bench${index}`,
      version: "1",
      handler: "noop",
    })),
  };
  const daemon = MeasuredDaemon.start(config);
  try {
    await endpoint.give({ jobs: Math.ceil(jobs / 3), ...fullSpeed });
    const before = daemon.cpuMs();
    await endpoint.give({ jobs, ...fullSpeed });
    const cpuMicros = ((daemon.cpuMs() - before) / jobs) * 1_000;
    const answer = await fetch(`http://127.0.0.1:${adminPort}/metrics`);
    const p99 = /^partnerd_event_loop_delay_p99_seconds (\S+)/m.exec(await answer.text())?.[1];
    return { cpuMicros, loopP99Ms: Number(p99) * 1_000 };
  } finally {
    await daemon.stop();
  }
}
