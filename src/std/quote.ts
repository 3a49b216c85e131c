// What somebody wrote, as a message repeats it: quoted, short, and with nothing in it that cannot be seen.

/** A text of the user's, made harmless for a one-line message: cut, and with what cannot be seen written as `\u{a0}`. */
export function quote(value: unknown): string {
  // JSON knows neither infinite nor big numbers.
  const isNumber = typeof value === "number" || typeof value === "bigint";
  const text = isNumber ? String(value) : (JSON.stringify(value) ?? String(value));
  return visible(text.length <= 80 ? text : `${text.slice(0, 77).toWellFormed()}…`);
}

/** What nobody sees and no ordinary space is: of a copied line it is often all that is wrong. */
export const invisible = /[\u007f-\u009f\u061c\p{Cf}]|(?! )[\p{Zs}\p{Zl}\p{Zp}]/gu;

function visible(text: string): string {
  return text.replace(invisible, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`);
}
