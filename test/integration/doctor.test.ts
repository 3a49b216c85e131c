// Promise: doctor says of everything the configuration relies on whether it is well, and how to fix what is not.
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { Config } from "../../src/config/config.js";
import { examine } from "../../src/doctor/doctor.js";
import type { Finding } from "../../src/doctor/finding.js";
import { Secret } from "../../src/job/secret.js";
import { systemClock } from "../../src/std/clock.js";
import { createLog } from "../../src/std/log.js";
import { Masker } from "../../src/std/masking.js";
import { moduleHandler } from "../support/module-handler.js";
import { startProxy, type TestProxy } from "../support/proxy.js";
import { custom, freePort, type Rig, startRig, thirdParty } from "../support/rig.js";
import { startTlsFront } from "../support/tls-front.js";
import { bearer, startTokenService } from "../support/token-sources.js";

afterEach(() => vi.unstubAllEnvs());

async function examined(
  rig: Rig,
  change: Partial<Config> = {},
  variables: Readonly<Record<string, string>> = {},
): Promise<readonly Finding[]> {
  const masker = new Masker();
  const log = createLog({ level: "error", format: "json", masker, destination: { write: () => {} } });
  const config = { ...rig.config, ...change };
  const environment = { PATH: process.env["PATH"], HOME: rig.folder, ...variables };
  return examine({ config, log, masker, clock: systemClock, environment });
}

function about(findings: readonly Finding[], subject: string): readonly Finding[] {
  return findings.filter((finding) => finding.subject.startsWith(subject));
}

const sqlite = (rig: Rig) => ({ store: "sqlite", path: join(rig.folder, "ledger.db") }) as const;

it("finds nothing wrong where nothing is", async () => {
  await using rig = await startRig({ isHeld: true });
  const findings = await examined(rig, { admin: { ...rig.config.admin, port: 1 }, ledger: sqlite(rig) });
  const failed = findings.filter(({ verdict }) => verdict === "failed");
  expect(failed).toEqual([]);
  expect(findings.map(({ subject }) => subject)).toEqual([
    "credentials",
    "CodePipeline in us-east-1",
    "ThirdParty/Test/Acme-Scan/1 in us-east-1",
    "Custom/Build/Acme-Build/1 in us-east-1",
    "job operations in us-east-1",
    "client tokens",
    "ledger",
    "handler scripted",
    "job folders",
    "admin port",
  ]);
  for (const { verdict, remedy } of findings) expect(remedy === undefined).toBe(verdict === "ok");
});

it("says of an action type what is missing, and how CodePipeline has it otherwise", async () => {
  await using rig = await startRig({ isHeld: true, actionTypes: [thirdParty] });
  const properties = [{ name: "ApiKey", secret: true, required: true, key: false }];
  rig.emulator.addActionType({
    ...custom,
    properties: [...properties, { ...properties[0], name: "Project", secret: false, queryable: true }] as never,
  });
  const [scan] = rig.config.actionTypes;
  if (!scan) throw new Error("no action type");
  const types = [
    { ...scan, ...custom, notSecretProperties: ["ApiKey"] },
    { ...scan, ...custom, provider: "Nobody" },
    { ...scan, provider: "No-Partner" },
  ];
  const findings = await examined(rig, { actionTypes: types });
  expect(about(findings, "Custom/Build/Acme-Build")).toMatchObject([
    {
      verdict: "warning",
      message: expect.stringContaining("ApiKey is secret"),
      remedy: "remove ApiKey from notSecretProperties",
    },
    {
      verdict: "failed",
      message: expect.stringContaining("Project"),
      remedy: "write queryParams: [{ Project: VALUE }]",
    },
  ]);
  expect(about(findings, "Custom/Build/Nobody")).toMatchObject([
    { verdict: "failed", remedy: expect.stringContaining("partnerd action-type Nobody") },
  ]);
  expect(about(findings, "ThirdParty/Test/No-Partner")).toMatchObject([{ verdict: "failed" }]);
});

