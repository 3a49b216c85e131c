// Promise: `partnerd jobs show` tells one job's story as the running daemon knows it, or as much as the ledger has, named by
// a beginning of its id, and never a secret.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Ajv2020 } from "ajv/dist/2020.js";
import { expect, it, onTestFinished } from "vitest";
import { jobStorySchema } from "../../src/admin/job-story.js";
import type { HandlerJob } from "../../src/handlers/handler.js";
import type { AccountName, JobId, Nonce, Region } from "../../src/job/job.js";
import { Secret } from "../../src/job/secret.js";
import { SqliteLedger } from "../../src/ledger/sqlite/sqlite-ledger.js";
import { systemClock } from "../../src/std/clock.js";
import { custom, freePort, Gate, type RigOptions, startRig } from "../support/rig.js";
import { cli } from "../unit/cli/io.js";

const token = "the-token-of-the-operator";
const secret = "hunter2-of-the-customer";
const isStory = new Ajv2020({ strict: true, formats: { "date-time": true } }).compile(jobStorySchema);

/** A folder with a configuration of this ledger and this admin port. */
function configured(ledger: object, port: number): string {
  const folder = mkdtempSync(join(tmpdir(), "partnerd-show-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const configuration = {
    actionTypes: [{ ...custom, regions: ["us-east-1"], handler: "scripted" }],
    handlers: { scripted: { kind: "command", command: ["true"] } },
    ledger,
    admin: { port, token },
  };
  writeFileSync(join(folder, "partnerd.yaml"), JSON.stringify(configuration));
  return folder;
}

async function running(handle: NonNullable<RigOptions["handle"]>, config: RigOptions["config"] = {}) {
  const port = await freePort();
  const actionTypes = [{ ...custom, secretProperties: ["ApiKey"] }];
  const admin = { host: "127.0.0.1", port, token: new Secret(token) };
  const emulator = { settings: { continuationDelayMs: 1 } };
  return { rig: await startRig({ handle, actionTypes, emulator, config: { ...config, admin } }), port };
}

async function storyOf(id: string, directory: string, ...flags: readonly string[]) {
  const { code, out, err } = await cli(["jobs", "show", id, "--json", ...flags], directory);
  expect({ code, err }).toEqual({ code: 0, err: "" });
  const story: unknown = JSON.parse(out);
  expect(isStory(story), JSON.stringify(isStory.errors)).toBe(true);
  return story as Record<string, unknown>;
}

it("tells of a job that runs and of its chain, by the beginning of an id, without its secrets", async () => {
  const gate = new Gate();
  const handle = async (job: HandlerJob) => {
    job.log.info(`the key is ${job.configuration["ApiKey"]}`, { step: job.continuationToken ?? "first" });
    if (job.continuationToken === undefined)
      return { kind: "continued", continuationToken: "second", percentComplete: 40 };
    await gate.enter();
    return { kind: "succeeded", outputVariables: { Key: job.configuration["ApiKey"], Size: "3" } };
  };
  const { rig, port } = await running(handle);
  await using _ = rig;
  const directory = configured({ store: "memory" }, port);
  const configuration = { ApiKey: secret };
  const pipeline = { name: "shop", stage: "Make", action: "Build" };
  const first = rig.emulator.addJob({ actionType: custom, configuration, pipeline });
  await gate.waiting(1);
  const second = rig.emulator.lastJob(first)?.id ?? "";
  const chain = [
    { jobId: first, end: "continued", percentComplete: 40 },
    { jobId: second, end: "running" },
  ];
  const place = { handler: "scripted", pipelineName: "shop", stageName: "Make", actionName: "Build" };
  const story = await storyOf(second.slice(0, 13), directory);
  const properties = [{ name: "ApiKey", value: "[secret]" }];
  const told = { state: "running", ...place, chain, configuration: properties, inputs: [], outputs: [] };
  expect(story).toMatchObject({ source: "daemon", jobId: second, isContinuation: true, ...told });
  expect(JSON.stringify(story["log"])).toMatch(
    /"event":"job-started".*"text":"the key is \[secret\]".*"step":"second"/,
  );
  expect(await storyOf(first, directory)).toMatchObject({
    state: "reported",
    outcome: { kind: "continued", continuationToken: "second" },
    chain,
  });
  const text = await cli(["jobs", "show", second, "--region", "us-east-1"], directory);
  expect(text.out).toMatch(
    new RegExp(
      `^job +${second}\naction type +Custom/Build/Acme-Build/1 in us-east-1\nhandler +scripted\npipeline +shop / Make / Build\n`,
    ),
  );
  expect(text.out).toContain(`${first.slice(0, 8)} continued (40%) → [${second.slice(0, 8)}] running\n`);
  expect(text.out).toMatch(
    /\nSTATES\n\S+Z +polled\n\S+Z +detailed\n\S+Z +acknowledging\n\S+Z +running\n\nCONFIGURATION\nApiKey +\[secret\]\n/,
  );
  expect(text.out).toContain("\n\nLOG\n");
  gate.release();
  await rig.event("job-reported", ({ key }) => key.jobId === second);
  const done = await storyOf(second, directory);
  expect(done).toMatchObject({
    state: "reported",
    cause: "returned",
    reported: { attempts: 1 },
    outcome: { kind: "succeeded", outputVariables: { Key: "[secret]", Size: "3" } },
  });
  expect(JSON.stringify([story, done]) + text.out).not.toContain(secret);
});

it("says why it cannot: the token, an id of nobody, ids that begin alike, no daemon", async () => {
  const { rig, port } = await running(() => ({ kind: "succeeded" }));
  await using _ = rig;
  const directory = configured({ store: "memory" }, port);
  const ids = ["aaaaaaaa-0000-4000-8000-000000000001", "aaaaaaaa-0000-4000-8000-000000000002"];
  rig.emulator.addJobs({ actionType: custom, ids });
  for (const id of ids) await rig.event("job-reported", ({ key }) => key.jobId === id);
  const show = async (...argv: readonly string[]) => {
    const { code, out, err } = await cli(["jobs", "show", ...argv], directory);
    expect([code, out]).toEqual([1, ""]);
    return err;
  };
  expect(await show("aaaaaaaa")).toMatch(
    /answered 409: several jobs have an id that begins like this: .*; write more characters of it/,
  );
  expect(await show("bbbb")).toMatch(/ledger\.store is memory.*it does not know the job/);
  const nobody = ["jobs", "--set", `admin.port=${await freePort()}`, "show", ids[0] ?? ""];
  expect((await cli(nobody, directory)).err).toMatch(
    /only the running daemon knows its jobs, and no daemon answers at/,
  );
});

it.each([
  [
    "a wrong token",
    401,
    { error: "the bearer token is missing or wrong" },
    /answered 401: .* wrong \(set admin\.token/,
  ],
  ["another program", 200, { jobs: [] }, /a program that is not partnerd listens at/],
  ["a story that is none", 200, { version: 1, jobId: 5 }, /a program that is not partnerd listens at/],
  ["a page", 404, "<p>nothing here", /a program that is not partnerd listens at/],
])("says what to do about an answer of %s", async (_what, status, body, said) => {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  const other = createServer((_request, response) => response.writeHead(status).end(text));
  await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void other.close());
  const { port } = other.address() as { port: number };
  const answer = await cli(["jobs", "show", "j"], configured({ store: "memory" }, port));
  expect(answer).toMatchObject({ code: 1, out: "", err: expect.stringMatching(said) });
});

it("without a daemon tells what the ledger has", async () => {
  const directory = configured({ store: "sqlite", path: "./held.db" }, 0);
  const path = join(directory, "held.db");
  const { rig } = await running(() => ({ kind: "succeeded", summary: "built", outputVariables: { Key: secret } }), {
    ledger: { store: "sqlite", path },
    shutdown: { drainTimeoutMs: 50, cancelGraceMs: 50, reportTimeoutMs: 50 },
  });
  await using _ = rig;
  rig.emulator.fault({ kind: "error", code: "InternalFailure", operations: ["PutJobSuccessResult"] });
  const id = rig.emulator.addJob({ actionType: custom });
  await rig.event("call-retried", ({ fault }) => fault.operation === "PutJobSuccessResult");
  // Beside a daemon whose admin port is off here, and after its end.
  for (const end of [async () => {}, rig.stop]) {
    await end();
    const story = await storyOf(id.slice(0, 8), directory);
    expect(story).toMatchObject({
      source: "ledger",
      jobId: id,
      state: "settled",
      outcome: { kind: "succeeded", summary: "built", outputVariables: { Key: "[not shown]" } },
      chain: [],
      log: { lines: [], leftOut: 0 },
    });
    const { out } = await cli(["jobs", "show", id], directory);
    expect(out).toMatch(
      /\nstate +settled for .*\noutcome +succeeded; summary: built; .*\n\nSTATES\n.*\n\nfrom the ledger/s,
    );
  }
  const { code, err } = await cli(["jobs", "show", "no-such-job"], directory);
  expect([code, err]).toEqual([1, "the ledger holds no job no-such-job\n"]);
});

it("tells jobs of one id in two accounts apart", async () => {
  const directory = configured({ store: "sqlite", path: "./held.db" }, 0);
  const limits = {
    recentMs: 1_000,
    recentMax: 10,
    commitSpacingMs: 0,
    commitTimeoutMs: 10_000,
    probeIntervalMs: 1_000,
  };
  const path = join(directory, "held.db");
  const ledger = await SqliteLedger.open({ ...limits, path, clock: systemClock, onHealth: () => {} });
  const id = "11111111-2222-4333-8444-555555555555";
  for (const account of ["shop", "blog"]) {
    const place = { account: account as AccountName, region: "us-east-1" as Region };
    const lease = await ledger.lease({ ...place, actionType: custom, jobId: id as JobId });
    if (!lease) throw new Error("no lease");
    await ledger.record(lease, { type: "details-received" });
    await ledger.record(lease, { type: "acknowledge-sent", nonce: "1" as Nonce });
    await ledger.release(lease);
  }
  await ledger.close();
  const asked = await cli(["jobs", "show", id], directory);
  expect([asked.code, asked.err]).toEqual([1, expect.stringMatching(/--account (?:shop or blog|blog or shop)/)]);
  for (const account of ["shop", "blog"]) {
    expect(await storyOf(id, directory, "--account", account)).toMatchObject({ jobId: id, account, source: "ledger" });
    const { out } = await cli(["jobs", "show", id, "--account", account], directory);
    expect(out).toMatch(new RegExp(`\naccount +${account}\n`));
  }
});
