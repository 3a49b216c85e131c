import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { HistoryLimits } from "../../../../src/job/ended.js";
import type { AccountName, ActionType, JobId, Region } from "../../../../src/job/job.js";
import { searchFile } from "../../../../src/ledger/sqlite/history-file.js";
import { newIdentity, SqliteFile, type SqliteFileOptions } from "../../../../src/ledger/sqlite/sqlite-file.js";
import { SqliteLedger } from "../../../../src/ledger/sqlite/sqlite-ledger.js";
import type { SqliteRow, Write } from "../../../../src/ledger/sqlite/sqlite-rows.js";
import { applicationId, migrations, pragma } from "../../../../src/ledger/sqlite/sqlite-schema.js";
import { loadSqlite } from "../../../../src/std/sqlite.js";
import { FakeClock } from "../../../support/fake-clock.js";
import { sqliteRow } from "../../../support/sqlite.js";

const sqlite = loadSqlite();
let folder: string;
let path: string;
const opened: SqliteFile[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "partnerd-file-"));
  path = join(folder, "ledger.db");
});
afterEach(() => {
  for (const file of opened.splice(0)) file.close();
  rmSync(folder, { recursive: true, force: true });
});

function open(options: Partial<SqliteFileOptions> = {}): SqliteFile {
  const file = SqliteFile.open(sqlite, { path, recentMs: 60_000, recentMax: 1_000, migrations, ...options });
  opened.push(file);
  return file;
}

function openLedger(clock: FakeClock): Promise<SqliteLedger> {
  const pace = { commitSpacingMs: 0, commitTimeoutMs: 30_000, probeIntervalMs: 1_000 };
  return SqliteLedger.open({ path, clock, recentMs: 60_000, recentMax: 100, ...pace, onHealth: () => {} });
}

function closeAll(): void {
  for (const file of opened.splice(0)) file.close();
}

function put(id: number): Write {
  return { type: "put", row: sqliteRow(id) };
}

function end(id: number, atMs: number): Write {
  return { type: "end", id, row: ["eu-west-1", `job-${id}`, "reported", atMs, "default", 1, null] };
}

/** Runs SQL as another program would. */
function meddle(sql: string): void {
  const db = new sqlite.DatabaseSync(path);
  db.exec(sql);
  db.close();
}

function ids(file: SqliteFile): unknown[] {
  return file.read(0).jobs.map((job) => job["id"]);
}

