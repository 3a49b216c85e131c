// The admin port over real HTTP on loopback: every route, every refusal, and clients that mean no good.
import { once } from "node:events";
import { Agent, type IncomingHttpHeaders, type RequestOptions, request, type ServerResponse } from "node:http";
import { connect, createServer, type Socket } from "node:net";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { DeliveryEnd } from "../../../src/admin/routes.js";
import {
  AdminError,
  type AdminLimits,
  type AdminOptions,
  type AdminServer,
  ordinaryLimits,
  startAdmin,
} from "../../../src/admin/server.js";
import type { OrderAnswer } from "../../../src/engine/events.js";
import { Secret } from "../../../src/job/secret.js";
import { systemClock } from "../../../src/std/clock.js";
import { FakeClock } from "../../support/fake-clock.js";

/** Times longer than any test may take: what waits for one of them by mistake fails. */
const limits: AdminLimits = {
  bodyMaxBytes: 1_000,
  headersMaxBytes: 4_096,
  headersTimeoutMs: 100_000,
  requestTimeoutMs: 100_000,
  idleTimeoutMs: 100_000,
  keepAliveTimeoutMs: 100_000,
  maxConnections: 20,
  closeTimeoutMs: 5_000,
};

interface Called {
  readonly deliveries: unknown[];
  readonly controls: string[];
  readonly orders: unknown[];
  readonly faults: unknown[];
}

const open: AdminServer[] = [];
const sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const admin of open.splice(0)) await admin.close();
});

async function started(
  options: Partial<AdminOptions> & { readonly end?: DeliveryEnd; readonly orderAnswer?: OrderAnswer } = {},
) {
  const called: Called = { deliveries: [], controls: [], orders: [], faults: [] };
  const admin = await startAdmin({
    host: "127.0.0.1",
    port: 0,
    clock: new FakeClock(),
    live: () => ({ live: true, reasons: [] }),
    ready: () => ({ ready: true, reasons: [], notes: [] }),
    status: () => ({ jobs: [] }),
    deliver: async (delivery) => {
      called.deliveries.push(delivery);
      return options.end ?? "accepted";
    },
    pause: () => called.controls.push("pause"),
    resume: () => called.controls.push("resume"),
    wake: () => called.controls.push("wake"),
    order: async (job, order) => {
      called.orders.push({ ...job, ...order });
      return options.orderAnswer ?? { kind: "taken", message: "as you say" };
    },
    onFault: (error) => called.faults.push(error),
    limits,
    ...options,
  });
  open.push(admin);
  return { admin, called };
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  readonly json: () => unknown;
}

async function ask(
  admin: AdminServer,
  method: string,
  path: string,
  more: RequestOptions & { readonly body?: string | Buffer } = {},
): Promise<Answer> {
  const { body, ...options } = more;
  const sent = request({ host: "127.0.0.1", port: admin.port, method, path, agent: false, ...options });
  sent.end(body);
  const [response] = await once(sent, "response");
  let text = "";
  response.setEncoding("utf8");
  for await (const chunk of response) text += chunk;
  return { status: response.statusCode, headers: response.headers, text, json: () => JSON.parse(text) };
}

const bearer = { authorization: "Bearer callback-token", "content-type": "application/json" };

function deliver(
  admin: AdminServer,
  body: string | Buffer,
  more: { path?: string; headers?: Record<string, string> } = {},
) {
  return ask(admin, "POST", more.path ?? "/jobs/job-1/outcome", { headers: more.headers ?? bearer, body });
}

/** Not events.once: an error before the end, such as a reset, is no failure here. */
function hungUp(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.on("error", () => {});
    socket.once("close", () => resolve());
  });
}

/** A client that writes what it likes; resolves with all that came back once the server has hung up. */
async function raw(admin: AdminServer, text: string): Promise<string> {
  const socket = connect(admin.port, "127.0.0.1");
  sockets.push(socket);
  let answer = "";
  socket.on("data", (chunk) => {
    answer += chunk.toString("latin1");
  });
  socket.write(text);
  await hungUp(socket);
  return answer;
}

