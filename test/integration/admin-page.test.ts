// Promise: whatever clients do to the admin port, the page, its stream and the callbacks of services go on; nobody who
// may not sees a job, and a stop ends it all in time.
import { once } from "node:events";
import { type ClientRequest, type IncomingMessage, request } from "node:http";
import { connect, type Socket } from "node:net";
import { expect, it, onTestFinished } from "vitest";
import type { HttpJobDocument } from "../../src/handlers/job-document.js";
import { Secret } from "../../src/job/secret.js";
import { startService } from "../fixtures/handlers/service.js";
import { freePort, Gate, type Rig, type RigOptions, startRig, thirdParty } from "../support/rig.js";

async function withAdmin(options: RigOptions = {}): Promise<Rig & { readonly url: string; readonly port: number }> {
  const port = await freePort();
  const config = { admin: { host: "127.0.0.1", port }, ...options.config };
  const rig = await startRig({ actionTypes: [thirdParty], ...options, config });
  return Object.assign(rig, { url: rig.daemon.adminUrl ?? "", port });
}

interface Stream {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  /** Resolves with all that has come once it holds the text, or once the stream has ended. */
  readonly until: (text: string) => Promise<string>;
  readonly ended: Promise<string>;
  readonly close: () => void;
}

async function stream(url: string, headers: Record<string, string> = {}): Promise<Stream> {
  const sent = request(`${url}/events`, { agent: false, headers });
  onTestFinished(() => void sent.destroy());
  sent.end();
  const [response] = (await once(sent, "response")) as [IncomingMessage];
  let text = "";
  const watchers = new Set<() => void>();
  const ended = new Promise<string>((resolve) => {
    const done = () => resolve(text);
    response.on("end", done).on("close", done).on("error", done);
  });
  response.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
    for (const watcher of watchers) watcher();
  });
  const until = (wanted: string) =>
    Promise.race([
      ended,
      new Promise<string>((resolve) => {
        const watcher = () => {
          if (text.includes(wanted)) resolve(text);
        };
        watchers.add(watcher);
        watcher();
      }),
    ]);
  return { status: response.statusCode ?? 0, headers: response.headers, until, ended, close: () => sent.destroy() };
}

it("shows jobs as they come, in the page and in its stream, and none of their secrets", async () => {
  const gate = new Gate();
  await using rig = await withAdmin({
    actionTypes: [{ ...thirdParty, secretProperties: ["ApiKey"] }],
    handle: async (job) => {
      await gate.enter();
      return { kind: "failed", message: `the key ${job.configuration["ApiKey"]} is wrong` };
    },
  });
  const { headers, until } = await stream(rig.url);
  expect(headers).toMatchObject({
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-store",
    "x-accel-buffering": "no",
    "x-content-type-options": "nosniff",
  });
  await until("Idle: waiting for jobs");
  const ApiKey = "sesame-open-the-door-4711";
  const id = rig.emulator.addJob({ actionType: thirdParty, configuration: { ApiKey } });
  await gate.waiting(1);
  const live = await until(id);
  gate.release();
  await rig.event("job-reported");
  const page = await (await fetch(rig.url)).text();
  expect(page).toContain("the key [secret] is wrong");
  const script = await (await fetch(`${rig.url}/page.js`)).text();
  for (const text of [live, page, script]) {
    for (const secret of [ApiKey, rig.emulator.defaultClient.clientToken]) expect(text).not.toContain(secret);
  }
});

it("answers the page with a policy that allows nothing from elsewhere", async () => {
  await using rig = await withAdmin();
  const answer = await fetch(rig.url);
  expect(answer.headers.get("content-security-policy")).toBe(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
  );
  expect(answer.headers.get("x-frame-options")).toBe("DENY");
  for (const path of ["/", "/events", "/page.js"]) {
    expect((await fetch(`${rig.url}${path}`, { method: "HEAD" })).status).toBe(200);
    expect((await fetch(`${rig.url}${path}`, { method: "POST" })).status).toBe(405);
  }
});

