// Promise: with a token service over HTTP a new customer is worked within 5 s and without a reload; while the service is
// away known clients are worked as ever, and no job of any other is dropped; a token that was changed costs no job.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import type { Config } from "../../src/config/config.js";
import type { ClientId, ClientToken } from "../../src/job/job.js";
import { Secret } from "../../src/job/secret.js";
import { defaultRetry, type Rig, type RigOptions, startRig, thirdParty } from "../support/rig.js";
import { bearer, startTokenService, type TokenService } from "../support/token-sources.js";

const old = { clientId: "aaaaaaaa-0000-4000-8000-000000000001", clientToken: "first-token-of-old-client" };
const added = { clientId: "bbbbbbbb-0000-4000-8000-000000000002", clientToken: "first-token-of-new-client" };
const cache = { maxAgeMs: 300_000, unknownMaxAgeMs: 10_000, maxEntries: 10_000 };

async function startService(): Promise<TokenService> {
  const service = await startTokenService({ [old.clientId]: old.clientToken });
  onTestFinished(() => service.close());
  return service;
}

function sourceOf({ template }: TokenService): Config["clientTokens"] {
  return { source: "http", url: template, token: new Secret(bearer), cache };
}

async function startWith(clientTokens: Config["clientTokens"], options: RigOptions = {}): Promise<Rig> {
  const rig = await startRig({
    actionTypes: [thirdParty],
    emulator: { settings: { redeliveryMs: 500 } },
    ...options,
    config: { clientTokens, retry: defaultRetry, ...options.config },
  });
  for (const client of [old, added]) rig.emulator.addClient(client);
  return rig;
}

async function works(rig: Rig, { clientId }: { readonly clientId: string }): Promise<void> {
  const id = rig.emulator.addJob({ actionType: thirdParty, clientId });
  expect((await rig.emulator.waitForJob(id, "over")).status).toBe("Succeeded");
}

function showsNoSecret(rig: Rig): void {
  for (const line of [...rig.rawLogs, JSON.stringify(rig.events)]) {
    for (const secret of [old.clientToken, added.clientToken, bearer]) expect(line).not.toContain(secret);
  }
}

it("works the job of a new customer within 5 s after he was added, although it was offered before", async () => {
  const service = await startService();
  await using rig = await startWith(sourceOf(service));
  const id = rig.emulator.addJob({ actionType: thirdParty, clientId: added.clientId });
  const dropped = await rig.event("job-dropped", (event) => event.key.jobId === id);
  expect(dropped.reason).toBe("token-rejected");
  await service.set(added.clientId, added.clientToken);
  const addedMs = performance.now();
  expect((await rig.emulator.waitForJob(id, "over")).status).toBe("Succeeded");
  expect(performance.now() - addedMs).toBeLessThan(5_000);
  showsNoSecret(rig);
});

it("asks the service once for a client, however many jobs he has", async () => {
  const service = await startService();
  await using rig = await startWith(sourceOf(service));
  const ids = rig.emulator.addJobs({ actionType: thirdParty, clientId: old.clientId, count: 40 });
  await rig.emulator.waitFor(() => rig.emulator.counts().Succeeded === ids.length);
  expect(service.asked).toEqual([old.clientId]);
});

it.each([
  ["drops no job", 60_000],
  ["drops no job but those that CodePipeline is about to offer again", 300],
])("%s while the service is away, works known clients as ever, and the others once it is back", async (_, ms) => {
  const service = await startService();
  await using rig = await startWith(sourceOf(service), {
    emulator: { settings: { redeliveryMs: ms } },
    config: { worker: { maxConcurrentJobs: 2 } },
  });
  await works(rig, old);
  await service.setDown(true);
  service.asked.length = 0;
  // More than there are slots.
  const waiting = rig.emulator.addJobs({ actionType: thirdParty, clientId: added.clientId, count: 10 });
  for (const id of waiting) await rig.event("call-retried", (event) => event.key.jobId === id);
  for (let n = 0; n < 10; n++) await works(rig, old);
  await service.set(added.clientId, added.clientToken);
  await service.setDown(false);
  for (const id of waiting) expect((await rig.emulator.waitForJob(id, "over")).status).toBe("Succeeded");
  // An acknowledgement that comes too late for its offer is answered "Queued", which is: available for polling.
  const dropped = rig.events.filter((event) => event.type === "job-dropped").map(({ reason }) => reason);
  expect(dropped.filter((reason) => ms === 60_000 || reason !== "not-ours")).toEqual([]);
  // Ten jobs that tried every 40 ms: each wait of the cache has one look-up.
  expect(service.asked.length).toBeLessThan(15);
  expect(Object.keys(rig.emulator.calls()["GetThirdPartyJobDetails"] ?? {})).toEqual(["ok"]);
  showsNoSecret(rig);
});

