// A module handler in the daemon's own thread (`isolation: none`): a function from an ES module of the partner's. It can
// throw, lie, hang or reject late; none of that may reach the engine as anything but one settled promise.
import type { Clock } from "../../std/clock.js";
import { following } from "../../std/following.js";
import type { HandlerCall, JobHandler } from "../handler.js";
import { jobDocument } from "../job-document.js";
import { OpenCalls } from "../open-calls.js";
import { HandlerAbandoned, settledOrOver } from "./grace.js";
import { type HandlerFunction, missingLine, type Settled, settledOr, settledRun, thrownLine } from "./handler-job.js";

export interface ModuleHandlerOptions {
  /** What a person recognises it by: the module's path. */
  readonly description: string;
  readonly handler: HandlerFunction;
  /** How long a handler may take to stop after its signal aborted. */
  readonly cancelGraceMs: number;
  readonly clock: Clock;
  /** Called when a handler did not stop in time and still holds memory and may still be running. */
  readonly onAbandoned?: ((call: HandlerCall) => void) | undefined;
}

/** Runs jobs by a function in this thread. */
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

  /** How many abandoned runs have still not settled: work that continues unseen by the engine. */
  get abandoned(): number {
    return this.#abandoned;
  }

  run(call: HandlerCall): Promise<unknown> {
    return this.#calls.within(call, () => this.#run(call, call.signal));
  }

  close(): Promise<void> {
    return this.#calls.close();
  }

  async #run(call: HandlerCall, signal: AbortSignal): Promise<unknown> {
    const { clock, cancelGraceMs: graceMs } = this.#options;
    const draining = following(call.draining);
    try {
      const work = this.#started(call, signal, draining.signal);
      const settled = await settledOrOver(work, { signal, graceMs, clock });
      if (settled !== "over") {
        thrownLine(call, settled, signal);
        return settledOr(settled, signal);
      }
      this.#abandon(call, work);
      throw new HandlerAbandoned(graceMs, signal.reason);
    } finally {
      draining[Symbol.dispose]();
    }
  }

  #started(call: HandlerCall, signal: AbortSignal, draining: AbortSignal): Promise<Settled> {
    const { workspace, jobLog } = call;
    const run = () =>
      settledRun(this.#options.handler, {
        document: jobDocument(call),
        log: jobLog,
        signal,
        draining,
        folder: () => workspace.folder(),
        input: (name) => workspace.input(name),
        inputFile: (name) => workspace.inputFile(name),
        output: (name, directory) => workspace.output(name, directory),
        onMissing: (artifact) => missingLine(call, artifact),
      });
    return call.trace ? call.trace.within(run) : run();
  }

  #abandon(call: HandlerCall, work: Promise<Settled>): void {
    this.#abandoned += 1;
    void work.then(() => {
      this.#abandoned -= 1;
    });
    this.#options.onAbandoned?.(call);
  }
}
