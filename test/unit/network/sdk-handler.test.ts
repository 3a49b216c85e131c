// The SDK's requests as they go over the wire, and answers as streams that wait for their reader.
import { once } from "node:events";
import type { Readable } from "node:stream";
import { buffer, text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it, onTestFinished } from "vitest";
import { SdkHandler, type SdkRequest } from "../../../src/network/sdk-handler.js";
import { Proxies } from "../../../src/std/proxies.js";
import { ok, type RawServer, type Script, startRawServer } from "../../support/raw-server.js";

/** AWS's mark on its answers. */
const aws = "x-amz-request-id: 1\r\n";

function handlerOf(limits: { readonly socketTimeoutMs?: number } = {}): SdkHandler {
  const handler = new SdkHandler({
    proxies: Proxies.from({}),
    connectionTimeoutMs: 5_000,
    requestTimeoutMs: 5_000,
    idleMs: 60_000,
    ...limits,
  });
  onTestFinished(() => handler.destroy());
  return handler;
}

const to = ({ port }: RawServer, more: Partial<SdkRequest> = {}): SdkRequest => ({
  protocol: "http:",
  hostname: "127.0.0.1",
  port,
  path: "/bucket/a%20b",
  method: "GET",
  headers: { host: `127.0.0.1:${port}` },
  ...more,
});

describe("a request", () => {
  it.each<[string, Partial<SdkRequest>, RegExp]>([
    [
      "its path and query, as they were signed",
      { query: { "x-id": "Get Object", list: ["a", "b"], uploads: "" } },
      /^GET \/bucket\/a%20b\?list=a&list=b&uploads=&x-id=Get%20Object HTTP/,
    ],
    ["no query", {}, /^GET \/bucket\/a%20b HTTP/],
    ["its host, once", { headers: { host: "b.s3.test" } }, /^host: b\.s3\.test$/im],
    ["a length for a body", { method: "PUT", body: Buffer.from("abc") }, /^content-length: 3$/im],
    [
      "the length that the SDK says",
      { method: "PUT", body: "abc", headers: { "Content-Length": "3" } },
      /^content-length: 3$/im,
    ],
    ["a length for no body", { method: "POST", body: "" }, /^content-length: 0$/im],
  ])("has %s", async (_what, more, head) => {
    const server = await startRawServer(
      (socket) => void socket.write(ok("x", `${aws}etag: e\r\nvary: a\r\nvary: b\r\n`)),
    );
    const { response } = await handlerOf().handle(to(server, more));
    expect(server.heads[0]).toMatch(head);
    expect(server.heads[0]?.match(/^(host|content-length):/gim)?.length).toBeLessThanOrEqual(2);
    expect(response).toMatchObject({ statusCode: 200, headers: { etag: "e", vary: "a, b" } });
    expect(await text(response.body)).toBe("x");
  });

  it("to an IPv6 address finds it", async () => {
    const handler = handlerOf();
    const request = { ...to({ port: 1 } as RawServer), hostname: "[::1]" };
    await expect(handler.handle(request)).rejects.toMatchObject({
      code: expect.stringMatching(/ECONNREFUSED|EADDRNOTAVAIL/),
    });
  });
});

describe("who answered", () => {
  it.each([
    ["AWS's JSON services", "x-amzn-requestid: 1\r\n"],
    ["S3", "X-Amz-Request-Id: 1\r\n"],
  ])("is %s, by the request's id", async (_who, id) => {
    const server = await startRawServer((socket) => void socket.write(ok("", id)));
    expect((await handlerOf().handle(to(server))).response.statusCode).toBe(200);
  });

  it.each(["200 OK", "204 No Content", "206 Partial Content", "302 Found", "400 Bad", "404 Not Found", "503 Busy"])(
    "is somebody else when %s has none, or an empty one",
    async (status) => {
      for (const id of ["", "x-amz-request-id:\r\n"]) {
        const script: Script = (socket) => void socket.write(`HTTP/1.1 ${status}\r\n${id}content-length: 0\r\n\r\n`);
        const server = await startRawServer(script);
        const code = `HTTP ${status.slice(0, 3)}`;
        await expect(handlerOf().handle(to(server))).rejects.toMatchObject({ name: "StrangersAnswer", code });
      }
    },
  );
});

