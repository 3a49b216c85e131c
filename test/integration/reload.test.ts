// Promise: a changed configuration comes into force while jobs run, and none of them notices; a wrong one changes
// nothing.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import type { Config } from "../../src/config/config.js";
import type { ClientId, ClientToken, Region } from "../../src/job/job.js";
import { Secret } from "../../src/job/secret.js";
import { dynamoRegion, startDynamo } from "../support/dynamo.js";
import { moduleHandler } from "../support/module-handler.js";
import { custom, Gate, type Rig, startRig, thirdParty } from "../support/rig.js";

/** Puts a changed configuration in force; what came of it. */
async function reload(rig: Rig, change: Partial<Config>): Promise<object> {
  const before = rig.events.length;
  await rig.daemon.reload(async () => ({ ...rig.config, ...change }));
  const told = rig.events.slice(before).filter(({ type }) => type === "reload-finished" || type === "reload-refused");
  expect(told).toHaveLength(1);
  return told[0] ?? {};
}

/** A module handler in the rig's folder that succeeds with this summary. */
function handlerThatSays(rig: Rig, summary: string): Config["handlers"] {
  const path = join(rig.folder, `${summary}.mjs`);
  writeFileSync(path, `export const handler = async () => ({ kind: "succeeded", summary: "${summary}" });\n`);
  return { scripted: moduleHandler(path) };
}

async function summaryOf(rig: Rig, id: string): Promise<string | undefined> {
  const { outcome } = await rig.event("job-reported", ({ key }) => key.jobId === id);
  return outcome.kind === "succeeded" ? outcome.summary : undefined;
}

it("lets a running job end with the handler it began with, and gives the next one the new handler", async () => {
  const gate = new Gate();
  await using rig = await startRig({
    handle: () => gate.enter().then(() => ({ kind: "succeeded", summary: "old" })),
  });
  const running = rig.emulator.addJob({ actionType: thirdParty });
  await gate.waiting(1);
  const handlers = handlerThatSays(rig, "new");
  expect(await reload(rig, { handlers })).toMatchObject({ applied: ["handlers"], needsRestart: [] });
  const next = rig.emulator.addJob({ actionType: thirdParty });
  expect(await summaryOf(rig, next)).toBe("new");
  gate.release();
  expect(await summaryOf(rig, running)).toBe("old");
});

it("works the job that the last poll of a removed action type brings", async () => {
  await using rig = await startRig({ isHeld: true });
  // The emulator hands the job out, and its answer is on its way while the configuration changes.
  rig.emulator.fault({ kind: "latency", operations: ["PollForJobs"], ms: 300, applied: true });
  const id = rig.emulator.addJob({ actionType: custom });
  void rig.run();
  await rig.emulator.waitForJob(id, "Dispatched");
  const actionTypes = rig.config.actionTypes.filter(({ owner }) => owner === "ThirdParty");
  expect(await reload(rig, { actionTypes })).toMatchObject({ applied: ["actionTypes"] });
  expect((await rig.emulator.waitForJob(id, "over")).status).toBe("Succeeded");
  const { removed, added } = await rig.event("pollers-changed");
  expect(removed).toMatchObject([{ actionType: custom }]);
  expect(added).toEqual([]);
  expect(rig.daemon.status().pollers).toMatchObject([{ actionType: "ThirdParty/Test/Acme-Scan/1" }]);
});

it("polls a removed action type no more, and an added one from now on, in other Regions too", async () => {
  await using rig = await startRig({ actionTypes: [thirdParty], regions: ["us-east-1", "eu-west-1"] });
  await rig.event("poll-finished", ({ poller }) => poller.region === "eu-west-1");
  rig.emulator.addActionType({ ...custom, regions: ["us-east-1", "eu-west-1"] });
  const [scan] = rig.config.actionTypes;
  if (!scan) throw new Error("no action type");
  await reload(rig, { actionTypes: [{ ...scan, ...custom, regions: ["eu-west-1" as Region] }] });
  const id = rig.emulator.addJob({ actionType: custom, region: "eu-west-1" });
  expect((await rig.emulator.waitForJob(id, "over")).status).toBe("Succeeded");
  const forgotten = rig.emulator.addJob({ actionType: thirdParty });
  const since = rig.events.length;
  const two = [1, 2].map((n) => rig.event("poll-finished", (event) => rig.events.indexOf(event) >= since + n));
  await Promise.all(two);
  expect(rig.emulator.job(forgotten)?.counts.offers).toBe(0);
});

