import { execFile } from "node:child_process";
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Handler, HandlerRegistry } from "../../../src/handlers/handler.js";
import { Callbacks } from "../../../src/handlers/http/callbacks.js";
import { buildHandlers, type HandlerSettings, HandlersError } from "../../../src/handlers/registry.js";
import { Secret } from "../../../src/job/secret.js";
import { Masker } from "../../../src/std/masking.js";
import { Proxies } from "../../../src/std/proxies.js";
import { fixture, outcomeOf, retry } from "../../fixtures/handlers/build.js";
import { aCall } from "../../fixtures/handlers/call.js";
import { FakeClock } from "../../support/fake-clock.js";
import { moduleHandler } from "../../support/module-handler.js";

let folder = "";
const open: HandlerRegistry[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "partnerd-test-"));
});

afterEach(async () => {
  await Promise.all(open.splice(0).map((registry) => registry.close()));
  await rm(folder, { recursive: true, force: true });
});

function given(handlers: Record<string, HandlerSettings>, workDir = folder, functions: Record<string, Handler> = {}) {
  const clock = new FakeClock();
  const masker = new Masker();
  const callbacks = new Callbacks({ baseUrl: () => undefined, endedKept: 1, recordWaitMs: 1, clock });
  const environment = { PATH: process.env["PATH"] };
  const registry = buildHandlers({
    proxies: Proxies.from({}),
    handlers,
    functions,
    clock,
    masker,
    callbacks,
    retry,
    workDir,
    cancelGraceMs: 1_000,
    environment,
    log: () => aCall().log,
  });
  registry.then(
    (built) => open.push(built),
    () => {},
  );
  return { clock, masker, registry };
}

/** What is wrong with one handler. */
async function mistakeOf(settings: HandlerSettings, workDir?: string): Promise<string> {
  const error = await given({ it: settings }, workDir).registry.then(
    () => expect.unreachable("the handler was built"),
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(HandlersError);
  const { mistakes } = error as HandlersError;
  expect(mistakes).toHaveLength(1);
  return String(mistakes[0]);
}

/** What Node itself, without vite between, makes of a module. */
async function loadedInNode(path: string): Promise<unknown> {
  const { stdout } = await promisify(execFile)(process.execPath, [fixture("load-in-node.mjs"), path]);
  return JSON.parse(stdout) as unknown;
}

const module = (path: string): HandlerSettings => moduleHandler(path);
const command = (...words: [string, ...string[]]): HandlerSettings => ({ kind: "command", command: words, env: {} });
const http = (url: string, secret?: string): HandlerSettings => ({
  kind: "http",
  url,
  requestTimeoutMs: 1_000,
  ...(secret === undefined ? {} : { secret: new Secret(secret) }),
});

describe("buildHandlers", () => {
  it("builds handlers of every kind and finds them by name", async () => {
    const { registry } = given({
      gate: module(fixture("module/succeeds.js")),
      build: command("sh", "-c", "exit 0"),
      scan: http("http://127.0.0.1:9000/jobs?key=1", `whsec_${Buffer.alloc(24, 1).toString("base64")}`),
    });
    const built = await registry;
    expect(built.get("gate")?.kind).toBe("module");
    expect(built.get("build")).toMatchObject({ kind: "command", description: "sh -c exit 0" });
    expect(built.get("scan")).toMatchObject({ kind: "http", description: "http://127.0.0.1:9000/jobs" });
    for (const name of ["other", "__proto__", "constructor", ""]) expect(built.get(name)).toBeUndefined();
  });

  it("lists every handler that cannot be built, in one error", async () => {
    const { registry } = given({
      good: module(fixture("module/succeeds.js")),
      gate: module("/nonexistent/gate.js"),
      build: command("/nonexistent/build.sh"),
      scan: http("not an address"),
    });
    const error = await registry.catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      name: "HandlersError",
      mistakes: [
        expect.stringMatching(/^handler "build": .*\/nonexistent\/build\.sh/),
        expect.stringMatching(/^handler "gate": .*\/nonexistent\/gate\.js/),
        expect.stringMatching(/^handler "scan": .*address/),
      ],
    });
  });

  it("masks webhook secrets while the handlers are open", async () => {
    const secret = `whsec_${Buffer.alloc(32, 3).toString("base64")}`;
    const { masker, registry } = given({ scan: http("https://scan.example/", secret) });
    await registry;
    expect(masker.mask(`signed with ${secret}`)).not.toContain(secret);
  });

  it("builds nothing from nothing", async () => {
    expect((await given({}).registry).get("any")).toBeUndefined();
  });
});

