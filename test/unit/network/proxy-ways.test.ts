// Promise: what goes by a proxy goes by it alone, and what the proxy says by itself is never taken for the word of
// whoever is behind it. Over real sockets.
import { describe, expect, it, onTestFinished } from "vitest";
import { HttpClient, type HttpClientOptions } from "../../../src/network/http-client.js";
import { ProxyFault } from "../../../src/network/http-faults.js";
import { Proxies } from "../../../src/std/proxies.js";
import { proxyPassword, startProxy, type TestProxy } from "../../support/proxy.js";
import { ok, type RawServer, startRawServer } from "../../support/raw-server.js";
import { believeEveryCertificate, startTlsFront } from "../../support/tls-front.js";

/** By TLS, and so through a tunnel; or in clear, and so given to the proxy as a whole. */
const ways = ["https", "http"] as const;
type Way = (typeof ways)[number];

async function given(way: Way, { isGuarded = false, options = {} as Partial<HttpClientOptions>, more = {} } = {}) {
  believeEveryCertificate();
  const service: RawServer = await startRawServer((socket) => void socket.write(ok("of the service")), {
    isTls: way === "https",
  });
  const proxy: TestProxy = await startProxy(() => service.port, { isGuarded });
  const environment = { [`${way.toUpperCase()}_PROXY`]: proxy.url, ...more };
  const client = new HttpClient({
    proxies: Proxies.from(environment),
    connectionTimeoutMs: 5_000,
    idleMs: 60_000,
    ...options,
  });
  onTestFinished(() => client.close());
  return { service, proxy, client };
}

/** The answer's body; rejects with what the call failed by, and `begun` tells whether it was sent. */
async function ask(client: HttpClient, url: string) {
  let begun = false;
  const body = await new Promise<string>((resolve, reject) => {
    let text = "";
    client.send(
      { url: new URL(url), method: "POST", headers: { "x-a": "1" }, body: "{}" },
      {
        begun: () => {
          begun = true;
        },
        answered: ({ status }) => {
          text += `${status} `;
        },
        bytes: (chunk) => {
          text += chunk;
          return true;
        },
        ended: () => resolve(text),
        failed: reject,
      },
    );
  }).catch((error: unknown) => error as Error & { code?: string });
  return { begun, body };
}

describe.each(ways)("%s by a proxy", (way) => {
  const url = `${way}://scan.test:8443/jobs?a=b`;
  const asked = way === "https" ? "CONNECT scan.test:8443" : `POST ${url}`;

  it("comes to the service with all that it is", async () => {
    const { service, proxy, client } = await given(way);
    expect((await ask(client, url)).body).toBe("200 of the service");
    expect(proxy.asked).toEqual([asked]);
    expect(service.heads[0]).toMatch(/^POST \/jobs\?a=b HTTP\/1.1\r\nhost: scan.test:8443\r\n/i);
    expect(service.heads[0]).toMatch(/x-a: 1/);
  });

  it("uses its connections again", async () => {
    const { service, proxy, client } = await given(way);
    for (let n = 0; n < 9; n++) await ask(client, url);
    expect(service.heads).toHaveLength(9);
    if (way === "https") expect(proxy.asked.length).toBeLessThanOrEqual(2);
    expect(proxy.connections).toBeLessThanOrEqual(2);
  });

  it("shows the password to the proxy, and not to the service", async () => {
    const { service, proxy, client } = await given(way, { isGuarded: true });
    expect((await ask(client, url)).body).toBe("200 of the service");
    expect(proxy.passed).toBe(1);
    expect(service.heads[0]).not.toMatch(/proxy-auth/i);
  });

  it.each(["localhost", "127.0.0.1"])("may have TLS on its way to a proxy at %s", async (host) => {
    const { service, proxy, client: plain } = await given(way, { isGuarded: true });
    plain.close();
    const { username, password, port } = new URL(proxy.url);
    const front = await startTlsFront(Number(port));
    const value = `https://${username}:${password}@${host}:${front}`;
    const proxies = Proxies.from({ [`${way}_proxy`]: value });
    const client = new HttpClient({ proxies, connectionTimeoutMs: 5_000, idleMs: 60_000 });
    onTestFinished(() => client.close());
    expect((await ask(client, url)).body).toBe("200 of the service");
    expect(proxy.asked).toEqual([asked]);
    expect(service.heads[0]).toMatch(/host: scan.test:8443/i);
  });

  it.each([undefined, "wrong"])("is refused with the password %s, and says so without it", async (password) => {
    const { service, proxy, client: right } = await given(way, { isGuarded: true });
    right.close();
    const value = `http://${password === undefined ? "" : `jo:${password}@`}${proxy.host}`;
    const proxies = Proxies.from({ [`${way}_proxy`]: value });
    const client = new HttpClient({ proxies, connectionTimeoutMs: 5_000, idleMs: 60_000 });
    onTestFinished(() => client.close());
    const { body } = await ask(client, url);
    expect(body).toBeInstanceOf(ProxyFault);
    expect(body).toMatchObject({ code: "proxy-auth-required", status: 407 });
    expect(String(body)).toContain(proxy.host);
    expect(String(body)).not.toMatch(/wrong|jo:/);
    expect(service.heads).toEqual([]);
    expect(proxy.asked.length).toBe(1);
  });

  it("fails when nobody listens there, with the system's name", async () => {
    const { service } = await given(way);
    const client = new HttpClient({
      proxies: Proxies.from({ [`${way}_proxy`]: "http://127.0.0.1:1" }),
      connectionTimeoutMs: 5_000,
      idleMs: 60_000,
    });
    onTestFinished(() => client.close());
    const { begun, body } = await ask(client, url);
    expect(body).toBeInstanceOf(ProxyFault);
    expect(body).toMatchObject({ code: "ECONNREFUSED", message: expect.stringContaining("the proxy 127.0.0.1:1") });
    expect({ begun, heads: service.heads }).toEqual({ begun: false, heads: [] });
  });

  it.each([
    ["its own", {}, "//127.0.0.1"],
    ["an exception", { NO_PROXY: "0.0.0.0" }, "//0.0.0.0"],
    ["an exception's port", { no_proxy: "0.0.0.0/8" }, "//0.0.0.0"],
  ])("is not asked for %s", async (_what, more, host) => {
    const { service, proxy, client } = await given(way, { more });
    expect((await ask(client, `${way}:${host}:${service.port}/`)).body).toBe("200 of the service");
    expect(proxy.asked).toEqual([]);
  });

  it("tells whether a service can be reached", async () => {
    const { service, proxy, client } = await given(way);
    await client.reach(new URL(url), new AbortController().signal);
    expect(service.heads).toEqual([]);
    proxy.instead = 407;
    if (way === "http") return;
    await expect(client.reach(new URL(url), new AbortController().signal)).rejects.toMatchObject({ status: 407 });
    proxy.instead = "hang";
    const stop = new AbortController();
    const reaching = client.reach(new URL(url), stop.signal);
    stop.abort(new Error("stop"));
    await expect(reaching).rejects.toThrow("stop");
  });
});

