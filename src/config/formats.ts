// What a value of the configuration may look like: one Format for each kind of value. A format says what is wrong with
// a value and how to write it, and what a right one means to the daemon. It knows neither keys nor files.
import { resolve } from "node:path";
import { Secret } from "../job/secret.js";
import { likelyBoolean, likelyNumber, likelyText, likelyUrl, likelyWord } from "../std/likely.js";
import { quote } from "../std/quote.js";
import { formatDuration, formatSize, likelyDuration, likelySize, parseDuration, parseSize } from "../std/units.js";

/** What is wrong with a value, the end of the sentence `KEY …`; and what to do. `at` leads to a part of the value. */
export interface Problem {
  readonly at?: string | number;
  readonly what: string;
  readonly remedy: string;
}

/** A part of a JSON Schema document (draft 2020-12). */
export type JsonSchema = Readonly<Record<string, unknown>>;

/**
 * One kind of value, as YAML gives it: texts, numbers, booleans, arrays, and Maps for maps. `V` is what the daemon works
 * with, under the key with `Unit` behind it.
 */
export interface Format<V = unknown, Unit extends string = string> {
  /** For the configuration table. */
  readonly name: string;
  /** For editors: what JSON Schema can say of it. It accepts whatever `problems` accepts. */
  readonly json: JsonSchema;
  /** How a variable or a flag is read, by the names of convict-store.ts; absent: as the text it is. */
  readonly written?: "number" | "switch" | "list" | "map";
  readonly unit?: Unit;
  /** No message shows it. */
  readonly isSecret?: boolean | undefined;
  problems(value: unknown): readonly Problem[];
  /** What a value without problems means; absent: itself. */
  meaning?(value: unknown): V;
  /** The value with its relative names of files made absolute. */
  located?(value: unknown, directory: string): unknown;
}

/** Of a text: how long it is, what it looks like, and that in words. */
interface TextRules {
  readonly min?: number;
  readonly max: number;
  readonly form?: RegExp;
  readonly says?: string;
}

/** What a value without problems means to the daemon. */
export function meaningOf<V>(format: Format<V>, value: unknown): V {
  return format.meaning ? format.meaning(value) : (value as V);
}

/** A duration such as `10s`, within limits that are durations themselves. */
export function duration(min: string, max: string): Format<number, "Ms"> {
  return measured("Ms", min, max);
}

/** A duration, or `none` for no limit. */
export function durationOrNone(min: string, max: string): Format<number, "Ms"> {
  const limited = duration(min, max);
  return {
    ...limited,
    name: "duration or none",
    json: { anyOf: [limited.json, { const: "none" }] },
    problems: (value) => (value === "none" ? [] : limited.problems(value)),
    meaning: (value) => (value === "none" ? Number.POSITIVE_INFINITY : meaningOf(limited, value)),
  };
}

/** A size such as `10MiB`. */
export function size(min: string, max: string): Format<number, "Bytes"> {
  return measured("Bytes", min, max);
}

/** A whole number. */
export function integer(min: number, max: number): Format<number, ""> {
  return numeric("whole number", min, max, Number.isSafeInteger);
}

/** Any number. */
export function number(min: number, max: number): Format<number, ""> {
  return numeric("number", min, max, Number.isFinite);
}

/** `true` or `false`. */
export function boolean(): Format<boolean, ""> {
  const problemOf = (value: unknown) => {
    if (typeof value === "boolean") return undefined;
    return { what: notA(value, "true or false"), remedy: `write ${likelyBoolean(value) ?? "true or false"}` };
  };
  return { ...single("true or false", problemOf, { type: "boolean" }), written: "switch" };
}

/** One word of a list. */
export function oneOf<const W extends string>(words: readonly W[]): Format<W, ""> {
  return single(
    words.join(" \\| "),
    (value) => {
      if (words.includes(value as W)) return undefined;
      const known = choose(words);
      const likely = typeof value === "string" ? likelyWord(value, words) : undefined;
      return { what: notA(value, "a known value"), remedy: likely ? `write ${likely} (${known})` : known };
    },
    { enum: words },
  );
}

/** `choose a, b or c`. */
export function choose(words: readonly string[]): string {
  return `choose ${words.join(", ").replace(/, ([^,]*)$/, " or $1")}`;
}

/** A text of limited length, of the given form. */
export function text<T extends string = string>(rules: TextRules): Format<T, ""> {
  return single("string", (value) => textProblem(value, rules), textJson({ min: 1, ...rules }));
}

/** A text that no message may show, such as a variable of a program; partnerd works with it as it is. */
export function hiddenText(rules: TextRules): Format<string, ""> {
  const { min = 0, max, form, says = "one" } = rules;
  const problemOf = (value: unknown) => {
    if (typeof value !== "string") {
      const what = value === null ? "is empty" : "is not a string";
      return { what, remedy: isScalar(value) ? "quote it" : "write a string" };
    }
    const isInRange = value.length >= min && value.length <= max;
    if (!isInRange) return { what: `has ${value.length} characters`, remedy: `write ${min} to ${max}` };
    if (!form || form.test(value)) return undefined;
    const oddity = oddityOf(value, (text) => form.test(text));
    return oddity ?? { what: `does not look like ${says}`, remedy: "check that all of it was copied" };
  };
  return single("string", problemOf, textJson(rules));
}

