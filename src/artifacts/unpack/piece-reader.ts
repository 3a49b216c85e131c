// Reads a sequence of pieces in portions of the caller's choice. Holds one piece, and the portion asked for; every
// portion is valid only until the next is asked for, as the pieces are.

export class PieceReader {
  readonly #pieces: AsyncIterator<Buffer> | Iterator<Buffer>;
  #piece: Buffer = Buffer.alloc(0);

  constructor(pieces: AsyncIterable<Buffer> | Iterable<Buffer>) {
    this.#pieces = Symbol.asyncIterator in pieces ? pieces[Symbol.asyncIterator]() : pieces[Symbol.iterator]();
  }

  /** So many bytes; fewer only at the end. */
  async exactly(length: number): Promise<Buffer> {
    if (length <= this.#piece.length) return this.#take(length);
    const parts: Buffer[] = [];
    let left = length;
    while (left > 0) {
      const part = await this.some(left);
      if (part.length === 0) break;
      parts.push(Buffer.from(part));
      left -= part.length;
    }
    return Buffer.concat(parts);
  }

  /** At least one byte and at most so many; empty at the end. */
  async some(max: number): Promise<Buffer> {
    while (this.#piece.length === 0) {
      const next = await this.#pieces.next();
      if (next.done === true) return this.#piece;
      this.#piece = next.value;
    }
    return this.#take(Math.min(max, this.#piece.length));
  }

  /** Reads to the end. */
  async drain(): Promise<void> {
    while ((await this.some(Number.MAX_SAFE_INTEGER)).length > 0) {}
  }

  /** Lets go of whatever the pieces come from. */
  async close(): Promise<void> {
    await this.#pieces.return?.();
  }

  #take(length: number): Buffer {
    const taken = this.#piece.subarray(0, length);
    this.#piece = this.#piece.subarray(length);
    return taken;
  }
}
