// One object from S3 to a file: streamed, within a limit of bytes, resumed by range where a connection broke. A resumed
// download goes on with the same version or not at all, and never begins again. Knows nothing of what the bytes mean.
import { createHash, type Hash } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import type { Readable } from "node:stream";
import { crc32 } from "node:zlib";
import { GetObjectCommand, type GetObjectCommandOutput } from "@aws-sdk/client-s3";
import { JobFailure } from "../job/failure.js";
import type { ArtifactLocation } from "../job/job.js";
import { TransferFault, transferFault } from "./faults.js";
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
  /** Told when S3 has said how long the object is. */
  readonly onLength: (bytes: number) => void;
  /** Told how many bytes from the start are in the file. */
  readonly onWritten: (bytes: number) => void;
}

/** A broken connection is taken up so many times in one download, however far it came in between. */
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
  readonly checksums: Checksums;
}

type Checksums = Pick<GetObjectCommandOutput, "ChecksumCRC32" | "ChecksumSHA1" | "ChecksumSHA256">;

class Download {
  readonly #options: DownloadOptions;
  readonly #file: FileHandle;
  #version: Version | undefined;
  #at = 0;
  #isResumed = false;
  #resumes = 0;

  constructor(options: DownloadOptions, file: FileHandle) {
    this.#options = options;
    this.#file = file;
  }

  async run(): Promise<void> {
    const { calls, signal } = this.#options;
    // Patience begins anew whenever bytes came: a long way with many breaks is no reason to give up.
    while (!(await calls.patiently(signal, () => this.#round()))) this.#resumes += 1;
    if (this.#isResumed) await this.#verify();
  }

  /** Reads as far as the connection goes; true at the end of the object. Throws when nothing came. */
  async #round(): Promise<boolean> {
    const before = this.#at;
    if (before > 0 && before === this.#version?.bytes) {
      // Broken off after the last byte: nobody has looked at the checksum yet.
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
      else this.#begin(answer);
    } catch (error) {
      body.destroy();
      throw error;
    }
    return body;
  }

  #begin(answer: GetObjectCommandOutput): void {
    const { ContentLength: bytes, ETag: etag, ChecksumCRC32, ChecksumSHA1, ChecksumSHA256 } = answer;
    if (bytes === undefined || etag === undefined) {
      throw new TransferFault("passing", "incomplete-answer", "the answer has no length or no ETag");
    }
    if (bytes > this.#options.maxBytes) throw this.#tooLarge(`has ${bytes} bytes`);
    this.#version = {
      bytes,
      etag,
      checksums: {
        ...(ChecksumCRC32 === undefined ? {} : { ChecksumCRC32 }),
        ...(ChecksumSHA1 === undefined ? {} : { ChecksumSHA1 }),
        ...(ChecksumSHA256 === undefined ? {} : { ChecksumSHA256 }),
      },
    };
    this.#options.onLength(bytes);
  }

  #checkResumed(answer: GetObjectCommandOutput, version: Version, from: number): void {
    this.#isResumed = true;
    if (answer.ETag !== undefined && answer.ETag !== version.etag) {
      throw new TransferFault("replaced", "other-version", "another version was answered");
    }
    if (answer.ContentRange !== `bytes ${from}-${version.bytes - 1}/${version.bytes}`) {
      throw new TransferFault("refused", "other-range", "a range was asked for and another one answered");
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
        await writeAll(this.#file, chunk, this.#at);
        this.#at += chunk.length;
        this.#options.onWritten(this.#at);
      }
    } finally {
      body.destroy();
    }
    signal.throwIfAborted();
    if (this.#at !== this.#version?.bytes) {
      throw new TransferFault("passing", "cut-off", `the object ended after ${this.#at} bytes`);
    }
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
      // What breaks a connection has a code. The SDK's word that the checksum does not fit has none, and with it go the
      // last bytes: resumed, the damaged ones before them would count as good.
      if (error instanceof Error && !(error instanceof TransferFault) && !("code" in error)) throw corrupt();
      throw transferFault(error);
    } finally {
      stop();
    }
  }

  /** The SDK verifies what came in one piece; this is for what was put together from several. */
  async #verify(): Promise<void> {
    const { checksums } = this.#version ?? {};
    // A checksum of checksums, of an upload in parts, is none of the whole object.
    const whole = Object.entries(checksums ?? {}).filter(([, value]) => value !== undefined && !value.includes("-"));
    for (const [algorithm, expected] of whole) {
      const found = await checksumOf(this.#options.to, algorithm as keyof Checksums);
      if (found !== expected) throw corrupt();
    }
  }

  #tooLarge(what: string): JobFailure {
    const { name, maxBytes } = this.#options;
    const message = `the input artifact ${name} ${what}; at most ${maxBytes} are taken (artifacts.maxArchiveBytes)`;
    return new JobFailure("ConfigurationError", message);
  }
}

function corrupt(): TransferFault {
  return new TransferFault("corrupt", "checksum-mismatch", "what came does not fit the object's checksum");
}

async function writeAll(file: FileHandle, chunk: Buffer, position: number): Promise<void> {
  let done = 0;
  while (done < chunk.length) {
    const { bytesWritten } = await file.write(chunk, done, chunk.length - done, position + done);
    done += bytesWritten;
  }
}

async function checksumOf(path: string, algorithm: keyof Checksums): Promise<string> {
  let crc = 0;
  const hashes: Partial<Record<keyof Checksums, Hash>> = {
    ChecksumSHA1: createHash("sha1"),
    ChecksumSHA256: createHash("sha256"),
  };
  const hash = hashes[algorithm];
  for await (const chunk of createReadStream(path)) {
    if (hash) hash.update(chunk as Buffer);
    else crc = crc32(chunk as Buffer, crc);
  }
  return hash ? hash.digest("base64") : base64OfCrc(crc);
}

/** As S3 writes a CRC32: four bytes, the highest first. */
export function base64OfCrc(crc: number): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(crc >>> 0);
  return bytes.toString("base64");
}
