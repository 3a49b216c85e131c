// From a configuration that a program gives as an object to the tree that files become. Knows no key.
import type { Findings, Place } from "./mistakes.js";
import { type Branch, type Entry, type Tree, tooLarge } from "./tree.js";

/** The object as a tree, or `undefined` and at least one mistake. `directory` is where relative names of files start. */
export function treeOfObject(given: unknown, directory: string, findings: Findings): Branch | undefined {
  const reader = new ObjectReader({ kind: "object", directory }, findings);
  const tree = reader.read(given, "the configuration", 0);
  if (tree === undefined || reader.isStopped) return undefined;
  if (tree.kind === "map") return tree;
  findings.mistake(tree.place, "the configuration is not an object", "give { actionTypes, handlers, … }");
  return undefined;
}

class ObjectReader {
  readonly #place: Place;
  readonly #findings: Findings;
  #values = 0;
  /** Over a limit: what is behind it was not read. */
  isStopped = false;

  constructor(place: Place, findings: Findings) {
    this.#place = place;
    this.#findings = findings;
  }

  read(value: unknown, name: string, depth: number): Tree | undefined {
    const place = this.#place;
    if (this.isStopped) return undefined;
    const what = tooLarge(depth, ++this.#values);
    if (what !== undefined) {
      this.isStopped = true;
      this.#findings.mistake(place, `${name} ${what}`, "is it the right object?");
      return undefined;
    }
    if (Array.isArray(value)) {
      const items = value.map((item, at) => this.read(item, `${name}[${at}]`, depth + 1));
      return { kind: "list", items: items.filter((item) => item !== undefined), place };
    }
    const isScalar = value === null || !["object", "function", "symbol"].includes(typeof value);
    if (isScalar) return { kind: "leaf", value, text: String(value), place };
    if (typeof value !== "object" || !isPlain(value)) {
      this.#findings.mistake(place, `${name} is not a plain value`, "write strings, numbers, lists and plain objects");
      return undefined;
    }
    const entries = new Map<string, Entry>();
    for (const [key, each] of Object.entries(value)) {
      // As if the key were not there: whoever builds an object may leave a value out so.
      const tree = each === undefined ? undefined : this.read(each, depth === 0 ? key : `${name}.${key}`, depth + 1);
      if (tree) entries.set(key, { place, tree });
    }
    return { kind: "map", entries, place };
  }
}

/** An object of `{}`, of whatever realm: test runners bring their own. */
function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}
