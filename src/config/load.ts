// From files, environment and flags to a frozen Config, or to a ConfigError with every mistake at once.
// Order: flags over environment over files (later ones over earlier) over defaults.
import { tmpdir } from "node:os";
import { join } from "node:path";
import { formatDuration } from "../std/units.js";
import type { Config } from "./config.js";
import { configOf } from "./config.js";
import type { Environment } from "./environment.js";
import { fromEnvironment, fromFlags } from "./environment.js";
import { readConfigFile } from "./file.js";
import { filesOf, type LoadOptions } from "./find-files.js";
import { treeOfObject } from "./given.js";
import type { Mistake } from "./mistakes.js";
import { ConfigError, Findings } from "./mistakes.js";
import { readSection } from "./reader.js";
import { checkRules } from "./rules.js";
import { schema } from "./schema.js";
import { specialKeys } from "./setting.js";
import { Settings } from "./settings.js";
import type { Branch } from "./tree.js";
import { laidOver } from "./tree.js";
import { valuesOf } from "./values.js";

export type { LoadOptions } from "./find-files.js";

/** A configuration that can be used. */
export interface Loaded {
  readonly config: Config;
  /** Every setting with the place it came from. */
  readonly settings: Settings;
  /** Worth a look, but nothing that keeps the daemon from running. */
  readonly warnings: readonly Mistake[];
  /** The files that were read. */
  readonly files: readonly string[];
}

/** Reads and checks everything. Throws ConfigError. */
export async function loadConfig(options: LoadOptions): Promise<Loaded> {
  const { config, settings, findings, files } = await readAll(options);
  if (!config) throw new ConfigError(findings.mistakes);
  return { config, settings, warnings: findings.warnings, files };
}

interface Read {
  /** Absent when there are mistakes. */
  readonly config?: Config;
  readonly settings: Settings;
  readonly findings: Findings;
  readonly files: readonly string[];
  /** Every file could be taken apart. */
  readonly isWhole: boolean;
}

async function readAll(options: LoadOptions): Promise<Read> {
  const { directory, environment, overrides, object } = options;
  const findings = new Findings();
  const files = object === undefined ? await filesOf(options, findings) : [];
  const written = object === undefined ? [] : [treeOfObject(object, directory, findings)];
  for (const file of files) written.push(await readConfigFile(file, directory, findings));
  const layers = [
    ...written,
    functionHandlers(options, findings),
    ...fromEnvironment(schema, environment, { directory, findings }),
    ...fromFlags(schema, overrides, { directory, findings }),
  ];
  const tree = laidOver(
    layers.filter((layer) => layer !== undefined),
    specialKeys(schema),
  );
  const isWhole = !written.includes(undefined);
  // With a file missing or unreadable, all that it holds would be reported as missing too, which does not help.
  const canGoOn = isWhole && written.length > 0;
  const settings = new Settings(canGoOn ? findings : new Findings());
  const found = { settings, findings, files, isWhole };
  await readSection(schema, tree, "", { settings, directory });
  if (!canGoOn) return found;
  settleDefaults(settings, environment);
  const draft = valuesOf(schema, "", settings);
  checkRules({ draft, settings, environment });
  return findings.mistakes.length > 0 ? found : { ...found, config: configOf(draft) };
}

/** In the configuration, a handler that is a function is a module without a file, in this thread. */
function functionHandlers({ functions = [], directory }: LoadOptions, findings: Findings): Branch | undefined {
  if (functions.length === 0) return undefined;
  const handler = { kind: "module", path: "<function>", isolation: "none" };
  return treeOfObject({ handlers: Object.fromEntries(functions.map((name) => [name, handler])) }, directory, findings);
}

/** Defaults that depend on the machine or on another setting. */
function settleDefaults(settings: Settings, environment: Environment): void {
  settings.fill("artifacts.workDir", join(tmpdir(), "partnerd"));
  for (const name of ["AWS_REGION", "AWS_DEFAULT_REGION"]) {
    const region = environment[name];
    if (region) settings.fill("regions", [region], { kind: "environment", name, directory: "" });
  }
  settings.fill("regions", []);
  // Never below its own lower limit, however short the polling interval is.
  const { polling, retry } = valuesOf(schema, "", settings);
  settings.fill("retry.poll.maxDelay", formatDuration(Math.max(polling.maxIntervalMs, retry.poll.minDelayMs)));
  for (const { path } of settings.entries("actionTypes")) {
    settings.fill(`${path}.regions`, settings.get("regions"));
    settings.fill(`${path}.maxConcurrentJobs`, settings.get("worker.maxConcurrentJobs"));
  }
}
