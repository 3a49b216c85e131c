// Where a YAML text breaks, as a person sees it: its parser names the line where it could not continue, which is often
// another one. Looked at only once the parser has failed. Never shows a value: it may be a secret.

/** What is wrong with one line, counted from 1. */
export interface Breakage {
  readonly line: number;
  readonly what: string;
  readonly remedy: string;
}

/** `key:` at the start of a line, behind any dashes; a value may follow. */
const keyLine = /^((?:- +)*)("[^"]*"|'[^']*'|[^\s#:'"[\]{}][^#:]*?)[ \t]*:(?:\s+(.*))?$/;
/** The value continues in the lines below, indented. */
const opensBlock = /^(?:[&!]\S+\s*)*(?:[|>][0-9+-]*)?\s*(?:#.*)?$/;
const blockText = /^(?:[&!]\S+\s+)*[|>][0-9+-]*\s*(?:#.*)?$/;
/** Longer lines were not written by a person. */
const lineMax = 2_000;
const noColon = ["there is no `: ` in this line", "write `key: value`, with a space after the colon"] as const;
/** Lines shown before and after the one that is wrong. */
const around = 1;

/** Where a person sees the text break, for the first error that its parser reported. */
export function breakageOf(
  text: string,
  error: { readonly line: number; readonly code?: string | undefined },
): Breakage {
  const seen = breakageIn(text);
  // A parser may report the line after the mistake; further down, it is another mistake.
  if (seen && seen.line <= error.line + 1) return seen;
  const [what, remedy] = syntaxWords(error.code);
  return { line: error.line, what, remedy };
}

/** What keeps a text from being taken apart into lines at all; the end of the sentence `the file …`. */
export function strangeText(text: string): { readonly what: string; readonly remedy: string } | undefined {
  // UTF-16 without its mark is valid UTF-8.
  if (text.includes("\0")) {
    return { what: "holds NUL characters", remedy: "save it as UTF-8; it may be UTF-16, or no text at all" };
  }
  // YAML's parser knows LF and CR LF; with others all of the file is one line, and often one comment.
  if (text.includes("\n") || !/[\r\u0085\u2028\u2029]/.test(text.trim())) return undefined;
  return { what: "has lines that end neither in LF nor in CR LF", remedy: "save it with LF line ends" };
}

/** What an error code of the package `yaml` means, and what to do. */
export function syntaxWords(code: string | undefined): Words {
  return words.get(code ?? "") ?? ["this is not YAML", "look at this line and the one before"];
}

const starOrAnd = ["a * or & at the start of a value has a meaning in YAML", "put the value in quotes"] as const;

type Words = readonly [what: string, remedy: string];

const words: ReadonlyMap<string, Words> = new Map<string, Words>([
  ["ALIAS_PROPS", starOrAnd],
  ["BAD_ALIAS", starOrAnd],
  ["BAD_DIRECTIVE", ["a line that starts with % is not understood", "remove it"]],
  ["BAD_DQ_ESCAPE", ["a \\ in a text in double quotes starts an unknown escape", "write \\\\ or use single quotes"]],
  [
    "BAD_INDENT",
    ["the indentation is wrong, or a bracket is not closed", "indent the keys of one map equally, with spaces"],
  ],
  ["BAD_SCALAR_START", ["a value starts with a character that YAML reserves", "put it in quotes"]],
  ["BLOCK_AS_IMPLICIT_KEY", ["there is a second `: ` in one line", "put the value in quotes, or on a line of its own"]],
  ["BLOCK_IN_FLOW", ["there is a second `: ` before the next comma", "put the value in quotes, or add a comma"]],
  ["KEY_OVER_1024_CHARS", ["a key is longer than 1,024 characters", "look for a missing line break before this colon"]],
  ["MISSING_CHAR", ["a character is missing: a closing quote or bracket, a comma, or the colon after a key", "add it"]],
  ["MULTILINE_IMPLICIT_KEY", noColon],
  ["MULTIPLE_DOCS", ["a second document starts here (---)", "keep one document in a file"]],
  ["RESOURCE_EXHAUSTION", ["the text is nested too deeply", "is it the right file?"]],
  ["TAB_AS_INDENT", ["a tab is used for indentation", "use spaces"]],
  ["TAG_RESOLVE_FAILED", ["a tag (!…) is not understood", "remove the tag, or put the value in quotes"]],
  [
    "UNEXPECTED_TOKEN",
    ["there is unexpected text in this line", "quote the value, or write each list item on a line of its own"],
  ],
]);

/** The first line that its indentation, a tab or an open bracket or quote makes wrong; `undefined`: none is seen. */
export function breakageIn(text: string): Breakage | undefined {
  const lines = text.split(/\r?\n/);
  const levels = [0];
  /** The text of `|` and `>` ends with the first line that is indented no more than this. */
  let textOf: number | undefined;
  let before = "";
  for (const [index, line] of lines.entries()) {
    if (/^\s*(#|$)/.test(line) || /^(---|\.\.\.|%)/.test(line)) continue;
    if (line.length > lineMax) return undefined;
    const indent = /^ */.exec(line)?.[0].length ?? 0;
    if (textOf !== undefined && indent > textOf) continue;
    textOf = undefined;
    const rest = line.slice(indent);
    const at = (what: string, remedy: string) => ({ line: index + 1, what, remedy });
    if (rest.startsWith("\t")) return at("a tab is used for indentation", "use spaces");
    const wrong = indentationFault(rest, indent, levels, before);
    if (wrong) return at(wrong, "indent keys that belong together by the same number of spaces");
    const isKeyAwaited = indent === levels.at(-1) && keyLine.test(before) && /^[A-Za-z_]/.test(rest);
    if (isKeyAwaited && !keyLine.test(rest)) return at(...noColon);
    const [, dashes = "", , value = ""] = keyLine.exec(rest) ?? [];
    const behindDashes = dashes || (/^(- +)*/.exec(rest)?.[0] ?? "");
    for (let column = 2; column <= behindDashes.length; column++) {
      if (behindDashes[column - 1] === " " && behindDashes[column] !== " ") levels.push(indent + column);
    }
    const open = openEnd(keyLine.test(rest) ? value : rest.slice(behindDashes.length));
    // What a bracket or a quote holds over several lines follows its own rules.
    if (open) return isClosedBeforeKey(lines, index, levels.at(-1) ?? 0) ? undefined : at(...open);
    if (blockText.test(keyLine.test(rest) ? value : rest.slice(behindDashes.length))) textOf = levels.at(-1) ?? indent;
    before = rest;
  }
  return undefined;
}

/** The lines around one that is wrong, numbered; of each line only how far it is indented, its dashes and its key. */
export function excerptOf(text: string, line: number): readonly string[] {
  const lines = text.split(/\r?\n/);
  const first = Math.max(1, line - around);
  const shown = lines.slice(first - 1, line + around);
  const width = String(first + shown.length - 1).length;
  return shown.map((each, index) => {
    const number = first + index;
    return `${number === line ? "> " : "  "}${String(number).padStart(width)} | ${withoutValue(each)}`.trimEnd();
  });
}

function withoutValue(line: string): string {
  const [, blank = "", dashes = "", key = "", value = ""] =
    /^(\s*)((?:- +)*)(?:([A-Za-z_][\w.-]{0,40}:)(?=\s|$))?(.*)$/s.exec(line) ?? [];
  const rest = value.trim() === "" ? "" : key === "" ? "…" : " …";
  return `${blank.slice(0, 80).replaceAll("\t", "→")}${dashes}${key}${rest}`;
}

/** What is wrong with the indentation of a line; `levels` become those that it leaves open. */
function indentationFault(rest: string, indent: number, levels: number[], before: string): string | undefined {
  const deepest = levels.at(-1) ?? 0;
  if (indent > deepest) {
    const [, , key, value = ""] = keyLine.exec(before) ?? [];
    const isOpen = before === "" || opensBlock.test(key === undefined ? before.replace(/^(- *)*/, "") : value);
    if (isOpen) levels.push(indent);
    // A text may continue in the next line; a key may not stand there.
    else if (keyLine.test(rest) || rest.startsWith("- ")) {
      return `this line is indented by ${spaces(indent)}, more than the line before it, which has its value already`;
    }
    return undefined;
  }
  while ((levels.at(-1) ?? 0) > indent) levels.pop();
  if (levels.at(-1) === indent) return undefined;
  return `this line is indented by ${spaces(indent)}, and none of the lines above that it could belong to is`;
}

function spaces(number: number): string {
  return `${number} space${number === 1 ? "" : "s"}`;
}

/** How a value is left open at the end of its line. */
function openEnd(value: string): [what: string, remedy: string] | undefined {
  const brackets: string[] = [];
  for (let at = 0; at < value.length; at++) {
    const character = value[at] ?? "";
    const isAtStart = at === 0 || /[\s,[{:]/.test(value[at - 1] ?? "");
    if (character === "#" && isAtStart) break;
    if ((character === '"' || character === "'") && isAtStart) {
      const end = quoteEnd(value, at);
      if (end === undefined) return ["the quote that starts in this line is not closed", `add ${character}`];
      at = end;
    } else if ("[{".includes(character) && (brackets.length > 0 || value.slice(0, at).trim() === "")) {
      brackets.push(character);
    } else if ("]}".includes(character)) brackets.pop();
  }
  const [first] = brackets;
  if (first === undefined) return undefined;
  return [`the ${first} in this line is not closed`, `add ${first === "[" ? "]" : "}"}`];
}

function quoteEnd(value: string, start: number): number | undefined {
  const mark = value[start];
  for (let at = start + 1; at < value.length; at++) {
    if (value[at] === "\\" && mark === '"') at++;
    else if (value[at] === mark && mark === "'" && value[at + 1] === mark) at++;
    else if (value[at] === mark) return at;
  }
  return undefined;
}

/** Whether what a line leaves open may well end before the next key that is indented no more than it. */
function isClosedBeforeKey(lines: readonly string[], index: number, level: number): boolean {
  for (const line of lines.slice(index + 1)) {
    const indent = /^\s*/.exec(line)?.[0].length ?? 0;
    if (/^\s*["'\]}]/.test(line)) return true;
    if (indent <= level && line.length <= lineMax && keyLine.test(line.trim())) return false;
    if (/["'\]}]/.test(line)) return true;
  }
  return false;
}
