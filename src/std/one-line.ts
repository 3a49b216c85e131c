// A text from outside made fit for one line: of a terminal, of a log, of a message.

/** The text on one line, without control characters and invisible marks. */
export function oneLine(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\s]+/gu, " ").trim();
}
