// Promise: an answer whose reader pauses arrives whole or fails, however its connection ends meanwhile, by every way that
// we connect; and nothing is thrown where nobody can catch it, which would end the daemon. Over real sockets.
import { createHash } from "node:crypto";
import type { Socket } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { HttpClient } from "../../../src/network/http-client.js";
import { Proxies } from "../../../src/std/proxies.js";
import { startProxy } from "../../support/proxy.js";
import { ok, type Script, startRawServer } from "../../support/raw-server.js";
import { believeEveryCertificate, startTlsFront } from "../../support/tls-front.js";

interface Way {
  readonly client: HttpClient;
  readonly url: string;
}

/** One for each kind of connection, and of undici's dispatchers, that there is. */
const ways: Readonly<Record<string, (script: Script) => Promise<Way>>> = {
  "in clear": async (script) => {
    const { port } = await startRawServer(script);
    return { client: clientOf(), url: `http://127.0.0.1:${port}` };
  },
  "by TLS": async (script) => {
    const { port } = await startRawServer(script, { isTls: true });
    return { client: clientOf(), url: `https://127.0.0.1:${port}` };
  },
  // The server plays the proxy: what it answers arrives byte for byte.
  "by a proxy that is given the request as a whole": async (script) => {
    const { port } = await startRawServer(script);
    return { client: clientOf({ HTTP_PROXY: `http://127.0.0.1:${port}` }), url: "http://scan.test" };
  },
  "through a proxy's tunnel": async (script) => {
    const service = await startRawServer(script, { isTls: true });
    const proxy = await startProxy(() => service.port);
    return { client: clientOf({ HTTPS_PROXY: proxy.url }), url: "https://scan.test" };
  },
  "through the tunnel of a proxy behind TLS": async (script) => {
    const service = await startRawServer(script, { isTls: true });
    const proxy = await startProxy(() => service.port);
    const front = await startTlsFront(Number(new URL(proxy.url).port));
    return { client: clientOf({ HTTPS_PROXY: `https://localhost:${front}` }), url: "https://scan.test" };
  },
};

/** How an answer says where it ends; all of them go with their connection. */
const framings: Readonly<
  Record<string, { readonly head: string; readonly isChunked?: boolean; readonly hasNoLength?: boolean }>
> = {
  "a length": { head: "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: SIZE\r\n" },
  "a length, as of old": { head: "HTTP/1.0 200 OK\r\ncontent-length: SIZE\r\n" },
  chunks: { head: "HTTP/1.1 200 OK\r\nconnection: close\r\ntransfer-encoding: chunked\r\n", isChunked: true },
  "its connection's end": { head: "HTTP/1.1 200 OK\r\nconnection: close\r\n", hasNoLength: true },
  "its connection's end, as of old": { head: "HTTP/1.0 200 OK\r\n", hasNoLength: true },
};

const everyWay = Object.keys(ways);
const everyFraming = Object.keys(framings);
const table = everyWay.flatMap((way) => everyFraming.map((framing) => [way, framing] as const));

function framed(framing: string, body: Buffer, { isCut = false } = {}): Buffer {
  const { head = "", isChunked = false } = framings[framing] ?? {};
  const size = body.length + (isCut ? 1 : 0);
  const start = Buffer.from(`${head.replace("SIZE", String(size))}\r\n`);
  if (!isChunked) return Buffer.concat([start, body]);
  const last = isCut ? "\r\n" : "\r\n0\r\n\r\n";
  return Buffer.concat([start, Buffer.from(`${body.length.toString(16)}\r\n`), body, Buffer.from(last)]);
}

function clientOf(environment: Record<string, string> = {}): HttpClient {
  believeEveryCertificate();
  const client = new HttpClient({ proxies: Proxies.from(environment), connectionTimeoutMs: 5_000, idleMs: 60_000 });
  onTestFinished(() => client.close());
  return client;
}

/** What nobody caught, until the test ends; the test runner fails by it, too, but of no test. */
function uncaught(): readonly unknown[] {
  const errors: unknown[] = [];
  const add = (error: unknown) => void errors.push(error);
  process.on("uncaughtExceptionMonitor", add);
  onTestFinished(() => void process.off("uncaughtExceptionMonitor", add));
  return errors;
}

