import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { configFileMaxBytes, parseConfig, readConfigFile } from "../../../src/config/file.js";
import { describeMistake, Findings } from "../../../src/config/mistakes.js";
import { plain } from "../../../src/config/tree.js";
import { readTextFile } from "../../../src/std/text-file.js";
import { folder, least, mistakesOf, optionsFor } from "./support.js";

/** What a text holds, or the lines that say what is wrong with it. */
function parse(text: string, file = "a.yaml"): unknown {
  const findings = new Findings();
  const tree = parseConfig(text, { file, directory: "/" }, findings);
  const mistakes = findings.mistakes.map(describeMistake);
  return mistakes.length > 0 ? mistakes : tree && plain(tree);
}

describe("parseConfig", () => {
  it.each([
    [
      "a: 1\nb: [x, 'y']",
      [
        ["a", 1],
        ["b", ["x", "y"]],
      ],
    ],
    ['{"a": {"b": null}}', [["a", new Map([["b", null]])]]],
    [
      "a: yes\nb: 10:30\nc: 012\nd: off",
      [
        ["a", "yes"],
        ["b", "10:30"],
        ["c", 12],
        ["d", "off"],
      ],
    ],
    [
      "%YAML 1.1\n---\na: yes\nb: 10:30",
      [
        ["a", "yes"],
        ["b", "10:30"],
      ],
    ],
    ["\ufeffa: 1", [["a", 1]]],
    [
      "1: x\ntrue: y",
      [
        ["1", "x"],
        ["true", "y"],
      ],
    ],
    [
      "a: &x [1]\nb: *x",
      [
        ["a", [1]],
        ["b", [1]],
      ],
    ],
    [
      "a:\nb: ~",
      [
        ["a", null],
        ["b", null],
      ],
    ],
    [
      "a: 1\r\nb: 2\r\n",
      [
        ["a", 1],
        ["b", 2],
      ],
    ],
  ])("reads %j", (text, entries) => {
    expect(parse(text)).toEqual(new Map(entries as [string, unknown][]));
  });

  it.each([
    ["", ["a.yaml:1: the configuration file is empty; `partnerd init` writes one to start from"]],
    ["# nothing\n", ["a.yaml:1: the configuration file is empty; `partnerd init` writes one to start from"]],
    ["null", ["a.yaml:1: the configuration file is empty; `partnerd init` writes one to start from"]],
    [
      "- a",
      ["a.yaml:1: the configuration file holds a list instead of a map; `partnerd init` writes one to start from"],
    ],
    [
      "hello",
      [
        "a.yaml:1: the configuration file holds a single value instead of a map; `partnerd init` writes one to start from",
      ],
    ],
    ["a: 1\nb: 2\na: 3", ['a.yaml:3: the key "a" appears twice; keep one of the two']],
    ["a: {b: 1,\n  b: 2}", ['a.yaml:2: the key "b" appears twice; keep one of the two']],
    ["a:\n\t- b", ["a.yaml:2: a tab is used for indentation; use spaces"]],
    ["a: b: c", ["a.yaml:1: there is a second `: ` in one line; put the value in quotes, or on a line of its own"]],
    ["a: 1\n---\nb: 2", ["a.yaml:2: a second document starts here (---); keep one document in a file"]],
    ["a: !secret x", ["a.yaml:1: a tag (!…) is not understood; remove the tag, or put the value in quotes"]],
    ["a: *x", ['a.yaml:1: the alias "*x" has no anchor before it; define it first, with & before its name']],
    ["a: &x [*x]", ['a.yaml:1: the alias "*x" has no anchor before it; define it first, with & before its name']],
    ["? [1]\n: 2", ["a.yaml:1: a key is not a string; write `key: value`"]],
    ["~: 2", ["a.yaml:1: a key is not a string; write `key: value`"]],
    [
      "a: {{ .Values.x }}",
      ["a.yaml:1: this is a placeholder {{ … }}, and placeholders are not expanded; write the value"],
    ],
    ["a: b\nc d\ne: f", ["a.yaml:2: there is no `: ` in this line; write `key: value`, with a space after the colon"]],
    ["a: @b", ["a.yaml:1: a value starts with a character that YAML reserves; put it in quotes"]],
  ])("says where and what is wrong in %j", (text, mistakes) => {
    expect(parse(text)).toEqual(mistakes);
  });

  it("tells the first broken line only: the parser's next ones are its consequences", () => {
    expect(parse("a: |\n  x\n y")).toHaveLength(1);
    expect(parse("a: b: c\nd: e: f")).toEqual([expect.stringMatching(/^a\.yaml:1: /)]);
  });

  it.each([
    ['{"a": 1,}', 1],
    ["a: 1", 1],
    ["{'a': 1}", 1],
    ['{"a": 1} // note', 1],
  ])("refuses %j in a file named .json", (text) => {
    expect(parse(text, "a.json")).toEqual([expect.stringMatching(/^a\.json:1: /)]);
  });

  it("reads any JSON document as JSON does", () => {
    const key = fc.stringMatching(/^[a-zA-Z_][a-zA-Z0-9_]{0,8}$/).filter((name) => name !== "__proto__");
    const value = fc.letrec<{ any: unknown }>((tie) => ({
      any: fc.oneof(
        { depthSize: "small" },
        fc.string({ unit: "grapheme" }),
        fc.integer(),
        fc.boolean(),
        fc.constant(null),
        fc.array(tie("any"), { maxLength: 3 }),
        fc.dictionary(key, tie("any"), { maxKeys: 3, noNullPrototype: true }),
      ),
    })).any;
    fc.assert(
      fc.property(
        fc.dictionary(key, value, { maxKeys: 4, noNullPrototype: true }),
        fc.constantFrom("", " ", "\t"),
        (whole, indent) => {
          expect(parse(JSON.stringify(whole, null, indent), "a.json")).toEqual(asMaps(whole));
        },
      ),
    );
  });

  it("takes keys that would change a prototype as strange words", () => {
    const tree = parse('{"__proto__": {"polluted": true}, "constructor": {"prototype": 1}}');
    expect([...(tree as Map<string, unknown>).keys()]).toEqual(["__proto__", "constructor"]);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });

  it("never repeats what stands on a broken line", () => {
    const secret = "hunter2hunter2";
    for (const text of [
      `token: "${secret}`,
      `token: "\\q${secret}"`,
      `token: @${secret}`,
      `a: b: ${secret}`,
      `!${secret} x`,
    ]) {
      for (const file of ["a.yaml", "a.json"]) {
        const said = JSON.stringify(parse(text, file));
        expect(said).toMatch(/:1: /);
        expect(said).not.toContain(secret);
      }
    }
  });

  it("says something, and never throws, whatever the text is", () => {
    const snippet = fc.constantFrom(
      ":",
      "-",
      " ",
      "\n",
      "\t",
      "{",
      "}",
      "[",
      "]",
      "&a",
      "*a",
      "!x",
      '"',
      "'",
      "|",
      "a",
      "1",
      "#",
      "%",
      "?",
      ",",
      "\0",
      "<<",
    );
    fc.assert(
      fc.property(fc.array(snippet, { maxLength: 30 }), (parts) => {
        const result = parse(parts.join(""));
        expect(result instanceof Map || (Array.isArray(result) && result.length > 0)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });
});

describe("hostile texts", () => {
  it("refuses a few lines of aliases that stand for a billion values", () => {
    const lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"];
    for (let level = 1; level < 10; level++) lines.push(`a${level}: &a${level} [${`*a${level - 1}, `.repeat(10)}]`);
    expect(parse(lines.join("\n"))).toEqual([expect.stringContaining("holds too many values")]);
  });

  it("refuses deep nesting", () => {
    expect(parse(`a: ${"[".repeat(50)}${"]".repeat(50)}`)).toEqual([expect.stringContaining("nested too deeply")]);
    expect(parse("[".repeat(20_000))).toEqual(expect.arrayContaining([expect.stringContaining("nested too deeply")]));
  });

  it("reads as many keys as fit into a file without taking quadratic time", () => {
    const text = Array.from({ length: 40_000 }, (_, index) => `k${index}: 1`).join("\n");
    expect((parse(text) as Map<string, unknown>).size).toBe(40_000);
  });
});

describe("readConfigFile", () => {
  async function read(name: string, directory: string): Promise<readonly string[]> {
    const findings = new Findings();
    await readConfigFile(name, directory, findings);
    return findings.mistakes.map(describeMistake);
  }

  it("names a file that is not there", async () => {
    expect(await read("none.yaml", folder())).toEqual([
      "the configuration file none.yaml does not exist; check its name, and the folder it is relative to",
    ]);
  });

  it("names a folder given for a file", async () => {
    const directory = folder();
    mkdirSync(join(directory, "conf"));
    expect(await read("conf", directory)).toEqual(["the configuration file conf is a directory; name the file in it"]);
  });

  it("refuses a file that is too large, and takes one that just fits", async () => {
    const fits = `a: 1 #${"x".repeat(configFileMaxBytes - 6)}`;
    const directory = folder({ "fits.yaml": fits, "large.yaml": `${fits}x` });
    expect(await read("fits.yaml", directory)).toEqual([]);
    expect(await read("large.yaml", directory)).toEqual([expect.stringContaining("is larger than 1048576 bytes")]);
  });

  it("refuses what is not UTF-8", async () => {
    const directory = folder({ "a.yaml": Buffer.from([0xff, 0xfe, 0x61, 0x00]) });
    expect(await read("a.yaml", directory)).toEqual([expect.stringContaining("is not UTF-8 text")]);
  });

  it.skipIf(process.getuid?.() === 0)("names a file that it may not read", async () => {
    const directory = folder({ "a.yaml": "a: 1" });
    chmodSync(join(directory, "a.yaml"), 0);
    expect(await read("a.yaml", directory)).toEqual([expect.stringContaining("is not readable by this user")]);
  });

  it.each([
    ["UTF-16 without its mark", Buffer.from(least, "utf16le"), "holds NUL characters; save it as UTF-8"],
    ["a NUL in a comment", `# \0\n${least}`, "holds NUL characters"],
    ["lines that end in CR", `# a comment\n${least}`.replaceAll("\n", "\r"), "save it with LF line ends"],
    ["lines that end in NEL", least.replaceAll("\n", "\u0085"), "save it with LF line ends"],
  ])("refuses %s, and says how to save it", async (_what, content, message) => {
    const options = optionsFor(least, { files: { "odd.yaml": content } });
    expect(await mistakesOf({ ...options, files: ["odd.yaml"] })).toEqual([expect.stringContaining(message)]);
  });

  it.each([
    ["!!binary SGVsbG8=", "a tag (!…) is not understood"],
    ["!!timestamp 2001-12-14", "a tag (!…) is not understood"],
    ["!env ACME", "a tag (!…) is not understood"],
    ["*", "a * or & at the start of a value has a meaning in YAML; put the value in quotes"],
    ["*.example.com", "the alias"],
    ["&", "a * or & at the start of a value has a meaning in YAML; put the value in quotes"],
  ])("explains the value %s", async (value, message) => {
    expect(await mistakesOf(optionsFor(`aws:\n  appId: ${value}\n${least}`))).toEqual([
      expect.stringContaining(message),
    ]);
  });

  it.each([
    [`regions: us-east-1, eu-west-1`, "write [us-east-1, eu-west-1]"],
    [`regions: us-east-1 eu-west-1`, "write [us-east-1, eu-west-1]"],
    [`regions: everywhere, else`, "write [first, second]"],
    ["aws: { appId: \u201cshop\u201d }", 'write "shop"'],
  ])("knows what was meant by %s", async (line, remedy) => {
    const text = least.replace(/^regions.*\n/, line.startsWith("regions") ? "" : "$&");
    expect(await mistakesOf(optionsFor(`${line}\n${text}`))).toEqual([expect.stringContaining(remedy)]);
  });

  it("refuses a device, and links that run in a circle", async () => {
    expect(await read("/dev/zero", "/")).toEqual([expect.stringContaining("is not a file")]);
    const directory = folder();
    symlinkSync("a.yaml", join(directory, "a.yaml"));
    expect(await read("a.yaml", directory)).toEqual([expect.stringContaining("cannot be read (ELOOP)")]);
  });

  it("does not wait for a pipe that nobody will ever write to", async () => {
    const directory = folder();
    execFileSync("mkfifo", [join(directory, "pipe")]);
    expect(await read("pipe", directory)).toEqual([expect.stringContaining("is empty")]);
    expect(await readTextFile(join(directory, "pipe"), 10)).toBe("");
  });
});

function asMaps(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(asMaps);
  if (typeof value !== "object" || value === null) return value;
  return new Map(Object.entries(value).map(([key, each]) => [key, asMaps(each)]));
}
