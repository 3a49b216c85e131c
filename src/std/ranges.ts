// Places of a text, found in any order, and the text without them.

/** Places of a text, merged where they overlap or touch. */
export class Ranges {
  readonly #ranges: { from: number; to: number }[] = [];

  add(from: number, to: number): void {
    const last = this.#ranges.at(-1);
    if (last === undefined || from > last.to || to < last.from) this.#ranges.push({ from, to });
    else {
      last.from = Math.min(last.from, from);
      last.to = Math.max(last.to, to);
    }
  }

  inOrder(): readonly { readonly from: number; readonly to: number }[] {
    return this.#ranges.sort((a, b) => a.from - b.from);
  }
}

/** The text with one mark in place of each range. */
export function replaceRanges(text: string, ranges: Ranges, mark: string): string {
  let masked = "";
  let hiddenTo = -1;
  for (const { from, to } of ranges.inOrder()) {
    if (from > hiddenTo) masked += text.slice(Math.max(0, hiddenTo), from) + mark;
    hiddenTo = Math.max(hiddenTo, to);
  }
  return masked + text.slice(Math.max(0, hiddenTo));
}
