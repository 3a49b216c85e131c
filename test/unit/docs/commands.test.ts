// Promise: every command, option, npm script, setting, variable and metric that a document names exists.
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { beforeAll, describe, expect, it } from "vitest";
import { metricsTable } from "../../../src/admin/metrics-table.js";
import { runCli } from "../../../src/cli/cli.js";
import { describeEmulator } from "../../../src/cli/emulator-command.js";
import { schema } from "../../../src/config/schema.js";
import { type Section, settingsOf } from "../../../src/config/setting.js";
import { documents, pageAt, root } from "../../support/documents.js";
import { commandsOf } from "../../support/shell-words.js";

/** Documents of what is, not of what was. */
const current = documents.filter((document) => document !== "CHANGELOG.md");
const inSentences = current.flatMap((document) => pageAt(document).code.map((text) => ({ place: document, text })));
const scripts = current.flatMap((document) => pageAt(document).fences.filter(({ language }) => language === "sh"));

async function helpOf(words: readonly string[]): Promise<string> {
  let help = "";
  const hear = (text: string) => {
    help += text;
  };
  if (words[0] === "emulator") {
    const emulator = new Command("emulator").helpOption("-h, --help");
    describeEmulator(emulator);
    return emulator.helpInformation();
  }
  await runCli([...words, "--help"], { out: hear, err: hear, environment: {}, directory: "." });
  return help;
}

const helps = new Map<string, string>();
/** Commands by their words, such as `jobs fail`; the help of each names its commands and options. */
async function readHelps(words: readonly string[]): Promise<void> {
  const help = await helpOf(words);
  helps.set(words.join(" "), help);
  const [, list = ""] = help.split("Commands:\n");
  for (const [, name = ""] of list.matchAll(/^ {2}([a-z][a-z-]*)/gm)) {
    if (name !== "help" && !helps.has([...words, name].join(" "))) await readHelps([...words, name]);
  }
}
beforeAll(() => readHelps([]));

/** What is wrong with the words after `partnerd`. */
function mistakesIn(words: readonly string[]): readonly string[] {
  const flags = words.filter((word) => /^--?[a-z]/.test(word)).map((word) => word.replace(/=.*/, ""));
  const [first = ""] = words;
  // `partnerd --version`, or the program itself; and words that stand for any command.
  if (first.startsWith("-")) return flags.filter((flag) => !helps.get("")?.includes(flag));
  if (first === "" || /^[A-Z…]/.test(first)) return [];
  if (!helps.has(first)) return [first];
  const both = words.slice(0, 2).join(" ");
  const help = `${helps.get(first)}${helps.get(both) ?? ""}`;
  return flags.filter((flag) => !new RegExp(`(?<![\\w-])${flag}(?![\\w-])`).test(help));
}

/** The words after `partnerd`, of each command that starts it. */
function callsIn(script: string): readonly (readonly string[])[] {
  return commandsOf(script).flatMap((words) => {
    const at = words.findIndex(
      (word, index) => /(^|\/)partnerd$|\/dist\/main\.js$/.test(word) && isStarted(words, index),
    );
    return at === -1 ? [] : [words.slice(at + 1)];
  });
}

/** First, or after a program that starts others. */
function isStarted(words: readonly string[], index: number): boolean {
  return words.slice(0, index).every((word) => /^(npx|node|exec|sudo|nohup|--import|\.\/.*|-.*)$/.test(word));
}

describe("the command line", () => {
  it("is known", () => {
    expect([...helps.keys()]).toEqual(expect.arrayContaining(["run", "jobs fail", "emulator", "completion"]));
  });

  it("has what scripts call", () => {
    const calls = scripts.flatMap(({ place, text }) => callsIn(text).map((words) => ({ place, words })));
    expect(calls.length).toBeGreaterThan(25);
    expect(calls.flatMap(({ place, words }) => mistakesIn(words).map((mistake) => `${place}: ${mistake}`))).toEqual([]);
  });

  it("has what sentences name", () => {
    const named = inSentences.filter(({ text }) => /^partnerd( |$)/.test(text));
    expect(named.length).toBeGreaterThan(40);
    const mistakes = named.flatMap(({ place, text }) =>
      mistakesIn(wordsIn(text)).map((each) => `${place}: ${text}: ${each}`),
    );
    expect(mistakes).toEqual([]);
  });

  it.each([
    ["AWS_REGION=x npx partnerd runs | tee log", ["runs"]],
    ["cd x && partnerd run --sett a=b # partnerd nonsense", ["--sett"]],
    ["partnerd jobs fail 1 --message 'partnerd x' --json", []],
    ["partnerd jobs release 1 --message x", ["--message"]],
    ["id=$(partnerd jobs --jsn)", ["--jsn"]],
    ["node /opt/partnerd/dist/main.js doktor", ["doktor"]],
    ["partnerd emulator --scenario x \\\n  --prot 1 > file", ["--prot"]],
    ["docker run --name partnerd --restart no; ls partnerd --all; git clone x partnerd && cd partnerd", []],
  ])("is missed in %j", (script, mistakes) => {
    expect(callsIn(script).flatMap(mistakesIn)).toEqual(mistakes);
  });
});

