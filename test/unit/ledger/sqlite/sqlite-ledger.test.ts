// What the SQLite ledger keeps across a restart and a broken disk. What it shares with the others is in test/contract.
import { mkdtempSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { afterCrash } from "../../../../src/job/claim.js";
import type { ActionType, ClientId, JobId, JobKey, Nonce, Region } from "../../../../src/job/job.js";
import type { JobEvent } from "../../../../src/job/lifecycle.js";
import { failed, succeeded } from "../../../../src/job/outcome.js";
import type { Lease, LedgerHealth } from "../../../../src/ledger/ledger.js";
import { newRecord, recordAfter } from "../../../../src/ledger/record.js";
import { listJobs } from "../../../../src/ledger/sqlite/list.js";
import { SqliteLedger, type SqliteLedgerOptions } from "../../../../src/ledger/sqlite/sqlite-ledger.js";
import { systemClock } from "../../../../src/std/clock.js";
import { Deadline } from "../../../../src/std/deadline.js";
import { loadSqlite } from "../../../../src/std/sqlite.js";
import { FakeClock } from "../../../support/fake-clock.js";

const sqlite = loadSqlite();
let folder: string;
let path: string;
let clock: FakeClock;
const opened: SqliteLedger[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "partnerd-sqlite-"));
  path = join(folder, "ledger.db");
  clock = new FakeClock();
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map((ledger) => ledger.close()));
  rmSync(folder, { recursive: true, force: true });
});

async function open(options: Partial<SqliteLedgerOptions> = {}): Promise<SqliteLedger> {
  const ledger = await SqliteLedger.open({
    path,
    clock,
    recentMs: 60_000,
    recentMax: 100,
    commitSpacingMs: 0,
    commitTimeoutMs: 30_000,
    probeIntervalMs: 1_000,
    onHealth: () => {},
    ...options,
  });
  opened.push(ledger);
  return ledger;
}

/** Ends the ledger as a crash would, but for the file being closed: what is written is written. */
async function restart(ledger: SqliteLedger): Promise<SqliteLedger> {
  await ledger.close();
  return open();
}

const actionType: ActionType = { category: "Test", owner: "ThirdParty", provider: "Acme-Scan", version: "1" };
function key(jobId = "job-1"): JobKey {
  return { region: "eu-west-1" as Region, actionType, jobId: jobId as JobId, clientId: "client-1" as ClientId };
}

const detailed: JobEvent = { type: "details-received" };
const sent: JobEvent = { type: "acknowledge-sent", nonce: "3" as Nonce };
const accepted: JobEvent = { type: "acknowledge-accepted", claim: "ours" };
const settled: JobEvent = { type: "outcome-settled", outcome: succeeded({ summary: "done" }) };
const reported: JobEvent = { type: "report-accepted" };

async function leased(ledger: SqliteLedger, events: readonly JobEvent[] = [], jobKey = key()): Promise<Lease> {
  const lease = await ledger.lease(jobKey);
  if (!lease) throw new Error("no lease");
  for (const event of events) await ledger.record(lease, event);
  return lease;
}

/** What the file itself says, read by somebody else. */
async function onDisk(): Promise<string[]> {
  return (await listJobs(path)).map((job) => `${job.key.jobId} ${job.state}`);
}

