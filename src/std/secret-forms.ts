// The spellings in which a secret turns up in text: as it is, inside JSON, in a URL, in base64.
// Not covered: hex, hashes, compressed or line-wrapped base64; nothing can find every disguise.

/** One spelling of one secret. */
export interface SecretForm {
  /** How it ends: all of it, or for a long secret the last few dozen characters. */
  readonly tail: string;
  /** The whole of it has no more characters than this. */
  readonly maxLength: number;
  /** The whole of it; made on first use where it is long, since hardly any secret ever turns up. */
  readonly text: () => string;
  /** 1: the character before it, if it is one of base64, holds some of the secret's bits. */
  readonly before: 0 | 1;
  /** 1: the same of the character behind it. */
  readonly after: 0 | 1;
}

/** What is shown in place of a secret. */
export const secretMark = "[secret]";

/** Shorter values are not masked: they would shred the logs and hide nothing. */
export const secretMinLength = 4;
/** Shorter lines of a secret of several lines are not masked by themselves, for the same reason. */
const secretLineMinLength = 8;
/** A longer secret is masked in pieces of this length, so that the longest form stays bounded. */
const pieceMaxLength = 4_096;
/** How deep JSON text may be in JSON strings: a log line that quotes an answer that quotes a document. */
const jsonDepth = 3;

/** Longer secrets, such as session tokens, are spelled out only when the end of a spelling turns up. */
const eagerMaxLength = 96;
const tailLength = 32;

/** Writes a text in some way. `phase`: how many bytes, modulo 3, stand before it. */
type Spell = (text: string, phase: number) => string;

/** Every spelling of one part of a secret. */
export function formsOf(part: string): readonly SecretForm[] {
  const form = part.length <= eagerMaxLength ? eagerForms(part) : lazyForms(part);
  const forms = [same, ...jsonSpellings(part), ...urlSpellings(part)].map((spell) => form(spell, 0, 0));
  const bytes = Buffer.byteLength(part);
  for (const [shift, [standard, urlSafe]] of base64Spellings.entries()) {
    const before = shift === 0 ? 0 : 1;
    const after = (shift + bytes) % 3 === 0 ? 0 : 1;
    forms.push(form(standard, before, after), form(urlSafe, before, after));
  }
  return forms.filter((each) => each !== undefined);
}

type MakeForm = (spell: Spell, before: 0 | 1, after: 0 | 1) => SecretForm | undefined;

/** Spelled out at once, and what comes out twice only once. */
function eagerForms(part: string): MakeForm {
  const seen = new Set<string>();
  return (spell, before, after) => {
    const text = spell(part, 0);
    if (text.length < secretMinLength || seen.has(text)) return undefined;
    seen.add(text);
    return { tail: text, maxLength: text.length, text: () => text, before, after };
  };
}

function lazyForms(part: string): MakeForm {
  const start = wholeAt(part, part.length - tailLength);
  const end = part.slice(start);
  const phase = Buffer.byteLength(part.slice(0, start)) % 3;
  // No way to write it makes more than nine characters of one, and of most it makes one.
  const specials = part.replace(/[\w.~-]+/g, "").length;
  const maxLength = Math.max(part.length + 8 * specials, Math.ceil((Buffer.byteLength(part) * 4) / 3) + 2);
  return (spell, before, after) => {
    let whole: string | undefined;
    const text = () => {
      whole ??= spell(part, 0);
      return whole;
    };
    return { tail: spell(end, phase), maxLength, text, before, after };
  };
}

/**
 * What is masked of a secret: the value, the value without white space around it, its lines; the long ones in
 * pieces. Nothing of a value that is too short.
 */
