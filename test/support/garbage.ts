// Collects garbage in the middle of a test, so that what is still held can be told from what only lies about.
import { setImmediate } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** Collects all that nobody holds, finalizers included. */
export async function collectGarbage(): Promise<void> {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  // WeakRefs hold what they gave out until the turn ends.
  for (let round = 0; round < 3; round++) {
    await setImmediate();
    collect();
  }
}
