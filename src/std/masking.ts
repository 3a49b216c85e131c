// Hides secrets by value: whatever is on its way to a log passes here, so that a secret printed by anyone, in any
// usual spelling, shows as [secret]. Knows nothing of jobs. The cost of a line does not grow with the number of
// secrets, since hundreds come and go each second.
import { type SecretForm, secretForms, secretMark, secretMinLength } from "./secret-forms.js";

export { MaskedLines, type MaskedLinesOptions } from "./masked-lines.js";
export { secretMark };

/** Released secrets that are still masked, since lines about a job may come after its end. */
const rememberedMax = 5_000;
/** The same in characters of all their forms: about 8 MB. */
const rememberedCharactersMax = 8_000_000;
/** Windows of four characters are hashed to this many bits; 2 MiB of counters, nearly all of them zero. */
const filterBits = 20;
/** Windows tried when a form looks for one that it shares with nobody. */
const anchorTries = 32;

/** One spelling of one secret, found by a window of four of its characters. */
interface Pattern extends SecretForm {
  readonly key: number;
  /** Where the window starts within the text. */
  readonly anchor: number;
}

interface Known {
  readonly patterns: readonly Pattern[];
  readonly characters: number;
  holders: number;
}

/**
 * Knows the secrets of the moment and replaces them in texts.
 *
 * Every position of a text costs one look into a table of counters; only where the four characters there are also
 * four characters of a secret is anything compared. Each form picks the window that it shares with the fewest
 * others: all session tokens of AWS begin alike.
 */
export class Masker {
  readonly #known = new Map<string, Known>();
  /** Those of #known that nobody holds any more, the longest released first. */
  readonly #remembered = new Map<string, Known>();
  #rememberedCharacters = 0;
  #filter: Uint16Array | undefined;
  readonly #byKey = new Map<number, Pattern[]>();
  #longest = 0;

  /**
   * Masks these values from now on. The returned function releases them: the last few thousand released ones are
   * masked still. Values under 4 characters are not masked; of a value of several lines each line from 8 is.
   */
  keep(values: Iterable<string>): () => void {
    const kept = [...new Set(values)];
    for (const value of kept) this.#hold(value);
    let released = false;
    return () => {
      if (released) return;
      released = true;
      for (const value of kept) this.#release(value);
    };
  }

  /** The text with every known secret replaced; overlapping and touching ones by one mark. */
  mask(text: string): string {
    if (this.#byKey.size === 0 || text.length < secretMinLength) return text;
    const ranges = this.#find(text);
    return ranges === undefined ? text : replaceRanges(text, ranges);
  }

  /** Length of the longest text that `mask` may replace as one secret, in characters; 0 when there is none. */
  longestSecret(): number {
    return this.#longest;
  }

  #hold(value: string): void {
    const known = this.#known.get(value);
    if (known !== undefined) {
      known.holders++;
      if (this.#remembered.delete(value)) this.#rememberedCharacters -= known.characters;
      return;
    }
    const patterns = secretForms(value).map((form) => this.#learn(form));
    const characters = patterns.reduce((sum, { text }) => sum + text.length, 0);
    this.#known.set(value, { patterns, characters, holders: 1 });
  }

  #release(value: string): void {
    const known = this.#known.get(value);
    if (known === undefined || --known.holders > 0) return;
    this.#remembered.set(value, known);
    this.#rememberedCharacters += known.characters;
    for (const [oldest, { patterns, characters }] of this.#remembered) {
      if (this.#remembered.size <= rememberedMax && this.#rememberedCharacters <= rememberedCharactersMax) break;
      this.#remembered.delete(oldest);
      this.#known.delete(oldest);
      this.#rememberedCharacters -= characters;
      for (const pattern of patterns) this.#unlearn(pattern);
    }
  }

  #learn(form: SecretForm): Pattern {
    this.#filter ??= new Uint16Array(2 ** filterBits);
    const last = form.text.length - secretMinLength;
    const step = Math.max(1, Math.ceil(last / anchorTries));
    let best = { anchor: last, key: windowAt(form.text, last), sharers: Number.POSITIVE_INFINITY };
    // From the end, because secrets of one kind begin alike.
    for (let anchor = last; anchor >= 0 && best.sharers > 0; anchor -= step) {
      const key = windowAt(form.text, anchor);
      const sharers = this.#byKey.get(key)?.length ?? 0;
      if (sharers < best.sharers) best = { anchor, key, sharers };
    }
    const pattern = { ...form, key: best.key, anchor: best.anchor };
    const sharing = this.#byKey.get(pattern.key);
    if (sharing) sharing.push(pattern);
    else {
      this.#byKey.set(pattern.key, [pattern]);
      this.#count(pattern.key, 1);
    }
    this.#longest = Math.max(this.#longest, form.text.length + form.before + form.after);
    return pattern;
  }

  #unlearn(pattern: Pattern): void {
    const sharing = this.#byKey.get(pattern.key) ?? [];
    sharing.splice(sharing.indexOf(pattern), 1);
    if (sharing.length > 0) return;
    this.#byKey.delete(pattern.key);
    this.#count(pattern.key, -1);
    if (this.#byKey.size === 0) this.#longest = 0;
  }

  #count(key: number, change: number): void {
    const filter = this.#filter;
    if (filter === undefined) return;
    const slot = slotOf(key);
    filter[slot] = (filter[slot] ?? 0) + change;
  }

