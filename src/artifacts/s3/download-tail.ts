// The last bytes of an object, fetched beside the others: who reads the file while it grows can begin with them. A help
// and no more: where they do not come, or come too late, the download brings them like all others.
import type { FileHandle } from "node:fs/promises";
import type { Readable } from "node:stream";
import { crc32 } from "node:zlib";
import { GetObjectCommand, type GetObjectCommandOutput } from "@aws-sdk/client-s3";
import type { ArtifactLocation } from "../../job/job.js";
import { releaseWhole } from "../release.js";
import { orAborted, type S3Calls } from "./s3.js";

export interface DownloadTailOptions {
  readonly calls: S3Calls;
  readonly location: ArtifactLocation;
  /** The version of the object. */
  readonly etag: string;
  /** Its length in bytes. */
  readonly size: number;
  /** So many last bytes are fetched, fewer than all. */
  readonly bytes: number;
  /** Where they are written, at their own place. */
  readonly file: FileHandle;
  readonly signal: AbortSignal;
  /** Called when all of them are in the file. */
  readonly onTailWritten: (from: number) => void;
}

/**
 * One ranged request beside a download that continues meanwhile. Begins at once; never throws what S3 or the disk say.
 */
export class DownloadTail {
  readonly #options: DownloadTailOptions;
  readonly #from: number;
  readonly #stop = new AbortController();
  readonly #over: Promise<void>;
  #isWritten = false;
  /** Of what was fetched here, and of what the download brought for the same place. */
  #fetchedCrc = 0;
  #passedCrc = 0;

  constructor(options: DownloadTailOptions) {
    this.#options = options;
    this.#from = options.size - options.bytes;
    // No failure of it is one of the job: the download brings the same bytes, and says what is wrong with them.
    this.#over = this.#fetch().catch(() => {});
  }

  /** Called before the download writes a piece at its place; nothing is written there but by it from then on. */
  async passing(piece: Buffer, at: number): Promise<void> {
    if (at + piece.length <= this.#from) return;
    if (!this.#isWritten) await this.end();
    this.#passedCrc = crc32(piece.subarray(Math.max(0, this.#from - at)), this.#passedCrc);
  }

  /** False when the download, at its end, brought other bytes than those that were reported before. */
  isAsRead(): boolean {
    return !this.#isWritten || this.#fetchedCrc === this.#passedCrc;
  }

  /** Resolves when nothing is fetched or written here any more. */
  async end(): Promise<void> {
    this.#stop.abort(new Error("the tail is not needed any more"));
    await this.#over;
  }

  async #fetch(): Promise<void> {
    const { calls, location, etag, size, signal: outer, onTailWritten } = this.#options;
    const from = this.#from;
    const signal = AbortSignal.any([outer, this.#stop.signal]);
    const answer = await calls.once<GetObjectCommandOutput>(
      () =>
        new GetObjectCommand({
          Bucket: location.bucket,
          Key: location.objectKey,
          Range: `bytes=${from}-${size - 1}`,
          IfMatch: etag,
        }),
      signal,
    );
    const body = answer.Body as Readable;
    try {
      if (answer.ContentRange !== `bytes ${from}-${size - 1}/${size}`) return;
      const at = await this.#write(body, signal);
      if (at !== size) return;
      this.#isWritten = true;
      onTailWritten(from);
    } finally {
      body.destroy();
    }
  }

  /** The position of the last byte. */
  async #write(body: Readable, signal: AbortSignal): Promise<number> {
    const { file, size } = this.#options;
    const pieces = body[Symbol.asyncIterator]();
    let at = this.#from;
    for (;;) {
      const next = await orAborted(pieces.next(), signal);
      if (next.done) return at;
      const piece = next.value as Buffer;
      if (at + piece.length > size) return at;
      await writeAll(file, piece, at);
      this.#fetchedCrc = crc32(piece, this.#fetchedCrc);
      at += piece.length;
      releaseWhole(piece);
    }
  }
}

/** Writes all of it at this place of the file. Throws what the disk says. */
export async function writeAll(file: FileHandle, chunk: Buffer, position: number): Promise<void> {
  let done = 0;
  while (done < chunk.length) {
    const { bytesWritten } = await file.write(chunk, done, chunk.length - done, position + done);
    done += bytesWritten;
  }
}
