// One thread of a module handler, seen from the daemon: starts it, hands it jobs, answers what they ask for, logs what
// they print, and ends it when it dies, hangs, needs too much memory or is no longer needed.
import { MessageChannel, type MessagePort, receiveMessageOnPort, type Worker } from "node:worker_threads";
import { messageOf } from "../../job/failure.js";
import type { Clock } from "../../std/clock.js";
import { endsWithin } from "../../std/ends-within.js";
import { follow } from "../../std/following.js";
import type { Log } from "../../std/log.js";
import { TurnoverMap } from "../../std/turnover.js";
import type { HandlerCall } from "../handler.js";
import { jobDocument } from "../job-document.js";
import { JobOutput } from "../job-output.js";
import type { JobMasker } from "../masker.js";
import { Unbuildable } from "../unbuildable.js";
import { missingLine, type Settled } from "./handler-job.js";
import { Inbox } from "./inbox.js";
import type { FromThread, RunId, ToThread } from "./messages.js";
import { OwnOutput } from "./own-output.js";
import { endOf, portableError } from "./portable.js";
import { causeOf, type Death, startFault, ThreadEnded } from "./thread-end.js";
import { ThreadWatch } from "./thread-watch.js";

export interface HandlerThreadOptions {
  /** Starts the thread; `port` is its end of the conversation. */
  readonly start: (port: MessagePort) => Worker;
  readonly clock: Clock;
  readonly masker: JobMasker;
  /** For what its code prints outside of every job. */
  readonly log: Log;
  readonly maxMemoryBytes: number;
  /** The thread has ended; `death` is there when it was loaded and the end was unexpected. */
  readonly onEnd: (death: Death | undefined) => void;
}

/** What a thread that is asked to end may still need to send its spans. */
const closeMs = 1_000;

interface Running {
  readonly call: HandlerCall;
  readonly settle: (settled: Settled) => void;
  /** What the thread is told of the job while it runs: that it is to end, and that the daemon drains. */
  readonly told: readonly Disposable[];
  output: JobOutput | undefined;
}

/** What is looked at out of turn. */
const urgent: ReadonlySet<FromThread["type"]> = new Set(["loaded", "pong", "last-words", "has-children"]);

