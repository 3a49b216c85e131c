// Whether a job costs the same however many slots, action types and ended jobs there are, and how late the event loop
// runs meanwhile. In ratios to one cell, neighbour by neighbour in interleaved rounds. The ledger's file lies in memory
// where the system has a place for that: a slow disk would only make it last longer.
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type BenchLine, type BenchOptions, ratio } from "./bench-line.ts";
import { Endpoint } from "./contestants.ts";
import { makeLedgerFile } from "./ended-rows.ts";
import { folderInMemory, leastConfig, MeasuredDaemon } from "./measured-daemon.ts";
import { progress, roundsWithin } from "./rounds.ts";

interface Cell {
  readonly name: string;
  /** 50. */
  readonly slots?: number;
  /** 1. */
  readonly types?: number;
  /** Jobs of the first type alone. */
  readonly isOneBusy?: boolean;
  /** Ended jobs in the ledger at the start; 0. */
  readonly rows?: number;
  /** Somebody searches the ended jobs, and looks at pages, all the time. */
  readonly isLookedAt?: boolean;
  /** What its CPU per job is compared with; absent: its CPU is compared with nothing. */
  readonly comparedWith?: readonly string[];
}

const base = "50 slots, 1 action type, 0 ended jobs";
const ten = "10 action types, all with jobs";
const cells: readonly Cell[] = [
  { name: base },
  { name: "10 slots", slots: 10, comparedWith: [base] },
  { name: "500 slots", slots: 500, comparedWith: [base] },
  { name: "5,000 slots", slots: 5_000, comparedWith: [base] },
  { name: "100 action types, one with jobs", types: 100, isOneBusy: true, comparedWith: [base] },
  // While slots are short, fairness gives each of many types one slot at a time, and each poll brings one job: four calls
  // a job instead of three. Between 10 and 100 that is the same, so what their number itself costs shows there.
  { name: ten, types: 10, comparedWith: [base] },
  { name: "100 action types, all with jobs", types: 100, comparedWith: [base, ten] },
  { name: "10,000 ended jobs", rows: 10_000, comparedWith: [base] },
  { name: "1,000,000 ended jobs", rows: 1_000_000, comparedWith: [base] },
  { name: "1,000,000 ended jobs, searched all the time", rows: 1_000_000, isLookedAt: true },
];
/** Flat means: within these. */
const [least, most] = [0.85, 1.15];
const adminPort = 18_574;
const fullSpeed = { latencyMs: 0, ratePerSecond: null } as const;
const lookEveryMs = 250;

interface Measured {
  readonly cpuMicros: number;
  readonly loopP99Ms: number;
  readonly loopMaxMs: number;
  readonly pollsPerJob: number;
}

/**
 * BENCH_SCALE_JOBS: how many jobs each cell runs in a round (5,000), after half as many: the first thousands cost most, since
 * the compiler is busy. BENCH_SCALE: only cells that hold this text.
 */
export async function run({ rounds, seconds, isSmoke }: BenchOptions): Promise<readonly BenchLine[]> {
  const jobs = isSmoke ? 200 : Number(process.env["BENCH_SCALE_JOBS"] ?? 5_000);
  const asked = process.env["BENCH_SCALE"] ?? "";
  const wanted = cells.filter(({ name, rows = 0 }) => (!isSmoke || rows < 100_000) && name.includes(asked));
  const measured = new Map<string, Measured[]>();
  const folder = folderInMemory();
  const endpoint = await Endpoint.start();
  const endMs = performance.now() + seconds * 1_000;
  try {
    for (const round of roundsWithin({ rounds, seconds })) {
      for (const cell of wanted) {
        if (performance.now() > endMs) {
          progress(`there is no time for ${cell.name}`);
          continue;
        }
        progress(`round ${round + 1} of ${rounds}: ${cell.name}`);
        const found = await measure(endpoint, cell, { jobs, folder });
        measured.set(cell.name, [...(measured.get(cell.name) ?? []), found]);
      }
    }
  } finally {
    endpoint.stop();
    rmSync(folder, { recursive: true, force: true });
  }
  return wanted.filter(({ name }) => measured.has(name)).flatMap((cell) => linesOf(cell, measured));
}

