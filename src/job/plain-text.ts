// Text from outside made fit for a log line or a failure message: escape sequences and control characters taken out,
// so that a handler's output cannot control a terminal, and no secret hides behind a change of colour.

/** CSI, OSC and its like (to BEL or ST), and other escape sequences, whole. */
const escapeSequences =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this file is about.
  /\u001b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\u0007\u001b]*(?:\u0007|\u001b\\)|[ -/]*[0-OQ-WYZ\\`-~])/g;
/** The beginning of one at the end of a chunk. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: see above.
const unfinishedEscape = /\u001b(?:\[[0-?]*[ -/]*|[\]PX^_][^\u0007\u001b]*\u001b?|[ -/]*)$/;
/** C0 but tab and line ends, DEL, C1, and the marks that turn the direction of the text around. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: see above.
const controls = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
/** A longer escape sequence is none: its characters are shown. */
const escapeMaxChars = 1_024;

/** The text without escape sequences and control characters; tabs and line ends stay. */
export function plainText(text: string): string {
  return withoutEscapes(text).replace(controls, "");
}

/** The text without escape sequences, such as colours. */
export function withoutEscapes(text: string): string {
  return text.replace(escapeSequences, "");
}

/** The same for a text that comes in chunks, which may cut a sequence in two. */
export class PlainTextStream {
  #unfinished = "";

  /** What can be shown so far. */
  write(chunk: string): string {
    const text = this.#unfinished + chunk;
    const from = this.#unfinishedFrom(text);
    this.#unfinished = text.slice(from);
    return plainText(text.slice(0, from));
  }

  /** What was held back. */
  end(): string {
    const rest = plainText(this.#unfinished);
    this.#unfinished = "";
    return rest;
  }

  #unfinishedFrom(text: string): number {
    // Only the end is searched: the rest would cost time and cannot hold the beginning of a sequence short enough.
    const base = Math.max(0, text.length - escapeMaxChars);
    const found = unfinishedEscape.exec(text.slice(base));
    return found ? base + found.index : text.length;
  }
}