describe("the probes and the status", () => {
  it("answer with JSON that nobody keeps", async () => {
    const { admin } = await started();
    for (const [path, body] of [
      ["/livez", { live: true, reasons: [] }],
      ["/readyz", { ready: true, reasons: [], notes: [] }],
      ["/status", { jobs: [] }],
      ["/status?verbose=1", { jobs: [] }],
    ] as const) {
      const answer = await ask(admin, "GET", path);
      expect(answer.status).toBe(200);
      expect(answer.json()).toEqual(body);
      expect(answer.headers).toMatchObject({
        "content-type": "application/json; charset=utf-8",
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
        "content-security-policy": "default-src 'none'",
      });
    }
  });

  it("answer 503 with the reasons", async () => {
    const reasons = [{ reason: "draining", message: "draining" }] as const;
    const { admin } = await started({
      live: () => ({ live: false, reasons }),
      ready: () => ({ ready: false, reasons, notes: [] }),
    });
    for (const path of ["/livez", "/readyz"]) {
      const answer = await ask(admin, "GET", path);
      expect(answer.status).toBe(503);
      expect(answer.json()).toMatchObject({ reasons });
    }
  });

  it("answer HEAD with the same headers and no body", async () => {
    const { admin } = await started();
    const get = await ask(admin, "GET", "/status");
    const head = await ask(admin, "HEAD", "/status");
    expect(head.text).toBe("");
    expect(head.headers["content-length"]).toBe(get.headers["content-length"]);
  });

  it("answer 500 without a word of the reason when a route fails, and go on answering", async () => {
    const fault = new Error("hush-hush");
    const round: Record<string, unknown> = {};
    round["self"] = round;
    const { admin, called } = await started({
      live: () => {
        throw fault;
      },
      status: () => round,
    });
    for (const path of ["/livez", "/status"]) {
      const answer = await ask(admin, "GET", path);
      expect([answer.status, answer.text]).toEqual([500, '{"error":"internal error"}\n']);
    }
    expect(called.faults[0]).toBe(fault);
    expect(called.faults).toHaveLength(2);
    expect((await ask(admin, "GET", "/readyz")).status).toBe(200);
  });

  it("share the port with pages of others", async () => {
    const page = {
      contentType: "text/html; charset=utf-8",
      text: "<p>ü</p>",
      contentSecurityPolicy: "default-src 'self'",
    };
    const { admin } = await started({
      pages: {
        "/": { isGuarded: true, page: () => page },
        "/metrics": {
          isGuarded: false,
          page: async ({ headers }) => ({ contentType: "text/plain", text: headers.accept ?? "" }),
        },
      },
    });
    const answer = await ask(admin, "GET", "/");
    expect(answer.text).toBe("<p>ü</p>");
    expect(answer.headers).toMatchObject({
      "content-type": "text/html; charset=utf-8",
      "content-security-policy": "default-src 'self'",
      "cache-control": "no-store",
    });
    const metrics = await ask(admin, "GET", "/metrics", { headers: { accept: "text/plain;version=0.0.4" } });
    expect([metrics.headers["content-type"], metrics.text]).toEqual(["text/plain", "text/plain;version=0.0.4"]);
  });
});

describe("a long answer", () => {
  it("is compressed for whoever takes it so, HEAD included", async () => {
    const text = "<p>row</p>".repeat(1_000);
    const { admin } = await started({
      pages: { "/": { isGuarded: true, page: () => ({ contentType: "text/html", text }) } },
    });
    const plain = await ask(admin, "GET", "/");
    expect([plain.headers["content-encoding"], plain.text]).toEqual([undefined, text]);
    for (const method of ["GET", "HEAD"]) {
      const { headers } = await ask(admin, method, "/", { headers: { "accept-encoding": "gzip" } });
      expect(headers["content-encoding"]).toBe("gzip");
      expect(Number(headers["content-length"])).toBeLessThan(500);
    }
  });
});

describe("what is not there", () => {
  it.each([
    ["GET", "/nothing", 404, undefined],
    ["GET", "/livez/", 404, undefined],
    ["GET", "//livez", 404, undefined],
    ["GET", "/__proto__", 404, undefined],
    ["POST", "/jobs/outcome", 405, "GET, HEAD"],
    ["GET", "/jobs/", 404, undefined],
    ["GET", "/jobs/job-1", 404, undefined],
    ["GET", "/jobs/job-1/release", 405, "POST"],
    ["POST", "/jobs/a/b/outcome", 404, undefined],
    ["POST", "/livez", 405, "GET, HEAD"],
    ["DELETE", "/status", 405, "GET, HEAD"],
    ["OPTIONS", "/pause", 405, "POST"],
    ["GET", "/pause", 405, "POST"],
    ["GET", "/jobs/job-1/outcome", 405, "POST"],
    ["PUT", "/jobs/job-1/outcome", 405, "POST"],
  ])("answers %s %s with %d and JSON", async (method, path, status, allow) => {
    const { admin } = await started();
    const answer = await ask(admin, method, path);
    expect(answer.status).toBe(status);
    expect(answer.headers.allow).toBe(allow);
    expect(answer.json()).toHaveProperty("error");
  });
});

