// The effective configuration as YAML, each value with the place it came from, secrets masked.
// What it prints can be read again as a configuration, but for the secrets.
import { Document, type Node, Scalar, YAMLMap, YAMLSeq } from "yaml";
import { kindSetting } from "./entries.js";
import { actionTypeSchema, handlerSchemas } from "./entry-schema.js";
import type { Loaded } from "./load.js";
import type { Place } from "./mistakes.js";
import { describePlace } from "./mistakes.js";
import { schema } from "./schema.js";
import type { Section, Setting } from "./setting.js";
import { isSetting } from "./setting.js";
import type { Settings } from "./settings.js";
import { hasSecretName, masked, shownArguments, shownText } from "./shown.js";

/** The configuration as YAML text. */
export function printConfig({ config, settings, handlers }: Loaded): string {
  const actionTypes = new YAMLSeq();
  for (const index of config.actionTypes.keys()) {
    actionTypes.add(sectionNode(actionTypeSchema, `actionTypes[${index}]`, settings));
  }
  const handlerNodes = new YAMLMap();
  for (const { name, path, kind } of handlers) {
    handlerNodes.set(name, sectionNode({ kind: kindSetting, ...handlerSchemas[kind] }, path, settings));
  }
  const whole = sectionNode(schema, "", settings);
  whole.set("actionTypes", actionTypes);
  whole.set("handlers", handlerNodes);
  const document = new Document();
  document.contents = whole as typeof document.contents;
  return document.toString({ lineWidth: 0 });
}

function sectionNode(section: Section, prefix: string, settings: Settings): YAMLMap {
  const map = new YAMLMap();
  for (const [key, part] of Object.entries(section)) {
    const path = prefix === "" ? key : `${prefix}.${key}`;
    map.set(key, isSetting(part) ? valueNode(part, path, settings) : sectionNode(part, path, settings));
  }
  return map;
}

function valueNode(setting: Setting, path: string, settings: Settings): Node {
  const shown = shownValue(setting, settings.get(path));
  const node = new Document(shown).contents ?? new Scalar(null);
  if (node instanceof YAMLMap || node instanceof YAMLSeq) node.flow = true;
  node.comment = ` ${sourceOf(settings.place(path))}`;
  return node as Node;
}

function sourceOf(place: Place): string {
  return place.kind === "default" ? "default" : describePlace(place);
}

function shownValue(setting: Setting, value: unknown): unknown {
  if (value === null) return null;
  if (value instanceof Map) {
    const entries = [...(value as Map<string, unknown>)];
    return Object.fromEntries(
      entries.map(([key, each]) => [key, setting.sensitive || hasSecretName(key) ? masked : shownText(String(each))]),
    );
  }
  if (Array.isArray(value)) return setting.sensitive ? value.map(() => masked) : shownArguments(value.map(String));
  if (setting.sensitive) return masked;
  if (setting.kind.name === "URL" && typeof value === "string") return value.replace(/\?.*$/s, `?${masked}`);
  return value;
}
