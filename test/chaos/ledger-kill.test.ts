// Whatever the ledger has promised is in its file after the process was killed, wherever it was.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { copyFileSync, mkdtempSync, rmSync, statSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ActionType, JobId, JobKey, Region } from "../../src/job/job.js";
import type { JobState } from "../../src/job/lifecycle.js";
import { succeeded } from "../../src/job/outcome.js";
import { listJobs } from "../../src/ledger/sqlite/list.js";
import { SqliteFile } from "../../src/ledger/sqlite/sqlite-file.js";
import { SqliteLedger } from "../../src/ledger/sqlite/sqlite-ledger.js";
import type { Write } from "../../src/ledger/sqlite/sqlite-rows.js";
import { migrations } from "../../src/ledger/sqlite/sqlite-schema.js";
import { systemClock } from "../../src/std/clock.js";
import { loadSqlite } from "../../src/std/sqlite.js";
import { sourceHook } from "../support/source-hook.js";
import { sqliteRow } from "../support/sqlite.js";

const child = join(import.meta.dirname, "ledger-child.ts");
const seed = Number(process.env["PARTNERD_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
const rounds = Number(process.env["PARTNERD_KILLS"] ?? 12);

let folder: string;
let path: string;
const children: ChildProcess[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "partnerd-kill-"));
  path = join(folder, "ledger.db");
});
afterEach(() => {
  for (const process of children.splice(0)) process.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});

const straceWorks = spawnSync("strace", ["-qq", "-o", "/dev/null", "true"]).status === 0;
if (!straceWorks) console.warn("skipped: faults of single system calls need strace (apt-get install strace)");

/** Starts a child, under strace if faults are to be injected. Its lines end when it does. */
function start(prefix: string, options: { slots?: number; inject?: readonly string[] } = {}) {
  const args = ["--import", sourceHook, child, path, prefix, String(options.slots ?? 8)];
  const traced = (options.inject ?? []).flatMap((fault) => ["-e", `inject=${fault}`]);
  const started = options.inject
    ? spawn("strace", [
        "-f",
        "-qq",
        "-o",
        "/dev/null",
        "-e",
        "trace=fsync,fdatasync,pwrite64",
        ...traced,
        process.execPath,
        ...args,
      ])
    : spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  children.push(started);
  if (!started.stdout) throw new Error("no stdout");
  return { process: started, lines: createInterface({ input: started.stdout }) };
}

/** Follows a child's lines until `isEnough`, kills it, and gives back every line that it said. */
async function killWhen(
  running: ReturnType<typeof start>,
  isEnough: (line: string, seen: readonly string[]) => boolean,
): Promise<string[]> {
  const seen: string[] = [];
  let isKilled = false;
  for await (const line of running.lines) {
    seen.push(line);
    if (isKilled || !isEnough(line, seen)) continue;
    isKilled = true;
    process.kill(pidIn(seen), "SIGKILL");
  }
  return seen;
}

/** The process that works the ledger says its id first; strace stands between it and us. */
function pidIn(said: readonly string[]): number {
  const pid = Number(/^open (\d+)$/.exec(said[0] ?? "")?.[1]);
  if (!Number.isSafeInteger(pid)) throw new Error(`the child did not open the ledger: ${said[0]}`);
  return pid;
}

const order: readonly JobState[] = ["polled", "detailed", "acknowledging", "running", "settled", "reported"];

