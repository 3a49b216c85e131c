// Starts the processes of a benchmark, reads their CPU and memory from the kernel, and stops them by their ids.
import { type ChildProcess, fork, spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Order, Told } from "./endpoint.ts";
import { type Lateness, lateness, probeFlags, watchLoop } from "./loop-watch.ts";

const here = dirname(fileURLToPath(import.meta.url));
const ticksPerSecond = 100;

export class Endpoint {
  readonly #child: ChildProcess;
  readonly url: string;

  private constructor(child: ChildProcess, port: number) {
    this.#child = child;
    this.url = `http://127.0.0.1:${port}`;
  }

  static async start(): Promise<Endpoint> {
    const child = fork(join(here, "endpoint.ts"));
    const [told] = (await once(child, "message")) as [Told];
    if (told.type !== "listening") throw new Error("the endpoint did not start");
    return new Endpoint(child, told.port);
  }

  /** Gives out the jobs; resolves when the last result has come. */
  async give(order: Order): Promise<Extract<Told, { type: "done" }>> {
    this.#child.send(order);
    const [told] = (await once(this.#child, "message", { signal: AbortSignal.timeout(180_000) })) as [Told];
    if (told.type !== "done") throw new Error("the endpoint told something else");
    return told;
  }

  /** From now on polls are answered so, and no end is told. */
  set(order: Order): void {
    this.#child.send(order);
  }

  stop(): void {
    this.#child.disconnect();
  }
}

/** A process that works jobs. */
export class Contestant {
  readonly pid: number;
  readonly #child: ChildProcess;
  readonly #folder: string;
  readonly logPath: string;
  /** It can be asked how late its event loop runs. */
  readonly hasProbe: boolean;

  constructor(child: ChildProcess, folder: string, hasProbe = false) {
    this.hasProbe = hasProbe;
    if (child.pid === undefined) throw new Error("the process did not start");
    this.pid = child.pid;
    this.#child = child;
    this.#folder = folder;
    this.logPath = join(folder, "log");
    const log = createWriteStream(this.logPath);
    child.stdout?.pipe(log);
    child.stderr?.pipe(process.stderr);
  }

  /** CPU time so far, in µs. */
  cpuMicros(): number {
    const fields = readFileSync(`/proc/${this.pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
    return ((Number(fields[11]) + Number(fields[12])) / ticksPerSecond) * 1e6;
  }

  rssMegabytes(): number {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${this.pid}/status`, "utf8"))?.[1]) / 1024;
  }

  /** Where `hasProbe`: from now on, until `lateness`. */
  watchLoop(): void {
    watchLoop(this.#child);
  }

  /** How late its event loop ran since then. */
  lateness(): Promise<Lateness> {
    return lateness(this.#child);
  }

  async stop(): Promise<void> {
    const exited = once(this.#child, "exit");
    this.#child.kill("SIGTERM");
    await Promise.race([exited, new Promise((resolve) => setTimeout(resolve, 5_000).unref())]);
    if (this.#child.exitCode === null) this.#child.kill("SIGKILL");
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

const env = {
  PATH: process.env["PATH"],
  AWS_ACCESS_KEY_ID: "bench",
  AWS_SECRET_ACCESS_KEY: "bench",
  AWS_EC2_METADATA_DISABLED: "true",
};

export function startPool(endpoint: string, mode: "plain" | "tuned" | "floor"): Contestant {
  const folder = mkdtempSync(join(tmpdir(), "partnerd-bench-"));
  const child = spawn(process.execPath, [join(here, "pool.ts"), endpoint, mode], {
    env,
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
  return new Contestant(child, folder);
}

export interface DaemonOptions {
  readonly endpoint: string;
  readonly actionTypes?: number;
  readonly ledger?: "memory" | "sqlite";
  readonly isolation?: "thread" | "none";
  /** Module handlers besides the one that works. */
  readonly idleHandlers?: number;
  /** Longest rest between polls. */
  readonly maxInterval?: string;
  readonly minInterval?: string;
  /** Off by default. */
  readonly adminPort?: number;
  /** How long a job takes, in ms. */
  readonly jobMs?: number;
  readonly slots?: number;
  /** Where it leaves a CPU profile of each thread when it ends; absent: none is taken. */
  readonly profiles?: string;
}

export function startDaemon(options: DaemonOptions): Contestant {
  const folder = mkdtempSync(join(tmpdir(), "partnerd-bench-"));
  const rest = options.jobMs === undefined ? "" : `await new Promise((done) => setTimeout(done, ${options.jobMs})); `;
  const code = `export const handler = async () => { ${rest}return { kind: "succeeded" }; };\n`;
  writeFileSync(join(folder, "noop.mjs"), code);
  const types = Array.from({ length: options.actionTypes ?? 1 }, (_, index) => ({
    category: "Test",
    owner: "ThirdParty",
    provider: index === 0 ? "Bench" : `Bench${index}`,
    version: "1",
    handler: "noop",
  }));
  const config = {
    regions: ["us-east-1"],
    actionTypes: types,
    handlers: Object.fromEntries(
      ["noop", ...Array.from({ length: options.idleHandlers ?? 0 }, (_, n) => `idle${n}`)].map((name) => [
        name,
        { kind: "module", path: "./noop.mjs", isolation: options.isolation ?? "thread" },
      ]),
    ),
    clientTokens: { source: "static", tokens: { "11111111-2222-4333-8444-555555555555": "bench-token" } },
    worker: { maxConcurrentJobs: options.slots ?? 50 },
    polling: { minInterval: options.minInterval ?? "50ms", maxInterval: options.maxInterval ?? "50ms" },
    ledger: options.ledger === "sqlite" ? { store: "sqlite", path: "./bench.db" } : { store: "memory" },
    admin: { port: options.adminPort ?? 0 },
    aws: { endpoint: options.endpoint },
  };
  const path = join(folder, "partnerd.json");
  writeFileSync(path, JSON.stringify(config));
  // As the image and the systemd unit start it.
  const child = spawn(
    process.execPath,
    [
      "--max-semi-space-size=16",
      ...profiling(options.profiles),
      ...probeFlags,
      join(here, "../../dist/main.js"),
      "run",
      "-c",
      path,
    ],
    {
      env,
      stdio: ["ignore", "pipe", "pipe", "ipc"],
    },
  );
  return new Contestant(child, folder, true);
}

function profiling(folder: string | undefined): readonly string[] {
  return folder === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${folder}`, "--cpu-prof-interval=500"];
}
