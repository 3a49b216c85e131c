// Compares pieces of one text with others in constant time, by hash. Where it says yes wrongly (once in billions, or
// because it was built so), a piece of text is masked that need not be: no harm; it never says no wrongly.

/** Odd, so that no power of it loses bits. */
const base = 0x01000193;

/** The hash of a whole text. */
export function hashOf(text: string): number {
  let hash = 0;
  for (let at = 0; at < text.length; at++) hash = (Math.imul(hash, base) + text.charCodeAt(at)) | 0;
  return hash;
}

/** A text prepared for many comparisons; costs one pass and eight bytes a character. */
export class HashedText {
  readonly #sums: Int32Array;
  readonly #powers: Int32Array;

  constructor(text: string) {
    this.#sums = new Int32Array(text.length + 1);
    this.#powers = new Int32Array(text.length + 1);
    let sum = 0;
    let power = 1;
    for (let at = 0; at <= text.length; at++) {
      this.#sums[at] = sum;
      this.#powers[at] = power;
      sum = (Math.imul(sum, base) + text.charCodeAt(at)) | 0;
      power = Math.imul(power, base);
    }
  }

  /** True when what stands from `from` to `to` has this hash. */
  has(hash: number, from: number, to: number): boolean {
    const before = Math.imul(this.#sums[from] ?? 0, this.#powers[to - from] ?? 0);
    return (((this.#sums[to] ?? 0) - before) | 0) === hash;
  }
}
