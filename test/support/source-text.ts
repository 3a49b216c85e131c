// Reads TypeScript as text, well enough to enforce rules on it: what is comment and what is string, what a file
// imports, and how long its functions are. It is no compiler: it knows the house's formatting, not the language.

/** One import, re-export or dynamic import. */
export interface Import {
  readonly line: number;
  /** `undefined`: computed at run time. */
  readonly specifier: string | undefined;
  /** True when nothing of it is left at run time: `import type`, `export type … from`, or a type by `import()`. */
  readonly isType: boolean;
}

/** One function, method or arrow. */
export interface FunctionSpan {
  readonly name: string;
  readonly line: number;
  readonly lines: number;
}

/**
 * The source with the insides of comments, strings, templates and regular expressions blanked out, of the same
 * length and with the same lines; quotes stay, and `${` and its `}` become parentheses.
 */
export function blanked(source: string): string {
  return new Blanker(source).run();
}

/** The line of an index, counted from 1. */
export function lineAt(source: string, index: number): number {
  let line = 1;
  for (let at = source.indexOf("\n"); at !== -1 && at < index; at = source.indexOf("\n", at + 1)) line += 1;
  return line;
}

/** Every import of a source, in the order of the text. */
export function importsOf(source: string): readonly Import[] {
  const code = blanked(source);
  const found: (Import & { readonly at: number })[] = [];
  const add = (at: number, quoteAt: number, isType: boolean) => {
    const quote = source[quoteAt] ?? "";
    const isText = quote === '"' || quote === "'" || quote === "`";
    const specifier = isText ? source.slice(quoteAt + 1, source.indexOf(quote, quoteAt + 1)) : undefined;
    const isComputed = specifier === undefined || (quote === "`" && specifier.includes("${"));
    found.push({ at, line: lineAt(source, at), specifier: isComputed ? undefined : specifier, isType });
  };
  for (const match of code.matchAll(
    /(?<![.\w$])(?:import|export)\b(\s+type\b(?!\s+from\b))?[\w$*,{}\s]*?\bfrom\s*(?=["'])/g,
  )) {
    add(match.index, match.index + match[0].length, match[1] !== undefined);
  }
  for (const match of code.matchAll(/(?<![.\w$])import\s*(?=["'])/g)) {
    add(match.index, match.index + match[0].length, false);
  }
  for (const match of code.matchAll(/(?<![.\w$])import\s*\(\s*/g)) {
    const quoteAt = match.index + match[0].length;
    const rest = code.slice(quoteAt);
    // `typeof import("x")` and `import("x").Name` are types; a promise has only these three members.
    const isType =
      /\btypeof\s+$/.test(code.slice(0, match.index)) ||
      /^(["'])\s*\1\s*\)\s*\.(?!then\b|catch\b|finally\b)/.test(rest);
    add(match.index, quoteAt, isType);
  }
  return found.sort((a, b) => a.at - b.at).map(({ line, specifier, isType }) => ({ line, specifier, isType }));
}

/** Every function of a source: from the line of its parameters to the line of its end, both counted. */
export function functionsOf(source: string): readonly FunctionSpan[] {
  const code = blanked(source);
  const closing = brackets(code);
  const spans: FunctionSpan[] = [];
  for (const [open, close] of closing) {
    if (code[open] !== "(") continue;
    const before = code.slice(Math.max(0, open - 100), open);
    const word = /([\w$#]+)\s*(?:<[^()]*>)?\s*$/.exec(before)?.[1] ?? "";
    if (controls.has(word)) continue;
    const end = endOfFunction(code, close + 1, closing);
    if (end === undefined) continue;
    const line = lineAt(code, open);
    spans.push({ name: nameless.test(word) ? "(arrow)" : word, line, lines: lineAt(code, end) - line + 1 });
  }
  return spans;
}

/** Words before parentheses that name no function. */
const nameless = /^(?:return|async|function|yield|)$/;
/** Words before parentheses and a brace that are no function. */
const controls = new Set(["if", "for", "while", "switch", "catch", "with", "await"]);

/** The index of a function's last character, when what follows its parameters is the rest of a function. */
function endOfFunction(code: string, from: number, closing: ReadonlyMap<number, number>): number | undefined {
  let at = skipBlank(code, from);
  if (code[at] === ":") {
    const afterType = endOfType(code, at + 1, closing);
    if (afterType === undefined) return undefined;
    at = afterType;
  }
  if (code.startsWith("=>", at)) {
    const body = skipBlank(code, at + 2);
    return code[body] === "{" ? closing.get(body) : endOfExpression(code, body, closing);
  }
  return code[at] === "{" ? closing.get(at) : undefined;
}

/** Where a return type ends: at the body's brace or the arrow; `undefined` when it was no return type. */
function endOfType(code: string, from: number, closing: ReadonlyMap<number, number>): number | undefined {
  let at = skipBlank(code, from);
  let hasOperand = false;
  let wasParenthesis = false;
  while (at < code.length) {
    const rest = code.slice(at, at + 60);
    const word = /^[\w$#.]+/.exec(rest)?.[0];
    const close = closing.get(at);
    if (hasOperand && (rest[0] === "{" || (rest.startsWith("=>") && !wasParenthesis))) return at;
    if (word !== undefined) {
      const isOperator = /^(?:keyof|readonly|typeof|infer|asserts|is|extends|unique)$/.test(word);
      if (hasOperand && !isOperator) return undefined;
      hasOperand = !isOperator;
      wasParenthesis = false;
      at += word.length;
    } else if (close !== undefined) {
      if (hasOperand && rest[0] === "(") return undefined;
      hasOperand = true;
      wasParenthesis = rest[0] === "(";
      at = close + 1;
    } else if (/^["'`]/.test(rest)) {
      hasOperand = true;
      at = code.indexOf(rest[0] ?? "", at + 1) + 1;
    } else if (/^(?:=>|[|&])/.test(rest)) {
      hasOperand = false;
      at += rest.startsWith("=>") ? 2 : 1;
    } else if (/^[<>,]/.test(rest) && (rest[0] !== "," || isInAngles(code, from, at))) {
      // Angles are not counted: what stands between them is read like the rest of the type.
      hasOperand = rest[0] === ">";
      at += 1;
    } else return undefined;
    at = skipBlank(code, at);
  }
  return undefined;
}

function isInAngles(code: string, from: number, to: number): boolean {
  const text = code.slice(from, to).replaceAll("=>", "");
  return text.split("<").length > text.split(">").length;
}

/** The last character of an arrow's expression, or of a function type that only looks like an arrow. */
function endOfExpression(code: string, from: number, closing: ReadonlyMap<number, number>): number {
  let at = from;
  while (at < code.length && !/[,;)\]}]/.test(code[at] ?? "")) {
    // No expression has a brace after a value: this is the body of a function whose result is a function.
    if (code[at] === "{" && /[\w$)\]}>"]\s*$/.test(code.slice(from, at)) && at > from) break;
    at = (closing.get(at) ?? at) + 1;
  }
  return code.slice(0, at).trimEnd().length - 1;
}

/** The index of the closing bracket of each opening one. */
function brackets(code: string): ReadonlyMap<number, number> {
  const closing = new Map<number, number>();
  const open: number[] = [];
  for (let at = 0; at < code.length; at++) {
    const character = code[at] ?? "";
    if ("([{".includes(character)) open.push(at);
    else if (")]}".includes(character)) {
      const start = open.pop();
      if (start !== undefined) closing.set(start, at);
    }
  }
  return closing;
}

function skipBlank(code: string, from: number): number {
  let at = from;
  while (/\s/.test(code[at] ?? "")) at += 1;
  return at;
}

/** Walks a source once, keeping code and blanking the rest. */
class Blanker {
  readonly #source: string;
  #at = 0;
  #code = "";
  /** Depths of braces within each `${`, innermost last. */
  readonly #holes: number[] = [];

  constructor(source: string) {
    this.#source = source;
  }

  run(): string {
    while (this.#at < this.#source.length) this.#step();
    return this.#code;
  }

  #step(): void {
    const two = this.#source.slice(this.#at, this.#at + 2);
    const one = two[0] ?? "";
    if (this.#at === 0 && two === "#!") return this.#blankTo(this.#lineEnd());
    if (two === "//") return this.#blankTo(this.#lineEnd());
    if (two === "/*") return this.#blankTo(this.#after("*/", this.#at + 2));
    if (one === '"' || one === "'") return this.#quoted(one);
    if (one === "`") return this.#template();
    if (one === "/" && this.#isRegex()) return this.#regex();
    const hole = this.#holes.length - 1;
    if (hole >= 0 && one === "{") this.#holes[hole] = (this.#holes[hole] ?? 0) + 1;
    if (hole >= 0 && one === "}") {
      const depth = this.#holes[hole] ?? 0;
      if (depth === 0) {
        this.#holes.pop();
        this.#put(")");
        return this.#templateText();
      }
      this.#holes[hole] = depth - 1;
    }
    this.#put(one);
  }

  #template(): void {
    this.#put("`");
    this.#templateText();
  }

  /** The text of a template up to its end or its next hole. */
  #templateText(): void {
    while (this.#at < this.#source.length) {
      const one = this.#source[this.#at];
      if (one === "`") return this.#put("`");
      if (one === "$" && this.#source[this.#at + 1] === "{") {
        this.#blankTo(this.#at + 1);
        this.#put("(");
        this.#holes.push(0);
        return;
      }
      this.#blankTo(this.#at + (one === "\\" ? 2 : 1));
    }
  }

  #quoted(quote: string): void {
    this.#put(quote);
    while (this.#at < this.#source.length && this.#source[this.#at] !== quote) {
      this.#blankTo(this.#at + (this.#source[this.#at] === "\\" ? 2 : 1));
    }
    this.#put(quote);
  }

  #regex(): void {
    this.#blankTo(this.#at + 1);
    let isInClass = false;
    while (this.#at < this.#source.length && (isInClass || this.#source[this.#at] !== "/")) {
      const one = this.#source[this.#at];
      if (one === "[") isInClass = true;
      if (one === "]") isInClass = false;
      this.#blankTo(this.#at + (one === "\\" ? 2 : 1));
    }
    this.#blankTo(this.#at + 1);
  }

  /** A slash divides after a value, and begins an expression after anything else. */
  #isRegex(): boolean {
    const before = this.#code.trimEnd();
    if (/(?:^|[^\w$.])(?:return|typeof|case|in|of|void|throw|new|do|else|yield|await)$/.test(before)) return true;
    return !/[\w$)\]}"'`]$/.test(before);
  }

  #put(character: string): void {
    this.#code += character;
    this.#at += 1;
  }

  #blankTo(end: number): void {
    this.#code += this.#source.slice(this.#at, end).replace(/[^\n]/g, " ");
    this.#at = Math.min(end, this.#source.length);
  }

  #lineEnd(): number {
    return this.#after("\n", this.#at) - 1;
  }

  #after(text: string, from: number): number {
    const found = this.#source.indexOf(text, from);
    return found === -1 ? this.#source.length + 1 : found + text.length;
  }
}
