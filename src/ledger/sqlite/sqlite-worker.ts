// The thread that the SQLite ledger writes in: takes one request, blocks on the disk, answers, takes the next.
// It must never decide anything: what to write comes from the other side.
import nodeModule from "node:module";
import { parentPort, workerData } from "node:worker_threads";
import type { SqliteStore, SqliteStoreOptions } from "./sqlite-store.js";
import type { ThreadAnswer, ThreadRequest } from "./sqlite-thread.js";

// Run from the sources (tests do), Node strips the types but finds no `.js` files: there they still end in `.ts`.
if (import.meta.url.endsWith(".ts")) {
  nodeModule.registerHooks({
    resolve: (specifier, context, next) => next(specifier.replace(/^(\..*)\.js$/, "$1.ts"), context),
  });
}
const { SqliteStore: Store } = await import("./sqlite-store.js");
const { LedgerError } = await import("../ledger.js");
const store = new Store(workerData as SqliteStoreOptions);

parentPort?.on("message", (request: ThreadRequest) => {
  parentPort?.postMessage(answer(store, request));
  if (request.type === "close") parentPort?.close();
});

function answer(store: SqliteStore, request: ThreadRequest): ThreadAnswer {
  try {
    switch (request.type) {
      case "open":
        store.open();
        return { contents: store.read(request.nowMs) };
      case "commit":
        store.commit(request.writes);
        return {};
      case "reopen":
        store.reopen(request.writes);
        return {};
      case "close":
        store.close();
        return {};
    }
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { fault: { code: error instanceof LedgerError ? error.code : "unwritable", message } };
  }
}
