// A remote service to try the handler with, in place of yours: node remote.mts
// Each look brings a run on by a half. A suite called `broken` fails, and one called `unknown` is refused.
import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";

interface Run {
  readonly suite: string;
  percent: number;
}

export const runs = new Map<string, Run>();
const idByKey = new Map<string, string>();
/** A test may take the service down. */
export const outage = { isNow: false };

export const server = createServer(async (request, response) => {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  const [status, answer] = answerTo(request, Buffer.concat(chunks).toString());
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(answer));
});

function answerTo({ method, url = "", headers }: IncomingMessage, body: string): readonly [number, object] {
  if (outage.isNow) return [503, { error: "down" }];
  if (method === "POST" && url === "/runs") {
    const { suite } = JSON.parse(body) as { suite: string };
    return suite === "unknown" ? [422, { error: "no such suite" }] : [200, begun(suite, headers["idempotency-key"])];
  }
  const id = /^\/runs\/([\w-]+)$/.exec(url)?.[1] ?? "";
  const run = runs.get(id);
  if (method !== "GET" || !run) return [404, { error: "no such run" }];
  run.percent = Math.min(100, run.percent + 50);
  if (run.percent < 100) return [200, { id, state: "running", percent: run.percent }];
  if (run.suite === "broken") return [200, { id, state: "failed", message: "3 of 40 tests failed" }];
  return [200, { id, state: "succeeded" }];
}

/** One run for each key, however often it is asked for. */
function begun(suite: string, key: string | string[] | undefined): object {
  const id = idByKey.get(String(key)) ?? randomUUID();
  idByKey.set(String(key), id);
  if (!runs.has(id)) runs.set(id, { suite, percent: 0 });
  return { id, state: "running", percent: 0 };
}

server.listen(Number(process.env["PORT"] ?? 9100), "127.0.0.1", () => {
  console.log(`listening on http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});
