// Promise: every fenced example of every document is what it looks like: TypeScript and JavaScript compile against the
// package's own types, scripts parse, JSON and YAML parse, documents fit their schema, and a configuration passes
// `partnerd check-config` (`…` in it stands for what is left out). A fence marked `fragment` is only looked at by people;
// there may be few of them.
import { execFile, spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, extname, join } from "node:path";
import { promisify } from "node:util";
import { Ajv2020 } from "ajv/dist/2020.js";
import { describe, expect, it, onTestFinished } from "vitest";
import { parseAllDocuments } from "yaml";
import { runCli } from "../../../src/cli/cli.js";
import { documentSchemas } from "../../../src/cli/schemas.js";
import { loadConfig } from "../../../src/config/load.js";
import { schema } from "../../../src/config/schema.js";
import { documents, type Fence, pageAt, pageOf, root } from "../../support/documents.js";

const fragmentsMax = 3;

const all = documents.flatMap((document) => pageAt(document).fences);
const checked = (...languages: readonly string[]) => checkedOf(all, ...languages);
const checkedOf = (fences: readonly Fence[], ...languages: readonly string[]) =>
  fences.filter(({ language, marks }) => languages.includes(language) && !marks.includes("fragment"));
/** The examples of a text, as they would stand in a document. */
const inPage = (text: string) => pageOf(text, "made-up.md").fences;

function folderOfTest(): string {
  const folder = mkdtempSync(join(tmpdir(), "partnerd-examples-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

describe("fences", () => {
  it("say what they are in", () => {
    expect(all.length).toBeGreaterThan(60);
    expect(all.filter(({ language }) => language === "").map(({ place }) => place)).toEqual([]);
  });

  it("are seldom fragments", () => {
    const fragments = all.filter(({ marks }) => marks.includes("fragment"));
    expect(fragments.length, fragments.map(({ place }) => place).join(", ")).toBeLessThanOrEqual(fragmentsMax);
  });
});

/** What the compiler has against examples, each a module of its own, in a project that has the package. */
async function compileErrors(fences: readonly Fence[]): Promise<readonly string[]> {
  const folder = folderOfTest();
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
  const places = fences.map(({ language, text, place }, index) => {
    const file = `example-${index}.${language === "ts" ? "mts" : "mjs"}`;
    writeFileSync(join(folder, file), `${text}\nexport {};\n`);
    return { file, place };
  });
  const compilerOptions = {
    ...{ module: "nodenext", target: "es2024", lib: ["es2024"], types: ["node"], strict: true, noEmit: true },
    ...{
      allowJs: true,
      checkJs: true,
      skipLibCheck: true,
      exactOptionalPropertyTypes: true,
      verbatimModuleSyntax: true,
    },
    paths: {
      partnerd: [join(root, "src/index.ts")],
      "partnerd/testkit": [join(root, "src/testkit/index.ts")],
    },
  };
  writeFileSync(join(folder, "package.json"), '{"type": "module"}');
  // createWorker leads to all of the daemon, and so to what only sources need.
  const include = ["example-*", join(root, "src/**/*.d.ts")];
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, include }));
  const tsc = join(root, "node_modules/typescript/bin/tsc");
  // It runs for a second or two: what it would spend on its garbage it may as well keep.
  const env = { ...process.env, GOGC: "400" };
  const said = await promisify(execFile)(process.execPath, [tsc, "-p", folder], { cwd: folder, env }).then(
    () => "",
    (error: { stdout?: string }) => error.stdout ?? String(error),
  );
  const told = said.split("\n").filter((line) => line.includes("error TS"));
  return told.map((line) => places.reduce((text, { file, place }) => text.replace(file, place), line));
}

