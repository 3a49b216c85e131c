// From a section of the schema to the type and the value that the daemon works with: each key by what its format
// means, under its name with the unit behind it (`minInterval` is `minIntervalMs`). And to the type of what a person
// writes: plain texts, numbers, booleans, lists and maps, durations such as "10s" as texts. Knows no key by name.
import type { Branded } from "../job/job.js";
import type { Secret } from "../job/secret.js";
import { type Format, meaningOf, record } from "./formats.js";
import type { Section, Setting } from "./setting.js";
import { decidingKey, isFor, isSetting, joined, type onlyFor } from "./setting.js";
import type { Settings } from "./settings.js";

/** What a section becomes; with a deciding key, one of several by its word. */
export type Values<S> = Shape<S, "read">;

/** What may be written for a section, in a file or as an object. */
export type Written<S> = Shape<S, "written">;

type Side = "read" | "written";

type Shape<S, T extends Side> = [DecidingKey<S>] extends [never] ? Flat<Keys<S, T>> : ByWord<S, DecidingKey<S>, T>;

type DecidingKey<S> = { [K in keyof S]: S[K] extends { readonly decides: string } ? K : never }[keyof S];

type ByWord<S, K extends keyof S, T extends Side> = {
  [W in MeaningOf<S[K]> & string]: Flat<WordKey<S[K], K, W, T> & Keys<Counting<Omit<S, K>, W>, T>>;
}[MeaningOf<S[K]> & string];

/** The word that holds when none is written may be left out there. */
type WordKey<P, K extends PropertyKey, W, T extends Side> = [T, P] extends ["written", { readonly default: W }]
  ? { readonly [_ in K]?: W | undefined }
  : { readonly [_ in K]: W };

/** What a key, or a section below, becomes. */
type Part<P, T extends Side> = P extends { readonly each: infer E }
  ? readonly Shape<E, T>[]
  : P extends { readonly named: infer E }
    ? Readonly<Record<string, Shape<E, T>>>
    : P extends { readonly kinds: infer E }
      ? Readonly<Record<string, OneOf<E[keyof E], T>>>
      : P extends Setting<infer F>
        ? T extends "read"
          ? MeaningOf<P>
          : F extends Format<unknown, "Ms" | "Bytes">
            ? string
            : Plain<MeaningOf<P>>
        : Shape<P, T>;

/** `unknown` for a section: `never` would pass for a secret. */
type MeaningOf<P> = P extends Setting<infer F> ? (F extends Format<infer V> ? V : unknown) : unknown;

type OneOf<S, T extends Side> = S extends unknown ? Shape<S, T> : never;

/** The keys that count for a word. */
type Counting<S, W> = {
  [K in keyof S as S[K] extends { readonly only: infer O } | { readonly [onlyFor]: infer O }
    ? W extends WordsOf<O>
      ? K
      : never
    : K]: S[K];
};

type WordsOf<O> = O extends readonly (infer W)[] ? W : O;

type Keys<S, T extends Side> = T extends "read" ? ReadKeys<S> : WrittenKeys<S>;

type ReadKeys<S> = {
  readonly [K in keyof S as MayBeUnset<S[K]> extends false ? NameOf<K, S[K]> : never]: Part<S[K], "read">;
} & {
  readonly [K in keyof S as MayBeUnset<S[K]> extends true ? NameOf<K, S[K]> : never]?: Part<S[K], "read">;
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

type WrittenKeys<S> = {
  readonly [K in keyof S & string as S[K] extends { readonly required: true } ? K : never]: Part<S[K], "written">;
} & {
  readonly [K in keyof S & string as S[K] extends { readonly required: true } ? never : K]?:
    | Part<S[K], "written">
    | undefined;
} & {
  /** A secret may be in a file of its own. */
  readonly [K in keyof S & string as MeaningOf<S[K]> extends Secret<string> ? `${K}File` : never]?: string | undefined;
};

/** Without what holds only inside: wrapped secrets, and brands. */
type Plain<V> = V extends Secret<string> | Branded<string>
  ? string
  : V extends string | number | boolean
    ? V
    : V extends readonly unknown[]
      ? { readonly [K in keyof V]: Plain<V[K]> }
      : V extends Readonly<Record<string, infer E>>
        ? Readonly<Record<string, Plain<E>>>
        : V;

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
