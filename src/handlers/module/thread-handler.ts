// A module handler in its own thread (`isolation: thread`): its jobs share the thread, and whatever happens to that
// hurts neither the daemon nor other handlers. Starts a new thread for one that died or that a job no longer leaves.
import { randomUUID } from "node:crypto";
import { type MessagePort, Worker } from "node:worker_threads";
import { messageOf } from "../../job/failure.js";
import { WorkerFault } from "../../job/worker-fault.js";
import type { Clock } from "../../std/clock.js";
import { endOrAbort } from "../../std/end-or-abort.js";
import { killLeftovers, Leftovers } from "../../std/leftovers.js";
import type { Log } from "../../std/log.js";
import { threadFile } from "../../std/thread-file.js";
import type { HandlerCall, JobHandler } from "../handler.js";
import type { JobMasker } from "../masker.js";
import { HandlerClosed, OpenCalls } from "../open-calls.js";
import { Unbuildable } from "../unbuildable.js";
import { HandlerAbandoned, settledOrOver } from "./grace.js";
import { settledOr, thrownLine } from "./handler-job.js";
import { HandlerThread } from "./handler-thread.js";
import type { ThreadData } from "./messages.js";
import { type Death, startFault, ThreadEnded } from "./thread-end.js";
import { heapLimits } from "./thread-watch.js";

export interface ThreadHandlerOptions {
  /** The name in the configuration; threads are called after it. */
  readonly name: string;
  /** Of the module, absolute. */
  readonly path: string;
  readonly maxMemoryBytes: number;
  /** How long a handler may take to stop after its signal aborted. */
  readonly cancelGraceMs: number;
  readonly clock: Clock;
  readonly masker: JobMasker;
  /** For what the module prints outside of every job. */
  readonly log: Log;
  /** Called when a job did not stop in time; its thread takes no more jobs. */
  readonly onAbandoned?: ((call: HandlerCall) => void) | undefined;
  readonly onThreadEnded?: ((death: ThreadDeath) => void) | undefined;
}

/** A thread that ended unasked. */
export interface ThreadDeath extends Death {
  /** How long the next one is waited with. */
  readonly restMs: number;
}

/** Before the second, third, … thread in a row that dies without having ended a job. */
const restsMs = [0, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000] as const;
/** Stands in the environment of a thread, and so of every process that its code starts. */
const threadVariable = "PARTNERD_THREAD";

export class ThreadHandler implements JobHandler {
  readonly kind = "module";
  readonly saysBegun = true;
  readonly description: string;
  readonly #options: ThreadHandlerOptions;
  readonly #calls = new OpenCalls();
  /** With the id that is in the environment of every process that its code starts. */
  readonly #threads = new Map<HandlerThread, string>();
  readonly #leftovers: Leftovers;
  readonly #closing = new AbortController();
  #current: HandlerThread | undefined;
  #starting: Promise<HandlerThread> | undefined;
  #deathsInARow = 0;
  #startNotBeforeMs = Number.NEGATIVE_INFINITY;

  private constructor(options: ThreadHandlerOptions) {
    this.#options = options;
    this.description = options.path;
    this.#leftovers = new Leftovers({ variable: threadVariable, clock: options.clock });
  }

  /** Loads the module. Throws Unbuildable. */
  static async open(options: ThreadHandlerOptions): Promise<ThreadHandler> {
    const handler = new ThreadHandler(options);
    try {
      await handler.#fresh();
    } catch (error) {
      await handler.close();
      throw error instanceof WorkerFault ? new Unbuildable(error.message) : error;
    }
    return handler;
  }

  run(call: HandlerCall): Promise<unknown> {
    return this.#calls.within(call, () => this.#run(call, call.signal));
  }

  /** Rejects with WorkerFault when the module cannot be loaded. */
  async check(signal: AbortSignal): Promise<void> {
    await this.#threadFor(signal);
  }