describe("TypeScript and JavaScript", () => {
  it("compile under nodenext, strictly", async () => {
    expect(checked("ts", "js").length).toBeGreaterThan(5);
    expect(await compileErrors(checked("ts", "js"))).toEqual([]);
  }, 60_000);

  it("that do not are found, and named", async () => {
    const errors = await compileErrors(
      inPage(
        [
          '```ts\nimport { type Handler, succeded } from "partnerd";\n```',
          '```ts\nimport type { Handler } from "partnerd";\nexport const handler: Handler = () => ({ kind: "done" });\n```',
          '```js\n/** @type {import("partnerd").Handler} */\nexport const handler = (job) => job.nothing;\n```',
          '```ts\nimport { startEmulator } from "partnerd/testkit";\nexport const emulator = await startEmulator();\n```',
        ].join("\n\n"),
      ),
    );
    expect(errors.map((line) => /^(\S+)\(.*(TS\d+)/.exec(line)?.slice(1))).toEqual([
      ["made-up.md:1", "TS2724"],
      ["made-up.md:5", "TS2322"],
      ["made-up.md:10", "TS2339"],
    ]);
  }, 60_000);
});

/** What a shell says that only parses it. */
const shellErrors = (fences: readonly Fence[]) =>
  fences.flatMap(({ place, text }) => {
    const shell = text.startsWith("#!/bin/sh") ? "sh" : "bash";
    const { status, stderr } = spawnSync(shell, ["-n"], { input: text, encoding: "utf8" });
    return status === 0 ? [] : [`${place}: ${stderr.trim()}`];
  });

describe("scripts", () => {
  it("parse", () => {
    expect(checked("sh").length).toBeGreaterThan(20);
    expect(shellErrors(checked("sh"))).toEqual([]);
  });

  it("that do not are found", () => {
    const fences = inPage('```sh\necho "unfinished\n```\n\n```bash\nif true; do :; fi\n```\n\n```sh\nls\n```\n');
    expect(shellErrors(fences).map((error) => error.split(":", 2).join(":"))).toEqual(["made-up.md:1", "made-up.md:5"]);
  });
});

it("Python parses, where there is one", ({ skip }) => {
  skip(spawnSync("python3", ["--version"]).status !== 0);
  const parse = (text: string) =>
    spawnSync("python3", ["-c", "import ast, sys; ast.parse(sys.stdin.read())"], { input: text });
  expect(parse("def f(:").status).not.toBe(0);
  expect(checked("python", "py").filter(({ text }) => parse(text).status !== 0)).toEqual([]);
});

/** What is wrong with JSON: its form, or, if a mark names one, what its schema demands. */
async function jsonErrors({ text, marks, place }: Fence): Promise<readonly string[]> {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (error) {
    return [`${place}: ${error}`];
  }
  const [name] = marks;
  if (name === undefined) return [];
  const jsonSchema = documentSchemas[name];
  if (!jsonSchema) return [`${place}: no such schema: ${name}`];
  const ajv = new Ajv2020({ allErrors: true, strict: false, validateFormats: false });
  return ajv.validate(await jsonSchema(), document) ? [] : [`${place}: ${ajv.errorsText()}`];
}

describe("JSON", () => {
  it("parses, and fits the schema that it names", async () => {
    expect(checked("json").length).toBeGreaterThan(0);
    expect((await Promise.all(checked("json").map(jsonErrors))).flat()).toEqual([]);
  });

  it("that does not is found", async () => {
    const fences = inPage(
      '```json\n{"a": 1,}\n```\n\n```json job-document.v1\n{"version": 2}\n```\n\n```json no-such.v1\n{}\n```\n\n```json\n{}\n```\n',
    );
    const errors = (await Promise.all(fences.map(jsonErrors))).flat();
    expect(errors.map((error) => error.split(":", 2).join(":"))).toEqual([
      "made-up.md:1",
      "made-up.md:5",
      "made-up.md:9",
    ]);
  });
});

type Tree = Readonly<Record<string, unknown>>;

/** What is wrong with YAML: its form, or, for a configuration of ours, what `check-config` says. */
async function yamlErrors({ text, place }: Fence): Promise<readonly string[]> {
  const parts = parseAllDocuments(text, { uniqueKeys: true });
  const wrong = parts.flatMap(({ errors, warnings }) => [...errors, ...warnings]);
  if (wrong.length > 0) return wrong.map(({ message }) => `${place}: ${message}`);
  const [first] = parts.map((part) => part.toJS() as unknown);
  if (typeof first !== "object" || first === null || !Object.keys(first).some((key) => key in schema)) return [];
  const said = await saidOfConfiguration(first as Tree);
  return said === "" ? [] : [`${place}: ${said}`];
}

/** Checks a configuration, or a part of one, in a folder that has the files that it names. */
async function saidOfConfiguration(part: Tree): Promise<string> {
  const folder = folderOfTest();
  const document = JSON.stringify(completed(part), (key, value: unknown) => (key === "…" ? undefined : value));
  const placed = document.replaceAll(/"(\.{1,2}\/|\/)([\w./-]+)"/g, (_, start: string, rest: string) => {
    const path = start === "/" ? join("machine", rest) : join(rest);
    make(join(folder, path));
    return JSON.stringify(join(folder, path));
  });
  writeFileSync(join(folder, "partnerd.yaml"), placed);
  const io = { environment: {}, directory: folder };
  // Whom a command runs as is for the machine to know; the rest can be checked anywhere.
  if (/"user":/.test(document)) {
    const loaded = loadConfig({ ...io, files: ["partnerd.yaml"], overrides: [] });
    return loaded.then(({ warnings }) => warnings.map(({ what }) => what).join("\n"), String);
  }
  let said = "";
  const hear = (text: string) => {
    said += text;
  };
  await runCli(["check-config", "-c", "partnerd.yaml"], { ...io, out: () => {}, err: hear });
  return said.replaceAll(folder, "");
}

/** What a part of a configuration leaves out: action types for its handlers, handlers for its action types, tokens. */
function completed(part: Tree): Tree {
  const type = { provider: "Acme-Build", category: "Build", owner: "Custom", version: "1", handler: "main" };
  const main = { kind: "module", path: "./main.js" };
  // `{ provider: Acme-Build, …, weight: 2 }` is any action type with that weight.
  const given = ((part["actionTypes"] ?? []) as readonly Tree[]).map(({ "…": more, ...each }) =>
    more === undefined ? each : { ...type, ...each },
  );
  const named = given.map((each) => [String(each["handler"]), main]);
  const handlers = (part["handlers"] ?? (given.length > 0 ? Object.fromEntries(named) : { main })) as Tree;
  const actionTypes =
    given.length > 0
      ? given
      : Object.keys(handlers).map((handler, index) => ({ ...type, version: `${index}`, handler }));
  const isThirdParty = given.some((each) => each["owner"] === "ThirdParty");
  const clientTokens = { tokens: { "00000000-0000-4000-8000-000000000001": "a-token-of-a-customer" } };
  return { regions: ["us-east-1"], handlers, ...(isThirdParty && { clientTokens }), ...part, actionTypes };
}

/** A file of a kind that its name tells. */
function make(path: string): void {
  const name = path.split("/").at(-1) ?? "";
  mkdirSync(dirname(path), { recursive: true });
  if (/\.db$/.test(name)) return;
  const contents: readonly (readonly [RegExp, string])[] = [
    [
      /^\.[mc]?[jt]s$/,
      "export const handler = async () => ({ kind: 'succeeded' });\nexport const resolve = () => undefined;\n",
    ],
    [/^\.(ya?ml|json)$/, '{"00000000-0000-4000-8000-000000000001": "a-token-of-a-customer"}\n'],
    [/^\.(sh|py)$/, "#!/bin/sh\n"],
  ];
  const content = contents.find(([extension]) => extension.test(extname(name)))?.[1];
  const secret = /admin/.test(name) ? "a".repeat(32) : `whsec_${Buffer.alloc(32, name).toString("base64")}`;
  writeFileSync(path, content ?? `${secret}\n`);
  chmodSync(path, /\.(sh|py)$/.test(name) ? 0o700 : 0o600);
}

describe("YAML", () => {
  it.each(checked("yaml").map((fence) => [fence.place, fence] as const))(
    "%s parses; a configuration is right",
    async (_, fence) => {
      expect(await yamlErrors(fence)).toEqual([]);
    },
  );

  it("that is wrong is found", async () => {
    const fences = inPage(
      [
        "```yaml\nadmin: {port: 9464, port: 9465}\n```",
        "```yaml\nadmin: { prot: 9464 }\n```",
        "```yml\nhandlers:\n  a: { kind: module, path: ./a.js, command: [x] }\n```",
        '```yaml\nhandlers: { a: { kind: module, path: ./a.js } }\nactionTypes:\n  - { provider: A, category: Build, owner: Custom, version: "1", handler: nobody }\n```',
        "```yaml\nactionTypes:\n  - { provider: A, …, afterCrash: never }\n```",
        "```yaml\nactionTypes:\n  - { provider: A, afterCrash: rerun }\n```",
        "```yaml\nactionTypes:\n  - { provider: A, …, afterCrash: rerun }\n```",
        "```yaml\napiVersion: v1\nkind: Service\n```",
        "```yaml\nadmin: { port: 9464 }\n```",
      ].join("\n\n"),
    );
    const errors = (await Promise.all(fences.map(yamlErrors))).map((each) => each.join("\n"));
    expect(errors.map((error) => error !== "")).toEqual([...Array(6).fill(true), false, false, false]);
    expect(errors[1]).toContain("admin.prot");
  });
});
