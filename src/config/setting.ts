// The pieces a schema is made of: settings, which convict understands, and sections of them, which nest.
// Knows no key by name.
import type { Format } from "./formats.js";
import type { SpecialKeys } from "./tree.js";

/** What schema.ts says of a key besides its sentence and its format. */
export interface SettingOptions {
  /** As the user would write it. */
  readonly default?: unknown;
  /** There is no default. */
  readonly required?: true;
  /** The default is worked out at start; how the table shows it. */
  readonly derived?: string;
  /** What holds while it is unset, for the table. */
  readonly unset?: string;
  /**
   * Its word decides which keys behind it in the section count. Strictly: any other is a mistake, and a later file with
   * another word begins the section again. Leniently: any other is worth a warning.
   */
  readonly decides?: "strictly" | "leniently";
  /** It counts only when the deciding key beside it is this word, or one of these. */
  readonly only?: string | readonly string[];
  /** A key beside it that it may not be over. */
  readonly atMost?: string;
  /** A key beside it, or the path of one, over which it has no effect. */
  readonly uselessOver?: string;
  /** A key beside it without which it means nothing. */
  readonly needs?: string;
  /** It names files, and the texts in them join this list beside it. */
  readonly filesOf?: string;
  /** Others read it: a placeholder in it may be theirs. */
  readonly isHandedOn?: true;
  /** A list of entries of these keys. */
  readonly each?: Section;
  /** A map of named entries, whose key `kind` says which of these sections is theirs. */
  readonly kinds?: Readonly<Record<string, Section>>;
  /** A map of named entries of these keys. */
  readonly named?: Section;
}

/** One key: a convict schema object, with what the rest of this folder needs besides. */
export interface Setting<F extends Format = Format> extends SettingOptions {
  readonly doc: string;
  readonly kind: F;
  /** For convict, by the names of convict-store.ts. */
  readonly format: string;
  /** `null`: there is none. */
  readonly default: unknown;
  readonly nullable: boolean;
  readonly sensitive: boolean;
  /** The variable that sets it, given by `withVariables`. */
  readonly env?: string;
}

/** On a section: its keys count only when the deciding key beside it is one of these words. */
export const onlyFor = Symbol("onlyFor");

/** Keys, and sections of keys. */
export interface Section {
  readonly [key: string]: Setting | Section;
  readonly [onlyFor]?: readonly string[];
}

/** One key; without `default`, `required` or `derived` it may stay unset. */
export function setting<F extends Format>(doc: string, kind: F): Setting<F>;
export function setting<F extends Format, const O extends SettingOptions>(
  doc: string,
  kind: F,
  options: O,
): Omit<Setting<F>, keyof O> & O;
export function setting(doc: string, kind: Format, options?: SettingOptions): Setting {
  return {
    doc,
    kind,
    format: kind.written ?? "text",
    default: null,
    nullable: (options?.default ?? null) === null,
    sensitive: kind.isSecret ?? false,
    ...options,
  };
}

/** The key of a section that decides which of the others count. */
export function decidingKey(section: Section): string | undefined {
  return Object.entries(section).find(([, part]) => isSetting(part) && part.decides)?.[0];
}

/** The same section, each key with the variable that is named after its path: `PARTNERD_LOG_LEVEL`. */
export function withVariables<S extends Section>(section: S, prefix = "PARTNERD"): S {
  const named: Record<string, Setting | Section> = {};
  for (const [key, part] of Object.entries(section)) {
    const name = `${prefix}_${key.replaceAll(/[A-Z]/g, "_$&").toUpperCase()}`;
    // No text stands for a map or for entries.
    if (!isSetting(part)) named[key] = withVariables(part, name);
    else if (part.kind.written !== "map" && !hasEntries(part)) named[key] = { ...part, env: name };
  }
  return { ...section, ...named };
}

/** True for a list or a map of entries with keys of their own. */
export function hasEntries({ each, named, kinds }: SettingOptions): boolean {
  return each !== undefined || named !== undefined || kinds !== undefined;
}

/** Tells a key from a section. */
export function isSetting(part: Setting | Section): part is Setting {
  return typeof part.format === "string";
}

/** It counts for this word of the deciding key. */
export function isFor(part: Setting | Section, word: unknown): boolean {
  const only = isSetting(part) ? part.only : part[onlyFor];
  return only === undefined || [only].flat().includes(word as string);
}

/** It is required, whatever else is set. */
export function isAlwaysRequired({ required, only }: Setting): boolean {
  return required === true && only === undefined;
}

/** The key that names a file with this secret, where there is one. */
export function fileFormOf(key: string, part: Setting | Section | undefined): string | undefined {
  return part && isSetting(part) && part.sensitive && part.format === "text" ? `${key}File` : undefined;
}

/** Every setting below a section with its path, such as `polling.minInterval`, in the order of the schema. */
export function* settingsOf(section: Section, prefix = ""): Generator<[path: string, setting: Setting]> {
  const only = section[onlyFor];
  for (const [key, part] of Object.entries(section)) {
    const path = joined(prefix, key);
    if (isSetting(part)) yield [path, only ? { ...part, only } : part];
    else yield* settingsOf(part, path);
  }
}

/** The last key of a path. */
export function lastKey(path: string): string {
  return path.slice(path.lastIndexOf(".") + 1);
}

/** The path of a key that is beside the last key of another path. */
export function besideKey(path: string, key: string): string {
  return path.slice(0, path.lastIndexOf(".") + 1) + key;
}

/** The keys of a schema, those of its entries too, that lie over one another in a way of their own. */
export function specialKeys(section: Section): SpecialKeys {
  const [deciding, secret] = [new Set<string>(), new Set<string>()];
  for (const [path, setting] of settingsOf(section)) {
    const key = lastKey(path);
    if (setting.decides === "strictly") deciding.add(key);
    if (fileFormOf(key, setting)) secret.add(key);
    for (const entries of [setting.each ?? {}, setting.named ?? {}, ...Object.values(setting.kinds ?? {})]) {
      const below = specialKeys(entries);
      for (const each of below.deciding) deciding.add(each);
      for (const each of below.secret) secret.add(each);
    }
  }
  return { deciding: [...deciding], secret: [...secret] };
}

/** A path and a key behind it; either may be empty. */
export function joined(prefix: string, key: string): string {
  return prefix === "" || key === "" ? prefix + key : `${prefix}.${key}`;
}
