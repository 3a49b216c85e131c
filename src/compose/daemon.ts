// The composition root: the parts that build.ts builds, the worker over them, the readers of its events, and the
// admin port. Lets go of everything in the reverse order.
import { eventLog } from "../admin/event-log.js";
import { type Liveness, live, ready } from "../admin/health.js";
import { jobFields } from "../admin/log-fields.js";
import type { Panel } from "../admin/panel.js";
import type { AdminServer } from "../admin/server.js";
import type { AdminStatus } from "../admin/view.js";
import type { Config } from "../config/config.js";
import { Worker, type WorkerEnd } from "../engine/engine.js";
import type { Observe, UntimedEvent, WorkerEvent } from "../engine/events.js";
import { StatusBoard } from "../engine/status.js";
import type { Clock } from "../std/clock.js";
import { describeError } from "../std/errors.js";
import { type Log, textLog } from "../std/log.js";
import { ownVersion } from "../std/version.js";
import { isTracingRegistered } from "../tracing/registered.js";
import type { Tracing } from "../tracing/tracing.js";
import { type BuiltParts, buildParts, closeQuietly, lanesOf, limitsOf } from "./build.js";
import type { PartReaders, PartsOptions } from "./options.js";

export { ledgerTable } from "./ledgers.js";

export interface DaemonOptions extends PartsOptions {
  /** Further readers of the engine's events. */
  readonly observers?: readonly Observe[];
}

/** Everything that a configuration asks for, wired; not polling yet. */
export class Daemon {
  readonly #options: DaemonOptions;
  #config: Config;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #parts: BuiltParts;
  readonly #observers: Observe[];
  readonly #board: StatusBoard;
  readonly #readers: Readers;
  readonly worker: Worker;
  #admin: AdminServer | undefined;
  #reloading = Promise.resolve();

