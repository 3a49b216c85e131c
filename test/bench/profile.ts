// `npm run bench -- profile`: where the daemon's CPU goes. It leaves a profile of each thread, for Chrome's developer
// tools, and prints the share of each group and the functions that take most by themselves.
import { mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { BenchLine, BenchOptions } from "./bench-line.ts";
import { type DaemonOptions, Endpoint, startDaemon } from "./contestants.ts";

interface Profile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

const groupsShown = 24;
const functionsShown = 40;

/** BENCH_LEDGER and BENCH_ISOLATION choose another daemon than the full one. */
export async function run({ isSmoke }: BenchOptions): Promise<readonly BenchLine[]> {
  const jobs = isSmoke ? 200 : 10_000;
  const folder = mkdtempSync(join(tmpdir(), "partnerd-profile-"));
  const endpoint = await Endpoint.start();
  try {
    const daemon = startDaemon({
      endpoint: endpoint.url,
      ledger: (process.env["BENCH_LEDGER"] ?? "sqlite") as DaemonOptions["ledger"] & {},
      isolation: (process.env["BENCH_ISOLATION"] ?? "thread") as DaemonOptions["isolation"] & {},
      profiles: folder,
    });
    try {
      await endpoint.give({ jobs, latencyMs: 0, ratePerSecond: null });
    } finally {
      await daemon.stop();
    }
  } finally {
    endpoint.stop();
  }
  console.log(`\n${jobs} no-op jobs; profiles in ${folder}`);
  return readdirSync(folder).flatMap((file) => summary(join(folder, file), jobs));
}

function summary(file: string, jobs: number): readonly BenchLine[] {
  const profile = JSON.parse(readFileSync(file, "utf8")) as Profile;
  const selfMicros = new Map<number, number>();
  for (const [at, id] of profile.samples.entries()) {
    selfMicros.set(id, (selfMicros.get(id) ?? 0) + (profile.timeDeltas[at] ?? 0));
  }
  const groups = new Map<string, number>();
  const functions = new Map<string, number>();
  let total = 0;
  for (const { id, callFrame } of profile.nodes) {
    const micros = selfMicros.get(id) ?? 0;
    const group = groupOf(callFrame);
    if (group === "(idle)") continue;
    total += micros;
    groups.set(group, (groups.get(group) ?? 0) + micros);
    const name = `${callFrame.functionName || "(anonymous)"} ${basename(callFrame.url)}:${callFrame.lineNumber + 1}`;
    functions.set(name, (functions.get(name) ?? 0) + micros);
  }
  console.log(`\n${basename(file)}: ${(total / jobs).toFixed(0)} µs a job`);
  const most = (of: Map<string, number>, count: number) => [...of].toSorted(([, a], [, b]) => b - a).slice(0, count);
  for (const [title, rows] of [
    ["by group", most(groups, groupsShown)],
    ["by function, itself", most(functions, functionsShown)],
  ] as const) {
    console.log(`  ${title}`);
    for (const [name, micros] of rows) {
      console.log(
        `  ${((micros / total) * 100).toFixed(1).padStart(6)} %  ${(micros / jobs).toFixed(1).padStart(6)} µs  ${name}`,
      );
    }
  }
  return most(groups, groupsShown).map(([name, micros]) => ({
    name: `profile, ${basename(file)}, ${name}`,
    values: [micros / jobs],
    unit: "µs",
  }));
}

/** Whose function it is: a package, a folder of ours, a part of Node, or V8 itself. */
function groupOf({ functionName, url, lineNumber }: Profile["nodes"][number]["callFrame"]): string {
  if (url === "") return functionName.startsWith("(") ? functionName : "(native)";
  const [, name] = /\/node_modules\/((?:@[^/]+\/)?[^/]+)\/(?!.*\/node_modules\/)/.exec(url) ?? [];
  if (name) return name;
  if (/\/dist\/.*\.js$/.test(url)) return `partnerd ${folderAt(url, lineNumber)}`;
  return url.startsWith("node:") ? url.split("/").slice(0, 2).join("/") : "other";
}

const lines = new Map<string, readonly string[]>();

/** The folder of src that a line of a bundled file comes from: each module begins with its name. */
function folderAt(url: string, lineNumber: number): string {
  const file = lines.get(url) ?? readFileSync(fileURLToPath(url), "utf8").split("\n");
  lines.set(url, file);
  const name = file.slice(0, lineNumber + 1).findLast((line) => line.startsWith("//! src/")) ?? "";
  return /^\/\/! src\/([^/]+)/.exec(name)?.[1] ?? "(bundle)";
}
