// The threads of this process that process.exit waits for: workers, and those in which Node does file operations and
// name lookups. One that hangs in the kernel, as on a disk that is gone, would keep the process forever.
import type { Worker } from "node:worker_threads";
import { systemClock } from "./clock.js";

/** How Node calls its requests that a thread of its pool works on and that may hang. */
const poolRequests: ReadonlySet<string> = new Set([
  "FSReqCallback",
  "FSReqPromise",
  "CloseReq",
  "GetAddrInfoReqWrap",
  "GetNameInfoReqWrap",
]);
const lookMs = 20;

/** Knows every worker from its construction on, whatever code starts it. */
export class Threads {
  readonly #workers = new Set<Worker>();

  constructor() {
    process.on("worker", (worker) => {
      this.#workers.add(worker);
      worker.once("exit", () => this.#workers.delete(worker));
    });
  }

  /** Ends the workers and waits for what the others do, at most so long. True when all of them are free. */
  async end(limitMs: number): Promise<boolean> {
    const untilMs = systemClock.monotonic() + limitMs;
    for (const worker of this.#workers) void worker.terminate();
    while (this.#isBusy()) {
      if (systemClock.monotonic() >= untilMs) return false;
      await systemClock.sleep(lookMs);
    }
    return true;
  }

  #isBusy(): boolean {
    return this.#workers.size > 0 || process.getActiveResourcesInfo().some((name) => poolRequests.has(name));
  }
}
