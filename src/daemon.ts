// The composition root: from a configuration to wired parts; the only file that knows every implementation.
// Builds in order (tokens, ledger, handlers, gateways, worker, admin port), and lets go in the reverse one.

import { eventLog, jobFields } from "./admin/event-log.js";
import type { AdminServer } from "./admin/server.js";
import type { JobGateway } from "./codepipeline/gateway.js";
import type { Config } from "./config/config.js";
import { Callbacks } from "./handlers/callbacks.js";
import type { HandlerRegistry } from "./handlers/handler.js";
import { buildHandlers, HandlersError } from "./handlers/registry.js";
import { type ActionOwner, actionTypeName, type Region } from "./job/job.js";
import type { Ledger } from "./ledger/ledger.js";
import type { Clock } from "./std/clock.js";
import { type Log, textLog } from "./std/log.js";
import type { Masker } from "./std/masking.js";
import type { TokenFileEvent } from "./tokens/file.js";
import { MaskedTokens } from "./tokens/masked-tokens.js";
import type { ClientTokens } from "./tokens/tokens.js";
import type { Observe, WorkerEvent } from "./worker/events.js";
import type { LaneConfig } from "./worker/lane.js";
import { StatusBoard, type StatusSnapshot } from "./worker/status.js";
import { Worker, type WorkerEnd } from "./worker/worker.js";

export interface DaemonOptions {
  readonly config: Config;
  readonly log: Log;
  readonly masker: Masker;
  readonly clock: Clock;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Further readers of the engine's events. */
  readonly observers?: readonly Observe[];
}

/** Everything that a configuration asks for, wired; not polling yet. */
export class Daemon {
  readonly #config: Config;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #parts: Built;
  readonly #observers: Observe[];
  readonly #board: StatusBoard;
  readonly worker: Worker;
  #admin: AdminServer | undefined;