export function partsOf(secret: string): Set<string> {
  const trimmed = secret.trim();
  const parts = new Set<string>();
  if (trimmed.length < secretMinLength) return parts;
  const add = (text: string): void => {
    for (let to = 0; to < text.length; ) {
      // The last piece reaches back, so that none is too short to be masked.
      const start = wholeAt(text, Math.max(0, Math.min(to, text.length - pieceMaxLength + 1)));
      to = wholeAt(text, start + pieceMaxLength);
      parts.add(text.slice(start, to));
    }
  };
  add(secret);
  add(trimmed);
  if (!/[\r\n]/.test(trimmed)) return parts;
  for (const line of trimmed.split(/[\r\n]+/)) {
    const text = line.trim();
    // The armour of PEM files is no secret, and would blank every certificate in the logs.
    if (text.length >= secretLineMinLength && !/^-----(BEGIN|END) [A-Z0-9 ]+-----$/.test(text)) add(text);
  }
  return parts;
}

/** The place, or the one before it where it lies between the halves of a pair: each alone is spelled differently. */
function wholeAt(text: string, at: number): number {
  return /[\udc00-\udfff]/.test(text.charAt(at)) && /[\ud800-\udbff]/.test(text.charAt(at - 1)) ? at - 1 : at;
}

const same: Spell = (text) => text;

/** As in a JSON string by JavaScript, by PHP (`\/`), by Python (ASCII only) and by Go (`\u0026`), also nested. */
function jsonSpellings(part: string): Spell[] {
  const dialects: Spell[] = [];
  if (/["\\\p{Cc}\p{Cs}]/u.test(part)) dialects.push(escaped);
  if (part.includes("/")) dialects.push((text) => escaped(text, 0).replaceAll("/", "\\/"));
  if (/[^\0-\x7f]/.test(part)) dialects.push((text) => escaped(text, 0).replace(/[^\0-\x7f]/g, unicodeEscape));
  if (/[<>&]/.test(part)) dialects.push((text) => escaped(text, 0).replace(/[<>&]/g, unicodeEscape));
  return dialects.flatMap((dialect) => {
    const layers = [dialect];
    for (let depth = 1; depth < jsonDepth; depth++) {
      const inner = layers.at(-1) ?? dialect;
      layers.push((text) => escaped(inner(text, 0), 0));
    }
    return layers;
  });
}

const escaped: Spell = (text) => JSON.stringify(text).slice(1, -1);

function unicodeEscape(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

/** Percent-encoded, as encodeURIComponent, RFC 3986, HTML forms and path encoders write it, in both cases. */
function urlSpellings(part: string): Spell[] {
  if (/^[\w.~-]*$/.test(part)) return [];
  const ways: Spell[] = [component];
  if (/[!'()*]/.test(part)) ways.push(strict);
  if (part.includes(" ")) ways.push((text) => strict(text, 0).replaceAll("%20", "+"));
  if (part.includes("/")) ways.push((text) => strict(text, 0).replaceAll("%2F", "/"));
  if (/[^\w.~!'()*;/?:@&=+$,#-]/.test(part)) ways.push((text) => encodeURI(text.toWellFormed()));
  return ways.flatMap((way) => [way, (text) => way(text, 0).replace(/%[0-9A-F]{2}/g, (hex) => hex.toLowerCase())]);
}

/** A lone surrogate has no percent-encoding. */
const component: Spell = (text) => encodeURIComponent(text.toWellFormed());

const strict: Spell = (text) =>
  component(text, 0).replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);

/**
 * Base64 of a text that holds the secret somewhere (`user:secret`) spells it in one of three ways, one for each
 * distance from a group of three bytes; each in both alphabets.
 */
const base64Spellings: readonly (readonly [Spell, Spell])[] = [0, 1, 2].map((shift) => {
  const standard: Spell = (text, phase) => base64(text, (shift + phase) % 3);
  return [standard, (text, phase) => standard(text, phase).replaceAll("+", "-").replaceAll("/", "_")];
});

/** Only the characters all of whose bits are the text's own; `shift` bytes of others stand before it. */
function base64(text: string, shift: number): string {
  const bytes = Buffer.from(`  ${text}`, "utf8").subarray(2 - shift);
  return bytes.toString("base64").slice(shift === 0 ? 0 : shift + 1, Math.floor((bytes.length * 8) / 6));
}
