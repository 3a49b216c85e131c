// Promise: `partnerd jobs` shows what is held in every ledger, and its `fail` and `release` reach the job wherever it
// is: through the daemon that runs, or in the ledger when none does; a replica that lives is never overruled.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { UpdateItemCommand } from "@aws-sdk/client-dynamodb";
import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";
import { startEmulator } from "../../src/emulator/emulator.js";
import type { ClientId, JobId, JobKey, Nonce, Region } from "../../src/job/job.js";
import { Secret } from "../../src/job/secret.js";
import type { Ledger } from "../../src/ledger/ledger.js";
import { systemClock } from "../../src/std/clock.js";
import { type Dynamo, dynamoRegion, startDynamo } from "../support/dynamo.js";
import { call } from "../support/emulator-client.js";
import { freePort, Gate, type RigOptions, startRig, thirdParty } from "../support/rig.js";
import { openSqlite } from "../support/sqlite.js";
import { cli } from "../unit/cli/io.js";

const token = "the-token-of-the-operator";
let dynamo: Dynamo;
beforeAll(async () => {
  dynamo = await startDynamo();
});
afterAll(() => dynamo.close());

/** A folder with a configuration of this ledger and this admin port. */
function configured(ledger: string, port: number): string {
  const folder = mkdtempSync(join(tmpdir(), "partnerd-jobs-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const lines = [
    "actionTypes:",
    "  - { category: Test, owner: ThirdParty, provider: Acme-Scan, version: '1', regions: [us-east-1], handler: scan }",
    "handlers: { scan: { kind: command, command: ['true'] } }",
    "clientTokens: { source: static, tokens: { 00000000-0000-4000-8000-000000000001: a-client-token } }",
    `ledger: ${ledger}`,
    `admin: { port: ${port}, token: ${token} }`,
  ];
  writeFileSync(join(folder, "partnerd.yaml"), `${lines.join("\n")}\n`);
  return folder;
}

async function running(options: RigOptions) {
  const port = await freePort();
  const gate = new Gate();
  const handle = async () => {
    await gate.enter();
    return { kind: "succeeded" };
  };
  const admin = { host: "127.0.0.1", port, token: new Secret(token) };
  const rig = await startRig({ handle, ...options, config: { ...options.config, admin } });
  return { rig, port, gate };
}

it("fails a job through the daemon that runs, and only with its token", async () => {
  const directory = configured("{ store: sqlite, path: ./held.db }", 0);
  const { rig, port, gate } = await running({
    config: { ledger: { store: "sqlite", path: join(directory, "held.db") } },
  });
  await using _ = rig;
  const id = rig.emulator.addJob({ actionType: thirdParty });
  await gate.waiting(1);
  const fail = ["jobs", "fail", id, "--message", "our scanner was down"];
  const off = await cli(fail, directory);
  expect(off.code).toBe(1);
  expect(off.err).toMatch(/^a daemon runs, but the admin port is off .*; nothing is changed; caused by: .* in use by /);
  const at = ["--set", `admin.port=${port}`];
  const asked = ["jobs", ...at, ...fail.slice(1)];
  const wrong = await cli(asked, directory, { PARTNERD_ADMIN_TOKEN: "another-token-than-the-daemons" });
  expect(wrong).toMatchObject({ code: 1, err: expect.stringMatching(/answered 401.*admin\.token/) });
  const { code, out, err } = await cli(asked, directory);
  expect({ code, err }).toEqual({ code: 0, err: "" });
  expect(out).toMatch(new RegExp(`^job ${id} failed: stopping its handler`));
  const job = await rig.emulator.waitForJob(id, "over");
  expect(job.result?.document).toMatchObject({ failureDetails: { message: "our scanner was down" } });
});

it("shows and releases the jobs of a daemon that keeps them in memory", async () => {
  const { rig, port, gate } = await running({});
  await using _ = rig;
  const directory = configured("{ store: memory }", port);
  const id = rig.emulator.addJob({ actionType: thirdParty });
  await gate.waiting(1);
  const listed = JSON.parse((await cli(["jobs", "--json"], directory)).out) as object[];
  expect(listed).toMatchObject([{ jobId: id, region: "us-east-1", standing: "running", state: "running" }]);
  expect((await cli(["jobs"], directory)).out).toMatch(new RegExp(`${id} +running .*\n1 held, 0 of them`));
  expect(await cli(["jobs", "release", id.slice(0, 8)], directory)).toMatchObject({
    code: 0,
    out: expect.stringMatching(`^job ${id} released: `),
  });
  expect(await rig.event("job-dropped")).toMatchObject({ reason: "released" });
  expect(await cli(["jobs", "release", "nobody"], directory)).toMatchObject({
    code: 1,
    err: expect.stringMatching(/answered 404: this daemon has no job with that id/),
  });
  const nobody = ["jobs", "--set", `admin.port=${await freePort()}`];
  expect(await cli(nobody, directory)).toMatchObject({
    code: 1,
    err: expect.stringMatching(/no daemon answers at .*REFUSED/),
  });
});

it.each([
  [
    "{ store: memory }",
    ["jobs"],
    /only the running daemon knows its jobs, and a program that is not partnerd listens at /,
  ],
  [
    "{ store: sqlite, path: ./held.db }",
    ["jobs", "release", "j"],
    /^a program that is not partnerd listens at .*admin\.port=0$/m,
  ],
])("says with %s that somebody else listens at the admin port, and what to do", async (ledger, argv, said) => {
  const other = createServer((_request, response) => response.writeHead(404).end("<p>nothing here"));
  await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void other.close());
  const { port } = other.address() as { port: number };
  expect(await cli(argv, configured(ledger, port))).toMatchObject({
    code: 1,
    out: "",
    err: expect.stringMatching(said),
  });
});

