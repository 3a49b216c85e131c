// `partnerd run`: the daemon, until it is stopped.
import { loadForWork, type RunFlags } from "./configured.js";
import { run } from "./work.js";

/** The exit code: 0, 1, 70, 75 or 78. */
export async function runCommand(flags: RunFlags): Promise<number> {
  const loaded = await loadForWork(flags);
  return typeof loaded === "number" ? loaded : run(loaded);
}
