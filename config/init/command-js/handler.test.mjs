// Run it with: node --test handler.test.mjs
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const handler = fileURLToPath(new URL("handler.mjs", import.meta.url));

/** Runs the handler as partnerd does, and reads what it decided. */
function outcomeOf(configuration) {
  const folder = mkdtempSync(join(tmpdir(), "handler-"));
  try {
    const outcome = join(folder, "outcome.json");
    const input = JSON.stringify({ version: 1, jobId: "job-1", configuration });
    const env = { ...process.env, PARTNERD_OUTCOME: outcome };
    execFileSync(process.execPath, [handler], { input, cwd: folder, env });
    return JSON.parse(readFileSync(outcome, "utf8"));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test("builds what the action names", () => {
  assert.deepEqual(outcomeOf({ Target: "web" }), { kind: "succeeded", summary: "built web" });
});

test("tells the customer what is missing", () => {
  const { kind, type } = outcomeOf({});
  assert.deepEqual([kind, type], ["failed", "ConfigurationError"]);
});
