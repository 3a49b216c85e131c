import { createHmac } from "node:crypto";
import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { setImmediate as nextTurn } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { Webhook } from "standardwebhooks";
import { afterEach, describe, expect, it, vi } from "vitest";
import { Callbacks } from "../../../../src/handlers/http/callbacks.js";
import type { HandlersOptions } from "../../../../src/handlers/registry.js";
import { JobFailure } from "../../../../src/job/failure.js";
import type { AccountName } from "../../../../src/job/job.js";
import { Secret } from "../../../../src/job/secret.js";
import { Deadline } from "../../../../src/std/deadline.js";
import { type Built, build, outcomeOf } from "../../../fixtures/handlers/build.js";
import { aCall, jobSecrets, type TestCall } from "../../../fixtures/handlers/call.js";
import { answersJson, type Behaviour, type Service, startService } from "../../../fixtures/handlers/service.js";
import { FakeClock } from "../../../support/fake-clock.js";
import { collectGarbage } from "../../../support/garbage.js";

const success = { kind: "succeeded", summary: "done" };
const succeeds = answersJson(200, success);
const key = Buffer.alloc(32, 7);
const secret = `whsec_${key.toString("base64")}`;

const services: Service[] = [];
const built: Built[] = [];
afterEach(async () => {
  await Promise.all(built.splice(0).map((each) => each.close()));
  await Promise.all(services.splice(0).map((each) => each.close()));
});

/** A handler of a service that behaves as told, attempt after attempt; the last behaviour stays. */
async function given(behaviours: readonly Behaviour[], options: Partial<HandlersOptions> & { secret?: string } = {}) {
  let attempt = 0;
  const service = await startService({
    jobs: (request, answer) => {
      const behaviour = behaviours[Math.min(attempt, behaviours.length - 1)];
      attempt += 1;
      return behaviour?.(request, answer);
    },
  });
  services.push(service);
  const { secret: webhookSecret, ...overrides } = options;
  const one = await build(
    {
      kind: "http",
      url: `${service.url}/jobs?key=in-the-query`,
      requestTimeoutMs: 30_000,
      ...(webhookSecret === undefined ? {} : { secret: new Secret(webhookSecret) }),
    },
    overrides,
  );
  built.push(one);
  return { ...one, service };
}

/** Wakes nobody in time, as on a machine that is overloaded. */
class LateClock extends FakeClock {
  static readonly lateMs = 60_000;

  override sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return super.sleep(ms + LateClock.lateMs, signal);
  }
}

/** Lets the clock pass each wait between attempts as soon as it begins. */
function passWaits(call: TestCall, clock: FakeClock): void {
  call.log.onLine((line) => {
    const { delayMs: waitMs } = line.fields;
    if (waitMs !== undefined) void clock.advance(Number(waitMs) + 1);
  });
}

const status =
  (code: number, headers: Record<string, string> = {}, body = ""): Behaviour =>
  (_request, answer) => {
    answer.writeHead(code, headers).end(body);
  };
const neverAnswers: Behaviour = () => {};
const resets: Behaviour = (_request, answer) => {
  answer.socket?.destroy();
};
const breaksOff: Behaviour = (_request, answer) => {
  answer.writeHead(200, { "content-length": "500" });
  answer.write('{"kind":"succeeded"', () => answer.socket?.destroy());
};
const neverEnds: Behaviour = (_request, answer) => writeForEver(answer.writeHead(200));
const promises = status(202);

function writeForEver(answer: ServerResponse): void {
  const write = () => {
    while (!answer.destroyed && answer.write("x".repeat(64 * 1024)));
  };
  answer.on("drain", write);
  write();
}

