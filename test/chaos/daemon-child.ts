// A whole daemon that kills itself: real parts, wrapped so that every ledger write, every API call and every edge of a
// handler is a fault point; the n-th that is passed is its last. It keeps a journal, line by line and without a buffer,
// of what it started and what it promised. Run from the sources: `node --import <sourceHook> daemon-child.ts ORDER`.
import { randomUUID } from "node:crypto";
import { appendFileSync, writeSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { JobGateway } from "../../src/codepipeline/gateway.js";
import type { Config, RetryPolicy } from "../../src/config/config.js";
import type { HandlerJob, HandlerRegistry, JobHandler } from "../../src/handlers/handler.js";
import type { ClientId, ClientToken, JobKey, Region } from "../../src/job/job.js";
import type { JobEvent } from "../../src/job/lifecycle.js";
import { continued, failed, type Outcome, succeeded } from "../../src/job/outcome.js";
import { Secret } from "../../src/job/secret.js";
import type { Lease, Ledger } from "../../src/ledger/ledger.js";
import { buildParts, closeQuietly, lanesOf } from "../../src/parts.js";
import { systemClock } from "../../src/std/clock.js";
import { createLog, textLog } from "../../src/std/log.js";
import { Masker } from "../../src/std/masking.js";
import type { WorkerEvent } from "../../src/worker/events.js";
import { Worker } from "../../src/worker/worker.js";

/** What the parent asks for. */
export interface ChildOrder {
  readonly endpoint: string;
  readonly clientId: string;
  readonly clientToken: string;
  /** For the ledger and the handlers' folders. */
  readonly folder: string;
  readonly journal: string;
  /** Left out: a file in the folder. */
  readonly ledger?: Config["ledger"];
  /** The fault point to die at, counted from 1; 0: none, it works until its standard input ends. */
  readonly killAt: number;
  /** How long after its beginning an operation is killed in its middle. */
  readonly midMs: number;
  readonly actionTypes: readonly Pick<
    Config["actionTypes"][number],
    "category" | "owner" | "provider" | "version" | "afterCrash"
  >[];
}

/** Counts what is passed and ends the process, without a word to anybody, at the one that was ordered. */
class FaultPoints {
  readonly #midMs: number;
  #left: number;

  constructor(order: ChildOrder) {
    this.#midMs = order.midMs;
    this.#left = order.killAt;
  }

  pass(name: string): void {
    this.#left -= 1;
    if (this.#left === 0) die(name);
  }

  async around<T>(name: string, act: () => Promise<T>): Promise<T> {
    this.pass(`before ${name}`);
    const acting = act();
    this.#left -= 1;
    if (this.#left === 0) setTimeout(() => die(`amid ${name}`), this.#midMs);
    try {
      return await acting;
    } finally {
      this.pass(`after ${name}`);
    }
  }
}

function die(name: string): never {
  say(`killed ${name}`);
  process.kill(process.pid, "SIGKILL");
  throw new Error("unreachable: a SIGKILL of this process itself");
}

/** One line that the parent has even if this process is killed right after it. */
function say(line: string): void {
  writeSync(1, `${line}\n`);
}

class PointedLedger implements Ledger {
  readonly #ledger: Ledger;
  readonly #points: FaultPoints;
  readonly #journal: (line: string) => void;
  /** Looking is no point; what it finds is taken up through the others. */
  readonly watch?: NonNullable<Ledger["watch"]>;

  constructor(ledger: Ledger, points: FaultPoints, journal: (line: string) => void) {
    const watch = ledger.watch?.bind(ledger);
    if (watch) this.watch = watch;
    this.#ledger = ledger;
    this.#points = points;
    this.#journal = journal;
  }

  get isDurable(): boolean {
    return this.#ledger.isDurable;
  }

  lease(key: JobKey): Promise<Lease | undefined> {
    return this.#points.around("lease", () => this.#ledger.lease(key));
  }

  record(lease: Lease, event: JobEvent): Promise<void> {
    return this.#points.around(`record ${event.type}`, async () => {
      await this.#ledger.record(lease, event);
      if (event.type === "outcome-settled") this.#journal(`settled ${lease.key.jobId} ${textOf(event.outcome)}`);
      if (event.type === "report-accepted") this.#journal(`reported ${lease.key.jobId}`);
    });
  }

  release(lease: Lease): Promise<void> {
    return this.#points.around("release", () => this.#ledger.release(lease));
  }

  unfinished() {
    return this.#points.around("unfinished", () => this.#ledger.unfinished());
  }

  health() {
    return this.#ledger.health();
  }

  close(): Promise<void> {
    return this.#ledger.close();
  }
}

/** What tells an outcome from any other: it is found again in the result that CodePipeline accepted. */
function textOf(outcome: Outcome): string {
  return outcome.kind === "failed" ? outcome.message : (outcome.summary ?? "");
}

function pointedGateway(gateway: JobGateway, points: FaultPoints): JobGateway {
  return {
    poll: (...asked) => points.around("poll", () => gateway.poll(...asked)),
    details: (...asked) => points.around("details", () => gateway.details(...asked)),
    detailsAgain: (...asked) => points.around("details again", () => gateway.detailsAgain(...asked)),
    acknowledge: (...asked) => points.around("acknowledge", () => gateway.acknowledge(...asked)),
    put: (...asked) => points.around("put", () => gateway.put(...asked)),
  };
}

function pointedHandlers(
  handlers: HandlerRegistry,
  points: FaultPoints,
  journal: (line: string) => void,
): HandlerRegistry {
  const wrap = (handler: JobHandler): JobHandler => ({
    kind: handler.kind,
    description: handler.description,
    run: (call) => {
      points.pass("before the handler's start is known");
      journal(`started ${call.job.key.jobId}`);
      return points.around("handler", () => handler.run(call));
    },
    close: () => handler.close(),
  });
  return {
    get(name) {
      const handler = handlers.get(name);
      return handler && wrap(handler);
    },
    close: () => handlers.close(),
  };
}

/** Does what the name of the job's action says; every outcome is one of a kind. */
async function work(job: HandlerJob): Promise<Outcome> {
  const summary = `${job.jobId} ${randomUUID()}`;
  switch (job.pipeline.actionName) {
    case "fails":
      return failed(summary);
    case "throws":
      throw new Error(summary);
    case "continues":
      return job.continuationToken === undefined ? continued("step-2", { summary }) : succeeded({ summary });
    case "takes-time":
      await systemClock.sleep(30, job.signal);
      return succeeded({ summary });
    default:
      return succeeded({ summary });
  }
}

/** Quick enough for a thousand kills. */
const quick: RetryPolicy = { minDelayMs: 5, maxDelayMs: 40, factor: 2, maxElapsedMs: Number.POSITIVE_INFINITY };

function configOf(order: ChildOrder): Config {
  const { clientId, clientToken, endpoint, folder } = order;
  return {
    actionTypes: order.actionTypes.map((type) => ({
      ...type,
      handler: "scripted",
      regions: ["us-east-1" as Region],
      maxConcurrentJobs: 8,
      jobTimeoutMs: 60_000,
      secretProperties: [],
    })),
    handlers: {
      scripted: {
        kind: "module",
        path: fileURLToPath(new URL("../fixtures/handlers/scripted.mjs", import.meta.url)),
      },
    },
    clientTokens: {
      source: "static",
      tokens: { [clientId as ClientId]: new Secret(clientToken as ClientToken) },
    },
    worker: { maxConcurrentJobs: 8 },
    polling: { minIntervalMs: 5, maxIntervalMs: 40 },
    ledger: order.ledger ?? { store: "sqlite", path: `${folder}/ledger.db` },
    artifacts: {
      workDir: `${folder}/work`,
      maxArchiveBytes: 1e9,
      maxExtractedBytes: 1e9,
      maxEntries: 1e5,
      minFreeBytes: 0,
      requestTimeoutMs: 5_000,
    },
    shutdown: { drainTimeoutMs: 3_000, cancelGraceMs: 200, reportTimeoutMs: 1_000 },
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
  const points = new FaultPoints(order);
  const journal = (line: string) => appendFileSync(order.journal, `${line.replaceAll("\n", " ")}\n`);
  Reflect.set(globalThis, Symbol.for("partnerd.test.handler"), work);
  const masker = new Masker();
  const clock = systemClock;
  const log = createLog({ ...config.log, masker, destination: { write: (line) => say(`log ${line.trimEnd()}`) } });
  const observe = (event: WorkerEvent) => {
    if (event.type === "bug" || event.type === "ledger-failed") say(`wrong ${event.type}: ${event.message}`);
  };
  const built = await buildParts({ config, log, masker, clock, environment: {} }, observe);
  const worker = new Worker({
    world: {
      gateway: (region, owner) => pointedGateway(built.gateways.get(region, owner), points),
      handlers: pointedHandlers(built.handlers, points, journal),
      artifacts: built.artifacts,
      ledger: new PointedLedger(built.ledger, points, journal),
      clock,
      random: Math.random,
      keepSecrets: (values) => masker.keep(values),
      mask: (text) => masker.mask(text),
      jobLog: (key) => textLog(log, { jobId: key.jobId }),
    },
    lanes: lanesOf(config),
    limits: { maxConcurrentJobs: 8, polling: config.polling, shutdown: config.shutdown, retry: config.retry },
    observe,
  });
  await worker.start();
  process.stdin.resume();
  process.stdin.once("end", () => void worker.stop());
  const end = await worker.ended;
  for (const part of built.closing.toReversed()) await closeQuietly(part, log);
  say(`ended ${end.owed} ${end.isBroken}`);
}

await main(JSON.parse(process.argv[2] ?? "{}") as ChildOrder);
