// Looks at the files that a configuration only names. Apart from reading it, since they need not be on the machine
// where somebody prints or edits a configuration.

import { readTextFile } from "../std/text-file.js";
import type { Config } from "./config.js";
import type { Mistake } from "./mistakes.js";
import { Findings } from "./mistakes.js";
import type { Settings } from "./settings.js";

/** As large as a client token file may be. */
const tokenFileMaxBytes = 10 * 1024 * 1024;

/** What is wrong with the files that no handler looks after itself. */
export async function checkFiles(config: Config, settings: Settings): Promise<readonly Mistake[]> {
  const findings = new Findings();
  if (config.clientTokens.source === "file") {
    const text = await readTextFile(config.clientTokens.path, tokenFileMaxBytes);
    if (typeof text !== "string") {
      const place = settings.place("clientTokens.path");
      findings.mistake(place, `the client token file ${config.clientTokens.path} ${text.problem}`, text.mend);
    }
  }
  return findings.mistakes;
}
