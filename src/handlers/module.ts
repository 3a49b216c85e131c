// A handler in this process: a function from an ES module of the partner's. It can throw, lie, hang or reject late;
// none of that may reach the engine as anything but one settled promise. It knows nothing of CodePipeline.
import { isJobFailure, JobFailure } from "../job/failure.js";
import type { Clock } from "../std/clock.js";
import type { HandlerCall, HandlerJob, JobHandler } from "./handler.js";
import { following, OpenCalls } from "./open-calls.js";
import { jobDocument } from "./wire.js";

/** How a module handler reaches the artifacts of one job. */
export interface JobArtifacts {
  input(name: string): Promise<string>;
  output(name: string, directory: string): Promise<void>;
}

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
  /** Absent: `input` and `output` fail with a clear message. */
  readonly artifacts?: ((call: HandlerCall) => JobArtifacts) | undefined;
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
      const { handler, artifacts } = this.#options;
      return { value: await handler(handlerJob({ call, signal, draining, artifacts })) };
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
  readonly artifacts: ((call: HandlerCall) => JobArtifacts) | undefined;
}): HandlerJob {
  const { call, signal, draining } = parts;
  const artifacts = parts.artifacts?.(call) ?? noArtifacts;
  return {
    ...jobDocument(call),
    log: call.log,
    signal,
    draining,
    input: async (name) => artifacts.input(name),
    output: async (name, directory) => artifacts.output(name, directory),
  };
}

const noArtifacts: JobArtifacts = {
  input: (name) => Promise.reject(artifactsAreAbsent("input", name)),
  output: (name) => Promise.reject(artifactsAreAbsent("output", name)),
};

function artifactsAreAbsent(direction: "input" | "output", name: string): JobFailure {
  return new JobFailure(
    "ConfigurationError",
    `the handler asked for the ${direction} artifact ${JSON.stringify(String(name))}, but this partnerd has no artifact store: it neither fetches nor uploads artifacts`,
  );
}
