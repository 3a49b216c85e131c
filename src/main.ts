#!/usr/bin/env node
// The program: argv in, exit code out. The only place that may end the process.

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major < 22 || (major === 22 && minor < 13)) {
  process.stderr.write(`partnerd needs Node 22.13 or newer; this is ${process.versions.node}\n`);
  process.exit(1);
}
const { runCli } = await import("./cli/cli.js");

// Not exitCode alone: a timer or socket that a module handler left open would keep the process for ever.
process.exit(await runCli(process.argv.slice(2)));
