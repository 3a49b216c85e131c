// What a value of the configuration may look like: one Format for each kind of value. A format looks at a value and
// says what is wrong with it and how to write it; it never changes it, and knows neither keys nor files.
import { likelyBoolean, likelyNumber, likelyText, likelyUrl, likelyWord } from "./likely.js";
import { quote } from "./mistakes.js";
import { formatDuration, formatSize, likelyDuration, likelySize, parseDuration, parseSize } from "./units.js";

/** What is wrong with a value, the end of the sentence `KEY …`; and what to do. `at` leads to a part of the value. */
export interface Problem {
  readonly at?: string | number;
  readonly what: string;
  readonly mend: string;
}

/** A part of a JSON Schema document (draft 2020-12). */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** One kind of value. Values are what YAML gives: texts, numbers, booleans, arrays, and Maps for maps. */
export interface Format {
  /** For the configuration table. */
  readonly name: string;
  /** For editors: what JSON Schema can say of it. It accepts whatever `problems` accepts. */
  readonly json: JsonSchema;
  problems(value: unknown): readonly Problem[];
  /** The value that an environment variable or a flag means; a text that means none is given back as it is. */
  fromText(text: string): unknown;
}

/** A duration such as `10s`, within limits that are durations themselves. */
export function duration(min: string, max: string): Format {
  return single("duration", (value) => durationProblem(value, min, max), durationJson);
}

/** A duration, or `none` for no limit. */
export function durationOrNone(min: string, max: string): Format {
  return single("duration or none", (value) => (value === "none" ? undefined : durationProblem(value, min, max)), {
    anyOf: [durationJson, { const: "none" }],
  });
}

/** A size such as `10MiB`. */
export function size(min: string, max: string): Format {
  const problemOf = (value: unknown) => {
    const bytes = typeof value === "string" ? parseSize(value) : undefined;
    if (bytes === undefined) {
      const likely = likelySize(typeof value === "object" ? "" : String(value)) ?? "10MiB";
      const what = hasNoUnit(value) ? `is ${quote(value)}, a number without a unit` : notA(value, "a size");
      return { what, mend: `write ${likely} (units: B, KiB, MiB, GiB, TiB)` };
    }
    const inRange = bytes >= (parseSize(min) ?? 0) && bytes <= (parseSize(max) ?? Number.POSITIVE_INFINITY);
    return inRange ? undefined : { what: `is ${formatSize(bytes)}`, mend: `choose from ${min} to ${max}` };
  };
  return single("size", problemOf, { type: "string", pattern: "^\\d{1,16}(B|KiB|MiB|GiB|TiB)$", examples: [min] });
}

/** A whole number. */
export function integer(min: number, max: number): Format {
  return numeric("whole number", min, max, Number.isSafeInteger);
}

/** Any number. */
export function number(min: number, max: number): Format {
  return numeric("number", min, max, Number.isFinite);
}

/** `true` or `false`. */
export function boolean(): Format {
  return {
    name: "true or false",
    json: { type: "boolean" },
    problems(value) {
      if (typeof value === "boolean") return [];
      return [{ what: notA(value, "a yes or no"), mend: `write ${likelyBoolean(value) ?? "true or false"}` }];
    },
    fromText: (text) => (text === "true" ? true : text === "false" ? false : text),
  };
}

/** One word of a list. `later` are words that a reader of the design may try, but this version does not know. */
export function oneOf(words: readonly string[], later: readonly string[] = []): Format {
  return single(
    words.join(" \\| "),
    (value) => {
      if (words.includes(value as string)) return undefined;
      const known = `choose ${words.join(", ").replace(/, ([^,]*)$/, " or $1")}`;
      if (later.includes(value as string)) return { what: `is ${quote(value)}, not in this version`, mend: known };
      const likely = typeof value === "string" ? likelyWord(value, words) : undefined;
      return { what: notA(value, "one of the known words"), mend: likely ? `write ${likely} (${known})` : known };
    },
    { enum: words },
  );
}

/** A text of limited length, of the given form. */
export function text(rules: { max: number; name?: string; form?: RegExp; says?: string }): Format {
  return single(rules.name ?? "text", (value) => textProblem(value, rules), textJson({ min: 1, ...rules }));
}

