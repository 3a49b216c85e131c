// The JSON Schema of configuration files, for editors, made from the schema so that the two cannot disagree. It
// accepts every configuration that partnerd accepts; `check-config` finds more, such as handlers that nobody defined.
import { actionTypeSchema, handlerSchemas } from "./entry-schema.js";
import type { JsonSchema } from "./formats.js";
import { schema } from "./schema.js";
import { isSetting, type Section, type Setting } from "./setting.js";
import { handlerName } from "./shapes.js";

/** The whole document, draft 2020-12. */
export function configurationSchema(): JsonSchema {
  const root = sectionJson(schema);
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "partnerd configuration",
    ...root,
    // What is required may stand in another file or in the environment.
    required: [],
    properties: {
      ...(root["properties"] as object),
      actionTypes: { ...settingJson(schema.actionTypes), items: sectionJson(actionTypeSchema) },
      handlers: {
        ...settingJson(schema.handlers),
        propertyNames: { pattern: handlerName.source },
        additionalProperties: {
          oneOf: Object.entries(handlerSchemas).map(([kind, section]) => handlerJson(kind, section)),
        },
      },
    },
  };
}

function handlerJson(kind: string, section: Section): JsonSchema {
  const { properties, required, ...rest } = sectionJson(section) as { properties: object; required: string[] };
  return {
    ...rest,
    title: `${kind} handler`,
    properties: { kind: { const: kind }, ...properties },
    required: ["kind", ...required],
  };
}

/** A section's keys. One that may be named by a file may be left out for it. */
function sectionJson(section: Section): JsonSchema {
  const entries = Object.entries(section);
  return {
    type: "object",
    properties: Object.fromEntries(
      entries.flatMap(([key, part]): [string, JsonSchema][] => {
        if (!isSetting(part)) return [[key, sectionJson(part)]];
        return part.hasFileForm
          ? [
              [key, settingJson(part)],
              [`${key}File`, fileJson(key)],
            ]
          : [[key, settingJson(part)]];
      }),
    ),
    required: entries.flatMap(([key, part]) => (isSetting(part) && part.required ? [key] : [])),
    additionalProperties: false,
  };
}

function settingJson(setting: Setting): JsonSchema {
  const { doc, kind, default: value } = setting;
  const isShown = value !== null && !(value instanceof Map);
  const names = setting.isOfFiles ? { items: { type: "string", minLength: 1 } } : {};
  return { description: doc, ...kind.json, ...names, ...(isShown ? { default: value } : {}) };
}

function fileJson(key: string): JsonSchema {
  return { description: `The name of a file that holds \`${key}\`.`, type: "string", minLength: 1 };
}
