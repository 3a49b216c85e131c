// Bodies in S3's own framing, `aws-chunked`: chunks with or without a signature each, and trailers after the last.
// Gives the bytes within as they come and the trailers at the end; whether signatures are right, the caller says.
import { createHash } from "node:crypto";
import { S3Error } from "./s3-error.js";

/** Judges signatures; throws S3Error. `undefined` where nothing is signed or nothing is checked. */
export interface ChunkJudge {
  /** `digestHex` is the SHA-256 of the chunk's bytes. */
  chunk(signature: string | undefined, digestHex: string): void;
  trailers(signature: string | undefined, text: string): void;
}

/** Longest line of framing, and most of trailers, in bytes. */
const lineMaxBytes = 4_096;
const trailersMax = 20;

/** Reads the framing: yields what is within; returns the trailers by lower-case name. Throws S3Error. */
export async function* unchunked(
  source: AsyncIterable<Buffer>,
  judge: ChunkJudge | undefined,
): AsyncGenerator<Buffer, ReadonlyMap<string, string>> {
  const reader = new Reader(source);
  for (;;) {
    const { bytes, signature } = chunkHeader(await reader.line());
    const hash = judge && createHash("sha256");
    for (let left = bytes; left > 0; ) {
      const piece = await reader.atMost(left);
      left -= piece.length;
      hash?.update(piece);
      yield piece;
    }
    if (hash) judge?.chunk(signature, hash.digest("hex"));
    if (bytes === 0) return await trailersOf(reader, judge);
    if ((await reader.line()) !== "") throw malformed("a chunk is longer than it says");
  }
}

function chunkHeader(line: string): { readonly bytes: number; readonly signature: string | undefined } {
  const [size = "", ...extensions] = line.split(";");
  if (!/^[0-9a-fA-F]{1,8}$/.test(size)) throw malformed("a chunk does not begin with its size");
  const signature = extensions.find((extension) => extension.startsWith("chunk-signature="))?.slice(16);
  return { bytes: Number.parseInt(size, 16), signature };
}

async function trailersOf(reader: Reader, judge: ChunkJudge | undefined): Promise<ReadonlyMap<string, string>> {
  const trailers = new Map<string, string>();
  for (let line = await reader.line(); line !== ""; line = await reader.line()) {
    const colon = line.indexOf(":");
    if (colon < 1 || trailers.size >= trailersMax) throw malformed("a trailer can not be read");
    trailers.set(line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim());
  }
  await reader.end();
  const signature = trailers.get("x-amz-trailer-signature");
  trailers.delete("x-amz-trailer-signature");
  if (trailers.size > 0)
    judge?.trailers(signature, [...trailers].map(([name, value]) => `${name}:${value}\n`).join(""));
  return trailers;
}

/** Takes lines and bytes in turn from a stream. */
class Reader {
  readonly #source: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(source: AsyncIterable<Buffer>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** A line without its end. */
  async line(): Promise<string> {
    for (;;) {
      const end = this.#rest.indexOf("\r\n");
      if (end >= 0 && end <= lineMaxBytes) {
        const line = this.#rest.toString("latin1", 0, end);
        this.#rest = this.#rest.subarray(end + 2);
        return line;
      }
      if (this.#rest.length > lineMaxBytes) throw malformed("a line of the framing is too long");
      const next = await this.#next();
      if (!next) throw new S3Error("IncompleteBody");
      this.#rest = Buffer.concat([this.#rest, next]);
    }
  }

  async atMost(bytes: number): Promise<Buffer> {
    while (this.#rest.length === 0) {
      const next = await this.#next();
      if (!next) throw new S3Error("IncompleteBody");
      this.#rest = next;
    }
    const piece = this.#rest.subarray(0, bytes);
    this.#rest = this.#rest.subarray(piece.length);
    return piece;
  }

  /** Throws if there is more. */
  async end(): Promise<void> {
    for (let rest: Buffer | undefined = this.#rest; rest; rest = await this.#next()) {
      if (rest.length > 0) throw malformed("there is more behind the last chunk");
    }
  }

  async #next(): Promise<Buffer | undefined> {
    const { value, done } = await this.#source.next();
    return done ? undefined : value;
  }
}

function malformed(what: string): S3Error {
  return new S3Error("InvalidRequest", { message: `The body is not well-formed aws-chunked: ${what}` });
}
