// How late the event loop of a daemon runs, measured inside it by loop-probe.mjs.
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

/** For Node, before the program; the daemon needs a channel to us. */
export const probeFlags = ["--import", fileURLToPath(new URL("./loop-probe.mjs", import.meta.url))] as const;

export interface Lateness {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** Longer than any turn of an event loop may take. */
const answerMaxMs = 30_000;

/** Begins; the probe looks a hundred times a second until it is asked. */
export function watchLoop(daemon: ChildProcess): void {
  daemon.send("watch-loop");
}

/** How late it was since then. */
export async function lateness(daemon: ChildProcess): Promise<Lateness> {
  const answer = once(daemon, "message", { signal: AbortSignal.timeout(answerMaxMs) });
  daemon.send("how-late");
  const [told] = (await answer) as [Lateness];
  return told;
}
