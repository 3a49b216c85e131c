// Reads a tree under a section of the schema into settings: finds unknown keys, missing keys and wrong values, and
// fills in defaults. convict holds defaults and values and checks the end result once more; places and messages are
// ours, since convict reports no line, turns the text `10s` into the number 10, and knows nothing of lists.
import { basename, resolve } from "node:path";
import convict from "convict";
import { isPlaceholder, placeholderIn } from "../std/placeholder.js";
import { readTextFile } from "./file.js";
import type { Problem } from "./formats.js";
import type { Findings, Place } from "./mistakes.js";
import { quote } from "./mistakes.js";
import { modeOpenToAll } from "./open-files.js";
import type { Section, Setting } from "./setting.js";
import { isSetting, settingsOf } from "./setting.js";
import type { Settings } from "./settings.js";
import { nearest } from "./suggest.js";
import type { Branch, Leaf, Tree } from "./tree.js";
import { describeTree, isEmpty } from "./tree.js";

/** What reading goes along with. */
export interface Reading {
  readonly settings: Settings;
  readonly findings: Findings;
  /** Where relative defaults start: the working directory. */
  readonly directory: string;
}

/** A token or a webhook secret is far smaller. */
const secretFileMaxBytes = 65_536;

/** Reads everything below `tree`, whose path is `prefix` (`""` for the whole). Findings tell what is wrong. */
export async function readSection(section: Section, tree: Branch, prefix: string, reading: Reading): Promise<void> {
  const given = new Map<string, Given>();
  await collect(section, tree, { prefix, path: [], given, reading });
  // Never its own look at the environment or at argv: both are laid over the tree before, with their places.
  const store = convict<Record<string, unknown>>(section as convict.Schema<Record<string, unknown>>, {
    env: {},
    args: [],
  });
  for (const [key, { value, isBroken }] of given) if (!isBroken) store.set(key, value);
  store.validate({ allowed: "strict" });
  for (const [path, setting] of settingsOf(section)) {
    const key = path.join(".");
    const from: Given = given.get(key) ?? { value: null, place: { kind: "default" }, isBroken: false };
    const value: unknown = store.get(key);
    reading.settings.set(joined(prefix, key), setting.isPath ? absolute(value, from.place, reading) : value, from);
  }
}

/** `a map` under `path`, an empty one if nothing is there, or `undefined` and a mistake. */
export function asBranch(tree: Tree, path: string, findings: Findings): Branch | undefined {
  if (tree.kind === "map") return tree;
  if (isEmpty(tree)) return { kind: "map", entries: new Map(), place: tree.place };
  findings.mistake(tree.place, `${path} is ${describeTree(tree)}, not a map`, "write its keys below it, indented");
  return undefined;
}

/** The plain value of a tree: arrays, and Maps for maps. */
export function plain(tree: Tree): unknown {
  switch (tree.kind) {
    case "leaf":
      return tree.value;
    case "list":
      return tree.items.map(plain);
    case "map":
      return new Map([...tree.entries].map(([key, entry]) => [key, plain(entry.tree)]));
  }
}

interface Given {
  readonly value: unknown;
  readonly place: Place;
  readonly tree?: Tree;
  readonly isBroken: boolean;
}

interface Walk {
  readonly prefix: string;
  readonly path: readonly string[];
  readonly given: Map<string, Given>;
  readonly reading: Reading;
}

async function collect(section: Section, tree: Branch, walk: Walk): Promise<void> {
  const here = joined(walk.prefix, walk.path.join("."));
  refuseUnknownKeys(section, tree, here, walk.reading.findings);
  for (const [key, part] of Object.entries(section)) {
    const path = [...walk.path, key];
    if (isSetting(part)) {
      const given = await readSetting(part, key, tree, { ...walk, path });
      if (given) walk.given.set(path.join("."), given);
      continue;
    }
    const below = tree.entries.get(key)?.tree;
    const branch = below && asBranch(below, joined(here, key), walk.reading.findings);
    await collect(part, branch ?? { kind: "map", entries: new Map(), place: tree.place }, { ...walk, path });
  }
}