export class HandlerThread {
  readonly #options: HandlerThreadOptions;
  readonly #worker: Worker;
  readonly #port: MessagePort;
  readonly #loaded = Promise.withResolvers<void>();
  readonly #exited = Promise.withResolvers<void>();
  readonly #running = new TurnoverMap<RunId, Running>();
  #lastRun = 0;
  readonly #watch: ThreadWatch;
  readonly #own: OwnOutput;
  /** Why it ends, as soon as that is known. */
  #what: string | undefined;
  readonly #inbox = new Inbox<FromThread>({
    take: (message) => this.#handle(message),
    onEmpty: () => {
      if (this.#hasExited) this.#end();
    },
  });
  #hasExited = false;
  #isLoaded = false;
  #hasChildren = false;
  #state: "at-work" | "retiring" | "ending" | "ended" = "at-work";

  constructor(options: HandlerThreadOptions) {
    this.#options = options;
    this.#own = new OwnOutput(options);
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    this.#loaded.promise.catch(() => {});
    this.#worker = options.start(port2);
    this.#port.on("message", (message: FromThread) => this.#take(message));
    this.#port.on("messageerror", (error) => this.#die(`sent an unreadable message: ${messageOf(error)}`));
    for (const stream of ["stdout", "stderr"] as const) {
      // Printed before the thread could take its output over, as by a preloaded module.
      this.#worker[stream].on("data", (chunk: Buffer) => this.#own.now.write(stream, chunk));
    }
    this.#worker.on("error", (error: unknown) => {
      this.#takeWhatIsLeft();
      this.#what ??= causeOf(error, options.maxMemoryBytes);
      this.#loaded.reject(startFault(error));
    });
    this.#worker.on("exit", (code) => this.#onExit(code));
    this.#watch = new ThreadWatch({
      clock: options.clock,
      worker: this.#worker,
      maxMemoryBytes: options.maxMemoryBytes,
      ping: () => this.#say({ type: "ping" }),
      onFault: (what) => this.#die(what),
    });
    this.#port.unref();
    this.#worker.unref();
  }

  /** Resolves when the module is loaded. Rejects with Unbuildable, or WorkerFault where the machine is at fault. */
  get loaded(): Promise<void> {
    return this.#loaded.promise;
  }

  /** Whether its code has started processes, which may outlive it. */
  get hasChildren(): boolean {
    return this.#hasChildren;
  }

  /** Whether it takes jobs. */
  get isUsable(): boolean {
    return this.#state === "at-work";
  }

  /** Runs a job, which the signal asks to end. How it ended: a ThreadEnded is thrown where the thread did. Never rejects. */
  run(call: HandlerCall, signal: AbortSignal): Promise<Settled> {
    if (!this.isUsable) return Promise.resolve({ thrown: new ThreadEnded(this.#what ?? "its thread ended") });
    const run = ++this.#lastRun;
    const { draining } = call;
    this.#worker.ref();
    this.#watch.begin();
    const { traceparent, tracestate } = call.trace ?? {};
    this.#say({
      type: "run",
      run,
      document: jobDocument(call),
      isDraining: draining.aborted,
      ...(traceparent === undefined ? {} : { trace: { traceparent, tracestate } }),
    });
    const { promise, resolve: settle } = Promise.withResolvers<Settled>();
    const told = [
      follow(signal, { abort: (reason) => this.#say({ type: "abort", run, reason: messageOf(reason) }) }),
      follow(draining, { abort: () => this.#say({ type: "drain", run }) }),
    ];
    this.#running.set(run, { call, settle, told, output: undefined });
    return promise;
  }

  /** Takes no more jobs, and ends once those that are not given up have settled. */
  retire(givenUp: HandlerCall): void {
    for (const [run, { call }] of this.#running) if (call === givenUp) this.#forget(run);
    if (this.#state === "at-work") this.#state = "retiring";
    this.#endIfIdle();
  }

  /** Ends it now, in order if it answers. Resolves when it is gone, or is left behind by its limit. */
  async end(): Promise<void> {
    const { clock } = this.#options;
    if (this.#state === "at-work" || this.#state === "retiring") {
      this.#state = "ending";
      this.#say({ type: "close" });
      await endsWithin(this.#exited.promise, closeMs, clock);
      void this.#worker.terminate();
    }
    // One that hangs in a call to a dead disk never ends: it is left behind.
    await endsWithin(this.#exited.promise, closeMs, clock);
  }

  #say(message: ToThread): void {
    this.#port.postMessage(message);
  }

  #take(message: FromThread): void {
    if (urgent.has(message.type)) this.#handle(message);
    else this.#inbox.put(message);
  }

  #handle(message: FromThread): void {
    switch (message.type) {
      case "loaded":
        this.#isLoaded = true;
        return this.#loaded.resolve();
      case "unloadable":
        this.#loaded.reject(new Unbuildable(message.message));
        return void this.end();
      case "settled":
        return this.#settled(message);
      case "ask":
        return void this.#answer(message);
      case "log":
        return this.#running.get(message.run)?.call.jobLog[message.level](message.message, message.fields);
      case "not-uploaded":
        return this.#notUploaded(message);
      case "printed":
        return this.#outputOf(message.run)?.write(message.stream, Buffer.from(message.text));
      case "pong":
        return this.#watch.heard();
      case "has-children":
        this.#hasChildren = true;
        return;
      case "last-words":
        this.#what = message.what === undefined ? undefined : (this.#what ?? message.what);
        return;
    }
  }

  /** The last messages of the thread may still be in the port when its end is known. */
  #takeWhatIsLeft(): void {
    for (let left = receiveMessageOnPort(this.#port); left; left = receiveMessageOnPort(this.#port)) {
      this.#take(left.message as FromThread);
    }
  }

  #settled({ run, end }: FromThread & { type: "settled" }): void {
    const running = this.#forget(run);
    try {
      running?.settle({ value: endOf(end) });
    } catch (thrown) {
      running?.settle({ thrown });
    }
    this.#endIfIdle();
  }

  #notUploaded({ run, artifact }: FromThread & { type: "not-uploaded" }): void {
    const running = this.#running.get(run);
    if (running) missingLine(running.call, artifact);
  }

  async #answer({ run, ask, method, args }: FromThread & { type: "ask" }): Promise<void> {
    try {
      const running = this.#running.get(run);
      if (!running) throw new Error("the job has ended");
      const [name = "", directory = ""] = args;
      const { workspace } = running.call;
      const value = await (method === "output" ? workspace.output(name, directory) : workspace[method](name));
      this.#say({ type: "answer", ask, value: value ?? undefined });
    } catch (error) {
      this.#say({ type: "answer", ask, error: portableError(error) });
    }
  }

  /** Where a run's output goes. After its end nowhere: its secrets are no longer known, and could not be masked. */
  #outputOf(run: RunId | undefined): JobOutput | undefined {
    if (run === undefined) return this.#own.now;
    const running = this.#running.get(run);
    if (!running) return undefined;
    running.output ??= new JobOutput({ masker: this.#options.masker, log: running.call.log });
    return running.output;
  }

  #forget(run: RunId): Running | undefined {
    const running = this.#running.get(run);
    this.#running.delete(run);
    running?.output?.end();
    for (const each of running?.told ?? []) each[Symbol.dispose]();
    if (this.#running.size === 0) this.#rest();
    return running;
  }

  #rest(): void {
    this.#watch.end();
    this.#worker.unref();
  }

  #endIfIdle(): void {
    if (this.#state !== "retiring" || this.#running.size > 0) return;
    this.#state = "ending";
    void this.#worker.terminate();
  }

  /** Ends it by force; its jobs fail at once, whatever the thread still does. */
  #die(what: string): void {
    if (this.#state === "ended") return;
    this.#what ??= what;
    void this.#worker.terminate();
    this.#end();
  }

  #onExit(code: number): void {
    this.#takeWhatIsLeft();
    this.#exited.resolve();
    this.#what ??= `its thread ended with exit code ${code}`;
    this.#hasExited = true;
    if (this.#inbox.isEmpty) this.#end();
  }

  /** Everything that waits for the thread learns that it will not answer. */
  #end(): void {
    if (this.#state === "ended") return;
    const isDeath = this.#isLoaded && this.#state !== "ending";
    this.#state = "ended";
    const what = this.#what ?? "its thread ended";
    const running = [...this.#running.keys()];
    for (const run of running) this.#forget(run)?.settle({ thrown: new ThreadEnded(what) });
    this.#rest();
    this.#own.end();
    this.#port.close();
    this.#loaded.reject(new Unbuildable(`its module ended the thread that loaded it: it ${what}`));
    this.#options.onEnd(isDeath ? { what, jobs: running.length } : undefined);
  }
}