function wordsIn(code: string): readonly string[] {
  return commandsOf(code.replaceAll("\\|", "/").replaceAll(/[[\]<>]/g, "")).flatMap((words, index) =>
    index === 0 ? words.slice(1) : [],
  );
}

it("every npm script that is named exists", () => {
  const { scripts: known } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { scripts: object };
  const texts = [...scripts, ...inSentences].flatMap(({ place, text }) =>
    [...text.matchAll(/npm run (?:-s |--silent )?([a-z][\w:-]*)/g)].map(([, name = ""]) => `${place} ${name}`),
  );
  expect(texts.length).toBeGreaterThan(10);
  expect(texts.filter((each) => !Object.hasOwn(known, each.split(" ")[1] ?? ""))).toEqual([]);
});

/** Every key of a configuration, those that hold others included; names of entries left out. */
function keysOf(section: Section, prefix = ""): readonly string[] {
  return [...settingsOf(section, prefix)].flatMap(([path, { each, kinds, named }]) => [
    ...path.split(".").map((_, index, keys) => keys.slice(0, index + 1).join(".")),
    ...(each ? keysOf(each, `${path}[]`) : []),
    ...[...Object.values(kinds ?? {}), ...(named ? [named] : [])].flatMap((kind) => keysOf(kind, `${path}.NAME`)),
  ]);
}

describe("names of the configuration", () => {
  const keys = new Set(keysOf(schema));
  const [sections, entries] = [
    [...keys].map((key) => key.split(/[.[]/, 1)[0] ?? ""),
    [...keys]
      .filter((key) => key.includes("[].") || key.includes(".NAME."))
      .map((key) => key.replace(/^.*?(\[\]|NAME)\./, "")),
  ];
  const variables = new Set(
    globSync("src/**/*.ts", { cwd: root }).flatMap((file) => [
      ...(readFileSync(join(root, file), "utf8").match(/PARTNERD_[A-Z_]+/g) ?? []),
    ]),
  );
  for (const [, setting] of settingsOf(schema)) if (setting.env) variables.add(setting.env);

  const isKnown = (text: string) => {
    // `artifacts.*`, and a setting whose value a file holds.
    const key = text.replace(/\.\*$/, "").replace(/Files?$/, "");
    return keys.has(key) || [...keys].some((each) => each.startsWith(`${key}.`)) || entries.includes(key);
  };

  it("are in the schema", () => {
    const named = inSentences.filter(({ text }) => /^[a-z]\w*(\[\])?(\.[\w*]+)+$/i.test(text));
    const ours = named.filter(({ text }) => sections.includes(text.split(/[.[]/, 1)[0] ?? ""));
    expect(ours.length).toBeGreaterThan(60);
    expect(ours.filter(({ text }) => !isKnown(text)).map(({ place, text }) => `${place}: ${text}`)).toEqual([]);
    expect(["shutdown.drainTime", "artifacts.maxFiles", "handlers.NAME.memory", "retry.pol.*"].filter(isKnown)).toEqual(
      [],
    );
  });

  it("as variables are read", () => {
    const named = [...inSentences, ...scripts].flatMap(({ place, text }) =>
      [...text.matchAll(/PARTNERD_[A-Z_]+[A-Z]/g)].map(([name]) => ({ place, name })),
    );
    expect(named.length).toBeGreaterThan(60);
    const read = (name: string) => variables.has(name) || variables.has(name.replace(/_FILE$/, ""));
    expect(named.filter(({ name }) => !read(name)).map(({ place, name }) => `${place}: ${name}`)).toEqual([]);
    expect(["PARTNERD_REGION_LIST", "PARTNERD_ADMIN_TOKENS"].filter(read)).toEqual([]);
  });
});

it("every metric that is named exists", async () => {
  const table = await metricsTable();
  const named = inSentences.flatMap(({ place, text }) =>
    [...text.matchAll(/\bpartnerd_[a-z\d_]+[a-z]/g)].map(([name]) => ({ place, name })),
  );
  expect(named.length).toBeGreaterThan(40);
  expect(named.filter(({ name }) => !table.includes(`\`${name}\``))).toEqual([]);
});
