// Promise: whatever ends a job or a daemon in the middle of a transfer, no part stays in the bucket and no folder on the
// disk, and nothing is reported by whoever lost the job; a drain that is not hurried lets transfers end.
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync, globSync, readdirSync, statSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import type { DynamoLedgerConfig } from "../../src/config/config.js";
import type { HandlerJob } from "../../src/handlers/handler.js";
import { zip } from "../support/archives.js";
import { type Dynamo, dynamoRegion, startDynamo } from "../support/dynamo.js";
import { type Rig, type RigOptions, startRig, thirdParty } from "../support/rig.js";
import { sourceHook } from "../support/source-hook.js";
import type { TransferOrder } from "../support/transfer-child.js";

const patient = { aws: { socketTimeoutMs: 60_000, connectionTimeoutMs: 20_000 } };
const content = randomBytes(9_000_000);
const archive = zip([
  { name: "first", content: "unpacked early" },
  { name: "large.bin", content, method: 0 },
]);
const source = { name: "Source", base64: archive.toString("base64") };

let dynamo: Dynamo;
const children: ChildProcess[] = [];
beforeAll(async () => {
  dynamo = await startDynamo();
});
afterAll(() => dynamo.close());
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

async function leavesNothing(rig: Rig): Promise<void> {
  await rig.stop();
  const { workDir } = rig.config.artifacts;
  expect(existsSync(workDir) ? readdirSync(workDir) : []).toEqual([]);
  expect(rig.emulator.artifacts.uploads()).toEqual([]);
}

const uploading = async (job: HandlerJob) => {
  const folder = join(await job.folder(), "report");
  await mkdir(folder);
  await writeFile(join(folder, "report.bin"), randomBytes(17_000_000));
  await job.output("Report", folder);
  return { kind: "succeeded" };
};
const downloading = async (job: HandlerJob) => {
  await readFile(join(await job.input("Source"), "large.bin"));
  return { kind: "succeeded" };
};

interface Transfer {
  readonly handle: NonNullable<RigOptions["handle"]>;
  /** Stops it for ever, or, where it may end, slows it down. */
  readonly hold: (rig: Rig, isForEver: boolean) => void;
  /** Resolves in its middle. */
  readonly begun: (rig: Rig) => Promise<unknown>;
}

const upload: Transfer = {
  handle: uploading,
  hold: (rig, isForEver) => {
    const parts = { operations: ["UploadPart"], after: 1 };
    rig.emulator.fault(isForEver ? { ...parts, kind: "black-hole" } : { ...parts, kind: "latency", ms: 300 });
  },
  begun: (rig) => rig.emulator.waitFor(() => (rig.emulator.artifacts.uploads()[0]?.parts ?? 0) > 0),
};
const download: Transfer = {
  handle: downloading,
  hold: (rig, isForEver) => {
    const get = { operations: ["GetObject"], times: 1 };
    rig.emulator.fault(isForEver ? { ...get, kind: "stalled-body" } : { ...get, kind: "slow-body", ms: 50 });
  },
  begun: async (rig) => {
    const { workDir } = rig.config.artifacts;
    while (globSync(join(workDir, "*", "*", "inputs", "Source{.unpacking,}", "first")).length === 0) await turn();
  },
};
const transfers = [
  ["an upload", upload],
  ["a download", download],
] as const;
const artifacts = { inputs: [source], outputs: [{ name: "Report" }] };

it.each(transfers)(
  "a lease that is lost in the middle of %s leaves no part and no folder, and reports nothing",
  { timeout: 60_000 },
  async (_what, { handle, hold, begun }) => {
    const table = await dynamo.createTable();
    const endpoint = dynamo.endpoint;
    const ledger: DynamoLedgerConfig = { store: "dynamodb", table, region: dynamoRegion, endpoint, leaseMs: 3_000 };
    await using rig = await startRig({ ...patient, isHeld: true, config: { ledger }, handle });
    hold(rig, true);
    const id = rig.emulator.addJob({ actionType: thirdParty, ...artifacts });
    void rig.run();
    await begun(rig);
    // Others hold this replica for dead: its own next heartbeat tells it so. What it then finds in the table it may
    // take up under its new name; so that it does not, another has the job.
    await dynamo.giveToAnother(table, `us-east-1/${id}`);
    await dynamo.removeReplicas(table);
    expect(await rig.event("job-dropped")).toMatchObject({ from: "running", reason: "taken-over" });
    await leavesNothing(rig);
    expect(rig.emulator.job(id)?.results).toEqual([]);
    expect(rig.events.filter(({ type }) => type === "ledger-failed" || type === "bug")).toEqual([]);
  },
);

it.each(transfers)("a drain in the middle of %s lets it end and the job succeed", async (_what, transfer) => {
  await using rig = await startRig({ ...patient, isHeld: true, handle: transfer.handle });
  transfer.hold(rig, false);
  const id = rig.emulator.addJob({ actionType: thirdParty, ...artifacts });
  void rig.run();
  await transfer.begun(rig);
  await leavesNothing(rig);
  expect(await rig.event("drain-started")).toMatchObject({ inFlight: 1 });
  expect(rig.events.filter(({ type }) => type === "drain-hurried")).toEqual([]);
  expect(rig.emulator.job(id)?.status).toBe("Succeeded");
  if (transfer === upload) expect(rig.emulator.job(id)?.outputs[0]?.uploaded?.bytes).toBeGreaterThan(17_000_000);
});

it("what a daemon leaves that is killed in mid-download is swept by the next start", { timeout: 60_000 }, async () => {
  await using rig = await startRig({ isHeld: true });
  const { workDir } = rig.config.artifacts;
  rig.emulator.fault({ kind: "stalled-body", operations: ["GetObject"], times: 1 });
  rig.emulator.addJob({ actionType: thirdParty, ...artifacts });
  const order: TransferOrder = { url: rig.emulator.url, client: rig.emulator.defaultClient, workDir };
  const script = fileURLToPath(new URL("../support/transfer-child.ts", import.meta.url));
  const child = spawn(process.execPath, ["--import", sourceHook, script, JSON.stringify(order)], {
    stdio: ["pipe", "inherit", "inherit"],
  });
  children.push(child);
  const gone = once(child, "exit");
  const isGone = gone.then(() => Promise.reject(new Error("the child ended by itself")));
  isGone.catch(() => {});
  await Promise.race([download.begun(rig), isGone]);
  child.kill("SIGKILL");
  await gone;
  const left = globSync(join(workDir, "*", "job-*"));
  expect(left).toHaveLength(1);
  expect(statSync(left[0] ?? "").mode & 0o777).toBe(0o700);
  // Another start with the same folder; the rig's own daemon lives, and its run folder stays.
  await using next = await startRig({
    isHeld: true,
    sharedEmulator: rig.emulator,
    inFolder: () => ({ artifacts: rig.config.artifacts }),
  });
  while (existsSync(left[0] ?? "")) await turn();
  expect(next.logs.filter(({ level }) => level === "warn" || level === "error")).toEqual([]);
  await next.stop();
  expect(readdirSync(workDir).filter((name) => !name.endsWith(".lock"))).toHaveLength(1);
  await leavesNothing(rig);
});