/** What the lines promise must be in the file, and nothing that was not even tried. */
async function check(lines: readonly string[]): Promise<number> {
  const promised = new Map<string, number>();
  const tried = new Map<string, number>();
  for (const line of lines) {
    const [what, jobId = "", state] = line.split(" ");
    if (what === "done") promised.set(jobId, order.indexOf(state as JobState));
    if (what === "try") tried.set(jobId, (tried.get(jobId) ?? 0) + 1);
  }
  const ledger = await reopen();
  try {
    const found = new Map((await ledger.unfinished()).map((job) => [job.lease.key.jobId as string, job]));
    for (const [jobId, least] of promised) {
      const job = found.get(jobId);
      if (least === order.indexOf("reported")) {
        expect(job, `${jobId} was reported`).toBeUndefined();
        expect(await ledger.lease(key(jobId)), `${jobId} was reported`).toBeUndefined();
      } else if (least >= order.indexOf("acknowledging")) {
        // Its report may have been written without our hearing of it; then it is remembered instead.
        const isRemembered = !job && (await ledger.lease(key(jobId))) === undefined;
        const state = job ? order.indexOf(job.lease.state) : isRemembered ? order.length - 1 : -1;
        expect(state, `${jobId} on the disk`).toBeGreaterThanOrEqual(least);
      }
    }
    for (const jobId of unasked(lines)) expect(found.has(jobId), `${jobId} was never asked for`).toBe(false);
    for (const [jobId, job] of found) {
      expect(order.indexOf(job.lease.state), `${jobId} was tried`).toBeLessThanOrEqual(tried.get(jobId) ?? -1);
      const outcome = job.lease.state === "settled" ? succeeded({ summary: `outcome of ${jobId}` }) : undefined;
      expect(job.outcome).toEqual(outcome);
      // Paid, so that the next round starts clean.
      await ledger.record(job.lease, { type: "job-lost", reason: "released" });
      await ledger.release(job.lease);
    }
    return promised.size;
  } finally {
    await ledger.close();
  }
}

/** Jobs that were let go because they could not be written, and after which the ledger was fixed. */
function unasked(lines: readonly string[]): string[] {
  const recoveredAt = lines.findLastIndex((line) => line.startsWith("health true"));
  return lines.slice(0, Math.max(recoveredAt, 0)).flatMap((line) => /^unasked (.*)$/.exec(line)?.[1] ?? []);
}

function reopen(): Promise<SqliteLedger> {
  return SqliteLedger.open({
    path,
    clock: systemClock,
    recentMs: 3_600_000,
    recentMax: 100_000,
    commitSpacingMs: 0,
    commitTimeoutMs: 30_000,
    probeIntervalMs: 50,
    onHealth: () => {},
  });
}

const actionType: ActionType = { category: "Test", owner: "ThirdParty", provider: "Acme-Scan", version: "1" };
function key(jobId: string): JobKey {
  return { region: "eu-west-1" as Region, actionType, jobId: jobId as JobId };
}

