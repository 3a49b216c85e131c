// `partnerd run`: the daemon, until it is stopped.
import { loadForWork, type RunFlags } from "./configured.js";
import { run } from "./work.js";

/** Its own flags; `exitAfterMs`: drains and ends after so long. */
export interface DaemonFlags extends RunFlags {
  readonly exitAfterMs?: number;
}

/** The exit code: 0, 1, 70, 75 or 78. */
export async function runCommand({ exitAfterMs, ...flags }: DaemonFlags): Promise<number> {
  const loaded = await loadForWork(flags);
  return typeof loaded === "number" ? loaded : run(loaded, exitAfterMs);
}