/** A text that no message may show. */
export function hiddenText(rules: { min?: number; max: number; form?: RegExp; says?: string }): Format {
  return single(
    "text",
    (value) => {
      if (typeof value !== "string") {
        const what = value === null ? "is empty" : "is not a text";
        return { what, mend: isScalar(value) ? "quote it" : "write a text" };
      }
      const min = rules.min ?? 0;
      if (value.length < min || value.length > rules.max) {
        return { what: `has ${value.length} characters`, mend: `write ${min} to ${rules.max}` };
      }
      if (!rules.form || rules.form.test(value)) return undefined;
      return { what: `does not look like ${rules.says ?? "one"}`, mend: "look at how it was copied" };
    },
    textJson(rules),
  );
}

/** A name of a file or folder; relative names are resolved by the reader. */
export function path(): Format {
  return single(
    "path",
    (value) => {
      if (typeof value === "string" && value.startsWith("~")) {
        return { what: `is ${quote(value)}, and ~ means nothing here`, mend: "write the folder out" };
      }
      return textProblem(value, { max: 4_096, form: /^[^\0]+$/, says: "a path" });
    },
    textJson({ min: 1, max: 4_096 }),
  );
}

/** An http or https URL that carries no user name, no password and no fragment. */
export function httpUrl(): Format {
  return single(
    "URL",
    (value) => {
      if (typeof value !== "string") return { what: notA(value, "a URL"), mend: `write "http://host:port/path"` };
      if (value.length > 2_048 || !URL.canParse(value) || !/^https?:\/\//i.test(value)) {
        // Not shown: a broken URL may hold a password.
        const likely = likelyUrl(value) ?? "http://host:port/path";
        return { what: "is not an http or https URL", mend: `write ${quote(likely)}` };
      }
      const url = new URL(value);
      if (url.username !== "" || url.password !== "") {
        return { what: "carries a user name or a password", mend: "take it out; it would show up in logs" };
      }
      return url.hash === "" ? undefined : { what: `ends in ${quote(url.hash)}`, mend: "remove the part from # on" };
    },
    { type: "string", pattern: "^[hH][tT][tT][pP][sS]?://", maxLength: 2_048 },
  );
}

/** A list of texts without repeats; the environment gives it with commas. */
export function list(item: Format, rules: { name: string; max: number; isHidden?: boolean }): Format {
  return {
    name: rules.name,
    json: { type: "array", items: item.json, maxItems: rules.max, uniqueItems: true },
    problems(value) {
      if (!Array.isArray(value)) {
        if (rules.isHidden) return [{ what: "is not a list", mend: "write [first, second]" }];
        const isItem = typeof value === "string" && item.problems(value).length === 0;
        return [{ what: notA(value, "a list"), mend: `write [${isItem ? value : "first, second"}]` }];
      }
      if (value.length > rules.max) return [{ what: `has ${value.length} items`, mend: `${rules.max} is the most` }];
      return value.flatMap((each: unknown, index): Problem[] => {
        const [problem] = item.problems(each);
        if (problem) return [{ at: index, ...problem }];
        const first = value.indexOf(each);
        const shown = rules.isHidden ? `item ${first}` : quote(each);
        return first < index ? [{ at: index, what: `repeats ${shown}`, mend: "remove it" }] : [];
      });
    },
    fromText: (written) => written.split(",").map((part) => part.trim()),
  };
}

/** A map of texts. */
export function textMap(rules: { key: Format; value: Format; max: number }): Format {
  return {
    name: "map",
    json: {
      type: "object",
      propertyNames: rules.key.json,
      additionalProperties: rules.value.json,
      maxProperties: rules.max,
    },
    problems(value) {
      // Not shown: these maps hold tokens and variables.
      if (!(value instanceof Map)) return [{ what: "is not a map", mend: "write {name: value}" }];
      if (value.size > rules.max) return [{ what: `has ${value.size} entries`, mend: `${rules.max} is the most` }];
      return [...(value as Map<string, unknown>)].flatMap(([key, each]): Problem[] => {
        const [keyProblem] = rules.key.problems(key);
        if (keyProblem) return [{ at: key, what: `is a key that ${keyProblem.what}`, mend: keyProblem.mend }];
        return rules.value.problems(each).map((problem) => ({ ...problem, at: key }));
      });
    },
    fromText: (written) => written,
  };
}

