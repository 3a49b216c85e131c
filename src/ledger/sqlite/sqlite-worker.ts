// The thread that the SQLite ledger writes in: takes one request, blocks on the disk, answers, takes the next.
// It must never decide anything: what to write comes from the other side.
import { parentPort, workerData } from "node:worker_threads";
import { LedgerError } from "../ledger.js";
import { SqliteStore, type SqliteStoreOptions } from "./sqlite-store.js";
import type { ThreadAnswer, ThreadRequest } from "./sqlite-thread.js";

const store = new SqliteStore(workerData as SqliteStoreOptions);

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