describe("the request", () => {
  it("is a POST of the job document with a callback, unsigned without a secret", async () => {
    const { handler, service, clock } = await given([succeeds]);
    const call = aCall();
    expect(await handler.run(call)).toEqual(success);
    const request = await service.request(1);
    expect(request.headers).toMatchObject({ "content-type": "application/json", "user-agent": "partnerd" });
    expect(Object.keys(request.headers).filter((name) => name.startsWith("webhook-"))).toEqual([]);
    expect(JSON.parse(request.body)).toMatchObject({
      version: 1,
      jobId: call.job.key.jobId,
      callback: {
        url: `http://127.0.0.1:9464/jobs/${call.job.key.jobId}/outcome`,
        token: expect.stringMatching(/^[\w-]{43}$/),
      },
    });
    for (const each of jobSecrets) expect(request.body).not.toContain(each);
    expect(clock.pending).toBe(0);
  });

  it("has no callback when there is no admin port", async () => {
    const { handler, service } = await given([succeeds], { callbacks: portless() });
    await handler.run(aCall());
    expect(JSON.parse((await service.request(1)).body)).not.toHaveProperty("callback");
  });

  it("is signed by the Standard Webhooks scheme, each attempt anew, all with the id of the job", async () => {
    const { handler, service, clock } = await given([status(503), succeeds], { secret });
    const call = aCall();
    passWaits(call, clock);
    await handler.run(call);
    const requests = [await service.request(1), await service.request(2)];
    for (const { headers, body } of requests) {
      const timestamp = String(headers["webhook-timestamp"]);
      expect(headers["webhook-id"]).toBe(call.job.key.jobId);
      expect(Math.abs(Number(timestamp) * 1_000 - clock.now())).toBeLessThan(60_000);
      const signature = createHmac("sha256", key).update(`${call.job.key.jobId}.${timestamp}.${body}`).digest("base64");
      expect(headers["webhook-signature"]).toBe(`v1,${signature}`);
    }
  });

  it("is signed with each secret of a rotation, so that a service may know either", async () => {
    const keys = [Buffer.alloc(32, 7), Buffer.alloc(24, 8), Buffer.alloc(64, 9)];
    const [first, ...others] = keys.map((each) => new Secret(`whsec_${each.toString("base64")}`));
    const service = await startService({ "": succeeds });
    services.push(service);
    const url = service.url;
    const one = await build({
      kind: "http",
      url,
      requestTimeoutMs: 30_000,
      ...(first ? { secret: first, secrets: [...others, first] } : {}),
    });
    built.push(one);
    await one.handler.run(aCall());
    const { headers, body } = await service.request(1);
    const signed = `${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${body}`;
    const expected = keys.map((each) => `v1,${createHmac("sha256", each).update(signed).digest("base64")}`);
    expect(String(headers["webhook-signature"]).split(" ")).toEqual(expected);
    for (const each of keys) {
      const webhook = new Webhook(`whsec_${each.toString("base64")}`);
      // The time of the test's clock is long past for the library.
      vi.useFakeTimers({ now: one.clock.now(), toFake: ["Date"] });
      expect(webhook.verify(body, headers as Record<string, string>)).toMatchObject({ version: 1 });
      vi.useRealTimers();
    }
    expect(one.masker.mask(`sent ${others[1]?.reveal()}`)).toBe("sent [secret]");
  });

  it.each([
    ["the first of", [`whsec_${Buffer.alloc(8).toString("base64")}`, secret]],
    ["another of", [secret, "hunter2"]],
  ])("is not sent when %s its secrets is none", async (_what, secrets) => {
    const settings = { kind: "http", url: "http://127.0.0.1:9/", requestTimeoutMs: 1_000 } as const;
    const error: unknown = await build({ ...settings, secrets: secrets.map((each) => new Secret(each)) }).catch(
      (thrown: unknown) => thrown,
    );
    expect(String(error)).toContain("`secret`");
    for (const each of secrets) expect(String(error)).not.toContain(each);
  });

  it("has another id for a job of another account, which may have the same id", async () => {
    const { handler, service } = await given([succeeds], { secret });
    const call = aCall();
    await handler.run({ ...call, job: { ...call.job, key: { ...call.job.key, account: "shop" as AccountName } } });
    const { headers, body } = await service.request(1);
    expect(headers["webhook-id"]).toBe(`shop/${call.job.key.jobId}`);
    expect(JSON.parse(body)).toMatchObject({ account: "shop", jobId: call.job.key.jobId });
  });

  it("carries an id that no header can hold in percent-encoding", async () => {
    const { handler, service } = await given([succeeds], { secret });
    await handler.run(aCall({ jobId: "a\r\nx-evil: 1\u{1f680}" }));
    const { headers } = await service.request(1);
    expect(headers["webhook-id"]).toBe("a%0D%0Ax-evil%3A%201%F0%9F%9A%80");
    expect(headers).not.toHaveProperty("x-evil");
  });

  it("reuses connections, and lets go of them at close", async () => {
    let connections = 0;
    const server = createServer((_request, answer) => answer.end(JSON.stringify(success)));
    server.on("connection", () => {
      connections += 1;
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    const one = await build({ kind: "http", url, requestTimeoutMs: 30_000 });
    // undici takes a connection again in the next turn of the loop: calls that follow at once go by two in turn.
    for (let n = 0; n < 9; n++) await one.handler.run(aCall());
    expect(connections).toBeLessThanOrEqual(2);
    const closed = once(server, "close");
    server.close();
    await one.close();
    await closed;
  });
});

describe("an answer that is none", () => {
  it.each<[string, Behaviour, RegExp]>([
    ["503", status(503), /answered 503/],
    ["429", status(429), /answered 429/],
    ["HTML with 200", status(200, { "content-type": "text/html" }, "<html>"), /not JSON/],
    ["a reset connection", resets, /not answer \(ECONNRESET\)/],
    ["a body that breaks off", breaksOff, /incomplete/],
  ])("is asked for again: %s", async (_what, behaviour, message) => {
    const { handler, service, clock } = await given([behaviour, succeeds]);
    const call = aCall();
    passWaits(call, clock);
    expect(await handler.run(call)).toEqual(success);
    expect(service.requests).toHaveLength(2);
    expect((await call.log.has(message)).level).toBe("warn");
    expect(clock.pending).toBe(0);
  });

  it.each<[string, Behaviour]>([
    ["a service that never answers", neverAnswers],
    [
      "a service that never gets beyond the headers",
      (_request, answer) => {
        answer.writeHead(200).flushHeaders();
      },
    ],
    [
      "a service that drips",
      (_request, answer) => {
        answer.writeHead(200).write('{"kind":');
      },
    ],
  ])("is waited for as long as one request may take: %s", async (_what, behaviour) => {
    const { handler, service, clock } = await given([behaviour, succeeds]);
    const call = aCall();
    passWaits(call, clock);
    const run = handler.run(call);
    const first = await service.request(1);
    await clock.advance(29_999);
    expect(call.log.lines).toEqual([]);
    await clock.advance(1);
    await first.closed;
    expect(await run).toEqual(success);
  });

  it("is not asked for sooner than Retry-After says", async () => {
    const { handler, service, clock } = await given([status(503, { "retry-after": "120" }), succeeds]);
    const call = aCall();
    const run = handler.run(call);
    expect((await call.log.logged("service-call-retried")).fields["delayMs"]).toBe(120_000);
    await clock.advance(119_999);
    expect(service.requests).toHaveLength(1);
    await clock.advance(1);
    expect(await run).toEqual(success);
  });

  it("fails the job as SystemUnavailable, with the last reason, just before the deadline", async () => {
    const { handler, clock } = await given([status(503)]);
    const call = aCall({ deadline: Deadline.in(clock, 3_600_000) });
    passWaits(call, clock);
    expect(await outcomeOf(handler.run(call), call)).toMatchObject({
      kind: "failed",
      type: "SystemUnavailable",
      message: expect.stringMatching(/\(\d+ attempts\); last, it answered 503$/),
    });
    expect(call.deadline.leftMs()).toBeGreaterThan(0);
    expect(clock.pending).toBe(0);
  });

  it("fails the job with the last reason although the wait for another attempt outlasts the deadline", async () => {
    const clock = new LateClock();
    const { handler, service } = await given([status(503)], { clock });
    const call = aCall({ deadline: Deadline.in(clock, 10_000) });
    const outcome = outcomeOf(handler.run(call), call);
    await call.log.logged("service-call-retried");
    await clock.advance(2 * LateClock.lateMs);
    expect(await outcome).toMatchObject({
      type: "SystemUnavailable",
      message: expect.stringMatching(/\(1 attempt\); last, it answered 503$/),
    });
    expect(service.requests).toHaveLength(1);
  });

  it("is asked again after the longest wait of its policy when Retry-After says an hour", async () => {
    const { handler, service, clock } = await given([status(503, { "retry-after": "3600" }), succeeds]);
    const call = aCall();
    const run = handler.run(call);
    expect((await call.log.logged("service-call-retried")).fields["delayMs"]).toBe(600_000);
    await clock.advance(600_000);
    expect(await run).toEqual(success);
    expect(service.requests).toHaveLength(2);
  });

  it("is not waited for when Retry-After lies beyond the deadline", async () => {
    const { handler, clock, service } = await given([status(503, { "retry-after": "50" })]);
    const call = aCall({ deadline: Deadline.in(clock, 45_000) });
    expect(await outcomeOf(handler.run(call), call)).toMatchObject({ type: "SystemUnavailable" });
    expect(service.requests).toHaveLength(1);
    expect(clock.pending).toBe(0);
  });

  it("keeps a request from lasting longer than the job", async () => {
    const { handler, clock, service } = await given([neverAnswers]);
    const call = aCall({ deadline: Deadline.in(clock, 10_000) });
    const outcome = outcomeOf(handler.run(call), call);
    await service.request(1);
    await clock.advance(9_999);
    expect(await outcome).toMatchObject({
      type: "SystemUnavailable",
      message: expect.stringContaining("(1 attempt); last, it did not answer (ETIMEDOUT)"),
    });
  });

  it("is what a closed port gives", async () => {
    const server = createTcpServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    server.close();
    await once(server, "close");
    const one = await build({ kind: "http", url: `http://127.0.0.1:${port}/`, requestTimeoutMs: 30_000 });
    built.push(one);
    const call = aCall({ deadline: Deadline.in(one.clock, 3_600_000) });
    passWaits(call, one.clock);
    expect(await outcomeOf(one.handler.run(call), call)).toMatchObject({
      type: "SystemUnavailable",
      message: expect.stringContaining("ECONNREFUSED"),
    });
  });

  it("is what something that speaks no HTTP gives", async () => {
    const server = createTcpServer((socket) => {
      socket.on("error", () => {});
      socket.on("data", () => socket.end("SSH-2.0-OpenSSH_9.2\r\n"));
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    const one = await build({ kind: "http", url, requestTimeoutMs: 30_000 });
    built.push(one);
    const call = aCall({ deadline: Deadline.in(one.clock, 3_600_000) });
    passWaits(call, one.clock);
    expect(await outcomeOf(one.handler.run(call), call)).toMatchObject({
      type: "SystemUnavailable",
      message: expect.stringMatching(/last, it answered something that is not HTTP \(HPE_\w+\)$/),
    });
    server.close();
  });
});

describe("an answer that will not change", () => {
  const gzipped: Behaviour = (_request, answer) => {
    answer.writeHead(200, { "content-type": "application/json", "content-encoding": "gzip" });
    answer.end(gzipSync(JSON.stringify(success)));
  };
  const long = answersJson(200, { ...success, summary: "x".repeat(1024 * 1024) });

  it.each<[string, Behaviour, RegExp]>([
    ["a compressed body", gzipped, /compressed body \(Content-Encoding: gzip\)/],
    ["a body over the limit", long, /more than 1048576 bytes/],
    ["a body without end", neverEnds, /more than 1048576 bytes/],
    [
      "a body that says that it will be over the limit, and hardly begins",
      (_request, answer) => {
        answer.writeHead(200, { "content-length": String(1024 * 1024 + 1) }).write("{");
      },
      /more than 1048576 bytes/,
    ],
    ["JSON that is none", status(200, { "content-type": "application/json", "content-length": "2" }, "ok"), /not JSON/],
  ])("fails the job at once and names the cause: %s", async (_what, behaviour, message) => {
    const { handler, service, clock } = await given([behaviour, succeeds]);
    const call = aCall();
    const outcome = await outcomeOf(handler.run(call), call);
    expect(outcome).toMatchObject({ type: "JobFailed", message: expect.stringMatching(message) });
    expect(service.requests).toHaveLength(1);
    expect(clock.pending).toBe(0);
  });

  it("is known by its repeats where one alone may pass: a page instead of an outcome", async () => {
    const { handler, service, clock } = await given([status(200, { "content-type": "text/html" }, "<html>")]);
    const call = aCall();
    passWaits(call, clock);
    expect(await outcomeOf(handler.run(call), call)).toMatchObject({
      type: "SystemUnavailable",
      message: expect.stringContaining("text/html that is not JSON in 10 attempts in a row"),
    });
    expect(service.requests).toHaveLength(10);
    expect(clock.pending).toBe(0);
  });
});

describe("what ended", () => {
  it("is freed, however many ended jobs are remembered", async () => {
    const { handler, callbacks } = await given([promises]);
    const bodies: WeakRef<object>[] = [];
    const calls: WeakRef<object>[] = [];
    for (let n = 0; n < 20; n++) {
      const call = aCall({ jobId: `job-${n}` });
      const run = handler.run(call);
      while (call.promised.length === 0) await nextTurn();
      const body = { kind: "succeeded", summary: "s".repeat(10_000) };
      const { token } = tokenOf(await services.at(-1)?.request(n + 1));
      expect(await callbacks.deliver({ jobId: `job-${n}`, bearer: token, body })).toBe("accepted");
      expect(await run).toBe(body);
      bodies.push(new WeakRef(body));
      calls.push(new WeakRef(call));
    }
    await collectGarbage();
    const alive = (refs: readonly WeakRef<object>[]) => refs.filter((ref) => ref.deref() !== undefined).length;
    // What the last turn of the loop holds may still lie on the stack.
    expect(alive(bodies)).toBeLessThanOrEqual(1);
    expect(alive(calls)).toBeLessThanOrEqual(1);
    expect(callbacks.waiting).toBe(0);
  });
});

function tokenOf(request: { readonly body: string } | undefined): { readonly token: string } {
  return (JSON.parse(request?.body ?? "{}") as { callback: { token: string } }).callback;
}

describe("an answer that decides", () => {
  it.each([
    [400, "ConfigurationError"],
    [404, "ConfigurationError"],
    [422, "ConfigurationError"],
    [401, "PermissionError"],
    [403, "PermissionError"],
    [204, "JobFailed"],
  ])("%i fails the job at once as %s", async (code, type) => {
    const { handler, service } = await given([status(code)]);
    const call = aCall();
    expect(await outcomeOf(handler.run(call), call)).toMatchObject({ kind: "failed", type });
    expect(service.requests).toHaveLength(1);
  });

  it("is not sought where a redirect points", async () => {
    const { handler, service } = await given([status(307, { location: "/jobs" }), succeeds]);
    const call = aCall();
    expect(await outcomeOf(handler.run(call), call)).toMatchObject({
      type: "ConfigurationError",
      message: expect.stringContaining("redirects are not followed"),
    });
    expect(service.requests).toHaveLength(1);
  });

  it("never shows the service's address, its query, or a secret that the service repeats", async () => {
    const { handler, service, masker } = await given([
      (request, answer) => {
        const { callback } = JSON.parse(request.body) as { callback: { token: string } };
        return status(400, {}, `bad token ${callback.token} and hunter2hunter2`)(request, answer);
      },
    ]);
    masker.keep(["hunter2hunter2"]);
    const call = aCall();
    expect(await outcomeOf(handler.run(call), call)).toMatchObject({
      message: "the handler's service answered 400: bad token [secret] and [secret]",
    });
    expect(handler.description).toBe(`${service.url}/jobs`);
  });
});

describe("an abort", () => {
  it("breaks off the request, and the service notices", async () => {
    const { handler, service, clock } = await given([neverAnswers]);
    const call = aCall();
    const run = handler.run(call);
    const request = await service.request(1);
    const ended = expect(run).rejects.toThrow("enough");
    call.abort(new Error("enough"));
    await ended;
    await request.closed;
    expect(clock.pending).toBe(0);
  });

  it("ends the wait between two attempts", async () => {
    const { handler, service, clock } = await given([status(503)]);
    const call = aCall();
    const run = handler.run(call);
    await call.log.logged("service-call-retried");
    const ended = expect(run).rejects.toThrow("enough");
    call.abort(new Error("enough"));
    await ended;
    expect(service.requests).toHaveLength(1);
    expect(clock.pending).toBe(0);
  });

  it("ends the wait for a callback; the outcome then comes too late", async () => {
    const { handler, service, clock, callbacks } = await given([promises]);
    const call = aCall();
    const run = handler.run(call);
    const { jobId, token } = await callbackOf(service);
    await promised(call);
    const ended = expect(run).rejects.toThrow("enough");
    call.abort(new Error("enough"));
    await ended;
    expect(await callbacks.deliver({ jobId, bearer: token, body: success })).toBe("unknown-job");
    expect(callbacks.waiting).toBe(0);
    expect(clock.pending).toBe(0);
  });

  it("comes too late after a delivery in the same breath", async () => {
    const { handler, service, callbacks } = await given([promises]);
    const call = aCall();
    const run = handler.run(call);
    const { jobId, token } = await callbackOf(service);
    await promised(call);
    const delivery = callbacks.deliver({ jobId, bearer: token, body: success });
    call.abort(new Error("enough"));
    expect(await delivery).toBe("accepted");
    expect(await run).toEqual(success);
  });
});

describe("202", () => {
  it("is recorded, and the outcome comes by callback", async () => {
    const { handler, service, clock, callbacks } = await given([promises]);
    const call = aCall();
    const run = handler.run(call);
    const { jobId, token } = await callbackOf(service);
    await promised(call);
    expect(call.promised).toEqual([{ tokenHash: expect.stringMatching(/^[0-9a-f]{64}$/) }]);
    expect(await callbacks.deliver({ jobId, bearer: token, body: success })).toBe("accepted");
    expect(await run).toEqual(success);
    expect(await callbacks.deliver({ jobId, bearer: token, body: success })).toBe("already-delivered");
    expect(clock.pending).toBe(0);
  });

  it("may come after its own callback: the request is not broken off", async () => {
    let answer: ServerResponse | undefined;
    const { handler, service, callbacks } = await given([
      (_request, response) => {
        answer = response;
      },
    ]);
    const run = handler.run(aCall());
    const { jobId, token } = await callbackOf(service);
    expect(await callbacks.deliver({ jobId, bearer: token, body: success })).toBe("accepted");
    expect(await run).toEqual(success);
    expect(answer?.destroyed).toBe(false);
    const finished = once(answer as ServerResponse, "finish");
    answer?.writeHead(202).end();
    await finished;
  });

  it("is not waited for much longer than its callback: the request would hold the job that ended", async () => {
    const { handler, service, callbacks, clock } = await given([neverAnswers]);
    const held = await (async () => {
      const call = aCall();
      const run = handler.run(call);
      const { jobId, token } = await callbackOf(service);
      await callbacks.deliver({ jobId, bearer: token, body: success });
      expect(await run).toEqual(success);
      return new WeakRef(call);
    })();
    const [request] = service.requests;
    expect(clock.pending).toBeGreaterThan(0);
    await clock.advance(5_000);
    await request?.closed;
    expect(clock.pending).toBe(0);
    await collectGarbage();
    expect(held.deref()).toBeUndefined();
  });

  it("may get lost: the outcome that is delivered counts all the same, and nothing is asked again", async () => {
    const { handler, service, callbacks, clock } = await given([resets, neverAnswers]);
    const call = aCall();
    const run = handler.run(call);
    const { jobId, token } = await callbackOf(service);
    await call.log.logged("service-call-retried");
    expect(await callbacks.deliver({ jobId, bearer: token, body: success })).toBe("accepted");
    expect(await run).toEqual(success);
    await clock.advance(3_600_000);
    expect(service.requests).toHaveLength(1);
  });

  it("names the same callback in every attempt", async () => {
    const { handler, service, clock, callbacks } = await given([status(503), promises]);
    const call = aCall();
    passWaits(call, clock);
    const run = handler.run(call);
    const [first, second] = [await callbackOf(service, 1), await callbackOf(service, 2)];
    expect(second).toEqual(first);
    await callbacks.deliver({ jobId: first.jobId, bearer: first.token, body: success });
    expect(await run).toEqual(success);
  });

  it("without a delivery fails the job at the deadline", async () => {
    const { handler, service, clock, callbacks } = await given([promises]);
    const call = aCall({ deadline: Deadline.in(clock, 3_600_000) });
    const run = outcomeOf(handler.run(call), call);
    const { jobId, token } = await callbackOf(service);
    await promised(call);
    await clock.advance(3_600_000);
    expect(await run).toMatchObject({ kind: "failed", message: expect.stringContaining("delivered no outcome") });
    expect(await callbacks.deliver({ jobId, bearer: token, body: success })).toBe("unknown-job");
    expect(clock.pending).toBe(0);
  });

  it("that cannot be recorded is waited for all the same, and the log says so", async () => {
    const { handler, service, callbacks } = await given([promises]);
    const call = aCall({ awaitCallback: () => Promise.reject(new Error("disk full")) });
    const run = handler.run(call);
    const { jobId, token } = await callbackOf(service);
    expect((await call.log.logged("callback-not-recorded")).level).toBe("warn");
    await callbacks.deliver({ jobId, bearer: token, body: success });
    expect(await run).toEqual(success);
  });

  it("is the service's fault when there is no admin port", async () => {
    const { handler } = await given([promises], { callbacks: portless() });
    const call = aCall();
    expect(await outcomeOf(handler.run(call), call)).toMatchObject({
      kind: "failed",
      type: "JobFailed",
      message: expect.stringContaining("no admin port"),
    });
  });

  it("does not wait for its body, and ends one without end", async () => {
    const { handler, service, callbacks, clock } = await given([
      (_request, answer) => writeForEver(answer.writeHead(202)),
    ]);
    const call = aCall();
    const run = handler.run(call);
    const { jobId, token } = await callbackOf(service);
    await promised(call);
    await (await service.request(1)).closed;
    await callbacks.deliver({ jobId, bearer: token, body: success });
    expect(await run).toEqual(success);
    expect(clock.pending).toBe(0);
  });

  it("tells the service that its delivery is accepted only when the outcome is recorded", async () => {
    const { handler, service, callbacks } = await given([promises]);
    let record = () => {};
    const outcomeRecorded = new Promise<void>((resolve) => {
      record = resolve;
    });
    const call = aCall({ outcomeRecorded });
    const run = handler.run(call);
    const { jobId, token } = await callbackOf(service);
    const order: string[] = [];
    const delivery = callbacks.deliver({ jobId, bearer: token, body: success }).then(() => order.push("accepted"));
    await run;
    order.push("recorded");
    record();
    await delivery;
    expect(order).toEqual(["recorded", "accepted"]);
  });
});

describe("resume", () => {
  it("goes on waiting where an earlier process stopped, without asking the service again", async () => {
    const before = await given([promises]);
    const call = aCall();
    const lost = before.handler.run(call);
    lost.catch(() => {});
    const { jobId, token } = await callbackOf(before.service);
    await promised(call);
    const [callback] = call.promised;
    const after = await given([neverAnswers]);
    const again = after.handler.resume?.(aCall(), callback as { tokenHash: string });
    expect(await after.callbacks.deliver({ jobId, bearer: token, body: success })).toBe("accepted");
    expect(await again).toEqual(success);
    expect(after.service.requests).toEqual([]);
    expect(after.clock.pending).toBe(0);
  });

  it("fails the job at once when the deadline passed while nobody was there", async () => {
    const { handler, clock } = await given([neverAnswers]);
    const run = handler.resume?.(aCall({ deadline: Deadline.in(clock, -1) }), { tokenHash: "00".repeat(32) });
    const ended = expect(run).rejects.toBeInstanceOf(JobFailure);
    await clock.advance(0);
    await ended;
  });
});

/** The callback that the n-th request named. */
async function callbackOf(service: Service, n = 1): Promise<{ jobId: string; token: string }> {
  const document = JSON.parse((await service.request(n)).body) as { jobId: string; callback: { token: string } };
  return { jobId: document.jobId, token: document.callback.token };
}

/** Resolves once the 202 was told to the engine. */
async function promised(call: TestCall): Promise<void> {
  while (call.promised.length === 0) await new Promise<void>((resolve) => setImmediate(resolve));
}

function portless(): Callbacks {
  const clock = { now: () => 0, monotonic: () => 0, sleep: () => Promise.resolve(), after: () => () => {} };
  return new Callbacks({ baseUrl: () => undefined, endedKept: 1, recordWaitMs: 1, clock });
}