  private constructor(options: DaemonOptions, parts: Built, observers: Observe[]) {
    this.#config = options.config;
    this.#log = options.log;
    this.#clock = options.clock;
    this.#parts = parts;
    this.#observers = observers;
    const lanes = lanesOf(options.config);
    this.#board = new StatusBoard({ startedAtMs: options.clock.now(), pollers: lanes });
    observers.unshift(eventLog(options.log), (event) => this.#board.observe(event));
    const { masker, clock } = options;
    this.worker = new Worker({
      world: {
        gateway: parts.gateway,
        handlers: parts.handlers,
        ledger: parts.ledger,
        clock,
        random: Math.random,
        keepSecrets: (values) => masker.keep(values),
        mask: (text) => masker.mask(text),
        jobLog: (key) => textLog(options.log, jobFields(key)),
      },
      lanes,
      limits: {
        maxConcurrentJobs: options.config.worker.maxConcurrentJobs,
        polling: options.config.polling,
        shutdown: options.config.shutdown,
        retry: options.config.retry,
      },
      observe: (event) => this.#observe(event),
    });
  }

  /** Builds and checks every part. Throws what the first part that cannot be built says; nothing is left open then. */
  static async build(options: DaemonOptions): Promise<Daemon> {
    const observers: Observe[] = [...(options.observers ?? [])];
    const daemon = new Daemon(options, await buildParts(options, (event) => daemon.#observe(event)), observers);
    try {
      await daemon.#openAdmin(options);
    } catch (error) {
      await daemon.close();
      throw error;
    }
    return daemon;
  }

  /** The address of the admin port; undefined when it is off. */
  get adminUrl(): string | undefined {
    return this.#admin?.url;
  }

  status(): StatusSnapshot & { readonly slots: Worker["slots"] } {
    return { ...this.#board.snapshot(this.#clock.now()), slots: this.worker.slots };
  }

  /** Recovers, polls and works until stop() is called, or until a bug of ours ends it. */
  async run(): Promise<WorkerEnd> {
    await this.worker.start();
    return this.worker.ended;
  }

  /** Writes slots and jobs to the log, for somebody who asks by signal. */
  dump(): void {
    const { jobs, pollers, slots, totals } = this.status();
    this.#log.info({ slots, totals, jobs: jobs.length, pollers: pollers.length }, "status");
    for (const poller of pollers) this.#log.info({ ...poller }, "status of a poller");
    for (const job of jobs) this.#log.info({ ...job, ageMs: this.#clock.now() - job.sinceMs }, "status of a job");
  }

  /** Lets go of everything, in reverse order. Each part has its own limit; a failure does not keep the others. */
  async close(): Promise<void> {
    await this.#admin?.close();
    for (const part of this.#parts.closing.toReversed()) await closeQuietly(part, this.#log);
  }

  #observe(event: WorkerEvent): void {
    for (const observer of this.#observers) {
      try {
        observer(event);
      } catch (error) {
        // One reader's fault is told once by its own line and reaches neither the engine nor the other readers.
        this.#log.error({ err: error, event: event.type }, "a bug in partnerd: a reader of events failed");
      }
    }
  }

  async #openAdmin(options: DaemonOptions): Promise<void> {
    const { host, port, token } = this.#config.admin;
    if (port === 0) return;
    const [{ startAdmin }, { live, ready }] = await Promise.all([
      import("./admin/server.js"),
      import("./admin/health.js"),
    ]);
    const { worker } = this;
    this.#admin = await startAdmin({
      host,
      port,
      ...(token ? { token } : {}),
      clock: options.clock,
      live: () => live(this.status(), this.#parts.ledger.health()),
      onFault: (error) => this.#log.error({ err: error }, "admin port failed"),
      ready: () => ready(this.status(), this.#parts.ledger.health()),
      status: () => this.status(),
      deliver: (delivery) => this.#parts.callbacks.deliver(delivery),
      pause: () => worker.pause(),
      resume: () => worker.resume(),
      wake: () => worker.wake(),
    });
    this.#parts.adminUrl = this.#config.admin.publicUrl ?? this.#admin.url;
    this.#log.info({ url: this.#admin.url }, "admin port is open");
  }
}

/** Builds every configured handler and lets go of it again; the lines that say what is wrong, none if all is well. */
export async function checkHandlers(options: Omit<DaemonOptions, "observers">): Promise<readonly string[]> {
  const callbacks = new Callbacks({ ...callbackLimits, baseUrl: () => undefined, clock: options.clock });
  try {
    const handlers = await handlersOf(options, callbacks, () => {});
    await handlers.close();
    return [];
  } catch (error) {
    if (error instanceof HandlersError) return error.mistakes;
    throw error;
  }
}

interface Built {
  readonly gateway: (region: Region, owner: ActionOwner) => JobGateway;
  readonly handlers: HandlerRegistry;
  readonly ledger: Ledger;
  readonly callbacks: Callbacks;
  readonly closing: { readonly name: string; readonly close: () => Promise<void> | void }[];
  /** Base of callback URLs, once the admin port is open. */
  adminUrl: string | undefined;
}

/** Ended callbacks are remembered so that a repeated delivery is told so; a delivery waits so long for its record. */
const callbackLimits = { endedKept: 10_000, recordWaitMs: 10_000 };
/** Jobs that ended are remembered for so long, since polls may repeat them; and so many at most. */
const recentLimits = { recentMs: 3_600_000, recentMax: 20_000 };
/** How often the client token file is looked at; a client that it lacks makes it be looked at once. */
const tokenFileCheckMs = 2_000;
/** A few records share a transaction; a disk that takes longer is as good as none, and is tried again. */
const sqlitePace = { commitSpacingMs: 5, commitTimeoutMs: 30_000, probeIntervalMs: 5_000 };

async function buildParts(options: DaemonOptions, observe: Observe): Promise<Built> {
  const { config, clock, log, masker } = options;
  const closing: Built["closing"] = [];
  try {
    const releaseToken = masker.keep(config.admin.token ? [config.admin.token.reveal()] : []);
    closing.push({ name: "admin token", close: releaseToken });
    const tokens = new MaskedTokens({
      source: await tokensOf(options),
      keepSecrets: (values) => masker.keep(values),
    });
    closing.push({ name: "client tokens", close: () => tokens.close() });
    const ledger = await ledgerOf(options);
    closing.push({ name: "ledger", close: () => ledger.close() });
    const callbacks: Callbacks = new Callbacks({ ...callbackLimits, baseUrl: () => built.adminUrl, clock });
    const handlers = await handlersOf(options, callbacks, observe);
    closing.push({ name: "handlers", close: () => handlers.close() });
    const { gateway, close } = await gatewaysOf(config, tokens, clock);
    closing.push({ name: "clients", close });
    const built: Built = { gateway, handlers, ledger, callbacks, closing, adminUrl: undefined };
    return built;
  } catch (error) {
    for (const part of closing.toReversed()) await closeQuietly(part, log);
    throw error;
  }
}

async function tokensOf({ config, clock, log }: DaemonOptions): Promise<ClientTokens> {
  const { clientTokens } = config;
  switch (clientTokens.source) {
    case "static": {
      const { StaticClientTokens } = await import("./tokens/static.js");
      return new StaticClientTokens({ tokens: clientTokens.tokens });
    }
    case "file": {
      const { openFileTokens } = await import("./tokens/file.js");
      return openFileTokens({
        path: clientTokens.path,
        clock,
        checkIntervalMs: tokenFileCheckMs,
        onEvent: (event) => tokenFileLine(log, event),
      });
    }
  }
}

function tokenFileLine(log: Log, event: TokenFileEvent): void {
  switch (event.type) {
    case "reloaded":
      return log.info({ clients: event.clients }, "client token file read again");
    case "broken":
      return log.error({}, `client token file refused, the earlier tokens stay in force: ${event.message}`);
    case "vanished":
      return log.error({}, "client token file is gone, the earlier tokens stay in force: put it back");
    case "back":
      return log.info({}, "client token file is back");
    case "readable-by-all":
      return log.warn({ mode: event.mode }, "client token file can be read by every user: chmod 600");
  }
}

async function ledgerOf({ config, clock, log }: DaemonOptions): Promise<Ledger> {
  switch (config.ledger.store) {
    case "memory": {
      const { MemoryLedger } = await import("./ledger/memory.js");
      return new MemoryLedger({ clock, ...recentLimits });
    }
    case "sqlite": {
      const { SqliteLedger } = await import("./ledger/sqlite.js");
      return SqliteLedger.open({
        path: config.ledger.path,
        clock,
        ...recentLimits,
        ...sqlitePace,
        onHealth: (health) =>
          health.writable
            ? log.info({}, "the ledger can be written again")
            : log.error({}, `the ledger cannot be written, so no new job is taken: ${health.reason ?? "unknown"}`),
      });
    }
  }
}

function handlersOf(
  options: Omit<DaemonOptions, "observers">,
  callbacks: Callbacks,
  observe: Observe,
): Promise<HandlerRegistry> {
  const { config, clock, masker, environment } = options;
  return buildHandlers({
    handlers: config.handlers,
    clock,
    masker,
    callbacks,
    retry: config.retry.handler,
    workDir: config.artifacts.workDir,
    cancelGraceMs: config.shutdown.cancelGraceMs,
    environment,
    onAbandoned: (name, call) =>
      observe({ type: "handler-abandoned", key: call.job.key, handler: name, atMs: clock.now() }),
  });
}

async function gatewaysOf(config: Config, tokens: ClientTokens, clock: Clock) {
  const [{ RegionClient }, { ThirdPartyGateway }, { CustomGateway }] = await Promise.all([
    import("./codepipeline/client.js"),
    import("./codepipeline/third-party.js"),
    import("./codepipeline/custom.js"),
  ]);
  const lanes = lanesOf(config);
  const { endpoint, ...aws } = config.aws;
  const queryParams = new Map(
    config.actionTypes.flatMap((type) => (type.queryParam ? [[actionTypeName(type), type.queryParam] as const] : [])),
  );
  const regions = [...new Set(lanes.map((lane) => lane.region))].map((region) => {
    // Every job and every poller may have one call under way.
    const maxSockets = config.worker.maxConcurrentJobs * 2 + lanes.length;
    const client = new RegionClient({ region, endpoint, maxSockets, ...aws });
    const { clientCooldownMs } = config.retry;
    const flavours: Record<ActionOwner, JobGateway> = {
      ThirdParty: new ThirdPartyGateway({ region, client, tokens, clock, clientCooldownMs }),
      Custom: new CustomGateway({ region, client, queryParams }),
    };
    return { region, client, flavours };
  });
  const byRegion = new Map(regions.map(({ region, flavours }) => [region, flavours]));
  return {
    gateway: (region: Region, owner: ActionOwner) => {
      const gateway = byRegion.get(region)?.[owner];
      if (!gateway) throw new Error(`bug: no gateway for ${owner} jobs of ${region}`);
      return gateway;
    },
    close: () => {
      for (const { client } of regions) client.close();
    },
  };
}

/** One lane for each action type in each of its Regions. */
function lanesOf(config: Config): readonly LaneConfig[] {
  return config.actionTypes.flatMap((type) =>
    type.regions.map((region) => ({
      region,
      actionType: { category: type.category, owner: type.owner, provider: type.provider, version: type.version },
      handler: type.handler,
      maxConcurrentJobs: type.maxConcurrentJobs,
      jobTimeoutMs: type.jobTimeoutMs,
      afterCrash: type.afterCrash,
      secretProperties: type.secretProperties,
    })),
  );
}

async function closeQuietly(
  part: { readonly name: string; readonly close: () => Promise<void> | void },
  log: Log,
): Promise<void> {
  try {
    await part.close();
  } catch (error) {
    log.error({ err: error }, `could not close the ${part.name}`);
  }
}