it("shows page and stream to nobody without the token where other machines reach them", async () => {
  const token = new Secret("a-token-of-many-letters");
  await using rig = await withAdmin({ config: { admin: { host: "0.0.0.0", port: await freePort(), token } } });
  for (const path of ["/", "/events", "/status", "/jobs/job-1"]) {
    expect((await fetch(`${rig.url}${path}`)).status).toBe(401);
  }
  const allowed = await stream(rig.url, { authorization: `Bearer ${token.reveal()}` });
  expect(allowed.status).toBe(200);
  expect(await allowed.until("event: sections")).not.toContain(token.reveal());
});

it("has room for twenty open pages, and for another as soon as one is closed", async () => {
  await using rig = await withAdmin();
  const open: Stream[] = [];
  for (let at = 0; at < 20; at++) open.push(await stream(rig.url));
  const refused = await stream(rig.url);
  expect([refused.status, refused.headers["retry-after"]]).toEqual([503, "10"]);
  expect((await fetch(`${rig.url}/livez`)).status).toBe(200);
  open[0]?.close();
  let again = await stream(rig.url);
  while (again.status !== 200) again = await stream(rig.url);
  expect(await again.until("event: sections")).toContain("event: hello");
});

it("tells open pages of its end, and is closed in time though they stay", async () => {
  await using rig = await withAdmin();
  const page = await stream(rig.url);
  await page.until("event: sections");
  await rig.stop();
  expect(await page.ended).toMatch(/event: end\ndata: \{\}\n\n$/);
  await expect(fetch(rig.url)).rejects.toThrow();
});

it("goes on answering probes and pages beside hundreds of clients that say nothing", async () => {
  await using rig = await withAdmin();
  const silent: Socket[] = [];
  onTestFinished(() => {
    for (const socket of silent) socket.destroy();
  });
  for (let at = 0; at < 400; at++) silent.push(connect(rig.port, "127.0.0.1").on("error", () => {}));
  await Promise.all(silent.map((socket) => once(socket, "connect")));
  for (const path of ["/livez", "/readyz", "/metrics", "/"]) {
    expect((await fetch(`${rig.url}${path}`)).status).toBe(200);
  }
});

/** Sends as many bytes as the other side takes; resolves with the answer's status, or 0 if it hung up. */
function pour(sent: ClientRequest, bytes: number): Promise<number> {
  return new Promise((resolve) => {
    const chunk = Buffer.alloc(65_536, "x");
    let left = bytes;
    const flow = () => {
      while (left > 0 && !sent.destroyed) {
        left -= chunk.length;
        if (!sent.write(chunk)) return;
      }
      sent.end();
    };
    sent.on("drain", flow);
    sent.on("error", () => resolve(0));
    sent.on("response", (response) => {
      resolve(response.statusCode ?? 0);
      response.resume();
    });
    flow();
  });
}

it("refuses a callback of 100 MB, declared or not, without keeping it, and takes the right one after it", async () => {
  const service = await startService({ jobs: (_request, answer) => void answer.writeHead(202).end() });
  onTestFinished(() => service.close());
  const handlers = { scan: { kind: "http", url: `${service.url}/jobs`, requestTimeoutMs: 1_000 } } as const;
  await using rig = await withAdmin({
    actionTypes: [{ ...thirdParty, handler: "scan" }],
    config: { handlers, admin: { host: "127.0.0.1", port: await freePort() } },
  });
  const id = rig.emulator.addJob({ actionType: thirdParty });
  const { callback } = JSON.parse((await service.request(1)).body) as HttpJobDocument;
  await rig.event("callback-awaited");
  const headers = { authorization: `Bearer ${callback?.token}`, "content-type": "application/json" };
  const bytes = 100 * 1024 * 1024;
  const before = process.memoryUsage().arrayBuffers;
  for (const length of [{ "content-length": String(bytes) }, { "transfer-encoding": "chunked" }]) {
    const sent = request(callback?.url ?? "", { method: "POST", agent: false, headers: { ...headers, ...length } });
    onTestFinished(() => void sent.destroy());
    expect([0, 413]).toContain(await pour(sent, bytes));
  }
  // What was read is not kept: a small part of the two hundred megabytes at most.
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(50 * 1024 * 1024);
  expect(rig.emulator.job(id)?.status).toBe("InProgress");
  const right = await fetch(callback?.url ?? "", { method: "POST", headers, body: '{"kind":"succeeded"}' });
  expect(right.status).toBe(200);
  expect((await rig.emulator.waitForJob(id, "over")).status).toBe("Succeeded");
});
