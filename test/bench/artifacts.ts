// `npm run bench -- artifacts`: 200 MB in one file and in 20,000 files, by this daemon and by the system's programs,
// interleaved in one run. Each measurement has a process of its own, from the built program. BENCH_ROUNDS and
// BENCH_MEGABYTES make it shorter.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { fileURLToPath } from "node:url";
import "../../scripts/sources.mjs";
import { type FetchMode, fetchInput, loadS3, startBucket } from "./artifact-fetch.ts";
import { type BenchLine, type BenchOptions, ratio } from "./bench-line.ts";
import { makeTree } from "./file-tree.ts";

/** The defaults of the configuration. */
const limits = {
  maxArchiveBytes: 2 ** 31,
  maxExtractedBytes: 2 ** 33,
  maxEntries: 200_000,
  maxRatio: 200,
  maxRatioFromBytes: 100 * 2 ** 20,
  maxLinks: 10_000,
  badLinks: "refuse",
} as const;

/** One run of one contestant. */
interface Measured {
  readonly ms: number;
  /** Ours only: the peak over what the process had before, and the main thread's delay meanwhile. */
  readonly rssGrowthMegabytes?: number;
  readonly loopP99Ms?: number;
}

/** What is measured: `source` is the folder or the archive, `target` what is to be made (removed afterwards). */
interface Task {
  readonly source: string;
  readonly target: string;
}

/** Our side of each measurement, in a process of its own: `node artifacts.ts NAME SOURCE TARGET`. */
const ours: Readonly<Record<string, (task: Task) => Promise<void>>> = {
  unpack,
  pack,
  fetch: ({ source, target }) => {
    const [url = "", mode = ""] = process.argv.slice(5);
    return fetchInput({ url, archive: source, target, mode: mode as FetchMode });
  },
};

if (import.meta.main) {
  const [name = "", source = "", target = ""] = process.argv.slice(2);
  const own = ours[name];
  if (!own) throw new Error(`there is nothing called ${name}; use npm run bench -- artifacts`);
  // A daemon has the SDK loaded once, however many objects it fetches.
  if (own === ours["fetch"]) await loadS3();
  console.log(JSON.stringify(await measured(() => own({ source, target }))));
}

