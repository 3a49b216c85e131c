#!/usr/bin/env node
// Works one job of the action, in an empty folder of its own. What it prints becomes log lines of the job.
import { readFileSync, writeFileSync } from "node:fs";

/** @type {import("partnerd").JobDocument} */
const job = JSON.parse(readFileSync(0, "utf8"));
writeFileSync(process.env.PARTNERD_OUTCOME, JSON.stringify(work(job.configuration)));

/** Gives an outcome: succeeded, continued or failed. */
function work({ Target }) {
  // The customer reads the message in the pipeline: say what is wrong, and what would be right.
  if (!Target) return { kind: "failed", type: "ConfigurationError", message: "Target is missing: what to build" };
  console.log(`building ${Target}`);
  // The work. Inputs lie in inputs/NAME/; what is put into outputs/NAME/ is uploaded after a success.
  // What takes longer than minutes gives { kind: "continued", continuationToken }.
  return { kind: "succeeded", summary: `built ${Target}` };
}