describe("a restart", () => {
  it.each([
    ["polled", []],
    ["detailed", [detailed]],
  ] as const)("forgets a job that was %s", async (_, events) => {
    const ledger = await open();
    await leased(ledger, events);
    expect(await onDisk()).toEqual([]);
    const next = await restart(ledger);
    expect(await next.unfinished()).toEqual([]);
    expect(await next.lease(key())).toBeDefined();
  });

  it.each([
    ["acknowledging", [detailed, sent]],
    ["running", [detailed, sent, accepted]],
    ["settled", [detailed, sent, accepted, settled]],
  ] as const)("finds a job that was %s, though it was never released", async (state, events) => {
    const ledger = await open();
    const takenAtMs = clock.now();
    await leased(ledger, events);
    expect(await onDisk()).toEqual([`job-1 ${state}`]);
    await clock.advance(5_000);
    const next = await restart(ledger);
    expect(await next.lease(key())).toBeUndefined();
    const [job, ...others] = await next.unfinished();
    expect(others).toEqual([]);
    const claim = state === "acknowledging" ? { is: "unanswered", nonce: "3" } : { is: "ours" };
    expect(job).toMatchObject({ takenAtMs, claim, lease: { key: key(), state } });
    expect(job?.outcome).toEqual(state === "settled" ? succeeded({ summary: "done" }) : undefined);
  });

  it("finds the promise that was made to a service", async () => {
    const tokenHash = "f".repeat(64);
    const promised: JobEvent = { type: "callback-awaited", tokenHash, deadline: Deadline.in(clock, 1_000) };
    const ledger = await open();
    await leased(ledger, [detailed, sent, accepted, promised]);
    const next = await restart(ledger);
    const [found] = await next.unfinished();
    expect([found?.callback?.tokenHash, found?.callback?.deadline.leftMs()]).toEqual([tokenHash, 1_000]);
  });

  it("still remembers what was reported, and for no longer than the rest of its time", async () => {
    const ledger = await open();
    await ledger.release(await leased(ledger, [detailed, sent, accepted, settled, reported]));
    await clock.advance(20_000);
    const next = await restart(ledger);
    await clock.advance(39_999);
    expect(await next.lease(key())).toBeUndefined();
    await clock.advance(1);
    expect(await next.lease(key())).toBeDefined();
  });

  it("holds nothing of a job that was let go", async () => {
    const ledger = await open();
    const lease = await leased(ledger, [detailed, sent]);
    await ledger.record(lease, { type: "job-lost", reason: "not-ours" });
    const next = await restart(ledger);
    expect(await next.unfinished()).toEqual([]);
    expect(await next.lease(key())).toBeDefined();
  });

  it("goes on with what it found, however often", async () => {
    let ledger = await open();
    await leased(ledger, [detailed, sent]);
    for (const event of [accepted, settled, reported]) {
      ledger = await restart(ledger);
      const [job] = await ledger.unfinished();
      if (!job) throw new Error("lost");
      await ledger.record(job.lease, event);
    }
    expect(await onDisk()).toEqual([]);
    ledger = await restart(ledger);
    expect(await ledger.unfinished()).toEqual([]);
    expect(await ledger.lease(key())).toBeUndefined();
  });

  it("never gives two jobs one row", async () => {
    let ledger = await open();
    for (let n = 0; n < 6; n++) {
      await leased(ledger, [detailed, sent], key(`job-${n}`));
      if (n % 2 === 0) ledger = await restart(ledger);
    }
    expect((await onDisk()).sort()).toEqual([0, 1, 2, 3, 4, 5].map((n) => `job-${n} acknowledging`));
  });

  it("is refused when a row cannot be understood, with its number", async () => {
    const ledger = await open();
    await leased(ledger, [detailed, sent]);
    await ledger.close();
    const db = new sqlite.DatabaseSync(path);
    db.exec("UPDATE jobs SET state = 'sleeping'");
    db.close();
    await expect(open()).rejects.toMatchObject({ code: "unreadable", message: expect.stringContaining("row 1") });
    // Nothing is left open: neither the lock nor the thread.
    await expect(open()).rejects.toMatchObject({ code: "unreadable" });
  });

  // Some 80 starts of the thread: its own limit for machines with much else to do.
  it("equals the reducer for any events of any jobs, restarted at any point", { timeout: 180_000 }, async () => {
    const event = fc.constantFrom<JobEvent>(
      detailed,
      sent,
      accepted,
      settled,
      reported,
      { type: "job-lost", reason: "gone" },
      { type: "job-lost", reason: "over" },
      { type: "callback-awaited", tokenHash: "h", deadline: Deadline.in(systemClock, 9) },
      { type: "outcome-settled", outcome: failed("no") },
    );
    const step = fc.oneof(
      { weight: 12, arbitrary: fc.record({ job: fc.nat(3), event }) },
      { weight: 1, arbitrary: fc.constant("restart" as const) },
    );
    let runs = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        path = join(folder, `run-${runs++}.db`);
        let ledger = await open();
        const leases = new Map<number, Lease>();
        const expected = new Map<number, ReturnType<typeof newRecord>>();
        for (const next of steps) {
          if (next === "restart") {
            ledger = await restart(ledger);
            leases.clear();
            for (const [job, record] of expected) {
              if (["polled", "detailed", "dropped"].includes(record.state)) expected.delete(job);
            }
            for (const job of await ledger.unfinished()) {
              const number = Number(job.lease.key.jobId.slice(4));
              leases.set(number, job.lease);
              const { state, claim, outcome, callback } = expected.get(number) ?? {};
              expect({
                state: job.lease.state,
                claim: job.claim,
                outcome: job.outcome,
                callback: job.callback,
              }).toEqual({ state, claim: claim && afterCrash(claim), outcome, callback });
            }
            const owed = [...expected.values()].filter(({ state }) => state !== "reported");
            expect(leases.size).toBe(owed.length);
            continue;
          }
          const lease = leases.get(next.job) ?? (await ledger.lease(key(`job-${next.job}`)));
          if (!lease) continue;
          leases.set(next.job, lease);
          const before = expected.get(next.job) ?? newRecord(clock.now());
          expected.set(next.job, before);
          try {
            expected.set(next.job, recordAfter(before, next.event, clock.now()));
          } catch {
            await expect(ledger.record(lease, next.event)).rejects.toThrow("bug");
            continue;
          }
          await ledger.record(lease, next.event);
        }
        await ledger.close();
        opened.length = 0;
      }),
      { numRuns: 12 },
    );
  });
});