/** Reads an answer, and says after each piece whether it wants more at once. */
function read({ client, url }: Way, path: string, wantsMore: (goOn: () => void) => boolean) {
  const first = Promise.withResolvers<void>();
  const end = Promise.withResolvers<{ readonly body: Buffer; readonly code: string | undefined }>();
  const pieces: Buffer[] = [];
  const told = (code?: string) => end.resolve({ body: Buffer.concat(pieces), code });
  const exchange = client.send(
    { url: new URL(path, url), method: "GET", headers: {} },
    {
      answered: () => {},
      bytes: (piece) => {
        pieces.push(Buffer.from(piece));
        first.resolve();
        return wantsMore(goOn);
      },
      ended: () => told(),
      failed: (error) => {
        first.resolve();
        told((error as { code?: string }).code ?? String(error));
      },
    },
  );
  const goOn = () => exchange.resume();
  return { first: first.promise, end: end.promise, goOn, abort: (reason: Error) => exchange.abort(reason) };
}

/** A reader that pauses at the first piece, and the server's side of that connection. */
async function pausedAt(way: string, answer: Buffer) {
  const connection = Promise.withResolvers<Socket>();
  const given = await ways[way]?.((socket, head) => {
    if (head.includes("/after")) return void socket.write(ok("after"));
    socket.write(answer);
    connection.resolve(socket);
  });
  if (!given) throw new Error(`no way ${way}`);
  let isPaused = true;
  const reading = read(given, "/", () => !isPaused);
  await reading.first;
  const socket = await connection.promise;
  return {
    socket,
    reading,
    client: given.client,
    /** What was sent before by the other connection has arrived once a whole exchange after it is over. */
    arrived: async () => {
      expect((await read(given, "/after", () => true).end).body.toString()).toBe("after");
    },
    goOn: () => {
      isPaused = false;
      reading.goOn();
    },
  };
}

const whole = Buffer.from("all of it");

describe("whoever would rather speak HTTP/2", () => {
  it.each(everyWay)("%s is spoken to by HTTP/1.1", async (way) => {
    const given = await ways[way]?.((socket) => void socket.end(framed("a length", whole)));
    if (!given) throw new Error(`no way ${way}`);
    expect(await read(given, "/", () => true).end).toEqual({ body: whole, code: undefined });
  });
});

describe("a connection that ends while the reader pauses", () => {
  it.each(table)("%s, framed by %s: the rest arrives", async (way, framing) => {
    const errors = uncaught();
    const { socket, reading, arrived, goOn } = await pausedAt(way, framed(framing, whole));
    socket.end();
    await arrived();
    goOn();
    expect(await reading.end).toEqual({ body: whole, code: undefined });
    expect(errors).toEqual([]);
  });

  it.each(table.filter(([, framing]) => !framings[framing]?.hasNoLength))(
    "%s, framed by %s and cut: is an error",
    async (way, framing) => {
      const errors = uncaught();
      const { socket, reading, arrived, goOn } = await pausedAt(way, framed(framing, whole, { isCut: true }));
      socket.end();
      await arrived();
      goOn();
      const { body, code } = await reading.end;
      expect(code).toMatch(/^(ECONNRESET|HPE_)/);
      expect(whole.subarray(0, body.length)).toEqual(body);
      expect(errors).toEqual([]);
    },
  );

  it.each(table)("%s, framed by %s: nothing is thrown at a reader that leaves", async (way, framing) => {
    const errors = uncaught();
    const { socket, reading, arrived, client } = await pausedAt(way, framed(framing, whole));
    socket.end();
    await arrived();
    reading.abort(new Error("not wanted"));
    client.close();
    await reading.end;
    expect(errors).toEqual([]);
  });
});

describe("a connection that is reset while the reader pauses", () => {
  it.each(everyFraming)("framed by %s and cut: is an error", async (framing) => {
    const errors = uncaught();
    const { socket, reading, arrived, goOn } = await pausedAt("in clear", framed(framing, whole, { isCut: true }));
    socket.resetAndDestroy();
    await arrived();
    goOn();
    expect((await reading.end).code).toMatch(/^(ECONNRESET|HPE_)/);
    expect(errors).toEqual([]);
  });
});

describe("a large answer to a reader that pauses after each piece", () => {
  const sizes = [65_536, 65_537, 1_000_003];
  it.each(table.flatMap(([way, framing]) => sizes.map((size) => [way, framing, size] as const)))(
    "%s, framed by %s: all of %i bytes arrive",
    async (way, framing, size) => {
      const errors = uncaught();
      const body = Buffer.alloc(size, "every byte");
      const given = await ways[way]?.((socket) => void socket.end(framed(framing, body)));
      if (!given) throw new Error(`no way ${way}`);
      const answer = await read(given, "/", (goOn) => {
        setImmediate(goOn);
        return false;
      }).end;
      expect(answer.code).toBeUndefined();
      expect(answer.body.length).toBe(size);
      expect(digest(answer.body)).toBe(digest(body));
      expect(errors).toEqual([]);
    },
  );
});

const digest = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");
