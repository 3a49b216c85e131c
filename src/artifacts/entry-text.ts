// Names of entries as text: UTF-8, and where bytes are no UTF-8 each of them as one lone surrogate (U+DC80 to U+DCFF),
// as Python does it. So a name from a tar of other days is one text for all rules, and comes to the disk byte by byte.
import { isUtf8 } from "node:buffer";

const escapedBytes = /[\udc80-\udcff]/;

/** The text of a name; every byte comes back by `bytesOf`. */
export function textOf(bytes: Buffer): string {
  if (isUtf8(bytes)) return bytes.toString("utf8");
  let text = "";
  for (let at = 0; at < bytes.length; ) {
    const length = characterAt(bytes, at);
    text += length === 0 ? String.fromCharCode(0xdc00 + (bytes[at] ?? 0)) : bytes.toString("utf8", at, at + length);
    at += Math.max(1, length);
  }
  return text;
}

/** How many bytes the character at this place has; 0 when there is none. */
function characterAt(bytes: Buffer, at: number): number {
  for (let length = 1; length <= Math.min(4, bytes.length - at); length++) {
    if (isUtf8(bytes.subarray(at, at + length))) return length;
  }
  return 0;
}

/** Whether all of it is UTF-8. */
export function isText(text: string): boolean {
  return text.isWellFormed();
}

/** The bytes of a text; the text itself where it is UTF-8, as file calls take both. */
export function bytesOf(text: string): string | Buffer {
  if (isText(text)) return text;
  return Buffer.concat(
    Array.from(text, (character) =>
      escapedBytes.test(character) && character.length === 1
        ? Buffer.of(character.charCodeAt(0) - 0xdc00)
        : Buffer.from(character),
    ),
  );
}
