// The JSON Schema of configuration files, for editors, made from the schema so that the two cannot disagree. It
// accepts every configuration that partnerd accepts; `check-config` finds more, such as handlers that nobody defined.
import type { JsonSchema } from "./formats.js";
import { schema } from "./schema.js";
import { fileFormOf, isAlwaysRequired, isSetting, type Section, type Setting } from "./setting.js";

/** The whole document, draft 2020-12. */
export function configurationSchema(): JsonSchema {
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "partnerd configuration",
    ...sectionJson(schema),
    // What is required may be in another file or in the environment.
    required: [],
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
        const fileKey = fileFormOf(key, part);
        const own: [string, JsonSchema] = [key, settingJson(part)];
        return fileKey === undefined ? [own] : [own, [fileKey, fileJson(key)]];
      }),
    ),
    required: entries.flatMap(([key, part]) => (isSetting(part) && isAlwaysRequired(part) ? [key] : [])),
    additionalProperties: false,
  };
}

function settingJson({ doc, kind, default: value, filesOf, each, named, kinds }: Setting): JsonSchema {
  const byKind = Object.entries(kinds ?? {}).map(([word, section]) => ({
    ...sectionJson(section),
    title: `${word} handler`,
  }));
  return {
    description: doc,
    ...kind.json,
    ...(filesOf === undefined ? {} : { items: { type: "string", minLength: 1 } }),
    ...(each ? { items: sectionJson(each) } : {}),
    ...(named ? { additionalProperties: sectionJson(named) } : {}),
    ...(kinds ? { additionalProperties: { oneOf: byKind } } : {}),
    ...(value === null || value instanceof Map ? {} : { default: value }),
  };
}

function fileJson(key: string): JsonSchema {
  return { description: `The name of a file that holds \`${key}\`.`, type: "string", minLength: 1 };
}
