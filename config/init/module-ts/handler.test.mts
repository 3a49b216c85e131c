// Run it with: node --test handler.test.mts
import assert from "node:assert/strict";
import { test } from "node:test";
import type { HandlerJob } from "partnerd";
import { handler } from "./handler.mts";

/** As much of a job as the handler looks at. */
function aJob(configuration: Record<string, string>): HandlerJob {
  const log = { debug() {}, info() {}, warn() {}, error() {} };
  return { configuration, log } as unknown as HandlerJob;
}

test("builds what the action names", async () => {
  assert.deepEqual(await handler(aJob({ Target: "web" })), { kind: "succeeded", summary: "built web" });
});

test("tells the customer what is missing", async () => {
  const expected = { kind: "failed", type: "ConfigurationError", message: "Target is missing: what to build" };
  assert.deepEqual(await handler(aJob({})), expected);
});