it("raises and lowers how many jobs run at once", async () => {
  const gate = new Gate();
  await using rig = await startRig({
    actionTypes: [thirdParty],
    config: { worker: { maxConcurrentJobs: 2 } },
    handle: () => gate.enter().then(() => ({ kind: "succeeded" })),
  });
  const actionTypes = rig.config.actionTypes.map((type) => ({ ...type, maxConcurrentJobs: 10 }));
  const ids = rig.emulator.addJobs({ actionType: thirdParty, count: 12 });
  await gate.waiting(2);
  await reload(rig, { worker: { maxConcurrentJobs: 4 }, actionTypes });
  await gate.waiting(4);
  await reload(rig, { worker: { maxConcurrentJobs: 1 }, actionTypes });
  expect(rig.daemon.worker.slots).toMatchObject({ max: 1, busy: 4 });
  const started = () => rig.count("job-started");
  for (let ended = 1; ended <= 3; ended++) {
    gate.release();
    await rig.emulator.waitFor(() => rig.emulator.counts().Succeeded >= ended);
  }
  // Three of four are over and nothing has taken their place.
  expect(started()).toBe(4);
  for (let ended = 4; ended <= ids.length; ended++) {
    await gate.waiting(1);
    // One runs: all that began before it are over.
    expect(started()).toBe(ended);
    gate.release();
    await rig.emulator.waitFor(() => rig.emulator.counts().Succeeded >= ended);
  }
});

it("keeps everything as it is when the new configuration is wrong or cannot be built", async () => {
  await using rig = await startRig();
  const missing: Config["handlers"] = { scripted: moduleHandler(join(rig.folder, "missing.mjs")) };
  expect(await reload(rig, { handlers: missing, polling: { minIntervalMs: 1, maxIntervalMs: 1 } })).toMatchObject({
    type: "reload-refused",
    message: expect.stringContaining("missing.mjs"),
  });
  const noFile = { source: "file", path: join(rig.folder, "no-tokens.yaml") } as const;
  expect(await reload(rig, { clientTokens: noFile })).toMatchObject({ type: "reload-refused" });
  await rig.daemon.reload(() => Promise.reject(new Error("colour is no setting")));
  expect(rig.events.at(-1)).toMatchObject({ type: "reload-refused", message: "colour is no setting" });
  expect(rig.count("pollers-changed")).toBe(0);
  const id = rig.emulator.addJob({ actionType: thirdParty });
  expect((await rig.emulator.waitForJob(id, "over")).status).toBe("Succeeded");
  const [line] = rig.logs.filter(({ event }) => event === "reload-rejected");
  expect(line).toMatchObject({ level: "error" });
});

it("keeps the grace of handlers by which a fleet's lease is reckoned until a restart", async () => {
  const dynamo = await startDynamo();
  onTestFinished(() => dynamo.close());
  const { endpoint } = dynamo;
  const table = await dynamo.createTable();
  const ledger = { store: "dynamodb", table, region: dynamoRegion, endpoint, leaseMs: 30_000 } as const;
  await using fleet = await startRig({ config: { ledger } });
  await using alone = await startRig();
  const shutdown = { ...fleet.config.shutdown, drainTimeoutMs: 7_000, cancelGraceMs: 25_000 };
  expect(await reload(fleet, { shutdown })).toMatchObject({
    applied: ["shutdown"],
    needsRestart: ["shutdown.cancelGrace"],
  });
  expect(await reload(alone, { shutdown })).toMatchObject({
    applied: ["shutdown", "shutdown.cancelGrace"],
    needsRestart: [],
  });
});

