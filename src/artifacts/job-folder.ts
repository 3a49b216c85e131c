// The private folder of one job: made when it is first asked for, and the places in it.
import { chmod, mkdir, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { JobFailure } from "../job/failure.js";
import { codeOf } from "../std/errors.js";
import { diskFailure } from "./faults.js";

/** Raw objects and packed outputs are here, out of the way of a command's own files. */
const transferPart = ".artifacts";
const othersMayPass = 0o001;

/** One job's folder. All of it rejects with JobFailure, or with the signal's reason. */
export class JobFolder {
  readonly #make: () => Promise<string>;
  readonly #signal: AbortSignal;
  #path: Promise<string> | undefined;
  #files = 0;

  constructor(options: { readonly make: () => Promise<string>; readonly signal: AbortSignal }) {
    this.#make = options.make;
    this.#signal = options.signal;
  }

  /** Its path; undefined until it is first asked for. */
  get made(): Promise<string> | undefined {
    return this.#path;
  }

  /** Asked again, it answers the same one; what failed temporarily is tried again. */
  path(): Promise<string> {
    this.#path ??= this.#makeOnce().catch((error: unknown) => {
      this.#path = undefined;
      throw error;
    });
    return this.#path;
  }

  /** The same; from now on other users may pass through it, and through the two folders above it. */
  async passable(): Promise<string> {
    const path = await this.path();
    this.#signal.throwIfAborted();
    await orFailure(letOthersPass(path));
    return path;
  }

  /** The path of a folder in it. */
  async part(name: string): Promise<string> {
    const path = join(await this.path(), name);
    // A handler that was left behind must not bring a folder back that is gone.
    this.#signal.throwIfAborted();
    await orFailure(mkdir(path, { recursive: true, mode: 0o700 }));
    return path;
  }

  /** The path of a file that is not there yet. */
  async newFile(name: string): Promise<string> {
    this.#files += 1;
    return join(await this.part(transferPart), `${this.#files}-${name}`);
  }

  async #makeOnce(): Promise<string> {
    // After the end it would never be removed.
    this.#signal.throwIfAborted();
    return orFailure(this.#make());
  }
}

/** The run's folder and the work folder are ours; a work folder that lets others pass already may be root's. */
async function letOthersPass(folder: string): Promise<void> {
  const run = dirname(folder);
  for (const path of [dirname(run), run, folder]) {
    if (((await stat(path)).mode & othersMayPass) === 0) await chmod(path, 0o711);
  }
}

async function orFailure<T>(making: Promise<T>): Promise<T> {
  try {
    return await making;
  } catch (error) {
    const what = "the worker could not make a folder for the job";
    const code = codeOf(error);
    const text = code === undefined ? what : `${what} (${code})`;
    throw diskFailure(error, what) ?? new JobFailure("SystemUnavailable", text, { cause: error });
  }
}
