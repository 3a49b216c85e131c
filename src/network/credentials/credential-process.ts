// The programs that AWS's configuration files name to give credentials (`credential_process`): the SDK starts them by a
// shell and waits for as long as they take. Here each ends with the search that it is for, and so does what it started.
import { AsyncLocalStorage } from "node:async_hooks";
import { exec, spawn } from "node:child_process";
import { promisify } from "node:util";
import { externalDataInterceptor } from "@smithy/core/config";
import { BoundedBytes } from "../../std/bounded.js";

/** The search that is under way: the SDK does not hand on what a process could be ended by. */
const searches = new AsyncLocalStorage<AbortSignal>();
/** Credentials take some 2 KB. */
const outputMaxBytes = 65_536;

/** What `find` gives; rejects with the signal's reason when that aborts, and ends the processes that were started. */
export function withSearch<T>(signal: AbortSignal, find: () => Promise<T>): Promise<T> {
  // The SDK asks this registry for another `exec`, which is how its own tests go around processes.
  externalDataInterceptor.interceptToken("exec", sdkExec);
  return new Promise<T>((resolve, reject) => {
    const abort = () => reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    if (signal.aborted) return abort();
    searches
      .run(signal, find)
      .then(resolve, reject)
      .finally(() => signal.removeEventListener("abort", abort));
  });
}

/** The signal of the search that is under way; outside of one, one that never aborts. */
export function currentSearch(): AbortSignal {
  return searches.getStore() ?? new AbortController().signal;
}

/** Like `exec`; whoever shares the SDK with us, but not our search, gets the real one. */
const sdkExec = Object.assign((...given: Parameters<typeof exec>) => exec(...given), {
  [promisify.custom]: (command: string) => {
    const signal = searches.getStore();
    return signal ? run(command, signal) : promisify(exec)(command);
  },
});

/** The output. No error repeats the command line or what was printed: either may hold a secret. */
function run(command: string, signal: AbortSignal): Promise<{ readonly stdout: string }> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const child = spawn(command, { shell: true, detached: true, stdio: ["ignore", "pipe", "ignore"] });
    const bytes = new BoundedBytes(outputMaxBytes);
    const end = (reason: unknown) => {
      kill(child.pid);
      reject(reason);
    };
    const abort = () => end(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    child.stdout.on("data", (chunk: Buffer) => {
      if (!bytes.add(chunk)) end(new Error("its credential_process printed more than 64 KiB"));
    });
    child.on("error", ({ message }) => end(new Error(`its credential_process cannot be started: ${message}`)));
    child.on("close", (exitCode, killedBy) => {
      signal.removeEventListener("abort", abort);
      if (exitCode === 0) return resolve({ stdout: bytes.whole().toString("utf8") });
      const how = killedBy ? `was ended by ${killedBy}` : `ended with exit code ${exitCode}`;
      reject(new Error(`its credential_process ${how}; run it by hand to see why`));
    });
  });
}

/** The whole group: a shell is between us and the program. */
function kill(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // It ended by itself.
  }
}
