// Promise: whoever upgrades from a released version loses nothing. Today's daemon opens the ledger that the release left
// when it died, brings each job to its end, and takes its configuration and variables, or says what to write instead.
// test/fixtures/releases/VERSION holds what that version made itself; its make.mjs says how.
import { copyFileSync, cpSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { PutItemCommand } from "@aws-sdk/client-dynamodb";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { parse } from "yaml";
import { runCli } from "../../src/cli/cli.js";
import { loadConfig } from "../../src/config/load.js";
import { type Emulator, startEmulator } from "../../src/emulator/emulator.js";
import { migrations, pragma } from "../../src/ledger/sqlite/sqlite-schema.js";
import { loadSqlite } from "../../src/std/sqlite.js";
import { startService } from "../fixtures/handlers/service.js";
import { type Dynamo, dynamoRegion, startDynamo } from "../support/dynamo.js";
import { call } from "../support/emulator-client.js";
import { custom, freePort, type RigOptions, startRig, thirdParty } from "../support/rig.js";

const releases = fileURLToPath(new URL("../fixtures/releases/", import.meta.url));
const versions = globSync(join(releases, "*")).map((path) => basename(path));
const clientId = "11111111-2222-4333-8444-555555555555";
const owners = { thirdparty: thirdParty, custom } as const;

interface LeftJob {
  readonly id: string;
  readonly owner: keyof typeof owners;
  /** A name in `ends`, or of a state that asks for nothing. */
  readonly state: string;
}

const interrupted = { failureDetails: { type: "SystemUnavailable", message: expect.stringContaining("terminated") } };
const summary = (text: string) => ({ executionDetails: { summary: text } });
/** What CodePipeline is told of a job, by the state that the release left it in. */
const ends: Readonly<Record<string, unknown>> = {
  acknowledging: summary("by today's service"),
  presumed: interrupted,
  running: interrupted,
  callback: summary("by the service that 0.1.0 asked"),
  succeeded: { executionDetails: { summary: "by 0.1.0", externalExecutionId: "x-1" } },
  failed: { failureDetails: { type: "PermissionError", message: "by 0.1.0" } },
  continued: { continuationToken: "token of 0.1.0", executionDetails: { percentComplete: 40 } },
  presumedsucceeded: summary("by 0.1.0"),
};
/** The jobs that are owed a result. */
function owedBy(version: string): readonly LeftJob[] {
  const left = JSON.parse(readFileSync(join(releases, version, "jobs.json"), "utf8")) as readonly LeftJob[];
  return left.filter(({ state }) => state in ends);
}

it("has what each release made", () => {
  expect(versions).toContain("0.1.0");
});

let dynamo: Dynamo;
beforeAll(async () => {
  dynamo = await startDynamo();
});
afterAll(() => dynamo.close());

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "partnerd-upgrade-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const isPresumed = ({ state }: LeftJob) => state.startsWith("presumed");

/**
 * CodePipeline as it was when the release died: jobs are the worker's, or asked for. Those that were only presumed to be
 * its own never were, and are offered again. The nonces by job.
 */
async function emulated(
  jobs: readonly LeftJob[],
): Promise<{ readonly emulator: Emulator; readonly nonces: ReadonlyMap<string, string> }> {
  const emulator = await startEmulator({});
  onTestFinished(() => emulator.close());
  const { clientToken } = emulator.addClient({ clientId });
  const nonces = new Map<string, string>();
  for (const actionTypeId of Object.values(owners)) emulator.addActionType(actionTypeId);
  for (const job of jobs.toSorted((one, other) => Number(isPresumed(one)) - Number(isPresumed(other)))) {
    const { owner, state, id } = job;
    const actionTypeId = owners[owner];
    const isCustom = owner === "custom";
    emulator.addJob({ actionType: actionTypeId, id, ...(isCustom ? {} : { clientId }) });
    emulator.configure({ redeliveryMs: isPresumed(job) ? 30 : 60_000 });
    const poll = isCustom ? "PollForJobs" : "PollForThirdPartyJobs";
    const { json } = await call(emulator.url, poll, { actionTypeId, maxBatchSize: 10 });
    if (isPresumed(job)) continue;
    const offered = (json["jobs"] as readonly { readonly nonce?: string }[])[0]?.nonce;
    const nonce = offered ?? (await nonceOf(emulator, id, clientToken));
    nonces.set(id, nonce);
    if (state === "acknowledging") continue;
    const acknowledged = isCustom
      ? await call(emulator.url, "AcknowledgeJob", { jobId: id, nonce })
      : await call(emulator.url, "AcknowledgeThirdPartyJob", { jobId: id, nonce, clientToken });
    expect(acknowledged.code).toBe("ok");
  }
  for (const { id } of jobs.filter(isPresumed)) await emulator.waitForJob(id, "Queued");
  emulator.configure({ redeliveryMs: 60_000 });
  return { emulator, nonces };
}

async function nonceOf(emulator: Emulator, jobId: string, clientToken: string): Promise<string> {
  const { json } = await call(emulator.url, "GetThirdPartyJobDetails", { jobId, clientToken });
  return (json["jobDetails"] as { readonly nonce: string }).nonce;
}

/** Today's daemon over the release's ledger: what becomes of each job, and of the ledger. */
async function upgraded(
  emulator: Emulator,
  jobs: readonly LeftJob[],
  ledger: NonNullable<RigOptions["config"]>["ledger"] & object,
): Promise<void> {
  const service = await startService({
    jobs: (_request, answer) => {
      answer.setHeader("content-type", "application/json");
      answer.end('{"kind":"succeeded","summary":"by today\'s service"}');
    },
  });
  onTestFinished(() => service.close());
  const { clientToken } = emulator.addClient({ clientId });
  const port = await freePort();
  await using rig = await startRig({
    sharedEmulator: emulator,
    tokens: { [clientId]: clientToken },
    actionTypes: Object.values(owners).map((type) => ({ ...type, handler: "service" })),
    config: {
      ledger,
      handlers: { service: { kind: "http", url: `${service.url}/jobs`, requestTimeoutMs: 5_000 } },
      admin: { host: "127.0.0.1", port },
    },
  });
  for (const { id } of jobs.filter(({ state }) => state === "callback")) {
    await rig.event("job-started", ({ key }) => key.jobId === id);
    // The handler listens a turn or two after its start was reported.
    let status = 503;
    while (status === 503) status = await delivered(`http://127.0.0.1:${port}/jobs/${id}/outcome`);
    expect(status).toBe(200);
  }
  const asked = new Set<string>();
  for (const { id, state, owner } of jobs) {
    const { result, results, continuedBy } = await emulator.waitForJob(id, "over");
    expect(result?.document, `${owner} ${state}`).toMatchObject(ends[state] as object);
    expect(results.filter(({ answer }) => answer === "accepted")).toHaveLength(1);
    if (state === "acknowledging") asked.add(id);
    // What follows a continuation of the release is today's work.
    if (continuedBy === undefined) continue;
    asked.add(continuedBy);
    const next = await emulator.waitForJob(continuedBy, "over");
    expect(next.result?.document).toMatchObject(ends["acknowledging"] as object);
  }
  const worked = service.requests.map(({ body }) => (JSON.parse(body) as { readonly jobId: string }).jobId);
  expect(worked.toSorted()).toEqual([...asked].toSorted());
  // A result of a job that is presumed ours is the question whether it is.
  const questioned = new Set(jobs.filter(isPresumed).map(({ id }) => id));
  const isQuestion = ({ kind, jobId }: { readonly kind: string; readonly jobId?: string }) =>
    kind === "result-without-acknowledge" && questioned.has(jobId ?? "");
  expect(emulator.violations().filter((each) => !isQuestion(each))).toEqual([]);
  expect(await rig.stop()).toMatchObject({ owed: 0, isRead: true, isDurable: true });
}

async function delivered(url: string): Promise<number> {
  const headers = {
    "content-type": "application/json",
    authorization: "Bearer the-token-that-the-service-was-given",
  };
  const body = '{"kind":"succeeded","summary":"by the service that 0.1.0 asked"}';
  return (await fetch(url, { method: "POST", headers, body })).status;
}

describe.each(versions)("%s", (version) => {
  const place = (name: string) => join(releases, version, name);

  const jobs = owedBy(version);

  it("left jobs in every state in a SQLite file: today's daemon migrates it and settles each", async () => {
    const { emulator, nonces } = await emulated(jobs);
    const path = join(temporaryFolder(), "ledger.db");
    copyFileSync(place("ledger.sqlite"), path);
    const db = new (loadSqlite().DatabaseSync)(path);
    expect(pragma(db, "user_version")).toBeLessThanOrEqual(migrations.length);
    // The nonce that CodePipeline gave then, at this emulator.
    const rename = db.prepare("UPDATE jobs SET nonce = ? WHERE job_id = ? AND nonce = 'NONCE'");
    for (const [id, nonce] of nonces) rename.run(nonce, id);
    db.close();
    await upgraded(emulator, jobs, { store: "sqlite", path });
    const after = new (loadSqlite().DatabaseSync)(path);
    expect(pragma(after, "user_version")).toBe(migrations.length);
    expect(after.prepare("SELECT job_id FROM jobs").all()).toEqual([]);
    after.close();
  });

  it("left jobs in every state in a DynamoDB table: today's daemon takes over and settles each", async () => {
    const { emulator, nonces } = await emulated(jobs);
    const table = await dynamo.createTable();
    const rows = readFileSync(place("table.json"), "utf8");
    for (const Item of JSON.parse(rows) as Record<string, { S: string }>[]) {
      const nonce = nonces.get(Item["pk"]?.S.replace("us-east-1/", "") ?? "") ?? "";
      const record = Item["record"]?.S.replace('"NONCE"', JSON.stringify(nonce));
      const item = record === undefined ? Item : { ...Item, record: { S: record } };
      await dynamo.client.send(new PutItemCommand({ TableName: table, Item: item }));
    }
    const { endpoint } = dynamo;
    await upgraded(emulator, jobs, { store: "dynamodb", leaseMs: 5_000, table, region: dynamoRegion, endpoint });
    for (const { id } of jobs) expect((await dynamo.rowOf(table, `us-east-1/${id}`))?.["owedBy"], id).toBeUndefined();
  });

  /** The release's configuration in a folder of its own, with the secrets that it names. */
  function configured(): string {
    const folder = temporaryFolder();
    cpSync(join(releases, version), folder, { recursive: true });
    const secret = { mode: 0o600 };
    writeFileSync(join(folder, "webhook-secret"), `whsec_${Buffer.alloc(32, 7).toString("base64")}\n`, secret);
    writeFileSync(join(folder, "admin-token"), `${"a".repeat(32)}\n`, secret);
    return folder;
  }

  it("had keys and variables that mean the same today", async () => {
    const directory = configured();
    const { actionTypes, handlers, clientTokens } = parse(readFileSync(place("partnerd.yaml"), "utf8"));
    writeFileSync(join(directory, "few.yaml"), JSON.stringify({ actionTypes, handlers, clientTokens }));
    const environment = JSON.parse(readFileSync(place("variables.json"), "utf8")) as Record<string, string>;
    const read = (file: string, variables: Readonly<Record<string, string>>) =>
      loadConfig({ files: [join(directory, file)], environment: variables, directory, overrides: [] });
    const [byFile, byVariables] = await Promise.all([read("partnerd.yaml", {}), read("few.yaml", environment)]);
    expect(byVariables.config).toEqual(byFile.config);
    expect(byFile.config).toMatchObject({
      actionTypes: expect.arrayContaining([expect.objectContaining({ maxConcurrentJobs: 7, jobTimeoutMs: 2_700_000 })]),
      worker: { maxConcurrentJobs: 60 },
      ledger: { table: "my-ledger", leaseMs: 40_000 },
      retry: { artifact: { maxElapsedMs: Number.POSITIVE_INFINITY }, clientCooldownMs: 50_000 },
    });
  });

  it("had a configuration that check-config takes, handlers included", async () => {
    const printed: string[] = [];
    const io = {
      out: () => {},
      err: (text: string) => void printed.push(text),
      environment: { PATH: process.env["PATH"] },
      directory: configured(),
    };
    expect(await runCli(["check-config"], io), printed.join("")).toBe(0);
  });
});
