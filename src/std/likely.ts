// The value that was most likely meant, so that a message can say what to write. Pure; `undefined`: there is no telling.
// With units.ts, which knows durations and sizes.
import { isIP } from "node:net";
import { nearest } from "./suggest.js";

/** Of a number written as text, such as `0x10`, `1e3` or `10,000`. */
export function likelyNumber(written: string): number | undefined {
  const text = written.trim().replaceAll(/(?<=\d)[,_' ](?=\d{3}(?!\d))/g, "");
  const number = Number(text);
  return text !== "" && Number.isFinite(number) ? number : undefined;
}

/** The word of a list, whatever its case and its separators, or with a slip of the hand. */
export function likelyWord(written: string, words: readonly string[]): string | undefined {
  return nearest(written.trim(), words);
}

const yes = ["true", "yes", "y", "on", "1", "enabled"];
const no = ["false", "no", "n", "off", "0", "disabled"];

export function likelyBoolean(written: unknown): boolean | undefined {
  const word = String(written).trim().toLowerCase();
  if (yes.includes(word)) return true;
  return no.includes(word) ? false : undefined;
}

/** A text that fits its form once space and typographic quotes around it are gone, or its case is another. */
export function likelyText(written: string, fits: (text: string) => boolean): string | undefined {
  const trimmed = written.trim().replaceAll(/^[\u2018-\u201f\u00ab\u00bb]+|[\u2018-\u201f\u00ab\u00bb]+$/g, "");
  return [trimmed, trimmed.toLowerCase()].find((each) => each !== written && fits(each));
}

/** An address to listen on, out of `*`, `host:port` or `[::1]`. */
export function likelyHost(written: string): string | undefined {
  if (["*", "all", "any"].includes(written.trim().toLowerCase())) return "0.0.0.0";
  const host = written.trim().replace(/^[a-z]+:\/\//i, "");
  const [, inBrackets, before] = /^(?:\[([^\]]+)\]|([^:]+))(?::\d+)?\/?$/.exec(host) ?? [];
  const found = inBrackets ?? before ?? "";
  return isIP(found) !== 0 || found === "localhost" ? found : undefined;
}

/** The URL of `host:port/path`. */
export function likelyUrl(written: string): string | undefined {
  // What is before an @ may be a password.
  if (!/^[\w.-]+(:\d{1,5})?(\/[\w./-]*)?$/.test(written)) return undefined;
  return URL.canParse(`http://${written}`) ? `http://${written}` : undefined;
}
