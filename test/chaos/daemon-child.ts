// A whole daemon that kills itself: real parts, wrapped so that every ledger write, every API call and every edge of a
// handler is a fault point; the n-th that is passed is its last. It writes down what it does in the run's journal. Run from the sources: `node --import <sourceHook> daemon-child.ts ORDER`.
import { randomUUID } from "node:crypto";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { startAdmin } from "../../src/admin/server.js";
import { type BuiltParts, buildParts, closeQuietly, pollersOf } from "../../src/compose/build.js";
import type { Config, RetryPolicy } from "../../src/config/config.js";
import { Worker } from "../../src/engine/engine.js";
import type { WorkerEvent } from "../../src/engine/events.js";
import type { HandlerJob } from "../../src/handlers/handler.js";
import type { ClientId, ClientToken, Region } from "../../src/job/job.js";
import { continued, failed, type Outcome, succeeded } from "../../src/job/outcome.js";
import { Secret } from "../../src/job/secret.js";
import { systemClock } from "../../src/std/clock.js";
import { createLog } from "../../src/std/log.js";
import { Masker } from "../../src/std/masking.js";
import { artifactsIn } from "../support/artifact-limits.js";
import { moduleHandler } from "../support/module-handler.js";
import { FaultPoints, pointsUntil, say } from "./fault-points.js";
import { Journal, journalEvent, journalledGateway, journalledLedger, machineMs } from "./journal.js";
import { PointedLedger, pointedGateway, pointedHandlers, pointedSqliteThread } from "./pointed-parts.js";

/** What the parent asks for. */
export interface ChildOrder {
  readonly endpoint: string;
  readonly clientId: string;
  readonly clientToken: string;
  /** For the ledger and the handlers' folders. */
  readonly folder: string;
  /** The run's journal, and this daemon's name in it. */
  readonly journal: string;
  readonly life: string;
  /** Left out: a file in the folder. */
  readonly ledger?: Config["ledger"];
  /** The fault point to die at, counted from 1; 0: none, it works until its standard input ends. */
  readonly killAt: number;
  /** How long after its beginning an operation is killed in its middle. */
  readonly midMs: number;
  readonly actionTypes: readonly Pick<
    Config["actionTypes"][number],
    "category" | "owner" | "provider" | "version" | "afterCrash" | "handler"
  >[];
  /** A service that answers later, for the action types whose handler is `service`, and the port that it calls back. */
  readonly late?: { readonly url: string; readonly adminPort: number };
  /** For one daemon of a fleet that lives on. */
  readonly fleet?: {
    /** The handler `command`. */
    readonly command: readonly [string, ...string[]];
    readonly cancelGraceMs: number;
    readonly jobTimeoutMs: number;
    readonly polling: Config["polling"];
  };
}

/** How often a handler at work says so, and a daemon looks whether it stood still, in ms. */
const aliveMs = 100;
/** A timer may be so late without anything having stood still. */
const stallMinMs = 150;

/** Runs a handler and writes down when it is at work. */
async function workNoted(job: HandlerJob, journal: Journal): Promise<Outcome> {
  const run = `module ${randomUUID()}`;
  const note = (step: string) => journal.line("work", { jobId: job.jobId, run, step });
  note("start");
  const alive = setInterval(() => note("alive"), aliveMs);
  try {
    return await work(job);
  } finally {
    clearInterval(alive);
    note("end");
  }
}

/** Does what the name of the job's action says; every outcome is one of a kind. */
async function work(job: HandlerJob): Promise<Outcome> {
  const summary = `${job.jobId} ${randomUUID()}`;
  const [deed, ms] = (job.pipeline.actionName ?? "").split(/-(?=\d)/);
  switch (deed) {
    case "fails":
      return failed(summary);
    case "throws":
      throw new Error(summary);
    case "continues":
      return job.continuationToken === undefined ? continued("step-2", { summary }) : succeeded({ summary });
    case "takes-time":
      await systemClock.sleep(30, job.signal);
      return succeeded({ summary });
    case "slow":
    case "lingers":
      await systemClock.sleep(Number(ms), job.signal);
      // Told to stop, it works on for most of its grace.
      if (job.signal.aborted && deed === "lingers") await systemClock.sleep(lingersMs);
      job.signal.throwIfAborted();
      return succeeded({ summary });
    default:
      return succeeded({ summary });
  }
}

const lingersMs = 800;

/** Quick enough for a thousand kills. */
const quick: RetryPolicy = { minDelayMs: 5, maxDelayMs: 40, factor: 2, maxElapsedMs: Number.POSITIVE_INFINITY };

