#!/usr/bin/env node
// The program: argv in, exit code out. The only place that may end the process.

import { useCompileCache } from "./std/compile-cache.js";
import { nodeTooOld } from "./std/node-version.js";

const tooOld = nodeTooOld(process.versions.node, { node: process.execPath, program: process.argv[1] });
if (tooOld !== undefined) {
  process.stderr.write(tooOld);
  process.exit(1);
}
// Node would open its inspector: a port for whoever may send a signal.
process.on("SIGUSR1", () => {});
useCompileCache();
const { Threads } = await import("./std/threads.js");
const threads = new Threads();

/** What a busy disk may still need; a thread that hangs longer is left behind. */
const threadsEndMs = 500;

const code = await run(process.argv.slice(2));
// Registered last, so that it comes after whoever flushes something at the exit.
if (!(await threads.end(threadsEndMs))) process.once("exit", endWithoutThreads);
// Not exitCode alone: a timer or socket that a module handler left open would keep the process for ever.
process.exit(code);

/**
 * Ends the process with the code though a thread hangs, which process.exit would wait for. Another program in its place
 * (exec) is the one way: the kernel ends all threads first, but for one that even SIGKILL cannot end.
 */
function endWithoutThreads(code: number): void {
  const node = process.platform === "linux" ? "/proc/self/exe" : process.execPath;
  try {
    process.execve?.(node, [process.execPath, "--eval", `process.exit(${code})`], {});
  } catch {
    // Below: a code that is not the true one, but an end.
  }
  // Node 23 has execve from 23.11 on only.
  process.kill(process.pid, "SIGKILL");
}

/** The exit code. Each way loads only what it needs. */
async function run(argv: readonly string[]): Promise<number> {
  const { probeOf, runProbe } = await import("./cli/quick-healthcheck.js");
  const probe = probeOf(argv);
  if (probe) {
    const { isWithoutDirectory, processIo } = await import("./cli/io.js");
    try {
      return await runProbe(probe, processIo());
    } catch (error) {
      // Said below, as of every command.
      if (!isWithoutDirectory(error)) throw error;
    }
  }
  const { runCli } = await import("./cli/cli.js");
  return runCli(argv);
}
