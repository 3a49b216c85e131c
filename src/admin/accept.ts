// Reads an `Accept` header (RFC 9110, 12.5.1): what a caller likes, and how much.

/** One part of the header. */
export interface MediaRange {
  readonly type: string;
  /** From 0, not at all, to 1. */
  readonly q: number;
  /** Whether it asks for this version, or for any. */
  readonly suits: (version: string) => boolean;
}

/** The parts of the header, in small letters. */
export function mediaRanges(accept: string): readonly MediaRange[] {
  return accept.toLowerCase().split(",").map(rangeOf);
}

/** True for a browser: it names HTML, and likes no JSON better. Programs that take anything get JSON. */
export function prefersHtml(accept = ""): boolean {
  const ranges = mediaRanges(accept);
  const quality = (name: string) => Math.max(0, ...ranges.filter(({ type }) => type === name).map(({ q }) => q));
  const html = quality("text/html");
  return html > 0 && html >= quality("application/json");
}

function rangeOf(part: string): MediaRange {
  const [type = "", ...parameters] = part.split(";").map((each) => each.trim());
  const values = new Map(parameters.map((each) => each.split("=").map((word) => word.trim()) as [string, string]));
  const q = Number(values.get("q") ?? 1);
  const version = values.get("version")?.replaceAll('"', "");
  // What is no number from 0 to 1 is no wish either.
  return { type, q: q >= 0 && q <= 1 ? q : 0, suits: (ours) => version === undefined || version === ours };
}
