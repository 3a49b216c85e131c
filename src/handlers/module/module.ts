// A handler in this process: a function from an ES module of the partner's. It can throw, lie, hang or reject late;
// none of that may reach the engine as anything but one settled promise. It knows nothing of CodePipeline.
import { isJobFailure } from "../../job/failure.js";
import type { Clock } from "../../std/clock.js";
import type { HandlerCall, HandlerJob, JobHandler } from "../handler.js";
import { jobDocument } from "../job-document.js";
import { following, OpenCalls } from "../open-calls.js";

export interface ModuleHandlerOptions {
  /** What a person recognises it by: the module's path. */
  readonly description: string;
  /** What the module exports. It is the partner's code, so its promise to be a Handler is not believed. */
  readonly handler: (job: HandlerJob) => unknown;
  /** How long a handler may take to stop after its signal aborted. */
  readonly cancelGraceMs: number;
  readonly clock: Clock;
  /** Told when a handler did not stop in time and still holds memory and perhaps works on. */
  readonly onAbandoned?: ((call: HandlerCall) => void) | undefined;
}

/** The handler did not settle in time after its signal aborted; `cause` is why it was to stop. */
export class HandlerAbandoned extends Error {
  constructor(graceMs: number, cause: unknown) {
    super(`the handler did not stop within ${graceMs} ms of being told to; it was abandoned and may still be at work`, {
      cause,
    });
    this.name = "HandlerAbandoned";
  }
}

/** Runs jobs by a function in this process. */
export class ModuleHandler implements JobHandler {
  readonly kind = "module";
  readonly #options: ModuleHandlerOptions;
  readonly #calls = new OpenCalls();
  #abandoned = 0;

  constructor(options: ModuleHandlerOptions) {
    this.#options = options;
  }

  get description(): string {
    return this.#options.description;
  }

  /** How many abandoned runs have still not settled: work that goes on behind the engine's back. */
  get abandoned(): number {
    return this.#abandoned;
  }

  run(call: HandlerCall): Promise<unknown> {
    return this.#calls.within(call.signal, (signal) => this.#run(call, signal));
  }

  close(): Promise<void> {
    return this.#calls.close();
  }

  async #run(call: HandlerCall, signal: AbortSignal): Promise<unknown> {
    const draining = following(call.draining);
    const grace = this.#graceAfter(signal);
    try {
      const work = this.#started(call, signal, draining.controller.signal);
      const first = await Promise.race([work, grace.over]);
      if (first !== "over") return settledOr(first, signal);
      this.#abandon(call, work);
      throw new HandlerAbandoned(this.#options.cancelGraceMs, signal.reason);
    } finally {
      grace.cancel();
      draining.release();
    }
  }

  /** The handler's end as a value. Being a value, a late one can be ignored without an unhandled rejection. */
  async #started(call: HandlerCall, signal: AbortSignal, draining: AbortSignal): Promise<Settled> {
    try {
      const uploaded = new Set<string>();
      const run = () => this.#options.handler(handlerJob({ call, signal, draining, uploaded }));
      const value = await (call.trace ? call.trace.within(run) : run());
      warnOfMissing(call, value, uploaded);
      return { value };
    } catch (thrown) {
      return { thrown };
    }
  }

  #graceAfter(signal: AbortSignal): { readonly over: Promise<"over">; readonly cancel: () => void } {
    const { clock, cancelGraceMs } = this.#options;
    let cancelTimer = () => {};
    let begin = () => {};
    const over = new Promise<"over">((resolve) => {
      begin = () => {
        cancelTimer = clock.after(cancelGraceMs, () => resolve("over"));
      };
    });
    signal.addEventListener("abort", begin, { once: true });
    return {
      over,
      cancel: () => {
        signal.removeEventListener("abort", begin);
        cancelTimer();
      },
    };
  }

  #abandon(call: HandlerCall, work: Promise<Settled>): void {
    this.#abandoned += 1;
    void work.then(() => {
      this.#abandoned -= 1;
    });
    this.#options.onAbandoned?.(call);
  }
}

type Settled = { readonly value: unknown } | { readonly thrown: unknown };

/** A handler that throws because it was told to stop only repeats the reason; a JobFailure is its own word. */
function settledOr(settled: Settled, signal: AbortSignal): unknown {
  if ("value" in settled) return settled.value;
  if (signal.aborted && !isJobFailure(settled.thrown)) throw signal.reason;
  throw settled.thrown;
}

function handlerJob(parts: {
  readonly call: HandlerCall;
  readonly signal: AbortSignal;
  readonly draining: AbortSignal;
  /** Takes the names of outputs as they are asked for. */
  readonly uploaded: Set<string>;
}): HandlerJob {
  const { call, signal, draining, uploaded } = parts;
  const { workspace } = call;
  return {
    ...jobDocument(call),
    log: call.log,
    signal,
    draining,
    // The workspace's own promises, with no `async` between: one that nobody awaits must not end the process.
    folder: () => workspace.folder(),
    input: (name) => workspace.input(name),
    inputFile: (name) => workspace.inputFile(name),
    output: (name, directory) => {
      uploaded.add(name);
      return workspace.output(name, directory);
    },
  };
}

/** Not a failure: whether the pipeline needs the artifact is known to nobody here. */
function warnOfMissing(call: HandlerCall, value: unknown, uploaded: ReadonlySet<string>): void {
  const isSuccess = typeof value === "object" && value !== null && "kind" in value && value.kind === "succeeded";
  if (!isSuccess) return;
  for (const { name } of call.job.outputs) {
    if (uploaded.has(name)) continue;
    call.log.warn(`the handler succeeded without uploading the output artifact ${name}; a later action may miss it`);
  }
}
