// Bytes from outside, read up to a limit that holds while they come in: bodies of requests and answers, and files that
// may grow while they are read. The caller refuses what is beyond the limit.
import type { FileHandle } from "node:fs/promises";

/** Collects the pieces of a body and keeps of them what fits. */
export class BoundedBytes {
  readonly #max: number;
  readonly #pieces: Uint8Array[] = [];
  #total = 0;

  constructor(max: number) {
    this.#max = max;
  }

  /** How many bytes came, kept or not. */
  get total(): number {
    return this.#total;
  }

  /** Takes a piece; false once more came than fits. */
  add(piece: Uint8Array): boolean {
    const room = this.#max - this.#total;
    if (room > 0) this.#pieces.push(piece.length > room ? piece.subarray(0, room) : piece);
    this.#total += piece.length;
    return this.#total <= this.#max;
  }

  /** What was kept, in one. A single piece is not copied. */
  whole(): Buffer {
    const [only] = this.#pieces;
    if (this.#pieces.length !== 1 || !only) return Buffer.concat(this.#pieces);
    return Buffer.from(only.buffer, only.byteOffset, only.byteLength);
  }
}

const blockBytes = 64 * 1024;

/** The file from its beginning; `undefined` when it has more than `max` bytes. */
export async function readBounded(file: FileHandle, max: number): Promise<Buffer | undefined> {
  const bytes = new BoundedBytes(max);
  for (;;) {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(blockBytes), 0, blockBytes, bytes.total);
    if (bytesRead === 0) return bytes.whole();
    if (!bytes.add(buffer.subarray(0, bytesRead))) return undefined;
  }
}
