// Promise: the console of any replica shows the whole fleet and every job of it, pauses and resumes all of them, and acts on
// a job only where no other replica works on it.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";
import { runCli } from "../../src/cli/cli.js";
import type { DynamoLedgerConfig } from "../../src/config/config.js";
import { type Dynamo, dynamoRegion, startDynamo } from "../support/dynamo.js";
import { custom, freePort, Gate, type Rig, type RigOptions, startRig, thirdParty } from "../support/rig.js";

let dynamo: Dynamo;
beforeAll(async () => {
  dynamo = await startDynamo();
});
afterAll(() => dynamo.close());

interface Fleet extends AsyncDisposable {
  readonly rigs: readonly Rig[];
  readonly ledger: DynamoLedgerConfig;
  start(options?: RigOptions): Promise<Rig>;
}

async function startFleet(count: number, options: RigOptions = {}): Promise<Fleet> {
  const table = await dynamo.createTable();
  const ledger: DynamoLedgerConfig = {
    store: "dynamodb",
    table,
    region: dynamoRegion,
    endpoint: dynamo.endpoint,
    leaseMs: 6_000,
  };
  const rigs: Rig[] = [];
  const start = async (more: RigOptions = {}) => {
    const admin = { host: "127.0.0.1", port: await freePort() };
    const shared = rigs[0] ? { sharedEmulator: rigs[0].emulator } : {};
    const rig = await startRig({
      actionTypes: [thirdParty],
      ...options,
      ...more,
      ...shared,
      config: { ledger, admin, ...options.config },
    });
    rigs.push(rig);
    return rig;
  };
  for (let n = 0; n < count; n++) await start();
  return {
    rigs,
    ledger,
    start,
    [Symbol.asyncDispose]: async () => {
      for (const rig of rigs.toReversed()) await rig[Symbol.asyncDispose]();
    },
  };
}

/** What a browser without scripts does: asks, confirms and reads the result. */
async function act({ daemon }: Rig, fields: Record<string, string>): Promise<string> {
  const url = daemon.adminUrl ?? "";
  const post = (path: string, body: URLSearchParams) =>
    fetch(`${url}${path}`, { method: "POST", body, headers: { origin: url }, redirect: "manual" });
  const asked = await (await post("/actions/confirm", new URLSearchParams(fields))).text();
  const [, token = ""] = /name="token" value="([^"]*)"/.exec(asked) ?? [];
  const done = await post("/actions", new URLSearchParams({ ...fields, token }));
  expect(done.status).toBe(303);
  return (await fetch(`${url}${done.headers.get("location")}`)).text();
}

const read = async ({ daemon }: Rig, path: string) => (await fetch(`${daemon.adminUrl}${path}`)).text();

