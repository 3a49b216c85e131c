// From exec to the first poll, beside a bare program over the SDK; and what `partnerd healthcheck` takes beside a Node
// that does nothing. Interleaved, since a machine's speed changes from minute to minute.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { BenchLine, BenchOptions } from "./bench-line.ts";
import { EmptyEndpoint } from "./empty-endpoint.ts";
import { median } from "./figures.ts";
import { leastConfig } from "./measured-daemon.ts";

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
export async function run({ rounds, isSmoke }: BenchOptions): Promise<readonly BenchLine[]> {
  const times = isSmoke ? 1 : rounds * 4;
  const folder = mkdtempSync(join(tmpdir(), "partnerd-bench-"));
  const endpoint = await EmptyEndpoint.listen();
  const health = createServer((_request, response) => response.end("ok"));
  await new Promise<void>((resolve) => health.listen(0, "127.0.0.1", resolve));
  try {
    const path = writeConfig(folder, endpoint.url, (health.address() as AddressInfo).port);
    const daemon = ["--max-semi-space-size=4", main, "run", "-c", path];
    const starts = {
      bare: () => firstPoll(endpoint, [join(here, "bare.mjs"), endpoint.url]),
      daemon: () => firstPoll(endpoint, [...daemon, "--set", "admin.port=0"]),
      "daemon with its admin port": () => firstPoll(endpoint, [...daemon, "--set", "admin.port=18573"]),
      empty: () => wholeRun(["-e", "0"]),
      healthcheck: () => wholeRun([main, "healthcheck", "-c", path]),
    };
    const took: Record<keyof typeof starts, number[]> = {
      bare: [],
      daemon: [],
      "daemon with its admin port": [],
      empty: [],
      healthcheck: [],
    };
    // Once for the disk's sake, uncounted.
    for (const start of Object.values(starts)) await start();
    for (let time = 0; time < times; time++) {
      for (const [name, start] of Object.entries(starts)) took[name as keyof typeof starts].push(await start());
    }
    const over = (name: keyof typeof starts, base: readonly number[]) =>
      took[name].map((ms, at) => ms / (base[at] ?? 0));
    return [
      { name: "start, bare program over the SDK: exec to the first poll", values: took.bare, unit: "ms" },
      { name: "start, daemon: exec to the first poll", values: took.daemon, unit: "ms" },
      { name: "start, daemon / bare program", values: over("daemon", took.bare), unit: "×", most: 1.3 },
      {
        name: "start, daemon with its admin port / bare program",
        values: over("daemon with its admin port", took.bare),
        unit: "×",
      },
      {
        name: "partnerd healthcheck above node -e 0",
        values: took.healthcheck.map((ms) => ms - median(took.empty)),
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

/** Milliseconds from exec to the first poll. */
async function firstPoll(endpoint: EmptyEndpoint, argv: readonly string[]): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>();
  endpoint.onPoll = () => resolve(performance.now());
  const startedMs = performance.now();
  const child = started(argv);
  const exited = once(child, "exit");
  try {
    const ended = exited.then(() => {
      throw new Error(`${argv.join(" ")} ended before its first poll`);
    });
    return (await Promise.race([promise, ended])) - startedMs;
  } finally {
    // In good order: whoever ends so has written down what it compiled, for the next start.
    child.kill("SIGTERM");
    await exited;
  }
}

/** Milliseconds of a whole run. */
async function wholeRun(argv: readonly string[]): Promise<number> {
  const startedMs = performance.now();
  const [code] = await once(started(argv), "exit");
  if (code !== 0) throw new Error(`${argv.join(" ")} ended with ${code}`);
  return performance.now() - startedMs;
}

function started(argv: readonly string[]): ChildProcess {
  return spawn(process.execPath, argv, { env, stdio: ["ignore", "ignore", "inherit"], timeout: startMaxMs });
}
