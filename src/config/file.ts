// From a configuration file to a tree: takes YAML and JSON apart, within limits, with the line of every value.
// Knows syntax only, no key. What a parser says of a broken line is never repeated: it may quote a secret.
import { dirname, extname, resolve } from "node:path";
import type { Scalar } from "yaml";
import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument } from "yaml";
import { breakageOf, excerptOf, strangeText } from "../std/broken-yaml.js";
import { quote } from "../std/quote.js";
import { readTextFile } from "../std/text-file.js";
import type { FilePlace, Findings, Place } from "./mistakes.js";
import { type Branch, type Entry, type Leaf, type Tree, tooLarge } from "./tree.js";

/** No configuration is larger; a log or an archive given by mistake is. */
export const configFileMaxBytes = 1024 * 1024;

/** The file's contents as a map, or `undefined` and at least one mistake. `directory` is where relative names start. */
export async function readConfigFile(file: string, directory: string, findings: Findings): Promise<Branch | undefined> {
  const path = resolve(directory, file);
  const text = await readTextFile(path, configFileMaxBytes);
  if (typeof text !== "string") {
    findings.mistake(undefined, `the configuration file ${file} ${text.problem}`, text.remedy);
    return undefined;
  }
  return parseConfig(text, { file, directory: dirname(path) }, findings);
}

/** Takes a text apart; what is wrong with it goes to `findings`. */
export function parseConfig(
  text: string,
  origin: { readonly file: string; readonly directory: string },
  findings: Findings,
): Branch | undefined {
  const strange = strangeText(text);
  if (strange) {
    findings.mistake(undefined, `the configuration file ${origin.file} ${strange.what}`, strange.remedy);
    return undefined;
  }
  const lines = new LineCounter();
  const placeOf = (offset: number): FilePlace => {
    const { line, col } = lines.linePos(offset);
    return { kind: "file", ...origin, line, column: col };
  };
  // Fixed to YAML 1.2: under a `%YAML 1.1` line, `yes` would be true and 10:30 a number. The library looks for
  // duplicate keys in quadratic time; the reader below does it in passing.
  const document = parseDocument(text, {
    schema: "core",
    // `!!binary` and `!!timestamp` become no string that a setting takes.
    resolveKnownTags: false,
    lineCounter: lines,
    prettyErrors: false,
    uniqueKeys: false,
  });
  const broken = [...document.errors, ...document.warnings];
  if (broken.length > 0) {
    // The first mistake only: whatever the parser says after it may well be its consequence.
    const [first] = broken.toSorted((a, b) => a.pos[0] - b.pos[0]);
    const place = placeOf(first?.pos[0] ?? 0);
    const { line, what, remedy } = breakageOf(text, { line: place.line, code: first?.code });
    findings.mistake({ ...place, line }, what, remedy, excerptOf(text, line));
    return undefined;
  }
  if (extname(origin.file).toLowerCase() === ".json" && !isJson(text)) {
    findings.mistake(placeOf(0), `${origin.file} is not JSON`, "correct it, or name it .yaml");
    return undefined;
  }
  const reader = new TreeReader(placeOf, findings);
  const tree = reader.read(document.contents, 0);
  if (!tree || reader.isStopped) return undefined;
  if (tree.kind === "map") return tree;
  const empty = tree.kind === "leaf" && tree.value === null;
  const what = empty ? "is empty" : `holds ${tree.kind === "list" ? "a list" : "a single value"} instead of a map`;
  findings.mistake(placeOf(0), `the configuration file ${what}`, "`partnerd init` writes one to start from");
  return undefined;
}

/** Turns the parser's nodes into a tree, in the order of the text. */
class TreeReader {
  readonly #placeOf: (offset: number) => Place;
  readonly #findings: Findings;
  readonly #anchors = new Map<string, { readonly tree: Tree; readonly size: number }>();
  #size = 0;
  /** Over a limit: what is behind it was not read. */
  isStopped = false;

  constructor(placeOf: (offset: number) => Place, findings: Findings) {
    this.#placeOf = placeOf;
    this.#findings = findings;
  }

  read(node: unknown, depth: number): Tree | undefined {
    const place = this.#placeOf(startOf(node));
    if (this.isStopped) return undefined;
    const what = tooLarge(depth, this.#size);
    if (what !== undefined) {
      this.isStopped = true;
      this.#findings.mistake(place, `the configuration ${what}`, "is it the right file?");
      return undefined;
    }
    const sizeBefore = this.#size++;
    if (isAlias(node)) return this.#alias(node.source, place);
    const tree = isMap(node)
      ? this.#map(node.items, place, depth)
      : isSeq(node)
        ? this.#list(node.items, place, depth)
        : leaf(node, place);
    // Known only from here on, so that an alias inside of its own anchor finds nothing.
    const anchor = anchorOf(node);
    if (tree && anchor) this.#anchors.set(anchor, { tree, size: this.#size - sizeBefore });
    return tree;
  }

  #map(items: readonly { key: unknown; value: unknown }[], place: Place, depth: number): Branch {
    const entries = new Map<string, Entry>();
    for (const { key, value } of items) {
      const keyPlace = this.#placeOf(startOf(key));
      const name = keyName(key);
      if (name === undefined) {
        const isTemplate = isMap(key);
        const what = isTemplate
          ? "this is a placeholder {{ … }}, and placeholders are not expanded"
          : "a key is not a string";
        this.#findings.mistake(keyPlace, what, isTemplate ? "write the value" : "write `key: value`");
        continue;
      }
      if (entries.has(name)) {
        this.#findings.mistake(keyPlace, `the key ${quote(name)} appears twice`, "keep one of the two");
        continue;
      }
      const tree = this.read(value, depth + 1);
      if (tree) entries.set(name, { place: keyPlace, tree: isMissing(value) ? { ...tree, place: keyPlace } : tree });
    }
    return { kind: "map", entries, place };
  }

  #list(items: readonly unknown[], place: Place, depth: number): Tree {
    const trees = items.map((item) => this.read(item, depth + 1));
    return { kind: "list", items: trees.filter((tree) => tree !== undefined), place };
  }

  #alias(anchor: string, place: Place): Tree | undefined {
    const target = this.#anchors.get(anchor);
    if (!target) {
      this.#findings.mistake(
        place,
        `the alias ${quote(`*${anchor}`)} has no anchor before it`,
        "define it first, with & before its name",
      );
      return undefined;
    }
    // Counted as if it were written out: ten lines of aliases can stand for a billion values.
    this.#size += target.size;
    return target.tree;
  }
}

function leaf(node: unknown, place: Place): Leaf {
  if (!isScalar(node)) return { kind: "leaf", value: null, text: "", place };
  return { kind: "leaf", value: node.value, text: node.source ?? String(node.value), place };
}

/** A key as text. Numbers and words such as `true` are taken as they are written. */
function keyName(key: unknown): string | undefined {
  if (!isScalar(key) || key.value === null) return undefined;
  return typeof key.value === "string" ? key.value : (key as Scalar).source;
}

function startOf(node: unknown): number {
  return (node as { range?: readonly [number, number, number] | null } | null | undefined)?.range?.[0] ?? 0;
}

function anchorOf(node: unknown): string | undefined {
  return (node as { anchor?: string } | null | undefined)?.anchor;
}

function isMissing(node: unknown): boolean {
  return node === null || node === undefined;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text.replace(/^\uFEFF/, ""));
    return true;
  } catch {
    return false;
  }
}
