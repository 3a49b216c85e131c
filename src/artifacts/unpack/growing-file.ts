// A file that one side still writes while the other side, a thread, reads it already: how far it has come is in
// shared memory, and the reader sleeps until the bytes it wants are there. Knows nothing of archives or of S3.
import { fstatSync, readSync } from "node:fs";

const head = 0;
const tail = 1;
const state = 2;
const version = 3;
const growing = 0n;
const complete = 1n;
const givenUp = 2n;

/** What both sides share: bytes from the start, where the tail begins, the state, and a counter to wait on. */
export type Progress = BigInt64Array<SharedArrayBuffer>;

export function newProgress(): Progress {
  const progress = new BigInt64Array(new SharedArrayBuffer(4 * BigInt64Array.BYTES_PER_ELEMENT));
  progress[tail] = 2n ** 62n;
  return progress;
}

/** So many bytes from the start of the file are written. */
export function headWritten(progress: Progress, bytes: number): void {
  Atomics.store(progress, head, BigInt(bytes));
  wake(progress);
}

/** All bytes from this offset to the end of the file are written. */
export function tailWritten(progress: Progress, offset: number): void {
  Atomics.store(progress, tail, BigInt(offset));
  wake(progress);
}

/** The file has its final size and content. */
export function fileComplete(progress: Progress): void {
  Atomics.compareExchange(progress, state, growing, complete);
  wake(progress);
}

/** The reader's work is no longer needed, complete or not. */
export function giveUp(progress: Progress): void {
  Atomics.store(progress, state, givenUp);
  wake(progress);
}

function wake(progress: Progress): void {
  Atomics.add(progress, version, 1n);
  Atomics.notify(progress, version);
}

/** Thrown in the thread by whatever it reads next after the work was given up. */
export class GivenUp extends Error {
  constructor() {
    super("the work was given up");
    this.name = "GivenUp";
  }
}

export interface GrowingFileOptions {
  readonly fd: number;
  readonly progress: Progress;
  /** The final size, if it is known before the end. */
  readonly size: number | undefined;
  /** How much is read at once, in bytes. */
  readonly windowBytes: number;
}

/** The reader's side. Blocks its thread until the bytes are there; throws GivenUp when they never will be. */
export class GrowingFile {
  readonly #options: GrowingFileOptions;
  readonly #window: Buffer;
  #from = 0;
  #filled = 0;

  constructor(options: GrowingFileOptions) {
    this.#options = options;
    this.#window = Buffer.allocUnsafeSlow(options.windowBytes);
  }

  /** The final size; waits for it if it is not known yet. */
  size(): number {
    const { fd, size } = this.#options;
    if (size !== undefined) return size;
    this.whenComplete();
    return fstatSync(fd).size;
  }

  /** Waits until the writer of the file vouches for all of it. */
  whenComplete(): void {
    this.#waitUntil(() => undefined);
  }

  /**
   * The bytes at this place, at most one window of them: fewer only where the file ends. They are overwritten by the
   * next call.
   */
  view(offset: number, length: number): Buffer {
    if (length > this.#window.length) throw new Error(`bug: ${length} bytes do not fit into the window`);
    this.#checkWanted();
    if (offset < this.#from || offset + length > this.#from + this.#filled) this.#fill(offset, length);
    const start = offset - this.#from;
    return this.#window.subarray(start, Math.min(start + length, this.#filled));
  }

  /** Whatever there is from this place on, at least one byte and at most one window; empty at the end of the file. */
  some(offset: number): Buffer {
    this.#checkWanted();
    if (offset < this.#from || offset >= this.#from + this.#filled) this.#fill(offset, 1);
    return this.#window.subarray(offset - this.#from, this.#filled);
  }

  /** The same file through its own window: to read at two places in turn. */
  another(windowBytes: number): GrowingFile {
    return new GrowingFile({ ...this.#options, windowBytes });
  }

  /**
   * `length` bytes from this place on, or fewer where the file ends, in pieces of which each is overwritten when the
   * next is asked for.
   */
  *pieces(offset: number, length: number, pieceBytes: number): Generator<Buffer> {
    const end = offset + length;
    for (let at = offset; at < end; ) {
      const piece = this.some(at).subarray(0, Math.min(pieceBytes, end - at));
      if (piece.length === 0) return;
      at += piece.length;
      yield piece;
    }
  }

  /** Waits until `length` bytes from `offset` are there, and reads as many more as there are and fit. */
  #fill(offset: number, length: number): void {
    const there = this.#waitUntil(() => this.#thereFrom(offset, length));
    const wanted = Math.min(this.#window.length, there);
    this.#from = offset;
    this.#filled = 0;
    while (this.#filled < wanted) {
      const read = readSync(this.#options.fd, this.#window, this.#filled, wanted - this.#filled, offset + this.#filled);
      if (read === 0) break;
      this.#filled += read;
    }
  }

  /** How many bytes may be read from `offset`, or undefined while `length` of them are not there yet. */
  #thereFrom(offset: number, length: number): number | undefined {
    const { progress, size } = this.#options;
    const headEnd = Number(Atomics.load(progress, head));
    const tailStart = Number(Atomics.load(progress, tail));
    if (offset >= tailStart || headEnd >= tailStart) return Number.MAX_SAFE_INTEGER;
    // The end of the file is the end of what can be waited for.
    const end = size === undefined ? offset + length : Math.min(offset + length, size);
    return headEnd >= end ? Math.max(headEnd - offset, 0) : undefined;
  }

  /** Sleeps until `look` answers or the file is complete. */
  #waitUntil(look: () => number | undefined): number {
    const { progress } = this.#options;
    for (;;) {
      const seen = Atomics.load(progress, version);
      this.#checkWanted();
      if (Atomics.load(progress, state) === complete) return Number.MAX_SAFE_INTEGER;
      const answer = look();
      if (answer !== undefined) return answer;
      Atomics.wait(progress, version, seen);
    }
  }

  #checkWanted(): void {
    if (Atomics.load(this.#options.progress, state) === givenUp) throw new GivenUp();
  }
}
