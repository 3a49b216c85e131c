// What a daemon costs while there is no job: memory, CPU, and how often it wakes up, with 1 to 1,000 pollers at the
// default intervals. 1,000 are 50 accounts with 20 query values each.
import { setTimeout as wait } from "node:timers/promises";
import type { BenchLine, BenchOptions } from "./bench-line.ts";
import { EmptyEndpoint } from "./empty-endpoint.ts";
import { leastConfig, MeasuredDaemon } from "./measured-daemon.ts";
import { progress, roundsWithin } from "./rounds.ts";

/** Accounts, query values, and what is wanted: MB, and % of a core. */
const sizes = [
  { accounts: 1, queries: 1, mostMb: 75, mostPercent: 0.1 },
  { accounts: 1, queries: 10, mostMb: 80, mostPercent: 0.25 },
  { accounts: 10, queries: 10, mostMb: 110, mostPercent: 0.8 },
  { accounts: 50, queries: 20, mostMb: 160, mostPercent: 2 },
];
/** Until every poller rests for its longest interval (15 s, and up to a twentieth more). */
const settleMs = 40_000;
/** More than one longest interval, so that each poller polls in each window. */
const windowMs = 16_000;
const loopMs = 5_000;

/**
 * All sizes at the same time, each with an endpoint of its own, and a window for each round. Together they use a tenth of
 * a core, and CPU is what the kernel counted for each process. BENCH_IDLE: only the size with so many pollers.
 */
export async function run({ rounds, seconds, isSmoke }: BenchOptions): Promise<readonly BenchLine[]> {
  const haste = isSmoke ? 50 : 1;
  const only = Number(process.env["BENCH_IDLE"] ?? 0);
  const chosen = sizes.filter(({ accounts, queries }) => only === 0 || accounts * queries === only);
  const all = (isSmoke ? chosen.slice(0, 1) : chosen).map((size) => new Idle(size));
  const measured = new Map(all.map((idle): [Idle, Measured[]] => [idle, []]));
  const late = new Map<Idle, number>();
  try {
    await Promise.all(all.map((idle) => idle.start()));
    progress(`all sizes at the same time; they settle for ${settleMs / 1_000 / haste} s`);
    await wait(settleMs / haste);
    for (const round of roundsWithin({ rounds, seconds: seconds - (settleMs + loopMs) / 1_000 })) {
      progress(`round ${round + 1} of ${rounds}: ${windowMs / 1_000 / haste} s`);
      const windows = all.map((idle) => idle.window());
      await wait(windowMs / haste);
      for (const [at, idle] of all.entries()) measured.get(idle)?.push(windows[at]?.() ?? nothing);
    }
    for (const idle of all) idle.watchLoop();
    await wait(loopMs / haste);
    for (const idle of all) late.set(idle, await idle.loopP99Ms());
  } finally {
    await Promise.all(all.map((idle) => idle.stop()));
  }
  return all.flatMap((idle) => linesOf(idle, measured.get(idle) ?? [], late.get(idle) ?? Number.NaN));
}

function linesOf({ size }: Idle, measured: readonly Measured[], loopP99Ms: number): readonly BenchLine[] {
  const pollers = size.accounts * size.queries;
  const name = `idle with ${pollers} poller${pollers === 1 ? "" : "s"}`;
  return [
    { name: `${name}: RSS`, values: measured.map(({ mb }) => mb), unit: "MB", most: size.mostMb },
    {
      name: `${name}: CPU`,
      values: measured.map(({ percent }) => percent),
      unit: "% of a core",
      most: size.mostPercent,
    },
    { name: `${name}: polls a minute and poller`, values: measured.map(({ polls }) => polls / pollers), unit: "" },
    { name: `${name}: wake-ups a poll`, values: measured.map(({ wakeUps, polls }) => wakeUps / polls), unit: "" },
    { name: `${name}: event loop p99`, values: [loopP99Ms], unit: "ms", most: 20 },
  ];
}

interface Measured {
  readonly mb: number;
  readonly percent: number;
  /** A minute. */
  readonly polls: number;
  readonly wakeUps: number;
}

const nothing: Measured = { mb: Number.NaN, percent: Number.NaN, polls: Number.NaN, wakeUps: Number.NaN };

/** One daemon that has nothing to do. */
class Idle {
  readonly size: (typeof sizes)[number];
  #endpoint: EmptyEndpoint | undefined;
  #daemon: MeasuredDaemon | undefined;

  constructor(size: (typeof sizes)[number]) {
    this.size = size;
  }

  async start(): Promise<void> {
    const { size } = this;
    this.#endpoint = await EmptyEndpoint.listen();
    const names = Array.from({ length: size.accounts }, (_, index) => `a${index}`);
    const queries = Array.from({ length: size.queries }, (_, index) => ({ Project: `p${index}` }));
    const actionType = { category: "Test", owner: "Custom", provider: "Bench", version: "1", handler: "noop" };
    const config = {
      ...leastConfig(this.#endpoint.url),
      actionTypes: [{ ...actionType, ...(size.queries > 1 && { queryParams: queries }) }],
      ...(size.accounts > 1 && { accounts: Object.fromEntries(names.map((name) => [name, { profile: name }])) }),
    };
    const keys = "aws_access_key_id = bench\naws_secret_access_key = bench\n";
    const profiles = names.map((name) => `[${name}]\n${keys}`).join("");
    this.#daemon = MeasuredDaemon.start(config, { files: { "aws-credentials": profiles } });
  }

  /** Begins to count; the function that it gives says what there was since. */
  window(): () => Measured {
    const [daemon, endpoint] = [this.#daemon, this.#endpoint];
    if (!daemon || !endpoint) return () => nothing;
    const [cpu, wakeUps, polls, beganMs] = [daemon.cpuMs(), daemon.wakeUps(), endpoint.polls, performance.now()];
    return () => {
      const ms = performance.now() - beganMs;
      return {
        mb: daemon.rssMegabytes(),
        percent: ((daemon.cpuMs() - cpu) / ms) * 100,
        polls: ((endpoint.polls - polls) / ms) * 60_000,
        wakeUps: ((daemon.wakeUps() - wakeUps) / ms) * 60_000,
      };
    };
  }

  watchLoop(): void {
    this.#daemon?.watchLoop();
  }

  async loopP99Ms(): Promise<number> {
    return (await this.#daemon?.lateness())?.p99Ms ?? Number.NaN;
  }

  async stop(): Promise<void> {
    await this.#daemon?.stop();
    this.#endpoint?.close();
  }
}
