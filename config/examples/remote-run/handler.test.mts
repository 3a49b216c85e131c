// Run it with: node --test handler.test.mts
import assert from "node:assert/strict";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { after, before, test } from "node:test";
import type { Continued, Failed, Handler } from "partnerd";
import { runHandler } from "partnerd/testkit";

let remote: typeof import("./remote.mts");
let handler: Handler;
before(async () => {
  process.env["PORT"] = "0";
  remote = await import("./remote.mts");
  if (!remote.server.listening) await once(remote.server, "listening");
  process.env["RUNS_URL"] = `http://127.0.0.1:${(remote.server.address() as AddressInfo).port}`;
  process.env["RUNS_LOOK_MS"] = "1";
  ({ handler } = await import("./handler.mts"));
});
after(() => void remote.server.close());

/** Starts a run for this action execution, and gives the token that the next job gets. */
async function started(suite: string, actionExecutionId: string): Promise<string> {
  const { outcome } = await runHandler(handler, { configuration: { Suite: suite }, pipeline: { actionExecutionId } });
  assert.equal(outcome.kind, "continued");
  return (outcome as Continued).continuationToken;
}

/** Follows a run in a daemon that drains already. */
async function followedInDrain(continuationToken: string): Promise<Continued> {
  const run = runHandler(
    async (job) => {
      if (!job.draining.aborted) await once(job.draining, "abort");
      return handler(job);
    },
    { continuationToken },
  );
  run.drain();
  return (await run).outcome as Continued;
}

test("follows a run to its end", async () => {
  const id = await started("smoke", "execution-1");
  const { outcome } = await runHandler(handler, { continuationToken: id });
  assert.deepEqual(outcome, { kind: "succeeded", summary: `run ${id} passed`, externalExecutionId: id });
});

test("tells the customer why a run failed", async () => {
  const id = await started("broken", "execution-2");
  const { outcome } = await runHandler(handler, { continuationToken: id });
  const message = `run ${id}: 3 of 40 tests failed`;
  assert.deepEqual(outcome, { kind: "failed", type: "JobFailed", message, externalExecutionId: id });
});

test("starts one run for an action execution, however often it is told to", async () => {
  const sizeBefore = remote.runs.size;
  assert.equal(await started("smoke", "execution-3"), await started("smoke", "execution-3"));
  assert.equal(remote.runs.size, sizeBefore + 1);
});

test("leaves the run to another job when the daemon drains, also while the service is down", async () => {
  const id = await started("smoke", "execution-4");
  remote.outage.isNow = true;
  const blind = await followedInDrain(id);
  remote.outage.isNow = false;
  assert.deepEqual([blind.kind, blind.continuationToken, blind.percentComplete], ["continued", id, undefined]);
  const seen = await followedInDrain(id);
  assert.deepEqual([seen.kind, seen.continuationToken, seen.percentComplete], ["continued", id, 50]);
});

test("tells the customer what is missing, what the service refuses, and which run it does not know", async () => {
  const typeOf = async (options: Parameters<typeof runHandler>[1]) =>
    ((await runHandler(handler, options)).outcome as Failed).type;
  assert.equal(await typeOf({ configuration: {} }), "ConfigurationError");
  assert.equal(await typeOf({ configuration: { Suite: "unknown" } }), "ConfigurationError");
  assert.equal(await typeOf({ continuationToken: "../gone" }), "JobFailed");
});
