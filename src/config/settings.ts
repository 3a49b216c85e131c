// The settings of one configuration by their paths, such as `polling.minInterval` or `actionTypes[1].handler`: each as
// the user would write it, with the place it came from. Names of files are absolute here already.
import { Findings, type Place } from "./mistakes.js";
import { type Section, type Setting, settingsOf } from "./setting.js";
import type { Tree } from "./tree.js";
import { placeIn } from "./tree.js";

/** Where a value came from, and whether it can be relied upon. */
export interface Held {
  /** `null`: it is unset. */
  readonly value: unknown;
  readonly place: Place;
  /** What was written; absent for a default. */
  readonly tree?: Tree;
  /** What was written is wrong, and this is the default instead. */
  readonly isBroken?: boolean;
}

/** An item of a list of entries, or of a map of them. */
export interface Entry {
  /** Its name in the map. */
  readonly name: string;
  /** The prefix of its settings. */
  readonly path: string;
  readonly section: Section;
}

export class Settings {
  readonly findings: Findings;
  readonly #held = new Map<string, Held>();
  readonly #entries = new Map<string, Entry[]>();

  constructor(findings = new Findings()) {
    this.findings = findings;
  }

  /** Something is wrong with a setting, or a part of it. */
  mistake(path: string, what: string, remedy: string, part?: string | number): void {
    this.findings.mistake(this.place(path, part), what, remedy);
  }

  /** It can be used, but it may not do what the user wants. */
  warn(path: string, what: string, remedy: string, part?: string | number): void {
    this.findings.warn(this.place(path, part), what, remedy);
  }

  set(path: string, held: Held): void {
    this.#held.set(path, held);
  }

  /** Gives a value to a setting that has none; where something wrong was written, that stays remembered. */
  fill(path: string, value: unknown, place: Place = { kind: "default" }): void {
    const held = this.#held.get(path);
    if (held?.value === null) this.#held.set(path, { ...held, value, ...(held.isBroken ? {} : { place }) });
  }

  addEntry(path: string, entry: Entry): void {
    this.#entries.set(path, [...this.entries(path), entry]);
  }

  /** The entries below a path whose keys could be looked at. */
  entries(path: string): readonly Entry[] {
    return this.#entries.get(path) ?? [];
  }

  /** Every setting of a section with its path; behind a list or a map of entries, those of each entry. */
  *below(section: Section, prefix = ""): Generator<[path: string, setting: Setting]> {
    for (const [path, setting] of settingsOf(section, prefix)) {
      yield [path, setting];
      for (const entry of this.entries(path)) yield* this.below(entry.section, entry.path);
    }
  }

  get(path: string): unknown {
    return this.#of(path).value;
  }

  /** Where the value was written, or its part: an item of a list, the value of a key. */
  place(path: string, part?: string | number): Place {
    const { tree, place } = this.#of(path);
    return tree ? placeIn(tree, part) : place;
  }

  /** What was written there, right or wrong. */
  tree(path: string): Tree | undefined {
    return this.#of(path).tree;
  }

  /** The user wrote it, and wrote it well. */
  isGiven(path: string): boolean {
    const { place, isBroken } = this.#of(path);
    return place.kind !== "default" && !isBroken;
  }

  /** They are what the user wants: nothing was written that is wrong. */
  isSound(...paths: readonly string[]): boolean {
    return paths.every((path) => !this.#of(path).isBroken);
  }

  #of(path: string): Held {
    const held = this.#held.get(path);
    if (!held) throw new Error(`bug: there is no setting ${path}`);
    return held;
  }
}
