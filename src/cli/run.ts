// `partnerd run`: the daemon, until it is told to stop.
import type { Override } from "../config/environment.js";
import { loadForWork } from "./configured.js";
import { run } from "./work.js";

export interface RunFlags {
  /** Files in order, later ones win. */
  readonly config: readonly string[];
  readonly overrides: readonly Override[];
}

/** The exit code: 0, 1, 70, 75 or 78. */
export async function runCommand(flags: RunFlags): Promise<number> {
  const loaded = await loadForWork(flags);
  return typeof loaded === "number" ? loaded : run(loaded);
}
