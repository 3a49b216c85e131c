// The settings of one configuration by their paths, such as `polling.minInterval` or `actionTypes[1].handler`: each as
// the user would write it, with the place it came from. Paths are absolute and secrets wrapped here already.
import type { Place } from "./mistakes.js";
import type { Tree } from "./tree.js";
import { parseDuration, parseSize } from "./units.js";

/** Where a value came from, and whether it can be relied upon. */
interface Held {
  readonly value: unknown;
  readonly place: Place;
  /** What was written; absent for a default. */
  readonly tree?: Tree;
  /** What was written is wrong, and this is the default instead. */
  readonly isBroken: boolean;
}

export class Settings {
  readonly #held = new Map<string, Held>();

  set(path: string, value: unknown, from: { place: Place; tree?: Tree; isBroken?: boolean }): void {
    this.#held.set(path, { isBroken: false, ...from, value });
  }

  /** Gives a value to a setting that has none; where something wrong was written, that stays remembered. */
  fill(path: string, value: unknown, place: Place = { kind: "default" }): void {
    const held = this.#held.get(path);
    if (held?.value === null) this.#held.set(path, held.isBroken ? { ...held, value } : { ...held, value, place });
  }

  /** Makes a sound value of the user's exact, such as a relative program absolute. */
  refine(path: string, change: (value: unknown, place: Place) => unknown): void {
    const held = this.#held.get(path);
    if (held && this.isGiven(path)) this.#held.set(path, { ...held, value: change(held.value, held.place) });
  }

  /** The paths in the order of the schema. */
  paths(): IterableIterator<string> {
    return this.#held.keys();
  }

  get(path: string): unknown {
    const held = this.#held.get(path);
    if (!held) throw new Error(`bug: there is no setting ${path}`);
    return held.value;
  }

  /** Where the value was written, or its part: an item of a list, the value of a key. */
  place(path: string, part?: string | number): Place {
    const held = this.#held.get(path);
    const tree = held?.tree;
    if (part !== undefined && tree?.kind === "list" && typeof part === "number") {
      return tree.items[part]?.place ?? tree.place;
    }
    if (part !== undefined && tree?.kind === "map") return tree.entries.get(String(part))?.place ?? tree.place;
    return held?.place ?? { kind: "default" };
  }

  /** The user wrote it, and wrote it well. */
  isGiven(path: string): boolean {
    const held = this.#held.get(path);
    return held !== undefined && held.place.kind !== "default" && !held.isBroken;
  }

  /** It is what the user wants: nothing was written that is wrong. */
  isSound(path: string): boolean {
    return this.#held.get(path)?.isBroken === false;
  }

  text(path: string): string {
    return this.#typed(path, (value) => typeof value === "string");
  }

  optionalText(path: string): string | undefined {
    return this.get(path) === null ? undefined : this.text(path);
  }

  number(path: string): number {
    return this.#typed(path, (value) => typeof value === "number");
  }

  isOn(path: string): boolean {
    return this.#typed<boolean>(path, (value) => typeof value === "boolean");
  }

  list(path: string): readonly string[] {
    return this.#typed(path, (value) => Array.isArray(value));
  }

  map(path: string): ReadonlyMap<string, unknown> {
    return this.#typed(path, (value) => value instanceof Map);
  }

  /** In ms; `none` is Infinity. */
  durationMs(path: string): number {
    const text = this.text(path);
    return text === "none" ? Number.POSITIVE_INFINITY : this.#parsed(path, parseDuration(text));
  }

  bytes(path: string): number {
    return this.#parsed(path, parseSize(this.text(path)));
  }

  #typed<T>(path: string, isRight: (value: unknown) => boolean): T {
    const value = this.get(path);
    if (!isRight(value)) throw new Error(`bug: the setting ${path} has the wrong type`);
    return value as T;
  }

  #parsed(path: string, value: number | undefined): number {
    if (value === undefined) throw new Error(`bug: the setting ${path} was not checked`);
    return value;
  }
}
