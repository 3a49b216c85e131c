// A handler as a service of your own: node service.mts. It verifies who posts a job, answers quick work at once, and
// delivers the outcome of longer work to the job's callback. It needs nothing but Node.
// WEBHOOK_SECRET is the secret in partnerd.yaml; PORT and HOST say where it listens, 127.0.0.1:9000 unless told.
import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { JobDocument, Outcome } from "partnerd";

/** What partnerd posts: the job's document, with where a later outcome goes. */
interface PostedJob extends JobDocument {
  readonly callback?: { readonly url: string; readonly token: string };
}

const key = Buffer.from((process.env["WEBHOOK_SECRET"] ?? "").replace(/^whsec_/, ""), "base64");
if (key.length < 24) {
  throw new Error('WEBHOOK_SECRET is missing; make one with: echo "whsec_$(openssl rand -base64 32)"');
}
const bodyMaxBytes = 1024 * 1024;
/** As long as partnerd may post a job again: longer than any `jobTimeout`. */
const keptMs = 60 * 60_000;

/**
 * Jobs at work and done, by their id: a request may come twice, and a job must not be worked twice. Yours would be in a
 * database: what was promised by a 202 is lost with this process.
 */
const jobs = new Map<string, Promise<Outcome>>();

/** The work. Gives an outcome: succeeded, continued or failed. */
async function scan(job: PostedJob): Promise<Outcome> {
  const { Target } = job.configuration;
  // The customer reads the message in the pipeline: say what is wrong, and what would be right.
  if (!Target) return { kind: "failed", type: "ConfigurationError", message: "Target is missing: what to scan" };
  if (Target === "infected") return { kind: "failed", type: "JobFailed", message: "1 virus found" };
  return { kind: "succeeded", summary: `${Target}: nothing found`, externalExecutionId: `scan-${job.jobId}` };
}

export const server = createServer((request, response) => {
  serve(request, response).catch((error: unknown) => {
    console.error(error);
    response.destroy(); // No answer: partnerd tries again.
  });
});

async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.method !== "POST" || request.url !== "/jobs") return answer(response, 404, { error: "POST /jobs" });
  // Nobody has proved yet who sends it. partnerd always tells the length, and Node reads no more than was told.
  const isSmall = Number(request.headers["content-length"]) <= bodyMaxBytes;
  if (!isSmall) return answer(response, 413, { error: "the job is too large" });
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  const body = Buffer.concat(chunks);
  if (!isSigned(request.headers, body)) return answer(response, 401, { error: "the signature is missing or wrong" });
  const job = JSON.parse(body.toString()) as PostedJob;
  const outcome = worked(job);
  // What takes longer than a request: 202, and the outcome goes to the callback.
  if (job.configuration["Depth"] !== "full" || !job.callback) return answer(response, 200, await outcome);
  answer(response, 202, {});
  await deliver(job.callback, await outcome, Date.parse(job.deadline));
}

/** Begins the work, unless this job has come before. */
function worked(job: PostedJob): Promise<Outcome> {
  const id = `${job.region} ${job.jobId}`; // ids are unique within a Region
  const known = jobs.get(id);
  if (known) return known;
  const outcome = scan(job).catch((error: unknown): Outcome => {
    console.error(error);
    return { kind: "failed", type: "SystemUnavailable", message: "the scan ended with an error; try again later" };
  });
  jobs.set(id, outcome);
  setTimeout(() => jobs.delete(id), keptMs).unref();
  return outcome;
}

/** Delivers an outcome, as long as the job has time: partnerd may be restarting. */
async function deliver(to: { url: string; token: string }, outcome: Outcome, untilMs: number): Promise<void> {
  for (let waitMs = 500; Date.now() < untilMs; waitMs = Math.min(2 * waitMs, 30_000)) {
    const headers = { authorization: `Bearer ${to.token}`, "content-type": "application/json" };
    const init = { method: "POST", headers, body: JSON.stringify(outcome), signal: AbortSignal.timeout(10_000) };
    const status = await fetch(to.url, init).then(
      (answered) => answered.status,
      (error: unknown) => String(error),
    );
    // 200: taken. 409: taken before. Anything else may pass, even a 404 right after a restart.
    if (status === 200 || status === 409) return;
    console.error(`the callback was answered ${status}; trying again in ${waitMs} ms`); // never the token
    await sleep(waitMs);
  }
  console.error("gave up delivering an outcome: its job has no time left");
}

/**
 * Standard Webhooks (standardwebhooks.com): an HMAC over id, time and body, not older than five minutes; one for each
 * secret while it is changed. The library `standardwebhooks` does the same, for many languages.
 */
function isSigned(headers: IncomingHttpHeaders, body: Buffer): boolean {
  const { "webhook-id": id, "webhook-timestamp": sentAt, "webhook-signature": signatures } = headers;
  if (!(Math.abs(Date.now() / 1_000 - Number(sentAt)) < 300)) return false;
  const expected = createHmac("sha256", key).update(`${id}.${sentAt}.`).update(body).digest();
  const isExpected = (text: string) => {
    const given = Buffer.from(text.replace(/^v1,/, ""), "base64");
    return given.length === expected.length && timingSafeEqual(given, expected);
  };
  return String(signatures).split(" ").some(isExpected);
}

function answer(response: ServerResponse, status: number, document: object): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(document));
}

server.listen(Number(process.env["PORT"] ?? 9000), process.env["HOST"] ?? "127.0.0.1", () => {
  const { address, port } = server.address() as AddressInfo;
  console.log(`listening on http://${address}:${port}/jobs`);
});

// Takes no more jobs, which partnerd then posts to the next one, and ends once the promised outcomes are delivered.
process.once("SIGTERM", () => void server.close());
