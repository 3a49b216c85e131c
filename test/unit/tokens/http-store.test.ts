// The token service over HTTP, hostile answers included: what each means, and that none of it is ever shown.

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { inspect } from "node:util";
import { expect, it, onTestFinished } from "vitest";
import type { ClientId } from "../../../src/job/job.js";
import { Secret } from "../../../src/job/secret.js";
import { Proxies } from "../../../src/std/proxies.js";
import { openHttpStore } from "../../../src/tokens/http-store.js";
import type { TokenStoreFault } from "../../../src/tokens/token-store.js";

const way = { proxies: Proxies.from({}), connectionTimeoutMs: 2_000 };

const client = "0a1b2c3d-0000-4000-8000-00000000000a" as ClientId;
const json = (value: unknown) => (_: IncomingMessage, answer: ServerResponse) => void answer.end(JSON.stringify(value));
const text = (body: string) => (_: IncomingMessage, answer: ServerResponse) => void answer.end(body);
const status =
  (code: number, headers = {}) =>
  (_: IncomingMessage, answer: ServerResponse) =>
    void answer.writeHead(code, headers).end('{"token":"hunter2"}');

async function serve(answer: (request: IncomingMessage, answer: ServerResponse) => void) {
  const requests: { readonly url: string | undefined; readonly authorization: string | undefined }[] = [];
  const server = createServer((request, response) => {
    requests.push({ url: request.url, authorization: request.headers.authorization });
    answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const store = await openHttpStore({
    ...way,
    url: `${url}/t/{clientId}?again={clientId}&key=hunter2`,
    token: new Secret("hunter2"),
  });
  onTestFinished(async () => {
    await store.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const find = async (signal = AbortSignal.timeout(20_000)) =>
    store.find(client, signal).catch((error: unknown) => error as TokenStoreFault);
  return { store, requests, find, url };
}

it("asks for the client by the configured URL, with the bearer token, and takes the token", async () => {
  const { requests, find } = await serve(json({ token: "a token", customer: { name: "somebody" } }));
  expect(await find()).toBe("a token");
  expect(requests).toEqual([{ url: `/t/${client}?again=${client}&key=hunter2`, authorization: "Bearer hunter2" }]);
});

it("takes 404 for a client that is not known", async () => {
  expect(await (await serve(status(404))).find()).toBeUndefined();
});

it.each([
  ["a redirect to another host", status(302, { location: "http://169.254.169.254/" }), "away"],
  ["a redirect of another kind", status(308, { location: "/elsewhere" }), "away"],
  ["no permission", status(401), "away"],
  ["too many requests", status(429), "away"],
  ["an error", status(500), "away"],
  ["no content", status(204), "away"],
  ["a teapot", status(418), "away"],
  ["no JSON", text("hunter2"), "unusable"],
  ["HTML", text("<html>hunter2</html>"), "unusable"],
  ["nothing", text(""), "unusable"],
  ["half a JSON", text('{"token":"hunter2'), "unusable"],
  ["a list", json(["hunter2"]), "unusable"],
  ["a text", json("hunter2"), "unusable"],
  ["null", json(null), "unusable"],
  ["a number for a token", json({ token: 12_345_678 }), "unusable"],
  ["an object for a token", json({ token: { token: "hunter2" } }), "unusable"],
  ["another member", json({ Token: "hunter2" }), "unusable"],
  ["an inherited member", text('{"__proto__":{"token":"hunter2"}}'), "unusable"],
  ["a huge body", text(`{"token":"${"hunter2".repeat(100_000)}"}`), "unusable"],
  [
    "an endless body",
    (_: IncomingMessage, answer: ServerResponse) => {
      const more = () => {
        while (!answer.destroyed && answer.write("hunter2".repeat(1_000)));
      };
      answer.on("drain", more);
      more();
    },
    "unusable",
  ],
  [
    "a body that is cut off",
    (request: IncomingMessage, answer: ServerResponse) => {
      answer.writeHead(200, { "content-length": "1000" });
      answer.write('{"token":"hunter2"}', () => request.socket.destroy());
    },
    "unusable",
  ],
  ["a connection that breaks", (request: IncomingMessage) => void request.socket.destroy(), "away"],
  ["what is no HTTP", (request: IncomingMessage) => void request.socket.end("hunter2\r\n\r\n"), "away"],
] as const)("never takes %s for a token, nor for an unknown client, and asks nobody else", async (_, answer, kind) => {
  const { find, requests } = await serve(answer);
  const fault = await find();
  expect(fault).toMatchObject({ name: "TokenStoreFault", kind });
  expect(inspect(fault, { depth: 9, showHidden: true })).not.toMatch(/hunter2|12345678/);
  expect(requests).toHaveLength(1);
});

it("ends with its signal, whatever the service is at", async () => {
  const reached = Promise.withResolvers<void>();
  const { find } = await serve((_, answer) => {
    answer.write('{"token":');
    reached.resolve();
  });
  const caller = new AbortController();
  const found = find(caller.signal);
  await reached.promise;
  caller.abort(new Error("too late"));
  expect(await found).toBeInstanceOf(Error);
});

it("names the service without its query, and nobody who is not there", async () => {
  const { store, url } = await serve(status(404));
  expect(store.name).toBe(`the token service ${url}/t/{clientId}`);
  const gone = await openHttpStore({ ...way, url: "http://127.0.0.1:1/{clientId}" });
  const fault = await gone.find(client, AbortSignal.timeout(20_000)).catch((error: unknown) => error as Error);
  expect(fault).toMatchObject({ kind: "away", message: "cannot be reached (ECONNREFUSED)" });
  await gone.close();
});