describe("the callback of services", () => {
  it.each<[DeliveryEnd, number]>([
    ["accepted", 200],
    ["already-delivered", 409],
    ["unknown-job", 404],
    ["wrong-token", 401],
    ["not-recorded", 503],
  ])("answers when the delivery ends as %s", async (end, status) => {
    const { admin, called } = await started({ end });
    const answer = await deliver(admin, '{"kind":"succeeded"}');
    expect(answer.status).toBe(status);
    expect(answer.headers["www-authenticate"]).toBe(status === 401 ? "Bearer" : undefined);
    expect(answer.headers["retry-after"]).toBe(status === 503 ? "5" : undefined);
    expect(called.deliveries).toEqual([{ jobId: "job-1", bearer: "callback-token", body: { kind: "succeeded" } }]);
  });

  it.each([
    ["a/b?c#d%e f", "/jobs/a%2Fb%3Fc%23d%25e%20f/outcome"],
    ["ß€😀", `/jobs/${encodeURIComponent("ß€😀")}/outcome`],
    ["..", "/jobs/%2E%2E/outcome"],
    ["x".repeat(512), `/jobs/${"x".repeat(512)}/outcome`],
  ])("takes the job id %j out of the path", async (jobId, path) => {
    const { admin, called } = await started();
    expect((await deliver(admin, "{}", { path })).status).toBe(200);
    expect(called.deliveries).toMatchObject([{ jobId }]);
  });

  it.each([["/jobs//outcome"], ["/jobs/%/outcome"], ["/jobs/%ff/outcome"], [`/jobs/${"x".repeat(513)}/outcome`]])(
    "refuses the path %s",
    async (path) => {
      const { admin, called } = await started();
      expect((await deliver(admin, "{}", { path })).status).toBe(400);
      expect(called.deliveries).toEqual([]);
    },
  );

  it.each([
    ["no token", { "content-type": "application/json" }, 401],
    ["another scheme", { ...bearer, authorization: "Basic callback-token" }, 401],
    ["an empty token", { ...bearer, authorization: "Bearer " }, 401],
    ["a compressed body", { ...bearer, "content-encoding": "gzip" }, 415],
  ])("refuses a delivery with %s", async (_, headers, status) => {
    const { admin, called } = await started();
    const answer = await deliver(admin, "{}", { headers });
    expect(answer.status).toBe(status);
    expect(called.deliveries).toEqual([]);
  });

  it.each([["application/json; charset=utf-8"], ["application/x-www-form-urlencoded"], ["text/plain"], [undefined]])(
    "takes JSON whatever type it is called: %s",
    async (type) => {
      const { admin, called } = await started();
      const headers = { authorization: bearer.authorization, ...(type ? { "content-type": type } : {}) };
      expect((await deliver(admin, "{}", { headers })).status).toBe(200);
      expect(called.deliveries).toHaveLength(1);
    },
  );

  it.each([
    ["nothing", ""],
    ["broken JSON", '{"kind":'],
    ["a list", "[]"],
    ["a text", '"succeeded"'],
    ["null", "null"],
    ["bytes that are no UTF-8", Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])],
  ])("refuses %s as a body", async (_, body) => {
    const { admin, called } = await started();
    expect((await deliver(admin, body)).status).toBe(400);
    expect(called.deliveries).toEqual([]);
  });

  it("takes a body of the longest length and none that is longer", async () => {
    const { admin, called } = await started();
    const body = (length: number) => `{"a":"${"x".repeat(length - 8)}"}`;
    expect((await deliver(admin, body(1_000))).status).toBe(200);
    expect((await deliver(admin, body(1_001))).status).toBe(413);
    expect(called.deliveries).toHaveLength(1);
  });

  it("refuses a large body before it is sent when its length or its sender says so", async () => {
    const { admin, called } = await started();
    const declared = request({
      port: admin.port,
      host: "127.0.0.1",
      method: "POST",
      path: "/jobs/j/outcome",
      agent: false,
    });
    for (const [name, value] of Object.entries({ ...bearer, "content-length": "1000000", expect: "100-continue" })) {
      declared.setHeader(name, value);
    }
    let wasAsked = false;
    declared.on("continue", () => {
      wasAsked = true;
    });
    declared.on("error", () => {});
    declared.flushHeaders();
    const [response] = await once(declared, "response");
    expect([response.statusCode, wasAsked]).toEqual([413, false]);
    declared.destroy();
    expect(called.deliveries).toEqual([]);
  });

  it("asks for a body that is held back until it is welcome", async () => {
    const { admin, called } = await started();
    const held = request({
      port: admin.port,
      host: "127.0.0.1",
      method: "POST",
      path: "/jobs/j/outcome",
      agent: false,
    });
    for (const [name, value] of Object.entries({ ...bearer, expect: "100-continue" })) held.setHeader(name, value);
    held.on("continue", () => held.end('{"kind":"succeeded"}'));
    held.flushHeaders();
    const [response] = await once(held, "response");
    expect(response.statusCode).toBe(200);
    response.resume();
    expect(called.deliveries).toHaveLength(1);
  });

  it("cuts off a body that never ends", async () => {
    const { admin, called } = await started();
    const socket = connect(admin.port, "127.0.0.1");
    sockets.push(socket);
    socket.on("error", () => {});
    let answer = "";
    socket.on("data", (chunk) => {
      answer += chunk.toString();
    });
    const head = `POST /jobs/j/outcome HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nauthorization: Bearer t\r\ntransfer-encoding: chunked\r\n\r\n`;
    socket.write(head);
    const chunk = `400\r\n${"x".repeat(1_024)}\r\n`;
    const flow = () => {
      while (!socket.destroyed && socket.write(chunk));
    };
    socket.on("drain", flow);
    flow();
    await hungUp(socket);
    expect(answer === "" || answer.startsWith("HTTP/1.1 413")).toBe(true);
    expect(called.deliveries).toEqual([]);
  });

  it("survives a client that goes away in the middle of its body", async () => {
    const { admin, called } = await started();
    const socket = connect(admin.port, "127.0.0.1");
    sockets.push(socket);
    const head = `POST /jobs/j/outcome HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nauthorization: Bearer t\r\ncontent-length: 100\r\n\r\n{"half":`;
    socket.write(head, () => socket.destroy());
    await once(socket, "close");
    expect((await ask(admin, "GET", "/livez")).status).toBe(200);
    expect(called).toEqual({ deliveries: [], controls: [], orders: [], faults: [] });
  });

  it("survives a client that goes away before it has its answer", async () => {
    let isDelivered = () => {};
    const delivered = new Promise<void>((resolve) => {
      isDelivered = resolve;
    });
    let finish = (_: DeliveryEnd) => {};
    const { admin, called } = await started({
      deliver: () => {
        isDelivered();
        return new Promise((resolve) => {
          finish = resolve;
        });
      },
    });
    const socket = connect(admin.port, "127.0.0.1");
    sockets.push(socket);
    socket.write(
      "POST /jobs/j/outcome HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nauthorization: Bearer t\r\ncontent-length: 2\r\n\r\n{}",
    );
    await delivered;
    socket.destroy();
    await once(socket, "close");
    finish("accepted");
    expect((await ask(admin, "GET", "/livez")).status).toBe(200);
    expect(called.faults).toEqual([]);
  });
});

