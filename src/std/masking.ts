// Hides secrets by value: whatever is on its way to a log passes here, so that a secret printed by anyone, in any
// usual spelling, shows as [secret]. Knows nothing of jobs. The cost of a line does not grow with the number of
// secrets, since hundreds come and go each second, and no text and no secret can make it grow by the square.
import { HashedText, hashOf } from "./hashed-text.js";
import { Ranges, replaceRanges } from "./ranges.js";
import { formsOf, partsOf, type SecretForm, secretMark, secretMinLength } from "./secret-forms.js";

export { MaskedLines, type MaskedLinesOptions } from "./masked-lines.js";
export { secretMark };

/** Released secrets that are still masked, since lines about a job may come after its end. */
const rememberedMax = 5_000;
/** Forgotten in lots, because a Map whose first entries are gone is slow to begin with. */
const forgottenAtOnce = 500;
/** Most characters of all that is remembered, and how many are left when it was too much. */
const rememberedCharactersMax = 8_000_000;
const rememberedCharactersKept = 7_000_000;
/** Windows of four characters are hashed to this many bits; 2 MiB of counters, nearly all of them zero. */
const filterBits = 20;
/** Windows tried when a form looks for one that no other form has. */
const anchorTries = 32;
/** Characters compared one by one in a text, for each of its own, before hashes are used. */
const comparedMax = 16;

/**
 * Most secrets of a job live and die without ever being in a text, and spelling them out costs more than all else
 * about them. Those that are one long run of such characters in every spelling stay unlearned until a text holds
 * a run as long: our own lines hold none, since the parts of a UUID are short and its whole has 36 characters, and no
 * field has a name of 20 letters. (16 was fewer than `actionExecutionId` has: each job's access key was spelled out when
 * the job began, which took 2.6 KB of it.)
 */
const unlearnedKinds = [
  // No spelling of letters and digits needs another character, base64 of them included. An access key id has 20.
  { secret: /^[A-Za-z0-9]{20,}$/, run: { length: 20, of: /[A-Za-z0-9]/ } },
  { secret: /^[\w+/=.~-]{40,}$/, run: { length: 40, of: /[\w+/=%.~\\-]/ } },
].map(({ secret, run }) => ({ secret, hasRun: runFinder(run) }));

/** One spelling, found by a window of four characters of its tail. */
interface Pattern {
  readonly form: SecretForm;
  readonly key: number;
  /** From the start of the window to the end of the form. */
  readonly toEnd: number;
  /** Of the whole form; `undefined` until it is needed. */
  hash: number | undefined;
}

/** A part of one or more secrets; many keys have the same first lines. */
interface Part {
  readonly patterns: readonly Pattern[];
  uses: number;
}

interface Known {
  /** Absent while it is unlearned. */
  parts: ReadonlySet<string> | undefined;
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
  /** Those of #known that are no longer held, the longest released first. */
  readonly #remembered = new Map<string, Known>();
  #rememberedCharacters = 0;
  readonly #parts = new Map<string, Part>();
  #filter: Uint16Array | undefined;
  readonly #byKey = new Map<number, Pattern[]>();
  #longest = 0;
  /** Of each of unlearnedKinds, those that are not learned yet. */
  readonly #unlearned = unlearnedKinds.map(() => new Map<string, Known>());

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
    this.#learnFor(text);
    if (this.#byKey.size === 0 || text.length < secretMinLength) return text;
    const ranges = this.#find(text);
    return ranges === undefined ? text : replaceRanges(text, ranges, secretMark);
  }

  /** Length of the longest text that `mask` may replace as one secret, in characters; 0 when there is none. */
  longestSecret(): number {
    for (const index of unlearnedKinds.keys()) this.#learnAll(index);
    return this.#longest;
  }

  #hold(value: string): void {
    const known = this.#known.get(value);
    if (known !== undefined) {
      known.holders++;
      if (this.#remembered.delete(value)) this.#rememberedCharacters -= known.characters;
      return;
    }
    const kind = unlearnedKinds.findIndex(({ secret }) => secret.test(value));
    const entry: Known = { parts: undefined, characters: 2 * value.length, holders: 1 };
    this.#known.set(value, entry);
    if (kind >= 0) this.#unlearned[kind]?.set(value, entry);
    else this.#spellOut(value, entry);
  }

  /** Learns what the text might hold. */
  #learnFor(text: string): void {
    for (const [index, { hasRun }] of unlearnedKinds.entries()) {
      if ((this.#unlearned[index]?.size ?? 0) > 0 && hasRun(text)) this.#learnAll(index);
    }
  }

  #learnAll(kind: number): void {
    for (const [value, entry] of this.#unlearned[kind] ?? []) this.#spellOut(value, entry);
    this.#unlearned[kind]?.clear();
  }

  #spellOut(value: string, entry: Known): void {
    entry.parts = partsOf(value);
    for (const text of entry.parts) {
      const part = this.#parts.get(text);
      if (part) part.uses++;
      else this.#parts.set(text, { patterns: formsOf(text).map((form) => this.#learn(form)), uses: 1 });
    }
  }

  #release(value: string): void {
    const known = this.#known.get(value);
    if (known === undefined || --known.holders > 0) return;
    this.#remembered.set(value, known);
    this.#rememberedCharacters += known.characters;
    const isTooMuch = this.#rememberedCharacters > rememberedCharactersMax;
    if (isTooMuch || this.#remembered.size >= rememberedMax + forgottenAtOnce) this.#forgetOldest();
  }

