// Promise: a job that was only presumed ours and that a later offer confirmed is ours for the next process, too: its
// result is reported at once, whether CodePipeline took it before the kill or not. What a SIGKILL leaves is the ledger's
// files as they are at that moment.
import { cpSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { call } from "../support/emulator-client.js";
import { custom, Gate, type Rig, startRig } from "../support/rig.js";

const settings = {
  redeliveryMs: 300,
  repeatedAcknowledge: "InvalidNonceException",
  freshNonceAtRedelivery: true,
} as const;

/** A job whose acknowledge never arrived: offered again with another nonce, and presumed ours for want of a word. */
async function presumed(rig: Rig): Promise<string> {
  const outage = rig.emulator.fault({ kind: "reset", operations: ["AcknowledgeJob"] });
  const id = rig.emulator.addJob({ actionType: custom });
  await rig.event("call-retried");
  // No poll brings the offer.
  rig.daemon.worker.pause();
  await rig.emulator.waitForJob(id, "Queued");
  outage.remove();
  await rig.event("job-changed", ({ by }) => by === "acknowledge-accepted");
  return id;
}

async function confirmed(rig: Rig): Promise<void> {
  rig.daemon.worker.resume();
  await rig.event("job-changed", ({ by }) => by === "claim-confirmed");
}

it.each([
  ["running", "taken"],
  ["running", "not taken"],
  ["settled", "taken"],
  ["settled", "not taken"],
] as const)("is durable: confirmed while %s, killed when the result was %s", async (when, result) => {
  const gate = new Gate();
  const handle = async () => {
    await gate.enter();
    return { kind: "succeeded", summary: "before the kill" };
  };
  await using rig = await startRig({
    emulator: { settings },
    actionTypes: [custom],
    handle,
    inFolder: (folder) => {
      mkdirSync(join(folder, "ledger"));
      return { ledger: { store: "sqlite", path: join(folder, "ledger", "ledger.db") } };
    },
  });
  const { emulator, folder } = rig;
  const noPut = () => emulator.fault({ kind: "unavailable", operations: ["PutJobSuccessResult"] });
  if (when === "running") noPut();
  const id = await presumed(rig);
  await gate.waiting(1);
  if (when === "running") await confirmed(rig);
  gate.release();
  await rig.event("job-settled");
  if (when === "settled") {
    emulator.fault({ kind: "latency", operations: ["AcknowledgeJob"], ms: 200 });
    const asked = emulator.waitForEvent(
      (event) => event.type === "call-received" && event.call.operation === "AcknowledgeJob",
    );
    const done = confirmed(rig);
    await asked;
    noPut();
    await done;
  }
  await rig.event("call-retried", ({ fault }) => fault.code === "ServiceUnavailable");
  cpSync(join(folder, "ledger"), join(folder, "killed"), { recursive: true });
  rig.daemon.worker.stopNow("killed");
  await rig.stop();
  for (const { id: fault } of emulator.faults()) emulator.removeFault(fault);
  if (result === "taken") {
    const executionDetails = { summary: "before the kill" };
    const { code } = await call(emulator.url, "PutJobSuccessResult", { jobId: id, executionDetails });
    expect(code).toBe("ok");
  }
  await using next = await startRig({
    sharedEmulator: emulator,
    actionTypes: [custom],
    config: { ledger: { store: "sqlite", path: join(folder, "killed", "ledger.db") } },
  });
  expect(await next.event("job-reported")).toMatchObject({ isPresumed: result === "taken" });
  expect(next.count("job-started")).toBe(0);
  const job = emulator.job(id);
  expect([job?.status, job?.results.filter(({ answer }) => answer === "accepted").length]).toEqual(["Succeeded", 1]);
  expect(await next.stop()).toMatchObject({ owed: 0, isRead: true });
});
