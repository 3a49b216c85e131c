// A configuration as it was written, before anybody knows what its keys mean: values with the places they stand in,
// and the overlay of one upon another. Maps, not objects: a key named `__proto__` is only a strange word here.
import type { Place } from "./mistakes.js";

export type Tree = Leaf | Branch | List;

/** A scalar. `text` is the way it was written: `1.10` is not the number 1.1. */
export interface Leaf {
  readonly kind: "leaf";
  readonly value: unknown;
  readonly text: string;
  readonly place: Place;
}

export interface Branch {
  readonly kind: "map";
  readonly entries: ReadonlyMap<string, Entry>;
  readonly place: Place;
}

export interface List {
  readonly kind: "list";
  readonly items: readonly Tree[];
  readonly place: Place;
}

/** One key of a map. `place` is the key's, `tree.place` the value's. */
export interface Entry {
  readonly place: Place;
  readonly tree: Tree;
}

/** Keys that lie over one another in a way of their own, wherever they stand. */
export interface SpecialKeys {
  /** They decide what their siblings mean: a map that changes one of them replaces the earlier map. */
  readonly deciding: readonly string[];
  /** They can be in a file of their own: whoever gives one of the two forms takes back the other. */
  readonly secret: readonly string[];
}

/** Each laid over those before it: maps key by key, all else replaced. */
export function laidOver(layers: readonly Branch[], special: SpecialKeys): Branch {
  return layers.reduce((under, over) => overlay(under, over, special), emptyBranch({ kind: "default" }));
}

/** A map without any key. */
export function emptyBranch(place: Place): Branch {
  return { kind: "map", entries: new Map(), place };
}

/** A map that holds one value at a path such as `polling.minInterval`. */
export function treeAt(path: string, value: Tree): Branch {
  const [key = "", ...below] = path.split(".");
  const tree = below.length === 0 ? value : treeAt(below.join("."), value);
  return { kind: "map", entries: new Map([[key, { place: value.place, tree }]]), place: value.place };
}

/** A plain value, or a list of them, that is at one place. */
export function treeOf(value: unknown, place: Place): Tree {
  const leaf = (part: unknown): Leaf => ({ kind: "leaf", value: part, text: String(part), place });
  return Array.isArray(value) ? { kind: "list", items: value.map(leaf), place } : leaf(value);
}

/** `key:` with nothing after it, or `null`. */
export function isEmpty(tree: Tree): boolean {
  return tree.kind === "leaf" && tree.value === null;
}

/** Deepest real nesting is 4; an object may hold itself. */
const depthMax = 20;
/** Values of one configuration, aliases written out: hundreds of action types have some thousands. */
const valuesMax = 50_000;

/** Why no more is read, so deep down and after so many values; `undefined`: it is within the limits. */
export function tooLarge(depth: number, values: number): string | undefined {
  if (depth > depthMax) return "is nested too deeply";
  return values > valuesMax ? "holds too many values" : undefined;
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

/** Where a tree stands, or a part of it: an item of a list, the value of a key. */
export function placeIn(tree: Tree, part?: string | number): Place {
  return (partOf(tree, part) ?? tree).place;
}

/** An item of a list, the value of a key, or the whole. */
export function partOf(tree: Tree, part?: string | number): Tree | undefined {
  if (part === undefined) return tree;
  if (tree.kind === "list" && typeof part === "number") return tree.items[part];
  return tree.kind === "map" ? tree.entries.get(String(part))?.tree : undefined;
}

/** What a tree is, in words for a message. */
export function describeTree(tree: Tree): string {
  if (tree.kind === "map") return "a map";
  if (tree.kind === "list") return "a list";
  if (tree.value === null) return "empty";
  return typeof tree.value === "string" ? "a string" : `a ${typeof tree.value}`;
}

function overlay(under: Branch, over: Branch, special: SpecialKeys): Branch {
  if (special.deciding.some((key) => changes(under, over, key))) return over;
  const entries = new Map(under.entries);
  for (const [key, entry] of over.entries) {
    const below = entries.get(key);
    entries.set(key, below ? { place: entry.place, tree: overlaid(below.tree, entry.tree, special) } : entry);
    for (const secret of special.secret) {
      if (key === secret && !over.entries.has(`${secret}File`)) entries.delete(`${secret}File`);
      if (key === `${secret}File` && !over.entries.has(secret)) entries.delete(secret);
    }
  }
  return { kind: "map", entries, place: over.place };
}

function overlaid(under: Tree, over: Tree, special: SpecialKeys): Tree {
  if (under.kind === "map" && over.kind === "map") return overlay(under, over, special);
  // `admin:` with nothing below it, in a later file, takes nothing away.
  return under.kind === "map" && isEmpty(over) ? under : over;
}

function changes(under: Branch, over: Branch, key: string): boolean {
  const before = under.entries.get(key)?.tree;
  const after = over.entries.get(key)?.tree;
  return before?.kind === "leaf" && after?.kind === "leaf" && before.value !== after.value;
}
