import type { RequestListener, Server } from "node:http";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { healthcheck } from "../../../src/cli/healthcheck.js";
import { folder, least } from "../config/support.js";
import { cli, keepingIo } from "./io.js";

/** A server that is closed when the test ends; its port. */
async function serve(listener: RequestListener): Promise<{ port: number; server: Server }> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, server };
}

function ask(port: number, ...argv: string[]) {
  return cli(["healthcheck", ...argv], folder(), { PARTNERD_ADMIN_PORT: String(port) });
}

describe("healthcheck", () => {
  it("says yes when /livez answers 200, and asks nothing else", async () => {
    const asked: unknown[] = [];
    const { port } = await serve((request, answer) => {
      asked.push(`${request.method} ${request.url}`);
      answer.end("{}");
    });
    expect(await ask(port)).toEqual({
      code: 0,
      out: `healthy: http://127.0.0.1:${port}/livez answered 200\n`,
      err: "",
    });
    expect(asked).toEqual(["GET /livez"]);
  });

  it("asks /readyz if told to, and shows the reasons in one line", async () => {
    const { port } = await serve((request, answer) => {
      answer.statusCode = request.url === "/readyz" ? 503 : 200;
      answer.end('{\n  "reasons": ["draining\\u001b[31m", "\u001b[2J"]\n}\n');
    });
    const { code, err } = await ask(port, "--ready");
    expect(code).toBe(1);
    expect(err).toBe(
      `unhealthy: http://127.0.0.1:${port}/readyz answered 503 { "reasons": ["draining\\u001b[31m", " [2J"] }\n`,
    );
  });

  it.each([204, 302, 404, 500])("takes an answer of %i for a no", async (status) => {
    const { port } = await serve((_, answer) => {
      answer.writeHead(status, { location: "http://127.0.0.1:1/" }).end();
    });
    expect(await ask(port)).toMatchObject({
      code: 1,
      err: `unhealthy: http://127.0.0.1:${port}/livez answered ${status}\n`,
    });
  });

  it("says that nobody listens", async () => {
    const { port, server } = await serve(() => {});
    await new Promise((resolve) => server.close(resolve));
    expect(await ask(port)).toMatchObject({
      code: 1,
      err: expect.stringMatching(/refuses connections: no daemon is listening there\n$/),
    });
  });

  it.each<[string, RequestListener]>([
    ["never answers", () => {}],
    ["never ends its answer", (_, answer) => void answer.write("{")],
  ])("gives up on a server that %s", async (_, listener) => {
    const { port } = await serve(listener);
    const { io, kept } = keepingIo();
    const options = {
      files: [],
      directory: folder(),
      environment: { PARTNERD_ADMIN_PORT: String(port) },
      overrides: [],
    };
    expect(await healthcheck(options, "/livez", io, 50)).toBe(1);
    expect(kept.err).toBe(`unhealthy: http://127.0.0.1:${port}/livez did not answer within 50 ms\n`);
  });

  it("gives up on an answer without end, and on one cut off", async () => {
    const endless = await serve((_, answer) => {
      answer.statusCode = 500;
      const more = () =>
        void (answer.destroyed || (answer.write("x".repeat(10_000)) ? setImmediate(more) : answer.once("drain", more)));
      more();
    });
    const { code, err } = await ask(endless.port);
    expect(code).toBe(1);
    expect(err.length).toBeLessThan(700);
    const cut = await serve((_, answer) => {
      answer.writeHead(200, { "content-length": "100" });
      answer.write("x", () => answer.destroy());
    });
    expect(await ask(cut.port)).toMatchObject({ code: 1, err: expect.stringMatching(/could not be asked/) });
  });

  it("says that there is nothing to ask when the port is off", async () => {
    expect(await ask(0)).toMatchObject({ code: 1, err: expect.stringMatching(/^unhealthy: the admin port is off/) });
  });

  it("asks itself when the daemon listens on every address", async () => {
    const { port } = await serve((_, answer) => void answer.end());
    const directory = folder({ "partnerd.yaml": `admin: { host: 0.0.0.0, port: ${port} }\nbroken: 1\n${least}` });
    expect(await cli(["healthcheck"], directory)).toMatchObject({ code: 0 });
  });

  it("does not guess the port of a configuration that cannot be read", async () => {
    const directory = folder({ "partnerd.yaml": "admin: {" });
    expect(await cli(["healthcheck"], directory)).toMatchObject({
      code: 1,
      err: expect.stringMatching(/^partnerd\.yaml:1: /),
    });
  });
});
