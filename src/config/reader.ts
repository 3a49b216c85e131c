// Reads a tree under a section of the schema into settings: finds unknown keys, missing keys and wrong values, each with
// its place, and reads entries of lists and maps under sections of their own. Defaults come from convict, by
// convict-store.ts, which also checks the end result.
import { basename, resolve } from "node:path";
import { modeOpenToAll } from "../std/open-files.js";
import { isPlaceholder, placeholderIn } from "../std/placeholder.js";
import { invisible, quote } from "../std/quote.js";
import { nearest } from "../std/suggest.js";
import { readTextFile } from "../std/text-file.js";
import { openStore } from "./convict-store.js";
import { choose, type Problem } from "./formats.js";
import type { Findings, Place } from "./mistakes.js";
import type { Section, Setting } from "./setting.js";
import { fileFormOf, isAlwaysRequired, isSetting, joined, lastKey, settingsOf } from "./setting.js";
import type { Held, Settings } from "./settings.js";
import { entryName } from "./shapes.js";
import type { Branch, Leaf, Tree } from "./tree.js";
import { describeTree, emptyBranch, isEmpty, partOf, placeIn, plain } from "./tree.js";

/** What reading goes along with. */
export interface Reading {
  /** What is read, and what is wrong with it. */
  readonly settings: Settings;
  /** Where relative defaults start: the working directory. */
  readonly directory: string;
}

/** A token or a webhook secret is far smaller. */
const secretFileMaxBytes = 65_536;

/** Reads everything below `tree`, whose path is `prefix` (`""` for the whole). Findings tell what is wrong. */
export async function readSection(section: Section, tree: Branch, prefix: string, reading: Reading): Promise<void> {
  const { settings, directory } = reading;
  refuseUnknownKeys(section, tree, prefix, settings.findings);
  const store = openStore(section);
  for (const [key, setting] of settingsOf(section)) {
    const path = joined(prefix, key);
    const held = await readSetting(setting, path, branchAround(key, tree), settings.findings);
    if (held && !held.isBroken) store.set(key, held.value);
    const value: unknown = store.get(key);
    const { place } = held ?? unset;
    const located = value === null ? undefined : setting.kind.located?.(value, directoryOf(place) ?? directory);
    settings.set(path, { ...(held ?? unset), value: located ?? value });
    if (held?.tree && !held.isBroken) await readEntries(setting, held.tree, path, reading);
  }
  store.validate({ allowed: "strict" });
}

const unset: Held = { value: null, place: { kind: "default" } };

/** The map that a key is in, an empty one if there is none. */
function branchAround(key: string, tree: Branch): Branch {
  const [first = "", ...below] = key.split(".");
  if (below.length === 0) return tree;
  const branch = tree.entries.get(first)?.tree;
  return branchAround(below.join("."), branch?.kind === "map" ? branch : emptyBranch(tree.place));
}

/** The entries of a list or a map, each under its own section. */
async function readEntries(setting: Setting, tree: Tree, path: string, reading: Reading): Promise<void> {
  const { settings } = reading;
  const { findings } = settings;
  if (setting.each && tree.kind === "list") {
    for (const [index, item] of tree.items.entries()) {
      const entry = { name: String(index), path: `${path}[${index}]`, section: setting.each };
      const branch = asBranch(item, entry.path, findings);
      if (!branch) continue;
      await readSection(entry.section, branch, entry.path, reading);
      settings.addEntry(path, entry);
    }
  }
  const { kinds, named } = setting;
  if ((kinds || named) && tree.kind === "map") {
    for (const [name, item] of tree.entries) {
      const entry = { name, path: `${path}.${name}` };
      const isName = entryName.test(name);
      const remedy = "write up to 64 letters, digits, - _ and . after a letter or digit";
      if (!isName)
        findings.mistake(item.place, `${quote(name)} is not a valid ${kinds ? "handler" : "account"} name`, remedy);
      const branch = isName ? asBranch(item.tree, entry.path, findings) : undefined;
      const section = named ?? (branch && kinds && kindOf(kinds, branch, entry.path, findings));
      if (!branch || !section) continue;
      await readSection(section, branch, entry.path, reading);
      settings.addEntry(path, { ...entry, section });
    }
  }
}

/** The section that an entry's `kind` names. */
function kindOf(
  kinds: Readonly<Record<string, Section>>,
  entry: Branch,
  path: string,
  findings: Findings,
): Section | undefined {
  const tree = entry.entries.get("kind")?.tree;
  const value = tree?.kind === "leaf" ? tree.value : undefined;
  const known = Object.keys(kinds);
  const kind = known.find((word) => word === value);
  if (kind !== undefined) return kinds[kind];
  const what = tree === undefined ? "is missing" : `is ${value === undefined ? "not a string" : quote(value)}`;
  findings.mistake(tree?.place ?? entry.place, `${path}.kind ${what}`, choose(known));
  return undefined;
}

