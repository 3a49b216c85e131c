// Promise: every call over HTTP ends, by its answer, its limits or its abort; it is sent once; and how far it came is
// known. Over real sockets, with servers that behave as badly as servers can.
import { getEventListeners } from "node:events";
import type { AddressInfo } from "node:net";
import { createServer, type Socket } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import {
  type AnswerHead,
  HttpClient,
  type HttpClientOptions,
  type HttpRequest,
} from "../../../src/network/http-client.js";
import { Proxies } from "../../../src/std/proxies.js";
import { ok, type Script, startRawServer } from "../../support/raw-server.js";
import { believeEveryCertificate } from "../../support/tls-front.js";

function clientOf(options: Partial<HttpClientOptions> = {}): HttpClient {
  const client = new HttpClient({ proxies: Proxies.from({}), connectionTimeoutMs: 5_000, idleMs: 60_000, ...options });
  onTestFinished(() => client.close());
  return client;
}

/** What became of one request. */
interface Told {
  readonly steps: readonly string[];
  readonly head?: AnswerHead;
  readonly body: string;
  readonly error?: { readonly code?: string; readonly message: string };
}

interface Sent {
  readonly end: Promise<Told>;
  readonly answered: Promise<void>;
  readonly begun: Promise<void>;
  abort(reason: unknown): void;
}

function send(client: HttpClient, url: string, more: Partial<HttpRequest> = {}): Sent {
  const begun = Promise.withResolvers<void>();
  const answered = Promise.withResolvers<void>();
  const end = Promise.withResolvers<Told>();
  const steps: string[] = [];
  let head: AnswerHead | undefined;
  let body = "";
  const told = (error?: unknown) =>
    end.resolve({ steps, body, ...(head ? { head } : {}), ...(error === undefined ? {} : { error: error as Error }) });
  const exchange = client.send(
    { url: new URL(url), method: "POST", headers: { "x-a": "1" }, body: "{}", ...more },
    {
      begun: () => {
        steps.push("begun");
        begun.resolve();
      },
      answered: (given) => {
        steps.push("answered");
        head = given;
        answered.resolve();
      },
      bytes: (chunk) => {
        body += chunk.toString("latin1");
        return true;
      },
      ended: () => {
        steps.push("ended");
        told();
      },
      failed: (error) => {
        steps.push("failed");
        told(error);
      },
    },
  );
  return {
    end: end.promise,
    answered: answered.promise,
    begun: begun.promise,
    abort: (reason) => exchange.abort(reason),
  };
}

