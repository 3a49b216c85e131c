// Promise: while the disk of the ledger is away what was begun is brought to its end, and once it is back the ledger
// holds no trace that says otherwise.
import { mkdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import type { HttpJobDocument } from "../../src/handlers/job-document.js";
import { listJobs } from "../../src/ledger/sqlite/list.js";
import { startService } from "../fixtures/handlers/service.js";
import { freePort, Gate, type Rig, type RigOptions, startRig, thirdParty } from "../support/rig.js";

/** A daemon whose ledger lies in a folder that can be taken away. */
async function startOnDisk(options: RigOptions = {}) {
  const rig = await startRig({
    actionTypes: [thirdParty],
    ...options,
    inFolder: (folder) => {
      mkdirSync(join(folder, "disk"));
      return { ledger: { store: "sqlite", path: join(folder, "disk", "ledger.db") } };
    },
  });
  const disk = join(rig.folder, "disk");
  return {
    rig,
    takeAway: () => renameSync(disk, `${disk}.away`),
    bringBack: () => renameSync(`${disk}.away`, disk),
    held: async () => (await listJobs(join(disk, "ledger.db"))).map(({ state }) => state),
  };
}

/** The disk goes away while a job runs, and its result is accepted. */
async function workWithoutDisk({ rig, takeAway }: Awaited<ReturnType<typeof startOnDisk>>, gate: Gate): Promise<void> {
  const id = rig.emulator.addJob({ actionType: thirdParty });
  await gate.waiting(1);
  takeAway();
  gate.release();
  await hasOneResult(rig, id);
}

/** A handler that succeeds once the gate lets it. */
function succeedsAfter(gate: Gate) {
  return async () => {
    await gate.enter();
    return { kind: "succeeded" };
  };
}

async function hasOneResult(rig: Rig, id: string): Promise<void> {
  await rig.event("job-reported", ({ key }) => key.jobId === id);
  const results = rig.emulator.job(id)?.results ?? [];
  expect(results.filter(({ answer }) => answer === "accepted")).toHaveLength(1);
  expect(rig.emulator.job(id)?.status).toBe("Succeeded");
}

it("holds nothing of a job whose outcome was fixed and accepted while the disk was away", async () => {
  const gate = new Gate();
  const onDisk = await startOnDisk({ handle: succeedsAfter(gate) });
  const { rig, bringBack, held } = onDisk;
  await using _ = rig;
  await workWithoutDisk(onDisk, gate);
  expect(rig.count("ledger-failed")).toBe(2);
  bringBack();
  expect(await rig.stop()).toMatchObject({ owed: 0, isRead: true, isBroken: false });
  expect(await held()).toEqual([]);
});

it("says that a job is held when the disk stays away, for the next start goes on with it", async () => {
  const gate = new Gate();
  const onDisk = await startOnDisk({ handle: succeedsAfter(gate) });
  const { rig, bringBack, held } = onDisk;
  await using _ = rig;
  await workWithoutDisk(onDisk, gate);
  expect(await rig.stop()).toMatchObject({ owed: 1, isRead: true, isBroken: false });
  bringBack();
  expect(await held()).toEqual(["running"]);
});

it.each(["InProgress", "InvalidNonceException"] as const)(
  "goes on asking for a job that may be ours while the disk is away, when a repeated acknowledge answers %s",
  async (repeatedAcknowledge) => {
    const { rig, takeAway, bringBack, held } = await startOnDisk({ emulator: { settings: { repeatedAcknowledge } } });
    await using _ = rig;
    rig.emulator.fault({ kind: "lost-answer", operations: ["AcknowledgeThirdPartyJob"], times: 1 });
    const id = rig.emulator.addJob({ actionType: thirdParty });
    await rig.event("call-retried");
    takeAway();
    await hasOneResult(rig, id);
    expect(rig.count("job-unfinished")).toBe(0);
    bringBack();
    expect(await rig.stop()).toMatchObject({ owed: 0, isRead: true, isBroken: false });
    expect(await held()).toEqual([]);
  },
);

it("asks a service for its outcome no more once CodePipeline has it, though the disk was away when it came", async () => {
  const service = await startService({ jobs: (_request, answer) => void answer.writeHead(202).end() });
  onTestFinished(() => service.close());
  const { rig, takeAway, bringBack, held } = await startOnDisk({
    actionTypes: [{ ...thirdParty, handler: "scan" }],
    config: {
      handlers: { scan: { kind: "http", url: `${service.url}/jobs`, requestTimeoutMs: 1_000 } },
      admin: { host: "127.0.0.1", port: await freePort() },
    },
  });
  await using _ = rig;
  const id = rig.emulator.addJob({ actionType: thirdParty });
  const { callback } = JSON.parse((await service.request(1)).body) as HttpJobDocument;
  await rig.event("callback-awaited");
  takeAway();
  const headers = { "content-type": "application/json", authorization: `Bearer ${callback?.token}` };
  const deliver = async () =>
    (await fetch(callback?.url ?? "", { method: "POST", headers, body: '{"kind":"succeeded"}' })).status;
  expect(await deliver()).toBe(200);
  await hasOneResult(rig, id);
  expect(await deliver()).toBe(409);
  bringBack();
  await rig.stop();
  expect(await held()).toEqual([]);
});
