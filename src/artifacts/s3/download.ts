// One object from S3 to a file: streamed, within a limit of bytes, resumed by range where a connection broke. A resumed
// download continues with the same version or not at all, and never begins again. Knows nothing of what the bytes mean.
import { type FileHandle, open } from "node:fs/promises";
import type { Readable } from "node:stream";
import { GetObjectCommand, type GetObjectCommandOutput } from "@aws-sdk/client-s3";
import { JobFailure } from "../../job/failure.js";
import type { ArtifactLocation } from "../../job/job.js";
import { TransferFault, transferFault } from "../faults.js";
import { releaseWhole } from "../release.js";
import { checksumIn, checksumOf, type ObjectChecksum } from "./checksums.js";
import { DownloadTail, writeAll } from "./download-tail.js";
import { isWhole } from "./object-parts.js";
import { orAborted, type S3Calls } from "./s3.js";

export interface DownloadOptions {
  readonly calls: S3Calls;
  /** The artifact's name, for messages. */
  readonly name: string;
  readonly location: ArtifactLocation;
  /** The file to write; made, and not to be there yet. */
  readonly to: string;
  readonly maxBytes: number;
  /** Longest wait for the next bytes. */
  readonly silenceMaxMs: number;
  readonly signal: AbortSignal;
  /** Called when S3 has said how long the object is, and awaited; what it throws ends the download. */
  readonly onLength: (bytes: number) => Promise<void>;
  /** Called with how many bytes from the start are in the file. */
  readonly onWritten: (bytes: number) => void;
  /** Called with the first bytes; answers how many of the last ones to fetch beside the others, 0 for none. */
  readonly tailWanted: (first: Buffer) => number;
  /** Called with the position from which all bytes to the end are in the file; bytes before it may be missing. */
  readonly onTailWritten: (from: number) => void;
}

/** How many broken connections one download survives, whatever it received in between. */
const resumesMax = 200;

/** Fetches the object. Throws TransferFault, JobFailure when it is too large, what the disk says, or the reason. */
export async function download(options: DownloadOptions): Promise<void> {
  const file = await open(options.to, "wx", 0o600);
  const state = new Download(options, file);
  try {
    await state.run();
  } finally {
    await file.close();
  }
}

/** What the first answer said of the object. */
interface Version {
  readonly bytes: number;
  readonly etag: string;
  readonly checksum: ObjectChecksum | undefined;
}

class Download {
  readonly #options: DownloadOptions;
  readonly #file: FileHandle;
  #version: Version | undefined;
  #at = 0;
  #isResumed = false;
  #resumes = 0;
  #tail: DownloadTail | undefined;

  constructor(options: DownloadOptions, file: FileHandle) {
    this.#options = options;
    this.#file = file;
  }

