// The worker behind createWorker: a configuration becomes a daemon, as in cli/work.ts, but without signals, exit codes and
// a standard output. Whatever happens, after `stop` nothing of it runs.
import { loadParts } from "../compose/build.js";
import { Daemon } from "../compose/daemon.js";
import { type LoadOptions, loadConfig } from "../config/load.js";
import { ConfigError, describeMistake } from "../config/mistakes.js";
import type { WorkerEvent } from "../engine/events.js";
import type { Handler } from "../handlers/handler.js";
import { systemClock } from "../std/clock.js";
import { describeError } from "../std/errors.js";
import { createLog, type RootLog } from "../std/log.js";
import { Masker } from "../std/masking.js";
import type { PartnerdWorker, StopOptions, WorkerConfig, WorkerEnd, WorkerOptions } from "./partnerd-worker.js";
import { WorkerConfigError, WorkerStartError } from "./worker-errors.js";
import { type PartnerdEvent, partnerdEvent } from "./worker-events.js";

type DaemonOptions = Parameters<typeof Daemon.build>[0] & { readonly log: RootLog };
type Listener = (event: PartnerdEvent) => void;

/** Reads and checks the configuration; `afterwards` ends a stop. Throws WorkerConfigError. */
export async function openWorker(
  config: WorkerConfig | string,
  options: WorkerOptions,
  afterwards: () => Promise<void> = async () => {},
): Promise<PartnerdWorker> {
  const { loading, functions } = loadingOf(config, options);
  const { config: checked, warnings } = await loadConfig(loading).catch((error: unknown) => {
    if (!(error instanceof ConfigError)) throw error;
    throw new WorkerConfigError(error.mistakes.map(({ where, what, remedy }) => ({ where, what, remedy })));
  });
  const masker = new Masker();
  const log = createLog({ ...checked.log, masker, destination: { write: (line) => writeTo(options.log, line) } });
  if (!options.log) log.setLevel("silent");
  const { credentials } = options;
  return new EmbeddedWorker(
    {
      config: checked,
      log,
      masker,
      clock: systemClock,
      environment: loading.environment,
      functions,
      ...(credentials ? { credentials } : {}),
    },
    warnings.map(describeMistake),
    afterwards,
  );
}

function loadingOf(config: WorkerConfig | string, options: WorkerOptions) {
  const directory = process.cwd();
  const common = { environment: process.env, directory, overrides: [] };
  if (typeof config === "string") {
    const functions = { ...options.handlers };
    const loading: LoadOptions = { ...common, files: [config], functions: Object.keys(functions) };
    return { loading, functions };
  }
  const { settings, functions } = withoutFunctions(config, options.handlers);
  // Its own variables are for the program, whose configuration is in files; an embedding program has its own ways.
  const environment = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("PARTNERD_")));
  const loading: LoadOptions = {
    ...common,
    environment,
    files: [],
    object: settings ?? null,
    functions: Object.keys(functions),
  };
  return { loading, functions };
}

/** The configuration without its functions, and those. What is no configuration at all is told by who reads it. */
function withoutFunctions(config: WorkerConfig, more: WorkerOptions["handlers"]) {
  const functions: Record<string, Handler> = {};
  const handlers: unknown = (config as WorkerConfig | null)?.handlers;
  if (typeof handlers !== "object" || handlers === null || Array.isArray(handlers)) {
    return { settings: config, functions: { ...more } };
  }
  const rest = Object.entries(handlers).filter(([name, each]) => {
    if (typeof each !== "function") return true;
    functions[name] = each as Handler;
    return false;
  });
  return { settings: { ...config, handlers: Object.fromEntries(rest) }, functions: { ...functions, ...more } };
}

function writeTo(sink: WorkerOptions["log"], line: string): void {
  try {
    sink?.write(line);
  } catch {
    // Where its lines go is the program's affair; a full disk must not stop jobs.
  }
}

/** Before the deadline of a stop: for the last reports, and for closing. */
const reportReserveMs = 1_000;
const closeReserveMs = 1_500;

