// Lines out of a byte stream, masked: what a child process prints, on its way to the log.
// Secrets are masked before anything is cut, since half a secret is no longer recognised.
import { StringDecoder } from "node:string_decoder";
import { secretMark } from "./secret-forms.js";

/** What MaskedLines needs. */
export interface MaskedLinesOptions {
  /** Hides the secrets in a text; Masker.mask. */
  readonly mask: (text: string) => string;
  /** Length of the longest secret at the moment, in characters; Masker.longestSecret. */
  readonly longestSecret: () => number;
  /** Longer lines are cut, in characters. */
  readonly maxLineLength: number;
  /** One masked line, without its end. */
  readonly onLine: (line: string) => void;
}

/** Places tried behind the maximum, when a secret lies across all those before it. */
const cutTries = 128;

/** Shown in place of a long line that is secrets through and through and so cannot be cut. */
const restLeftOut = `${secretMark} … [the rest of this line is left out]`;

/**
 * Makes masked lines of a byte stream, however it is chunked. `\n`, `\r\n` and `\r` end a line (progress bars). A
 * line over the maximum goes out in several, cut where no secret is cut. Memory is bounded by the maximum line and
 * the longest secret.
 */
export class MaskedLines {
  readonly #options: MaskedLinesOptions;
  readonly #decoder = new StringDecoder("utf8");
  #line = "";
  /** What came last was a `\r`: "said" when its line is out, "empty" when there was nothing to say. */
  #afterReturn: "no" | "said" | "empty" = "no";
  #skipsToLineEnd = false;
  #ended = false;

  constructor(options: MaskedLinesOptions) {
    this.#options = options;
  }

  /** Takes the next part; each line goes out as soon as it is whole. Ignored after `end`. */
  write(chunk: Buffer | string): void {
    if (this.#ended) return;
    this.#take(typeof chunk === "string" ? chunk : this.#decoder.write(chunk));
  }

  /** Lets go of a last line without an end. Idempotent. */
  end(): void {
    if (this.#ended) return;
    this.#take(this.#decoder.end());
    this.#ended = true;
    if (this.#line !== "") this.#finishLine();
  }

  #take(text: string): void {
    let from = 0;
    if (text !== "" && this.#afterReturn !== "no") {
      if (text.startsWith("\n")) {
        from = 1;
        if (this.#afterReturn === "empty") this.#finishLine();
      }
      this.#afterReturn = "no";
    }
    const lineEnd = /\r\n|\r|\n/g;
    lineEnd.lastIndex = from;
    for (let found = lineEnd.exec(text); found !== null; found = lineEnd.exec(text)) {
      this.#extendLine(text.slice(from, found.index));
      from = lineEnd.lastIndex;
      const isBareReturn = found[0] === "\r";
      const isEmpty = this.#line === "" && !this.#skipsToLineEnd;
      if (isBareReturn && from === text.length) this.#afterReturn = isEmpty ? "empty" : "said";
      // A progress bar begins with a bare \r: there is no line before it.
      if (!(isBareReturn && isEmpty)) this.#finishLine();
    }
    this.#extendLine(text.slice(from));
  }

  #extendLine(text: string): void {
    if (this.#skipsToLineEnd) return;
    this.#line += text;
    const { maxLineLength, longestSecret } = this.#options;
    const reach = Math.max(1, longestSecret());
    // Enough to see every secret around every place where the cut may fall. Never more is looked at, so that the
    // cuts are the same however the text was chunked.
    const enough = maxLineLength + 2 * reach;
    while (this.#line.length >= enough) {
      const cut = this.#cleanCut(maxLineLength, reach);
      if (cut === undefined) {
        this.#options.onLine(restLeftOut);
        this.#skipsToLineEnd = true;
        this.#line = "";
        return;
      }
      this.#say(this.#line.slice(0, cut));
      this.#line = this.#line.slice(cut);
    }
  }

  /** Where the line can be cut in two without changing what is seen; at or before `at` if possible. */
  #cleanCut(at: number, reach: number): number | undefined {
    if (this.#isClean(at, reach)) return at;
    for (let back = 1; back < at; back *= 2) if (this.#isClean(at - back, reach)) return at - back;
    const step = Math.ceil(reach / cutTries);
    for (let on = 1; on <= reach; on += step) if (this.#isClean(at + on, reach)) return at + on;
    return undefined;
  }

  #isClean(at: number, reach: number): boolean {
    if (splitsPair(this.#line, at)) return false;
    const { mask } = this.#options;
    const before = this.#line.slice(Math.max(0, at - reach), at);
    const after = this.#line.slice(at, at + reach);
    const together = mask(before + after);
    const first = mask(before);
    const second = mask(after);
    if (together === first + second) return true;
    const touches = first.endsWith(secretMark) && second.startsWith(secretMark);
    return touches && together === first + second.slice(secretMark.length);
  }

  #finishLine(): void {
    const line = this.#line;
    this.#line = "";
    if (this.#skipsToLineEnd) this.#skipsToLineEnd = false;
    else this.#say(line);
  }

  /** Masks first, cuts then. */
  #say(text: string): void {
    const { mask, maxLineLength, onLine } = this.#options;
    let rest = mask(text);
    while (rest.length > maxLineLength) {
      const cut = splitsPair(rest, maxLineLength) && maxLineLength > 1 ? maxLineLength - 1 : maxLineLength;
      onLine(rest.slice(0, cut));
      rest = rest.slice(cut);
    }
    onLine(rest);
  }
}

function splitsPair(text: string, at: number): boolean {
  const low = text.charCodeAt(at);
  const high = text.charCodeAt(at - 1);
  return low >= 0xdc00 && low <= 0xdfff && high >= 0xd800 && high <= 0xdbff;
}
