// Packs folders as zip files, each in its own thread and few at a time; nothing here blocks. It must never know
// where the file goes.
import { type FileHandle, open, rm } from "node:fs/promises";
import { Worker } from "node:worker_threads";
import type { JobFailure } from "../../job/failure.js";
import type { Clock } from "../../std/clock.js";
import { endsWithin } from "../../std/ends-within.js";
import { codeOf } from "../../std/errors.js";
import { whileFollowing } from "../../std/following.js";
import { threadFile } from "../../std/thread-file.js";
import { failureOfRefusal } from "../refusal.js";
import { type PackAnswer, type Packed, type PackLimits, type PackOrder, refusalOfFolder } from "./pack-request.js";

export interface PackerOptions {
  readonly limits: PackLimits;
  /** Folders packed at once; the others wait. */
  readonly threadsMax: number;
  /** How long a thread that is ended may take, before it is left to a disk that does not answer. */
  readonly endMs: number;
  readonly clock: Clock;
  /** Starts a thread for an order; `startPackWorker` but for tests. */
  readonly start: (order: PackOrder) => Worker;
}

export interface PackRequest {
  /** The output artifact's name, for messages. */
  readonly artifact: string;
  /** The folder to pack. */
  readonly directory: string;
  /** The zip file to make; it must not be there yet. */
  readonly file: string;
  readonly signal: AbortSignal;
}

/** Packs folders. */
export class Packer {
  readonly #options: PackerOptions;
  readonly #closing = new AbortController();
  readonly #waiting: (() => void)[] = [];
  readonly #running = new Set<Promise<unknown>>();
  #threads = 0;

  constructor(options: PackerOptions) {
    this.#options = options;
  }

  /**
   * Packs a folder: files, empty folders, permissions, and links that stay inside, always in the same order. Resolves
   * when the file is whole. Throws JobFailure, or the signal's reason; then there is no file.
   */
  pack(request: PackRequest): Promise<Packed> {
    const work = whileFollowing([request.signal, this.#closing.signal], (signal) => this.#pack(request, signal));
    this.#running.add(work);
    const forget = () => this.#running.delete(work);
    work.then(forget, forget);
    return work;
  }

  /** Ends what is being packed. */
  async close(): Promise<void> {
    this.#closing.abort(new Error("the daemon is stopping"));
    await Promise.allSettled(this.#running);
  }

  async #pack(request: PackRequest, signal: AbortSignal): Promise<Packed> {
    await this.#enter(signal);
    try {
      signal.throwIfAborted();
      const output = await created(request);
      try {
        const packed = await this.#run(request, output, signal);
        // Some disks say only now that they are full.
        await output.close().catch((error: unknown) => {
          throw failureOf(refusalOfFolder(error, request.artifact), error);
        });
        return packed;
      } catch (error) {
        await output.close().catch(() => {});
        await rm(request.file, { force: true });
        throw error;
      }
    } finally {
      this.#leave();
    }
  }

  async #enter(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#threads < this.#options.threadsMax) {
      this.#threads++;
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const turn = () => {
        signal.removeEventListener("abort", giveUp);
        resolve();
      };
      const giveUp = () => {
        this.#waiting.splice(this.#waiting.indexOf(turn), 1);
        reject(signal.reason);
      };
      signal.addEventListener("abort", giveUp, { once: true });
      this.#waiting.push(turn);
    });
  }

  /** The next that waits takes the place over. */
  #leave(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#threads--;
    else next();
  }

  async #run({ artifact, directory }: PackRequest, output: FileHandle, signal: AbortSignal): Promise<Packed> {
    const { limits, start } = this.#options;
    const worker = started(() => start({ artifact, directory, descriptor: output.fd, limits }), artifact);
    const answer = Promise.withResolvers<PackAnswer>();
    const ended = Promise.withResolvers<void>();
    worker.on("message", answer.resolve);
    worker.on("error", (error) => answer.resolve(deathOf(error, artifact)));
    worker.on("exit", () => {
      ended.resolve();
      answer.resolve(deathOf(new Error("its thread ended without an answer"), artifact));
    });
    const aborted = () => answer.reject(signal.reason);
    signal.addEventListener("abort", aborted, { once: true });
    try {
      if (signal.aborted) aborted();
      const told = await answer.promise;
      if (told.type === "packed") return told.packed;
      throw failureOfRefusal(told);
    } finally {
      signal.removeEventListener("abort", aborted);
      await this.#end(worker, ended.promise);
    }
  }

  async #end(worker: Worker, ended: Promise<void>): Promise<void> {
    const { clock, endMs } = this.#options;
    void worker.terminate();
    await endsWithin(ended, endMs, clock);
  }
}

/** Starts the thread for one order. */
export function startPackWorker(order: PackOrder): Worker {
  const { file, execArgv } = threadFile("pack-worker", import.meta.url);
  return new Worker(file, {
    name: "pack",
    workerData: order,
    // Nothing of ours: neither the flags of a profiler nor the secrets in the environment.
    env: {},
    execArgv,
    // A small young generation is collected often, before buffers pile up behind it. The old one holds the list of
    // entries, about 400 bytes each: too many end the thread, not the daemon.
    resourceLimits: { maxYoungGenerationSizeMb: 2, maxOldGenerationSizeMb: 512 },
  });
}

function started(start: () => Worker, artifact: string): Worker {
  try {
    return start();
  } catch (error) {
    throw failureOf(refusalOfFolder(error, artifact), error);
  }
}

async function created({ file, artifact }: PackRequest): Promise<FileHandle> {
  try {
    return await open(file, "wx", 0o600);
  } catch (error) {
    throw failureOf(refusalOfFolder(error, artifact), error);
  }
}

function failureOf(answer: PackAnswer, cause: unknown): JobFailure {
  if (answer.type === "packed") throw new Error("bug: a refusal says that the folder was packed");
  return failureOfRefusal(answer, cause);
}

function deathOf(error: unknown, artifact: string): PackAnswer {
  const isMemory = codeOf(error) === "ERR_WORKER_OUT_OF_MEMORY";
  if (!isMemory) return refusalOfFolder(error, artifact);
  const why = "its folder has more entries than fit into memory; pack fewer, for example as one archive file";
  return {
    type: "refused",
    failure: "ConfigurationError",
    message: `the output artifact ${artifact} cannot be packed: ${why}`,
  };
}