describe("the orders for one job", () => {
  const token = new Secret("admin-token");
  const headers = { authorization: "Bearer admin-token", "content-type": "application/json" };
  const told = (admin: AdminServer, path: string, body: object, more: Record<string, string> = {}) =>
    ask(admin, "POST", path, { headers: { ...headers, ...more }, body: JSON.stringify(body) });

  it("are handed on with the job's id, its Region and the message", async () => {
    const { admin, called } = await started({ token });
    const answer = await told(admin, "/jobs/a%20b/fail", { message: "down", region: "eu-west-1" });
    expect([answer.status, answer.json()]).toEqual([200, { done: true, message: "as you say" }]);
    expect((await told(admin, "/jobs/job-1/release", {})).status).toBe(200);
    expect(called.orders).toEqual([
      { jobId: "a b", region: "eu-west-1", kind: "fail", message: "down" },
      { jobId: "job-1", kind: "release" },
    ]);
  });

  it("are taken as curl -d sends them, and without a body where nothing has to be said", async () => {
    const { admin, called } = await started({ token });
    const form = { authorization: headers.authorization, "content-type": "application/x-www-form-urlencoded" };
    const curl = (path: string, body?: string) =>
      ask(admin, "POST", path, { headers: form, ...(body === undefined ? {} : { body }) });
    expect((await curl("/jobs/job-1/fail", '{"message":"x"}')).status).toBe(200);
    expect((await curl("/jobs/job-1/release", "")).status).toBe(200);
    expect((await curl("/jobs/job-1/release")).status).toBe(200);
    expect((await curl("/jobs/job-1/fail")).json()).toEqual({ error: expect.stringMatching(/^message is missing/) });
    expect((await curl("/jobs/job-1/fail", "message=x")).status).toBe(400);
    expect(called.orders).toMatchObject([{ kind: "fail", message: "x" }, { kind: "release" }, { kind: "release" }]);
  });

  it("say which job was meant", async () => {
    const { admin } = await started({ token, orderAnswer: { kind: "taken", message: "done", jobId: "job-1234" } });
    const answer = await told(admin, "/jobs/job-1/release", {});
    expect(answer.json()).toEqual({ done: true, message: "done", jobId: "job-1234" });
  });

  it.each([
    ["unknown-job", 404],
    ["too-late", 409],
    ["ambiguous", 409],
    ["ledger-unusable", 503],
  ] as const)("say why not: %s is %i", async (kind, status) => {
    const { admin } = await started({ token, orderAnswer: { kind, message: "because" } });
    const answer = await told(admin, "/jobs/job-1/release", {});
    expect([answer.status, answer.json()]).toEqual([status, { kind, error: "because" }]);
  });

  it("are taken from nobody without the token, and from no browser when there is none", async () => {
    const guarded = await started({ token });
    expect((await told(guarded.admin, "/jobs/job-1/release", {}, { authorization: "Bearer no" })).status).toBe(401);
    const loopback = await started();
    expect((await told(loopback.admin, "/jobs/job-1/release", {}, { origin: "null" })).status).toBe(403);
    expect((await told(loopback.admin, "/jobs/job-1/release", {})).status).toBe(200);
    expect([guarded.called.orders.length, loopback.called.orders.length]).toEqual([0, 1]);
  });

  it.each([{}, { message: " " }, { message: 1 }, { message: "down", region: 1 }])(
    "to fail a job want a message that can be read: %j",
    async (body) => {
      const { admin, called } = await started({ token });
      expect((await told(admin, "/jobs/job-1/fail", body)).status).toBe(400);
      expect(called.orders).toEqual([]);
    },
  );
});

