// The documents for people, taken apart: headings with their anchors, links, fenced examples and code within sentences.
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { lexer, type Token, type Tokens } from "marked";

export const root = fileURLToPath(new URL("../../", import.meta.url));

/** Paths from the top. */
export const documents: readonly string[] = globSync(
  ["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "docs/**/*.md", ".github/*.md"],
  { cwd: root },
).sort();

export interface Fence {
  /** Such as `docs/handlers.md:12`. */
  readonly place: string;
  /** The first word of the info string, one name for each language; empty if there is none. */
  readonly language: string;
  /** The words after it. */
  readonly marks: readonly string[];
  readonly text: string;
}

export interface Page {
  readonly anchors: ReadonlySet<string>;
  /** As they are written. */
  readonly links: readonly string[];
  readonly fences: readonly Fence[];
  /** Within sentences and tables. */
  readonly code: readonly string[];
}

const aliases: Readonly<Record<string, string>> = {
  typescript: "ts",
  mts: "ts",
  javascript: "js",
  mjs: "js",
  bash: "sh",
  shell: "sh",
  console: "sh",
  yml: "yaml",
};

/** The page at a path from the top. */
export function pageAt(path: string): Page {
  return pageOf(readFileSync(join(root, path), "utf8"), path);
}

/** A text in Markdown; `path` only names places. */
export function pageOf(text: string, path: string): Page {
  const tokens = all(lexer(text));
  return {
    anchors: anchorsOf(ofType(tokens, "heading")),
    links: [...ofType(tokens, "link"), ...ofType(tokens, "image")].map(({ href }) => href),
    fences: ofType(tokens, "code").map((token) => fenceOf(token, { text, path })),
    code: ofType(tokens, "codespan").map((token) => token.text),
  };
}

function fenceOf({ raw, lang = "", text }: Tokens.Code, page: { readonly text: string; readonly path: string }): Fence {
  const [word = "", ...marks] = lang.split(/\s+/);
  const line = page.text.slice(0, page.text.indexOf(raw.trim().split("\n", 2).join("\n"))).split("\n").length;
  return { place: `${page.path}:${line}`, language: aliases[word] ?? word, marks, text };
}

/** As GitHub makes them: letters, digits, `-` and `_` stay; what comes twice is numbered. */
function anchorsOf(headings: readonly Tokens.Heading[]): ReadonlySet<string> {
  const anchors = new Set<string>();
  for (const heading of headings) {
    const words = plainText(heading).toLowerCase();
    const anchor = words.replaceAll(/[^\p{L}\p{M}\p{N}\p{Pc}\- ]/gu, "").replaceAll(" ", "-");
    let unique = anchor;
    for (let number = 1; anchors.has(unique); number++) unique = `${anchor}-${number}`;
    anchors.add(unique);
  }
  return anchors;
}

function plainText(token: Token): string {
  if ("tokens" in token && token.tokens && token.tokens.length > 0) return token.tokens.map(plainText).join("");
  return "text" in token ? String(token.text) : "";
}

/** Every token, those within others included, in the order of the text. */
function all(tokens: readonly Token[]): readonly Token[] {
  return tokens.flatMap((token) => [token, ...all(within(token))]);
}

function within(token: Token): readonly Token[] {
  if (token.type === "table") {
    const { header, rows } = token as Tokens.Table;
    return [header, ...rows].flat().flatMap((cell) => cell.tokens);
  }
  if (token.type === "list") return (token as Tokens.List).items;
  return "tokens" in token ? (token.tokens ?? []) : [];
}

interface Types {
  readonly heading: Tokens.Heading;
  readonly link: Tokens.Link;
  readonly image: Tokens.Image;
  readonly code: Tokens.Code;
  readonly codespan: Tokens.Codespan;
}

function ofType<Type extends keyof Types>(tokens: readonly Token[], type: Type): readonly Types[Type][] {
  return tokens.filter((token) => token.type === type) as unknown as readonly Types[Type][];
}
