// Environment variables and command-line flags as trees that lie over the files. The schema says which variable is
// which key; a text is turned into what the key's format means by it, and never half of it.
import { commandVariables } from "../std/own-variables.js";
import type { Findings, Place } from "./mistakes.js";
import { quote } from "./mistakes.js";
import type { Section, Setting } from "./setting.js";
import { settingsOf } from "./setting.js";
import { nearest } from "./suggest.js";
import type { Branch, Leaf, Tree } from "./tree.js";
import { overlay, treeAt } from "./tree.js";

/** Environment variables by name. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** One value from the command line. `flag` is what the user typed, without the value. */
export interface Override {
  readonly flag: string;
  readonly key: string;
  readonly text: string;
}

/** Variables that are read elsewhere, or that partnerd itself sets for its commands. */
const otherVariables: ReadonlySet<string> = new Set(["PARTNERD_CONFIG", ...commandVariables]);

/** What Kubernetes sets in every container of a namespace that has a Service called partnerd-… */
const serviceLink = /_(SERVICE_(HOST|PORT(_.*)?)|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$/;
const serviceAddress = /^(tcp|udp|sctp):\/\//;

/** The files' tree with the environment over it. Empty variables count as unset. */
export function withEnvironment(
  tree: Branch,
  schema: Section,
  from: { readonly environment: Environment; readonly directory: string; readonly findings: Findings },
): Branch {
  const { environment, directory, findings } = from;
  const known = new Set<string>();
  let result = tree;
  for (const [path, setting] of settingsOf(schema)) {
    if (setting.env === undefined) continue;
    const forms = [{ name: setting.env, path, isFile: false }];
    if (setting.hasFileForm) forms.push({ name: `${setting.env}_FILE`, path: fileKey(path), isFile: true });
    const set = forms.filter(({ name }) => isSet(name, environment, findings));
    for (const { name } of forms) known.add(name);
    if (set.length > 1) {
      const place: Place = { kind: "environment", name: `${setting.env}_FILE`, directory };
      findings.mistake(place, `${setting.env} is set as well`, "keep one of them");
    }
    for (const { name, path: key, isFile } of set.slice(0, 1)) {
      const place: Place = { kind: "environment", name, directory };
      result = overlay(result, treeAt(key, textLeaf(environment[name] ?? "", isFile ? undefined : setting, place)));
    }
  }
  warnOfUnknown(known, from);
  return result;
}

/** The tree with the flags over it. */
export function withOverrides(
  tree: Branch,
  schema: Section,
  from: { readonly overrides: readonly Override[]; readonly directory: string; readonly findings: Findings },
): Branch {
  let result = tree;
  const settings = new Map([...settingsOf(schema)].map(([path, setting]) => [path.join("."), setting]));
  for (const { flag, key, text } of from.overrides) {
    const place: Place = { kind: "flag", name: flag, directory: from.directory };
    const setting = settings.get(key);
    if (!setting) {
      from.findings.mistake(place, `the key ${quote(key)} is unknown`, otherKey(key, [...settings.keys()]));
    } else if (setting.sensitive) {
      from.findings.mistake(
        place,
        `${key} is a secret, and every user can see a command line`,
        secretElsewhere(setting),
      );
    } else {
      result = overlay(result, treeAt(key.split("."), textLeaf(text, setting, place)));
    }
  }
  return result;
}

/** What to write instead of a key that no flag can set. */
function otherKey(key: string, known: readonly string[]): string {
  if (/^(actionTypes|handlers)\b./.test(key)) return "the keys of one action type or handler stand in a file";
  const below = known.filter((each) => each.startsWith(`${key}.`));
  if (below.length > 0)
    return `it has keys of its own: ${below.slice(0, 6).join(", ")}${below.length > 6 ? ", …" : ""}`;
  const near = known.find((each) => each.endsWith(`.${key}`)) ?? nearest(key, known);
  return near
    ? `did you mean ${near}?`
    : "`partnerd print-config` shows every key; write it as in polling.minInterval=2s";
}

function textLeaf(text: string, setting: Setting | undefined, place: Place): Tree {
  const value = setting ? setting.kind.fromText(text) : text;
  const leaf = (part: unknown): Leaf => ({ kind: "leaf", value: part, text: String(part), place });
  return Array.isArray(value) ? { kind: "list", items: value.map(leaf), place } : leaf(value);
}

function isSet(name: string, environment: Environment, findings: Findings): boolean {
  const text = environment[name];
  if (text === undefined || text === "") return false;
  // PARTNERD_ADMIN_PORT=tcp://10.0.0.7:9464 is the doing of a Service called partnerd-admin, not the user's.
  if (!serviceLink.test(name) || !serviceAddress.test(text)) return true;
  const place: Place = { kind: "environment", name, directory: "" };
  findings.warn(place, "is set by Kubernetes for a Service of that name, and ignored", "set enableServiceLinks: false");
  return false;
}

function warnOfUnknown(
  known: ReadonlySet<string>,
  from: { readonly environment: Environment; readonly directory: string; readonly findings: Findings },
): void {
  for (const [name, text] of Object.entries(from.environment)) {
    if (!name.startsWith("PARTNERD_") || known.has(name) || otherVariables.has(name) || !text) continue;
    if (serviceLink.test(name)) continue;
    // Only a warning: whoever shares a machine's environment with others cannot always remove a variable.
    const near = nearest(name, known);
    const place: Place = { kind: "environment", name, directory: from.directory };
    from.findings.warn(place, "is no variable of partnerd's", near ? `did you mean ${near}?` : "remove it");
  }
}

function fileKey(path: readonly string[]): string[] {
  return [...path.slice(0, -1), `${path.at(-1) ?? ""}File`];
}

function secretElsewhere(setting: Setting): string {
  return setting.env ? `set ${setting.env} or ${setting.env}_FILE` : "write it into a file";
}