describe("a tunnel", () => {
  const url = "https://scan.test/";
  it.each([400, 403, 404, 429, 500, 502, 503, 504, 302, 201])(
    "that the proxy answers %i instead is no answer",
    async (status) => {
      const { service, proxy, client } = await given("https");
      proxy.instead = status;
      const { begun, body } = await ask(client, url);
      expect(body).toBeInstanceOf(ProxyFault);
      expect(body).toMatchObject({ code: "proxy-refused", status, message: expect.stringContaining(`HTTP ${status}`) });
      expect({ begun, heads: service.heads }).toEqual({ begun: false, heads: [] });
      proxy.instead = undefined;
      expect((await ask(client, url)).body).toBe("200 of the service");
    },
  );

  it.each(["drop", "garbage"] as const)("that breaks (%s) is tried once, and not for ever", async (instead) => {
    const { proxy, client } = await given("https");
    proxy.instead = instead;
    const { begun, body } = await ask(client, url);
    expect(body).toBeInstanceOf(ProxyFault);
    expect(body).toMatchObject({ code: expect.stringMatching(/^(ECONNRESET|HPE_)/) });
    expect({ begun, asked: proxy.asked.length }).toEqual({ begun: false, asked: 1 });
  });

  it("that never comes is given up with the limit of connecting, and closed with the client", async () => {
    const { proxy, client } = await given("https", { options: { connectionTimeoutMs: 80 } });
    proxy.instead = "hang";
    const { begun, body } = await ask(client, url);
    expect(body).toMatchObject({ code: "ETIMEDOUT", message: expect.stringContaining(proxy.host) });
    expect(begun).toBe(false);
    client.close();
    await expect.poll(() => proxy.connections).toBe(0);
  });

  it("closes with the client, also in the middle of a handshake", async () => {
    const mute = await startRawServer(() => {});
    const proxy = await startProxy(() => mute.port);
    const client = new HttpClient({
      proxies: Proxies.from({ HTTPS_PROXY: proxy.url }),
      connectionTimeoutMs: 5_000,
      idleMs: 60_000,
    });
    const sent = ask(client, url);
    await expect.poll(() => proxy.passed).toBe(1);
    client.close();
    expect((await sent).body).toMatchObject({ code: "ECONNRESET" });
    await expect.poll(() => proxy.connections).toBe(0);
  });

  it("believes no certificate but those of the CAs, and none of another name", async () => {
    const service = await startRawServer((socket) => void socket.write(ok("x")), { isTls: true });
    const proxy = await startProxy(() => service.port);
    const client = new HttpClient({
      proxies: Proxies.from({ HTTPS_PROXY: proxy.url }),
      connectionTimeoutMs: 5_000,
      idleMs: 60_000,
    });
    onTestFinished(() => client.close());
    const { begun, body } = await ask(client, url);
    expect(body).toMatchObject({ code: expect.stringMatching(/^UNABLE_TO_|^SELF_SIGNED/) });
    expect({ begun, heads: service.heads }).toEqual({ begun: false, heads: [] });
  });
});

it("shows no form of the password in what it says", () => {
  const proxies = Proxies.from({ HTTPS_PROXY: `http://jo:${encodeURIComponent(proxyPassword)}@p.test` });
  expect(proxies.of(new URL("https://x.test/"))?.shown).toBe("http://jo:[secret]@p.test");
});