describe("the body of an answer", () => {
  const size = 64 * 2 ** 20;
  /** Writes as fast as it may; `sent` counts. */
  function flood(sent: { bytes: number }): Script {
    return (socket) => {
      socket.write(`HTTP/1.1 200 OK\r\n${aws}content-length: ${size}\r\n\r\n`);
      const piece = Buffer.alloc(65_536, 7);
      const write = () => {
        while (sent.bytes < size && !socket.destroyed) {
          sent.bytes += piece.length;
          if (!socket.write(piece)) return;
        }
      };
      socket.on("drain", write);
      write();
    };
  }

  it("comes as it is read, and no faster, however long that takes", async () => {
    const sent = { bytes: 0 };
    const server = await startRawServer(flood(sent));
    const { response } = await handlerOf({ socketTimeoutMs: 400 }).handle(to(server));
    // Longer than a silence may be: that nobody reads is none.
    let before = -1;
    while (before !== sent.bytes) {
      before = sent.bytes;
      await sleep(500);
    }
    // What the kernel holds of a connection on loopback, and one piece here.
    expect(sent.bytes).toBeLessThan(size / 2);
    expect(response.body.readableLength).toBeLessThan(1_000_000);
    let read = 0;
    for await (const chunk of response.body) read += (chunk as Buffer).length;
    expect(read).toBe(size);
  });

  // The first is what the stream holds before it asks for a pause, so that the pause comes with the last byte.
  it.each(
    [65_536, 300_000].flatMap((bytes) => [
      [bytes, "a length", `content-length: ${bytes}\r\n`] as const,
      [bytes, "its connection's end", ""] as const,
    ]),
  )(
    "of %i bytes, framed by %s, waits for its reader though the connection ended before",
    async (bytes, _what, length) => {
      const head = `HTTP/1.1 200 OK\r\n${aws}connection: close\r\n${length}\r\n`;
      const server = await startRawServer((socket, _head, times) => {
        if (times > 1) socket.write(ok("after", aws));
        else socket.end(Buffer.concat([Buffer.from(head), Buffer.alloc(bytes, "x")]));
      });
      const handler = handlerOf();
      const { response } = await handler.handle(to(server));
      // By the time that a whole exchange is over, the end of the first connection has arrived as far as it can.
      expect(await text((await handler.handle(to(server))).response.body)).toBe("after");
      expect(await text(response.body)).toBe("x".repeat(bytes));
    },
  );

  it("closes its connection when the reader goes", async () => {
    const server = await startRawServer(flood({ bytes: 0 }));
    const { response } = await handlerOf().handle(to(server));
    for await (const _ of response.body) break;
    await server.quiet();
  });

  it.each<[string, (body: Readable, stop: AbortController) => void]>([
    ["the signal", (_body, stop) => stop.abort(new Error("stop"))],
    ["an error of the reader", (body) => void body.destroy(new Error("stop"))],
  ])("ends by %s", async (_what, end) => {
    const server = await startRawServer(
      (socket) => void socket.write(`HTTP/1.1 200 OK\r\n${aws}content-length: 9\r\n\r\nx`),
    );
    const stop = new AbortController();
    const { response } = await handlerOf().handle(to(server), { abortSignal: stop.signal });
    const failed = once(response.body, "error");
    end(response.body, stop);
    expect(String(await failed)).toMatch(/stop|abort/);
    await server.quiet();
  });

  it("that is cut, or falls silent, fails its reader and nobody else", async () => {
    const scripts: readonly Script[] = [
      (socket) => void socket.end(`HTTP/1.1 200 OK\r\n${aws}content-length: 9\r\n\r\nhalf`),
      (socket) => void socket.write(`HTTP/1.1 200 OK\r\n${aws}content-length: 9\r\n\r\nhalf`),
    ];
    for (const script of scripts) {
      const server = await startRawServer(script);
      const handler = handlerOf({ socketTimeoutMs: 60 });
      const { response } = await handler.handle(to(server));
      await expect(buffer(response.body)).rejects.toMatchObject({
        code: expect.stringMatching(/ECONNRESET|ETIMEDOUT/),
      });
      // Nobody reads this one: its error is no uncaught one.
      await handler.handle(to(server));
      await server.quiet();
    }
  });
});

describe("a signal", () => {
  it("that is aborted sends nothing", async () => {
    const server = await startRawServer((socket) => void socket.write(ok("x", aws)));
    const abortSignal = AbortSignal.abort(new Error("stop"));
    await expect(handlerOf().handle(to(server), { abortSignal })).rejects.toMatchObject({ name: "AbortError" });
    expect(server.made).toBe(0);
  });

  it("ends the wait for an answer, and has no listener of ours in the end", async () => {
    const closed = Promise.withResolvers<void>();
    const server = await startRawServer((socket, head) => {
      if (head.startsWith("GET /quick")) socket.write(ok("x", aws));
      else socket.once("close", () => closed.resolve());
    });
    const handler = handlerOf();
    const stop = new AbortController();
    const added: string[] = [];
    const { signal: abortSignal } = stop;
    const [add, remove] = [abortSignal.addEventListener, abortSignal.removeEventListener];
    abortSignal.addEventListener = (...call: Parameters<typeof add>) => {
      added.push("+");
      add.apply(abortSignal, call);
    };
    abortSignal.removeEventListener = (...call: Parameters<typeof remove>) => {
      added.push("-");
      remove.apply(abortSignal, call);
    };
    const { response } = await handler.handle(to(server, { path: "/quick" }), { abortSignal });
    await text(response.body);
    expect(added).toEqual(["+", "-"]);
    const waiting = handler.handle(to(server), { abortSignal });
    await expect.poll(() => server.heads.length).toBe(2);
    stop.abort(new Error("stop"));
    await expect(waiting).rejects.toMatchObject({ name: "AbortError" });
    await closed.promise;
  });
});
