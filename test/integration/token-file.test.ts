// Promise: the client token file may be changed, broken, taken away and swapped while the daemon runs: who has a good
// token is worked, a broken version changes nothing, and a client that is added later gets its jobs worked.
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { defaultRetry, Gate, type Rig, type RigOptions, startRig, thirdParty } from "../support/rig.js";

const old = { clientId: "aaaaaaaa-0000-4000-8000-000000000001", clientToken: "first-token-of-old-client" };
const added = { clientId: "bbbbbbbb-0000-4000-8000-000000000002", clientToken: "first-token-of-new-client" };
/** Nobody's: a job of his makes the daemon look at the file. */
const stranger = { clientId: "cccccccc-0000-4000-8000-000000000003", clientToken: "token-of-a-stranger" };

type Client = typeof old;

/** A job whose token cannot be had is soon left to be offered again. */
const retry = { ...defaultRetry, details: { ...defaultRetry.details, maxElapsedMs: 100 }, clientCooldownMs: 20 };

function documentOf(...clients: readonly Client[]): string {
  return clients.map(({ clientId, clientToken }) => `${clientId}: ${clientToken}\n`).join("");
}

/** Puts a whole new version in place in one step. */
function replace(path: string, text: string): void {
  writeFileSync(`${path}.new`, text, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "partnerd-tokens-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A daemon that reads its tokens from the file, and an emulator that knows three clients. */
async function startWith(path: string, options: RigOptions = {}): Promise<Rig> {
  const rig = await startRig({
    actionTypes: [thirdParty],
    emulator: { settings: { redeliveryMs: 200 } },
    ...options,
    config: { clientTokens: { source: "file", path }, retry, ...options.config },
  });
  for (const client of [old, added, stranger]) rig.emulator.addClient(client);
  return rig;
}

async function works(rig: Rig, { clientId }: Client): Promise<void> {
  const id = rig.emulator.addJob({ actionType: thirdParty, clientId });
  expect((await rig.emulator.waitForJob(id, "over")).status).toBe("Succeeded");
}

async function refuses(rig: Rig, { clientId }: Client): Promise<string> {
  const id = rig.emulator.addJob({ actionType: thirdParty, clientId });
  const dropped = await rig.event("job-dropped", (event) => event.key.jobId === id);
  expect(dropped.reason).toBe("token-rejected");
  return id;
}

/** A job of a client of whom the file cannot say whether it has a token: it waits. */
async function keepsWaiting(rig: Rig, { clientId }: Client): Promise<string> {
  const id = rig.emulator.addJob({ actionType: thirdParty, clientId });
  await rig.event("call-retried", ({ key, fault }) => key.jobId === id && fault.kind === "token-unavailable");
  return id;
}

/** The events of the log lines about the file. */
function toldOfFile(rig: Rig): readonly string[] {
  return rig.logs.map((line) => String(line["event"])).filter((event) => event.startsWith("client-tokens-"));
}

function showsNoToken(rig: Rig, ...more: readonly string[]): void {
  const tokens = [old.clientToken, added.clientToken, stranger.clientToken, ...more];
  for (const line of [...rig.rawLogs, JSON.stringify(rig.events)]) {
    for (const token of tokens) expect(line).not.toContain(token);
  }
}

it("works the waiting jobs of a client as soon as its token is added", async () => {
  const path = join(makeFolder(), "tokens.yaml");
  writeFileSync(path, documentOf(old));
  await using rig = await startWith(path);
  const waiting = await refuses(rig, added);
  await works(rig, old);
  replace(path, documentOf(old, added));
  expect((await rig.emulator.waitForJob(waiting, "over")).status).toBe("Succeeded");
  await works(rig, added);
  showsNoToken(rig);
});

it("works with a token that was changed on both sides, without losing a job", async () => {
  const path = join(makeFolder(), "tokens.yaml");
  writeFileSync(path, documentOf(old));
  await using rig = await startWith(path, { emulator: {} });
  await works(rig, old);
  const renewed = { ...old, clientToken: "second-token-of-old-client" };
  rig.emulator.addClient(renewed);
  replace(path, documentOf(renewed));
  await works(rig, renewed);
  expect(rig.events.filter(({ type }) => type === "job-dropped")).toEqual([]);
  expect(rig.emulator.calls()["GetThirdPartyJobDetails"]).toEqual({ ok: 2, InvalidClientTokenException: 1 });
  showsNoToken(rig, renewed.clientToken);
});

it("reports a job with the new token when the token was changed while it ran", async () => {
  const path = join(makeFolder(), "tokens.yaml");
  writeFileSync(path, documentOf(old));
  const gate = new Gate();
  await using rig = await startWith(path, {
    handle: async () => {
      await gate.enter();
      return { kind: "succeeded" };
    },
  });
  const id = rig.emulator.addJob({ actionType: thirdParty, clientId: old.clientId });
  await gate.waiting(1);
  const renewed = { ...old, clientToken: "second-token-of-old-client" };
  rig.emulator.addClient(renewed);
  replace(path, documentOf(renewed));
  gate.release();
  expect((await rig.emulator.waitForJob(id, "over")).status).toBe("Succeeded");
  showsNoToken(rig, renewed.clientToken);
});

it.each([
  ["no YAML", `${old.clientId}: "unclosed\n`],
  ["a list", `- ${old.clientToken}\n`],
  ["empty", ""],
  ["cut in the middle", `${documentOf(old)}${added.clientId.slice(0, 20)}`],
  ["a token that is too long", `${documentOf(old)}${added.clientId}: ${"t".repeat(257)}\n`],
  ["a client id in the place of a token", `${old.clientToken}: ${old.clientId}\n`],
  ["binary", "\0\u0001\ufffd".repeat(100)],
])("keeps the earlier tokens when a new version is %s, says so, and takes the next good one", async (_what, broken) => {
  const path = join(makeFolder(), "tokens.yaml");
  writeFileSync(path, documentOf(old));
  // Offered once: another offer in between would bring another nonce.
  await using rig = await startWith(path, { emulator: {} });
  await works(rig, old);
  replace(path, broken);
  const waiting = await keepsWaiting(rig, added);
  await works(rig, old);
  expect(toldOfFile(rig).filter((event) => event === "client-tokens-rejected")).toHaveLength(1);
  replace(path, documentOf(old, added));
  expect((await rig.emulator.waitForJob(waiting, "over")).status).toBe("Succeeded");
  await works(rig, old);
  expect(toldOfFile(rig).includes("client-tokens-reloaded")).toBe(true);
  expect(rig.events.filter(({ type }) => type === "job-dropped")).toEqual([]);
  showsNoToken(rig);
});

it("keeps the tokens of a file that vanished, says so once, and notices when it is back", async () => {
  const path = join(makeFolder(), "tokens.yaml");
  writeFileSync(path, documentOf(old));
  await using rig = await startWith(path);
  await works(rig, old);
  unlinkSync(path);
  const waiting = await keepsWaiting(rig, added);
  await works(rig, old);
  await works(rig, old);
  expect(toldOfFile(rig).filter((event) => event === "client-tokens-missing")).toHaveLength(1);
  replace(path, documentOf(old, added));
  expect((await rig.emulator.waitForJob(waiting, "over")).status).toBe("Succeeded");
  expect(toldOfFile(rig).filter((event) => event === "client-tokens-restored")).toHaveLength(1);
});

it("follows a link that is switched from one folder to the next, as Kubernetes does it", async () => {
  const folder = makeFolder();
  const version = (name: string, text: string) => {
    mkdirSync(join(folder, name));
    writeFileSync(join(folder, name, "tokens.yaml"), text);
  };
  const pointTo = (name: string) => {
    symlinkSync(name, join(folder, "..data_tmp"));
    renameSync(join(folder, "..data_tmp"), join(folder, "..data"));
  };
  version("..v1", documentOf(old));
  pointTo("..v1");
  symlinkSync("..data/tokens.yaml", join(folder, "tokens.yaml"));
  await using rig = await startWith(join(folder, "tokens.yaml"));
  await works(rig, old);
  const waiting = await refuses(rig, added);
  version("..v2", documentOf(old, added));
  pointTo("..v2");
  rmSync(join(folder, "..v1"), { recursive: true });
  expect((await rig.emulator.waitForJob(waiting, "over")).status).toBe("Succeeded");
  expect(toldOfFile(rig).filter((event) => /missing|rejected/.test(event))).toEqual([]);
});

it("works no job of a client whose token was taken out, and goes on with the others", async () => {
  const path = join(makeFolder(), "tokens.yaml");
  writeFileSync(path, documentOf(old, added));
  await using rig = await startWith(path);
  await works(rig, added);
  replace(path, documentOf(old));
  await refuses(rig, stranger);
  await refuses(rig, added);
  await works(rig, old);
  expect(rig.emulator.calls()["PutThirdPartyJobFailureResult"]).toBeUndefined();
});

it("loses no job while the file is replaced a hundred times, broken every third time", async () => {
  const path = join(makeFolder(), "tokens.yaml");
  writeFileSync(path, documentOf(old));
  await using rig = await startWith(path);
  const ids = rig.emulator.addJobs({ actionType: thirdParty, clientId: old.clientId, count: 60 });
  const strangers = rig.emulator.addJobs({ actionType: thirdParty, clientId: stranger.clientId, count: 20 });
  for (let n = 0; n < 100; n++) {
    replace(path, n % 3 === 0 ? "{" : documentOf(old, added));
    await new Promise((resolve) => setImmediate(resolve));
  }
  replace(path, documentOf(old, added));
  await rig.emulator.waitFor(() => rig.emulator.counts().Succeeded === ids.length);
  for (const id of strangers) expect(rig.emulator.job(id)?.counts.acknowledges).toBe(0);
  await works(rig, added);
});

it("holds up nobody while the file is broken and many jobs of a client that it lacks are offered", async () => {
  const path = join(makeFolder(), "tokens.yaml");
  writeFileSync(path, documentOf(old));
  // As patient with details as a daemon of every day: a job that held its slot so long would stop the others.
  const patient = { retry: { ...retry, details: { ...retry.details, maxElapsedMs: 600_000 } } };
  await using rig = await startWith(path, { config: { ...patient, worker: { maxConcurrentJobs: 2 } } });
  replace(path, "{");
  const strangers = rig.emulator.addJobs({ actionType: thirdParty, clientId: stranger.clientId, count: 10 });
  for (const id of strangers) await rig.event("call-retried", (event) => event.key.jobId === id);
  for (let n = 0; n < 5; n++) await works(rig, old);
});

it.each([
  ["is not there", undefined],
  ["is broken", "- a list\n"],
])("does not start while the file %s, and says what to do without a word of its content", async (_what, text) => {
  const path = join(makeFolder(), "tokens.yaml");
  if (text !== undefined) writeFileSync(path, text);
  await expect(startWith(path)).rejects.toThrow(/client token file .*tokens\.yaml cannot be used/);
});
