// Where the entries of a zip are in the file. Honest ones are one after the other; one piece of content that several
// entries share is how a small zip unpacks to terabytes (D. Fifield, "A better zip bomb").
import { ArchiveRefused } from "../refusal.js";

export class ZipExtents {
  /** Sorted by `check`. */
  readonly #starts: Float64Array;
  readonly #ends: Float64Array;
  #count = 0;
  #limit = 0;

  constructor(max: number) {
    this.#starts = new Float64Array(max);
    this.#ends = new Float64Array(max);
  }

  /** An entry from its header to (at least) its end. */
  add(start: number, end: number): void {
    this.#starts[this.#count] = start;
    this.#ends[this.#count] = end;
    this.#count++;
  }

  /** Throws ArchiveRefused when two overlap, or one reaches beyond `limit`. */
  check(limit: number): void {
    this.#limit = limit;
    // Each list sorted by itself: where no two overlap, the n-th start and the n-th end belong together.
    this.#starts.sort();
    this.#ends.sort();
    for (let n = 0; n < this.#count; n++) {
      if ((this.#ends[n] ?? 0) > (this.#starts[n + 1] ?? limit)) {
        throw new ArchiveRefused("it is a zip with entries that overlap; pack it again");
      }
    }
  }

  /** Where the next entry begins after the one that begins at `start`: no content reaches beyond. */
  limitOf(start: number): number {
    let low = 0;
    let high = this.#count;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#starts[middle] ?? 0) <= start) low = middle + 1;
      else high = middle;
    }
    return this.#starts[low] ?? this.#limit;
  }
}
