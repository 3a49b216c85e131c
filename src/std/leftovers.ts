// Processes that outlived the one that started them, found by what stands in their environment: it proves whose they
// are, where a process id could be anybody's by now. Only where there is a /proc; elsewhere nothing is found.
import { readdir, readFile } from "node:fs/promises";

/** A process that forks while it is killed is met again; one that does so for ever is given up. */
const roundsMax = 5;

/** Kills every process whose environment holds one of the texts, but for our own; how many there were. */
export async function killLeftovers(...texts: readonly string[]): Promise<number> {
  const killed = new Set<number>();
  for (let round = 0; round < roundsMax; round++) {
    const found = (await processesWith(texts)).filter((id) => !killed.has(id));
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
async function processesWith(texts: readonly string[]): Promise<readonly number[]> {
  const wanted = texts.map((text) => Buffer.from(text));
  const names = await readdir("/proc").catch(() => []);
  const ids = names.filter((name) => /^\d+$/.test(name)).map(Number);
  const found: number[] = [];
  for (const id of ids) {
    if (id === process.pid) continue;
    // Others' processes, and those that end while we look, cannot be read: they are none of ours.
    const environment = await readFile(`/proc/${id}/environ`).catch(() => undefined);
    if (environment && wanted.some((text) => environment.includes(text))) found.push(id);
  }
  return found;
}
