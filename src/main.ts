#!/usr/bin/env node
// The program: argv in, exit code out. The only place that may end the process.

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major < 22 || (major === 22 && minor < 13)) {
  process.stderr.write(`partnerd needs Node 22.13 or newer; this is ${process.versions.node}\n`);
  process.exit(1);
}
// Node would open its inspector: a port for whoever may send a signal.
process.on("SIGUSR1", () => {});
const { Threads } = await import("./std/threads.js");
const threads = new Threads();
const { runCli } = await import("./cli/cli.js");

/** What a busy disk may still need; a thread that hangs longer is left behind. */
const threadsEndMs = 500;

const code = await runCli(process.argv.slice(2));
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
  // Node before 22.15 has no execve.
  process.kill(process.pid, "SIGKILL");
}