async function readSetting(setting: Setting, key: string, tree: Branch, walk: Walk): Promise<Given | undefined> {
  const { findings } = walk.reading;
  const name = joined(walk.prefix, walk.path.join("."));
  const fileEntry = setting.hasFileForm ? tree.entries.get(`${key}File`) : undefined;
  const entry = tree.entries.get(key);
  if (entry && fileEntry) {
    findings.mistake(fileEntry.place, `${name} and ${name}File are both given`, "keep one of them");
  }
  if (!entry) {
    if (fileEntry) return readSecretFile(setting, `${name}File`, fileEntry.tree, findings);
    if (!setting.required) return undefined;
    findings.mistake(tree.place, `${name} is missing`, `add it: ${setting.doc.replace(/\.$/, "")}`);
    return { value: null, place: tree.place, isBroken: true };
  }
  if (isEmpty(entry.tree) && !setting.required && setting.nullable) return undefined;
  if (isEmpty(entry.tree)) {
    findings.mistake(entry.place, `${name} is empty`, "write a value, or remove the key");
    return { value: null, place: entry.place, isBroken: true };
  }
  if (setting.isOfFiles) return readSecretFiles(setting, name, entry.tree, findings);
  if (setting.sensitive) await warnOfOpenFile(name, entry.tree, findings);
  return checked(setting, name, entry.tree, findings);
}

/** A secret that stands in the configuration itself. */
async function warnOfOpenFile(name: string, { place, ...tree }: Tree, findings: Findings): Promise<void> {
  if (place.kind !== "file" || (tree.kind === "map" && tree.entries.size === 0)) return;
  const mode = await modeOpenToAll(resolve(place.directory, basename(place.file)));
  if (mode) findings.warn(place, `${name} is a secret, and every user can read this file (${mode})`, "chmod 600");
}

/** Each item names a file that holds a secret. */
async function readSecretFiles(setting: Setting, name: string, tree: Tree, findings: Findings): Promise<Given> {
  // What is no list is called so by the format.
  if (tree.kind !== "list") return checked(setting, name, tree, findings);
  const broken: Given = { value: null, place: tree.place, isBroken: true };
  const secrets: Leaf[] = [];
  for (const [index, item] of tree.items.entries()) {
    const secret = await readSecret(`${name}[${index}]`, item, findings);
    if (secret === undefined) return broken;
    secrets.push(secret);
  }
  return checked(setting, name, { ...tree, items: secrets }, findings);
}

function checked(setting: Setting, name: string, tree: Tree, findings: Findings): Given {
  const value = plain(tree);
  if (hasPlaceholder(setting, name, tree, findings)) return { value, place: tree.place, tree, isBroken: true };
  const problems = setting.kind.problems(value);
  for (const { at, ...problem } of problems) {
    const part = at === undefined ? "" : typeof at === "number" ? `[${at}]` : `.${shownKey(at)}`;
    const { what, mend } = unquoted(setting, name, { tree, at, what: problem.what }) ?? problem;
    findings.mistake(partPlace(tree, at), `${name}${part} ${what}`, mend);
  }
  return { value, place: tree.place, tree, isBroken: problems.length > 0 };
}

/** `version: 1.0` is the number 1 to YAML: a text that lacks its quotes is told as it was written. */
function unquoted(
  setting: Setting,
  name: string,
  { tree, at, what }: { readonly tree: Tree; readonly at: string | number | undefined; readonly what: string },
): Omit<Problem, "at"> | undefined {
  const part = partOf(tree, at);
  if (part?.kind !== "leaf" || !what.endsWith(", not a text") || setting.sensitive || setting.isHandedOn)
    return undefined;
  const other = setting.kind.problems(plain(withText(tree, at, part))).find((problem) => problem.at === at);
  const key = typeof at === "number" ? "" : `${at === undefined ? name.split(".").at(-1) : shownKey(at)}: `;
  return {
    what: `is ${quote(part.text).slice(1, -1)}, not a text`,
    mend: `write ${key}${quote(part.text)}${other ? `; and then ${other.mend}` : ""}`,
  };
}

function withText(tree: Tree, at: string | number | undefined, { text, place }: Leaf): Tree {
  const leaf: Leaf = { kind: "leaf", value: text, text, place };
  if (tree.kind === "list") return { ...tree, items: tree.items.map((item, index) => (index === at ? leaf : item)) };
  if (tree.kind === "leaf") return leaf;
  const entries = [...tree.entries].map(
    ([key, entry]) => [key, key === at ? { ...entry, tree: leaf } : entry] as const,
  );
  return { ...tree, entries: new Map(entries) };
}

