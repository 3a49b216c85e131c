// The pieces a schema is made of: a setting is a convict property with the Format that checks it; sections nest.
// Knows no key by name.
import type { Format } from "./formats.js";

/** One key. It is a convict schema object, and what the reader and the configuration table need besides. */
export interface Setting {
  /** As the user would write it; `null`: there is none. */
  readonly default: unknown;
  readonly doc: string;
  /** For convict: throws when the value is not of this format. */
  readonly format: (value: unknown) => void;
  readonly kind: Format;
  readonly nullable: boolean;
  readonly sensitive: boolean;
  /** Can be given as the name of a file that holds it, by `KEYFile` or the variable `…_FILE`. */
  readonly hasFileForm: boolean;
  /** A list that is written as names of files; its values are the texts in them. */
  readonly isOfFiles: boolean;
  /** Absent: the key is in a list or a map, and no environment variable leads there. */
  readonly env?: string;
  /** How the table shows a default that is worked out at start. */
  readonly defaultText?: string;
  /** Others read it: a placeholder in it may be theirs. */
  readonly isHandedOn: boolean;
  /** A path: made absolute from the folder of the place that names it. */
  readonly isPath: boolean;
  /** Nothing stands in for it. */
  readonly required: boolean;
}

/** Keys, and sections of keys. */
export interface Section {
  readonly [key: string]: Setting | Section;
}

/** How a setting is written down in schema.ts. */
export interface SettingOptions {
  readonly doc: string;
  readonly kind: Format;
  readonly default?: unknown;
  readonly env?: string;
  readonly defaultText?: string;
  readonly sensitive?: boolean;
  readonly hasFileForm?: boolean;
  readonly isOfFiles?: boolean;
  readonly isHandedOn?: boolean;
  readonly isPath?: boolean;
  readonly required?: boolean;
}

/** Completes a setting; without a default it may stay unset. */
export function setting(options: SettingOptions): Setting {
  const { kind } = options;
  return {
    sensitive: false,
    hasFileForm: false,
    isOfFiles: false,
    isHandedOn: false,
    isPath: false,
    required: false,
    default: null,
    ...options,
    nullable: (options.default ?? null) === null,
    format(value) {
      const [problem] = kind.problems(value);
      if (problem) throw new Error(problem.what);
    },
  };
}

/** Tells a key from a section. */
export function isSetting(part: Setting | Section): part is Setting {
  return typeof part.format === "function";
}

/** Every setting below a section with its path, in the order of the schema. */
export function* settingsOf(section: Section, path: readonly string[] = []): Generator<[string[], Setting]> {
  for (const [key, part] of Object.entries(section)) {
    if (isSetting(part)) yield [[...path, key], part];
    else yield* settingsOf(part, [...path, key]);
  }
}
