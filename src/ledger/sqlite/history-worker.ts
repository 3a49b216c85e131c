// The thread of one search in a ledger file: looks, answers, ends. It writes nothing, and gives way to every other thread.
import { setPriority } from "node:os";
import { parentPort, workerData } from "node:worker_threads";
import { LedgerError } from "../ledger.js";
import { type HistoryQuery, searchFile } from "./history-file.js";
import type { HistoryAnswer } from "./history-readers.js";

/** The nicest there is. */
const lowest = 19;

giveWay();
parentPort?.postMessage(answer(workerData as HistoryQuery));

/** On Linux a priority belongs to the thread that sets it; elsewhere it would be the daemon's. */
function giveWay(): void {
  if (process.platform !== "linux") return;
  try {
    setPriority(0, lowest);
  } catch {
    // A sandbox may forbid it: then the search goes at the ordinary pace.
  }
}

function answer(query: HistoryQuery): HistoryAnswer {
  try {
    return { page: searchFile(query) };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { fault: { code: error instanceof LedgerError ? error.code : "unreadable", message } };
  }
}