describe("the control routes", () => {
  const token = new Secret("admin-token");

  it.each([["pause"], ["resume"], ["wake"]])("/%s does it for the bearer of the token", async (name) => {
    const { admin, called } = await started({ token });
    const answer = await ask(admin, "POST", `/${name}`, { headers: { authorization: "bearer admin-token" } });
    expect(answer.status).toBe(200);
    expect(called.controls).toEqual([name]);
  });

  it.each([
    [undefined],
    ["Bearer"],
    ["Bearer admin-toke"],
    ["Bearer admin-token2"],
    ["Basic admin-token"],
    ["admin-token"],
  ])("do nothing for %s", async (authorization) => {
    const { admin, called } = await started({ token });
    const answer = await ask(admin, "POST", "/pause", {
      headers: authorization === undefined ? {} : { authorization },
    });
    expect(answer.status).toBe(401);
    expect(answer.headers["www-authenticate"]).toBe("Bearer");
    expect(called.controls).toEqual([]);
  });

  it("do nothing for an empty token, even if the configured one is empty", async () => {
    const { admin, called } = await started({ token: new Secret("") });
    expect((await ask(admin, "POST", "/pause")).status).toBe(401);
    expect(called.controls).toEqual([]);
  });

  it("answer on loopback without a token, but to no browser and under no other name", async () => {
    const { admin, called } = await started();
    expect((await ask(admin, "POST", "/pause")).status).toBe(200);
    expect((await ask(admin, "POST", "/pause", { headers: { host: "localhost:1" } })).status).toBe(200);
    expect((await ask(admin, "POST", "/pause", { headers: { host: "[::1]:1" } })).status).toBe(200);
    for (const headers of [
      { origin: "https://example.test" },
      { origin: "null" },
      { "sec-fetch-site": "cross-site" },
      { host: "rebound.example.test:9464" },
      { host: "127.0.0.1.example.test" },
    ]) {
      expect((await ask(admin, "POST", "/pause", { headers })).status).toBe(403);
    }
    expect(called.controls).toHaveLength(3);
  });
});

describe("the story of one job", () => {
  const story = vi.fn<NonNullable<AdminOptions["story"]>>();
  const one = { kind: "one", story: { jobId: "a b" } } as const;

  it.each([
    ["/jobs/a%20b", { jobId: "a b" }, one, 200, { jobId: "a b" }],
    ["/jobs/a?region=eu-west-1&x=1", { jobId: "a", region: "eu-west-1" }, one, 200, { jobId: "a b" }],
    ["/jobs/a?account=shop", { jobId: "a", account: "shop" }, one, 200, { jobId: "a b" }],
    ["/jobs/a", { jobId: "a" }, { kind: "unreadable", message: "no disk" } as const, 503, { error: "no disk" }],
    ["/jobs/a", { jobId: "a" }, { kind: "none" } as const, 404, { kind: "unknown-job", error: expect.any(String) }],
    [
      "/jobs/a",
      { jobId: "a" },
      { kind: "several", message: "a1 or a2" } as const,
      409,
      { kind: "ambiguous", error: "a1 or a2" },
    ],
  ])("answers GET %s", async (path, asked, answered, status, body) => {
    const { admin } = await started({ story: story.mockReset().mockReturnValue(answered) });
    const answer = await ask(admin, "GET", path);
    expect([answer.status, answer.json()]).toEqual([status, body]);
    expect(story).toHaveBeenCalledExactlyOnceWith(asked, { headers: expect.anything(), query: expect.anything() });
    expect((await ask(admin, "HEAD", path)).status).toBe(status);
  });

  it("is told only to who may see jobs, and asks nobody before", async () => {
    const options = { token: new Secret("the-admin-token-of-tests"), host: "0.0.0.0", story: story.mockReset() };
    const { admin } = await started(options);
    const headers = { "x-forwarded-for": "10.0.0.9" };
    expect((await ask(admin, "GET", "/jobs/a", { headers })).status).toBe(401);
    expect((await ask(admin, "GET", "/jobs/a%zz", { headers })).status).toBe(401);
    const foreign = await started({ story: story.mockReset() });
    expect((await ask(foreign.admin, "GET", "/jobs/a", { headers })).status).toBe(403);
    expect(story).not.toHaveBeenCalled();
  });
});

