// Processes that outlived the one that started them, found by what stands in their environment: it proves whose they
// are, where a process id could be anybody's by now. Only where there is a /proc; elsewhere nothing is found.
import { readdirSync, readFileSync } from "node:fs";

/** A process that forks while it is killed is met again; one that does so for ever is given up. */
const roundsMax = 5;

/**
 * Kills every process whose environment holds one of the texts, but for our own; how many there were. In one turn, for
 * /proc is no disk: where one hangs, nothing that Node does in its threads comes to an end. Throws.
 */
export function killLeftovers(...texts: readonly string[]): number {
  const killed = new Set<number>();
  for (let round = 0; round < roundsMax; round++) {
    const found = processesWith(texts).filter((id) => !killed.has(id));
    if (found.length === 0) break;
    for (const id of found) {
      killed.add(id);
      try {
        process.kill(id, "SIGKILL");
      } catch (error) {
        // It ended by itself meanwhile.
        if (!(error instanceof Error) || !("code" in error) || error.code !== "ESRCH") throw error;
      }
    }
  }
  return killed.size;
}

/** Ids of the processes whose environment holds one of the texts, as far as we may read it. */
function processesWith(texts: readonly string[]): readonly number[] {
  const wanted = texts.map((text) => Buffer.from(text));
  const ids = processIds().filter((id) => id !== process.pid);
  return ids.filter((id) => {
    const environment = environmentOf(id);
    return environment !== undefined && wanted.some((text) => environment.includes(text));
  });
}

function processIds(): readonly number[] {
  try {
    return readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .map(Number);
  } catch {
    return [];
  }
}

/** Others' processes, and those that end while we look, cannot be read: they are none of ours. */
function environmentOf(id: number): Buffer | undefined {
  try {
    return readFileSync(`/proc/${id}/environ`);
  } catch {
    return undefined;
  }
}