it("fails a job whose acknowledgement was never answered, so that the next start reports it", async () => {
  const emulator = await startEmulator();
  onTestFinished(() => emulator.close());
  emulator.addActionType(thirdParty);
  const directory = configured("{ store: sqlite, path: ./held.db }", 0);
  const path = join(directory, "held.db");
  const id = emulator.addJob({ actionType: thirdParty });
  await call(emulator.url, "PollForThirdPartyJobs", { actionTypeId: thirdParty, maxBatchSize: 1 });
  const ledger = await openSqlite(path);
  await hold(ledger, keyOf(id, emulator.defaultClient.clientId), "acknowledging");
  await ledger.close();
  expect(await cli(["jobs", "fail", id, "--message", "down"], directory)).toMatchObject({ code: 0, err: "" });
  await using rig = await startRig({ sharedEmulator: emulator, config: { ledger: { store: "sqlite", path } } });
  const job = await emulator.waitForJob(id, "over");
  expect(job.result?.document).toMatchObject({ failureDetails: { message: "down" } });
  expect(rig.count("job-started")).toBe(0);
});

it("shows who holds a job of a fleet, and ends it only when its replica is dead", { timeout: 30_000 }, async () => {
  const table = await dynamo.createTable();
  const directory = configured(
    `{ store: dynamodb, table: ${table}, region: ${dynamoRegion}, endpoint: '${dynamo.endpoint}' }`,
    0,
  );
  const replica = await dynamo.open({ table, clock: systemClock, leaseMs: 600 });
  const client = "00000000-0000-4000-8000-000000000001";
  for (const id of ["fails", "goes"]) await hold(replica, keyOf(id, client), "running");
  const list = async () => JSON.parse((await cli(["jobs", "--json"], directory)).out) as Record<string, unknown>[];
  expect(await list()).toMatchObject([
    { jobId: "fails", standing: "running", heldBy: { pid: process.pid, leaseEnds: expect.stringMatching(/^20/) } },
    { jobId: "goes", standing: "running" },
  ]);
  expect((await cli(["jobs"], directory)).out).toMatch(/ HELD BY\n.* pid \d+, lease end/);
  const fail = ["jobs", "fail", "fails", "--message", "down"];
  expect(await cli(fail, directory)).toMatchObject({
    code: 1,
    out: "",
    err: expect.stringMatching(/is held by process \d+ on host .* is alive: use that daemon/),
  });
  // It holds jobs, so its row stays, as after a kill.
  await replica.close();
  expect(await cli(fail, directory)).toMatchObject({ code: 0, out: expect.stringMatching(/^job fails failed: /) });
  expect(await list()).toMatchObject([{ jobId: "fails", standing: "owed", outcome: "failed" }, { jobId: "goes" }]);
  expect((await list())[0]).not.toHaveProperty("heldBy");
  expect(await cli(fail, directory)).toMatchObject({ code: 1, err: expect.stringMatching(/already has its result/) });
  expect(await cli(["jobs", "release", "goes"], directory)).toMatchObject({ code: 0 });
  expect(await list()).toMatchObject([{ jobId: "fails" }]);
  expect(await cli(["jobs", "release", "goes"], directory)).toMatchObject({ code: 1, out: "" });
});