/** A server that accepts connections and never says a word, not even of TLS. */
async function startMute() {
  const sockets = new Set<Socket>();
  const first = Promise.withResolvers<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    first.resolve(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { url: `https://127.0.0.1:${(server.address() as AddressInfo).port}/`, first: first.promise };
}

const at = ({ port }: { readonly port: number }, protocol = "http") => `${protocol}://127.0.0.1:${port}/a?b=%20c`;
const says =
  (text: string): Script =>
  (socket) =>
    void socket.write(text);

describe("a request", () => {
  it("is sent as it is, and answered in steps", async () => {
    const server = await startRawServer(says(ok("hello", "x-b: 2\r\nx-b: 3\r\n")));
    const { steps, head, body } = await send(clientOf(), at(server), { path: "/x%2Fy?q" }).end;
    expect(server.heads[0]).toMatch(/^POST \/x%2Fy\?q HTTP\/1.1\r\nhost: 127.0.0.1:\d+\r\n.*x-a: 1/is);
    expect(server.heads[0]).toMatch(/content-length: 2$/i);
    expect(head).toEqual({ status: 200, headers: { "content-length": "5", "x-b": ["2", "3"] } });
    expect({ steps, body }).toEqual({ steps: ["begun", "answered", "ended"], body: "hello" });
  });

  it("goes by connections that are used again, also by TLS", async () => {
    believeEveryCertificate();
    for (const isTls of [false, true]) {
      const server = await startRawServer(says(ok("x")), { isTls });
      const client = clientOf();
      for (let n = 0; n < 9; n++) await send(client, at(server, isTls ? "https" : "http")).end;
      expect(server.heads).toHaveLength(9);
      expect(server.made).toBeLessThanOrEqual(2);
    }
  });

  it("waits for one of few connections", async () => {
    const server = await startRawServer(says(ok("x")));
    const client = clientOf({ maxConnections: 2 });
    const all = await Promise.all(Array.from({ length: 20 }, () => send(client, at(server)).end));
    expect(all.map(({ body }) => body)).toEqual(Array.from({ length: 20 }, () => "x"));
    expect(server.made).toBe(2);
  });

  it("waits for a connection no longer than for making one", async () => {
    const server = await startRawServer(() => {});
    const client = clientOf({ maxConnections: 1, connectionTimeoutMs: 60 });
    const first = send(client, at(server));
    await first.begun;
    expect(await send(client, at(server)).end).toMatchObject({ steps: ["failed"], error: { code: "ETIMEDOUT" } });
    first.abort(new Error("over"));
    expect(server.heads).toHaveLength(1);
  });

  it("is never sent with a header that none can be sent with, and says so as Node does", async () => {
    const server = await startRawServer(says(ok("x")));
    for (const value of ["a\r\nb: c", "ключ", "a\0b"]) {
      const { steps, error } = await send(clientOf(), at(server), { headers: { authorization: value } }).end;
      expect(steps).toEqual(["failed"]);
      expect(error).toMatchObject({ code: "ERR_INVALID_CHAR" });
      expect(error?.message).not.toContain(value);
    }
    expect(server.made).toBe(0);
  });
});

describe("a limit", () => {
  it("of connecting holds for the handshake too, and nothing was sent", async () => {
    const { url } = await startMute();
    const { steps, error } = await send(clientOf({ connectionTimeoutMs: 50 }), url).end;
    expect(steps).toEqual(["failed"]);
    expect(error).toMatchObject({ name: "TimeoutError", code: "ETIMEDOUT" });
  });

  it.each<[string, Script]>([
    ["no answer", () => {}],
    ["half a head", says("HTTP/1.1 200 OK\r\nx: ")],
    ["a 102 and no more", says("HTTP/1.1 102 Processing\r\n\r\n")],
  ])("of the answer holds for %s, and closes the connection", async (_what, script) => {
    const server = await startRawServer(script);
    const { steps, error } = await send(clientOf(), at(server), { answerTimeoutMs: 50 }).end;
    expect(steps).toEqual(["begun", "failed"]);
    expect(error).toMatchObject({ name: "TimeoutError", code: "ETIMEDOUT" });
    await server.quiet();
  });

  it("of silence holds before an answer too, unless a long body may still be on its way", async () => {
    const server = await startRawServer(() => {});
    const limits = { silenceTimeoutMs: 40, answerTimeoutMs: 5_000 };
    expect((await send(clientOf(), at(server), limits).end).error).toMatchObject({ code: "ETIMEDOUT" });
    const body = Buffer.alloc(100_000);
    const long = await send(clientOf(), at(server), { ...limits, answerTimeoutMs: 150, body }).end;
    expect(long.error?.message).toContain("150 ms");
  });

  it("of silence holds within an answer, and not for one that drips", async () => {
    const silent = await startRawServer(says("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf"));
    const end = await send(clientOf(), at(silent), { silenceTimeoutMs: 50 }).end;
    expect(end).toMatchObject({ steps: ["begun", "answered", "failed"], body: "half", error: { code: "ETIMEDOUT" } });
    await silent.quiet();
    const drips = await startRawServer((socket) => {
      socket.write("HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\n");
      let left = 8;
      const timer = setInterval(() => {
        socket.write("x");
        left -= 1;
        if (left === 0) clearInterval(timer);
      }, 100);
    });
    expect((await send(clientOf(), at(drips), { silenceTimeoutMs: 600 }).end).body).toBe("xxxxxxxx");
  });
});

describe("an abort", () => {
  it("counts at once while there is no connection, and nothing is sent later", async () => {
    const { url, first } = await startMute();
    const client = clientOf();
    const sent = send(client, url);
    const socket = await first;
    const reason = new Error("stop");
    sent.abort(reason);
    expect(await sent.end).toMatchObject({ steps: ["failed"], error: reason });
    const closed = new Promise((resolve) => socket.once("close", resolve));
    client.close();
    await closed;
  });

  it.each<[string, Script, "begun" | "answered"]>([
    ["while nothing is answered", () => {}, "begun"],
    ["within an answer", says("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf"), "answered"],
  ])("closes the connection %s", async (_what, script, when) => {
    const server = await startRawServer(script);
    const sent = send(clientOf(), at(server));
    await sent[when];
    const reason = new Error("stop");
    sent.abort(reason);
    const { steps, error } = await sent.end;
    expect(steps.at(-1)).toBe("failed");
    expect(error).toBe(reason);
    await server.quiet();
    sent.abort(new Error("again"));
    expect(steps.filter((step) => step === "failed")).toHaveLength(1);
  });

  it("of a call that waits for a connection sends nothing when there is one", async () => {
    const server = await startRawServer((socket, head) => {
      if (!head.includes("/first")) socket.write(ok("x"));
    });
    const client = clientOf({ maxConnections: 1 });
    const first = send(client, at(server), { path: "/first" });
    await first.begun;
    const waiting = send(client, at(server), { path: "/waiting" });
    const last = send(client, at(server), { path: "/last" });
    waiting.abort(new Error("stop"));
    first.abort(new Error("stop"));
    expect((await last.end).body).toBe("x");
    expect(server.heads.map((head) => head.split(" ")[1])).toEqual(["/first", "/last"]);
  });

  it("leaves at most one connection to spare, however many there were", async () => {
    const server = await startRawServer(() => {});
    const client = clientOf();
    for (let n = 0; n < 20; n++) {
      const sent = send(client, at(server));
      await sent.begun;
      sent.abort(new Error("stop"));
    }
    await server.quiet();
    // undici connects anew for what was aborted, sees that there is nothing to send, and has the connection for the next.
    await expect.poll(() => server.open).toBeLessThanOrEqual(2);
    client.close();
    await expect.poll(() => server.open).toBe(0);
  });

  it("of one call leaves the others alone", async () => {
    const server = await startRawServer((socket, head) => {
      if (head.includes("/quick")) socket.write(ok("quick"));
    });
    const client = clientOf();
    const slow = send(client, at(server), { path: "/slow" });
    await slow.begun;
    const quick = send(client, at(server), { path: "/quick" });
    slow.abort(new Error("stop"));
    expect((await quick.end).body).toBe("quick");
  });
});

describe("a connection that was closed meanwhile", () => {
  it("is made anew when nothing was sent by it yet", async () => {
    const server = await startRawServer((socket, _head, times) => {
      if (times === 1) socket.end(ok("first"));
      else socket.write(ok("second"));
    });
    const client = clientOf();
    expect((await send(client, at(server)).end).body).toBe("first");
    await server.quiet();
    expect((await send(client, at(server)).end).body).toBe("second");
    expect(server.heads).toHaveLength(2);
  });

  it.each(["POST", "GET", "PUT"])("is no reason to send a %s again that may have arrived", async (method) => {
    const server = await startRawServer((socket, _head, times) => {
      if (times === 1) socket.write(ok("first"));
      else socket.destroy();
    });
    const client = clientOf({ maxConnections: 1 });
    const body = method === "GET" ? null : "{}";
    await send(client, at(server), { method, body }).end;
    const { steps, error } = await send(client, at(server), { method, body }).end;
    expect(steps).toEqual(["begun", "failed"]);
    expect(error).toMatchObject({ code: "ECONNRESET" });
    expect(server.heads).toHaveLength(2);
  });

  it("is not waited for when it idles too long", async () => {
    const server = await startRawServer(says(ok("x")));
    await send(clientOf({ idleMs: 30 }), at(server)).end;
    await server.quiet();
  });
});

describe("an answer", () => {
  const chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n";
  it.each<[string, string]>([
    ["before its length", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf"],
    [
      "before its length, on a connection for it alone",
      "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 9\r\n\r\nhalf",
    ],
    ["between two chunks", `${chunked}\r\n4\r\nhalf\r\n`],
    ["between two chunks, on a connection for it alone", `${chunked}connection: close\r\n\r\n4\r\nhalf\r\n`],
    ["within a chunk", `${chunked}connection: close\r\n\r\n9\r\nhalf`],
  ])("that is cut %s is none", async (_what, text) => {
    const server = await startRawServer((socket) => void socket.end(text));
    const { steps, error } = await send(clientOf(), at(server)).end;
    expect(steps).toEqual(["begun", "answered", "failed"]);
    expect(error).toMatchObject({ code: expect.stringMatching(/^(ECONNRESET|HPE_)/) });
  });

  it("that says no length ends with its connection", async () => {
    const server = await startRawServer((socket) => void socket.end("HTTP/1.0 200 OK\r\n\r\nall"));
    expect(await send(clientOf(), at(server)).end).toMatchObject({
      steps: ["begun", "answered", "ended"],
      body: "all",
    });
  });

  it("may have words of patience before it", async () => {
    const server = await startRawServer(says(`HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n${ok("x")}`));
    expect(await send(clientOf(), at(server)).end).toMatchObject({ steps: ["begun", "answered", "ended"], body: "x" });
  });

  it.each<[string, string]>([
    ["another protocol", "220 smtp.test ESMTP\r\n\r\n"],
    ["a head without end", `HTTP/1.1 200 OK\r\nx: ${"y".repeat(40_000)}`],
    ["two lengths", "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxx"],
    ["a length that is none", "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\nx"],
    ["a chunk without a size", `${chunked}\r\nzz\r\n`],
    ["another protocol from here on", "HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n"],
    ["a leave that nobody asked for", "HTTP/1.1 100 Continue\r\n\r\n"],
    ["nothing", ""],
  ])("of %s is none, and its connection is closed", async (_what, text) => {
    const server = await startRawServer((socket) => void (text === "" ? socket.end() : socket.write(text)));
    const { steps, error } = await send(clientOf(), at(server)).end;
    expect(steps.at(-1)).toBe("failed");
    expect(error?.code).toMatch(/^(HPE_|ECONNRESET)/);
    await server.quiet();
  });

  it("to more than can be sent is heard though the sending ends there", async () => {
    const refusal = "HTTP/1.1 403 Forbidden\r\nconnection: close\r\ncontent-length: 2\r\n\r\nno";
    const server = await startRawServer((socket) => {
      socket.pause();
      socket.end(refusal);
    });
    const { head, body } = await send(clientOf(), at(server), { method: "PUT", body: Buffer.alloc(16 * 2 ** 20) }).end;
    expect({ status: head?.status, body }).toEqual({ status: 403, body: "no" });
  });
});

describe("a fault before there is a connection", () => {
  const believed = async () => `https://127.0.0.1:${(await startRawServer(says(ok("x")), { isTls: true })).port}/`;
  const plain = async () => {
    const server = createServer((socket) => void socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void server.close());
    return `https://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  };
  it.each<[string, () => Promise<string>, RegExp]>([
    ["nobody listens", async () => "http://127.0.0.1:1/", /^ECONNREFUSED$/],
    ["there is no such name", async () => "http://nowhere.invalid/", /^(ENOTFOUND|EAI_AGAIN)$/],
    ["the certificate's CA is unknown", believed, /^(UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO)/],
    ["it is no TLS", plain, /^(EPROTO|ERR_SSL_)/],
  ])("has the system's name: %s", async (_what, urlOf, code) => {
    const { steps, error } = await send(clientOf(), await urlOf()).end;
    expect(steps).toEqual(["failed"]);
    expect(error?.code).toMatch(code);
  });
});

describe("closing", () => {
  it("ends connections that idle, and calls under way", async () => {
    const server = await startRawServer((socket, head) => void (head.includes("/idle") && socket.write(ok("x"))));
    const client = clientOf();
    await send(client, at(server), { path: "/idle" }).end;
    const under = send(client, at(server), { path: "/under-way" });
    await under.begun;
    client.close();
    expect(await under.end).toMatchObject({ steps: ["begun", "failed"], error: { code: "ECONNRESET" } });
    await server.quiet();
    expect(await send(client, at(server)).end).toMatchObject({ steps: ["failed"], error: { code: "ECONNRESET" } });
  });

  it("leaves no listener on anything that lives longer", async () => {
    const server = await startRawServer(says(ok("x")));
    const { signal } = new AbortController();
    const client = clientOf();
    for (let n = 0; n < 5; n++) await client.reach(new URL(at(server)), signal);
    expect(getEventListeners(signal, "abort")).toHaveLength(0);
  });
});