  private constructor(options: DaemonOptions, parts: BuiltParts, observers: Observe[], readers: Readers) {
    const { panel, tracing } = readers;
    this.#options = options;
    this.#config = options.config;
    this.#log = options.log;
    this.#clock = options.clock;
    this.#parts = parts;
    this.#observers = observers;
    this.#readers = readers;
    const lanes = lanesOf(options.config);
    this.#board = new StatusBoard({ startedAtMs: options.clock.now(), pollers: lanes });
    observers.unshift(eventLog(options.log), (event) => this.#board.observe(event));
    if (panel) observers.push((event) => panel.observe(event));
    // First of all: a handler that begins at this very event asks for its span.
    if (tracing) observers.unshift((event) => tracing.observe(event));
    const { masker, clock } = options;
    this.worker = new Worker({
      world: {
        gateway: (region, owner) => parts.gateways.get(region, owner),
        handlers: parts.handlers,
        ledger: parts.ledger,
        artifacts: parts.artifacts,
        clock,
        random: Math.random,
        keepSecrets: (values) => masker.keep(values),
        mask: (text) => masker.mask(text),
        traceOf: tracing && ((key) => tracing.traceOf(key)),
        jobLog: (key) => textLog(options.log, jobFields(key)),
      },
      lanes,
      limits: limitsOf(options.config),
      observe: (event) => this.#observe(event),
    });
  }

  /** Builds and checks every part. Throws what the first part that cannot be built says; nothing is left open then. */
  static async build(options: DaemonOptions): Promise<Daemon> {
    const observers: Observe[] = [...(options.observers ?? [])];
    const panel = await panelOf(options, () => ({ status: daemon.status(), ledger: daemon.#parts.ledger.health() }));
    const parts = await buildParts(options, (event) => daemon.#observe(event), readersOf(panel)).catch((error) => {
      panel?.close();
      throw error;
    });
    const daemon: Daemon = new Daemon(options, parts, observers, { panel, tracing: await tracingIfRegistered() });
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

  status(): AdminStatus {
    const { slots, inFlight, left } = this.worker;
    return { ...this.#board.snapshot(this.#clock.now()), slots, inFlight, left };
  }

  /** Jobs that were interrupted because a shared ledger was out of reach, and that it does not know of: owed like any. */
  get orphaned(): number {
    return this.#parts.ledger.orphaned?.() ?? 0;
  }

  /** Whether the loops turn: what /livez answers, and what the sign of life to systemd rests on. */
  live(): Liveness {
    return live(this.status(), this.#parts.ledger.health());
  }

  /** Recovers, polls and works until stop() is called, or until a bug of ours ends it. */
  async run(): Promise<WorkerEnd> {
    // A stop does not wait for a start that never comes.
    await Promise.race([this.worker.start(), this.worker.ended]);
    return this.worker.ended;
  }

  /**
   * Reads the configuration again and puts it in force as far as a running daemon can; what is wrong with it is told
   * by an event, and the one in force stays. One at a time. Never rejects.
   */
  reload(read: () => Promise<Config>): Promise<void> {
    this.#reloading = this.#reloading.then(() => this.#reload(read));
    return this.#reloading;
  }

  async #reload(read: () => Promise<Config>): Promise<void> {
    this.#tell({ type: "reload-started" });
    try {
      const next = await read();
      if (this.worker.isStopping) throw new Error("partnerd drains and takes no new configuration");
      const { reload } = await import("./reload.js");
      const given = {
        options: this.#options,
        parts: this.#parts,
        worker: this.worker,
        observe: (event: WorkerEvent) => this.#observe(event),
      };
      const { config, applied, needsRestart } = await reload(given, this.#config, next);
      this.#config = config;
      this.#tell({ type: "reload-finished", applied, needsRestart });
    } catch (error) {
      this.#tell({ type: "reload-refused", message: describeError(error) });
    }
  }

  #tell(event: UntimedEvent): void {
    this.#observe({ ...event, atMs: this.#clock.now() });
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
    this.#readers.panel?.close();
    this.#readers.tracing?.close();
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
    const { startAdmin } = await import("../admin/server.js");
    const { worker } = this;
    const { panel } = this.#readers;
    this.#admin = await startAdmin({
      host,
      port,
      ...(token ? { token } : {}),
      clock: options.clock,
      live: () => this.live(),
      onFault: (error) => this.#log.error({ err: error }, "admin port failed"),
      ready: () => ready(this.status(), this.#parts.ledger.health()),
      status: () => this.status(),
      ...(panel ? { pages: panel.pages, streams: panel.streams } : {}),
      deliver: async (delivery) => {
        const end = await this.#parts.callbacks.deliver(delivery);
        // Right after a restart a promised callback is told to come again, not that nobody knows its job.
        return end === "unknown-job" && worker.mayAwaitCallback(delivery.jobId) ? "not-recorded" : end;
      },
      pause: () => worker.pause(),
      resume: () => worker.resume(),
      wake: () => worker.wake(),
      order: (job, order) => worker.order(job, order),
    });
    this.#parts.adminUrl = this.#config.admin.publicUrl ?? this.#admin.url;
    this.#log.info({ url: this.#admin.url }, "admin port is open");
  }
}

/** Readers of events that are there only where somebody wants them. */
interface Readers {
  readonly panel: Panel | undefined;
  readonly tracing: Tracing | undefined;
}

/** Spans are made only where an OpenTelemetry SDK was registered before: otherwise nothing of it is loaded. */
async function tracingIfRegistered(): Promise<Tracing | undefined> {
  if (!isTracingRegistered()) return undefined;
  const { tracingOf } = await import("../tracing/tracing.js");
  return tracingOf(ownVersion());
}

/** The pages of the admin port, loaded only when it is on. */
async function panelOf(options: DaemonOptions, look: ConstructorParameters<typeof Panel>[0]["look"]) {
  const { config, clock, log } = options;
  if (config.admin.port === 0) return undefined;
  const { Panel } = await import("../admin/panel.js");
  return new Panel({
    clock,
    version: ownVersion(),
    store: config.ledger.store,
    pollers: lanesOf(config),
    look,
    onFault: (error) => log.error({ err: error }, "the status page cannot be made"),
  });
}

function readersOf(panel: Panel | undefined): PartReaders {
  if (!panel) return {};
  const { metrics } = panel;
  return {
    onCall: (call) => metrics.onCall(call),
    onLookup: (lookup) => metrics.onLookup(lookup),
    onCommit: (commit) => metrics.onCommit(commit),
  };
}
