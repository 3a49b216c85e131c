// The configuration table of docs/configuration.md, made from the schema so that the two cannot disagree.
import { schema } from "./schema.js";
import type { Section, Setting } from "./setting.js";
import { isAlwaysRequired, settingsOf } from "./setting.js";

/** Markdown: one row for each key, in the order of the schema; those of entries after all others. */
export function configurationTable(): string {
  const rows = rowsOf(schema, "");
  for (const [path, { each, named, kinds }] of settingsOf(schema)) {
    if (each) rows.push(...rowsOf(each, `${path}[]`));
    if (named) rows.push(...rowsOf(named, `${path}.NAME`));
    if (kinds) rows.push(...kindRows(kinds, `${path}.NAME`));
  }
  return `${["| Key | Value | Default | Variable | |", "|---|---|---|---|---|", ...rows].join("\n")}\n`;
}

function rowsOf(section: Section, prefix: string): string[] {
  return [...settingsOf(section, prefix)].map(([path, setting]) => row(path, setting));
}

/** First the keys that every kind has, then those of one kind, with its name. */
function kindRows(kinds: Readonly<Record<string, Section>>, prefix: string): readonly string[] {
  const all = Object.entries(kinds).flatMap(([word, section]) =>
    [...settingsOf(section, prefix)].map(([key, setting]) => ({ word, key, setting })),
  );
  const groups = [...Map.groupBy(all, ({ key, setting }) => `${key} ${setting.doc}`).values()];
  return groups
    .toSorted((one, other) => other.length - one.length)
    .flatMap((same) => {
      const names = new Set(same.map(({ setting }) => setting.kind.name));
      const mark = same.length === Object.keys(kinds).length ? "" : `(${same.map(({ word }) => word).join(", ")}) `;
      return same.slice(0, 1).map(({ key, setting }) => row(key, setting, [...names].join(" \\| "), mark));
    });
}

function row(key: string, setting: Setting, value = setting.kind.name, mark = ""): string {
  const variable = setting.env ? `\`${setting.env}\`` : "";
  return `| \`${key}\` | ${value} | ${defaultOf(setting)} | ${variable} | ${mark}${setting.doc} |`;
}

function defaultOf(setting: Setting): string {
  if (isAlwaysRequired(setting)) return "required";
  const { derived, unset, default: value } = setting;
  const isEmpty = value === null || (value instanceof Map && value.size === 0) || String(value) === "";
  return derived ?? unset ?? (isEmpty ? "none" : `\`${String(value)}\``);
}