it("works with a token that was changed on both sides, and asks once more for it", async () => {
  const service = await startService();
  await using rig = await startWith(sourceOf(service));
  await works(rig, old);
  const renewed = { ...old, clientToken: "second-token-of-old-client" };
  rig.emulator.addClient(renewed);
  await service.set(old.clientId, renewed.clientToken);
  await works(rig, old);
  expect(rig.count("job-dropped")).toBe(0);
  expect(service.asked).toHaveLength(2);
  expect(rig.emulator.calls()["GetThirdPartyJobDetails"]).toEqual({ ok: 2, InvalidClientTokenException: 1 });
  for (const line of rig.rawLogs) expect(line).not.toContain(renewed.clientToken);
});

it("starts while the service is away, and says so", async () => {
  const service = await startService();
  await service.setDown(true);
  await using rig = await startWith(sourceOf(service));
  const id = rig.emulator.addJob({ actionType: thirdParty, clientId: old.clientId });
  await expect.poll(() => rig.logs.map(({ event }) => event)).toContain("client-tokens-unavailable");
  await service.setDown(false);
  expect((await rig.emulator.waitForJob(id, "over")).status).toBe("Succeeded");
  expect(rig.logs.map(({ event }) => event)).toContain("client-tokens-available");
});

it("ends at once when it is stopped while jobs wait for the service", async () => {
  const service = await startService();
  await service.setDown(true);
  await using rig = await startWith(sourceOf(service));
  const id = rig.emulator.addJob({ actionType: thirdParty, clientId: old.clientId });
  await rig.event("call-retried", (event) => event.key.jobId === id);
  await rig.stop();
  expect((await rig.event("job-dropped")).reason).toBe("draining");
});

const fixed = {
  source: "static",
  tokens: { [old.clientId as ClientId]: new Secret(old.clientToken as ClientToken) },
} as const;

async function reload(rig: Rig, clientTokens: Config["clientTokens"]): Promise<void> {
  await rig.daemon.reload(async () => ({ ...rig.config, clientTokens }));
  expect(rig.logs.findLast(({ event }) => event === "reload-finished")).toMatchObject({ needsRestart: [] });
}

it("goes over to a service by a reload, without losing a job", async () => {
  const service = await startService();
  await service.set(added.clientId, added.clientToken);
  await using rig = await startWith(fixed);
  await works(rig, old);
  await reload(rig, sourceOf(service));
  await works(rig, added);
  await works(rig, old);
  expect(service.asked.toSorted()).toEqual([old.clientId, added.clientId]);
  showsNoSecret(rig);
});

it("goes on with known clients when it is reloaded while the service is away", async () => {
  const service = await startService();
  await using rig = await startWith(sourceOf(service));
  await works(rig, old);
  await service.setDown(true);
  await reload(rig, { ...sourceOf(service), cache: { ...cache, maxAgeMs: 1_000 } } as Config["clientTokens"]);
  for (let n = 0; n < 3; n++) await works(rig, old);
  expect(rig.count("job-dropped")).toBe(0);
});

it("loads a token module anew with each reload, and keeps the former one when that cannot be loaded", async () => {
  await using rig = await startWith(fixed);
  const path = join(rig.folder, "tokens.mjs");
  const write = (...clients: (typeof old)[]) => {
    const known = Object.fromEntries(clients.map(({ clientId, clientToken }) => [clientId, clientToken]));
    writeFileSync(path, `export const resolve = (id) => (${JSON.stringify(known)})[id];\n`);
  };
  write(old);
  const source = { source: "module", path, cache } as const;
  await reload(rig, source);
  await works(rig, old);
  write(old, added);
  await reload(rig, source);
  await works(rig, added);
  writeFileSync(path, "export const reslove = 1;\n");
  await rig.daemon.reload(async () => ({ ...rig.config, clientTokens: source }));
  expect(rig.logs.at(-1)).toMatchObject({ event: "reload-rejected" });
  await works(rig, added);
});
