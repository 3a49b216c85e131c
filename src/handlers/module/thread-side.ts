// The far side of a handler's thread: loads the partner's module, runs its function on the jobs that the daemon sends,
// and sends back whatever comes of it. It knows no ledger, no engine and no secret but what a job's configuration holds.
import { AsyncLocalStorage } from "node:async_hooks";
import { type MessagePort, workerData } from "node:worker_threads";
import { cut } from "../../job/limits.js";
import { systemClock } from "../../std/clock.js";
import type { LogLevel } from "../../std/log-queue.js";
import { isTracingRegistered } from "../../std/tracing-registered.js";
import { TurnoverMap } from "../../std/turnover.js";
import type { HandlerJob, JobLogger } from "../handler.js";
import { Unbuildable } from "../unbuildable.js";
import { type HandlerFunction, settledRun } from "./handler-job.js";
import { loadHandlerFunction } from "./loading.js";
import type { FromThread, RunId, ThreadData, ToThread, WorkspaceMethod } from "./messages.js";
import { errorOf, portableError, portableFields, portableOutcome } from "./portable.js";
import { Printing } from "./printing.js";
import { guardProcess, redirectOutput } from "./thread-process.js";

/** More than a handler can mean; a loop that asks without waiting must not fill the daemon's memory. */
const openAsksMax = 1_000;
/** Of a log line's text, and of what is asked for: longer than any that is shown, any name and any path. */
const argumentMaxChars = 1024 * 1024;

/** Loads the module and works until the daemon closes the port. Never rejects. */
export async function startThread(): Promise<void> {
  const { port, path } = workerData as ThreadData;
  // The partner's code finds no way to the daemon's port.
  Reflect.deleteProperty(workerData as object, "port");
  const side = new ThreadSide(port);
  redirectOutput(
    (stream, text) => side.print(stream, text),
    () => side.onSpawn(),
  );
  guardProcess((what) => side.lastWords(what));
  try {
    side.begin(await loadHandlerFunction(path, systemClock));
  } catch (error) {
    if (!(error instanceof Unbuildable)) throw error;
    side.say({ type: "unloadable", message: error.message });
  }
}

const runs = new AsyncLocalStorage<RunId>();

function currentRun(): RunId | undefined {
  return runs.getStore();
}

interface RunningJob {
  readonly abort: AbortController;
  readonly draining: AbortController;
}

class ThreadSide {
  readonly #port: MessagePort;
  readonly #running = new TurnoverMap<RunId, RunningJob>();
  readonly #asks = new TurnoverMap<number, PromiseWithResolvers<string | undefined>>();
  readonly #printing = new Printing((run, stream, text) => this.#post({ type: "printed", run, stream, text }));
  #lastAsk = 0;
  #hasChildren = false;
  #handler: HandlerFunction | undefined;

  constructor(port: MessagePort) {
    this.#port = port;
  }

  begin(handler: HandlerFunction): void {
    this.#handler = handler;
    this.#port.on("message", (message: ToThread) => this.#take(message));
    this.say({ type: "loaded" });
  }

  /** What was printed before goes first. */
  say(message: FromThread): void {
    this.#printing.flush();
    this.#post(message);
  }

  print(stream: "stdout" | "stderr", text: string): void {
    this.#printing.take(currentRun(), stream, text);
  }

  onSpawn(): void {
    if (this.#hasChildren) return;
    this.#hasChildren = true;
    this.say({ type: "has-children" });
  }

  lastWords(what: string | undefined): void {
    this.say({ type: "last-words", run: currentRun(), what });
  }

  #post(message: FromThread): void {
    this.#port.postMessage(message);
  }

  #take(message: ToThread): void {
    switch (message.type) {
      case "run":
        return void this.#run(message);
      case "abort":
        return this.#running.get(message.run)?.abort.abort(new Error(message.reason));
      case "drain":
        return this.#running.get(message.run)?.draining.abort();
      case "answer":
        return this.#answered(message);
      case "ping":
        return this.say({ type: "pong" });
      case "close":
        return void this.#close();
    }
  }

  async #run({ run, document, isDraining, trace }: ToThread & { type: "run" }): Promise<void> {
    const handler = this.#handler;
    if (!handler) throw new Error("bug: a job came before its handler");
    const abort = new AbortController();
    const draining = new AbortController();
    if (isDraining) draining.abort();
    this.#running.set(run, { abort, draining });
    const ask = (method: WorkspaceMethod, ...args: string[]) => this.#ask(run, method, args);
    const work = () =>
      settledRun(handler, {
        document,
        log: this.#logOf(run),
        signal: abort.signal,
        draining: draining.signal,
        folder: () => ask("folder") as Promise<string>,
        input: (name) => ask("input", name) as Promise<string>,
        inputFile: (name) => ask("inputFile", name) as Promise<string>,
        output: (name, directory) => ask("output", name, directory) as Promise<void>,
        onMissing: (artifact) => this.say({ type: "not-uploaded", run, artifact }),
      } satisfies Parameters<typeof settledRun>[1]);
    const within = trace && isTracingRegistered() ? (await import("./thread-trace.js")).within : undefined;
    const settled = await runs.run(run, () => (trace && within ? within(trace, work) : work()));
    this.#running.delete(run);
    const end =
      "value" in settled
        ? portableOutcome(settled.value)
        : ({ kind: "threw", error: portableError(settled.thrown) } as const);
    this.#printing.forget(run);
    this.say({ type: "settled", run, end });
  }

  #ask(run: RunId, method: WorkspaceMethod, args: readonly string[]): Promise<string | undefined> {
    const answer = Promise.withResolvers<string | undefined>();
    // The promise of an upload that is not awaited must not end the thread.
    answer.promise.catch(() => {});
    if (this.#asks.size >= openAsksMax) {
      answer.reject(new Error(`${openAsksMax} calls of the handler wait for an answer; await them`));
      return answer.promise;
    }
    this.#lastAsk += 1;
    this.#asks.set(this.#lastAsk, answer);
    this.say({
      type: "ask",
      run,
      ask: this.#lastAsk,
      method,
      args: args.map((each) => cut(String(each), argumentMaxChars)),
    });
    return answer.promise;
  }

  #answered(message: ToThread & { type: "answer" }): void {
    const ask = this.#asks.get(message.ask);
    this.#asks.delete(message.ask);
    if ("error" in message) ask?.reject(errorOf(message.error));
    else ask?.resolve(message.value);
  }

  #logOf(run: RunId): JobLogger {
    const at = (level: LogLevel) => (message: string, fields?: HandlerJobFields) => {
      const text = textOf(message);
      const portable = portableFields(fields);
      const room = this.#printing.count(run, text.length + portable.chars);
      if (room === "room") return this.say({ type: "log", run, level, message: text, fields: portable.fields });
      if (room === "first-over") this.say({ type: "log", run, level: "warn", message: loggedTooMuch, fields: {} });
    };
    return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
  }

  /** Gives a tracing SDK of this thread the chance to send what it holds; the daemon ends a thread that takes long. */
  async #close(): Promise<void> {
    try {
      if (isTracingRegistered()) await (await import("./thread-trace.js")).flush();
    } finally {
      this.#printing.flush();
      this.#port.close();
      process.exit();
    }
  }
}

type HandlerJobFields = Parameters<HandlerJob["log"]["info"]>[1];

const loggedTooMuch = "the handler logged too much; the rest is not logged";

/** Handlers in JavaScript log anything. */
function textOf(message: unknown): string {
  try {
    return cut(String(message), argumentMaxChars);
  } catch {
    return "a value that cannot be shown";
  }
}