describe("what names jobs and clients", () => {
  const token = new Secret("admin-token");
  const basic = (text: string) => ({ authorization: `Basic ${Buffer.from(text).toString("base64")}` });

  it("is shown on loopback to whoever asks by a name of this machine", async () => {
    const { admin } = await started();
    for (const headers of [
      {},
      { host: "localhost:9464" },
      { "sec-fetch-site": "none", "sec-fetch-mode": "navigate" },
      { "sec-fetch-site": "same-origin", "sec-fetch-mode": "cors" },
      // A link in a chat that somebody follows.
      { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate" },
    ]) {
      expect((await ask(admin, "GET", "/status", { headers })).status).toBe(200);
    }
  });

  it("is kept from other people's pages and from names that were pointed at this machine", async () => {
    const { admin } = await started();
    for (const headers of [
      { host: "rebound.example.test:9464" },
      { host: "rebound.example.test", "sec-fetch-mode": "navigate", "sec-fetch-site": "none" },
      { "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors" },
      { "sec-fetch-site": "same-site", "sec-fetch-mode": "cors" },
    ]) {
      const answer = await ask(admin, "GET", "/status", { headers });
      expect([answer.status, answer.text]).toEqual([403, expect.not.stringContaining("jobs")]);
      expect((await ask(admin, "GET", "/readyz", { headers })).status).toBe(200);
    }
  });

  it("needs the token where other machines reach the port; the probes do not", async () => {
    const pages = { "/metrics": { isGuarded: false, page: () => ({ contentType: "text/plain", text: "up" }) } };
    const { admin } = await started({ host: "0.0.0.0", token, pages });
    for (const headers of [{}, { authorization: "Bearer wrong" }, basic("admin-token:"), basic("admin-token")]) {
      const answer = await ask(admin, "GET", "/status", { headers });
      expect(answer.status).toBe(401);
      expect(answer.headers["www-authenticate"]).toMatch(/^Basic realm=".*", Bearer$/);
    }
    for (const headers of [{ authorization: "Bearer admin-token" }, basic("anybody:admin-token")]) {
      expect((await ask(admin, "GET", "/status", { headers })).json()).toEqual({ jobs: [] });
    }
    for (const path of ["/livez", "/readyz", "/metrics"]) expect((await ask(admin, "GET", path)).status).toBe(200);
  });

  it("may be seen, but nothing controlled, by the token that a browser sends by itself", async () => {
    const { admin, called } = await started({ host: "0.0.0.0", token });
    const headers = basic("anybody:admin-token");
    expect((await ask(admin, "GET", "/status", { headers })).status).toBe(200);
    expect((await ask(admin, "POST", "/pause", { headers })).status).toBe(401);
    expect(called.controls).toEqual([]);
  });
});

describe("where it listens", () => {
  it.each([["0.0.0.0"], ["::"], ["10.1.2.3"], ["example.test"], ["127.evil.test"], [""]])(
    "refuses to open %j without a token",
    async (host) => {
      const error: unknown = await started({ host }).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(AdminError);
      expect(error).toMatchObject({ code: "token-missing", message: expect.stringContaining("set admin.token") });
    },
  );

  it.each([["127.0.0.1"], ["127.0.0.2"], ["localhost"]])("opens %s without a token", async (host) => {
    const { admin } = await started({ host });
    expect(admin.url).toBe(`http://${host}:${admin.port}`);
  });

  it("opens other addresses with a token, and says how this machine reaches them", async () => {
    const { admin } = await started({ host: "0.0.0.0", token: new Secret("admin-token") });
    expect(admin.url).toBe(`http://127.0.0.1:${admin.port}`);
    expect((await ask(admin, "GET", "/livez")).status).toBe(200);
  });

  it("says which port is taken and what to do", async () => {
    const holder = createServer().listen(0, "127.0.0.1");
    await once(holder, "listening");
    const { port } = holder.address() as { port: number };
    const error: unknown = await started({ port }).catch((thrown: unknown) => thrown);
    holder.close();
    expect(error).toMatchObject({
      code: "port-taken",
      message: `the admin port 127.0.0.1:${port} is taken by another process; stop what holds it, or set admin.port to another one (0 turns it off)`,
    });
  });

  it("says when the address is not one of this machine", async () => {
    const options = { host: "192.0.2.1", token: new Secret("admin-token") };
    await expect(started(options)).rejects.toMatchObject({ code: "no-such-host" });
  });
});

describe("against bad clients", () => {
  it.each([
    ["no HTTP", "hello there\r\n\r\n", "400"],
    ["headers that are too large", `GET /livez HTTP/1.1\r\nhost: x\r\nx: ${"y".repeat(8_000)}\r\n\r\n`, "431"],
    ["two lengths", "POST /pause HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n", "400"],
    [
      "a length and chunks",
      "POST /pause HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
      "400",
    ],
    ["no host", "GET /livez HTTP/1.1\r\n\r\n", "400"],
  ])("hangs up on %s", async (_, text, status) => {
    const { admin } = await started();
    expect(await raw(admin, text)).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  });

  it("hangs up on a client that takes too long over its headers, its body or nothing at all", async () => {
    const short = { ...limits, headersTimeoutMs: 60, requestTimeoutMs: 90, keepAliveTimeoutMs: 150 };
    const { admin, called } = await started({ limits: short });
    const answers = await Promise.all([
      raw(admin, "GET /livez HTTP/1.1\r\nhost:"),
      raw(
        admin,
        "POST /jobs/j/outcome HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nauthorization: Bearer t\r\ncontent-length: 9\r\n\r\n{",
      ),
      raw(admin, ""),
    ]);
    expect(answers[0]).toMatch(/^HTTP\/1.1 408 /);
    expect(answers[1]).toMatch(/^(HTTP\/1.1 408 |$)/);
    expect(called.deliveries).toEqual([]);
    expect((await ask(admin, "GET", "/livez")).status).toBe(200);
  });

  const connected = async (admin: AdminServer): Promise<Socket> => {
    const socket = connect(admin.port, "127.0.0.1");
    socket.on("error", () => {});
    sockets.push(socket);
    await once(socket, "connect");
    return socket;
  };

  it("lets the longest idle connection go for a new one, so that probes are answered however many there are", async () => {
    const { admin } = await started({ limits: { ...limits, maxConnections: 2 } });
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const oldest = await connected(admin);
    // This one has answered a request since, so it is the younger of the two.
    await ask(admin, "GET", "/livez", { agent });
    const gone = hungUp(oldest);
    const thirdGone = hungUp(await connected(admin));
    await gone;
    expect((await ask(admin, "GET", "/livez", { agent })).status).toBe(200);
    for (let n = 0; n < 5; n++) expect((await ask(admin, "GET", "/livez")).status).toBe(200);
    await thirdGone;
    agent.destroy();
  });

  it("takes no more connections than it may, and lets none go that is being answered", async () => {
    const ends: ((end: DeliveryEnd) => void)[] = [];
    const { promise: both, resolve: bothDelivered } = Promise.withResolvers<void>();
    const { admin } = await started({
      limits: { ...limits, maxConnections: 2 },
      deliver: () =>
        new Promise((resolve) => {
          if (ends.push(resolve) === 2) bothDelivered();
        }),
    });
    const answers = [deliver(admin, "{}"), deliver(admin, "{}")];
    await both;
    await hungUp(connect(admin.port, "127.0.0.1"));
    for (const end of ends) end("accepted");
    expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([200, 200]);
    expect((await ask(admin, "GET", "/livez")).status).toBe(200);
  });

  it.each([
    [
      "sends its body slowly",
      "POST /jobs/a/outcome HTTP/1.1\r\nhost: x\r\nauthorization: Bearer t\r\ncontent-type: application/json\r\ncontent-length: 90\r\nexpect: 100-continue\r\n\r\n{",
    ],
    ["does not read its answer", "GET /large HTTP/1.1\r\nhost: x\r\n\r\n"],
  ])("lets a client go that %s, before a probe has to wait for it", async (_, request) => {
    const text = "x".repeat(16_000_000);
    const { admin } = await started({
      limits: { ...limits, maxConnections: 3 },
      pages: { "/large": { isGuarded: false, page: () => ({ contentType: "text/plain", text }) } },
    });
    for (let n = 0; n < 3; n++) {
      const slow = await connected(admin);
      slow.write(request);
      // Its answer has begun, or its body was asked for.
      await once(slow, "readable");
    }
    for (let n = 0; n < 9; n++) expect((await ask(admin, "GET", "/livez")).status).toBe(200);
  });

  it("keeps connections between two requests and before the first one, past every limit of a request", async () => {
    const short = {
      ...limits,
      headersTimeoutMs: 50,
      requestTimeoutMs: 60,
      idleTimeoutMs: 80,
      keepAliveTimeoutMs: 60_000,
    };
    const { admin } = await started({ limits: short });
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    await ask(admin, "GET", "/livez", { agent });
    const kept = agent.freeSockets[Object.keys(agent.freeSockets)[0] ?? ""]?.[0];
    const ahead = await connected(admin);
    // Each of these is cut off by the limits that the two idle ones must outlive, one after the other.
    for (let n = 0; n < 4; n++) expect(await raw(admin, "GET /livez HTTP/1.1\r\nhost:")).toMatch(/^HTTP\/1.1 408 /);
    expect([kept?.destroyed, ahead.destroyed]).toEqual([false, false]);
    expect((await ask(admin, "GET", "/livez", { agent })).status).toBe(200);
    ahead.write("GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    const [first] = (await once(ahead, "data")) as [Buffer];
    expect(first.toString()).toMatch(/^HTTP\/1.1 200 /);
    agent.destroy();
  });

  it("lets idle connections go at last", async () => {
    const { admin } = await started({ limits: { ...limits, keepAliveTimeoutMs: 50 } });
    const unused = await connected(admin);
    const used = await connected(admin);
    used.write("GET /livez HTTP/1.1\r\nhost: x\r\n\r\n");
    used.resume();
    await Promise.all([hungUp(unused), hungUp(used)]);
  });

  it("keeps connections longer than load balancers do, by its ordinary limits", async () => {
    const { admin } = await started({ limits: ordinaryLimits });
    const answer = await ask(admin, "GET", "/livez", { agent: new Agent({ keepAlive: true }) });
    expect(answer.headers["keep-alive"]).toBe("timeout=75");
  });
});

describe("close", () => {
  it("ends at once when only idle connections are open, and may be called twice", async () => {
    const agent = new Agent({ keepAlive: true });
    const { admin } = await started();
    await ask(admin, "GET", "/livez", { agent });
    await Promise.all([admin.close(), admin.close()]);
    await expect(ask(admin, "GET", "/livez")).rejects.toMatchObject({ code: "ECONNREFUSED" });
    agent.destroy();
  });

  it("lets a request under way finish, on a connection that would be kept", async () => {
    const agent = new Agent({ keepAlive: true });
    let finish = (_: DeliveryEnd) => {};
    let isDelivered = () => {};
    const delivered = new Promise<void>((resolve) => {
      isDelivered = resolve;
    });
    const { admin } = await started({
      deliver: () => {
        isDelivered();
        return new Promise((resolve) => {
          finish = resolve;
        });
      },
    });
    const answer = ask(admin, "POST", "/jobs/j/outcome", { headers: bearer, body: "{}", agent });
    await delivered;
    const closed = admin.close();
    finish("accepted");
    expect((await answer).status).toBe(200);
    // The clock stands still: nothing but the answer ends this wait.
    await closed;
    agent.destroy();
  });

  it("cuts off what is not done within its limit", async () => {
    const clock = new FakeClock();
    let isDelivered = () => {};
    const delivered = new Promise<void>((resolve) => {
      isDelivered = resolve;
    });
    const { admin } = await started({
      clock,
      deliver: () => {
        isDelivered();
        return new Promise(() => {});
      },
    });
    const answer = ask(admin, "POST", "/jobs/j/outcome", { headers: bearer, body: "{}" });
    answer.catch(() => {});
    const half = connect(admin.port, "127.0.0.1");
    sockets.push(half);
    half.on("error", () => {});
    half.write("GET /livez HTTP/1.1\r\nhost:");
    await delivered;
    const closed = admin.close();
    await clock.advance(limits.closeTimeoutMs);
    await closed;
    await expect(answer).rejects.toMatchObject({ code: "ECONNRESET" });
    expect(clock.pending).toBe(0);
  });

  const headless = "host: 127.0.0.1\r\ncontent-type: application/json\r\n";
  it.each([
    ["nothing sent", ""],
    ["half a head", "GET /livez HTTP/1.1\r\nhost:"],
    ["half an order", `POST /jobs/j/fail HTTP/1.1\r\n${headless}content-length: 400\r\n\r\n{"message":`],
    [
      "half a callback",
      `POST /jobs/j/outcome HTTP/1.1\r\n${headless}authorization: Bearer t\r\ncontent-length: 400\r\n\r\n{`,
    ],
    [
      "a chunked body without an end",
      `POST /jobs/j/fail HTTP/1.1\r\n${headless}transfer-encoding: chunked\r\n\r\n5\r\n{"mes`,
    ],
    [
      "a body that was not asked for yet",
      `POST /jobs/j/fail HTTP/1.1\r\n${headless}expect: 100-continue\r\ncontent-length: 9\r\n\r\n`,
    ],
    ["an upgrade", "GET /livez HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n"],
    ["a stream", "GET /events HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n"],
    ["the end of its own side", "GET /events HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n", true],
  ])("is over at its limit whatever holds a socket open: %s", async (_what, text, isEnded = false) => {
    const streams = { "/events": { hasRoom: true, open: (response: ServerResponse) => void response.write("a") } };
    const clock = new FakeClock();
    const { admin } = await started({ clock, streams });
    const held = Array.from({ length: 5 }, () => connect({ port: admin.port, host: "127.0.0.1" }));
    sockets.push(...held);
    for (const socket of held) socket.on("error", () => {}).resume();
    for (const socket of held) {
      if (text !== "") socket.write(text);
      if (isEnded) socket.end();
    }
    // Its bytes came in order: when a later connection is answered, these have been read.
    expect((await ask(admin, "GET", "/livez")).status).toBe(200);
    const ordinary = admin.close();
    const atOnce = admin.close(50);
    await clock.advance(50);
    await Promise.all([ordinary, atOnce]);
    expect(clock.pending).toBe(0);
    for (const socket of held) if (!socket.closed) await once(socket, "close");
    await expect(ask(admin, "GET", "/livez")).rejects.toMatchObject({ code: "ECONNREFUSED" });
  });

  it("frees its port", async () => {
    const { admin } = await started({ clock: systemClock });
    await admin.close();
    const again = await started({ port: admin.port });
    expect(again.admin.port).toBe(admin.port);
  });
});