/** Everything, one after the other. */
export async function run({ rounds, isSmoke }: BenchOptions): Promise<readonly BenchLine[]> {
  const megabytes = Number(process.env["BENCH_MEGABYTES"] ?? (isSmoke ? 2 : 200));
  const folder = mkdtempSync(join(tmpdir(), "partnerd-bench-"));
  const found: BenchLine[] = [];
  try {
    for (const [set, files] of Object.entries({ "one file": 1, "20,000 files": isSmoke ? 100 : 20_000 })) {
      const tree = join(folder, `tree-${files}`);
      makeTree(tree, files, megabytes * 1e6);
      const sets = { rounds, of: `${megabytes} MB in ${set}: ` };
      found.push(
        ...compareUnpacking(folder, tree, sets),
        ...(await compareFetching(folder, tree, sets)),
        ...comparePacking(folder, tree, sets),
      );
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return found;
}

interface Sets {
  readonly rounds: number;
  /** What every line begins with. */
  readonly of: string;
}

function compareUnpacking(folder: string, tree: string, sets: Sets): readonly BenchLine[] {
  const archive = `${tree}.zip`;
  const target = join(folder, "unpacked");
  if (program("zip", ["-q", "-r", "-6", archive, "."], tree) === undefined) return [];
  const tar = `${tree}.tar.gz`;
  program("tar", ["-c", "-z", "-f", tar, "."], tree);
  return compare(
    { ...sets, target },
    {
      unzip: () => program("unzip", ["-q", archive, "-d", target]),
      "partnerd, zip": () => child("unpack", archive, target),
      tar: () => {
        mkdirSync(target);
        return program("tar", ["-x", "-z", "-f", tar, "-C", target]);
      },
      "partnerd, tar.gz": () => child("unpack", tar, target),
    },
    [
      ["partnerd, zip", "unzip"],
      ["partnerd, tar.gz", "tar"],
    ],
  );
}

/** From loopback as fast as it goes, where all sides share the cores, and from about 60 MB/s, as from a network. */
async function compareFetching(folder: string, tree: string, sets: Sets): Promise<readonly BenchLine[]> {
  const archive = `${tree}.zip`;
  if (!existsSync(archive)) return [];
  const found: BenchLine[] = [];
  const target = join(folder, "fetched");
  for (const [pace, waitMs] of Object.entries({ "": 0, "slowly ": 4 })) {
    const bucket = await startBucket(waitMs, [archive]);
    const fetched = (mode: FetchMode) => () => child("fetch", archive, target, bucket.url, mode);
    const lines = compare(
      { ...sets, target },
      {
        [`${pace}fetched`]: fetched("object"),
        [`${pace}fetched, then unpacked`]: fetched("one after the other"),
        [`${pace}fetched and unpacked`]: fetched("overlapped"),
      },
      [[`${pace}fetched and unpacked`, `${pace}fetched, then unpacked`]],
    );
    found.push(...lines);
    await bucket.close();
  }
  return found;
}

function comparePacking(folder: string, tree: string, sets: Sets): readonly BenchLine[] {
  const target = join(folder, "packed.zip");
  return compare(
    { ...sets, target },
    {
      "zip -6": () => program("zip", ["-q", "-r", "-6", target, "."], tree),
      "partnerd, packing": () => child("pack", tree, target),
    },
    [["partnerd, packing", "zip -6"]],
  );
}

/** Runs all contestants in turn; a contestant that is not installed is left out. */
function compare(
  { rounds, of, target }: Sets & { readonly target: string },
  contestants: Readonly<Record<string, () => Measured | undefined>>,
  ratios: readonly (readonly [string, string])[],
): readonly BenchLine[] {
  const results = new Map<string, Measured[]>();
  for (let round = 0; round < rounds; round++) {
    for (const [name, run] of Object.entries(contestants)) {
      const one = run();
      rmSync(target, { recursive: true, force: true });
      if (one !== undefined) results.set(name, [...(results.get(name) ?? []), one]);
    }
  }
  const figures = (name: string, what: keyof Measured) =>
    (results.get(name) ?? []).flatMap((row) => (row[what] === undefined ? [] : [row[what]]));
  const own = [...results.keys()].flatMap((name): readonly BenchLine[] => [
    { name: `${of}${name}`, values: figures(name, "ms"), unit: "ms" },
    { name: `${of}${name}, more RSS`, values: figures(name, "rssGrowthMegabytes"), unit: "MB" },
    { name: `${of}${name}, event loop p99`, values: figures(name, "loopP99Ms"), unit: "ms" },
  ]);
  const both = ratios.map(([a, b]) => ratio({ name: `${of}${a} / ${b}` }, figures(a, "ms"), figures(b, "ms")));
  return [...both, ...own].filter(({ values }) => values.length > 0);
}

/** A program of the system; undefined, with a line, where it is not installed. */
function program(command: string, args: readonly string[], cwd?: string): Measured | undefined {
  const startedMs = performance.now();
  const { error, status, stderr } = spawnSync(command, args, { stdio: ["ignore", "ignore", "pipe"], cwd });
  const ms = performance.now() - startedMs;
  if (error !== undefined) console.log(`${command}: left out, ${error.message}`);
  else if (status !== 0) throw new Error(`${command} ended with ${status}: ${stderr}`);
  return error === undefined ? { ms } : undefined;
}

function child(name: string, ...args: readonly string[]): Measured {
  // As the image and the systemd unit start the daemon.
  const options = ["--max-semi-space-size=4", fileURLToPath(import.meta.url), name, ...args];
  const { status, stdout, stderr } = spawnSync(process.execPath, options);
  if (status !== 0) throw new Error(`${name} ended with ${status}: ${stderr}`);
  return JSON.parse(stdout.toString()) as Measured;
}

async function measured(work: () => Promise<void>): Promise<Measured> {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  const before = process.memoryUsage.rss();
  delay.enable();
  const startedMs = performance.now();
  await work();
  const ms = performance.now() - startedMs;
  delay.disable();
  return { ms, rssGrowthMegabytes: (peakBytes() - before) / 2 ** 20, loopP99Ms: delay.percentile(99) / 1e6 };
}

function module(path: string): Promise<unknown> {
  return import(new URL(`../../src/${path}`, import.meta.url).href);
}

/** What the system counts as this process's peak. Linux's getrusage would count that of the parent before exec, too. */
function peakBytes(): number {
  const status = existsSync("/proc/self/status") ? readFileSync("/proc/self/status", "utf8") : "";
  const [, kibibytes] = /^VmHWM:\s*(\d+) kB$/m.exec(status) ?? [];
  return (kibibytes === undefined ? process.resourceUsage().maxRSS : Number(kibibytes)) * 1_024;
}

async function pack({ source, target }: Task): Promise<void> {
  const { Packer, startPackWorker } = (await module(
    "artifacts/pack/pack.ts",
  )) as typeof import("../../src/artifacts/pack/pack.ts");
  const { systemClock: clock } = (await module("std/clock.ts")) as typeof import("../../src/std/clock.ts");
  const packer = new Packer({ limits, threadsMax: 2, endMs: 5_000, clock, start: startPackWorker });
  const { signal } = new AbortController();
  await packer.pack({ artifact: "Report", directory: source, file: target, signal });
  await packer.close();
}

async function unpack({ source, target }: Task): Promise<void> {
  const { Unpacker } = (await module(
    "artifacts/unpack/unpack.ts",
  )) as typeof import("../../src/artifacts/unpack/unpack.ts");
  const { startUnpackWorker } = (await module(
    "artifacts/unpack/thread.ts",
  )) as typeof import("../../src/artifacts/unpack/thread.ts");
  const { systemClock: clock } = (await module("std/clock.ts")) as typeof import("../../src/std/clock.ts");
  const unpacker = new Unpacker({
    clock,
    threadsMax: 3,
    threadIdleMs: 10_000,
    threadEndMs: 5_000,
    start: startUnpackWorker,
  });
  await unpacker.unpack({
    artifact: "SourceOutput",
    file: source,
    into: target,
    plainName: "SourceOutput",
    size: statSync(source).size,
    limits,
    signal: new AbortController().signal,
  });
  await unpacker.close();
}