function linesOf({ name, comparedWith = [] }: Cell, measured: ReadonlyMap<string, readonly Measured[]>): BenchLine[] {
  const of = (cell: string, what: keyof Measured) => (measured.get(cell) ?? []).map((each) => each[what]);
  const compared = comparedWith
    .filter((other) => measured.has(other))
    .map((other) =>
      ratio(
        { name: `CPU per job with ${name} / ${other}`, least, most },
        of(name, "cpuMicros"),
        of(other, "cpuMicros"),
      ),
    );
  return [
    ...compared,
    { name: `CPU per job with ${name}`, values: of(name, "cpuMicros"), unit: "µs" },
    { name: `polls a job with ${name}`, values: of(name, "pollsPerJob"), unit: "" },
    { name: `event loop p99 with ${name}`, values: of(name, "loopP99Ms"), unit: "ms", most: 20 },
    { name: `event loop max with ${name}`, values: of(name, "loopMaxMs"), unit: "ms" },
  ];
}

async function measure(
  endpoint: Endpoint,
  cell: Cell,
  { jobs, folder }: { readonly jobs: number; readonly folder: string },
): Promise<Measured> {
  const { slots = 50, isOneBusy = false, isLookedAt = false } = cell;
  const order = { ...fullSpeed, ...(isOneBusy && { provider: "Bench" }) };
  endpoint.set({ jobs: 0, ...order });
  const daemon = MeasuredDaemon.start(configOf(endpoint, cell, folder));
  try {
    // Until as many were in flight at once as ever will be: the heap has its size then.
    await endpoint.give({ jobs: Math.max(Math.ceil(jobs / 2), slots), ...order });
    daemon.watchLoop();
    const looking = isLookedAt ? new Looks() : undefined;
    const before = daemon.cpuMs();
    const count = Math.max(jobs, slots);
    const { polls } = await endpoint.give({ jobs: count, ...order });
    const cpuMicros = ((daemon.cpuMs() - before) / count) * 1_000;
    await looking?.stop();
    const { p99Ms, maxMs } = await daemon.lateness();
    return { cpuMicros, loopP99Ms: p99Ms, loopMaxMs: maxMs, pollsPerJob: polls / count };
  } finally {
    await daemon.stop();
    if (!cell.rows) rmSync(join(folder, "0.db"), { force: true });
  }
}

function configOf(endpoint: Endpoint, { slots = 50, types = 1, rows = 0 }: Cell, folder: string) {
  const path = join(folder, `${rows}.db`);
  if (rows > 0 && !existsSync(path)) makeLedgerFile(path, rows);
  return {
    ...leastConfig(endpoint.url),
    // At the default intervals: at shorter ones the empty polls of 100 action types would be what is measured.
    worker: { maxConcurrentJobs: slots },
    admin: { port: adminPort },
    ledger: { store: "sqlite", path, history: { maxJobs: Math.max(rows, 20_000) } },
    actionTypes: Array.from({ length: types }, (_, index) => ({
      category: "Test",
      owner: "ThirdParty",
      provider: index === 0 ? "Bench" : `Bench${index}`,
      version: "1",
      handler: "noop",
    })),
  };
}

/** Searches that find nothing, so that they look at all they may, and every page, again and again. */
class Looks {
  readonly #end = new AbortController();
  readonly #looking: Promise<unknown>;

  constructor() {
    const paths = ["/history?pipeline=nowhere", "/", "/status", "/metrics"];
    this.#looking = Promise.all(paths.map((path) => this.#look(path)));
  }

  async stop(): Promise<void> {
    this.#end.abort();
    await this.#looking;
  }

  async #look(path: string): Promise<void> {
    while (!this.#end.signal.aborted) {
      const answer = await fetch(`http://127.0.0.1:${adminPort}${path}`);
      if (!answer.ok) throw new Error(`${path} answered ${answer.status}`);
      await answer.arrayBuffer();
      await new Promise((resolve) => setTimeout(resolve, lookEveryMs));
    }
  }
}