  /** Kills what the module's code has started, before it returns, and ends its threads. */
  async close(): Promise<void> {
    this.#closing.abort();
    const marks = [...this.#threads].flatMap(([thread, id]) =>
      thread.hasChildren ? [`${threadVariable}=${id}\0`] : [],
    );
    try {
      if (marks.length > 0) killLeftovers(...marks);
    } finally {
      await this.#calls.close();
      await Promise.all([...this.#threads.keys()].map((thread) => thread.end()));
    }
  }

  /** A job that may run twice gets a second thread when the first one dies under it. */
  #run(call: HandlerCall, signal: AbortSignal): Promise<unknown> {
    const first = this.#runOnce(call, signal);
    if (!call.mayRerun) return first;
    return first.catch((error: unknown) => {
      if (signal.aborted || !(error instanceof ThreadEnded)) throw error;
      call.log.warn("handler-rerun", {}, `${messageOf(error)}; running the handler once more (afterCrash: rerun)`);
      return this.#runOnce(call, signal);
    });
  }

  async #runOnce(call: HandlerCall, signal: AbortSignal): Promise<unknown> {
    const { clock, cancelGraceMs: graceMs } = this.#options;
    const thread = await this.#threadFor(signal);
    call.start?.begun();
    const settled = await settledOrOver(thread.run(call, signal), { signal, graceMs, clock });
    if (settled !== "over") {
      if (!("thrown" in settled && settled.thrown instanceof ThreadEnded)) this.#deathsInARow = 0;
      thrownLine(call, settled, signal);
      return settledOr(settled, signal);
    }
    thread.retire(call);
    this.#options.onAbandoned?.(call);
    throw new HandlerAbandoned(graceMs, signal.reason);
  }

  /** A thread that takes jobs. Throws WorkerFault; the signal's reason when it aborts meanwhile. */
  async #threadFor(signal: AbortSignal): Promise<HandlerThread> {
    if (this.#current?.isUsable && !this.#starting) return this.#current;
    try {
      const fresh = this.#fresh();
      await endOrAbort(fresh, signal);
      signal.throwIfAborted();
      return await fresh;
    } catch (error) {
      if (!(error instanceof Unbuildable)) throw error;
      throw new WorkerFault("handler", `the handler could not be restarted: ${error.message}`, { cause: error });
    }
  }

  /** A new thread; jobs that come meanwhile wait for the same. */
  #fresh(): Promise<HandlerThread> {
    this.#starting ??= this.#start().finally(() => {
      this.#starting = undefined;
    });
    return this.#starting;
  }

  async #start(): Promise<HandlerThread> {
    const { clock, masker, log, maxMemoryBytes, path, name } = this.#options;
    const restMs = this.#startNotBeforeMs - clock.monotonic();
    if (restMs > 0) await clock.sleep(restMs, this.#closing.signal);
    if (this.#closing.signal.aborted) throw new HandlerClosed();
    const id = randomUUID();
    const thread: HandlerThread = new HandlerThread({
      start: (port) => startedWorker({ port, path }, { name, id, maxMemoryBytes }),
      clock,
      masker,
      log,
      maxMemoryBytes,
      onEnd: (death) => {
        this.#threads.delete(thread);
        if (thread.hasChildren) void this.#killChildren(id);
        if (death) this.#options.onThreadEnded?.({ ...death, restMs: this.#restLonger() });
      },
    });
    this.#threads.set(thread, id);
    this.#current = thread;
    try {
      await thread.loaded;
    } catch (error) {
      this.#restLonger();
      throw error;
    }
    return thread;
  }

  async #killChildren(id: string): Promise<void> {
    const count = await this.#leftovers.kill(id);
    if (count === 0) return;
    const message = "processes that the handler had started outlived its thread; killed them";
    this.#options.log.warn("handler-processes-killed", { count }, message);
  }

  /** How long the next thread is waited with, in ms. */
  #restLonger(): number {
    const restMs = restsMs[Math.min(this.#deathsInARow, restsMs.length - 1)] ?? 0;
    this.#deathsInARow += 1;
    this.#startNotBeforeMs = this.#options.clock.monotonic() + restMs;
    return restMs;
  }
}

interface ThreadSettings {
  readonly name: string;
  readonly id: string;
  readonly maxMemoryBytes: number;
}

function startedWorker(data: ThreadData, settings: ThreadSettings): Worker {
  try {
    return startWorker(data, settings);
  } catch (error) {
    throw startFault(error);
  }
}

/** Flags and environment are the daemon's own: what it preloads, such as a tracing SDK, is preloaded in each thread. */
function startWorker(data: ThreadData, { name, id, maxMemoryBytes }: ThreadSettings): Worker {
  const { file, execArgv } = threadFile("module-worker", import.meta.url);
  return new Worker(file, {
    // Left out, they are the daemon's own; given, V8's own flags would be refused.
    ...(execArgv.length > 0 ? { execArgv: [...process.execArgv, ...execArgv] } : {}),
    name: `handler ${name}`,
    workerData: data,
    env: { ...process.env, [threadVariable]: id },
    transferList: [data.port as MessagePort],
    stdout: true,
    stderr: true,
    resourceLimits: heapLimits(maxMemoryBytes),
  });
}
