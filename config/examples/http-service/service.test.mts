// Run it with: node --test service.test.mts
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHmac } from "node:crypto";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

const key = Buffer.alloc(32, 7);
let server: Server;
before(async () => {
  process.env["PORT"] = "0";
  process.env["WEBHOOK_SECRET"] = `whsec_${key.toString("base64")}`;
  ({ server } = await import("./service.mts"));
  if (!server.listening) await once(server, "listening");
});
after(() => void server.close());

const urlOf = (of: Server) => `http://127.0.0.1:${(of.address() as AddressInfo).port}`;
const signature = (signed: string, by = key) => `v1,${createHmac("sha256", by).update(signed).digest("base64")}`;

/** Posts a job as partnerd does. */
function post(job: object, { by = key, ageS = 0, path = "/jobs" } = {}): Promise<Response> {
  const deadline = new Date(Date.now() + 60_000).toISOString();
  const body = JSON.stringify({ version: 1, region: "us-east-1", deadline, configuration: {}, ...job });
  const sentAt = String(Math.floor(Date.now() / 1_000) - ageS);
  // While its secret is changed, partnerd signs by the old one and the new one.
  const signatures = `${signature("anything", Buffer.alloc(32, 9))} ${signature(`job-1.${sentAt}.${body}`, by)}`;
  const headers = { "webhook-id": "job-1", "webhook-timestamp": sentAt, "webhook-signature": signatures };
  return fetch(`${urlOf(server)}${path}`, { method: "POST", headers, body });
}

test("answers quick work at once", async () => {
  const answer = await post({ jobId: "quick", configuration: { Target: "main" } });
  const expected = { kind: "succeeded", summary: "main: nothing found", externalExecutionId: "scan-quick" };
  assert.deepEqual([answer.status, await answer.json()], [200, expected]);
});

test("tells the customer what is missing, and what was found", async () => {
  const typeOf = async (job: object) => ((await (await post(job)).json()) as { type: string }).type;
  assert.equal(await typeOf({ jobId: "empty" }), "ConfigurationError");
  assert.equal(await typeOf({ jobId: "bad", configuration: { Target: "infected" } }), "JobFailed");
});

test("works a job once, however often it comes", async () => {
  const summaryOf = async (Target: string) =>
    ((await (await post({ jobId: "twice", configuration: { Target } })).json()) as { summary: string }).summary;
  assert.equal(await summaryOf("main"), "main: nothing found");
  assert.equal(await summaryOf("other"), "main: nothing found");
});

test("takes no job from anybody else, no old or huge one, and nothing at another path", async () => {
  const job = { jobId: "foreign", configuration: { Target: "main" } };
  assert.equal((await post(job, { by: Buffer.alloc(32, 1) })).status, 401);
  assert.equal((await post(job, { ageS: 3_600 })).status, 401);
  assert.equal((await post(job, { path: "/" })).status, 404);
  assert.equal((await post({ ...job, filler: "x".repeat(2_000_000) })).status, 413);
});

test("delivers the outcome of longer work to the callback, again when it was not taken", async () => {
  const deliveries: { authorization?: string | undefined; outcome: { kind: string } }[] = [];
  const partnerd = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const { authorization } = request.headers;
    deliveries.push({ authorization, outcome: JSON.parse(Buffer.concat(chunks).toString()) });
    response.writeHead(deliveries.length === 1 ? 503 : 200).end();
    if (deliveries.length === 2) partnerd.emit("taken");
  }).listen(0, "127.0.0.1");
  await once(partnerd, "listening");
  const taken = once(partnerd, "taken");
  const callback = { url: urlOf(partnerd), token: "a-token" };
  const answer = await post({ jobId: "long", configuration: { Target: "main", Depth: "full" }, callback });
  assert.equal(answer.status, 202);
  await taken;
  partnerd.close();
  for (const { authorization, outcome } of deliveries) {
    assert.deepEqual([authorization, outcome.kind], ["Bearer a-token", "succeeded"]);
  }
});

test("does not start without a secret, and says how to make one", () => {
  const service = fileURLToPath(new URL("service.mts", import.meta.url));
  const { status, stderr } = spawnSync(process.execPath, [service], { env: {}, encoding: "utf8", timeout: 20_000 });
  assert.equal(status, 1);
  assert.match(stderr, /openssl rand/);
});