/** A small generator whose runs can be repeated (mulberry32). */
function randomFrom(start: number): () => number {
  let state = start >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

describe("a process that is killed", () => {
  it(`leaves in the file all that was promised (PARTNERD_SEED=${seed}, ${rounds} kills)`, {
    timeout: 600_000,
  }, async () => {
    const random = randomFrom(seed);
    let jobs = 0;
    for (let round = 0; round < rounds; round++) {
      const lines = Math.floor(random() * 1_500) + 1;
      const slots = Math.floor(random() * 40) + 1;
      const said = await killWhen(start(`round${round}`, { slots }), (_, seen) => seen.length >= lines);
      jobs += await check(said);
    }
    console.log(`seed ${seed}: ${rounds} kills, ${jobs} jobs, none lost`);
    expect(jobs).toBeGreaterThan(0);
  });

  it("frees the lock at once, and its file can be listed before anybody repairs it", async () => {
    const said = await killWhen(start("job", { slots: 20 }), (line) => line.startsWith("done job-25 "));
    const listed = (await listJobs(path)).map((job) => `${job.key.jobId} ${job.state}`);
    const ledger = await reopen();
    const unfinished = (await ledger.unfinished()).map((job) => `${job.lease.key.jobId} ${job.lease.state}`);
    for (const { lease } of await ledger.unfinished()) await ledger.release(lease);
    await ledger.close();
    expect(listed.toSorted()).toEqual(unfinished.toSorted());
    await check(said);
  });

  it("kept another one out, who was told its process id", async () => {
    const first = start("first", { slots: 0 });
    const reader = first.lines[Symbol.asyncIterator]();
    const opened = (await reader.next()).value;
    const said = await killWhen(start("second"), () => false);
    expect(said).toHaveLength(1);
    expect(said[0]).toMatch(
      /^refused the ledger .* is in use by process \d+ on host .* since 20.*configure another path/,
    );
    expect(said[0]).toContain(`process ${pidIn([String(opened)])} `);
  });
});

describe.skipIf(!straceWorks)("a system call that fails or kills", () => {
  it.each([
    ["fsync", 3],
    ["fsync", 9],
    ["fsync", 23],
    ["pwrite64", 12],
    ["pwrite64", 57],
    ["pwrite64", 111],
    ["pwrite64", 202],
  ])(
    "in the middle of a transaction loses nothing: killed at %s number %i",
    { timeout: 120_000 },
    async (call, when) => {
      const said = await killWhen(start("job", { inject: [`${call}:signal=KILL:when=${when}`] }), () => false);
      await check(said);
    },
  );

  it.each([
    ["fsync", "EIO", "the disk gives I/O errors"],
    ["pwrite64", "EIO", "the disk gives I/O errors"],
    ["pwrite64", "ENOSPC", "the disk is full"],
    ["pwrite64", "EROFS", "the disk gives I/O errors"],
  ])(
    "fails what met it and says why, then all goes on: %s answers %s",
    { timeout: 120_000 },
    async (call, error, words) => {
      let isBack = false;
      const inject = [`${call}:error=${error}:when=${call === "fsync" ? "30..33" : "200..220"}`];
      const said = await killWhen(start("job", { inject }), (line) => {
        isBack ||= line.startsWith("health true");
        return isBack && line.endsWith(" reported");
      });
      expect(said.find((line) => line.startsWith("health false"))).toContain(words);
      expect(said.some((line) => line.startsWith("fault ") && line.includes(words))).toBe(true);
      expect(isBack).toBe(true);
      await check(said);
    },
  );

  it("does not stop the event loop while the disk takes its time", { timeout: 120_000 }, async () => {
    // Every flush after the start takes a second, a tick comes every 20 ms: a stalled loop would say one per flush.
    const said = await killWhen(start("job", { inject: ["fsync:delay_enter=1000000:when=14+"] }), (_, seen) => {
      return seen.filter((line) => line === "tick").length >= 100;
    });
    let longest = 0;
    let ticks = 0;
    for (const line of said) {
      ticks = line === "tick" ? ticks + 1 : 0;
      longest = Math.max(longest, ticks);
    }
    expect(longest).toBeGreaterThan(10);
    await check(said);
  });
});

describe("a write-ahead log that was cut", () => {
  it("at any byte holds all the transactions before the cut, and none in part", async () => {
    const sqlite = loadSqlite();
    const options = { recentMs: 3_600_000, recentMax: 1_000, migrations };
    const put = (id: number, state: string): Write => ({ type: "put", row: sqliteRow(id, `j${id}`, state) });
    // Transaction n moves jobs n and n + 1 together: a part of it would show.
    const file = SqliteFile.open(sqlite, { path, ...options });
    const sizes = [statSync(`${path}-wal`).size];
    const transactions = 30;
    for (let n = 1; n <= transactions; n++) {
      file.commit([put(n, `after ${n}`), put(n + 1, `after ${n}`)]);
      sizes.push(statSync(`${path}-wal`).size);
    }
    const copy = join(folder, "copy.db");
    copyFileSync(path, copy);
    copyFileSync(`${path}-wal`, `${copy}.full`);
    file.close();
    const cutAt = (bytes: number) => {
      const cut = join(folder, "cut.db");
      for (const suffix of ["-wal", "-shm"]) rmSync(cut + suffix, { force: true });
      copyFileSync(copy, cut);
      copyFileSync(`${copy}.full`, `${cut}-wal`);
      truncateSync(`${cut}-wal`, bytes);
      const reopened = SqliteFile.open(sqlite, { path: cut, ...options });
      const states = reopened.read(0).jobs.map((job) => `${job["id"]} ${job["state"]}`);
      reopened.close();
      return states;
    };
    const expected = (done: number) =>
      done === 0 ? [] : Array.from({ length: done + 1 }, (_, k) => `${k + 1} after ${Math.min(k + 1, done)}`);
    fc.assert(
      fc.property(fc.integer({ min: sizes[0] ?? 0, max: sizes.at(-1) ?? 0 }), (bytes) => {
        const done = sizes.filter((size) => size <= bytes).length - 1;
        expect(cutAt(bytes)).toEqual(expected(done));
      }),
      { numRuns: 60 },
    );
    for (const [done, size] of sizes.entries()) expect(cutAt(size)).toEqual(expected(done));
  });
});
