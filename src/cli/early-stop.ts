// Signals before there is a daemon, which by themselves would kill the process, or as the first one of a container be
// lost. A stop ends the start; a reload waits for its end.
import type { DaemonOptions } from "../compose/daemon.js";
import { systemClock } from "../std/clock.js";
import type { Log } from "../std/log.js";
import { codeOfEnd } from "./exit-codes.js";
import { listenForStops } from "./stops.js";

type Ledger = Parameters<NonNullable<DaemonOptions["onLedger"]>>[0];

/** A stop waits so long for a ledger that is being opened: what it holds decides the exit code. */
const ledgerWaitMs = 1_000;

/** Listens until `close` is called; `stopped` resolves with the exit code of a start that was asked to stop. */
export function listenWhileStarting(log: Log, { ledger: { store } }: DaemonOptions["config"]) {
  const stopped = Promise.withResolvers<number>();
  const opened = Promise.withResolvers<Ledger>();
  let isReloadWanted = false;
  const stop = async (signal: string) => {
    // Jobs of a ledger that others share are not this process's before it takes them.
    const held = store === "sqlite" ? await heldBy(opened.promise) : { owed: 0, isRead: true };
    const { owed, isRead } = held;
    const jobs = owed === 1 ? "1 job from a previous process stays" : `${owed} jobs from a previous process stay`;
    const began = "stopped while starting";
    if (!isRead) {
      log.error("stopped", { signal }, `${began}; the ledger was not read, and any jobs in it stay there`);
    } else if (owed > 0) log.error("stopped", { signal, owed }, `${began}; ${jobs} in the ledger`);
    else log.info("stopped", { signal, owed }, `${began}; no job was accepted`);
    stopped.resolve(codeOfEnd(held));
  };
  const { close } = listenForStops({
    clock: systemClock,
    onDrain: (signal) => void stop(signal),
    // It is stopping already.
    onHurry: () => {},
    onAtOnce: () => {},
    onDump: () => log.info("status", {}, "status: starting"),
    onReload: () => {
      isReloadWanted = true;
    },
  });
  return { stopped: stopped.promise, onLedger: opened.resolve, isReloadWanted: () => isReloadWanted, close };
}

async function heldBy(opened: Promise<Ledger>): Promise<{ readonly owed: number; readonly isRead: boolean }> {
  const read = opened.then((ledger) => ledger.unfinished()).then(({ length }) => ({ owed: length, isRead: true }));
  const unread = { owed: 0, isRead: false };
  return Promise.race([read.catch(() => unread), systemClock.sleep(ledgerWaitMs).then(() => unread)]);
}
