// What `partnerd init` can write, apart from how, so that the command line knows it without loading that.

/** The languages of each kind of handler, the usual one first. */
export const handlerKinds = {
  module: ["ts", "js"],
  command: ["sh", "python", "js", "ts"],
  http: ["js", "ts", "python"],
} as const;

export type InitKind = keyof typeof handlerKinds;
export type InitLanguage = "ts" | "js" | "python" | "sh";

export const initLanguages: readonly InitLanguage[] = ["ts", "js", "python", "sh"];
