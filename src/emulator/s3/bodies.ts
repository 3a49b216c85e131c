// The bytes of objects and parts, each in a file of its own in a private temporary folder that goes with the emulator.
// Streams in and out, so that no object is ever whole in memory; knows no names, no ETags and no requests.
import { closeSync, createReadStream, mkdirSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ChecksumName } from "./checksums.js";
import { createDigest } from "./checksums.js";
import { S3Error } from "./s3-error.js";

/** Bytes that were stored, and what was computed of them. */
export interface StoredBody {
  readonly file: string;
  readonly bytes: number;
  readonly digests: ReadonlyMap<DigestName, Buffer>;
}
export type DigestName = ChecksumName | "md5";

interface Span {
  readonly file: string;
  readonly from: number;
  readonly to: number;
}

const pieceBytes = 262_144;

/** Keeps bodies. */
export class Bodies {
  readonly #maxBytes: () => number;
  #folder: string | undefined;
  #bytes = 0;
  readonly #readers = new Map<string, number>();
  readonly #removedLater = new Set<string>();
  #nextId = 1;
  #isClosed = false;

  constructor(options: {
    /** Most bytes that all bodies may have together. */
    readonly maxBytes: () => number;
  }) {
    this.#maxBytes = options.maxBytes;
  }

  /** Stores what the source gives, at most `maxBytes`. Nothing stays of it when it throws. */
  async receive(
    source: AsyncIterable<Buffer>,
    { digests, maxBytes }: { readonly digests: readonly DigestName[]; readonly maxBytes: number },
  ): Promise<StoredBody> {
    const file = this.#newFile();
    const running = digests.map((name) => [name, createDigest(name)] as const);
    let bytes = 0;
    try {
      const handle = await open(file, "wx", 0o600);
      try {
        for await (const chunk of source) {
          if (bytes + chunk.length > maxBytes) throw new S3Error("EntityTooLarge");
          this.#reserve(chunk.length);
          bytes += chunk.length;
          for (const [, digest] of running) digest.update(chunk);
          for (let at = 0; at < chunk.length; ) at += (await handle.write(chunk, at)).bytesWritten;
        }
      } finally {
        await handle.close();
      }
    } catch (error) {
      this.#bytes -= bytes;
      await rm(file, { force: true });
      throw error;
    }
    return { file, bytes, digests: new Map(running.map(([name, digest]) => [name, digest.digest()])) };
  }

  /**
   * Stores bytes or a copy of a local file at once, with an MD5 and a CRC64NVME: for what a job brings along. Throws what
   * the file system throws.
   */
  put(content: Buffer | { readonly path: string }): StoredBody {
    const running = (["md5", "crc64nvme"] as const).map((name) => [name, createDigest(name)] as const);
    const file = this.#newFile();
    const target = openSync(file, "wx", 0o600);
    let bytes = 0;
    try {
      for (const chunk of Buffer.isBuffer(content) ? [content] : piecesOf(content.path)) {
        this.#reserve(chunk.length);
        bytes += chunk.length;
        for (const [, digest] of running) digest.update(chunk);
        for (let at = 0; at < chunk.length; ) at += writeSync(target, chunk, at);
      }
    } catch (error) {
      this.#bytes -= bytes;
      rmSync(file, { force: true });
      throw error;
    } finally {
      closeSync(target);
    }
    return { file, bytes, digests: new Map(running.map(([name, digest]) => [name, digest.digest()])) };
  }

  /**
   * The bytes from `start` up to, not including, `end` of the bodies one after the other. Can be read to its end though
   * the object is replaced or deleted meanwhile.
   */
  read(bodies: readonly StoredBody[], range: { readonly start: number; readonly end: number }): AsyncGenerator<Buffer> {
    const spans: Span[] = [];
    let at = 0;
    for (const { file, bytes } of bodies) {
      const [from, to] = [Math.max(range.start - at, 0), Math.min(range.end - at, bytes)];
      if (from < to) spans.push({ file, from, to });
      at += bytes;
    }
    for (const { file } of spans) this.#readers.set(file, (this.#readers.get(file) ?? 0) + 1);
    return this.#readSpans(spans);
  }

  /** Forgets bodies; whoever reads them now reads on. */
  remove(bodies: readonly StoredBody[]): void {
    for (const { file, bytes } of bodies) {
      this.#bytes -= bytes;
      if (this.#readers.has(file)) this.#removedLater.add(file);
      else rmSync(file, { force: true });
    }
  }

  async *#readSpans(spans: readonly Span[]): AsyncGenerator<Buffer> {
    try {
      for (const { file, from, to } of spans) {
        for await (const piece of createReadStream(file, { start: from, end: to - 1, highWaterMark: pieceBytes })) {
          yield piece as Buffer;
        }
      }
    } finally {
      for (const { file } of spans) this.#release(file);
    }
  }

  #release(file: string): void {
    const readers = (this.#readers.get(file) ?? 1) - 1;
    if (readers > 0) {
      this.#readers.set(file, readers);
      return;
    }
    this.#readers.delete(file);
    if (this.#removedLater.delete(file)) rmSync(file, { force: true });
  }

  /** Removes everything. */
  async close(): Promise<void> {
    this.#isClosed = true;
    if (this.#folder !== undefined) await rm(this.#folder, { recursive: true, force: true, maxRetries: 5 });
  }

  #newFile(): string {
    if (this.#isClosed) throw new S3Error("ServiceUnavailable");
    this.#folder ??= mkdtempSync(join(tmpdir(), "partnerd-emulator-"));
    // Few files per folder, so that listing and removing stay quick.
    const id = this.#nextId++;
    const folder = join(this.#folder, String(Math.floor(id / 1_000)));
    mkdirSync(folder, { recursive: true });
    return join(folder, String(id));
  }

  #reserve(bytes: number): void {
    const maxBytes = this.#maxBytes();
    if (this.#bytes + bytes > maxBytes) {
      const message = `The emulator keeps at most ${maxBytes} bytes of objects; delete some, or raise its setting storageMaxBytes`;
      throw new S3Error("InsufficientStorage", { message });
    }
    this.#bytes += bytes;
  }
}

function* piecesOf(path: string): Generator<Buffer> {
  const source = openSync(path, "r");
  try {
    for (;;) {
      const piece = Buffer.allocUnsafe(pieceBytes);
      const bytes = readSync(source, piece);
      if (bytes === 0) return;
      yield piece.subarray(0, bytes);
    }
  } finally {
    closeSync(source);
  }
}