/** What makes a text that may not be shown a wrong one, if it would be right without that. */
function oddityOf(value: string, isRight: (text: string) => boolean): Omit<Problem, "at"> | undefined {
  const trimmed = value.trim();
  if (/^\s*\S+\s*[\r\n]+\s*\S/.test(value)) return { what: "has several lines", remedy: "keep one of them" };
  if (trimmed !== value && isRight(trimmed)) {
    return { what: "starts or ends with white space or a second line break", remedy: "remove it" };
  }
  const [, inQuotes] = /^(?:"(.*)"|'(.*)')$/s.exec(trimmed) ?? [];
  return inQuotes !== undefined ? { what: "is in quotes", remedy: "remove them" } : undefined;
}

/** A text that partnerd itself keeps wrapped: no message, log or page may show it. */
export function secret<T extends string = string>(hidden: Format<string, "">): Format<Secret<T>, ""> {
  return { ...hidden, isSecret: true, meaning: (value) => new Secret(value as T) };
}

/** A name of a file or folder. */
export function path(): Format<string, ""> {
  const problemOf = (value: unknown) =>
    typeof value === "string" && value.startsWith("~")
      ? { what: `is ${quote(value)}, and ~ is not expanded here`, remedy: "write the full path" }
      : textProblem(value, { max: 4_096, form: /^[^\0]+$/, says: "a path" });
  return {
    ...single("path", problemOf, textJson({ min: 1, max: 4_096 })),
    located: (value, directory) => resolve(directory, value as string),
  };
}

/** An http or https URL that carries no user name, no password and no fragment; a base carries no query either. */
export function httpUrl(rules: { isBase?: boolean } = {}): Format<string, ""> {
  return single(
    "URL",
    (value) => {
      if (typeof value !== "string") return { what: notA(value, "a URL"), remedy: `write "http://host:port/path"` };
      if (value.length > 2_048 || !URL.canParse(value) || !/^https?:\/\//i.test(value)) {
        // Not shown: a broken URL may hold a password.
        const likely = likelyUrl(value) ?? "http://host:port/path";
        return { what: "is not an http or https URL", remedy: `write ${quote(likely)}` };
      }
      const url = new URL(value);
      if (url.username !== "" || url.password !== "") {
        return { what: "contains a user name or a password", remedy: "remove it; it would appear in logs" };
      }
      if (url.hash !== "") return { what: `ends in ${quote(url.hash)}`, remedy: "remove the part from # on" };
      if (!rules.isBase || url.search === "") return undefined;
      return { what: "has a query, and partnerd appends paths to it", remedy: "remove the part from ? on" };
    },
    { type: "string", pattern: "^[hH][tT][tT][pP][sS]?://", maxLength: 2_048 },
  );
}

/** A list without repeats; the environment gives it with commas. */
export function list<V>(item: Format<V>, rules: { name: string; max: number }): Format<readonly V[], ""> {
  return {
    name: rules.name,
    json: { type: "array", items: item.json, maxItems: rules.max, uniqueItems: true },
    written: "list",
    isSecret: item.isSecret,
    problems(value) {
      if (!Array.isArray(value)) {
        if (item.isSecret) return [{ what: "is not a list", remedy: "write [first, second]" }];
        const items = typeof value === "string" ? value.split(/[\s,;]+/).filter((each) => each !== "") : [];
        const isList = items.length > 0 && items.every((each) => item.problems(each).length === 0);
        return [{ what: notA(value, "a list"), remedy: `write [${isList ? items.join(", ") : "first, second"}]` }];
      }
      if (value.length > rules.max)
        return [{ what: `has ${value.length} items`, remedy: `the maximum is ${rules.max}` }];
      return value.flatMap((each: unknown, index): Problem[] => {
        const [problem] = item.problems(each);
        if (problem) return [{ at: index, ...problem }];
        const first = value.indexOf(each);
        const shown = item.isSecret ? `item ${first}` : quote(each);
        return first < index ? [{ at: index, what: `repeats ${shown}`, remedy: "remove it" }] : [];
      });
    },
    meaning: (value) => (value as unknown[]).map((each) => meaningOf(item, each)),
  };
}

/** A map of texts. */
export function textMap<K extends string, V>(rules: {
  key: Format<K>;
  value: Format<V>;
  max: number;
}): Format<Readonly<Record<K, V>>, ""> {
  const { key: keys, value: values, max } = rules;
  return {
    name: "map",
    json: { type: "object", propertyNames: keys.json, additionalProperties: values.json, maxProperties: max },
    written: "map",
    isSecret: values.isSecret,
    problems(value) {
      // Not shown: these maps hold tokens and variables.
      if (!(value instanceof Map)) return [{ what: "is not a map", remedy: "write {name: value}" }];
      if (value.size > max) return [{ what: `has ${value.size} entries`, remedy: `the maximum is ${max}` }];
      return [...(value as Map<string, unknown>)].flatMap(([key, each]): Problem[] => {
        const [keyProblem] = keys.problems(key);
        if (keyProblem) return [{ at: key, what: "is not a valid key", remedy: keyProblem.remedy }];
        return values.problems(each).map((problem) => ({ ...problem, at: key }));
      });
    },
    meaning: (value) => record([...(value as Map<K, unknown>)].map(([key, each]) => [key, meaningOf(values, each)])),
  };
}