it("takes a beginning of an id in a fleet, which only the table knows to be unique", { timeout: 30_000 }, async () => {
  const table = await dynamo.createTable();
  const at = { table, region: dynamoRegion, endpoint: dynamo.endpoint };
  const { rig, port, gate } = await running({ config: { ledger: { store: "dynamodb", ...at, leaseMs: 20_000 } } });
  await using _ = rig;
  const directory = configured(
    `{ store: dynamodb, table: ${table}, region: ${at.region}, endpoint: '${at.endpoint}' }`,
    port,
  );
  rig.emulator.addJob({ actionType: thirdParty, id: "cdcad7a0-here" });
  await gate.waiting(1);
  // For as long as its lease is, the command waits to see whether it lives.
  const replica = await dynamo.open({ table, clock: systemClock, leaseMs: 6_000 });
  await hold(replica, keyOf("cdcad7a1-there", rig.emulator.defaultClient.clientId), "running");
  const release = (id: string) => cli(["jobs", "release", id], directory);
  expect(await release("cdcad7a")).toMatchObject({
    code: 1,
    err: expect.stringMatching(/-here, .*-there;|-there, .*-here;/),
  });
  expect(await release("cdcad7a1")).toMatchObject({
    code: 1,
    err: expect.stringMatching(/which is alive: use that daemon/),
  });
  expect(await release("cdcad7a0")).toMatchObject({
    code: 0,
    out: expect.stringMatching(/^job cdcad7a0-here released: /),
  });
  expect(await rig.event("job-dropped")).toMatchObject({ reason: "released" });
  await replica.close();
});

it("lists a damaged row of a fleet as what it is, beside the others", { timeout: 30_000 }, async () => {
  const table = await dynamo.createTable();
  const at = `table: ${table}, region: ${dynamoRegion}, endpoint: '${dynamo.endpoint}'`;
  const directory = configured(`{ store: dynamodb, ${at} }`, 0);
  const replica = await dynamo.open({ table, clock: systemClock });
  const client = "00000000-0000-4000-8000-000000000001";
  for (const id of ["bad", "good"]) await hold(replica, keyOf(id, client), "running");
  const Key = { pk: { S: "us-east-1/bad" }, sk: { S: "job" } };
  const damage = { UpdateExpression: "SET #r = :r", ExpressionAttributeNames: { "#r": "record" } };
  await dynamo.client.send(
    new UpdateItemCommand({ TableName: table, Key, ...damage, ExpressionAttributeValues: { ":r": { S: "{" } } }),
  );
  const { code, out } = await cli(["jobs", "--json"], directory);
  expect(code).toBe(0);
  expect(JSON.parse(out)).toMatchObject([
    { jobId: "bad", region: "us-east-1", standing: "damaged", state: "damaged" },
    { jobId: "good", standing: "running" },
  ]);
  expect((await cli(["jobs"], directory)).out).toMatch(/bad +damaged row +- +- /);
  expect(await cli(["jobs", "release", "bad"], directory)).toMatchObject({
    code: 1,
    err: expect.stringMatching(/us-east-1\/bad has no usable record; no replica uses it: correct the row/),
  });
  await replica.close();
});

/** Takes a job as far as told and leaves it, as a crash would. */
async function hold(ledger: Ledger, key: JobKey, until: "acknowledging" | "running"): Promise<void> {
  const lease = await ledger.lease(key);
  if (!lease) throw new Error("the ledger gave no lease");
  await ledger.record(lease, { type: "details-received" });
  await ledger.record(lease, { type: "acknowledge-sent", nonce: "3" as Nonce });
  if (until === "running") await ledger.record(lease, { type: "acknowledge-accepted", claim: "ours" });
}

function keyOf(id: string, clientId: string): JobKey {
  const region = "us-east-1" as Region;
  return { region, actionType: thirdParty, jobId: id as JobId, clientId: clientId as ClientId };
}