describe("a second daemon", () => {
  it("is told who has the file", async () => {
    await open();
    await expect(open()).rejects.toMatchObject({
      code: "locked",
      message: expect.stringContaining(`process ${process.pid} on host ${hostname()} since 2026-01-01T00:00:00.000Z`),
    });
  });

  it("may come once the first has closed", async () => {
    await (await open()).close();
    await open();
  });
});

describe("a lock that somebody deletes", () => {
  it("is taken again with the next record, so that no second daemon comes", async () => {
    const first = await open();
    rmSync(`${path}.lock`);
    await leased(first, [detailed, sent, accepted]);
    await expect(open()).rejects.toMatchObject({ code: "locked" });
    expect(first.health()).toEqual({ writable: true });
  });

  it("and that another daemon has by then lets the first write nothing more, and say who that is", async () => {
    const first = await open();
    const lease = await leased(first, [detailed, sent, accepted]);
    rmSync(`${path}.lock`);
    const second = await open();
    expect(await second.unfinished()).toHaveLength(1);
    await expect(first.record(lease, settled)).rejects.toMatchObject({
      code: "locked",
      message: expect.stringContaining(`in use by process ${process.pid} on host ${hostname()}`),
    });
    expect(first.health().writable).toBe(false);
    expect(await onDisk()).toEqual(["job-1 running"]);
  });
});

describe("what the file holds", () => {
  it("is for its owner alone", async () => {
    await open();
    for (const suffix of ["", "-wal", "-shm", ".lock"])
      expect(statSync(path + suffix).mode & 0o777, suffix).toBe(0o600);
  });

  it("is all in one file after a close", async () => {
    const ledger = await open();
    await leased(ledger, [detailed, sent]);
    await ledger.close();
    expect(statSync(`${path}-wal`, { throwIfNoEntry: false })).toBeUndefined();
    expect(readFileSync(path).includes("job-1")).toBe(true);
  });

  it("is no outcome any more once it was accepted", async () => {
    const ledger = await open();
    const outcome = failed("a text to be found");
    const lease = await leased(ledger, [detailed, sent, accepted, { type: "outcome-settled", outcome }]);
    await ledger.record(lease, reported);
    const db = new sqlite.DatabaseSync(path, { readOnly: true });
    expect(db.prepare("SELECT * FROM jobs").all()).toEqual([]);
    expect(db.prepare("SELECT job_id, state FROM ended").all()).toEqual([{ job_id: "job-1", state: "reported" }]);
    db.close();
  });
});

