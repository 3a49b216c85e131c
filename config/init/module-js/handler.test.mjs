// Run it with: node --test handler.test.mjs
import assert from "node:assert/strict";
import { test } from "node:test";
import { handler } from "./handler.mjs";

/** As much of a job as the handler looks at. */
function aJob(configuration) {
  return { configuration, log: { debug() {}, info() {}, warn() {}, error() {} } };
}

test("builds what the action names", async () => {
  assert.deepEqual(await handler(aJob({ Target: "web" })), { kind: "succeeded", summary: "built web" });
});

test("tells the customer what is missing", async () => {
  const expected = { kind: "failed", type: "ConfigurationError", message: "Target is missing: what to build" };
  assert.deepEqual(await handler(aJob({})), expected);
});