/** Looks again and again until the page says so. */
async function says(rig: Rig, path: string, what: RegExp): Promise<string> {
  const endMs = performance.now() + 20_000;
  for (;;) {
    const text = await read(rig, path);
    if (what.test(text)) return text;
    if (performance.now() > endMs) throw new Error(`${path} never says ${what}: ${text}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

it("is paused and resumed as a whole, from any replica and from the command line, also for who starts later", {
  timeout: 60_000,
}, async () => {
  await using fleet = await startFleet(2);
  const [one, other] = fleet.rigs as [Rig, Rig];
  expect(await act(one, { do: "fleet-pause", back: "/fleet" })).toContain("The fleet is paused: each replica stops");
  await says(other, "/readyz", /"reason":"fleet-paused"/);
  expect(await read(other, "/metrics")).toMatch(/^partnerd_fleet_paused 1$/m);
  expect(await read(other, "/")).toMatch(/<h1[^>]*>The fleet is paused since/);
  const late = await fleet.start();
  await says(late, "/readyz", /fleet-paused/);
  expect(late.count("poll-finished")).toBe(0);
  const id = one.emulator.addJob({ actionType: thirdParty });
  const polls = fleet.rigs.map((rig) => rig.count("poll-finished"));
  const out: string[] = [];
  const file = fileFor(fleet, one.folder);
  const cli = (...args: string[]) =>
    runCli([...args, "-c", file], {
      out: (text) => void out.push(text),
      err: (text) => void out.push(text),
      environment: process.env,
      directory: one.folder,
    });
  expect([await cli("fleet"), out.join("")]).toEqual([0, expect.any(String)]);
  expect(out.join("")).toMatch(
    /^the fleet is paused since .* by the console \(127\.0\.0\.1\); partnerd fleet resume ends it\nREPLICA +STATE/,
  );
  expect(out.join("").match(/ (?:working|alive) /g)).toHaveLength(3);
  expect(fleet.rigs.map((rig) => rig.count("poll-finished"))).toEqual(polls);
  expect(one.emulator.job(id)?.status).not.toBe("Succeeded");
  expect(await cli("fleet", "resume")).toBe(0);
  await one.emulator.waitForJob(id, "over");
  await says(late, "/readyz", /"ready":true/);
  expect(other.logs.map(({ event }) => event)).toEqual(expect.arrayContaining(["fleet-paused", "fleet-resumed"]));
  expect(one.logs.find(({ event }) => event === "operator-acted")).toMatchObject({
    action: "fleet-pause",
    from: "127.0.0.1",
  });
});

/** A configuration of the same table, for a command. */
function fileFor({ ledger: { table, region, endpoint } }: Fleet, folder: string): string {
  const file = join(folder, "fleet.json");
  const { owner, category, provider, version } = custom;
  const actionTypes = [{ owner, category, provider, version, handler: "none" }];
  const handlers = { none: { kind: "command", command: ["/bin/true"] } };
  const ledger = { store: "dynamodb", table, region, endpoint };
  writeFileSync(file, JSON.stringify({ regions: ["us-east-1"], actionTypes, handlers, ledger }));
  return file;
}

it("shows every replica and every job, and leaves alone what another replica works on", {
  timeout: 60_000,
}, async () => {
  const gate = new Gate();
  await using fleet = await startFleet(2, {
    handle: async () => {
      await gate.enter();
      return { kind: "succeeded" };
    },
  });
  onTestFinished(() => gate.release(10));
  const [one, other] = fleet.rigs as [Rig, Rig];
  const ids = ["job-a", "job-b", "job-c", "job-d"].map((id) => one.emulator.addJob({ actionType: thirdParty, id }));
  await gate.waiting(4);
  const page = await says(one, "/fleet", /job-d/);
  for (const id of ids) expect(page).toContain(`us-east-1/${id}`);
  await says(one, "/fleet", /2 replicas: 2 at work/);
  const mine = (rig: Rig) => rig.daemon.status().jobs.map(({ jobId }) => jobId);
  expect([...mine(one), ...mine(other)].sort()).toEqual(ids);
  // Whoever polled first may have them all.
  const [holder, stranger] = mine(one).length > 0 ? [one, other] : [other, one];
  const [id = ""] = mine(holder);
  const fields = { do: "fail", job: `us-east-1/${id}`, message: "not today", type: "SystemUnavailable" };
  const refused = await act(stranger, fields);
  expect(refused).toContain("Nothing was done: 1 job not failed");
  expect(refused).toMatch(/is held by process \d+ on host/);
  expect(await act(holder, fields)).toContain("1 job failed");
  const job = await one.emulator.waitForJob(id, "over");
  expect(job.result?.document).toMatchObject({ failureDetails: { message: "not today", type: "SystemUnavailable" } });
});

it("says that there is one daemon where the ledger is shared with nobody", async () => {
  const admin = { host: "127.0.0.1", port: await freePort() };
  await using rig = await startRig({ actionTypes: [thirdParty], config: { admin } });
  expect(await read(rig, "/fleet")).toContain("One daemon, no fleet");
  expect(await act(rig, { do: "fleet-pause" })).toContain("This daemon shares its ledger with no other");
});
