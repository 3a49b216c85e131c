// The composition root: the parts that build.ts builds, the worker over them, the readers of its events, and the
// admin port. Closes everything in the reverse order.
import { eventLog } from "../admin/event-log.js";
import { type Liveness, live } from "../admin/health.js";
import type { JobPages } from "../admin/job-pages.js";
import { jobFields } from "../admin/log-fields.js";
import type { Panel } from "../admin/panel.js";
import type { AdminServer } from "../admin/server.js";
import { StatusBoard } from "../admin/status.js";
import type { AdminStatus } from "../admin/view.js";
import type { Config } from "../config/config.js";
import { Worker, type WorkerEnd } from "../engine/engine.js";
import type { Observe, PollerName, UntimedEvent, WorkerEvent } from "../engine/events.js";
import { pollerNameOf } from "../engine/poller-config.js";
import { actionTypeName } from "../job/job.js";
import type { Clock } from "../std/clock.js";
import { describeError } from "../std/errors.js";
import type { Log } from "../std/log.js";
import { testMachine } from "../std/machine-test.js";
import { isTracingRegistered } from "../std/tracing-registered.js";
import { ownVersion } from "../std/version.js";
import type { Tracing } from "../tracing/tracing.js";
import { type BuiltParts, buildParts, closeQuietly, learnSecrets, limitsOf, pollersOf } from "./build.js";
import { jobPagesOf } from "./job-pages-of.js";
import type { PartReaders, PartsOptions } from "./parts-options.js";
import { replicaNote } from "./replica-note.js";

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
  #jobPages: JobPages | undefined;
  readonly #atOnce = new AbortController();
  readonly #deafen: () => void;
  #isClosing = false;
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
    const pollers = pollersOf(options.config);
    this.#board = new StatusBoard({ startedAtMs: options.clock.now(), pollers: pollers.map(pollerNameOf) });
    observers.unshift(eventLog(options.log), (event) => this.#board.observe(event));
    if (panel) observers.push((event) => panel.observe(event));
    // Before the log, whose lines belong to the stories.
    if (panel) observers.unshift((event) => panel.stories.observe(event));
    this.#deafen = panel ? options.log.listen((line) => panel.stories.hear(line)) : () => {};
    // First of all: a handler that begins at this very event asks for its span.
    if (tracing) observers.unshift((event) => tracing.observe(event));
    const { masker, clock } = options;
    parts.ledger.fleet?.describe(() => replicaNote(this.status(), options.config.admin));
    this.worker = new Worker({
      deps: {
        gateway: (place, owner) => parts.gateways.get(place, owner),
        handlers: parts.handlers,
        ledger: parts.ledger,
        artifacts: parts.artifacts,
        clock,
        random: Math.random,
        keepSecrets: (values) => masker.keep(values),
        isMarkedSecret: (key, property) => parts.secretMarks.has(key, property),
        learnSecrets: () => learnSecrets(parts, pollers, clock),
        mask: (text) => masker.mask(text),
        traceOf: tracing && ((key) => tracing.traceOf(key)),
        jobLog: (key) => options.log.with(jobFields(key)),
        testMachine: () => testMachine(options.config.artifacts.workDir),
      },
      pollers,
      limits: limitsOf(options.config),
      observe: (event) => this.#observe(event),
    });
  }

  /** Builds and checks every part. Throws the error of the first that cannot be built; nothing is left open then. */
  static async build(options: DaemonOptions): Promise<Daemon> {
    const observers: Observe[] = [...(options.observers ?? [])];
    const panel = await panelOf(options, {
      look: () => ({ status: daemon.status(), ledger: daemon.#parts.ledger.health() }),
      fleetJobs: async (range) =>
        (await daemon.#parts.ledger.fleet?.jobs(range)) ?? { jobs: [], count: 0, isCut: false },
    });
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
    const { slots, inFlight, unattended, callLimits } = this.worker;
    const denials = this.worker.denials.map(({ poller, fault }) => {
      const { operation, message } = fault;
      return { ...shownPoller(poller), operation, message };
    });
    const handlers = this.worker.handlers.map((each) => ({ ...each, pollers: each.pollers.map(shownPoller) }));
    const fleet = this.#parts.ledger.fleet?.seen();
    const own = {
      ...this.#board.snapshot(this.#clock.now()),
      slots,
      inFlight,
      unattended,
      callLimits,
      denials,
      handlers,
    };
    return { ...own, ...(fleet === undefined ? {} : { fleet }) };
  }

  /** Whether the polling loops turn: the answer of /livez, and the condition of systemd's watchdog notification. */
  live(): Liveness {
    const { loops, inFlight } = this.worker;
    return live({ ...this.#board.snapshot(this.#clock.now()), loops, inFlight }, this.#parts.ledger.health());
  }

  /** Recovers, polls and works until stop() is called, or until a bug ends it. */
  async run(): Promise<WorkerEnd> {
    // A stop does not wait for a start that hangs.
    await Promise.race([this.worker.start(), this.worker.ended]);
    return this.worker.ended;
  }

  /**
   * Reloads the configuration, as far as a running daemon can. A wrong one is reported by an event, and the current one
   * is kept. One at a time. Never rejects.
   */
  reload(read: () => Promise<Config>): Promise<void> {
    this.#reloading = this.#reloading.then(() => this.#reload(read));
    return this.#reloading;
  }

  async #reload(read: () => Promise<Config>): Promise<void> {
    this.#tell({ type: "reload-started" });
    try {
      const next = await read();
      if (this.worker.isStopping) throw new Error("partnerd is draining and does not reload");
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
    this.#log.info("status", { slots, totals, jobs: jobs.length, pollers: pollers.length }, "status");
    for (const poller of pollers) this.#log.info("poller-status", { ...poller }, "status of a poller");
    for (const job of jobs) {
      this.#log.info("job-status", { ...job, ageMs: this.#clock.now() - job.sinceMs }, "status of a job");
    }
  }

  /** Kills every process of every job, and ends what a stop or a close still waits for. */
  stopNow(reason: string): void {
    // First, and in this turn: whatever fails or hangs after this, no command survives the daemon.
    void this.#closeHandlers();
    this.worker.stopNow(reason);
    this.#atOnce.abort();
    if (this.#isClosing) void this.#admin?.close(atOnceMs);
  }

  /**
   * Closes everything, in reverse order. What does not close in time is logged and abandoned; neither that nor a
   * failure stops the others.
   */
  async close(): Promise<void> {
    this.#isClosing = true;
    void this.#closeHandlers();
    this.#deafen();
    this.#readers.panel?.close();
    this.#jobPages?.close();
    this.#readers.tracing?.close();
    await this.#admin?.close(this.#atOnce.signal.aborted ? atOnceMs : undefined);
    for (const part of this.#parts.closing.toReversed()) await this.#closeInTime(part);
  }

  #closeHandlers(): Promise<void> {
    return closeQuietly({ name: "handlers", close: () => this.#parts.handlers.close() }, this.#log);
  }

  async #closeInTime(part: BuiltParts["closing"][number]): Promise<void> {
    const isAtOnce = this.#atOnce.signal.aborted;
    const limitMs = isAtOnce ? atOnceMs : partCloseMaxMs;
    const over = new AbortController();
    const closing = closeQuietly(part, this.#log).then(() => over.abort());
    const signals = isAtOnce ? [over.signal] : [over.signal, this.#atOnce.signal];
    await Promise.race([closing, this.#clock.sleep(limitMs, AbortSignal.any(signals))]);
    // After a third signal that was announced already.
    if (!over.signal.aborted && !this.#atOnce.signal.aborted) {
      const message = `closing the ${part.name} takes too long; exiting without waiting for it`;
      this.#log.error("close-timeout", { part: part.name }, message);
    }
  }

  #observe(event: WorkerEvent): void {
    for (const observer of this.#observers) {
      try {
        observer(event);
      } catch (error) {
        // A reader's fault is one line of its own and reaches neither the engine nor the other readers.
        const message = "internal error: a reader of events failed; please report it";
        this.#log.error("internal-error", { err: error, while: event.type }, message);
      }
    }
  }

  async #openAdmin(options: DaemonOptions): Promise<void> {
    const config = this.#config;
    if (config.admin.port === 0) return;
    const { openAdminPort } = await import("./admin-port.js");
    const { panel } = this.#readers;
    this.#jobPages = panel && (await jobPagesOf(panel, { ...options, ledger: this.#parts.ledger }));
    this.#admin = await openAdminPort({
      config,
      log: this.#log,
      clock: options.clock,
      worker: this.worker,
      parts: this.#parts,
      panel,
      jobPages: this.#jobPages,
      status: () => this.status(),
      live: () => this.live(),
      mask: (text) => options.masker.mask(text),
    });
    this.#parts.adminUrl = config.admin.publicUrl ?? this.#admin.url;
    this.#log.info("admin-listening", { url: this.#admin.url }, "admin port is open");
  }
}

/** A poller with its action type as it is written. */
function shownPoller(poller: PollerName) {
  return { ...poller, actionType: actionTypeName(poller.actionType) };
}

/** Longest time for closing one part; each has shorter limits of its own, as long as no disk hangs. */
const partCloseMaxMs = 15_000;
/** After the third signal. */
const atOnceMs = 200;

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
async function panelOf(
  options: DaemonOptions,
  present: Pick<ConstructorParameters<typeof Panel>[0], "look" | "fleetJobs">,
) {
  const { config, clock, log, masker } = options;
  if (config.admin.port === 0) return undefined;
  const { Panel } = await import("../admin/panel.js");
  return new Panel({
    clock,
    version: ownVersion(),
    store: config.ledger.store,
    pollers: pollersOf(config).map(pollerNameOf),
    ...present,
    mask: (text) => masker.mask(text),
    onFault: (error) => log.error("status-page-failed", { err: error }, "the status page cannot be rendered"),
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