it("says what is in force only after a restart, and does not pretend", async () => {
  await using rig = await startRig();
  const log = { level: "info", format: "pretty" } as const;
  const ledger = { store: "sqlite", path: join(rig.folder, "other.db") } as const;
  expect(await reload(rig, { log, ledger })).toMatchObject({
    applied: ["log.level"],
    needsRestart: ["ledger", "log.format"],
  });
  // What waits for a restart is told again: it still differs from what is in force.
  expect(await reload(rig, { log, ledger })).toMatchObject({ applied: [], needsRestart: ["ledger", "log.format"] });
  expect(rig.logs.some(({ level }) => level === "debug")).toBe(true);
  const told = rig.logs.length;
  const id = rig.emulator.addJob({ actionType: thirdParty });
  await rig.emulator.waitForJob(id, "over");
  expect(rig.logs.slice(told).filter(({ level }) => level === "debug")).toEqual([]);
});

it("does not pretend that the artifacts' patience changed, which is the store's from its start on", async () => {
  await using rig = await startRig();
  const { retry } = rig.config;
  const artifact = { ...retry.artifact, maxElapsedMs: 1 };
  expect(await reload(rig, { retry: { ...retry, artifact } })).toMatchObject({
    applied: [],
    needsRestart: ["retry.artifact"],
  });
  const report = { ...retry.report, maxDelayMs: 41 };
  expect(await reload(rig, { retry: { ...retry, artifact, report } })).toMatchObject({
    applied: ["retry"],
    needsRestart: ["retry.artifact"],
  });
});

it("takes on other client tokens, and masks the old ones still", async () => {
  const clientId = "00000000-0000-4000-8000-0000000000aa";
  await using rig = await startRig({
    emulator: { settings: { redeliveryMs: 30 } },
    tokens: { [clientId]: "the-first-token" },
  });
  rig.emulator.addClient({ clientId, clientToken: "the-second-token" });
  const id = rig.emulator.addJob({ actionType: thirdParty, clientId });
  await rig.event("job-dropped", ({ reason }) => reason === "token-rejected");
  const tokens = { [clientId as ClientId]: new Secret("the-second-token" as ClientToken) };
  await reload(rig, { clientTokens: { source: "static", tokens } });
  expect((await rig.emulator.waitForJob(id, "over")).status).toBe("Succeeded");
  expect(rig.rawLogs.join("")).not.toMatch(/the-(first|second)-token/);
});

it("refuses while it drains", async () => {
  const gate = new Gate();
  await using rig = await startRig({ handle: () => gate.enter().then(() => ({ kind: "succeeded" })) });
  const id = rig.emulator.addJob({ actionType: thirdParty });
  await gate.waiting(1);
  const stopped = rig.stop();
  expect(await reload(rig, { worker: { maxConcurrentJobs: 1 } })).toMatchObject({ type: "reload-refused" });
  gate.release();
  expect(await stopped).toMatchObject({ owed: 0 });
  expect(rig.emulator.job(id)?.status).toBe("Succeeded");
});

it("loses nothing when it is told to change again and again under load", async () => {
  await using rig = await startRig({ emulator: { settings: { redeliveryMs: 200 } } });
  const ids = [thirdParty, custom].flatMap((actionType) => rig.emulator.addJobs({ actionType, count: 60 }));
  const both = rig.config.actionTypes;
  for (let round = 0; round < 20; round++) {
    const actionTypes = round % 3 === 0 ? both.slice(0, 1) : both;
    const worker = { maxConcurrentJobs: 2 + (round % 4) };
    await reload(rig, { actionTypes, worker, handlers: handlerThatSays(rig, `round${round}`) });
    await rig.emulator.waitFor(() => rig.emulator.counts().Succeeded >= Math.min(round * 4, 40));
  }
  await reload(rig, {});
  for (const id of ids) expect((await rig.emulator.waitForJob(id, "over")).status).toBe("Succeeded");
  for (const job of rig.emulator.jobs()) {
    expect(job.results.filter((result) => result.answer === "accepted")).toHaveLength(1);
  }
  expect(rig.count("bug")).toBe(0);
});
