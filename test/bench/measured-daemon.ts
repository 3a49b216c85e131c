// A daemon under measurement: its configuration in a folder of its own, its CPU and memory read from the kernel. It is
// stopped by its id.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Lateness, lateness, probeFlags, watchLoop } from "./loop-watch.ts";

const main = join(dirname(fileURLToPath(import.meta.url)), "../../dist/main.js");
const stopMaxMs = 10_000;

export const clientId = "11111111-2222-4333-8444-555555555555";

/** What every configuration here has; `endpoint` gives no or cheap jobs. */
export function leastConfig(endpoint: string): Record<string, unknown> {
  return {
    regions: ["us-east-1"],
    actionTypes: [{ category: "Test", owner: "ThirdParty", provider: "Bench", version: "1", handler: "noop" }],
    handlers: { noop: { kind: "module", path: "./noop.mjs" } },
    clientTokens: { source: "static", tokens: { [clientId]: "bench-token" } },
    ledger: { store: "sqlite", path: "./bench.db" },
    admin: { port: 0 },
    aws: { endpoint },
  };
}

/** A new folder for a ledger's file whose disk is not what is measured: in memory, where the system has a place for that. */
export function folderInMemory(): string {
  return mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "partnerd-bench-"));
}

export interface DaemonOptions {
  /** Beside the configuration, by name. */
  readonly files?: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
  /** Of Node; left out: those of the image and the systemd unit. */
  readonly flags?: readonly string[];
}

export class MeasuredDaemon {
  readonly #child: ChildProcess;
  readonly #folder: string;

  private constructor(child: ChildProcess, folder: string) {
    this.#child = child;
    this.#folder = folder;
  }

  /** Starts it as the image and the systemd unit do; `files` go beside its configuration. */
  static start(config: Readonly<Record<string, unknown>>, options: DaemonOptions = {}): MeasuredDaemon {
    const folder = mkdtempSync(join(tmpdir(), "partnerd-bench-"));
    const noop = 'export const handler = async () => ({ kind: "succeeded" });\n';
    const files = { "noop.mjs": noop, "partnerd.json": JSON.stringify(config), ...options.files };
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text, { mode: 0o600 });
    const { flags = ["--max-semi-space-size=16"] } = options;
    const child = spawn(process.execPath, [...flags, ...probeFlags, main, "run", "-c", "partnerd.json"], {
      cwd: folder,
      env: {
        PATH: process.env["PATH"],
        AWS_ACCESS_KEY_ID: "bench",
        AWS_SECRET_ACCESS_KEY: "bench",
        AWS_EC2_METADATA_DISABLED: "true",
        AWS_CONFIG_FILE: join(folder, "aws"),
        AWS_SHARED_CREDENTIALS_FILE: join(folder, "aws-credentials"),
        ...options.env,
      },
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    return new MeasuredDaemon(child, folder);
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error("the daemon did not start");
    return this.#child.pid;
  }

  /** CPU time of all its threads so far, in ms. */
  cpuMs(): number {
    let ns = 0;
    for (const thread of readdirSync(`/proc/${this.pid}/task`)) {
      ns += Number(readFileSync(`/proc/${this.pid}/task/${thread}/schedstat`, "utf8").split(" ")[0]);
    }
    return ns / 1e6;
  }

  /** How often its threads have gone to sleep so far: what fires while nothing is to do shows here. */
  wakeUps(): number {
    let count = 0;
    for (const thread of readdirSync(`/proc/${this.pid}/task`)) {
      const status = readFileSync(`/proc/${this.pid}/task/${thread}/status`, "utf8");
      count += Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(status)?.[1]);
    }
    return count;
  }

  rssMegabytes(): number {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${this.pid}/status`, "utf8"))?.[1]) / 1024;
  }

  /** From now on; it costs a hundred wake-ups a second until it is asked. */
  watchLoop(): void {
    watchLoop(this.#child);
  }

  /** How late its event loop ran since then. */
  lateness(): Promise<Lateness> {
    return lateness(this.#child);
  }

  /** Ends it at once. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#ended();
  }

  async stop(): Promise<void> {
    this.#child.kill("SIGTERM");
    const late = setTimeout(() => this.#child.kill("SIGKILL"), stopMaxMs);
    await this.#ended();
    clearTimeout(late);
  }

  async #ended(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) await once(this.#child, "exit");
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
