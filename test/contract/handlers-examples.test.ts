// The handlers that we give to copy: they do what their first lines say.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, it } from "vitest";
import { Callbacks } from "../../src/handlers/http/callbacks.js";
import type { HandlerSettings, HandlersOptions } from "../../src/handlers/registry.js";
import { Secret } from "../../src/job/secret.js";
import { systemClock } from "../../src/std/clock.js";
import { Deadline } from "../../src/std/deadline.js";
import { type Built, build, outcomeOf } from "../fixtures/handlers/build.js";
import { aCall, type CallOptions } from "../fixtures/handlers/call.js";
import { moduleHandler } from "../support/module-handler.js";

const example = (name: string) => fileURLToPath(new URL(`../../config/examples/${name}`, import.meta.url));
const secret = `whsec_${Buffer.alloc(32, 9).toString("base64")}`;
const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function given(settings: HandlerSettings, overrides: Partial<HandlersOptions> = {}): Promise<Built> {
  const built = await build(settings, { clock: systemClock, ...overrides });
  closers.push(built.close);
  return built;
}

async function outcome({ handler }: Built, options: CallOptions = {}) {
  const call = aCall({ deadline: Deadline.in(systemClock, 60_000), ...options });
  return { outcome: await outcomeOf(handler.run(call), call), log: call.log };
}

describe("gate.js", () => {
  const gate = () => given(moduleHandler(example("gate.js")));

  it("lets through when it has opened, or never closed", async () => {
    const built = await gate();
    expect((await outcome(built, { configuration: {} })).outcome).toMatchObject({ kind: "succeeded" });
    const opened = { configuration: { OpensAt: "2020-01-01T00:00:00Z" } };
    expect((await outcome(built, opened)).outcome).toMatchObject({ kind: "succeeded" });
  });

  it("asks to be asked again while it is closed", async () => {
    const closed = { configuration: { OpensAt: "2999-01-01T00:00:00Z" } };
    expect((await outcome(await gate(), closed)).outcome).toMatchObject({
      kind: "continued",
      continuationToken: "closed-until-2999-01-01T00:00:00Z",
    });
  });

  it("tells the customer what is wrong with the time", async () => {
    expect((await outcome(await gate(), { configuration: { OpensAt: "soon" } })).outcome).toMatchObject({
      kind: "failed",
      type: "ConfigurationError",
      message: expect.stringContaining("2026-12-24T18:00:00Z"),
    });
  });
});

describe("build.sh", () => {
  const buildWith = (env: Record<string, string>) => given({ kind: "command", command: [example("build.sh")], env });

  it("succeeds with what it built, and prints into the job's log", async () => {
    const ended = await outcome(await buildWith({ LEVEL: "2" }));
    expect(ended.outcome).toEqual({ kind: "succeeded", summary: "built at level 2" });
    expect(ended.log.messages[0]).toBe("building at level 2");
  });

  it("fails with a message on stderr and an exit code that names the kind of failure", async () => {
    expect((await outcome(await buildWith({ LEVEL: "high" }))).outcome).toEqual({
      kind: "failed",
      type: "ConfigurationError",
      message: 'LEVEL must be a digit from 1 to 9, not "high"',
    });
  });
});

describe("http-service.js", () => {
  const scan = async (overrides: Partial<HandlersOptions> = {}) => {
    const url = await serviceUrl();
    return given({ kind: "http", url, secret: new Secret(secret), requestTimeoutMs: 10_000 }, overrides);
  };

  it("answers quick work at once", async () => {
    const ended = await outcome(await scan(), { configuration: { Target: "release" }, jobId: "j1" });
    expect(ended.outcome).toEqual({
      kind: "succeeded",
      summary: "release: nothing found",
      externalExecutionId: "scan-j1",
    });
  });

  it("refuses a request that is not signed with its secret", async () => {
    const url = await serviceUrl();
    const other = new Secret(`whsec_${Buffer.alloc(32, 1).toString("base64")}`);
    const built = await given({ kind: "http", url, secret: other, requestTimeoutMs: 10_000 });
    expect((await outcome(built)).outcome).toMatchObject({ kind: "failed", type: "PermissionError" });
  });

  it("delivers the outcome of longer work to the callback", async () => {
    const callbacks: Callbacks = new Callbacks({
      baseUrl: () => base,
      endedKept: 10,
      recordWaitMs: 1_000,
      clock: systemClock,
    });
    const base = await callbackPort(callbacks);
    const built = await scan({ callbacks });
    const ended = await outcome(built, { configuration: { Depth: "full" }, jobId: "j/2" });
    expect(ended.outcome).toMatchObject({ kind: "succeeded", externalExecutionId: "scan-j/2" });
  });

  it("says what is missing when it is started without a secret", async () => {
    const child = spawn(process.execPath, [example("http-service.js")], { env: { PORT: "0" }, stdio: "pipe" });
    let said = "";
    child.stderr.on("data", (chunk: Buffer) => {
      said += chunk.toString();
    });
    const [code] = await once(child, "close");
    expect(code).toBe(1);
    expect(said).toContain("openssl rand");
  });
});

/** Starts the example service and gives its address. */
async function serviceUrl(): Promise<string> {
  const child: ChildProcess = spawn(process.execPath, [example("http-service.js")], {
    env: { PORT: "0", WEBHOOK_SECRET: secret },
    stdio: ["ignore", "pipe", "inherit"],
  });
  closers.push(async () => {
    const closed = once(child, "close");
    child.kill("SIGKILL");
    await closed;
  });
  if (!child.stdout) throw new Error("no stdout");
  const [line] = (await once(createInterface(child.stdout), "line")) as [string];
  return line.replace("listening on ", "");
}

/** What the admin port does with a callback, in a few lines. */
async function callbackPort(callbacks: Callbacks): Promise<string> {
  const server = createServer(async (request, answer) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const [, segment = ""] = /^\/jobs\/([^/]+)\/outcome$/.exec(request.url ?? "") ?? [];
    const delivery = await callbacks.deliver({
      jobId: decodeURIComponent(segment),
      bearer: (request.headers.authorization ?? "").replace(/^Bearer /, ""),
      body: JSON.parse(Buffer.concat(chunks).toString()) as unknown,
    });
    answer.writeHead(delivery === "accepted" ? 200 : 404).end();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  closers.push(async () => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
