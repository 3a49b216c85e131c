// The reader that the house rules stand on: what it takes for code, and how it measures functions.
import { globSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { blanked, functionsOf } from "../support/source-text.js";

describe("the reader of sources", () => {
  const src = fileURLToPath(new URL("../../src/", import.meta.url));

  it("keeps every file's length, lines and pairs of brackets", () => {
    const odd = globSync("**/*.ts", { cwd: src }).filter((path) => {
      const source = readFileSync(`${src}${path}`, "utf8");
      const code = blanked(source);
      const count = (brackets: string) => [...code].filter((character) => brackets.includes(character)).length;
      const isWhole = code.length === source.length && code.split("\n").length === source.split("\n").length;
      return !isWhole || ["()", "[]", "{}"].some(([open = "", close = ""]) => count(open) !== count(close));
    });
    expect(odd).toEqual([]);
  });

  it.each<readonly [string, string, string]>([
    ["a comment", "a // b {\nc", "a       \nc"],
    ["a long comment", "a /* ( \n { */ b", "a      \n      b"],
    ["a comment in a text", 'a("//b") + c', 'a("   ") + c'],
    ["a quote in a text", 'a("\\"{") + c', 'a("   ") + c'],
    ["a regular expression", "a(/[/{]\\/}/g, b / c / d)", "a(         g, b / c / d)"],
    ["a template in a template", `\`a\${b(\`{\${c}\`)}{\``, "`  (b(`  (c)`)) `"],
    ["an object in a template", `\`\${{ a: 1 }.a}\``, "` ({ a: 1 }.a)`"],
  ])("blanks %s and nothing else", (_what, source, expected) => {
    expect(blanked(source)).toHaveLength(source.length);
    expect(blanked(source)).toBe(expected);
  });

  it("measures functions of every make from their parameters to their end", () => {
    const source = [
      "export function plain<T>(a: T): asserts a is T & { b: () => void } {",
      "}",
      "class A {",
      "  get b(): string {",
      "    return c;",
      "  }",
      "  constructor(",
      "    private readonly x: number,",
      "  ) {",
      "  }",
      "}",
      "const d = async (e: number): Promise<Map<string, { f: 1 }[]>> => {",
      "};",
      "const g = (h: number) =>",
      "  i(h, {",
      "  });",
      "function j(): (k: number) => void {",
      "}",
      "declare function l(m: number): void;",
    ].join("\n");
    expect(
      functionsOf(source)
        .map(({ name, line, lines }) => `${line} ${name} ${lines}`)
        .sort(),
    ).toEqual(
      [
        "1 plain 2",
        "1 (arrow) 1",
        "4 b 3",
        "7 constructor 4",
        "12 (arrow) 2",
        "14 (arrow) 3",
        "17 j 2",
        "17 (arrow) 1",
      ].sort(),
    );
  });
});
