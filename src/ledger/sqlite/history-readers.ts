// The near side of searches in a ledger file: each has a thread of its own, one at a time, within a limit. So a search
// holds up neither jobs nor the thread that writes, whatever it reads and however the disk hangs.
import { Worker } from "node:worker_threads";
import type { HistoryLimits, HistoryPage, HistorySearch } from "../../job/ended.js";
import type { Clock } from "../../std/clock.js";
import { threadFile } from "../../std/thread-file.js";
import { LedgerError } from "../ledger.js";
import type { HistoryQuery } from "./history-file.js";

export interface HistoryAnswer {
  readonly page?: HistoryPage;
  readonly fault?: { readonly code: LedgerError["code"]; readonly message: string };
}

/** Longer than the most that one search looks at takes, on a busy machine. */
const searchMaxMs = 10_000;
/** Searches that wait for their turn: a team's, with room. */
const waitingMax = 8;

export class HistoryReaders {
  readonly #options: { readonly path: string; readonly clock: Clock; readonly history: HistoryLimits };
  readonly #closing = new AbortController();
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  constructor(options: { readonly path: string; readonly clock: Clock; readonly history: HistoryLimits }) {
    this.#options = options;
  }

  /** One page. Throws LedgerError. */
  async search(search: HistorySearch, signal: AbortSignal): Promise<HistoryPage> {
    if (this.#options.history.maxJobs === 0) return { jobs: [] };
    if (this.#waiting >= waitingMax) throw new LedgerError("unreadable", "too many searches are waiting; try again");
    this.#waiting += 1;
    const searched = this.#last.then(() => this.#search(search, AbortSignal.any([signal, this.#closing.signal])));
    this.#last = searched.catch(() => {});
    try {
      return await searched;
    } finally {
      this.#waiting -= 1;
    }
  }

  /** Ends what is under way. */
  close(): void {
    this.#closing.abort(new LedgerError("unreadable", "the ledger is closed"));
  }

  async #search(search: HistorySearch, signal: AbortSignal): Promise<HistoryPage> {
    const { path, clock, history: limits } = this.#options;
    if (signal.aborted) throw stopped();
    const query: HistoryQuery = { path, search, limits, nowMs: clock.now() };
    const { file, execArgv } = threadFile("history-worker", import.meta.url);
    // Nothing of ours: neither the flags of a profiler nor the secrets in the environment.
    const worker = new Worker(file, { name: "history", workerData: query, env: {}, execArgv });
    worker.unref();
    let end = () => {};
    try {
      return await new Promise<HistoryPage>((resolve, reject) => {
        const onAbort = () => reject(stopped());
        signal.addEventListener("abort", onAbort, { once: true });
        const late = `the search took longer than ${searchMaxMs} ms`;
        const cancel = clock.after(searchMaxMs, () => reject(new LedgerError("unreadable", late)));
        end = () => {
          signal.removeEventListener("abort", onAbort);
          cancel();
        };
        worker.once("message", ({ page, fault }: HistoryAnswer) => {
          if (page) resolve(page);
          else reject(new LedgerError(fault?.code ?? "unreadable", fault?.message ?? "no answer"));
        });
        worker.once("error", (error) => reject(new LedgerError("unreadable", `the search failed: ${error.message}`)));
        worker.once("exit", () => reject(new LedgerError("unreadable", "the search ended without an answer")));
      });
    } finally {
      end();
      void worker.terminate();
    }
  }
}

function stopped(): LedgerError {
  return new LedgerError("unreadable", "the search was stopped");
}
