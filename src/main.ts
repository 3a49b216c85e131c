#!/usr/bin/env node
// The program: argv in, exit code out. The only place that may end the process.
import { runCli } from "./cli/cli.js";

// Not exitCode alone: a timer or socket that a module handler left open would keep the process for ever.
process.exit(await runCli(process.argv.slice(2)));
