// Reads the entries of `actionTypes` and `handlers`, each under its own schema, and makes what a rule needs of them.
import { resolve } from "node:path";
import { actionTypeSchema, handlerSchemas } from "./entry-schema.js";
import { oneOf } from "./formats.js";
import type { Place } from "./mistakes.js";
import { quote } from "./mistakes.js";
import type { Reading } from "./reader.js";
import { asBranch, readSection } from "./reader.js";
import type { Section } from "./setting.js";
import { setting } from "./setting.js";
import { handlerName } from "./shapes.js";
import type { Branch, Tree } from "./tree.js";

export type HandlerKind = keyof typeof handlerSchemas;

/** Where the settings of one handler are. */
export interface HandlerEntry {
  readonly name: string;
  /** The prefix of its settings. */
  readonly path: string;
  readonly kind: HandlerKind;
  readonly tree: Branch;
}

/** The prefixes of the action types' settings, such as `actionTypes[0]`. */
export async function readActionTypes(tree: Tree | undefined, reading: Reading): Promise<readonly string[]> {
  if (tree?.kind !== "list") return [];
  const paths: string[] = [];
  for (const [index, item] of tree.items.entries()) {
    const path = `actionTypes[${index}]`;
    const branch = asBranch(item, path, reading.findings);
    if (!branch) continue;
    await readSection(actionTypeSchema, branch, path, reading);
    paths.push(path);
  }
  return paths;
}

/** All handlers whose kind is known. A name that is no good, or an unknown kind, is a mistake. */
export async function readHandlers(tree: Tree | undefined, reading: Reading): Promise<readonly HandlerEntry[]> {
  if (tree?.kind !== "map") return [];
  const handlers: HandlerEntry[] = [];
  for (const [name, entry] of tree.entries) {
    if (!handlerName.test(name)) {
      const mend = "write up to 64 letters, digits, - _ and . after a letter or digit";
      reading.findings.mistake(entry.place, `${quote(name)} is no name for a handler`, mend);
      continue;
    }
    const path = `handlers.${name}`;
    const branch = asBranch(entry.tree, path, reading.findings);
    if (!branch) continue;
    const kind = kindOf(branch, path, reading);
    if (!kind) continue;
    await readSection({ kind: kindSetting, ...handlerSchemas[kind] } satisfies Section, branch, path, reading);
    if (kind === "command") reading.settings.refine(`${path}.command`, withProgram);
    handlers.push({ name, path, kind, tree: branch });
  }
  return handlers;
}

const handlerKinds = Object.keys(handlerSchemas) as HandlerKind[];

/** Which keys a handler has depends on this one. */
export const kindSetting = setting({ doc: "What kind of handler it is.", kind: oneOf(handlerKinds), required: true });

/** A program with a slash lies where the file says; any other is looked for in PATH. */
function withProgram(command: unknown, place: Place): unknown {
  const [program = "", ...parameters] = command as string[];
  if (!/^\.|\//.test(program) || place.kind === "default") return command;
  return [resolve(place.directory, program), ...parameters];
}

function kindOf(branch: Branch, path: string, { findings }: Reading): HandlerKind | undefined {
  const tree = branch.entries.get("kind")?.tree;
  const value = tree?.kind === "leaf" ? tree.value : undefined;
  const kind = handlerKinds.find((known) => known === value);
  if (kind) return kind;
  const what = tree === undefined ? "is missing" : `is ${value === undefined ? "not a text" : quote(value)}`;
  findings.mistake(tree?.place ?? branch.place, `${path}.kind ${what}`, `choose ${handlerKinds.join(", ")}`);
  return undefined;
}
