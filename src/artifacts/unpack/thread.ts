// The near side of one unpacking thread: starts it, gives it one archive at a time, notices its death, ends it when it
// is idle or does not stop. It must never block and never decide about archives.

import { rm } from "node:fs/promises";
import { Worker } from "node:worker_threads";
import { JobFailure } from "../../job/failure.js";
import { shortageCode } from "../../job/worker-fault.js";
import type { Clock } from "../../std/clock.js";
import { threadFile } from "../../std/thread-file.js";
import { failureOfRefusal, type Refusal, refusalOf } from "../refusal.js";
import { type UnpackAnswer, type Unpacked, type UnpackRequest, unfinishedPath } from "./unpack-request.js";

export interface UnpackThreadOptions {
  readonly start: () => Worker;
  readonly clock: Clock;
  readonly idleMs: number;
  readonly endMs: number;
  /** Called once the thread takes no more work. */
  readonly onEnd: () => void;
}

interface Running {
  readonly request: UnpackRequest;
  readonly settle: PromiseWithResolvers<UnpackAnswer>;
  /** Resolves when nothing of this work is written any more. */
  readonly over: PromiseWithResolvers<void>;
}

export class UnpackThread {
  readonly #options: UnpackThreadOptions;
  readonly #worker: Worker;
  readonly #exit = Promise.withResolvers<void>();
  #running: Running | undefined;
  #hasEnded = false;
  #cancelIdle = () => {};

  constructor(options: UnpackThreadOptions) {
    this.#options = options;
    let cause: unknown;
    this.#worker = options.start();
    this.#worker.on("message", (answer: UnpackAnswer) => this.#answered(answer));
    this.#worker.on("error", (error) => {
      cause = error;
    });
    this.#worker.on("exit", () => this.#exited(cause));
  }

  get isBusy(): boolean {
    return this.#running !== undefined;
  }

  /** Unpacks one file. Throws JobFailure; rejects with it, too, when the work was given up. */
  async run(request: UnpackRequest): Promise<Unpacked> {
    if (this.#running !== undefined) throw new Error("bug: an unpacking thread is given two archives at once");
    this.#cancelIdle();
    const running = { request, settle: Promise.withResolvers<UnpackAnswer>(), over: Promise.withResolvers<void>() };
    this.#running = running;
    this.#worker.ref();
    this.#worker.postMessage(request);
    try {
      const answer = await running.settle.promise;
      if (answer.type === "unpacked") return answer.unpacked;
      if (answer.type === "given-up") throw new JobFailure("SystemUnavailable", "given up");
      throw failureOfRefusal(answer);
    } finally {
      running.over.resolve();
      this.#running = undefined;
      this.#rest();
    }
  }

  /** Waits for the end of work that was given up; ends the thread by force when that takes too long. */
  async endWork(): Promise<void> {
    const running = this.#running;
    if (running === undefined) return;
    const { clock, endMs } = this.#options;
    const cancel = clock.after(endMs, () => void this.#terminate());
    await running.over.promise;
    cancel();
  }

  /** Ends the thread, and its work if there is any. */
  async end(): Promise<void> {
    await this.endWork();
    await this.#terminate();
  }

  async #terminate(): Promise<void> {
    this.#leave();
    void this.#worker.terminate();
    // A thread that hangs in a call to a dead disk never ends: it is left behind.
    const cancel = this.#options.clock.after(this.#options.endMs, () => void this.#exited(undefined));
    await this.#exit.promise;
    cancel();
  }

  #answered(answer: UnpackAnswer): void {
    this.#running?.settle.resolve(answer);
  }

  /** Without work it holds no process open, and ends after a while. */
  #rest(): void {
    if (this.#hasEnded) return;
    this.#worker.unref();
    this.#cancelIdle = this.#options.clock.after(this.#options.idleMs, () => void this.#terminate());
  }

  async #exited(cause: unknown): Promise<void> {
    this.#exit.resolve();
    this.#leave();
    const running = this.#running;
    if (running === undefined) return;
    // Best effort: the job's folder is removed as a whole later.
    await rm(unfinishedPath(running.request.into), { recursive: true, force: true }).catch(() => {});
    running.settle.resolve({ type: "refused", ...deathOf(cause, running.request.artifact) });
  }

  #leave(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#cancelIdle();
    this.#options.onEnd();
  }
}

function deathOf(cause: unknown, artifact: string): Refusal {
  if (shortageCode(cause)) return refusalOf(cause, artifact);
  const why = cause instanceof Error ? `: ${cause.message}` : "";
  return {
    failure: "SystemUnavailable",
    message: `the thread that unpacked the artifact ${artifact} died${why}; retry the action, and report this to the operator of this worker`,
  };
}

/** Starts the thread; it does nothing before it is given an archive. */
export function startUnpackWorker(): Worker {
  const { file, execArgv } = threadFile("unpack-worker", import.meta.url);
  const worker = new Worker(file, {
    name: "unpack",
    // Nothing of ours: neither the flags of a profiler nor the secrets in the environment.
    env: {},
    execArgv,
    // What it holds is bounded by design; a mistake in that must not take the daemon's memory. A small young generation
    // costs a few per cent of time and saves 10 MiB: thousands of small entries leave garbage.
    resourceLimits: { maxOldGenerationSizeMb: 96, maxYoungGenerationSizeMb: 2 },
  });
  worker.unref();
  return worker;
}
