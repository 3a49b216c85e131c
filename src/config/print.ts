// The effective configuration as YAML, each value with the place it came from, secrets masked.
// What it prints can be read again as a configuration, but for the secrets.
import { Document, type Node, Scalar, YAMLMap, YAMLSeq } from "yaml";
import { hasSecretName, masked, shownArguments, shownText } from "../std/shown.js";
import type { Loaded } from "./load.js";
import { describePlace } from "./mistakes.js";
import { schema } from "./schema.js";
import type { Section, Setting } from "./setting.js";
import { hasEntries, isSetting, joined } from "./setting.js";
import type { Settings } from "./settings.js";

/** The configuration as YAML text. */
export function printConfig({ settings }: Loaded): string {
  const document = new Document();
  document.contents = sectionNode(schema, "", settings) as typeof document.contents;
  return document.toString({ lineWidth: 0 });
}

function sectionNode(section: Section, prefix: string, settings: Settings): YAMLMap {
  const map = new YAMLMap();
  for (const [key, part] of Object.entries(section)) {
    const path = joined(prefix, key);
    map.set(key, isSetting(part) ? settingNode(part, path, settings) : sectionNode(part, path, settings));
  }
  return map;
}

function settingNode(setting: Setting, path: string, settings: Settings): Node {
  // An empty map of accounts is not what no map is.
  const isUnset = setting.named !== undefined && settings.entries(path).length === 0;
  if (!hasEntries(setting) || isUnset) return valueNode(setting, path, settings);
  const node = setting.each ? new YAMLSeq() : new YAMLMap();
  for (const entry of settings.entries(path)) {
    node.set(setting.each ? node.items.length : entry.name, sectionNode(entry.section, entry.path, settings));
  }
  return node;
}

function valueNode(setting: Setting, path: string, settings: Settings): Node {
  const node = new Document(shownValue(setting, settings.get(path))).contents ?? new Scalar(null);
  if (node instanceof YAMLMap || node instanceof YAMLSeq) node.flow = true;
  node.comment = ` ${describePlace(settings.place(path)) || "default"}`;
  return node as Node;
}

function shownValue({ sensitive, kind }: Pick<Setting, "sensitive" | "kind">, value: unknown): unknown {
  if (value === null) return null;
  if (value instanceof Map) {
    const entries = [...(value as Map<string, unknown>)];
    return Object.fromEntries(
      entries.map(([key, each]) => [key, sensitive || hasSecretName(key) ? masked : shownText(String(each))]),
    );
  }
  if (Array.isArray(value) && value.some((each) => each instanceof Map)) {
    return value.map((each) => shownValue({ sensitive, kind }, each));
  }
  if (Array.isArray(value)) return sensitive ? value.map(() => masked) : shownArguments(value.map(String));
  if (sensitive) return masked;
  return kind.name === "URL" && typeof value === "string" ? value.replace(/\?.*$/s, `?${masked}`) : value;
}
