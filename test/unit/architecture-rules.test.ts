// Shows of every house rule that it finds what breaks it, and lets pass what only looks so.
import { describe, expect, it } from "vitest";
import {
  beginsWithItsPurpose,
  circlesIn,
  doesNotPrint,
  endsNoProcess,
  hasNoDefaultExport,
  hasShortFunctions,
  importsOnlyPackagesOfItsRow,
  importsOnlyWhatItsRowAllows,
  isShort,
  keepsNoState,
  type Rule,
  warningsAbout,
} from "./architecture-rules.js";

describe("each rule", () => {
  const head = "// What it is.\n";
  const body = (lines: number) => "  x();\n".repeat(lines - 2);

  it.each<readonly [string, Rule, string, string, string]>([
    [
      "a value from elsewhere",
      importsOnlyWhatItsRowAllows,
      "engine/a.ts",
      'import { X } from "../config/load.js";',
      ":2 imports config/load.ts; engine may import job, std, ",
    ],
    [
      "a type from elsewhere",
      importsOnlyWhatItsRowAllows,
      "engine/a.ts",
      'import type { X } from "../config/config.js";',
      ":2 imports config/config.ts",
    ],
    [
      "an implementation",
      importsOnlyWhatItsRowAllows,
      "engine/a.ts",
      'import { X } from "../ledger/sqlite/sqlite-ledger.js";',
      ":2 imports ledger/sqlite/sqlite-ledger.ts",
    ],
    [
      "a value where types may be",
      importsOnlyWhatItsRowAllows,
      "codepipeline/a.ts",
      'import { X } from "../tokens/tokens.js";',
      ":2 imports more than types (`import type`) of tokens/tokens.ts",
    ],
    [
      "a type among values",
      importsOnlyWhatItsRowAllows,
      "codepipeline/a.ts",
      'import { type X } from "../tokens/tokens.js";',
      "more than types",
    ],
    [
      "an import over many lines",
      importsOnlyWhatItsRowAllows,
      "job/a.ts",
      'import {\n  a,\n  b,\n} from\n  "../std/clock.js";',
      ":2 imports std/clock.ts; job may import nothing",
    ],
    [
      "a re-export",
      importsOnlyWhatItsRowAllows,
      "job/a.ts",
      'export * from "../std/clock.js";',
      ":2 imports std/clock.ts",
    ],
    [
      "a dynamic import",
      importsOnlyWhatItsRowAllows,
      "std/a.ts",
      'const x = await import("../job/job.js");',
      ":2 imports job/job.ts",
    ],
    [
      "an import for its effects",
      importsOnlyWhatItsRowAllows,
      "std/a.ts",
      'import "../job/job.js";',
      ":2 imports job/job.ts",
    ],
    [
      "the daemon",
      importsOnlyWhatItsRowAllows,
      "admin/a.ts",
      'import { Daemon } from "../compose/daemon.js";',
      ":2 imports compose/daemon.ts",
    ],
    [
      "a folder without a row",
      importsOnlyWhatItsRowAllows,
      "utils/a.ts",
      "",
      "src/utils/a.ts: utils has no row in the import table",
    ],
    [
      "a name that begins like an allowed one",
      importsOnlyWhatItsRowAllows,
      "tokens/a.ts",
      'import { X } from "../jobs/a.js";',
      ":2 imports jobs/a.ts",
    ],
    [
      "an SDK",
      importsOnlyPackagesOfItsRow,
      "tokens/token-file.ts",
      'import type { X } from "@aws-sdk/client-s3";',
      "an SDK may be known only in codepipeline/",
    ],
    [
      "a package that its folder must not know",
      importsOnlyPackagesOfItsRow,
      "engine/a.ts",
      'import pino from "pino";',
      ":2 imports pino; engine may import no package",
    ],
    [
      "Node in a pure folder",
      importsOnlyPackagesOfItsRow,
      "job/a.ts",
      'import { x } from "node:fs";',
      ":2 imports node:fs; job may not",
    ],
    [
      "a development package",
      importsOnlyPackagesOfItsRow,
      "cli/a.ts",
      'import { x } from "pino-pretty";',
      "package.json does not declare",
    ],
    [
      "a computed import",
      importsOnlyPackagesOfItsRow,
      "cli/a.ts",
      "await import(name);",
      ":2 imports what is known only at run time",
    ],
    [
      "a computed template",
      importsOnlyPackagesOfItsRow,
      "cli/a.ts",
      `await import(\`./\${name}.js\`);`,
      ":2 imports what is known only at run time",
    ],
    ["a file too long", isShort, "cli/a.ts", "x();\n".repeat(299), "src/cli/a.ts has 301 lines (more than 300)"],
    [
      "a function too long",
      hasShortFunctions,
      "cli/a.ts",
      `function f(x: number): void {\n${body(61)}}`,
      ":2 f has 61 lines",
    ],
    [
      "a method too long",
      hasShortFunctions,
      "cli/a.ts",
      `class A {\nasync #m(): Promise<{ a: 1 }> {\n${body(61)}}\n}`,
      ":3 #m has 61 lines",
    ],
    [
      "an arrow too long",
      hasShortFunctions,
      "cli/a.ts",
      `const f = (x) => {\n${body(61)}};`,
      ":2 (arrow) has 61 lines",
    ],
    [
      "an arrow's expression too long",
      hasShortFunctions,
      "cli/a.ts",
      `const f = (x) => ({\n${"  a: 1,\n".repeat(59)}});`,
      ":2 (arrow) has 61 lines",
    ],
    ["no first comment", beginsWithItsPurpose, "cli/a.ts", "", "does not begin with a comment"],
    [
      "a first comment too long",
      beginsWithItsPurpose,
      "cli/a.ts",
      "// a\n".repeat(5),
      "begins with 6 lines of comment",
    ],
    ["an end of the process", endsNoProcess, "cli/a.ts", "if (x) process.exit(1);", ":2 ends the process"],
    ["an imported end", endsNoProcess, "cli/a.ts", 'import { exit } from "node:process";', ":2 ends the process"],
    ["a default export", hasNoDefaultExport, "cli/a.ts", "export default class A {}", ":2 has a default export"],
    ["a renamed default export", hasNoDefaultExport, "cli/a.ts", "export { a as default };", ":2 has a default export"],
    ["a print", doesNotPrint, "engine/a.ts", 'console.log("x");', ":2 prints by console"],
    ["state in a module", keepsNoState, "engine/a.ts", "let count = 0;", ":2 keeps state in the module"],
  ])("finds %s", (what, rule, path, source, expected) => {
    const text = what === "no first comment" ? "export {};\n" : `${head}${source}\n`;
    const found = rule({ path, source: text });
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(expected);
    expect(found[0]).toContain(`src/${path}`);
  });

  it.each<readonly [string, Rule, string, string]>([
    [
      "types where types may be",
      importsOnlyWhatItsRowAllows,
      "codepipeline/a.ts",
      'import type { X } from "../tokens/tokens.js";',
    ],
    [
      "a type by import()",
      importsOnlyWhatItsRowAllows,
      "codepipeline/a.ts",
      'type X = import("../tokens/tokens.js").ClientTokens;',
    ],
    [
      "an import in a comment",
      importsOnlyWhatItsRowAllows,
      "job/a.ts",
      '// import { x } from "../std/clock.js";\n/* import "../cli/cli.js" */',
    ],
    [
      "an import in a text",
      importsOnlyWhatItsRowAllows,
      "job/a.ts",
      "const x = 'import { x } from \"../std/clock.js\"';",
    ],
    ["a contract", importsOnlyWhatItsRowAllows, "engine/a.ts", 'import { LedgerError } from "../ledger/ledger.js";'],
    ["its own folder", importsOnlyWhatItsRowAllows, "ledger/a.ts", 'export { x } from "./b.js";'],
    [
      "an SDK in its place",
      importsOnlyPackagesOfItsRow,
      "codepipeline/a.ts",
      'import { X } from "@aws-sdk/client-codepipeline";',
    ],
    ["a function of the limit", hasShortFunctions, "cli/a.ts", `function f(): void {\n${body(60)}}`],
    [
      "a long class of short methods",
      hasShortFunctions,
      "cli/a.ts",
      `class A {\n${"m(): void {\nx();\n}\n".repeat(40)}}`,
    ],
    [
      "a long block that is no function",
      hasShortFunctions,
      "cli/a.ts",
      `for await (const x of y) {\n${body(80)}}\nif (a(b)) {\n${body(80)}}`,
    ],
    ["a long ternary of objects", hasShortFunctions, "cli/a.ts", `const x = a ? f(b) : {\n${"  a: 1,\n".repeat(80)}};`],
    ["the end of the process in main", endsNoProcess, "main.ts", "process.exit(1);"],
    ["an exit code", endsNoProcess, "cli/a.ts", "process.exitCode = 1;"],
    ["prints in cli", doesNotPrint, "cli/a.ts", "console.log(1);"],
    [
      "a print in a text",
      doesNotPrint,
      "engine/a.ts",
      `const hint = \`use console.log(\${x.map((y) => \`console.\${y}\`)})\`;`,
    ],
    ["state in a function", keepsNoState, "engine/a.ts", "function f() {\n  let x = 1;\n}"],
  ])("lets pass %s", (_what, rule, path, source) => {
    expect(rule({ path, source: `${head}${source}\n` })).toEqual([]);
  });
});

