// Run it with: node --test handler.test.mts
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { once } from "node:events";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, test } from "node:test";

const key = Buffer.alloc(32, 7);
let server: Server;
before(async () => {
  process.env["PORT"] = "0";
  process.env["WEBHOOK_SECRET"] = `whsec_${key.toString("base64")}`;
  ({ server } = await import("./handler.mts"));
  if (!server.listening) await once(server, "listening");
});
after(() => void server.close());

/** Posts a job as partnerd does. */
function post(configuration: Record<string, string>, signedWith = key): Promise<Response> {
  const body = JSON.stringify({ version: 1, jobId: "job-1", configuration });
  const timestamp = String(Math.floor(Date.now() / 1_000));
  const signature = createHmac("sha256", signedWith).update(`job-1.${timestamp}.${body}`).digest("base64");
  const headers = { "webhook-id": "job-1", "webhook-timestamp": timestamp, "webhook-signature": `v1,${signature}` };
  return fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/jobs`, { method: "POST", headers, body });
}

test("builds what the action names", async () => {
  const answer = await post({ Target: "web" });
  assert.deepEqual(await answer.json(), { kind: "succeeded", summary: "built web" });
});

test("tells the customer what is missing", async () => {
  const { kind, type } = (await (await post({})).json()) as { kind: string; type?: string };
  assert.deepEqual([kind, type], ["failed", "ConfigurationError"]);
});

test("takes no job from anybody else", async () => {
  assert.equal((await post({ Target: "web" }, Buffer.alloc(32, 1))).status, 401);
});
