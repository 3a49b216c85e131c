// A process that a chaos test kills: it works jobs through an SQLite ledger and says, without a buffer in between,
// what the ledger has promised it. Run from the sources: `node --import <sourceHook> ledger-child.ts PATH …`.
import { writeSync } from "node:fs";
import type { ClientId, JobId, JobKey, Nonce, Region } from "../../src/job/job.js";
import type { JobEvent } from "../../src/job/lifecycle.js";
import { succeeded } from "../../src/job/outcome.js";
import { SqliteLedger } from "../../src/ledger/sqlite/sqlite-ledger.js";
import { systemClock } from "../../src/std/clock.js";

const [path = "", prefix = "job", slots = "8"] = process.argv.slice(2);

/** One line that the parent has even if this process is killed right after it. */
function say(line: string): void {
  const bytes = Buffer.from(`${line}\n`);
  for (let written = 0; written < bytes.length; ) {
    try {
      written += writeSync(1, bytes, written);
    } catch (error) {
      // The parent reads more slowly than we write: there is nothing else to do meanwhile.
      if (!(error instanceof Error && "code" in error && error.code === "EAGAIN")) throw error;
    }
  }
}

function eventsOf(jobId: string): readonly JobEvent[] {
  return [
    { type: "details-received" },
    { type: "acknowledge-sent", nonce: "3" as Nonce },
    { type: "acknowledge-accepted", claim: "ours" },
    { type: "outcome-settled", outcome: succeeded({ summary: `outcome of ${jobId}` }) },
    { type: "report-accepted" },
  ];
}

async function work(ledger: SqliteLedger, jobId: string): Promise<void> {
  const key: JobKey = {
    region: "eu-west-1" as Region,
    actionType: { category: "Test", owner: "ThirdParty", provider: "Acme-Scan", version: "1" },
    jobId: jobId as JobId,
    clientId: "client-1" as ClientId,
  };
  const lease = await ledger.lease(key);
  if (!lease) {
    say(`repeat ${jobId}`);
    return;
  }
  try {
    for (const event of eventsOf(jobId)) {
      say(`try ${jobId} ${event.type}`);
      await ledger.record(lease, event);
      say(`done ${jobId} ${lease.state}`);
    }
  } catch (error) {
    say(`fault ${error instanceof Error ? error.message : String(error)}`);
    if (lease.state !== "detailed") throw error;
    // As the runner does: what could not be written is not asked for.
    await ledger.record(lease, { type: "job-lost", reason: "ledger-unwritable" });
    say(`unasked ${jobId}`);
  } finally {
    await ledger.release(lease);
  }
}

let next = 0;
async function slot(ledger: SqliteLedger): Promise<never> {
  for (;;) {
    try {
      await work(ledger, `${prefix}-${next++}`);
    } catch {
      await systemClock.sleep(10);
    }
  }
}

try {
  const ledger = await SqliteLedger.open({
    path,
    clock: systemClock,
    recentMs: 3_600_000,
    recentMax: 100_000,
    commitSpacingMs: 0,
    commitTimeoutMs: 30_000,
    probeIntervalMs: 50,
    onHealth: ({ writable, reason }) => say(`health ${writable} ${reason ?? ""}`),
  });
  // Under strace the process that the parent started is not this one.
  say(`open ${process.pid}`);
  // A turn of the event loop, counted while the disk is waited for.
  setInterval(() => say("tick"), 20);
  await Promise.all(Array.from({ length: Number(slots) }, () => slot(ledger)));
} catch (error) {
  say(`refused ${error instanceof Error ? error.message : String(error)}`);
}