/** An object without a prototype: looking up a handler called `constructor` must find nothing. */
export function record<K extends string, V>(entries: readonly (readonly [K, V])[]): Readonly<Record<K, V>> {
  return Object.assign(Object.create(null) as Record<K, V>, Object.fromEntries(entries));
}

/** A format of one value, from a function that finds its problem. */
export function single<V>(
  name: string,
  problemOf: (value: unknown) => Problem | undefined,
  json: JsonSchema,
): Format<V, ""> {
  return {
    name,
    json,
    problems(value) {
      const problem = problemOf(value);
      return problem ? [problem] : [];
    },
  };
}

const measures = {
  Ms: {
    name: "duration",
    units: ["ms", "s", "m", "h"],
    example: "10s",
    parse: parseDuration,
    format: formatDuration,
    likely: likelyDuration,
  },
  Bytes: {
    name: "size",
    units: ["B", "KiB", "MiB", "GiB", "TiB"],
    example: "10MiB",
    parse: parseSize,
    format: formatSize,
    likely: likelySize,
  },
};

function measured<U extends keyof typeof measures>(unit: U, min: string, max: string): Format<number, U> {
  const { name, units, example, parse, format, likely } = measures[unit];
  const parsed = (value: unknown) => (typeof value === "string" ? parse(value) : undefined);
  const problemOf = (value: unknown) => {
    const amount = parsed(value);
    if (amount === undefined) {
      const isBare = typeof value === "number" || (typeof value === "string" && /^\d+$/.test(value.trim()));
      const what = isBare ? `is ${quote(value)}, a number without a unit` : notA(value, `a ${name}`);
      const remedy = likely(typeof value === "object" ? "" : String(value)) ?? example;
      return { what, remedy: `write ${remedy} (units: ${units.join(", ")})` };
    }
    const isRight = amount >= (parse(min) ?? 0) && amount <= (parse(max) ?? Number.POSITIVE_INFINITY);
    return isRight ? undefined : { what: `is ${format(amount)}`, remedy: `choose from ${min} to ${max}` };
  };
  const json = { type: "string", pattern: `^\\d{1,16}(${units.join("|")})$`, examples: [example] };
  return { ...single(name, problemOf, json), unit, meaning: (value) => parsed(value) ?? Number.NaN };
}

function textJson({ min = 0, max, form }: TextRules): JsonSchema {
  return { type: "string", minLength: min, maxLength: max, ...(form ? { pattern: form.source } : {}) };
}

/** What is wrong with a text; shows the value. */
function textProblem(value: unknown, rules: TextRules): Problem | undefined {
  if (typeof value !== "string") {
    return { what: notA(value, "a string"), remedy: isScalar(value) ? "quote it" : "write a string" };
  }
  if (value === "") return { what: "is empty", remedy: "write a value, or remove the key" };
  if (value.length > rules.max)
    return { what: `has ${value.length} characters`, remedy: `the maximum is ${rules.max}` };
  const { form, says = "another one" } = rules;
  if (!form || form.test(value)) return undefined;
  const likely = likelyText(value, (text) => form.test(text));
  return { what: `is ${quote(value)}`, remedy: `write ${likely ? quote(likely) : says}` };
}

function numeric(name: string, min: number, max: number, isRight: (value: unknown) => boolean): Format<number, ""> {
  const range = `write a ${name} from ${min} to ${max}`;
  const problemOf = (value: unknown) => {
    const likely = typeof value === "string" ? likelyNumber(value) : undefined;
    if (likely !== undefined && isRight(likely) && likely >= min && likely <= max) {
      const isPlain = String(likely) === value;
      return {
        what: `is the string ${quote(value)}`,
        remedy: `write ${isPlain ? "it without quotes: " : ""}${likely}`,
      };
    }
    // 9007199254740993 is whole, too, but no number holds it exactly.
    const isWhole = Number.isInteger(value) && !isRight(value);
    if (!isRight(value) && !isWhole) return { what: notA(value, `a ${name}`), remedy: range };
    return (value as number) >= min && (value as number) <= max
      ? undefined
      : { what: `is ${quote(value)}`, remedy: range };
  };
  const json = { type: name === "number" ? "number" : "integer", minimum: min, maximum: max };
  return { ...single(name, problemOf, json), written: "number" };
}

function isScalar(value: unknown): boolean {
  return typeof value === "number" || typeof value === "boolean" || typeof value === "bigint";
}

/** `is 5, not a string`, with collections named rather than shown. */
export function notA(value: unknown, wanted: string): string {
  if (value instanceof Map) return `is a map, not ${wanted}`;
  if (Array.isArray(value)) return `is a list, not ${wanted}`;
  if (value === null) return "is empty";
  return `is ${quote(value)}, not ${wanted}`;
}
