// A handler as a service of your own, in any language: here on node:http and nothing else.
// In the configuration:  scan: { kind: http, url: "http://127.0.0.1:9000/jobs", secret: "whsec_…" }
// Start it with the same secret:  WEBHOOK_SECRET=whsec_… node http-service.js
import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";

const key = Buffer.from((process.env.WEBHOOK_SECRET ?? "").replace(/^whsec_/, ""), "base64");
if (key.length < 24) {
  throw new Error('WEBHOOK_SECRET is missing; make one with: echo "whsec_$(openssl rand -base64 32)"');
}

/** Jobs at work, by id: a request may come twice, and a job must not be worked twice. Yours would be in a database. */
const atWork = new Map();

const server = createServer((request, answer) => {
  serve(request, answer).catch((error) => {
    console.error(error);
    answer.destroy(); // No answer: partnerd tries again.
  });
});

async function serve(request, answer) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const body = Buffer.concat(chunks).toString();
  if (!isSigned(request.headers, body)) return answer.writeHead(401).end("bad signature");

  const job = JSON.parse(body);
  if (!atWork.has(job.jobId)) atWork.set(job.jobId, scan(job));
  // Quick work is answered at once. For what takes longer: 202, and the outcome goes to the callback.
  if (job.configuration.Depth !== "full" || !job.callback) {
    const outcome = await atWork.get(job.jobId);
    return answer.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(outcome));
  }
  answer.writeHead(202).end();
  await deliver(job.callback, await atWork.get(job.jobId));
}

/** The work. It gives an outcome: succeeded, continued or failed. */
async function scan(job) {
  const { Target = "main" } = job.configuration;
  if (Target.includes("..")) {
    return { kind: "failed", type: "ConfigurationError", message: `no such target: ${Target}` };
  }
  return { kind: "succeeded", summary: `${Target}: nothing found`, externalExecutionId: `scan-${job.jobId}` };
}

/** Delivers an outcome, patiently: partnerd may be restarting. */
async function deliver(callback, outcome) {
  for (let attempt = 1; attempt <= 10; attempt++) {
    const answered = await fetch(callback.url, {
      method: "POST",
      headers: { authorization: `Bearer ${callback.token}`, "content-type": "application/json" },
      body: JSON.stringify(outcome),
      signal: AbortSignal.timeout(10_000),
    }).catch((error) => ({ status: 0, error }));
    // 200: taken. 409: it had been taken before. Anything else may pass, even 404, right after a restart.
    if (answered.status === 200 || answered.status === 409) return;
    await new Promise((resolve) => setTimeout(resolve, 1_000 * attempt));
  }
  console.error(`gave up delivering to ${callback.url}`);
}

/** Standard Webhooks: an HMAC over id, time and body, not older than five minutes. */
function isSigned(headers, body) {
  const { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": signatures = "" } = headers;
  if (!(Math.abs(Date.now() / 1_000 - Number(timestamp)) < 300)) return false;
  const expected = createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest();
  return signatures.split(" ").some((each) => {
    const given = Buffer.from(each.replace(/^v1,/, ""), "base64");
    return given.length === expected.length && timingSafeEqual(given, expected);
  });
}

server.listen(Number(process.env.PORT ?? 9000), process.env.HOST ?? "127.0.0.1", () => {
  const { address, port } = server.address();
  console.log(`listening on http://${address}:${port}/jobs`);
});

// Number 1 in a container has no default answer to signals. Nothing is lost by ending: partnerd asks again.
process.once("SIGTERM", () => process.exit(0));
