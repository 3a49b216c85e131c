// `partnerd demo`: a local CodePipeline, a worker, four sample handlers and a stream of sample jobs in one process.
// The first thing a newcomer runs: it says what to look at, and at the end what came of each job.

import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { fileURLToPath } from "node:url";
import { Daemon } from "../compose/daemon.js";
import type { Config } from "../config/config.js";
import { loadConfig } from "../config/load.js";
import { type Emulator, startEmulator } from "../emulator/emulator.js";
import type { WorkerEvent } from "../engine/events.js";
import { systemClock } from "../std/clock.js";
import { createLog } from "../std/log.js";
import { openLogOutput } from "../std/log-output.js";
import { Masker } from "../std/masking.js";
import { artifactBucket, clients, DemoJobs } from "./demo-jobs.js";
import { exitCodes } from "./exit-codes.js";
import { listenForStops } from "./stops.js";

export interface DemoFlags {
  /** How many jobs; Infinity: until Ctrl-C. */
  readonly jobs: number;
}

const folder = new URL("../../config/demo/", import.meta.url);

/** Runs until its jobs are over, or until it is stopped. The exit code: 0, or 1 when a job ended unexpectedly. */
export async function demoCommand(flags: DemoFlags): Promise<number> {
  const emulator = await startEmulator({ settings: { continuationDelayMs: 300, redeliveryMs: 30_000 } });
  const { startScanService } = (await import(fileURLToPath(new URL("scan-service.js", folder)))) as ScanModule;
  const service = await startScanService();
  // The SDK's default credential chain finds these; the emulator takes any.
  delete process.env["AWS_PROFILE"];
  Object.assign(process.env, { AWS_ACCESS_KEY_ID: "demo", AWS_SECRET_ACCESS_KEY: "demo" });
  try {
    const config = await demoConfig(emulator.url, service.url, await freePort());
    introduce(config, emulator);
    return await play(config, emulator, flags);
  } finally {
    await service.close();
    await emulator.close();
  }
}

interface ScanModule {
  readonly startScanService: () => Promise<{ readonly url: string; readonly close: () => Promise<void> }>;
}

async function play(config: Config, emulator: Emulator, flags: DemoFlags): Promise<number> {
  const masker = new Masker();
  const log = createLog({ ...config.log, masker, destination: openLogOutput(1, process.env) });
  const jobs = new DemoJobs({ emulator, total: flags.jobs, clock: systemClock });
  const daemon = await Daemon.build({
    config,
    log,
    masker,
    clock: systemClock,
    environment: process.env,
    observers: [(event: WorkerEvent) => jobs.observe(event)],
  });
  const stopping = new AbortController();
  const stops = listenForStops({
    clock: systemClock,
    onDrain: () => stopping.abort(),
    onHurry: () => daemon.worker.hurry("a second signal"),
    onAtOnce: () => daemon.worker.hurry("a third signal"),
    onDump: () => daemon.dump(),
    onReload: () => {},
  });
  try {
    const ended = daemon.run();
    await jobs.feed(stopping.signal);
    await daemon.worker.stop();
    await ended;
    process.stdout.write(jobs.summary());
    return jobs.surprises > 0 ? exitCodes.failed : exitCodes.ok;
  } finally {
    stops.close();
    await daemon.close();
  }
}

/** The demo's configuration file, with the addresses that are known only now. */
async function demoConfig(endpoint: string, serviceUrl: string, adminPort: number): Promise<Config> {
  const file = fileURLToPath(new URL("partnerd.yaml", folder));
  const { config } = await loadConfig({
    files: [file],
    environment: {},
    directory: process.cwd(),
    overrides: [],
  });
  const scan = config.handlers["scan"];
  if (scan?.kind !== "http") throw new Error("bug: the demo's configuration has no http handler called scan");
  return {
    ...config,
    handlers: { ...config.handlers, scan: { ...scan, url: serviceUrl } },
    aws: { ...config.aws, endpoint },
    admin: { ...config.admin, port: adminPort },
  };
}

function introduce(config: Config, emulator: Emulator): void {
  for (const { category, owner, provider, version } of config.actionTypes) {
    const properties = ["Target", "Size", "Limit", "Score", "Steps", "ApiKey"].map((name) => ({
      name,
      required: false,
      key: false,
      secret: name === "ApiKey",
    }));
    emulator.addActionType({ category, owner, provider, version, properties });
  }
  for (const client of clients) emulator.addClient(client);
  emulator.artifacts.addBucket({ name: artifactBucket, requireKms: true });
  const lines = [
    "",
    "partnerd demo: customers' pipelines send jobs to a local CodePipeline; the worker below polls for them, runs",
    "them with four sample handlers and reports each outcome. Nothing leaves this machine; no AWS account is used.",
    "",
    "  what happens   job started, then job succeeded, continued or failed: follow one job by its id",
    "  artifacts      a review gets the customer's zip unpacked, and its report is packed, encrypted and uploaded",
    "  on purpose     some jobs fail; a deploy prints its API key, and the log masks it; the token of the customer",
    "                 33333333-… is wrong: its jobs are dropped with a warning and delay no others",
    "  the settings   config/demo/partnerd.yaml, and the handlers beside it",
    `  what it does   http://127.0.0.1:${config.admin.port}/   (the status page; for machines: /status, /metrics, /readyz)`,
    `  the service    ${emulator.url}/_control/jobs   (every job with its history; artifacts are S3 on the same port)`,
    "  to stop        Ctrl-C: it finishes the running jobs, then prints a summary",
    "",
  ];
  process.stdout.write(`${lines.join("\n")}\n`);
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