class EmbeddedWorker implements PartnerdWorker {
  readonly warnings: readonly string[];
  readonly #options: DaemonOptions;
  readonly #afterwards: () => Promise<void>;
  readonly #listeners = new Set<Listener>();
  readonly #ended = Promise.withResolvers<WorkerEnd>();
  readonly #tooLate = Promise.withResolvers<undefined>();
  #building: Promise<Daemon> | undefined;
  #daemon: Daemon | undefined;
  #starting: Promise<void> | undefined;
  #stopping: Promise<WorkerEnd> | undefined;

  constructor(options: DaemonOptions, warnings: readonly string[], afterwards: () => Promise<void>) {
    this.warnings = warnings;
    this.#afterwards = afterwards;
    this.#options = { ...options, observers: [(event) => this.#tell(event)] };
  }

  get adminUrl(): string | undefined {
    return this.#daemon?.adminUrl;
  }

  get ended(): Promise<WorkerEnd> {
    return this.#ended.promise;
  }

  start(): Promise<void> {
    this.#starting ??= this.#start();
    return this.#starting;
  }

  stop({ deadlineMs }: StopOptions = {}): Promise<WorkerEnd> {
    const late = deadlineMs === undefined ? undefined : this.#hurryBy(deadlineMs);
    this.#stopping ??= this.#stop();
    if (!late) return this.#stopping;
    return this.#stopping.finally(late.cancel);
  }

  on(...of: [Listener] | [type: string, listener: (event: never) => void]): () => void {
    const [first, second] = of;
    const listener: Listener =
      typeof first === "function"
        ? (event) => first(event)
        : (event) => {
            if (event.type === first) (second as Listener | undefined)?.(event);
          };
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #start(): Promise<void> {
    if (this.#stopping) throw new WorkerStartError("the worker was stopped; create another one");
    try {
      this.#building = loadParts().then(() => Daemon.build(this.#options));
      this.#daemon = await this.#building;
      const { worker } = this.#daemon;
      // However it ends, everything is closed.
      void worker.ended.then(() => this.stop());
      if (!this.#stopping) await Promise.race([worker.start(), worker.ended]);
    } catch (error) {
      await this.stop();
      throw new WorkerStartError(`the worker could not start: ${describeError(error)}`, error);
    }
    if (this.#stopping) throw new WorkerStartError("the worker was stopped while it started");
  }

  async #stop(): Promise<WorkerEnd> {
    const end = await this.#drained();
    await this.#afterwards();
    this.#ended.resolve(end);
    return end;
  }

  async #drained(): Promise<WorkerEnd> {
    const building = this.#building?.catch(() => undefined);
    const daemon = await Promise.race([building, this.#tooLate.promise]);
    if (!daemon) {
      // A start that hangs is closed when it ends after all.
      void building?.then((late) => late?.close());
      return { owed: 0, results: 0, isBroken: false };
    }
    const { owed, results, isBroken } = await daemon.worker.stop();
    await daemon.close();
    // What an abandoned handler still says is heard by nobody.
    this.#options.log.setLevel("silent");
    return { owed, results, isBroken };
  }

  /** Ends the waits of a stop so that it is over by then, as far as that is in anybody's hands. */
  #hurryBy(deadlineMs: number): { readonly cancel: () => void } {
    const { clock, config } = this.#options;
    const lastMs = Math.max(0, deadlineMs - closeReserveMs);
    const hurryMs = Math.max(0, lastMs - reportReserveMs - config.shutdown.cancelGraceMs);
    const cancels = [
      clock.after(hurryMs, () => this.#daemon?.worker.hurry("the deadline of the stop is near")),
      clock.after(lastMs, () => {
        this.#daemon?.stopNow("the deadline of the stop has come");
        this.#tooLate.resolve(undefined);
      }),
    ];
    return {
      cancel: () => {
        for (const cancel of cancels) cancel();
      },
    };
  }

  #tell(event: WorkerEvent): void {
    if (this.#listeners.size === 0) return;
    const told = partnerdEvent(event);
    if (!told) return;
    for (const listener of this.#listeners) {
      try {
        listener(told);
      } catch (error) {
        // As EventTarget does: it is the program's bug, and must be seen.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
