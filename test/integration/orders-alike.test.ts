// Promise: what an operator may do with a job goes by the job's state alone: a daemon that works its action type, one
// that does not, and a command line without a daemon give the same answer, and the job ends the same way.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { type Emulator, startEmulator } from "../../src/emulator/emulator.js";
import type { ClientId, JobId, JobKey, Nonce, Region } from "../../src/job/job.js";
import type { JobEvent } from "../../src/job/lifecycle.js";
import type { Order } from "../../src/job/order.js";
import { succeeded } from "../../src/job/outcome.js";
import { call } from "../support/emulator-client.js";
import { startRig, thirdParty } from "../support/rig.js";
import { openSqlite } from "../support/sqlite.js";
import { cli } from "../unit/cli/io.js";

const states = ["acknowledging", "running", "settled"] as const;
type State = (typeof states)[number];
const other = { ...thirdParty, provider: "Acme-Other" } as const;
const byHand: Order = { kind: "fail", message: "our scanner was down" };

interface Answer {
  readonly isTaken: boolean;
  readonly message: string;
}

/** A job as a process left it that died: in its ledger, and at CodePipeline. */
async function left(state: State): Promise<{ emulator: Emulator; folder: string; path: string; id: string }> {
  const emulator = await startEmulator();
  const folder = mkdtempSync(join(tmpdir(), "partnerd-alike-"));
  onTestFinished(async () => {
    await emulator.close();
    rmSync(folder, { recursive: true, force: true });
  });
  for (const type of [thirdParty, other]) emulator.addActionType(type);
  const { url, defaultClient } = emulator;
  const { clientId, clientToken } = defaultClient;
  const id = emulator.addJob({ actionType: thirdParty });
  await call(url, "PollForThirdPartyJobs", { actionTypeId: thirdParty, maxBatchSize: 1 });
  const { json } = await call(url, "GetThirdPartyJobDetails", { jobId: id, clientToken });
  const { nonce } = json["jobDetails"] as { nonce: Nonce };
  if (state !== "acknowledging") await call(url, "AcknowledgeThirdPartyJob", { jobId: id, nonce, clientToken });
  const path = join(folder, "ledger.db");
  const ledger = await openSqlite(path);
  const key: JobKey = {
    region: "us-east-1" as Region,
    actionType: thirdParty,
    jobId: id as JobId,
    clientId: clientId as ClientId,
  };
  const lease = await ledger.lease(key);
  if (!lease) throw new Error("the ledger gave no lease");
  const events: readonly JobEvent[] = [
    { type: "details-received" },
    { type: "acknowledge-sent", nonce },
    { type: "acknowledge-accepted", claim: "ours" },
    { type: "outcome-settled", outcome: succeeded({ summary: "long ago" }) },
  ];
  for (const event of events.slice(0, 2 + states.indexOf(state))) await ledger.record(lease, event);
  await ledger.close();
  return { emulator, folder, path, id };
}

type Left = Awaited<ReturnType<typeof left>>;

function daemon({ emulator, path }: Left, actionType: typeof thirdParty | typeof other) {
  return startRig({
    sharedEmulator: emulator,
    actionTypes: [{ ...actionType, afterCrash: "rerun" }],
    config: { ledger: { store: "sqlite", path } },
    handle: () => ({ kind: "succeeded", summary: "worked again" }),
  });
}

/** Gives the order to a daemon that cannot get anywhere with the job meanwhile. */
async function byDaemon(job: Left, order: Order, actionType: typeof thirdParty | typeof other): Promise<Answer> {
  const outage = job.emulator.fault({ kind: "unavailable", jobId: job.id });
  const polls = ["PollForThirdPartyJobs"];
  const noPolls = job.emulator.fault({ kind: "unavailable", operations: polls });
  await using rig = await daemon(job, actionType);
  // A call that is on its way could get through once the outage ends.
  await rig.event(actionType === thirdParty ? "call-retried" : "worker-started");
  const { kind, message } = await rig.daemon.worker.order({ jobId: job.id }, order);
  if (kind === "taken" && actionType === thirdParty) {
    outage.remove();
    await rig.event(order.kind === "fail" ? "job-reported" : "job-dropped");
  }
  await rig.stop();
  outage.remove();
  noPolls.remove();
  return { isTaken: kind === "taken", message };
}

async function byCommand(job: Left, order: Order): Promise<Answer> {
  const lines = [
    "actionTypes:",
    "  - { category: Test, owner: ThirdParty, provider: Acme-Other, version: '1', regions: [us-east-1], handler: scan }",
    "handlers: { scan: { kind: command, command: ['true'] } }",
    "clientTokens: { source: static, tokens: { 00000000-0000-4000-8000-000000000001: a-client-token } }",
    `ledger: { store: sqlite, path: ${job.path} }`,
    "admin: { port: 0 }",
  ];
  writeFileSync(join(job.folder, "partnerd.yaml"), `${lines.join("\n")}\n`);
  const words = order.kind === "fail" ? ["--message", order.message] : [];
  const { code, out, err } = await cli(["jobs", order.kind, job.id, ...words], job.folder);
  return { isTaken: code === 0, message: `${out}${err}` };
}

const ways: Readonly<Record<string, (job: Left, order: Order) => Promise<Answer>>> = {
  "a daemon that works its type": (job, order) => byDaemon(job, order, thirdParty),
  "a daemon that does not": (job, order) => byDaemon(job, order, other),
  "the command line without a daemon": byCommand,
};

describe.each(states)("a job that is %s", (state) => {
  describe.each(Object.entries(ways))("by %s", (_way, give) => {
    it("is failed, unless its result is fixed", async () => {
      const job = await left(state);
      const answer = await give(job, byHand);
      expect(answer.isTaken).toBe(state !== "settled");
      if (!answer.isTaken) expect(answer.message).toContain(`job ${job.id} already has its result`);
      await using rig = await daemon(job, thirdParty);
      const { result, results } = await job.emulator.waitForJob(job.id, "over");
      expect(result?.document).toMatchObject(
        state === "settled"
          ? { executionDetails: { summary: "long ago" } }
          : { failureDetails: { message: byHand.kind === "fail" && byHand.message } },
      );
      expect(results.filter(({ answer: word }) => word === "accepted")).toHaveLength(1);
      expect(rig.count("job-started")).toBe(0);
    });

    it("is released, and nobody works it again", async () => {
      const job = await left(state);
      expect(await give(job, { kind: "release" })).toMatchObject({ isTaken: true });
      await using rig = await daemon(job, thirdParty);
      await rig.event("worker-started");
      expect([rig.count("job-recovered"), job.emulator.job(job.id)?.results]).toEqual([0, []]);
      expect(await rig.stop()).toMatchObject({ owed: 0 });
    });
  });
});