describe("a ledger whose file is taken away", () => {
  /** The open file goes on taking writes that nobody would find. */
  function takeAway(): void {
    renameSync(path, `${path}.away`);
    renameSync(`${path}-wal`, `${path}.away-wal`);
  }

  /** Lets what was asked of the thread be answered: real I/O, so it is waited for by its effect. */
  function health(ledger: SqliteLedger, writable: boolean): Promise<void> {
    return expect.poll(() => ledger.health().writable, { interval: 5, timeout: 10_000 }).toBe(writable);
  }

  it("is made anew at once with all that is owed, and fails only what met the fault", async () => {
    const seen: LedgerHealth[] = [];
    const ledger = await open({ onHealth: (now) => seen.push(now) });
    const running = await leased(ledger, [detailed, sent, accepted], key("running"));
    const owed = await leased(ledger, [detailed, sent, accepted, settled], key("owed"));
    await ledger.release(owed);
    const asking = await leased(ledger, [detailed], key("asking"));
    takeAway();
    await expect(ledger.record(asking, sent)).rejects.toMatchObject({
      code: "unwritable",
      message: expect.stringContaining("was moved or deleted while in use"),
    });
    expect(asking.state).toBe("detailed");
    await health(ledger, true);
    expect(seen.map(({ writable }) => writable)).toEqual([false, true]);
    expect((await onDisk()).sort()).toEqual(["owed settled", "running running"]);
    await ledger.record(running, settled);
    await ledger.record(asking, { type: "job-lost", reason: "ledger-unwritable" });
    await ledger.release(asking);
    expect(await ledger.lease(key("asking"))).toBeDefined();
  });

  it("writes what it missed of a job that is ours, and takes the same event again", async () => {
    const ledger = await open();
    const lease = await leased(ledger, [detailed, sent]);
    takeAway();
    await expect(ledger.record(lease, accepted)).rejects.toMatchObject({ code: "unwritable" });
    await health(ledger, true);
    expect(lease.state).toBe("running");
    expect(await onDisk()).toEqual(["job-1 running"]);
    await ledger.record(lease, accepted);
    await ledger.record(lease, settled);
    await ledger.record(lease, reported);
    await ledger.release(lease);
    expect(await onDisk()).toEqual([]);
    expect(await ledger.lease(key())).toBeUndefined();
  });

  describe("for longer", () => {
    /** Neither the file nor another one in its place can be had. */
    async function broken(events: readonly JobEvent[]) {
      const ledger = await open();
      const lease = await leased(ledger, events);
      renameSync(folder, `${folder}.away`);
      await expect(ledger.record(lease, sent)).rejects.toMatchObject({ code: "unwritable" });
      await expect.poll(() => clock.nextInMs, { interval: 5, timeout: 10_000 }).toBe(1_000);
      const comesBack = async () => {
        renameSync(`${folder}.away`, folder);
        await clock.advance(1_000);
        await health(ledger, true);
      };
      return { ledger, lease, comesBack };
    }

    it("gives no new lease and says why", async () => {
      const { ledger, comesBack } = await broken([detailed]);
      await expect(ledger.lease(key("job-2"))).rejects.toMatchObject({
        code: "unwritable",
        message: expect.stringContaining("its folder does not exist"),
      });
      await expect(ledger.unfinished()).rejects.toMatchObject({ code: "unwritable" });
      expect(ledger.health()).toMatchObject({ writable: false, sinceMs: clock.now() });
      await comesBack();
      expect(await ledger.lease(key("job-2"))).toBeDefined();
      expect(await onDisk()).toEqual([]);
    });

    it("lets a job that was not acknowledged go without a write", async () => {
      const { ledger, lease, comesBack } = await broken([detailed]);
      await ledger.record(lease, { type: "job-lost", reason: "ledger-unwritable" });
      await ledger.release(lease);
      await comesBack();
      expect(await ledger.lease(key())).toBeDefined();
    });

    it("never shows a state that is not on the disk", async () => {
      const { ledger, lease, comesBack } = await broken([detailed, sent]);
      for (const event of [accepted, settled, reported]) {
        await expect(ledger.record(lease, event)).rejects.toMatchObject({ code: "unwritable" });
        expect(lease.state).toBe("acknowledging");
      }
      await comesBack();
      expect(lease.state).toBe("reported");
      await ledger.release(lease);
      expect(await ledger.lease(key())).toBeUndefined();
    });

    it("keeps a job that ended meanwhile until its end is written", async () => {
      const { ledger, lease, comesBack } = await broken([detailed, sent]);
      for (const event of [accepted, settled, reported]) await ledger.record(lease, event).catch(() => {});
      await ledger.release(lease);
      await comesBack();
      expect(await ledger.unfinished()).toEqual([]);
      expect(await ledger.lease(key())).toBeUndefined();
      expect(await onDisk()).toEqual([]);
      const next = await restart(ledger);
      expect(await next.unfinished()).toEqual([]);
      expect(await next.lease(key())).toBeUndefined();
    });

    it("takes every missed event again, one by one, as a runner tells them", async () => {
      const { ledger, lease } = await broken([detailed, sent]);
      for (let attempt = 0; attempt < 3; attempt++) {
        await expect(ledger.record(lease, accepted)).rejects.toMatchObject({ code: "unwritable" });
      }
      renameSync(`${folder}.away`, folder);
      await clock.advance(1_000);
      await health(ledger, true);
      for (const event of [accepted, settled, reported]) await ledger.record(lease, event);
      expect(lease.state).toBe("reported");
    });

    it("closes all the same", async () => {
      const { ledger } = await broken([detailed, sent]);
      await ledger.close();
      renameSync(`${folder}.away`, folder);
      expect(clock.pending).toBe(0);
      expect(await onDisk()).toEqual(["job-1 acknowledging"]);
    });
  });
});

