// A YAML text that does not parse: one mistake, at the line that a person would correct, with the lines around it.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseConfig } from "../../../src/config/file.js";
import { Findings } from "../../../src/config/mistakes.js";
import { breakageIn, excerptOf } from "../../../src/std/broken-yaml.js";

const example = readFileSync(fileURLToPath(new URL("../../../config/example.yaml", import.meta.url)), "utf8");

function mistakesOf(text: string) {
  const findings = new Findings();
  parseConfig(text, { file: "a.yaml", directory: "/" }, findings);
  return findings.mistakes;
}

const head = "regions: [us-east-1]\nactionTypes:\n  - provider: Acme\n    category: Test\n";

describe("a YAML text that is broken", () => {
  it.each([
    ["a tab", `${head}\towner: Custom\n    version: "1"\n`, 5, /tab/],
    ["a tab behind spaces", `${head}  \towner: Custom\n`, 5, /tab/],
    ["tabs everywhere", "a:\n\tb:\n\t\tc: 1\n\t\td: 2\n", 2, /tab/],
    ["an outdented key", `${head}   owner: Custom\n    version: "1"\n`, 5, /indented by 3 spaces, and none/],
    ["a key indented too far", `${head}      owner: Custom\n    version: "1"\n`, 5, /indented by 6 spaces, more than/],
    ["a key indented too little at the top", `${head}\n handlers:\n  h: x\n`, 6, /indented by 1 space, and none/],
    ["a list item between two levels", "a:\n  - b: 1\n - c: 2\n", 3, /indented by 1 space, and none/],
    ["an open bracket", "regions: [us-east-1\nactionTypes:\n  - a: b\n", 1, /the \[ in this line is not closed/],
    ["an open brace", "handlers: { h: { kind: module }\nlog: { level: info }\n", 1, /the \{ in this line/],
    ["an open quote", `log:\n  level: "info\n  format: json\n`, 2, /the quote that starts in this line/],
    ["a key without its colon", `${head}    owner Custom\n`, 5, /no `: ` in this line/],
    ["a colon without its space", `${head}    owner:Custom\n`, 5, /no `: ` in this line/],
    ["two values in a line", "a: 1\nb: c: d\n", 2, /second `: `/],
  ])("%s", (_, text, line, what) => {
    const mistakes = mistakesOf(text);
    expect(mistakes).toEqual([expect.objectContaining({ where: `a.yaml:${line}`, what: expect.stringMatching(what) })]);
    expect(mistakes[0]?.excerpt?.find((each) => each.startsWith("> "))).toMatch(new RegExp(`^> *${line} \\|`));
  });

  it("names the line of one wrong indentation in the example, wherever it is", () => {
    const lines = example.split("\n");
    const keys = lines.flatMap((line, at) => (/^ +(- )?[a-z]\w*: /i.test(line) ? [at] : []));
    fc.assert(
      fc.property(fc.constantFrom(...keys), fc.constantFrom("\t", " "), (at, more) => {
        const text = lines.with(at, `${more}${lines[at]}`).join("\n");
        const [mistake] = mistakesOf(text);
        // A first key may be moved alone without harm to the syntax; then the next line is the wrong one.
        if (mistake) expect([at + 1, at + 2].map((line) => `a.yaml:${line}`)).toContain(mistake.where);
        else expect(more).toBe(" ");
      }),
    );
  });

  it("shows the lines around it by their keys alone", () => {
    const text = 'token: hunter2\nenv: { A: "hunter2" }\n\t- hunter2 hunter2\nhunter2hunter2\n';
    expect(excerptOf(text, 3)).toEqual(["  2 | env: …", "> 3 | →- …", "  4 | …"]);
    expect(excerptOf(text, 1)).toEqual(["> 1 | token: …", "  2 | env: …"]);
  });

  it("is found nowhere in a text that is whole, and takes no time over nonsense", () => {
    expect(breakageIn(example)).toBeUndefined();
    const block =
      "a: |\n  text: x\n   \tmore\n    b: c\nd:\n- e: 1\n  f: >-\n    g: h\n- i\nj: [1,\n  2]\nk: 'it''s'\n";
    expect(breakageIn(block)).toBeUndefined();
    for (const nonsense of [" ", "a", "- ", "[", '"', ": "]) breakageIn(nonsense.repeat(500_000));
    fc.assert(fc.property(fc.string(), (text) => void breakageIn(text)));
  });
});