/** A map under `path`, an empty one if nothing is there, or `undefined` and a mistake. */
function asBranch(tree: Tree, path: string, findings: Findings): Branch | undefined {
  if (tree.kind === "map") return tree;
  if (isEmpty(tree)) return emptyBranch(tree.place);
  findings.mistake(tree.place, `${path} is ${describeTree(tree)}, not a map`, "write its keys below it, indented");
  return undefined;
}

async function readSetting(
  setting: Setting,
  name: string,
  tree: Branch,
  findings: Findings,
): Promise<Held | undefined> {
  const key = lastKey(name);
  const fileKey = fileFormOf(key, setting);
  const fileEntry = fileKey === undefined ? undefined : tree.entries.get(fileKey);
  const entry = tree.entries.get(key);
  if (entry && fileEntry) {
    findings.mistake(fileEntry.place, `${name} and ${name}File are both given`, "keep one of them");
  }
  if (!entry) {
    if (fileEntry) return readSecretFile(setting, `${name}File`, fileEntry.tree, findings);
    if (!isAlwaysRequired(setting)) return undefined;
    findings.mistake(tree.place, `${name} is missing`, `add it: ${setting.doc.replace(/\.$/, "")}`);
    return broken(tree);
  }
  if (isEmpty(entry.tree)) {
    if (!isAlwaysRequired(setting) && setting.nullable) return undefined;
    findings.mistake(entry.place, `${name} is empty`, "write a value, or remove the key");
    return broken(entry);
  }
  if (setting.filesOf !== undefined) return readSecretFiles(setting, name, entry.tree, findings);
  if (setting.sensitive) await warnOfOpenFile(name, entry.tree, findings);
  return checked(setting, name, entry.tree, findings);
}

/** A secret that is in the configuration itself. */
async function warnOfOpenFile(name: string, { place, ...tree }: Tree, findings: Findings): Promise<void> {
  if (place.kind !== "file" || (tree.kind === "map" && tree.entries.size === 0)) return;
  const mode = await modeOpenToAll(resolve(place.directory, basename(place.file)));
  if (mode) findings.warn(place, `${name} is a secret, and every user can read this file (${mode})`, "chmod 600");
}

/** Each item names a file that holds a secret. */
async function readSecretFiles(setting: Setting, name: string, tree: Tree, findings: Findings): Promise<Held> {
  // What is no list is called so by the format.
  if (tree.kind !== "list") return checked(setting, name, tree, findings);
  const items: Leaf[] = [];
  for (const [at, item] of tree.items.entries()) {
    items.push(...(await readSecret(`${name}[${at}]`, item, findings)));
  }
  if (items.length < tree.items.length) return broken(tree);
  return checked(setting, name, { ...tree, items }, findings);
}

async function readSecretFile(setting: Setting, name: string, tree: Tree, findings: Findings): Promise<Held> {
  const [secret] = await readSecret(name, tree, findings);
  if (!secret) return broken(tree);
  return checked(setting, `${name}: the text in ${quote(tree.kind === "leaf" ? tree.value : "")}`, secret, findings);
}

/** A secret from a file of its own, as Docker and Kubernetes mount them; a line break at the end is not part of it. */
async function readSecret(name: string, tree: Tree, findings: Findings): Promise<readonly Leaf[]> {
  const { place } = tree;
  const file = tree.kind === "leaf" ? tree.value : undefined;
  if (typeof file !== "string" || file === "") {
    findings.mistake(place, `${name} is ${describeTree(tree)}, not a path`, "name the file that holds the secret");
    return [];
  }
  const path = resolve(directoryOf(place) ?? "", file);
  const text = await readTextFile(path, secretFileMaxBytes);
  if (typeof text !== "string") {
    findings.mistake(place, `${name}: the file ${quote(file)} ${text.problem}`, text.remedy);
    return [];
  }
  const mode = await modeOpenToAll(path);
  if (mode) findings.warn(place, `${name}: every user can read the file ${quote(file)} (${mode})`, "chmod 600");
  return [{ kind: "leaf", value: text.replace(/\r?\n$/, ""), text: "", place }];
}

/** Something is there, and none of it can be used. */
function broken({ place }: { readonly place: Place }): Held {
  return { value: null, place, isBroken: true };
}

function checked(setting: Setting, name: string, tree: Tree, findings: Findings): Held {
  const value = plain(tree);
  if (hasPlaceholder(setting, name, tree, findings)) return { value, place: tree.place, tree, isBroken: true };
  const problems = setting.kind.problems(value);
  for (const { at, ...problem } of problems) {
    const part = at === undefined ? "" : typeof at === "number" ? `[${at}]` : `.${shownKey(at)}`;
    const { what, remedy } = unquoted(setting, name, { tree, at, what: problem.what }) ?? problem;
    findings.mistake(placeIn(tree, at), `${name}${part} ${what}`, remedy);
  }
  return { value, place: tree.place, tree, isBroken: problems.length > 0 };
}