describe("a module", () => {
  it.each(["module/succeeds.js", "module/echoes-its-job.js", "module/common.cjs"])(
    "may export `handler`, a default function, or be CommonJS: %s",
    async (path) => {
      const registry = await given({ it: module(fixture(path)) }).registry;
      const call = aCall();
      expect(await outcomeOf(registry.get("it")?.run(call) ?? Promise.reject(), call)).toMatchObject({
        kind: "succeeded",
      });
    },
  );

  it("may bring a JobFailure class of its own", async () => {
    const registry = await given({ it: module(fixture("module/throws-a-job-failure.js")) }).registry;
    const call = aCall();
    expect(await outcomeOf(registry.get("it")?.run(call) ?? Promise.reject(), call)).toEqual({
      kind: "failed",
      type: "PermissionError",
      message: "the token may not read the project",
    });
  });

  it("is found although its path holds characters that mean something in a URL", async () => {
    const path = join(folder, "gate #1?100%.mjs");
    await writeFile(path, "export const handler = async () => ({ kind: 'succeeded' });");
    expect(await loadedInNode(path)).toEqual({ outcome: { kind: "succeeded" } });
  });

  it.each([
    ["module/missing.js", /cannot read the module .*missing\.js .*ENOENT.*correct `path`/],
    ["module", /is not a file/],
    ["module/breaks-at-import.js", /cannot be imported: DATABASE_URL is not set/],
    [
      "module/exports-no-handler.js",
      /exports no handler function \(it exports .*handle.*export async function handler/,
    ],
  ])("that is no good is refused with what to do: %s", async (path, mistake) => {
    expect(await mistakeOf(module(fixture(path)))).toMatch(mistake);
  });

  it("with a syntax error is refused with the way to find its place", async () => {
    const path = join(folder, "broken.mjs");
    await writeFile(path, "export async function handler(job) {\n  return { kind: \n}\n");
    expect(await loadedInNode(path)).toMatchObject({
      mistake: expect.stringMatching(/Unexpected token.*`node .*broken\.mjs` shows the place/),
    });
  });

  it("in TypeScript that this Node does not run there is refused with where it would", async () => {
    const modules = join(folder, "node_modules");
    await mkdir(modules);
    const path = join(modules, "handler.mts");
    await writeFile(path, "export const handler = async (): Promise<unknown> => ({ kind: 'succeeded' });");
    expect(await loadedInNode(path)).toMatchObject({
      mistake: expect.stringMatching(
        /handler\.mts cannot be imported: .*Node 24 runs TypeScript, but not below node_modules/,
      ),
    });
  });

  it("that does not finish importing is given up", async () => {
    const { clock, registry } = given({ it: module(fixture("module/never-imports.js")) });
    let error: unknown;
    registry.catch((thrown: unknown) => {
      error = thrown;
    });
    while (error === undefined) await clock.advance(1_000);
    expect(String(error)).toMatch(/did not finish importing within 30 s/);
    expect(clock.pending).toBe(0);
  });
});

describe("a command", () => {
  it("is refused when it is missing, a folder, not executable, or not in PATH", async () => {
    const plain = join(folder, "plain.sh");
    await writeFile(plain, "#!/bin/sh\n");
    await chmod(plain, 0o644);
    expect(await mistakeOf(command(join(folder, "none.sh")))).toMatch(/cannot be found .*ENOENT.*correct `command`/);
    expect(await mistakeOf(command(`${folder}/`))).toMatch(/is not a file/);
    expect(await mistakeOf(command(plain))).toMatch(/cannot be executed; run `chmod \+x .*plain\.sh`/);
    expect(await mistakeOf(command("no-such-program-anywhere"))).toMatch(/not found in PATH/);
    expect(await mistakeOf(command(""))).toMatch(/empty program/);
    expect(await mistakeOf(command("sh", "a\0b"))).toMatch(/NUL/);
  });

  it("is refused with an argument that would be looked for in the job's empty folder", async () => {
    expect(await mistakeOf(command("sh", "./handler.sh"))).toMatch(/argument \.\/handler\.sh .*absolute path/);
    expect(await mistakeOf(command("sh", "-x", "../handler.sh"))).toMatch(/argument \.\.\/handler\.sh/);
    const fine = command("sh", "-c", "./inputs/Source/build.sh", "./inputs/Source", "./outputs", ".", "a/b");
    expect((await given({ it: fine }).registry).get("it")).toBeDefined();
  });

  it("is searched in the PATH that it will have", async () => {
    const program = join(folder, "acme-build");
    await writeFile(program, "#!/bin/sh\n");
    await chmod(program, 0o755);
    const settings: HandlerSettings = { kind: "command", command: ["acme-build"], env: { PATH: `relative:${folder}` } };
    expect((await given({ it: settings }).registry).get("it")).toBeDefined();
    expect(await mistakeOf({ ...settings, env: { PATH: "/nonexistent:" } })).toMatch(/not found in PATH/);
  });

  it.each([
    [{ "NOT GOOD": "1" }, /variable name "NOT GOOD"/],
    [{ "A=B": "1" }, /variable name "A=B"/],
    [{ PARTNERD_OUTCOME: "/tmp/x" }, /PARTNERD_OUTCOME is reserved/],
    [{ LEVEL: "a\0b" }, /LEVEL holds a NUL/],
  ])("is refused with a variable that cannot be: %j", async (env, mistake) => {
    expect(await mistakeOf({ kind: "command", command: ["sh"], env: env as Record<string, string> })).toMatch(mistake);
  });

  it("is refused when its jobs can have no folders", async () => {
    expect(await mistakeOf(command("sh"), "/dev/null/work")).toMatch(/cannot be created in .*artifacts\.workDir/);
  });
});

describe("an http handler", () => {
  it.each([
    ["", /`url` is not an address/],
    ["127.0.0.1:9000/jobs", /`url`/],
    ["ftp://scan.example/jobs", /begins with ftp:/],
    ["unix:/run/scan.sock", /begins with unix:/],
    ["http://", /`url` is not an address/],
    ["https://joe:hunter2hunter2@scan.example/", /user name or password/],
  ])("is refused with the address %j", async (url, mistake) => {
    const text = await mistakeOf(http(url));
    expect(text).toMatch(mistake);
    expect(text).not.toContain("hunter2");
  });

  it.each([
    ["hunter2hunter2hunter2", /does not begin with whsec_/],
    ["whsec_", /not base64/],
    ["whsec_hunter2 hunter2", /not base64/],
    ["whsec_hunter2", /not base64/],
    [`whsec_${Buffer.alloc(23).toString("base64")}`, /has 23 bytes; it must have 24 to 64/],
    [`whsec_${Buffer.alloc(65).toString("base64")}`, /has 65 bytes/],
  ])("is refused with a bad secret, which is not repeated: %j", async (secret, mistake) => {
    const text = await mistakeOf(http("http://127.0.0.1/", secret));
    expect(text).toMatch(mistake);
    expect(text).toContain("openssl rand");
    expect(text).not.toContain("hunter2");
  });
});

it("takes a program's function for a module, and looks for no file", async () => {
  const functions = { fn: () => ({ kind: "succeeded", summary: "by a function" }) as const };
  const registry = await given({ fn: moduleHandler("/nowhere.mjs") }, folder, functions).registry;
  const handler = registry.get("fn");
  expect(handler).toMatchObject({ kind: "module", description: "function fn" });
  expect(await handler?.run(aCall())).toEqual({ kind: "succeeded", summary: "by a function" });
});