describe("circles of imports", () => {
  const file = (path: string, ...imports: readonly string[]) => ({ path, source: imports.join("\n") });
  const leaf = 'export const x = 1; // import "./a.js"';

  it.each([
    ["of two files", file("a.ts", 'import { x } from "./b.js";'), file("b.ts", 'import { y } from "./a.js";')],
    [
      "of types alone",
      file("a.ts", 'import type { X } from "./b.js";'),
      file("b.ts", 'export type { Y } from "./a.js";'),
    ],
    ["by a late import", file("a.ts", 'await import("./b.js");'), file("b.ts", 'import "./a.js";')],
  ])("are found %s", (_what, a, b) => {
    expect(circlesIn([file("top.ts", 'import "./a.js";'), a, b])).toEqual(["a.ts → b.ts → a.ts"]);
  });

  it("are found over folders, each once", () => {
    const files = [
      file("engine/a.ts", 'import { b } from "../job/b.js";'),
      file("job/b.ts", 'import "../std/c.js"; import "./d.js";'),
      file("job/d.ts", 'import "./d.js";'),
      file("std/c.ts", 'import { a } from "../engine/a.js";'),
    ];
    expect(circlesIn(files)).toEqual(["engine/a.ts → job/b.ts → std/c.ts → engine/a.ts", "job/d.ts → job/d.ts"]);
  });

  it("are none where several import the same file", () => {
    const files = [
      file("a.ts", 'import "./b.js"; import "./c.js";'),
      file("b.ts", 'import "./c.js";'),
      file("c.ts", leaf),
    ];
    expect(circlesIn(files)).toEqual([]);
  });
});

it("warns of long files and of names that stand more than once, but for the exports of the package", () => {
  const file = (path: string, lines = 9) => ({ path, source: "x();\n".repeat(lines) });
  const files = [
    file("a/one.ts", 301),
    file("b/one.ts", 300),
    file("index.ts"),
    file("testkit/index.ts"),
    file("a.ts"),
  ];
  expect(warningsAbout(files)).toEqual([
    "src/a/one.ts has 301 lines (more than 300): is it about two things?",
    "src/a/one.ts, b/one.ts have the same name: which is which?",
  ]);
});
