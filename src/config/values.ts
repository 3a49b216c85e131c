// From a section of the schema to the type and the value that the daemon works with: each key by what its format
// means, under its name with the unit behind it (`minInterval` is `minIntervalMs`). Knows no key by name.
import { type Format, meaningOf, record } from "./formats.js";
import type { Section, Setting } from "./setting.js";
import { decidingKey, isFor, isSetting, joined, type onlyFor } from "./setting.js";
import type { Settings } from "./settings.js";

/** What a section becomes; with a deciding key, one of several by its word. */
export type Values<S> = [DecidingKey<S>] extends [never] ? Flat<Plain<S>> : OneOfWords<S, DecidingKey<S>>;

type DecidingKey<S> = { [K in keyof S]: S[K] extends { readonly decides: string } ? K : never }[keyof S];

type OneOfWords<S, K extends keyof S> = {
  [W in ValueOf<S[K]> & string]: Flat<Readonly<Record<K, W>> & Plain<Counting<Omit<S, K>, W>>>;
}[ValueOf<S[K]> & string];

/** What a key, or a section below, becomes. */
type ValueOf<P> = P extends { readonly each: infer E }
  ? readonly Values<E>[]
  : P extends { readonly named: infer E }
    ? Readonly<Record<string, Values<E>>>
    : P extends { readonly kinds: infer E }
      ? Readonly<Record<string, OneOf<E[keyof E]>>>
      : P extends Setting<infer F>
        ? F extends Format<infer V>
          ? V
          : never
        : Values<P>;

type OneOf<S> = S extends unknown ? Values<S> : never;

/** The keys that count for a word. */
export type Counting<S, W> = {
  [K in keyof S as S[K] extends { readonly only: infer O } | { readonly [onlyFor]: infer O }
    ? W extends WordsOf<O>
      ? K
      : never
    : K]: S[K];
};

type WordsOf<O> = O extends readonly (infer W)[] ? W : O;

type Plain<S> = {
  readonly [K in keyof S as MayBeUnset<S[K]> extends false ? NameOf<K, S[K]> : never]: ValueOf<S[K]>;
} & {
  readonly [K in keyof S as MayBeUnset<S[K]> extends true ? NameOf<K, S[K]> : never]?: ValueOf<S[K]>;
};

type MayBeUnset<P> = P extends Setting ? (P extends AlwaysSet ? false : true) : false;

type AlwaysSet =
  | { readonly required: true }
  | { readonly derived: string }
  | { readonly default: NonNullable<unknown> };

type NameOf<K, P> = P extends { readonly filesOf: string }
  ? never
  : P extends Setting<Format<unknown, infer U>>
    ? WithUnit<K, U>
    : Extract<K, string>;

type WithUnit<K, U extends string> = K extends `${string}${U}` ? K : K extends string ? `${K}${U}` : never;

type Flat<T> = { [K in keyof T]: T[K] };

/** What the keys below `prefix` are set to. Those that are missing or wrong, and have no default, are left out. */
export function valuesOf<S extends Section>(section: S, prefix: string, settings: Settings): Values<S> {
  const deciding = decidingKey(section);
  const word = deciding === undefined ? undefined : settings.get(joined(prefix, deciding));
  const values: Record<string, unknown> = {};
  for (const [key, part] of Object.entries(section)) {
    const path = joined(prefix, key);
    if (!isFor(part, word)) continue;
    if (!isSetting(part)) {
      values[key] = valuesOf(part, path, settings);
      continue;
    }
    const value = settingValue(part, path, settings);
    if (value === undefined) continue;
    if (part.filesOf === undefined) values[withUnit(key, part.kind.unit)] = value;
    else values[part.filesOf] = [values[part.filesOf] ?? [], value].flat();
  }
  return values as Values<S>;
}

function settingValue(part: Setting, path: string, settings: Settings): unknown {
  const entries = settings
    .entries(path)
    .map((entry) => [entry.name, valuesOf(entry.section, entry.path, settings)] as const);
  if (part.each) return entries.map(([, value]) => value);
  if (part.kinds) return record(entries);
  // Without any the key may as well be missing.
  if (part.named) return entries.length === 0 && part.nullable ? undefined : record(entries);
  const value = settings.get(path);
  // An empty map of something that may be missing means what no map means.
  const isUnset = value === null || (part.nullable && value instanceof Map && value.size === 0);
  return isUnset ? undefined : meaningOf(part.kind, value);
}

function withUnit(key: string, unit = ""): string {
  return key.endsWith(unit) ? key : `${key}${unit}`;
}
