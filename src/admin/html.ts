// HTML made of untrusted texts: every value in a template is escaped, unless it is HTML that we made.

/** A piece of HTML whose texts are escaped. */
export class Html {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

export type Piece = Html | string | number | undefined | readonly Piece[];

/** A template whose values are escaped; lists are joined, `undefined` is nothing. */
export function html(texts: TemplateStringsArray, ...values: readonly Piece[]): Html {
  let text = texts[0] ?? "";
  for (const [at, value] of values.entries()) text += `${written(value)}${texts[at + 1] ?? ""}`;
  return new Html(text);
}

function written(piece: Piece): string {
  if (piece === undefined) return "";
  if (piece instanceof Html) return piece.text;
  if (typeof piece === "object") return piece.map(written).join("");
  return escaped(String(piece));
}

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** As text or in a quoted attribute. What is not to be seen, or would turn the reading direction, shows as �. */
function escaped(text: string): string {
  return text
    .replace(/[&<>"']/g, (character) => entities[character] ?? "")
    .replace(/(?![\t\n])[\p{Cc}\p{Cs}\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/gu, "\ufffd");
}
