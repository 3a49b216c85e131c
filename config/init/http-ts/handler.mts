// A service that works the jobs of the action: node handler.mts
// WEBHOOK_SECRET=whsec_… lets it take only requests that are signed with it (`secretFile` in partnerd.yaml).
import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import type { JobDocument, Outcome } from "partnerd";

/** The same request may come twice: go by jobId where the work must not be done twice. Gives an outcome. */
async function work(job: JobDocument): Promise<Outcome> {
  const { Target } = job.configuration;
  // The customer reads the message in the pipeline: say what is wrong, and what would be right.
  if (!Target) return { kind: "failed", type: "ConfigurationError", message: "Target is missing: what to build" };
  // The work. For what takes longer than a request, answer 202 and POST the outcome to `callback.url` of the document
  // later, with the bearer token `callback.token`.
  return { kind: "succeeded", summary: `built ${Target}` };
}

export const server = createServer(async (request, answer) => {
  try {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks).toString();
    if (!isSigned(request.headers, body)) {
      answer.writeHead(401).end("the signature is missing or wrong");
      return;
    }
    const outcome = await work(JSON.parse(body));
    answer.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(outcome));
  } catch (error) {
    console.error(error);
    answer.destroy(); // No answer: partnerd tries again.
  }
});

/** Standard Webhooks: an HMAC over id, time and body, not older than five minutes. */
function isSigned(headers: IncomingHttpHeaders, body: string): boolean {
  const secret = process.env["WEBHOOK_SECRET"];
  if (!secret) return true;
  const { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": signatures } = headers;
  if (!(Math.abs(Date.now() / 1_000 - Number(timestamp)) < 300)) return false;
  const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
  const expected = createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest();
  return String(signatures)
    .split(" ")
    .some((each) => {
      const given = Buffer.from(each.replace(/^v1,/, ""), "base64");
      return given.length === expected.length && timingSafeEqual(given, expected);
    });
}

server.listen(Number(process.env["PORT"] ?? 9000), "127.0.0.1", () => {
  console.log(`listening on http://127.0.0.1:${(server.address() as AddressInfo).port}/jobs`);
  if (!process.env["WEBHOOK_SECRET"]) console.log("WEBHOOK_SECRET is not set: signatures are not checked");
});