/** `version: 1.0` is the number 1 to YAML: a string that lacks its quotes is shown as it was written. */
function unquoted(
  { kind, sensitive, isHandedOn }: Setting,
  name: string,
  { tree, at, what }: { readonly tree: Tree; readonly at: string | number | undefined; readonly what: string },
): Omit<Problem, "at"> | undefined {
  const part = partOf(tree, at);
  if (part?.kind !== "leaf" || !what.endsWith(", not a string") || sensitive || isHandedOn) return undefined;
  const other = kind.problems(withPart(plain(tree), at, part.text)).find((problem) => problem.at === at);
  const key = typeof at === "number" ? "" : `${at === undefined ? name.split(".").at(-1) : shownKey(at)}: `;
  return {
    what: `is ${quote(part.text).slice(1, -1)}, not a string`,
    remedy: `write ${key}${quote(part.text)}${other ? `; and then ${other.remedy}` : ""}`,
  };
}

/** A plain value in which one part is another. */
function withPart(value: unknown, at: string | number | undefined, part: unknown): unknown {
  if (Array.isArray(value) && typeof at === "number") return value.with(at, part);
  return value instanceof Map ? new Map(value).set(at, part) : part;
}

/** Users of other tools expect `${NAME}` to be expanded. Entries with keys of their own are read one by one. */
function hasPlaceholder(setting: Setting, name: string, tree: Tree, findings: Findings): boolean {
  const found = leavesOf(name, tree).flatMap(({ path, value, place }) => {
    if (typeof value !== "string") return [];
    // Of a secret nothing is shown, not even the default in `${NAME:-default}`.
    const isHidden = setting.sensitive || setting.isHandedOn;
    const placeholder = isHidden ? undefined : placeholderIn(value);
    if (placeholder !== undefined) return [{ path, place, what: quote(placeholder) }];
    return isHidden && isPlaceholder(value) ? [{ path, place, what: "a placeholder" }] : [];
  });
  const variable = setting.env ? `, or set ${setting.env}` : "";
  const file = fileFormOf(name, setting) ? ", or name a file that holds it (the key …File)" : "";
  for (const { path, place, what } of found) {
    const remedy = `write the value${variable}${file}`;
    findings.mistake(place, `${path} holds ${what}, and placeholders are not expanded`, remedy);
  }
  return found.length > 0;
}

/** A scalar, or those in a list or a map, each with its path. */
function leavesOf(path: string, tree: Tree): readonly (Leaf & { readonly path: string })[] {
  if (tree.kind === "leaf") return [{ ...tree, path }];
  const parts =
    tree.kind === "list"
      ? tree.items.map((item, at) => ({ path: `${path}[${at}]`, tree: item }))
      : [...tree.entries].map(([key, entry]) => ({ path: `${path}.${shownKey(key)}`, tree: entry.tree }));
  return parts.flatMap((part) => (part.tree.kind === "leaf" ? [{ ...part.tree, path: part.path }] : []));
}

/** Keys that there are none of, and values in the place of maps. */
function refuseUnknownKeys(section: Section, tree: Branch, here: string, findings: Findings): void {
  const known = Object.entries(section).flatMap(([key, part]) => [key, fileFormOf(key, part) ?? []].flat());
  for (const [key, entry] of tree.entries) {
    const part = section[key];
    const path = joined(here, shownKey(key));
    if (key === "<<") {
      const what = `${path} is a merge key, which is not supported`;
      findings.mistake(entry.place, what, "write the keys out (aliases work)");
    } else if (!known.includes(key)) {
      findings.mistake(entry.place, `the key ${path} is unknown`, suggestion(key, known, section));
    } else if (part && !isSetting(part)) {
      const branch = asBranch(entry.tree, path, findings);
      if (branch) refuseUnknownKeys(part, branch, path, findings);
    }
  }
}

/** The likeliest key: one of these, or one of the same name further down. */
function suggestion(key: string, known: readonly string[], section: Section): string {
  // A space without a break, as web pages have it, is none to YAML.
  if (key.search(invisible) >= 0) return "retype this line: it holds a character that cannot be seen";
  const near = nearest(key, known);
  if (near) return `did you mean ${near}?`;
  const [below] = [...settingsOf(section)].find(([path]) => lastKey(path) === key) ?? [];
  return below ? `did you mean ${below}?` : `known here: ${known.join(", ")}`;
}

/** Where names of files start that were written at a place. */
function directoryOf(place: Place): string | undefined {
  return place.kind === "default" ? undefined : place.directory;
}

/** A key as part of a path: plain when it is a plain word. */
function shownKey(key: string): string {
  return /^[A-Za-z0-9_.-]{1,80}$/.test(key) ? key : quote(key);
}
