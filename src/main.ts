#!/usr/bin/env node
// The program: argv in, exit code out. The only place that may end the process.
import { runCli } from "./cli/cli.js";

process.exitCode = await runCli(process.argv.slice(2));