describe("the ledger's file", () => {
  it("can be read by its owner alone, with all that lies beside it", () => {
    const file = open();
    file.commit([put(1)]);
    for (const suffix of ["", "-wal", "-shm"]) expect(statSync(path + suffix).mode & 0o777, suffix).toBe(0o600);
  });

  it("is taken away from others who could read it", () => {
    open();
    closeAll();
    chmodSync(path, 0o644);
    open();
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it("keeps the last write of each job", () => {
    const file = open();
    file.commit([put(1), put(2), { type: "put", row: sqliteRow(1, "changed") }, { type: "drop", id: 2 }]);
    closeAll();
    expect(open().read(0).jobs).toMatchObject([{ id: 1, job_id: "changed" }]);
  });

  it("has a write-ahead log", () => {
    open();
    const db = new sqlite.DatabaseSync(path);
    expect(db.prepare("PRAGMA journal_mode").get()).toEqual({ journal_mode: "wal" });
    db.close();
  });

  it("holds all of a transaction or none of it", () => {
    const file = open();
    file.commit([put(1)]);
    const impossible = {
      type: "put",
      row: sqliteRow(3).with(1, null as never) as unknown as SqliteRow,
    } satisfies Write;
    expect(() => file.commit([put(2), impossible])).toThrow(expect.objectContaining({ code: "unwritable" }));
    expect(ids(file)).toEqual([1]);
    file.commit([put(4)]);
    expect(ids(file)).toEqual([1, 4]);
  });

  it("holds the same when transactions are written again, from any point on to the last", () => {
    const write = fc.oneof(
      fc
        .record({ id: fc.nat(5), jobId: fc.constantFrom("a", "b", "c") })
        .map(({ id, jobId }): Write => ({ type: "put", row: sqliteRow(id, jobId) })),
      fc.nat(5).map((id): Write => ({ type: "drop", id })),
      fc.record({ id: fc.nat(5), atMs: fc.integer({ min: 1, max: 9 }) }).map(({ id, atMs }) => end(id, atMs)),
    );
    const transactions = fc.array(fc.array(write, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(transactions, fc.nat(), (all, from) => {
        path = join(folder, "again.db");
        for (const suffix of ["", "-wal", "-shm"]) rmSync(path + suffix, { force: true });
        const file = open();
        for (const writes of all) file.commit(writes);
        const once = file.read(0);
        for (const writes of all.slice(from % all.length)) file.commit(writes);
        const again = file.read(0);
        closeAll();
        expect(again.jobs).toEqual(once.jobs);
        const names = (ended: typeof once.ended) => [...new Set(ended.map(({ jobId }) => jobId))].sort();
        expect(names(again.ended)).toEqual(names(once.ended));
      }),
      { numRuns: 20 },
    );
  });

  it("says so when another program holds a write lock on it for too long", { timeout: 20_000 }, () => {
    const file = open();
    const other = new sqlite.DatabaseSync(path);
    other.exec("BEGIN IMMEDIATE");
    expect(() => file.commit([put(1)])).toThrow(/is not writable: another program holds a lock on it/);
    other.exec("ROLLBACK");
    other.close();
    file.commit([put(1)]);
    expect(ids(file)).toEqual([1]);
  });

  it("remembers only ends that are recent enough, oldest first", () => {
    const file = open({ recentMs: 100 });
    file.commit([end(1, 900), end(2, 901), end(3, 950)]);
    expect(file.read(1_000).ended.map(({ jobId }) => jobId)).toEqual(["job-2", "job-3"]);
  });

  it("reads no more ends than may be remembered, the newest ones", () => {
    const file = open({ recentMax: 2 });
    file.commit([end(1, 1), end(2, 2), end(3, 3)]);
    expect(file.read(4).ended.map(({ jobId }) => jobId)).toEqual(["job-2", "job-3"]);
  });
});

describe("the size of the ledger's file", () => {
  function rowsIn(table: string): unknown {
    const db = new sqlite.DatabaseSync(path, { readOnly: true });
    const answer = db.prepare(`SELECT count(*) AS n FROM ${table}`).get();
    db.close();
    return answer?.["n"];
  }

  it("does not grow with the jobs that pass", () => {
    const file = open({ recentMax: 100 });
    const pass = (from: number) => {
      for (let n = from; n < from + 2_000; n += 10) {
        const batch = Array.from({ length: 10 }, (_, k) => n + k);
        file.commit(batch.map(put));
        file.commit(batch.map((id) => end(id, id)));
      }
    };
    pass(0);
    const pages = pageCount();
    pass(2_000);
    pass(4_000);
    expect(pageCount()).toBeLessThanOrEqual(pages + 2);
    expect(rowsIn("ended")).toBeLessThanOrEqual(100 + 266);
    expect(rowsIn("jobs")).toBe(0);
  });

  it("forgets what ended long ago even when few jobs end", () => {
    const file = open({ recentMs: 1_000 });
    file.commit(Array.from({ length: 300 }, (_, n) => end(n, 10)));
    file.commit(Array.from({ length: 300 }, (_, n) => end(1_000 + n, 5_000)));
    file.commit([end(9_999, 5_001)]);
    expect(rowsIn("ended")).toBeLessThanOrEqual(301);
  });

  it("keeps what is told of ended jobs by number and by age, apart from what is remembered", () => {
    const told = (id: number, atMs: number): Write => {
      const row = ["eu-west-1", `job-${id}`, "reported", atMs, "default", 1, "{}"] as const;
      return { type: "end", id, row };
    };
    const tell = (history: HistoryLimits, recentMax: number) => {
      path = join(folder, `told-${history.maxJobs}-${history.maxAgeMs}-${recentMax}.db`);
      const file = open({ history, recentMax, recentMs: 1_000 });
      // The first commit after so many ends prunes.
      for (let n = 0; n < 600; n += 100) file.commit(Array.from({ length: 100 }, (_, k) => told(n + k, n + k)));
      file.commit(Array.from({ length: 256 }, (_, k) => told(600 + k, 600 + k)));
      return [rowsIn("ended"), rowsIn("ended WHERE history IS NOT NULL")];
    };
    expect(tell({ maxJobs: 1_000, maxAgeMs: 10_000 }, 10)).toEqual([856, 856]);
    expect(tell({ maxJobs: 50, maxAgeMs: 10_000 }, 10)).toEqual([50, 50]);
    expect(tell({ maxJobs: 1_000, maxAgeMs: 20 }, 10)).toEqual([21, 21]);
    expect(tell({ maxJobs: 50, maxAgeMs: 10_000 }, 1_000)).toEqual([856, 50]);
    expect(tell({ maxJobs: 0, maxAgeMs: 10_000 }, 100)).toEqual([100, 0]);
  });

  it.each([
    ["rows that nobody needs", 10, false],
    ["what is told of rows that are remembered", 100_000, true],
  ])("loses a long history a part at a time, since jobs wait for it: %s", (_what, recentMax, isKept) => {
    const told = (id: number): Write => {
      return { type: "end", id, row: ["eu-west-1", `job-${id}`, "reported", id, "default", 1, "{}"] };
    };
    const many = 20_000;
    open({ history: { maxJobs: many, maxAgeMs: 1e9 }, recentMax }).commit(
      Array.from({ length: many }, (_, id) => told(id)),
    );
    const file = open({ history: { maxJobs: 50, maxAgeMs: 1e9 }, recentMax });
    const sizes = [many];
    for (let id = many; (sizes.at(-1) ?? 0) > 400 && id < many + 2_000; id += 16) {
      file.commit(Array.from({ length: 16 }, (_, k) => told(id + k)));
      sizes.push(Number(rowsIn("ended WHERE history IS NOT NULL")));
    }
    expect(sizes.at(-1)).toBeLessThanOrEqual(400);
    const lost = sizes.map((size, at) => (sizes[at - 1] ?? many) - size);
    expect(Math.max(...lost)).toBeLessThanOrEqual(1_024);
    expect(Number(rowsIn("ended")) >= many).toBe(isKept);
  });

  it("shrinks again after an outage that left large outcomes", () => {
    const file = open();
    const large = "x".repeat(100_000);
    file.commit(
      Array.from({ length: 100 }, (_, id) => ({
        type: "put",
        row: sqliteRow(id).with(12, large) as unknown as SqliteRow,
      })),
    );
    const pages = pageCount();
    file.commit(Array.from({ length: 100 }, (_, id) => end(id, id)));
    for (let n = 0; n < 2_000; n += 50) file.commit(Array.from({ length: 50 }, (_, k) => end(1_000 + n + k, n)));
    expect(pageCount()).toBeLessThan(pages / 2);
  });

  function pageCount(): number {
    const db = new sqlite.DatabaseSync(path, { readOnly: true });
    const pages = pragma(db, "page_count");
    db.close();
    return pages;
  }
});

describe("a file that is not what it should be", () => {
  function refused(code: string, message: RegExp, options: Partial<SqliteFileOptions> = {}): void {
    expect(() => open(options)).toThrow(expect.objectContaining({ code, message: expect.stringMatching(message) }));
  }

  it("is refused when it is no database, and left as it was", () => {
    writeFileSync(path, "clients: {}\n".repeat(1_000));
    const before = statSync(path);
    refused("unreadable", /is not an SQLite database, or it is damaged.*move it and its -wal file away/);
    expect(statSync(path).size).toBe(before.size);
  });

  it("is refused when it is another program's database, and left as it was", () => {
    meddle("CREATE TABLE notes (t TEXT); INSERT INTO notes VALUES ('mine')");
    refused("unreadable", /is not a ledger of partnerd but another program's database/);
    const db = new sqlite.DatabaseSync(path, { readOnly: true });
    expect(db.prepare("PRAGMA journal_mode").get()).toEqual({ journal_mode: "delete" });
    expect(db.prepare("SELECT t FROM notes").all()).toEqual([{ t: "mine" }]);
    db.close();
  });

  it("is refused when a newer partnerd has written it, and left as it was", () => {
    open();
    closeAll();
    meddle(`PRAGMA user_version = ${migrations.length + 7}`);
    refused(
      "too-new",
      new RegExp(`has version ${migrations.length + 7}, this partnerd knows up to ${migrations.length}`),
    );
    const db = new sqlite.DatabaseSync(path, { readOnly: true });
    expect(pragma(db, "user_version")).toBe(migrations.length + 7);
    db.close();
  });

  it("is refused when its pages are damaged", () => {
    const file = open();
    file.commit(Array.from({ length: 500 }, (_, id) => put(id)));
    closeAll();
    const bytes = Buffer.alloc(4_096 * 3, 0xa5);
    const db = new sqlite.DatabaseSync(path);
    expect(pragma(db, "page_count")).toBeGreaterThan(8);
    db.close();
    damage(bytes, 4_096 * 4);
    refused("unreadable", /damaged/);
  });

  it("is refused when its folder does not exist", () => {
    path = join(folder, "missing", "ledger.db");
    refused("unwritable", /its folder does not exist/);
  });

  it("is refused when it is a folder or leads nowhere", () => {
    mkdirSync(path);
    refused("unwritable", /it is not a file/);
    path = join(folder, "link.db");
    symlinkSync(join(folder, "missing", "x"), path);
    refused("unwritable", /cannot be opened/);
  });

  it("is made anew when it was empty", () => {
    writeFileSync(path, "");
    open().commit([put(1)]);
  });

  function damage(bytes: Buffer, at: number): void {
    const content = readFileSync(path);
    bytes.copy(content, at);
    writeFileSync(path, content);
  }
});

describe("a file that changes under us", () => {
  it("takes no more writes once it was deleted", () => {
    const file = open();
    rmSync(path);
    expect(() => file.commit([put(1)])).toThrow(/was moved or deleted while in use/);
  });

  it("may be made anew by the process that had it", () => {
    const identity = newIdentity();
    open({ identity });
    rmSync(path);
    closeAll();
    open({ identity }).commit([put(1)]);
  });

  it("is not overwritten when another one stands in its place", () => {
    const identity = newIdentity();
    open({ identity });
    closeAll();
    renameSync(path, `${path}.old`);
    open().commit([put(1)]);
    closeAll();
    expect(() => open({ identity })).toThrow(/was replaced by another file while in use/);
    expect(ids(open())).toEqual([1]);
  });
});

describe("a file of an older version", () => {
  const twoSteps = [
    ...migrations,
    "ALTER TABLE jobs ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0; CREATE INDEX by_job ON ended (job_id)",
  ];

  it("is brought up to date, and keeps what is owed", () => {
    open().commit([put(1), end(2, 5)]);
    closeAll();
    const file = open({ migrations: twoSteps });
    expect(ids(file)).toEqual([1]);
    expect(file.read(5).ended).toHaveLength(1);
    closeAll();
    const db = new sqlite.DatabaseSync(path, { readOnly: true });
    expect(pragma(db, "user_version")).toBe(twoSteps.length);
    expect(pragma(db, "application_id")).toBe(applicationId);
    expect(db.prepare("SELECT attempts FROM jobs").all()).toEqual([{ attempts: 0 }]);
    db.close();
    expect(() => open()).toThrow(expect.objectContaining({ code: "too-new" }));
  });

  it("of version 1 says of each job how much of it is ours", () => {
    const [first = ""] = migrations;
    const db = new sqlite.DatabaseSync(path);
    const add = (id: number, state: string, nonce: string | null) =>
      `INSERT INTO jobs VALUES (${id}, 'r', 'j${id}', 'Custom', 'Test', 'P', '1', NULL, '${state}', 5, 5, ${
        nonce === null ? "NULL" : `'${nonce}'`
      }, NULL, NULL, NULL);`;
    const presumed = "presumed ours: the nonce was used up, and no answer said by whom";
    const rows = [add(1, "acknowledging", "3"), add(2, "acknowledging", presumed), add(3, "running", presumed)];
    db.exec(`${first} PRAGMA application_id = ${applicationId}; PRAGMA user_version = 1;`);
    db.exec([...rows, add(4, "running", "3"), add(5, "settled", null)].join(" "));
    db.close();
    const claims = open()
      .read(5)
      .jobs.map(({ claim, nonce }) => [claim, nonce]);
    const ours = ["ours", null];
    expect(claims).toEqual([["asked", "3"], ["presumed", null], ["presumed", null], ours, ours]);
  });

  it("of version 3 remembers what it remembered, and tells of none of it", async () => {
    const db = new sqlite.DatabaseSync(path);
    db.exec(`${migrations.slice(0, 3).join(" ")} PRAGMA application_id = ${applicationId}; PRAGMA user_version = 3;`);
    db.exec("INSERT INTO ended VALUES (1, 'eu-west-1', 'j9', 'reported', 5, 'shop')");
    db.close();
    const history = { maxJobs: 100, maxAgeMs: 86_400_000 };
    const file = open({ history });
    expect(file.read(5).ended).toEqual([{ region: "eu-west-1", jobId: "j9", endedAtMs: 5, account: "shop" }]);
    const later = ["eu-west-1", "j10", "dropped", 6, "default", 0, "{}"] as const;
    file.commit([{ type: "end", id: 10, row: later }]);
    expect(file.read(6).ended).toHaveLength(1);
    expect(searchFile({ path, search: { limit: 10 }, limits: history, nowMs: 6 })).toEqual({ jobs: [] });
  });

  it("of version 2 holds jobs of the account `default`, whatever account later ones are of", async () => {
    const db = new sqlite.DatabaseSync(path);
    const owed = ["acknowledging", "running", "settled"];
    const add = (state: string, id: number) =>
      `INSERT INTO jobs VALUES (${id}, 'eu-west-1', 'j${id}', 'Custom', 'Test', 'P', '1', NULL, '${state}', 5, 5, NULL, ${
        state === "settled" ? `'{"kind":"succeeded"}'` : "NULL"
      }, NULL, NULL, 'ours');`;
    db.exec(`${migrations.slice(0, 2).join(" ")} PRAGMA application_id = ${applicationId}; PRAGMA user_version = 2;`);
    db.exec(owed.map((state, at) => add(state, at + 1)).join(" "));
    db.exec("INSERT INTO ended VALUES (1, 'eu-west-1', 'j9', 'reported', 5)");
    db.close();
    const file = open();
    expect(file.read(5).jobs.map(({ job_id: id, account }) => [id, account])).toEqual(
      owed.map((_, at) => [`j${at + 1}`, "default"]),
    );
    expect(file.read(5).ended).toEqual([{ region: "eu-west-1", jobId: "j9", endedAtMs: 5, account: "default" }]);
    file.commit([{ type: "put", row: sqliteRow(4).with(-1, "shop") as unknown as SqliteRow }]);
    closeAll();
    const clock = new FakeClock(5);
    const ledger = await openLedger(clock);
    const found = await ledger.unfinished();
    expect(found.map(({ lease }) => lease.key.account)).toEqual([undefined, undefined, undefined, "shop"]);
    const ended = { region: "eu-west-1" as Region, actionType: found[0]?.lease.key.actionType as ActionType };
    expect(await ledger.lease({ ...ended, jobId: "j9" as JobId })).toBeUndefined();
    expect(await ledger.lease({ ...ended, jobId: "j9" as JobId, account: "shop" as AccountName })).toBeDefined();
    await ledger.close();
  });

  it("stays as it was when a step fails", () => {
    open().commit([put(1)]);
    closeAll();
    expect(() => open({ migrations: [...twoSteps, "CREATE TABLE jobs (x)"] })).toThrow(/table jobs already exists/);
    expect(ids(open())).toEqual([1]);
  });
});
