// From the command line's words to a configuration that can be worked with; otherwise every mistake on stderr.
import type { Override } from "../config/environment.js";
import { loadConfig } from "../config/load.js";
import { ConfigError, describeMistake, printMistake } from "../config/mistakes.js";
import { systemdVariables } from "../std/systemd.js";
import { exitCodes } from "./exit-codes.js";
import type { RunOptions } from "./work.js";

/** The options of run and once. */
export interface RunFlags {
  /** Files in order, later ones win. */
  readonly config: readonly string[];
  readonly overrides: readonly Override[];
}

/** What run and once need; or the exit code 78 after the mistakes were printed. */
export async function loadForWork(flags: RunFlags): Promise<RunOptions | number> {
  const environment = { ...process.env };
  // What a handler in this process starts inherits the rest: systemd would take its words for the daemon's.
  for (const name of systemdVariables) delete process.env[name];
  const directory = process.cwd();
  const load = () => loadConfig({ files: flags.config, overrides: flags.overrides, environment, directory });
  try {
    const { config, warnings } = await load();
    for (const warning of warnings) process.stderr.write(`warning: ${describeMistake(warning)}\n`);
    const reread: RunOptions["reread"] = async (warn) => {
      const again = await load();
      for (const warning of again.warnings) warn(describeMistake(warning));
      return again.config;
    };
    return { config, reread, environment };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    for (const mistake of error.mistakes) process.stderr.write(printMistake(mistake));
    return exitCodes.configuration;
  }
}
