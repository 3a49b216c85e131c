// From exec to the first poll, beside a bare program over the SDK; and what `partnerd healthcheck` takes beside a Node
// that does nothing. Interleaved, since a machine's speed changes from minute to minute.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { BenchLine, BenchOptions } from "./bench-line.ts";
import { EmptyEndpoint } from "./empty-endpoint.ts";
import { median } from "./figures.ts";
import { leastConfig } from "./measured-daemon.ts";
import { progress, roundsWithin } from "./rounds.ts";

const here = dirname(fileURLToPath(import.meta.url));
const main = join(here, "../../dist/main.js");
const env = {
  PATH: process.env["PATH"],
  AWS_ACCESS_KEY_ID: "bench",
  AWS_SECRET_ACCESS_KEY: "bench",
  AWS_EC2_METADATA_DISABLED: "true",
};
const startMaxMs = 20_000;

/** Starts both again and again. */
export async function run({ rounds, seconds, isSmoke }: BenchOptions): Promise<readonly BenchLine[]> {
  const times = isSmoke ? 1 : rounds * 4;
  const folder = mkdtempSync(join(tmpdir(), "partnerd-bench-"));
  const endpoint = await EmptyEndpoint.listen();
  const health = createServer((_request, response) => response.end("ok"));
  await new Promise<void>((resolve) => health.listen(0, "127.0.0.1", resolve));
  try {
    const path = writeConfig(folder, endpoint.url, (health.address() as AddressInfo).port);
    const daemon = ["--max-semi-space-size=16", main, "run", "-c", path];
    const starts = {
      bare: () => firstPoll(endpoint, [join(here, "bare.mjs"), endpoint.url]),
      daemon: () => firstPoll(endpoint, [...daemon, "--set", "admin.port=0"]),
      "daemon with its admin port": () => firstPoll(endpoint, [...daemon, "--set", "admin.port=18573"]),
      empty: () => wholeRun(["-e", "0"]),
      healthcheck: () => wholeRun([main, "healthcheck", "-c", path]),
    };
    const took: Record<keyof typeof starts, Start[]> = {
      bare: [],
      daemon: [],
      "daemon with its admin port": [],
      empty: [],
      healthcheck: [],
    };
    // Once for the disk's sake, uncounted.
    for (const start of Object.values(starts)) await start();
    progress(`${times} starts of each, in turns`);
    for (const _ of roundsWithin({ rounds: times, seconds })) {
      for (const [name, start] of Object.entries(starts)) took[name as keyof typeof starts].push(await start());
    }
    const ms = (name: keyof typeof starts) => took[name].map((start) => start.ms);
    const over = (name: keyof typeof starts, of: keyof Start) =>
      took[name].map((start, at) => start[of] / (took.bare[at]?.[of] ?? Number.NaN));
    return [
      { name: "start, bare program over the SDK: exec to the first poll", values: ms("bare"), unit: "ms" },
      { name: "start, daemon: exec to the first poll", values: ms("daemon"), unit: "ms" },
      { name: "start, daemon / bare program", values: over("daemon", "ms"), unit: "×", most: 1.3 },
      { name: "start, CPU of the main thread, daemon / bare program", values: over("daemon", "cpuMs"), unit: "×" },
      {
        name: "start, daemon with its admin port / bare program",
        values: over("daemon with its admin port", "ms"),
        unit: "×",
      },
      {
        name: "partnerd healthcheck above node -e 0",
        values: ms("healthcheck").map((each) => each - median(ms("empty"))),
        unit: "ms",
        most: 60,
      },
    ];
  } finally {
    endpoint.close();
    health.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

function writeConfig(folder: string, endpoint: string, port: number): string {
  writeFileSync(join(folder, "noop.mjs"), 'export const handler = async () => ({ kind: "succeeded" });\n');
  const path = join(folder, "partnerd.json");
  writeFileSync(path, JSON.stringify({ ...leastConfig(endpoint), admin: { port } }), { mode: 0o600 });
  return path;
}

interface Start {
  readonly ms: number;
  /** Of the main thread: on a machine with other work the one figure that carries. */
  readonly cpuMs: number;
}

/** From exec to the first poll. */
async function firstPoll(endpoint: EmptyEndpoint, argv: readonly string[]): Promise<Start> {
  const { promise, resolve } = Promise.withResolvers<Start>();
  const startedMs = performance.now();
  const child = started(argv);
  endpoint.onPoll = () => resolve({ ms: performance.now() - startedMs, cpuMs: mainThreadCpuMs(child.pid) });
  const exited = once(child, "exit");
  try {
    const ended = exited.then(() => {
      throw new Error(`${argv.join(" ")} ended before its first poll`);
    });
    return await Promise.race([promise, ended]);
  } finally {
    // In good order: whoever ends so has written down what it compiled, for the next start.
    child.kill("SIGTERM");
    await exited;
  }
}

function mainThreadCpuMs(pid: number | undefined): number {
  return Number(readFileSync(`/proc/${pid}/schedstat`, "utf8").split(" ")[0]) / 1e6;
}

/** A whole run. */
async function wholeRun(argv: readonly string[]): Promise<Start> {
  const startedMs = performance.now();
  const [code] = await once(started(argv), "exit");
  if (code !== 0) throw new Error(`${argv.join(" ")} ended with ${code}`);
  return { ms: performance.now() - startedMs, cpuMs: Number.NaN };
}

function started(argv: readonly string[]): ChildProcess {
  return spawn(process.execPath, argv, { env, stdio: ["ignore", "ignore", "inherit"], timeout: startMaxMs });
}