function configOf(order: ChildOrder): Config {
  const { clientId, clientToken, endpoint, folder } = order;
  return {
    actionTypes: order.actionTypes.map((type) => ({
      ...type,
      regions: ["us-east-1" as Region],
      maxConcurrentJobs: 8,
      weight: 1,
      // Longer than any run: an outcome that does not come is no deadline's doing.
      jobTimeoutMs: order.fleet?.jobTimeoutMs ?? 600_000,
      secretProperties: [],
      notSecretProperties: [],
    })),
    handlers: {
      // In this thread: the script and the fault points are this process's own.
      scripted: moduleHandler(fileURLToPath(new URL("../fixtures/handlers/scripted.mjs", import.meta.url))),
      ...(order.fleet && { command: { kind: "command" as const, command: order.fleet.command, env: {} } }),
      ...(order.late && { service: { kind: "http" as const, url: order.late.url, requestTimeoutMs: 2_000 } }),
    },
    clientTokens: {
      source: "static",
      tokens: { [clientId as ClientId]: new Secret(clientToken as ClientToken) },
    },
    worker: { maxConcurrentJobs: 8 },
    polling: order.fleet?.polling ?? { minIntervalMs: 5, maxIntervalMs: 40 },
    ledger: order.ledger ?? { store: "sqlite", path: `${folder}/ledger.db` },
    artifacts: artifactsIn(`${folder}/work`),
    shutdown: { drainTimeoutMs: 3_000, cancelGraceMs: order.fleet?.cancelGraceMs ?? 200, reportTimeoutMs: 1_000 },
    admin: { host: "127.0.0.1", port: 0 },
    systemd: { readyWaitMs: 30_000 },
    log: { level: "error", format: "json" },
    aws: {
      endpoint,
      appId: "partnerd",
      connectionTimeoutMs: 2_000,
      socketTimeoutMs: 5_000,
      requestTimeoutMs: 5_000,
    },
    retry: {
      poll: quick,
      throttledPoll: quick,
      details: { ...quick, maxElapsedMs: 5_000 },
      acknowledge: quick,
      report: quick,
      handler: quick,
      artifact: quick,
      clientCooldownMs: 60_000,
    },
  };
}

async function main(order: ChildOrder): Promise<void> {
  const config = configOf(order);
  const counted = { left: pointsUntil(order.killAt), midMs: order.midMs };
  const points = new FaultPoints(counted);
  pointedSqliteThread(counted);
  const journal = new Journal(order.journal, order.life);
  Reflect.set(globalThis, Symbol.for("partnerd.test.handler"), (job: HandlerJob) => workNoted(job, journal));
  const masker = new Masker();
  const wall = { offMs: 0 };
  const clock = { ...systemClock, now: () => Date.now() + wall.offMs };
  const log = createLog({ ...config.log, masker, destination: { write: (line) => say(`log ${line.trimEnd()}`) } });
  const observe = (event: WorkerEvent) => {
    journalEvent(event, journal);
    if (event.type === "bug" || event.type === "ledger-failed") say(`wrong ${event.type}: ${event.message}`);
  };
  const environment = { PATH: process.env["PATH"] };
  const built = await buildParts({ config, log, masker, clock, environment }, observe);
  const worker = new Worker({
    deps: {
      gateway: (region, owner) => pointedGateway(journalledGateway(built.gateways.get(region, owner), journal), points),
      handlers: pointedHandlers(built.handlers, points, journal),
      artifacts: built.artifacts,
      ledger: new PointedLedger(journalledLedger(built.ledger, journal), points),
      clock,
      random: Math.random,
      keepSecrets: (values) => masker.keep(values),
      mask: (text) => masker.mask(text),
      jobLog: (key) => log.with({ jobId: key.jobId }),
    },
    pollers: pollersOf(config),
    limits: { maxConcurrentJobs: 8, polling: config.polling, shutdown: config.shutdown, retry: config.retry },
    observe,
  });
  if (order.late) await openAdmin(order.late.adminPort, { built, worker, points });
  if (order.fleet) noteStalls(journal);
  await worker.start();
  const orders = createInterface({ input: process.stdin });
  orders.on("line", (line) => {
    wall.offMs = Number(line.slice("clock ".length));
  });
  orders.once("close", () => void worker.stop());
  process.once("SIGTERM", () => orders.close());
  say("ready");
  const end = await worker.ended;
  for (const part of built.closing.toReversed()) await closeQuietly(part, log);
  say(`ended ${end.owed} ${end.isBroken}`);
}

/** A process that was stopped, or had no processor, writes down for how long. */
function noteStalls(journal: Journal): void {
  let beforeMs = machineMs();
  setInterval(() => {
    const forMs = machineMs() - beforeMs;
    if (forMs > aliveMs + stallMinMs) journal.line("stall", { forMs });
    beforeMs = machineMs();
  }, aliveMs).unref();
}

/** As the daemon opens it, as far as services are concerned. */
async function openAdmin(
  port: number,
  { built, worker, points }: { readonly built: BuiltParts; readonly worker: Worker; readonly points: FaultPoints },
): Promise<void> {
  const admin = await startAdmin({
    host: "127.0.0.1",
    port,
    clock: systemClock,
    live: () => ({ live: true, reasons: [] }),
    ready: () => ({ ready: true, reasons: [], notes: [] }),
    status: () => ({}),
    onFault: (error) => say(`wrong admin port: ${String(error)}`),
    deliver: async (delivery) => {
      const end = await points.around("delivery", () => built.callbacks.deliver(delivery));
      // By then the answer is on its way.
      setImmediate(() => points.pass("after the answer to a delivery"));
      return end === "unknown-job" && worker.mayAwaitCallback(delivery.jobId) ? "not-recorded" : end;
    },
    pause: () => worker.pause(),
    resume: () => worker.resume(),
    wake: () => worker.wake(),
    order: (job, given) => worker.order(job, given),
  });
  built.adminUrl = admin.url;
  built.closing.push({ name: "admin port", close: () => admin.close() });
}

try {
  await main(JSON.parse(process.argv[2] ?? "{}") as ChildOrder);
} catch (error) {
  say(`failed ${String(error).replaceAll("\n", " ")}`);
  process.exit(1);
}
