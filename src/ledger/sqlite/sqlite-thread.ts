// The near side of the SQLite ledger's thread: starts it, asks one thing at a time, and notices its death. A disk
// that takes 20 ms for a flush then stalls nobody but the thread.

import { Worker } from "node:worker_threads";
import { threadFile } from "../../std/thread-file.js";
import { LedgerError } from "../ledger.js";
import type { Write } from "./sqlite-rows.js";
import type { SqliteStoreOptions, StoreContents } from "./sqlite-store.js";

export type ThreadRequest =
  | { readonly type: "open"; readonly nowMs: number }
  | { readonly type: "commit"; readonly writes: readonly Write[] }
  | { readonly type: "reopen"; readonly writes: readonly Write[] }
  | { readonly type: "close" };

export interface ThreadAnswer {
  readonly contents?: StoreContents;
  readonly fault?: { readonly code: LedgerError["code"]; readonly message: string };
}

export interface SqliteThreadOptions {
  readonly path: string;
  /** Starts a worker; all of them share one `FileIdentity`. */
  readonly start: () => Worker;
  /** Called when the thread dies while nothing is asked of it. */
  readonly onDeath: (fault: LedgerError) => void;
}

interface Asked {
  readonly resolve: (answer: ThreadAnswer) => void;
  readonly reject: (fault: LedgerError) => void;
}

/** A thread that owns one ledger file. Ask it one thing at a time. */
export class SqliteThread {
  readonly #options: SqliteThreadOptions;
  #worker: Worker | undefined;
  #asked: Asked | undefined;
  /** Its end is wanted: it may come in the same turn as its last answer, before anybody has seen that. */
  #isClosing = false;

  constructor(options: SqliteThreadOptions) {
    this.#options = options;
  }

  /** Opens the file and reads what an earlier process left. Throws LedgerError. */
  async open(nowMs: number): Promise<StoreContents> {
    const { contents } = await this.#ask({ type: "open", nowMs });
    if (contents === undefined) throw new Error("bug: the ledger's thread opened the file and did not read it");
    return contents;
  }

  /** Makes all of the writes durable, or none. Throws LedgerError. */
  async commit(writes: readonly Write[]): Promise<void> {
    await this.#ask({ type: "commit", writes });
  }

  /** Opens the file anew after a fault, in a new thread if the old one died, and writes. Throws LedgerError. */
  async reopen(writes: readonly Write[]): Promise<void> {
    await this.#ask({ type: "reopen", writes });
  }

  /** Closes the file and ends the thread. Throws LedgerError when the file could not be closed well. */
  async close(): Promise<void> {
    const worker = this.#worker;
    if (worker === undefined) return;
    this.#isClosing = true;
    try {
      await this.#ask({ type: "close" });
    } finally {
      this.#isClosing = false;
      this.#worker = undefined;
      await worker.terminate();
    }
  }

  /** Gives the thread up without waiting: it hangs on a disk that does not answer. */
  abandon(): void {
    const worker = this.#worker;
    this.#worker = undefined;
    worker?.unref();
    void worker?.terminate();
  }

  #ask(request: ThreadRequest): Promise<ThreadAnswer> {
    if (this.#asked !== undefined) throw new Error("bug: the ledger's thread is asked two things at once");
    const worker = this.#worker ?? this.#start();
    return new Promise((resolve, reject) => {
      this.#asked = { resolve, reject };
      worker.postMessage(request);
    });
  }

  #start(): Worker {
    const worker = this.#options.start();
    this.#worker = worker;
    let cause: unknown;
    worker.on("message", (answer: ThreadAnswer) => this.#answered(answer));
    worker.on("error", (error) => {
      cause = error;
    });
    worker.on("exit", () => {
      if (this.#worker === worker) this.#died(cause);
    });
    return worker;
  }

  #answered(answer: ThreadAnswer): void {
    const asked = this.#asked;
    this.#asked = undefined;
    const { fault } = answer;
    if (fault === undefined) asked?.resolve(answer);
    else asked?.reject(new LedgerError(fault.code, fault.message));
  }

  #died(cause: unknown): void {
    this.#worker = undefined;
    const why = cause instanceof Error ? `: ${cause.message}` : "";
    const fault = new LedgerError("unwritable", `the thread of the ledger ${this.#options.path} died${why}`, cause);
    const asked = this.#asked;
    this.#asked = undefined;
    if (asked !== undefined) asked.reject(fault);
    else if (!this.#isClosing) this.#options.onDeath(fault);
  }
}

/** Starts the thread that owns the file; it opens nothing before it is asked. */
export function startSqliteWorker(store: SqliteStoreOptions): Worker {
  const { file, execArgv } = threadFile("sqlite-worker", import.meta.url);
  return new Worker(file, {
    name: "ledger",
    workerData: store,
    // Nothing of ours: neither the flags of a profiler nor the secrets in the environment.
    env: {},
    execArgv,
  });
}