/** A format of one value, from a function that finds its problem. */
export function single(name: string, problemOf: (value: unknown) => Problem | undefined, json: JsonSchema): Format {
  return {
    name,
    json,
    problems(value) {
      const problem = problemOf(value);
      return problem ? [problem] : [];
    },
    fromText: (written) => written,
  };
}

const durationJson: JsonSchema = { type: "string", pattern: "^\\d{1,16}(ms|s|m|h)$", examples: ["10s"] };

function textJson(rules: { min?: number; max: number; form?: RegExp }): JsonSchema {
  return {
    type: "string",
    ...(rules.min === undefined ? {} : { minLength: rules.min }),
    maxLength: rules.max,
    ...(rules.form === undefined ? {} : { pattern: rules.form.source }),
  };
}

/** What is wrong with a text; shows the value. */
function textProblem(value: unknown, rules: { max: number; form?: RegExp; says?: string }): Problem | undefined {
  if (typeof value !== "string") {
    return { what: notA(value, "a text"), mend: isScalar(value) ? "quote it" : "write a text" };
  }
  if (value === "") return { what: "is empty", mend: "write a value, or remove the key" };
  if (value.length > rules.max) {
    return { what: `has ${value.length} characters`, mend: `${rules.max} is the most` };
  }
  const { form } = rules;
  if (form && !form.test(value)) {
    const likely = likelyText(value, (text) => form.test(text));
    return { what: `is ${quote(value)}`, mend: `write ${likely ? quote(likely) : (rules.says ?? "another one")}` };
  }
  return undefined;
}

function numeric(name: string, min: number, max: number, isRight: (value: unknown) => boolean): Format {
  return {
    name,
    json: { type: name === "number" ? "number" : "integer", minimum: min, maximum: max },
    problems(value) {
      const range = `write a ${name} from ${min} to ${max}`;
      const likely = typeof value === "string" ? likelyNumber(value) : undefined;
      if (likely !== undefined && isRight(likely) && likely >= min && likely <= max) {
        const isPlain = String(likely) === value;
        return [
          { what: `is the text ${quote(value)}`, mend: `write ${isPlain ? "it without quotes: " : ""}${likely}` },
        ];
      }
      if (!isRight(value)) return [{ what: notA(value, `a ${name}`), mend: range }];
      return (value as number) >= min && (value as number) <= max ? [] : [{ what: `is ${quote(value)}`, mend: range }];
    },
    // Never parseInt: it takes 10 out of `10s`.
    fromText: (written) => (/^-?\d{1,15}(\.\d{1,15})?$/.test(written.trim()) ? Number(written) : written),
  };
}

function durationProblem(value: unknown, min: string, max: string): Problem | undefined {
  const ms = typeof value === "string" ? parseDuration(value) : undefined;
  if (ms === undefined) {
    const likely = likelyDuration(typeof value === "object" ? "" : String(value)) ?? "10s";
    const what = hasNoUnit(value) ? `is ${quote(value)}, a number without a unit` : notA(value, "a duration");
    return { what, mend: `write ${likely} (units: ms, s, m, h)` };
  }
  if (ms >= (parseDuration(min) ?? 0) && ms <= (parseDuration(max) ?? Number.POSITIVE_INFINITY)) return undefined;
  return { what: `is ${formatDuration(ms)}`, mend: `choose from ${min} to ${max}` };
}

function hasNoUnit(value: unknown): boolean {
  return typeof value === "number" || (typeof value === "string" && /^\d+$/.test(value.trim()));
}

function isScalar(value: unknown): boolean {
  return typeof value === "number" || typeof value === "boolean" || typeof value === "bigint";
}

/** `is 5, not a text`, with collections named rather than shown. */
export function notA(value: unknown, wanted: string): string {
  if (value instanceof Map) return `is a map, not ${wanted}`;
  if (Array.isArray(value)) return `is a list, not ${wanted}`;
  if (value === null) return "is empty";
  return `is ${quote(value)}, not ${wanted}`;
}
