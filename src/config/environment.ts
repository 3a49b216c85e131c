// Environment variables and command-line flags as trees that lie over the files. The schema says which variable is
// which key, convict reads the text as the kind of value that the key has; ours are the places, the forms that name a
// file, and the variables that partnerd does not know.

import { commandVariables } from "../std/own-variables.js";
import { quote } from "../std/quote.js";
import { nearest } from "../std/suggest.js";
import { openStore } from "./convict-store.js";
import type { Findings, Place } from "./mistakes.js";
import type { Section } from "./setting.js";
import { fileFormOf, settingsOf } from "./setting.js";
import type { Branch } from "./tree.js";
import { treeAt, treeOf } from "./tree.js";

/** Environment variables by name. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** One value from the command line. `flag` is what the user typed, without the value. */
export interface Override {
  readonly flag: string;
  readonly key: string;
  readonly text: string;
}

/** Where relative names of files start, and where mistakes go. */
interface Reading {
  readonly directory: string;
  readonly findings: Findings;
}

/** Variables that are read elsewhere, or that partnerd itself sets for its commands. */
const otherVariables: ReadonlySet<string> = new Set(["PARTNERD_CONFIG", ...commandVariables]);

/** What Kubernetes sets in every container of a namespace that has a Service called partnerd-… */
const serviceLink = /_(SERVICE_(HOST|PORT(_.*)?)|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$/;
const serviceAddress = /^(tcp|udp|sctp):\/\//;

/** One tree for each variable, in the order of the schema: a source or a store comes before what belongs to it. */
export function fromEnvironment(schema: Section, environment: Environment, reading: Reading): readonly Branch[] {
  const { directory, findings } = reading;
  const place = (name: string): Place => ({ kind: "environment", name, directory });
  const forms = formsOf(schema);
  const set: Record<string, string> = {};
  for (const [name, text] of Object.entries(environment)) {
    // Empty variables count as unset.
    if (!name.startsWith("PARTNERD_") || !text || otherVariables.has(name)) continue;
    const isLink = serviceLink.test(name) && serviceAddress.test(text);
    if (forms.has(name) && !isLink) set[name] = text;
    else if (forms.has(name)) {
      // PARTNERD_ADMIN_PORT=tcp://10.0.0.7:9464 is the doing of a Service called partnerd-admin, not the user's.
      const what = "was set by Kubernetes for a Service of that name, and is ignored";
      findings.warn(place(name), what, "set enableServiceLinks: false");
    } else if (!serviceLink.test(name)) {
      // Only a warning: whoever shares a machine's environment with others cannot always remove a variable.
      const near = nearest(name, forms.keys());
      findings.warn(place(name), "is not a variable that partnerd knows", near ? `did you mean ${near}?` : "remove it");
    }
  }
  // A store of the whole schema costs a start 5 ms.
  if (Object.keys(set).length === 0) return [];
  const store = openStore(schema, set);
  return [...forms].flatMap(([name, { key, fileOf }]) => {
    if (set[name] === undefined) return [];
    if (fileOf !== undefined && set[fileOf] !== undefined) {
      findings.mistake(place(name), `${fileOf} is set as well`, "keep one of them");
      return [];
    }
    return [treeAt(key, treeOf(fileOf === undefined ? store.get(key) : set[name], place(name)))];
  });
}

/** The variables of a schema, and those that name a file with the secret of one. */
function formsOf(schema: Section): ReadonlyMap<string, { readonly key: string; readonly fileOf?: string }> {
  const forms = new Map<string, { readonly key: string; readonly fileOf?: string }>();
  for (const [key, setting] of settingsOf(schema)) {
    if (setting.env === undefined) continue;
    forms.set(setting.env, { key });
    const fileKey = fileFormOf(key, setting);
    if (fileKey !== undefined) forms.set(`${setting.env}_FILE`, { key: fileKey, fileOf: setting.env });
  }
  return forms;
}

/** One tree for each flag. */
export function fromFlags(schema: Section, overrides: readonly Override[], reading: Reading): readonly Branch[] {
  if (overrides.length === 0) return [];
  const { directory, findings } = reading;
  const settings = new Map(settingsOf(schema));
  const store = openStore(schema);
  return overrides.flatMap(({ flag, key, text }) => {
    const place: Place = { kind: "flag", name: flag, directory };
    const setting = settings.get(key);
    if (setting && !setting.sensitive) {
      store.set(key, text);
      return [treeAt(key, treeOf(store.get(key), place))];
    }
    if (setting) {
      const { env } = setting;
      const remedy = env === undefined ? "write it into a file" : `set ${env} or ${env}_FILE`;
      findings.mistake(place, `${key} is a secret, and every user can see a command line`, remedy);
    } else findings.mistake(place, `the key ${quote(key)} is unknown`, otherKey(key, [...settings.keys()]));
    return [];
  });
}

/** What to write instead of a key that no flag can set. */
function otherKey(key: string, known: readonly string[]): string {
  if (/^(accounts|actionTypes|handlers)\b./.test(key))
    return "the keys of an account, action type or handler can only be set in a file";
  const below = known.filter((each) => each.startsWith(`${key}.`));
  if (below.length > 0)
    return `it has keys of its own: ${below.slice(0, 6).join(", ")}${below.length > 6 ? ", …" : ""}`;
  const near = known.find((each) => each.endsWith(`.${key}`)) ?? nearest(key, known);
  return near
    ? `did you mean ${near}?`
    : "`partnerd print-config` shows every key; write it as in polling.minInterval=2s";
}
