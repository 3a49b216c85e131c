// Which files a configuration is read from: those that are named, or the first of the usual places.
import { resolve } from "node:path";
import { isThere } from "../std/text-file.js";
import type { Environment, Override } from "./environment.js";
import type { Findings } from "./mistakes.js";

/** Where a configuration is looked for. */
export interface LoadOptions {
  /** Files in order, later ones win; none: PARTNERD_CONFIG, then the usual places. */
  readonly files: readonly string[];
  readonly environment: Environment;
  /** The working directory. */
  readonly directory: string;
  readonly overrides: readonly Override[];
  /** A program's own: instead of files. */
  readonly object?: unknown;
  /** Names of handlers that a program gives as functions, over those of files or object. */
  readonly functions?: readonly string[];
}

/** The usual places, the first that exists is taken. */
const usualFiles = ["partnerd.yaml", "/etc/partnerd/partnerd.yaml"];

/** The files to read; none, and a mistake, when there is no configuration anywhere. */
export async function filesOf(options: LoadOptions, findings: Findings): Promise<readonly string[]> {
  if (options.files.length > 0) return options.files;
  const named = options.environment["PARTNERD_CONFIG"];
  if (named) return [named];
  for (const file of usualFiles) if (await isThere(resolve(options.directory, file))) return [file];
  const what = `no configuration found: neither -c nor PARTNERD_CONFIG is given, and neither ${usualFiles.join(" nor ")} exists`;
  findings.mistake(undefined, what, "`partnerd init` writes one to start from");
  return [];
}
