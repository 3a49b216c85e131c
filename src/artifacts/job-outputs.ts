// The output artifacts of one job: packed and uploaded one after another, and waited for before a success counts.
// Where the bytes go and how a folder is packed is known to the parts that it is given.
import { lstat, rm } from "node:fs/promises";
import { isAbsolute, resolve } from "node:path";
import { JobFailure } from "../job/failure.js";
import type { Job } from "../job/job.js";
import { failureOfTransfer } from "./faults.js";
import type { JobFolder } from "./job-folder.js";
import { placed } from "./named.js";
import type { Transfers } from "./s3/transfers.js";

export interface PackRequest {
  readonly artifact: string;
  readonly directory: string;
  /** The zip file to make. */
  readonly file: string;
  readonly signal: AbortSignal;
}

export interface JobOutputsOptions {
  readonly job: Pick<Job, "inputs" | "outputs">;
  readonly folder: Pick<JobFolder, "path" | "newFile">;
  readonly transfers: () => Promise<Pick<Transfers, "upload">>;
  /** Packs a folder as a zip file. Throws JobFailure, what the disk says, or the reason. */
  readonly pack: (request: PackRequest) => Promise<void>;
  /** Told of an artifact that S3 has, and the size of its archive. */
  readonly onMoved?: (artifact: string, bytes: number) => void;
  readonly signal: AbortSignal;
}

interface Upload {
  failure: { readonly error: unknown } | undefined;
}

/** Packs and uploads. All of it rejects with JobFailure or the signal's reason. */
export class JobOutputs {
  readonly #options: JobOutputsOptions;
  readonly #uploads = new Map<string, Upload>();
  /** One upload at a time: their buffers are what a job costs in memory, and the later of one name must win. */
  #last: Promise<void> = Promise.resolve();

  constructor(options: JobOutputsOptions) {
    this.#options = options;
  }

  /** Resolves when S3 has the folder, packed, as the named artifact. */
  put(name: string, directory: string): Promise<void> {
    const done = this.#last.then(() => this.#upload(name, directory));
    const upload: Upload = { failure: undefined };
    this.#last = done.catch((error: unknown) => {
      upload.failure = { error };
    });
    // A later upload of the same name makes good an earlier one that failed.
    this.#uploads.set(name, upload);
    return done;
  }

  /** Waits for every upload; throws the first failure that no later upload made good. */
  async finish(): Promise<void> {
    for (let last: unknown; last !== this.#last; ) {
      last = this.#last;
      await last;
    }
    for (const { failure } of this.#uploads.values()) if (failure) throw failure.error;
  }

  async #upload(name: string, directory: string): Promise<void> {
    const { job, folder, pack, transfers, onMoved, signal } = this.#options;
    signal.throwIfAborted();
    const artifact = placed(job, "output", name);
    const path = isAbsolute(directory) ? directory : resolve(await folder.path(), directory);
    await checkFolder(name, path);
    const file = await folder.newFile(`${name}.zip`);
    try {
      await pack({ artifact: name, directory: path, file, signal });
      const bytes = onMoved && (await lstat(file).catch(() => undefined))?.size;
      await (await transfers()).upload({ artifact, file, signal });
      if (bytes !== undefined) onMoved?.(name, bytes);
    } catch (error) {
      signal.throwIfAborted();
      throw failureOfTransfer(error, { direction: "output", ...artifact });
    } finally {
      // With the folder it goes at the latest.
      await rm(file, { force: true }).catch(() => {});
    }
  }
}

async function checkFolder(name: string, path: string): Promise<void> {
  const stats = await lstat(path).catch(() => undefined);
  if (stats?.isDirectory()) return;
  const what = stats === undefined ? "is not there" : stats.isSymbolicLink() ? "is a link" : "is not a folder";
  throw new JobFailure("JobFailed", `the output artifact ${name} was not uploaded: its folder ${what}`);
}