/** Whoever knows other tools expects `${NAME}` to be filled in. Entries with keys of their own are read one by one. */
function hasPlaceholder(setting: Setting, name: string, tree: Tree, findings: Findings): boolean {
  const found = leavesOf(name, tree).flatMap(([path, { value, place }]) => {
    if (typeof value !== "string") return [];
    // Of a secret nothing is shown, not even the default in `${NAME:-default}`.
    if (setting.sensitive || setting.isHandedOn)
      return isPlaceholder(value) ? [{ path, place, what: "a placeholder" }] : [];
    const placeholder = placeholderIn(value);
    return placeholder ? [{ path, place, what: quote(placeholder) }] : [];
  });
  const variable = setting.env ? `, or set ${setting.env}` : "";
  const file = setting.hasFileForm ? ", or name a file that holds it (the key …File)" : "";
  for (const { path, place, what } of found) {
    findings.mistake(
      place,
      `${path} holds ${what}, and nothing is filled in here`,
      `write the value${variable}${file}`,
    );
  }
  return found.length > 0;
}

function leavesOf(name: string, tree: Tree): readonly (readonly [path: string, leaf: Leaf])[] {
  const parts: (readonly [string, Tree])[] =
    tree.kind === "leaf"
      ? [[name, tree]]
      : tree.kind === "list"
        ? tree.items.map((item, at) => [`${name}[${at}]`, item])
        : [...tree.entries].map(([key, entry]) => [`${name}.${shownKey(key)}`, entry.tree]);
  return parts.flatMap(([path, part]) => (part.kind === "leaf" ? [[path, part] as const] : []));
}

async function readSecretFile(setting: Setting, name: string, tree: Tree, findings: Findings): Promise<Given> {
  const secret = await readSecret(name, tree, findings);
  if (secret === undefined) return { value: null, place: tree.place, isBroken: true };
  return checked(setting, `${name}: the text in ${quote(tree.kind === "leaf" ? tree.value : "")}`, secret, findings);
}

/** A secret from a file of its own, as Docker and Kubernetes mount them; a line break at the end is not part of it. */
async function readSecret(name: string, tree: Tree, findings: Findings): Promise<Leaf | undefined> {
  const file = tree.kind === "leaf" ? tree.value : undefined;
  if (typeof file !== "string" || file === "") {
    findings.mistake(tree.place, `${name} is ${describeTree(tree)}, not a path`, "name the file that holds the secret");
    return undefined;
  }
  const path = resolve(directoryOf(tree.place, ""), file);
  const text = await readTextFile(path, secretFileMaxBytes);
  if (typeof text !== "string") {
    findings.mistake(tree.place, `${name}: the file ${quote(file)} ${text.problem}`, text.mend);
    return undefined;
  }
  const mode = await modeOpenToAll(path);
  if (mode) findings.warn(tree.place, `${name}: every user can read the file ${quote(file)} (${mode})`, "chmod 600");
  return { kind: "leaf", value: text.replace(/\r?\n$/, ""), text: "", place: tree.place };
}

function refuseUnknownKeys(section: Section, tree: Branch, here: string, findings: Findings): void {
  const known = Object.keys(section);
  for (const [key, part] of Object.entries(section)) if (isSetting(part) && part.hasFileForm) known.push(`${key}File`);
  for (const [key, entry] of tree.entries) {
    if (known.includes(key)) continue;
    const name = joined(here, shownKey(key));
    if (key === "<<") findings.mistake(entry.place, `${name} is a merge key`, "write the keys out; aliases do work");
    else findings.mistake(entry.place, `the key ${name} is unknown`, suggestion(key, known, section));
  }
}

/** The likeliest key: one of these, or one of the same name further down. */
function suggestion(key: string, known: readonly string[], section: Section): string {
  const near = nearest(key, known);
  if (near) return `did you mean ${near}?`;
  for (const [path] of settingsOf(section)) {
    if (path.at(-1) === key) return `did you mean ${path.join(".")}?`;
  }
  return `known here: ${known.join(", ")}`;
}

/** A path ends where its setting was written, not where the process happens to stand. */
function absolute(value: unknown, place: Place, reading: Reading): unknown {
  return typeof value === "string" ? resolve(directoryOf(place, reading.directory), value) : value;
}

function directoryOf(place: Place, otherwise: string): string {
  return place.kind === "default" ? otherwise : place.directory;
}

function partPlace(tree: Tree, at: string | number | undefined): Place {
  return (partOf(tree, at) ?? tree).place;
}

function partOf(tree: Tree, at: string | number | undefined): Tree | undefined {
  if (at === undefined) return tree;
  if (tree.kind === "list" && typeof at === "number") return tree.items[at];
  return tree.kind === "map" ? tree.entries.get(String(at))?.tree : undefined;
}

/** A key as part of a path: plain when it is a plain word. */
function shownKey(key: string): string {
  return /^[A-Za-z0-9_.-]{1,80}$/.test(key) ? key : quote(key);
}

function joined(prefix: string, key: string): string {
  return prefix === "" || key === "" ? prefix + key : `${prefix}.${key}`;
}