it("tells a clock that is off, refused credentials and a Region that does not answer apart", async () => {
  await using rig = await startRig({ isHeld: true });
  const { remove } = rig.emulator.fault({ kind: "wrong-clock", offsetMs: -600_000 });
  expect(about(await examined(rig), "CodePipeline in")).toMatchObject([
    {
      verdict: "failed",
      message: expect.stringMatching(/clock is (59\d|60\d) s ahead of AWS's/),
      remedy: expect.stringContaining("chrony"),
    },
  ]);
  remove();
  const refused = rig.emulator.fault({ kind: "error", code: "UnrecognizedClientException" });
  expect(about(await examined(rig), "ThirdParty/")).toMatchObject([
    { verdict: "failed", remedy: expect.stringContaining("check the credentials") },
  ]);
  refused.remove();
  rig.emulator.fault({ kind: "error", code: "AccessDeniedException", operations: ["GetActionType"] });
  expect(about(await examined(rig), "ThirdParty/")).toMatchObject([
    { verdict: "warning", remedy: expect.stringContaining("partnerd iam-policy --doctor") },
  ]);
  const nowhere = { ...rig.config.aws, endpoint: "http://127.0.0.1:1" };
  expect(about(await examined(rig, { aws: nowhere }), "CodePipeline in")).toMatchObject([
    { verdict: "failed", message: "nothing answers" },
  ]);
});

it("fails for a role that may do nothing, and for one that may not report", async () => {
  await using rig = await startRig({ isHeld: true });
  const ofJobs = ["AcknowledgeJob", "GetJobDetails", "PutJobFailureResult", "PutJobSuccessResult"];
  const ofThirdParty = ofJobs.map((name) => name.replace("Job", "ThirdPartyJob"));
  const all = rig.emulator.fault({ kind: "error", code: "AccessDeniedException" });
  const [nothing] = about(await examined(rig), "job operations");
  expect(nothing).toMatchObject({ verdict: "failed", remedy: expect.stringContaining("partnerd iam-policy") });
  for (const name of [...ofJobs, ...ofThirdParty]) expect(nothing?.message).toMatch(new RegExp(`\\b${name}\\b`));
  all.remove();
  rig.emulator.fault({ kind: "error", code: "AccessDeniedException", operations: ["PutJobSuccessResult"] });
  const [noReport] = about(await examined(rig), "job operations");
  expect(noReport).toMatchObject({ verdict: "failed", message: expect.stringMatching(/denies PutJobSuccessResult: /) });
  expect(rig.emulator.jobs()).toEqual([]);
});

it("says that there are no credentials once, and asks nothing then", async () => {
  await using rig = await startRig({ isHeld: true });
  vi.stubEnv("AWS_ACCESS_KEY_ID", undefined);
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", undefined);
  const findings = await examined(rig);
  expect(about(findings, "credentials")).toMatchObject([
    { verdict: "failed", remedy: expect.stringContaining("role") },
  ]);
  expect(about(findings, "CodePipeline in")).toEqual([]);
});

it.each([
  ["AWS_ACCESS_KEY_ID", "AKIAEXAMPLE\n"],
  ["AWS_SESSION_TOKEN", "Fwo\r\n"],
])("says that credentials cannot be sent as they are (%s), and blames no network", async (name, value) => {
  await using rig = await startRig({ isHeld: true });
  vi.stubEnv(name, value);
  const findings = await examined(rig);
  expect(about(findings, "credentials")).toMatchObject([
    { verdict: "failed", message: expect.stringContaining("line break") },
  ]);
  expect(about(findings, "CodePipeline in")).toEqual([]);
});

it("says which file of credentials the SDK passed over because it could not read it", async () => {
  await using rig = await startRig({ isHeld: true });
  vi.stubEnv("AWS_ACCESS_KEY_ID", undefined);
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", undefined);
  const missing = join(rig.folder, "no-credentials");
  mkdirSync(join(rig.folder, ".aws", "config"), { recursive: true });
  const [finding] = about(await examined(rig, {}, { AWS_SHARED_CREDENTIALS_FILE: missing }), "credentials");
  expect(finding?.remedy).toContain(`AWS_SHARED_CREDENTIALS_FILE names ${missing}, which does not exist; `);
  expect(finding?.remedy).toContain(`${join(rig.folder, ".aws", "config")}, which is a folder`);
});

it("says what is wrong with tokens, ledger, handlers, folders and port", async () => {
  await using rig = await startRig({ isHeld: true });
  const file = join(rig.folder, "a-file");
  writeFileSync(file, "");
  const stranger = createServer((socket) => {
    socket.on("error", () => {});
    socket.destroy();
  });
  await new Promise<void>((resolve) => stranger.listen(0, "127.0.0.1", resolve));
  const { port } = stranger.address() as { port: number };
  const findings = await examined(rig, {
    clientTokens: { source: "file", path: join(rig.folder, "no-tokens.yaml") },
    ledger: { store: "sqlite", path: join(rig.folder, "no", "folder", "x.db") },
    handlers: {
      scripted: moduleHandler(join(rig.folder, "none.mjs")),
      service: { kind: "http", url: "http://127.0.0.1:1/jobs", requestTimeoutMs: 1_000 },
    },
    artifacts: { ...rig.config.artifacts, workDir: join(file, "work") },
    admin: { ...rig.config.admin, port },
  }).finally(() => new Promise((resolve) => stranger.close(resolve)));
  for (const subject of ["client tokens", "ledger", "handlers", "handler service", "job folders", "admin port"]) {
    expect(about(findings, subject), subject).toMatchObject([
      { verdict: "failed", remedy: expect.stringMatching(/./) },
    ]);
  }
});

it("says of a shared folder for jobs what the daemon would say", async () => {
  await using rig = await startRig({ isHeld: true });
  const workDir = join(rig.folder, "shared");
  mkdirSync(workDir);
  chmodSync(workDir, 0o777);
  const findings = await examined(rig, { artifacts: { ...rig.config.artifacts, workDir } });
  expect(about(findings, "job folders")).toMatchObject([
    { verdict: "failed", message: expect.stringMatching(/mode 777.*a folder below it, such as .*shared\/partnerd/) },
  ]);
});

it("says of an admin port that a start could not open what the start would say, whoever answers there", async () => {
  await using rig = await startRig({ isHeld: true });
  const stranger = createHttpServer((_request, response) => {
    response.writeHead(404, { "content-type": "application/json" }).end('{"error":"nothing here"}');
  });
  await new Promise<void>((resolve) => stranger.listen(0, "127.0.0.1", resolve));
  const { port } = stranger.address() as { port: number };
  const { admin } = rig.config;
  const taken = await examined(rig, { admin: { ...admin, port } }).finally(() => stranger.close());
  expect(about(taken, "admin port")).toMatchObject([
    {
      verdict: "failed",
      message: expect.stringContaining("taken by another process"),
      remedy: expect.stringMatching(/./),
    },
  ]);
  // An address for documentation, which no machine has.
  const elsewhere = await examined(rig, { admin: { ...admin, host: "192.0.2.1", port: 9464 } });
  expect(about(elsewhere, "admin port")).toMatchObject([
    {
      verdict: "failed",
      message: expect.stringContaining("not an address of this machine"),
      remedy: expect.stringContaining("admin.host"),
    },
  ]);
});

it("knows the admin port of a running daemon", async () => {
  await using rig = await startRig({ config: { admin: { host: "127.0.0.1", port: await freePort() } } });
  expect(about(await examined(rig), "admin port")).toMatchObject([
    { verdict: "ok", message: expect.stringContaining("a daemon answers") },
  ]);
});

it("takes a ledger that a running daemon holds for what it is", async () => {
  await using rig = await startRig({
    inFolder: (folder) => ({ ledger: { store: "sqlite", path: join(folder, "l.db") } }),
  });
  expect(about(await examined(rig), "ledger")).toMatchObject([
    { verdict: "ok", message: expect.stringContaining("in use by a running daemon") },
  ]);
});

describe("by a proxy", () => {
  const password = "s3cret-of-the-proxy";
  const endpoint = { endpoint: "http://codepipeline.test/" };
  const named = (host: string, user = "") => ({ HTTP_PROXY: `http://${user}${host}` });

  it("says which one, for what and for what not, without its password", async () => {
    await using rig = await startRig({ isHeld: true });
    const proxy = await startProxy(() => Number(new URL(rig.emulator.url).port));
    const aws = { ...rig.config.aws, ...endpoint };
    const handlers = {
      ...rig.config.handlers,
      far: { kind: "http", url: "http://scan.test/jobs", requestTimeoutMs: 1_000 },
      near: { kind: "http", url: rig.emulator.url, requestTimeoutMs: 1_000 },
    } as const;
    const findings = await examined(rig, { aws, handlers }, named(proxy.host, `jo:${password}@`));
    expect(about(findings, "proxy")).toEqual([
      {
        subject: `proxy http://jo:[secret]@${proxy.host}`,
        verdict: "ok",
        message:
          "accepts connections for CodePipeline in us-east-1, S3 in us-east-1, handler far (HTTP_PROXY); directly: handler near",
      },
    ]);
    expect(about(findings, "CodePipeline in")).toMatchObject([{ verdict: "ok" }]);
    expect(about(findings, "handler far")).toMatchObject([
      {
        verdict: "ok",
        message: expect.stringContaining(`only the proxy http://jo:[secret]@${proxy.host} can resolve scan.test`),
      },
    ]);
    expect(about(findings, "handler near")[0]?.message).not.toContain("proxy");
    expect(JSON.stringify(findings)).not.toContain(password);
  });

  it("tells a wrong password from wrong credentials of AWS", async () => {
    await using rig = await startRig({ isHeld: true });
    const proxy = await startProxy(() => Number(new URL(rig.emulator.url).port), { isGuarded: true });
    const aws = { ...rig.config.aws, ...endpoint };
    const findings = await examined(rig, { aws }, named(proxy.host, `jo:${password}@`));
    const failed = findings.filter(({ verdict }) => verdict === "failed");
    expect(failed.map(({ subject }) => subject)).toContain("CodePipeline in us-east-1");
    for (const { subject, remedy } of failed) {
      if (/CodePipeline|ThirdParty|Custom/.test(subject)) expect(remedy).toMatch(/user and password in HTTPS_PROXY/);
    }
    expect(about(findings, "ThirdParty/")[0]?.message).toMatch(/proxy 127.*\(HTTP 407\)/);
    expect(JSON.stringify(findings)).not.toContain(password);
  });

  it.each<[string, TestProxy["instead"], RegExp, RegExp]>([
    ["wants another password", 407, /HTTP 407/, /user and password/],
    ["does not connect", 403, /HTTP 403/, /allow the host/],
    ["closes the connection", "drop", /ECONNRESET/, /check the proxy/],
  ])("says of one that %s what to do", async (_what, instead, message, remedy) => {
    await using rig = await startRig({ isHeld: true });
    const proxy = await startProxy(() => 1);
    proxy.instead = instead;
    const aws = { ...rig.config.aws, endpoint: "https://codepipeline.test/" };
    const findings = await examined(rig, { aws }, { HTTPS_PROXY: proxy.url });
    expect(about(findings, "proxy")).toMatchObject([
      { verdict: "failed", message: expect.stringMatching(message), remedy: expect.stringMatching(remedy) },
    ]);
    expect(about(findings, "CodePipeline in")).toMatchObject([{ verdict: "failed" }]);
  });

  it("says of one that nobody listens at that it is the proxy", async () => {
    await using rig = await startRig({ isHeld: true });
    const aws = { ...rig.config.aws, ...endpoint };
    const findings = await examined(rig, { aws }, named("127.0.0.1:1"));
    expect(about(findings, "proxy")).toMatchObject([
      { verdict: "failed", message: expect.stringMatching(/the proxy 127.0.0.1:1 cannot be used.*ECONNREFUSED/) },
    ]);
  });

  it("names a certificate that no CA of ours signed, and the variable for another CA", async () => {
    await using rig = await startRig({ isHeld: true });
    const port = await startTlsFront(Number(new URL(rig.emulator.url).port));
    const aws = { ...rig.config.aws, endpoint: `https://127.0.0.1:${port}/` };
    const findings = await examined(rig, { aws });
    expect(about(findings, "CodePipeline in")).toMatchObject([
      { verdict: "failed", remedy: expect.stringContaining("NODE_EXTRA_CA_CERTS") },
    ]);
    expect(about(findings, "ThirdParty/")[0]?.message).toMatch(/UNABLE_TO|SELF_SIGNED/);
  });
});

const cache = { maxAgeMs: 300_000, unknownMaxAgeMs: 10_000, maxEntries: 10_000 };

/** Sources that answer and sources that do not, by what stands in the rig's folder. */
const tokenSources: Readonly<
  Record<string, readonly [source: (folder: string, url: string) => object, verdict: "ok" | RegExp]>
> = {
  "an http service": [(_, url) => ({ source: "http", url, token: new Secret(bearer) }), "ok"],
  "an http service that wants another bearer token": [
    (_, url) => ({ source: "http", url, token: new Secret("wrong-bearer-token") }),
    /answered 401: look at clientTokens\.token$/,
  ],
  "an http service that is not there": [
    () => ({ source: "http", url: "http://127.0.0.1:1/{clientId}" }),
    /the token service http:\/\/127\.0\.0\.1:1\/\{clientId\} cannot be reached \(ECONNREFUSED\)$/,
  ],
  "a command": [() => ({ source: "command", command: ["sh", "-c", "exit 3"] }), "ok"],
  "a command that fails": [
    () => ({ source: "command", command: ["sh", "-c", "echo sealed >&2; exit 1"] }),
    /the token command sh exited with 1: sealed$/,
  ],
  "a command that does not exist": [
    (folder) => ({ source: "command", command: [join(folder, "none.sh")] }),
    /none\.sh cannot be run: .*ENOENT.*correct clientTokens\.command$/,
  ],
  "a module": [(folder) => ({ source: "module", path: join(folder, "good.mjs") }), "ok"],
  "a module that throws": [
    (folder) => ({ source: "module", path: join(folder, "throws.mjs") }),
    /throws\.mjs threw: sealed$/,
  ],
  "a module without resolve": [
    (folder) => ({ source: "module", path: join(folder, "none.mjs") }),
    /exports no function called resolve \(it exports find\)/,
  ],
  "a secret that nobody can read": [
    () => ({ source: "secrets-manager", secretId: "partnerd/{clientId}", region: "us-east-1" }),
    /the secret partnerd\/\{clientId\} failed: /,
  ],
  "a table that nobody can read": [
    () => ({ source: "dynamodb", table: "tokens", key: "id", attribute: "token", region: "us-east-1" }),
    /the token table tokens failed: /,
  ],
};

it.each(Object.entries(tokenSources))("asks the token source once: %s", async (_, [source, verdict]) => {
  await using rig = await startRig({ isHeld: true });
  const service = await startTokenService();
  for (const service of ["SECRETS_MANAGER", "DYNAMODB"])
    vi.stubEnv(`AWS_ENDPOINT_URL_${service}`, "http://127.0.0.1:1");
  writeFileSync(join(rig.folder, "good.mjs"), "export const resolve = () => undefined;");
  writeFileSync(join(rig.folder, "throws.mjs"), "export const resolve = () => { throw new Error('sealed'); };");
  writeFileSync(join(rig.folder, "none.mjs"), "export const find = 1;");
  const clientTokens = { ...source(rig.folder, service.template), cache } as Config["clientTokens"];
  const [finding] = about(await examined(rig, { clientTokens }), "client tokens").filter(Boolean);
  await service.close();
  if (verdict === "ok") {
    expect(finding).toMatchObject({ verdict: "ok", message: `the ${clientTokens.source} source answers` });
  } else expect(finding).toMatchObject({ verdict: "failed", message: expect.stringMatching(verdict) });
});