  /** Start and end of every match, flat, unordered; `undefined` when there is none. */
  #find(text: string): number[] | undefined {
    const filter = this.#filter;
    if (filter === undefined) return undefined;
    const { length } = text;
    let ranges: number[] | undefined;
    // The window moves on by one shift: what windowAt computes, in one step instead of four.
    let key = windowAt(text, 0) << 8;
    for (let end = secretMinLength - 1; end < length; end++) {
      const code = text.charCodeAt(end);
      key = (key >>> 8) | ((code ^ (code >>> 8)) << 24);
      if (filter[slotOf(key)] === 0) continue;
      for (const pattern of this.#byKey.get(key) ?? []) {
        const from = end + 1 - secretMinLength - pattern.anchor;
        if (from < 0 || !text.startsWith(pattern.text, from) || isOwnMark(text, pattern.text, from)) continue;
        const to = from + pattern.text.length;
        ranges ??= [];
        ranges.push(
          pattern.before === 1 && isBase64(text.charCodeAt(from - 1)) ? from - 1 : from,
          pattern.after === 1 && isBase64(text.charCodeAt(to)) ? to + 1 : to,
        );
      }
    }
    return ranges;
  }
}

/** Four characters as one 32-bit number; exact for Latin-1, good enough for the rest. */
function windowAt(text: string, start: number): number {
  let key = 0;
  for (let at = start; at < start + secretMinLength; at++) {
    const code = text.charCodeAt(at);
    key = (key >>> 8) | ((code ^ (code >>> 8)) << 24);
  }
  return key;
}

/** Fibonacci hashing: the high bits of a product with 2^32 / the golden ratio are well mixed. */
function slotOf(key: number): number {
  return Math.imul(key, 0x9e3779b1) >>> (32 - filterBits);
}

/** NaN, from beyond the text, is not one. */
function isBase64(code: number): boolean {
  return (
    (code >= 0x30 && code <= 0x39) ||
    (code >= 0x41 && code <= 0x5a) ||
    (code >= 0x61 && code <= 0x7a) ||
    code === 0x2b ||
    code === 0x2f ||
    code === 0x2d ||
    code === 0x5f
  );
}

/** True inside a mark: somebody's password is "secret", and masking twice must change nothing. */
function isOwnMark(text: string, secret: string, from: number): boolean {
  if (secret.length > secretMark.length) return false;
  const within = secretMark.indexOf(secret);
  return within >= 0 && text.startsWith(secretMark, from - within) && from >= within;
}

function replaceRanges(text: string, flat: readonly number[]): string {
  const ranges: [number, number][] = [];
  for (let at = 0; at < flat.length; at += 2) ranges.push([flat[at] ?? 0, flat[at + 1] ?? 0]);
  ranges.sort((a, b) => a[0] - b[0]);
  let masked = "";
  let shownTo = 0;
  let hiddenTo = -1;
  for (const [from, to] of ranges) {
    if (from > hiddenTo) masked += text.slice(shownTo, from) + secretMark;
    hiddenTo = Math.max(hiddenTo, to);
    shownTo = hiddenTo;
  }
  return masked + text.slice(shownTo);
}
