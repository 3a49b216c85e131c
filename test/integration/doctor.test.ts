// Promise: doctor says of everything the configuration relies on whether it is well, and how to fix what is not.
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterEach, expect, it, vi } from "vitest";
import type { Config } from "../../src/config/config.js";
import { examine } from "../../src/doctor/doctor.js";
import type { Finding } from "../../src/doctor/finding.js";
import { systemClock } from "../../src/std/clock.js";
import { createLog } from "../../src/std/log.js";
import { Masker } from "../../src/std/masking.js";
import { moduleHandler } from "../support/module-handler.js";
import { custom, freePort, type Rig, startRig, thirdParty } from "../support/rig.js";

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
