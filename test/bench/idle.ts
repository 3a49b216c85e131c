// What a daemon costs while there is no job: memory, CPU, and how often it wakes up, with 1 to 1,000 pollers at the
// default intervals. 1,000 are 50 accounts with 20 query values each.
import { setTimeout as wait } from "node:timers/promises";
import type { BenchLine, BenchOptions } from "./bench-line.ts";
import { EmptyEndpoint } from "./empty-endpoint.ts";
import { leastConfig, MeasuredDaemon } from "./measured-daemon.ts";

/** Accounts, query values, and what is wanted: MB, and % of a core. */
const sizes = [
  { accounts: 1, queries: 1, mostMb: 75, mostPercent: 0.1 },
  { accounts: 1, queries: 10, mostMb: 80, mostPercent: 0.25 },
  { accounts: 10, queries: 10, mostMb: 110, mostPercent: 0.8 },
  { accounts: 50, queries: 20, mostMb: 160, mostPercent: 2 },
];
/** Until every poller rests for its longest interval (15 s, and up to a tenth more). */
const settleMs = 60_000;
const measuredMs = 60_000;

/** Each size once a round. */
export async function run({ rounds, isSmoke }: BenchOptions): Promise<readonly BenchLine[]> {
  const lines: BenchLine[] = [];
  for (const size of isSmoke ? sizes.slice(0, 1) : sizes) {
    const measured = [];
    for (let round = 0; round < (isSmoke ? 1 : rounds); round++) {
      measured.push(await measure(size, isSmoke ? 50 : 1));
    }
    const pollers = size.accounts * size.queries;
    const name = `idle with ${pollers} poller${pollers === 1 ? "" : "s"}`;
    lines.push(
      { name: `${name}: RSS`, values: measured.map(({ mb }) => mb), unit: "MB", most: size.mostMb },
      {
        name: `${name}: CPU`,
        values: measured.map(({ percent }) => percent),
        unit: "% of a core",
        most: size.mostPercent,
      },
      { name: `${name}: polls a minute and poller`, values: measured.map(({ polls }) => polls / pollers), unit: "" },
      { name: `${name}: wake-ups a poll`, values: measured.map(({ wakeUps, polls }) => wakeUps / polls), unit: "" },
    );
  }
  return lines;
}

interface Measured {
  readonly mb: number;
  readonly percent: number;
  /** A minute. */
  readonly polls: number;
  readonly wakeUps: number;
}

async function measure(
  size: { readonly accounts: number; readonly queries: number },
  haste: number,
): Promise<Measured> {
  const endpoint = await EmptyEndpoint.listen();
  const names = Array.from({ length: size.accounts }, (_, index) => `a${index}`);
  const config = {
    ...leastConfig(endpoint.url),
    actionTypes: [
      {
        category: "Test",
        owner: "Custom",
        provider: "Bench",
        version: "1",
        handler: "noop",
        ...(size.queries > 1
          ? { queryParams: Array.from({ length: size.queries }, (_, index) => ({ Project: `p${index}` })) }
          : {}),
      },
    ],
    ...(size.accounts > 1 ? { accounts: Object.fromEntries(names.map((name) => [name, { profile: name }])) } : {}),
  };
  const keys = "aws_access_key_id = bench\naws_secret_access_key = bench\n";
  const profiles = names.map((name) => `[${name}]\n${keys}`).join("");
  const daemon = MeasuredDaemon.start(config, { files: { "aws-credentials": profiles } });
  try {
    await wait(settleMs / haste);
    const [cpu, wakeUps, polls] = [daemon.cpuMs(), daemon.wakeUps(), endpoint.polls];
    const ms = measuredMs / haste;
    await wait(ms);
    return {
      mb: daemon.rssMegabytes(),
      percent: ((daemon.cpuMs() - cpu) / ms) * 100,
      polls: ((endpoint.polls - polls) / ms) * 60_000,
      wakeUps: ((daemon.wakeUps() - wakeUps) / ms) * 60_000,
    };
  } finally {
    await daemon.stop();
    endpoint.close();
  }
}
