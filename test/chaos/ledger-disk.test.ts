// A real disk that is full, read-only or damaged: small file systems in memory, so it needs root.
import { execFileSync, spawnSync } from "node:child_process";
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { JobId, JobKey, Nonce, Region } from "../../src/job/job.js";
import type { JobEvent } from "../../src/job/lifecycle.js";
import { type Outcome, succeeded } from "../../src/job/outcome.js";
import type { Lease } from "../../src/ledger/ledger.js";
import { SqliteLedger } from "../../src/ledger/sqlite/sqlite-ledger.js";
import { systemClock } from "../../src/std/clock.js";

let folder: string;
let disk: string;
const opened: SqliteLedger[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "partnerd-disk-"));
  disk = join(folder, "disk");
  mkdirSync(disk);
});
afterEach(async () => {
  for (const ledger of opened.splice(0)) await ledger.close();
  spawnSync("umount", ["-l", disk]);
  rmSync(folder, { recursive: true, force: true });
});

const mountWorks = canMount();
if (!mountWorks) console.warn("skipped: full and read-only disks need root and mount");

function canMount(): boolean {
  const probe = mkdtempSync(join(tmpdir(), "partnerd-mount-"));
  const works = spawnSync("mount", ["-t", "tmpfs", "-o", "size=64k", "partnerd-test", probe]).status === 0;
  if (works) spawnSync("umount", [probe]);
  rmSync(probe, { recursive: true, force: true });
  return works;
}

function mount(size: string): void {
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${size},mode=700`, "partnerd-test", disk]);
}

/** Opens a ledger on the disk; `turned(true)` resolves when it is writable (again). */
async function open() {
  const waits: { writable: boolean; resolve: () => void }[] = [];
  const ledger = await SqliteLedger.open({
    path: join(disk, "ledger.db"),
    clock: systemClock,
    recentMs: 60_000,
    recentMax: 100,
    commitSpacingMs: 0,
    commitTimeoutMs: 30_000,
    probeIntervalMs: 20,
    onHealth: ({ writable }) => {
      for (const wait of waits.splice(0)) if (wait.writable === writable) wait.resolve();
    },
  });
  opened.push(ledger);
  const turned = (writable: boolean) => {
    if (ledger.health().writable === writable) return Promise.resolve();
    return new Promise<void>((resolve) => waits.push({ writable, resolve }));
  };
  return { ledger, turned };
}

function key(jobId: string): JobKey {
  return {
    region: "eu-west-1" as Region,
    actionType: { category: "Test", owner: "Custom", provider: "P", version: "1" },
    jobId: jobId as JobId,
  };
}

const untilRunning: readonly JobEvent[] = [
  { type: "details-received" },
  { type: "acknowledge-sent", nonce: "3" as Nonce },
  { type: "acknowledge-accepted", claim: "ours" },
];

async function leased(ledger: SqliteLedger, jobId: string, events = untilRunning): Promise<Lease> {
  const lease = await ledger.lease(key(jobId));
  if (!lease) throw new Error("no lease");
  for (const event of events) await ledger.record(lease, event);
  return lease;
}

/** An outcome that needs many pages. */
function large(letter: string): Outcome {
  return succeeded({ outputVariables: { large: letter.repeat(100_000) } });
}

/** Leaves no byte free on the disk; gives back what frees it. */
function fill(): () => void {
  const path = join(disk, "filler");
  const file = openSync(path, "w");
  const block = Buffer.alloc(4_096);
  try {
    for (;;) writeSync(file, block);
  } catch (error) {
    expect(error).toMatchObject({ code: "ENOSPC" });
  } finally {
    closeSync(file);
  }
  return () => rmSync(path);
}

describe.skipIf(!mountWorks)("a full disk", () => {
  it("fails what does not fit, takes no new job, and is forgiven once there is room", async () => {
    mount("2m");
    const { ledger, turned } = await open();
    const leases = await Promise.all(["a", "b", "c"].map((jobId) => leased(ledger, jobId)));
    const free = fill();
    for (const [n, lease] of leases.entries()) {
      await expect(
        ledger.record(lease, { type: "outcome-settled", outcome: large("abc"[n] ?? "") }),
      ).rejects.toMatchObject({
        code: "unwritable",
        message: expect.stringMatching(/disk is full|I\/O error/),
      });
      expect(lease.state).toBe("running");
    }
    expect(ledger.health()).toMatchObject({ writable: false, reason: expect.stringMatching(/full|I\/O/) });
    await expect(ledger.lease(key("d"))).rejects.toMatchObject({ code: "unwritable" });
    free();
    await turned(true);
    // Written by the ledger itself, though nobody told it again.
    expect(leases.map((lease) => lease.state)).toEqual(["settled", "settled", "settled"]);
    await leased(ledger, "d");
    await ledger.close();
    const { ledger: next } = await open();
    const found = await next.unfinished();
    expect(found.map((job) => [job.lease.key.jobId, job.outcome?.kind === "succeeded" && job.outcome])).toEqual([
      ["a", large("a")],
      ["b", large("b")],
      ["c", large("c")],
      ["d", false],
    ]);
  });

  it("keeps a start from happening, and says why", async () => {
    mount("256k");
    fill();
    await expect(open()).rejects.toMatchObject({
      code: "unwritable",
      message: expect.stringMatching(/ledger\.db.*(disk is full|I\/O error)/),
    });
  });

  it("is gone with its reason when it was full for a moment only", async () => {
    mount("2m");
    const { ledger, turned } = await open();
    for (let round = 0; round < 5; round++) {
      const lease = await leased(ledger, `job-${round}`);
      const free = fill();
      const settling = ledger.record(lease, { type: "outcome-settled", outcome: large("x") });
      await expect(settling).rejects.toMatchObject({ code: "unwritable" });
      free();
      await turned(true);
      expect(ledger.health()).toEqual({ writable: true });
      await ledger.record(lease, { type: "outcome-settled", outcome: large("y") });
      await ledger.record(lease, { type: "report-accepted" });
      await ledger.release(lease);
    }
    expect(await ledger.unfinished()).toEqual([]);
  });
});

describe.skipIf(!mountWorks)("a read-only disk", () => {
  it.each(["with", "without"])("keeps a start from happening %s a ledger on it, and says why", async (how) => {
    mount("2m");
    if (how === "with") {
      const { ledger } = await open();
      await leased(ledger, "a");
      await ledger.close();
    }
    execFileSync("mount", ["-o", "remount,ro", disk]);
    await expect(open()).rejects.toMatchObject({ code: "unwritable", message: expect.stringContaining("read-only") });
    execFileSync("mount", ["-o", "remount,rw", disk]);
    const { ledger } = await open();
    expect(await ledger.unfinished()).toHaveLength(how === "with" ? 1 : 0);
  });
});

describe("a file that is damaged while it is in use", () => {
  it("is found out at the next start at the latest, and nothing is written over it", async () => {
    const { ledger } = await open();
    for (let n = 0; n < 40; n++) await leased(ledger, `job-${n}`);
    await ledger.close();
    const path = join(disk, "ledger.db");
    const bytes = readFileSync(path);
    bytes.fill(0x5a, 8_192);
    writeFileSync(path, bytes);
    await expect(open()).rejects.toMatchObject({ code: "unreadable", message: expect.stringContaining("damaged") });
    expect(readFileSync(path).equals(bytes)).toBe(true);
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });
});
