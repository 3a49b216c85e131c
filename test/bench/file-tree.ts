// The files that artifacts are measured with.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Text of words that repeat as those of sources do: it packs to about a third. The same in every run. */
export function makeTree(tree: string, files: number, totalBytes: number): void {
  const text = new Text();
  const bytes = Math.floor(totalBytes / files);
  for (let n = 0; n < files; n++) {
    const folder = join(tree, `part-${n % 50}`, `section-${n % 7}`);
    if (n < 350) mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, `file-${n}.txt`), text.next(bytes));
  }
}

class Text {
  readonly #words: readonly string[];
  #seed = 42;

  constructor() {
    const letters = () => String.fromCharCode(97 + (this.#random() % 26));
    this.#words = Array.from({ length: 4_000 }, () =>
      Array.from({ length: 2 + (this.#random() % 9) }, letters).join(""),
    );
  }

  next(bytes: number): Buffer {
    const text = Buffer.allocUnsafe(bytes);
    for (let at = 0; at < bytes; ) at += text.write(`${this.#words[this.#random() % this.#words.length]} `, at);
    return text;
  }

  /** A linear congruence: cheap, and the same everywhere. */
  #random(): number {
    this.#seed = (Math.imul(this.#seed, 1_664_525) + 1_013_904_223) >>> 0;
    return this.#seed >>> 8;
  }
}