describe("listing the jobs of a file", () => {
  it("shows what a live daemon holds", async () => {
    const ledger = await open();
    await leased(ledger, [detailed, sent], key("a"));
    await clock.advance(1);
    const running = await leased(ledger, [detailed, sent, accepted], key("b"));
    await clock.advance(1);
    const deadlineMs = clock.now() + 60_000;
    await leased(
      ledger,
      [detailed, sent, accepted, { type: "callback-awaited", tokenHash: "h", deadline: Deadline.in(clock, 60_000) }],
      key("c"),
    );
    await clock.advance(1);
    await leased(ledger, [detailed, sent, accepted, settled], key("d"));
    const listed = await listJobs(path, clock);
    expect(listed.map(({ key: { jobId }, state, standing }) => [jobId, state, standing])).toEqual([
      ["a", "acknowledging", "asked"],
      ["b", "running", "running"],
      ["c", "running", "awaits-callback"],
      ["d", "settled", "owed"],
    ]);
    expect(listed[2]).toMatchObject({ callbackDeadlineMs: deadlineMs, takenAtMs: clock.now() - 1 });
    expect(listed[3]).toMatchObject({ outcome: "succeeded", key: key("d"), sinceMs: clock.now() });
    await ledger.record(running, settled);
    expect((await listJobs(path))[1]).toMatchObject({ standing: "owed" });
  });

  it("says so when there is no file, and makes none", async () => {
    await expect(listJobs(path)).rejects.toMatchObject({
      code: "unreadable",
      message: expect.stringContaining("no ledger"),
    });
    expect(statSync(path, { throwIfNoEntry: false })).toBeUndefined();
  });

  it("says so when the file is something else", async () => {
    await expect(listJobs(join(import.meta.dirname, "sqlite.test.ts"))).rejects.toMatchObject({ code: "unreadable" });
  });
});
