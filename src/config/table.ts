// The configuration table of README.md, made from the schema so that the two cannot disagree.
import { kindSetting } from "./entries.js";
import { actionTypeSchema, breakerSchema, handlerSchemas } from "./entry-schema.js";
import { schema } from "./schema.js";
import type { Section, Setting } from "./setting.js";
import { settingsOf } from "./setting.js";

/** Markdown: one row for each key, in the order of the schema. */
export function configurationTable(): string {
  const rows = [
    ...rowsOf(schema, ""),
    ...rowsOf(actionTypeSchema, "actionTypes[]."),
    row("handlers.NAME.kind", kindSetting),
    ...Object.entries(handlerSchemas).flatMap(([kind, section]) =>
      rowsOf(ownOf(section), "handlers.NAME.").map((each) => each.replace(/\| ([^|]*) \|$/, `| (${kind}) $1 |`)),
    ),
    ...rowsOf({ breaker: breakerSchema }, "handlers.NAME."),
  ];
  return `${["| Key | Value | Default | Variable | |", "|---|---|---|---|---|", ...rows].join("\n")}\n`;
}

/** The keys that not every kind of handler has. */
function ownOf(section: Section): Section {
  return Object.fromEntries(Object.entries(section).filter(([, part]) => part !== breakerSchema));
}

function rowsOf(section: Section, prefix: string): readonly string[] {
  return [...settingsOf(section)].map(([path, setting]) => row(`${prefix}${path.join(".")}`, setting));
}

function row(key: string, setting: Setting): string {
  const variable = setting.env ? `\`${setting.env}\`` : "";
  return `| \`${key}\` | ${setting.kind.name} | ${defaultOf(setting)} | ${variable} | ${setting.doc} |`;
}

function defaultOf(setting: Setting): string {
  if (setting.required) return "required";
  if (setting.defaultText !== undefined) return setting.defaultText;
  return setting.default === null ? "none" : `\`${String(setting.default)}\``;
}
