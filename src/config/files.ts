// Looks at the files that a configuration only names. Apart from reading it, since they need not be on the machine
// where somebody prints or edits a configuration.

import { modeOpenToAll } from "../std/open-files.js";
import { readTextFile } from "../std/text-file.js";
import type { Config } from "./config.js";
import { Findings } from "./mistakes.js";
import type { Settings } from "./settings.js";

/** As large as a client token file may be. */
const tokenFileMaxBytes = 10 * 1024 * 1024;

/** What is wrong, or worth a warning, with the files that no handler looks after itself. */
export async function checkFiles(config: Config, settings: Settings): Promise<Findings> {
  const findings = new Findings();
  if (config.clientTokens.source === "file") {
    const { path } = config.clientTokens;
    const place = settings.place("clientTokens.path");
    const text = await readTextFile(path, tokenFileMaxBytes);
    if (typeof text !== "string") {
      findings.mistake(place, `the client token file ${path} ${text.problem}`, text.remedy);
    }
    const mode = await modeOpenToAll(path);
    if (mode) findings.warn(place, `every user can read the client token file ${path} (${mode})`, "chmod 600");
  }
  return findings;
}
