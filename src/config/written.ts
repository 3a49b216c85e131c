// From the schema to the type of a configuration as a person writes it, in a file or as an object: plain texts, numbers,
// booleans, lists and maps, durations such as "10s" and sizes such as "10MiB" as texts. Knows no key by name.
import type { Branded } from "../job/job.js";
import type { Secret } from "../job/secret.js";
import type { Format } from "./formats.js";
import type { Setting } from "./setting.js";
import type { Counting } from "./values.js";

/** What may be written for a section; with a deciding key, one of several by its word. */
export type Written<S> = [DecidingKey<S>] extends [never] ? Flat<Keys<S>> : ByWord<S, DecidingKey<S>>;

type DecidingKey<S> = { [K in keyof S]: S[K] extends { readonly decides: string } ? K : never }[keyof S];

type ByWord<S, K extends keyof S> = {
  [W in WrittenPart<S[K]> & string]: Flat<WordKey<S[K], K, W> & Keys<Counting<Omit<S, K>, W>>>;
}[WrittenPart<S[K]> & string];

/** The word that holds when none is written may be left out. */
type WordKey<P, K extends PropertyKey, W> = P extends { readonly default: W }
  ? { readonly [_ in K]?: W | undefined }
  : { readonly [_ in K]: W };

type Keys<S> = {
  readonly [K in keyof S & string as S[K] extends { readonly required: true } ? K : never]: WrittenPart<S[K]>;
} & {
  readonly [K in keyof S & string as S[K] extends { readonly required: true } ? never : K]?:
    | WrittenPart<S[K]>
    | undefined;
} & {
  /** A secret may stand in a file of its own. */
  readonly [K in keyof S & string as MeaningOf<S[K]> extends Secret<string> ? `${K}File` : never]?: string | undefined;
};

/** What may be written for a key, or for a section below. */
type WrittenPart<P> = P extends { readonly each: infer E }
  ? readonly Written<E>[]
  : P extends { readonly kinds: infer E }
    ? Readonly<Record<string, OneOf<E[keyof E]>>>
    : P extends Setting<infer F>
      ? F extends Format<infer V, infer Unit>
        ? Unit extends "Ms" | "Bytes"
          ? string
          : Plain<V>
        : never
      : Written<P>;

type MeaningOf<P> = P extends Setting<infer F> ? (F extends Format<infer V> ? V : never) : never;

type OneOf<S> = S extends unknown ? Written<S> : never;

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
