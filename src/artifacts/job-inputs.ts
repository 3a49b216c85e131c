// The input artifacts of one job: each fetched once, unpacked while it comes in, and fetched no further than its archive
// is worth. Where the bytes come from and what is in an archive is known to the parts that it is given.
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Job } from "../job/job.js";
import { failureOfTransfer, TransferFault } from "./faults.js";
import type { Reservation } from "./free-space.js";
import type { JobFolder } from "./job-folder.js";
import type { LeftOut } from "./links.js";
import { placed } from "./named.js";
import { ArchiveDamaged } from "./refusal.js";
import type { PlacedArtifact, Transfers } from "./s3/transfers.js";
import type { UnpackCall, Unpacker, Unpacking } from "./unpack/unpack.js";
import type { UnpackLimits } from "./unpack/unpack-limits.js";
import type { Unpacked } from "./unpack/unpack-request.js";

/** Reserves room for a file of so many bytes. Throws JobFailure, or the signal's reason. */
export type Reserve = (bytes: number, signal: AbortSignal) => Promise<Reservation>;

export interface JobInputsOptions {
  readonly job: Job;
  readonly folder: JobFolder;
  readonly transfers: () => Promise<Transfers>;
  readonly unpacker: () => Promise<Pick<Unpacker, "begin">>;
  readonly limits: UnpackLimits;
  readonly reserve: Reserve;
  /** Called when links of an artifact were left out. */
  readonly onLinksLeftOut: (artifact: string, leftOut: LeftOut) => void;
  /** Told of an artifact that was fetched, and its size. */
  readonly onMoved?: (artifact: string, bytes: number) => void;
  readonly signal: AbortSignal;
}

/** One object as stored in S3, fetched or being fetched; `done` gives its file. */
interface Raw {
  readonly done: Promise<string>;
  /** Asked for by itself: stays when it is unpacked. */
  isKept: boolean;
}

/** Fetches and unpacks. All of it rejects with JobFailure or the signal's reason. */
export class JobInputs {
  readonly #options: JobInputsOptions;
  readonly #unpackedFolders = new Map<string, Promise<string>>();
  readonly #raw = new Map<string, Raw>();

  constructor(options: JobInputsOptions) {
    this.#options = options;
  }

  /** The folder with the unpacked artifact; asked again, the same one. */
  unpacked(name: string): Promise<string> {
    const before = this.#unpackedFolders.get(name);
    if (before) return before;
    const folder = this.#unpacked(name);
    this.#unpackedFolders.set(name, folder);
    // What failed may be asked for again.
    folder.catch(() => this.#unpackedFolders.delete(name));
    return folder;
  }

  /** The path of the object as stored in S3. */
  async file(name: string): Promise<string> {
    const raw = this.#raw.get(name) ?? this.#fetch(placed(this.#options.job, "input", name), undefined);
    raw.isKept = true;
    return raw.done;
  }

  async #unpacked(name: string): Promise<string> {
    const artifact = placed(this.#options.job, "input", name);
    const into = join(await this.#options.folder.part("inputs"), name);
    const known = this.#raw.get(name);
    if (known) {
      await this.#unpack(artifact, await known.done, into);
      return into;
    }
    const raw = this.#fetch(artifact, into);
    const file = await raw.done;
    if (!raw.isKept) {
      // The raw object was not asked for, and its space may be needed.
      this.#raw.delete(name);
      await rm(file, { force: true });
    }
    return into;
  }

  /** Begins to fetch, and to unpack what has arrived if a folder is named. */
  #fetch(artifact: PlacedArtifact, into: string | undefined): Raw {
    const raw: Raw = { done: this.#fetched(artifact, into), isKept: false };
    this.#raw.set(artifact.name, raw);
    raw.done.catch(() => this.#raw.delete(artifact.name));
    return raw;
  }

  async #fetched(artifact: PlacedArtifact, into: string | undefined): Promise<string> {
    const { folder, signal } = this.#options;
    const file = await folder.newFile(artifact.name);
    try {
      try {
        await this.#fetchOnce(artifact, file, into);
      } catch (error) {
        if (!(error instanceof TransferFault) || error.kind !== "corrupt") throw error;
        // Damaged on its way: one more time from the start, and no more than that; unpacked once it is verified.
        await rm(file, { force: true });
        await this.#fetchOnce(artifact, file, undefined);
        if (into !== undefined) await this.#unpack(artifact, file, into);
      }
      return file;
    } catch (error) {
      await rm(file, { force: true }).catch(() => {});
      signal.throwIfAborted();
      throw failureOfTransfer(error, { direction: "input", ...artifact });
    }
  }

  async #fetchOnce(artifact: PlacedArtifact, file: string, into: string | undefined): Promise<void> {
    const [transfers, unpacker] = await Promise.all([
      this.#options.transfers(),
      into === undefined ? undefined : this.#options.unpacker(),
    ]);
    // An archive that is refused while it comes in is not fetched to its end.
    const stop = new AbortController();
    const signal = AbortSignal.any([this.#options.signal, stop.signal]);
    let unpacking: Unpacking | undefined;
    let isVerified = false;
    let room: Reservation | undefined;
    let length: number | undefined;
    const begin = async (size: number) => {
      length = size;
      // S3 is asked again when the first answer brought no byte; the version stays the same.
      room ??= await this.#options.reserve(size, signal);
      if (!unpacker || into === undefined || unpacking) return;
      unpacking = unpacker.begin({ ...this.#unpackCall(artifact, file, into), size });
      unpacking.result.catch((error: unknown) => stop.abort(error));
    };
    try {
      await transfers.download({
        artifact,
        to: file,
        signal,
        onLength: begin,
        onWritten: (bytes) => {
          room?.wrote(bytes);
          unpacking?.wrote(bytes);
        },
        tailWanted: (first) => unpacking?.tailWanted(first) ?? 0,
        onTailWritten: (from) => unpacking?.wroteTail(from),
      });
      isVerified = true;
      if (length !== undefined) this.#options.onMoved?.(artifact.name, length);
      unpacking?.complete();
      if (unpacking) this.#tell(artifact, await unpacking.result);
    } catch (error) {
      unpacking?.giveUp(error);
      await unpacking?.result.catch(() => {});
      // The archive may be good, and only these bytes of it, which are not verified yet, are not.
      if (error instanceof ArchiveDamaged && !isVerified) throw damagedOnTheWay(error);
      throw error;
    } finally {
      room?.release();
    }
  }

  async #unpack(artifact: PlacedArtifact, file: string, into: string): Promise<void> {
    const unpacking = (await this.#options.unpacker()).begin(this.#unpackCall(artifact, file, into));
    unpacking.complete();
    this.#tell(artifact, await unpacking.result);
  }

  #tell({ name }: PlacedArtifact, { leftOut }: Unpacked): void {
    if (leftOut) this.#options.onLinksLeftOut(name, leftOut);
  }

  #unpackCall({ name }: PlacedArtifact, file: string, into: string): UnpackCall {
    // A file that is no archive is named after the artifact: its key in S3 means nothing to people.
    const { limits } = this.#options;
    return { artifact: name, file, into, plainName: name, limits, signal: this.#options.signal };
  }
}

function damagedOnTheWay({ message }: ArchiveDamaged): TransferFault {
  return new TransferFault("corrupt", "damaged-archive", message);
}
