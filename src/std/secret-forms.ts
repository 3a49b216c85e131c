// The spellings in which a secret turns up in text: as it is, inside JSON, in a URL, in base64.
// Not covered: hex, hashes, compressed or line-wrapped base64; nothing can find every disguise.

/** One spelling. `before` and `after`: neighbouring base64 characters that hold some of the secret's bits. */
export interface SecretForm {
  readonly text: string;
  readonly before: 0 | 1;
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
/** How deep JSON text may lie in JSON strings: a log line that quotes an answer that quotes a document. */
const jsonDepth = 3;

/** Every spelling of one secret; empty for a value that is too short to be masked. */
export function secretForms(secret: string): readonly SecretForm[] {
  const forms = new Map<string, SecretForm>();
  const add = (text: string, before: 0 | 1 = 0, after: 0 | 1 = 0): void => {
    if (text.length >= secretMinLength && !forms.has(text)) forms.set(text, { text, before, after });
  };
  for (const part of partsOf(secret)) {
    add(part);
    for (const text of jsonForms(part)) add(text);
    for (const text of urlForms(part)) add(text);
    addBase64Forms(part, add);
  }
  return [...forms.values()];
}

/** The value, the value without white space around it, its lines; the long ones in pieces. */
function partsOf(secret: string): Set<string> {
  const trimmed = secret.trim();
  const parts = new Set<string>();
  if (trimmed.length < secretMinLength) return parts;
  const add = (text: string): void => {
    for (let from = 0; from < text.length; from += pieceMaxLength) {
      // The last piece reaches back, so that none is too short to be masked.
      const start = Math.max(0, Math.min(from, text.length - pieceMaxLength));
      parts.add(text.slice(start, start + pieceMaxLength));
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

/** As in a JSON string by JavaScript, by PHP (`\/`), by Python (ASCII only) and by Go (`\u0026`), also nested. */
function jsonForms(text: string): Iterable<string> {
  if (/^[\w .:;,+=@$%*()~-]*$/.test(text)) return [];
  const escaped = JSON.stringify(text).slice(1, -1);
  let layer = new Set([
    escaped,
    escaped.replaceAll("/", "\\/"),
    escaped.replace(/[^\0-\x7f]/g, unicodeEscape),
    escaped.replace(/[<>&]/g, unicodeEscape),
  ]);
  const forms = new Set(layer);
  for (let depth = 1; depth < jsonDepth; depth++) {
    layer = new Set([...layer].map((form) => JSON.stringify(form).slice(1, -1)));
    for (const form of layer) forms.add(form);
  }
  return forms;
}

function unicodeEscape(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

/** Percent-encoded, as encodeURIComponent, RFC 3986, HTML forms and path encoders write it, in both cases. */
function urlForms(text: string): string[] {
  if (/^[\w.~-]*$/.test(text)) return [];
  // A lone surrogate has no percent-encoding.
  const component = encodeURIComponent(text.toWellFormed());
  const strict = component.replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
  const upper = [
    component,
    strict,
    strict.replaceAll("%20", "+"),
    strict.replaceAll("%2F", "/"),
    encodeURI(text.toWellFormed()),
  ];
  return [...upper, ...upper.map((form) => form.replace(/%[0-9A-F]{2}/g, (hex) => hex.toLowerCase()))];
}

/**
 * Base64 of a text that holds the secret somewhere (`user:secret`) spells it in one of three ways, one for each
 * distance from a group of three bytes. The characters at both ends may share bits with the neighbours.
 */
function addBase64Forms(text: string, add: (text: string, before: 0 | 1, after: 0 | 1) => void): void {
  const bytes = Buffer.from(`  ${text}`, "utf8");
  for (let shift = 0; shift < 3; shift++) {
    const shifted = bytes.subarray(2 - shift);
    const bits = shifted.length * 8;
    const start = shift === 0 ? 0 : shift + 1;
    const before = shift === 0 ? 0 : 1;
    const after = bits % 6 === 0 ? 0 : 1;
    const form = shifted.toString("base64").slice(start, Math.floor(bits / 6));
    add(form, before, after);
    if (/[+/]/.test(form))
      add(
        form.replace(/[+/]/g, (c) => (c === "+" ? "-" : "_")),
        before,
        after,
      );
  }
}