  #forgetOldest(): void {
    for (const [oldest, { parts, characters }] of this.#remembered) {
      if (this.#remembered.size <= rememberedMax && this.#rememberedCharacters <= rememberedCharactersKept) return;
      this.#remembered.delete(oldest);
      this.#known.delete(oldest);
      this.#rememberedCharacters -= characters;
      for (const unlearned of this.#unlearned) unlearned.delete(oldest);
      for (const text of parts ?? []) {
        const part = this.#parts.get(text);
        if (part === undefined || --part.uses > 0) continue;
        this.#parts.delete(text);
        for (const pattern of part.patterns) this.#unlearn(pattern);
      }
    }
  }

  #learn(form: SecretForm): Pattern {
    const { tail } = form;
    const last = tail.length - secretMinLength;
    const step = Math.max(1, Math.ceil(last / anchorTries));
    let best = { toEnd: secretMinLength, key: 0, sharers: Number.POSITIVE_INFINITY };
    // From the end, because secrets of one kind begin alike.
    for (let at = last; at >= 0 && best.sharers > 0; at -= step) {
      const key = windowAt(tail, at);
      const sharers = this.#byKey.get(key)?.length ?? 0;
      if (sharers < best.sharers) best = { toEnd: tail.length - at, key, sharers };
    }
    const pattern = { form, key: best.key, toEnd: best.toEnd, hash: undefined };
    const sharing = this.#byKey.get(pattern.key);
    if (sharing) sharing.push(pattern);
    else {
      this.#byKey.set(pattern.key, [pattern]);
      this.#count(pattern.key, 1);
    }
    this.#longest = Math.max(this.#longest, form.maxLength + form.before + form.after);
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
    this.#filter ??= new Uint16Array(2 ** filterBits);
    const slot = slotOf(key);
    this.#filter[slot] = (this.#filter[slot] ?? 0) + change;
  }

  #find(text: string): Ranges | undefined {
    const filter = this.#filter;
    if (filter === undefined) return undefined;
    const { length } = text;
    let comparer: Comparer | undefined;
    let ranges: Ranges | undefined;
    // The window moves on by one shift: what windowAt computes, in one step instead of four.
    let key = windowAt(text, 0) << 8;
    for (let end = secretMinLength - 1; end < length; end++) {
      const code = text.charCodeAt(end);
      key = (key >>> 8) | ((code ^ (code >>> 8)) << 24);
      if (filter[slotOf(key)] === 0) continue;
      for (const pattern of this.#byKey.get(key) ?? []) {
        const to = end + 1 - secretMinLength + pattern.toEnd;
        comparer ??= new Comparer(text);
        const from = comparer.startOf(pattern, to);
        if (from === undefined) continue;
        ranges ??= new Ranges();
        const { before, after } = pattern.form;
        ranges.add(
          before === 1 && isBase64(text.charCodeAt(from - 1)) ? from - 1 : from,
          after === 1 && isBase64(text.charCodeAt(to)) ? to + 1 : to,
        );
      }
    }
    return ranges;
  }
}

/** Compares forms with one text: character by character as long as that stays cheap, by hash from then on. */
class Comparer {
  readonly #text: string;
  #left: number;
  #hashed: HashedText | undefined;

  constructor(text: string) {
    this.#text = text;
    this.#left = text.length * comparedMax;
  }

  /** Where the form starts that ends at `to`; `undefined` when it is another text that is there. */
  startOf(pattern: Pattern, to: number): number | undefined {
    const text = this.#text;
    const { tail } = pattern.form;
    if (to > text.length || to < tail.length || !text.startsWith(tail, to - tail.length)) return undefined;
    const whole = pattern.form.text();
    const from = to - whole.length;
    if (from < 0 || isOwnMark(text, whole, from)) return undefined;
    return whole.length === tail.length || this.#isAt(whole, pattern, from) ? from : undefined;
  }

  #isAt(whole: string, pattern: Pattern, from: number): boolean {
    this.#left -= whole.length;
    if (this.#left > 0) return this.#text.startsWith(whole, from);
    this.#hashed ??= new HashedText(this.#text);
    pattern.hash ??= hashOf(whole);
    return this.#hashed.has(pattern.hash, from, from + whole.length);
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

/** In either alphabet. NaN, from beyond the text, is not one. */
function isBase64(code: number): boolean {
  return /[\w+/-]/.test(String.fromCharCode(code));
}

/** True inside a mark: a password may be "secret", and masking twice must change nothing. */
function isOwnMark(text: string, secret: string, from: number): boolean {
  if (secret.length > secretMark.length) return false;
  const within = secretMark.indexOf(secret);
  return within >= 0 && from >= within && text.startsWith(secretMark, from - within);
}

/**
 * Whether a text has so many characters of a kind in a row. Looks at the last place of each possible row first, so that
 * most of a text is passed over: as a regular expression it took 2 % of a job.
 */
function runFinder({ length, of }: { readonly length: number; readonly of: RegExp }): (text: string) => boolean {
  const isOfIt = Uint8Array.from({ length: 128 }, (_, code) => Number(of.test(String.fromCharCode(code))));
  return (text) => {
    let from = 0;
    while (from + length <= text.length) {
      let at = from + length - 1;
      while (at >= from && isOfIt[text.charCodeAt(at)] === 1) at--;
      if (at < from) return true;
      from = at + 1;
    }
    return false;
  };
}