  async run(): Promise<void> {
    const { calls, signal } = this.#options;
    try {
      // The retry limit starts again whenever bytes arrived: many breaks are no reason to give up a long download.
      while (!(await calls.withRetries(signal, () => this.#round()))) this.#resumes += 1;
      // What was read of the tail is what the rest of the object was verified with, or nothing of it counts.
      if (this.#tail?.isAsRead() === false) throw corrupt();
    } finally {
      await this.#tail?.end();
    }
    await this.#verify();
  }

  /** Reads as far as the connection goes; true at the end of the object. Throws when nothing came. */
  async #round(): Promise<boolean> {
    const before = this.#at;
    if (before > 0 && before === this.#version?.bytes) {
      // Broken off after the last byte: the checksum has not been verified yet.
      this.#isResumed = true;
      return true;
    }
    try {
      const body = await this.#ask();
      await this.#write(body);
      return true;
    } catch (error) {
      const isPassing = error instanceof TransferFault && error.kind === "passing";
      if (!isPassing || this.#resumes >= resumesMax) throw error;
      if (this.#at === before) throw error;
      return false;
    }
  }

  async #ask(): Promise<Readable> {
    const { calls, location, signal } = this.#options;
    const version = this.#version;
    const from = this.#at;
    const answer = await calls.once<GetObjectCommandOutput>(
      () =>
        new GetObjectCommand({
          Bucket: location.bucket,
          Key: location.objectKey,
          ...(version && from > 0 ? { Range: `bytes=${from}-` } : { ChecksumMode: "ENABLED" }),
          ...(version ? { IfMatch: version.etag } : {}),
        }),
      signal,
    );
    const body = answer.Body as Readable;
    try {
      if (version && from > 0) this.#checkResumed(answer, version, from);
      else await this.#begin(answer);
    } catch (error) {
      body.destroy();
      throw error;
    }
    return body;
  }

  async #begin(answer: GetObjectCommandOutput): Promise<void> {
    const { ContentLength: bytes, ETag: etag } = answer;
    if (bytes === undefined || etag === undefined) {
      throw new TransferFault("passing", "incomplete-answer", "the answer has no length or no ETag");
    }
    if (bytes > this.#options.maxBytes) throw this.#tooLarge(`has ${bytes} bytes`);
    this.#version = { bytes, etag, checksum: checksumIn(answer) };
    await this.#options.onLength(bytes);
  }

  #checkResumed(answer: GetObjectCommandOutput, version: Version, from: number): void {
    this.#isResumed = true;
    if (answer.ETag !== undefined && answer.ETag !== version.etag) {
      throw new TransferFault("replaced", "other-version", "S3 answered with another version");
    }
    if (answer.ContentRange !== `bytes ${from}-${version.bytes - 1}/${version.bytes}`) {
      throw new TransferFault("refused", "other-range", "S3 answered with another range than the requested one");
    }
  }

  async #write(body: Readable): Promise<void> {
    const { maxBytes, signal } = this.#options;
    const chunks = body[Symbol.asyncIterator]();
    try {
      for (;;) {
        const next = await this.#next(body, chunks);
        if (next.done) break;
        const chunk = next.value as Buffer;
        if (this.#at + chunk.length > maxBytes) throw this.#tooLarge("is larger than it was said to be");
        if (this.#at === 0) this.#beginTail(chunk);
        await this.#tail?.passing(chunk, this.#at);
        await writeAll(this.#file, chunk, this.#at);
        this.#at += chunk.length;
        this.#options.onWritten(this.#at);
        releaseWhole(chunk);
      }
    } finally {
      body.destroy();
    }
    signal.throwIfAborted();
    if (this.#at !== this.#version?.bytes) {
      throw new TransferFault("passing", "cut-off", `the object ended after ${this.#at} bytes`);
    }
  }

  #beginTail(first: Buffer): void {
    const { calls, location, signal, tailWanted, onTailWritten } = this.#options;
    const bytes = tailWanted(first);
    if (!this.#version || this.#tail || bytes === 0) return;
    const { etag, bytes: size } = this.#version;
    this.#tail = new DownloadTail({ calls, location, etag, size, bytes, file: this.#file, signal, onTailWritten });
  }

  /** Only the wait for the other side is limited: a slow disk is no silence. */
  async #next(body: Readable, chunks: AsyncIterator<unknown>): Promise<IteratorResult<unknown>> {
    const { calls, silenceMaxMs, signal } = this.#options;
    const stop = calls.clock.after(silenceMaxMs, () => {
      body.destroy(new TransferFault("passing", "ETIMEDOUT", `no bytes came for ${silenceMaxMs} ms`));
    });
    try {
      return await orAborted(chunks.next(), signal);
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof Error && !(error instanceof TransferFault) && !("code" in error))
        throw faultWithoutCode(error);
      throw transferFault(error);
    } finally {
      stop();
    }
  }

  /** The SDK verifies what arrived in one piece and has a checksum of all its bytes; this is for the others. */
  async #verify(): Promise<void> {
    const { calls, location, signal, to: path } = this.#options;
    const { checksum, etag, bytes } = this.#version ?? {};
    if (checksum === undefined || etag === undefined || bytes === undefined) return;
    const { kind, parts } = checksum;
    if (parts !== undefined) {
      const check = { calls, location, etag, bytes, path, signal, checksum: { ...checksum, parts } };
      if (!(await isWhole(check))) throw corrupt();
    } else if (this.#isResumed && (await checksumOf(path, kind)) !== checksum.value) throw corrupt();
  }

  #tooLarge(what: string): JobFailure {
    const { name, maxBytes } = this.#options;
    const message = `the input artifact ${name} ${what}; the maximum is ${maxBytes} (artifacts.maxArchiveBytes)`;
    return new JobFailure("ConfigurationError", message);
  }
}

/**
 * What breaks a connection has a code, but for two words of the SDK: that the socket was silent, and that it was closed
 * early. Its word that the checksum does not fit has none either, and with it go the last bytes: resumed, the damaged
 * ones before them would count as good.
 */
function faultWithoutCode({ name, message }: Error): TransferFault {
  if (name === "TimeoutError") return new TransferFault("passing", "ETIMEDOUT", message);
  return message.startsWith("Connection lost") ? new TransferFault("passing", "cut-off", message) : corrupt();
}

function corrupt(): TransferFault {
  return new TransferFault("corrupt", "checksum-mismatch", "the received data does not match the object's checksum");
}
