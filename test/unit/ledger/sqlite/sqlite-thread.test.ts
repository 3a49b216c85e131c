import { EventEmitter, once } from "node:events";
import { existsSync, mkdtempSync, renameSync, rmSync, statSync, watch, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Worker } from "node:worker_threads";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { LedgerError } from "../../../../src/ledger/ledger.js";
import { newIdentity } from "../../../../src/ledger/sqlite/sqlite-file.js";
import type { Write } from "../../../../src/ledger/sqlite/sqlite-rows.js";
import { SqliteThread, startSqliteWorker } from "../../../../src/ledger/sqlite/sqlite-thread.js";
import { loadSqlite } from "../../../../src/std/sqlite.js";
import { sqliteRow } from "../../../support/sqlite.js";

let folder: string;
const threads: SqliteThread[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "partnerd-thread-"));
});
afterEach(async () => {
  for (const thread of threads.splice(0)) await thread.close().catch(() => thread.abandon());
  rmSync(folder, { recursive: true, force: true });
});

function setUp() {
  const path = join(folder, "ledger.db");
  const store = { path, recentMs: 1_000, recentMax: 10, holder: { pid: 1, host: "h", sinceMs: 0 } };
  const identity = newIdentity();
  const workers: Worker[] = [];
  const deaths: LedgerError[] = [];
  const dead = Promise.withResolvers<void>();
  const thread = new SqliteThread({
    path,
    onDeath: (fault) => {
      deaths.push(fault);
      dead.resolve();
    },
    start: () => {
      const worker = startSqliteWorker({ ...store, identity });
      workers.push(worker);
      return worker;
    },
  });
  threads.push(thread);
  return { path, thread, workers, deaths, dead: dead.promise };
}

function put(id: number): Write {
  return { type: "put", row: sqliteRow(id) };
}

describe("the ledger's thread", () => {
  it("opens, writes, closes, and finds it all again", async () => {
    const first = setUp();
    expect((await first.thread.open(0)).jobs).toEqual([]);
    await first.thread.commit([put(1), put(2)]);
    await first.thread.close();
    const second = setUp();
    expect((await second.thread.open(0)).jobs).toMatchObject([{ id: 1 }, { id: 2 }]);
  });

  it("hands on the code and the words of a fault", async () => {
    const first = setUp();
    await first.thread.open(0);
    await expect(setUp().thread.open(0)).rejects.toMatchObject({
      name: "LedgerError",
      code: "locked",
      message: expect.stringContaining("in use by process 1 on host h"),
    });
  });

  it("tells of its death while nothing is asked, and lets go of the lock and the file", async () => {
    const { thread, workers, deaths, dead } = setUp();
    await thread.open(0);
    await thread.commit([put(1)]);
    await workers[0]?.terminate();
    await dead;
    expect(deaths[0]).toMatchObject({ code: "unwritable", message: expect.stringContaining("died") });
    await thread.reopen([put(2)]);
    expect(workers).toHaveLength(2);
    await thread.close();
    expect((await setUp().thread.open(0)).jobs).toHaveLength(2);
  });

  it("fails what was asked of it when it dies", async () => {
    const { path, thread, workers, deaths } = setUp();
    await thread.open(0);
    // Another hand on the file: the commit has not ended when the thread does.
    const { DatabaseSync } = loadSqlite();
    const other = new DatabaseSync(path);
    other.exec("BEGIN IMMEDIATE");
    const asked = expect(thread.commit([put(1)])).rejects.toMatchObject({ code: "unwritable" });
    const ended = workers[0]?.terminate();
    other.close();
    await Promise.all([asked, ended]);
    expect(deaths).toEqual([]);
    await thread.reopen([put(1)]);
  });

  it("does not write into a file that took its file's place while it was dead", async () => {
    const { path, thread, workers, dead } = setUp();
    await thread.open(0);
    await workers[0]?.terminate();
    await dead;
    for (const suffix of ["-wal", "-shm", ".lock"]) rmSync(path + suffix, { force: true });
    // Moved aside, not removed: a file system may give the number of a removed file to the next one at once, and a
    // ledger that was removed and replaced within the moment that its thread was dead cannot be told from the old.
    renameSync(path, `${path}.aside`);
    const other = setUp();
    await other.thread.open(0);
    await other.thread.commit([put(7)]);
    await other.thread.close();
    await expect(thread.reopen([put(1)])).rejects.toThrow(/was replaced by another file/);
  });

  type Step = "deleted" | "moved" | "emptied" | "died" | "died-at-work" | "reopened";
  const steps = ["deleted", "moved", "emptied", "died", "died-at-work", "reopened"] as const satisfies readonly Step[];

  it("goes on with a file of its own, however file and thread were lost, and in whatever order", {
    timeout: 60_000,
  }, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.constantFrom(...steps), { minLength: 1, maxLength: 5 }), async (sequence) => {
        folder = mkdtempSync(join(tmpdir(), "partnerd-thread-"));
        const { path, thread, workers } = setUp();
        await thread.open(0);
        const kill = async () => {
          const worker = workers.at(-1);
          if (worker === undefined || worker.threadId === -1) return;
          const exit = once(worker, "exit");
          await worker.terminate();
          await exit;
        };
        for (const step of sequence) {
          if (step === "deleted") rmSync(path, { force: true });
          else if (step === "moved" && existsSync(path)) renameSync(path, `${path}.aside`);
          else if (step === "emptied") {
            rmSync(path, { force: true });
            writeFileSync(path, "");
          } else if (step === "died") await kill();
          else if (step === "died-at-work") {
            // As soon as it touches the folder: perhaps in the midst of making the file anew.
            const changes = watch(folder);
            const asked = thread.reopen([put(1)]).catch((error: unknown) => error);
            await Promise.race([once(changes, "change"), asked]);
            changes.close();
            await kill();
            await asked;
          } else if (step === "reopened") await thread.reopen([put(1)]);
        }
        await thread.reopen([put(1), put(2)]);
        await thread.commit([put(3)]);
        await kill();
        await thread.reopen([put(4)]);
        await thread.close();
        expect((await setUp().thread.open(0)).jobs).toHaveLength(4);
        for (const each of threads.splice(0)) await each.close().catch(() => each.abandon());
        rmSync(folder, { recursive: true, force: true });
      }),
      {
        numRuns: 8,
        examples: [[["moved", "reopened", "died"]], [["emptied", "reopened", "died"]], [["moved", "died-at-work"]]],
      },
    );
  });

  it("knows the file that it made anew when its answer was a fault", async () => {
    const { path, thread, workers } = setUp();
    await thread.open(0);
    // Moved aside: a removed one may give its number to the next.
    renameSync(path, `${path}.aside`);
    // The file is made anew, and then a write fails: no row looks like this.
    const wrong = { type: "put", row: [{}] } as unknown as Write;
    await expect(thread.reopen([wrong])).rejects.toMatchObject({ code: "unwritable" });
    expect(statSync(path).size).toBeGreaterThan(0);
    await workers[0]?.terminate();
    await thread.reopen([put(1)]);
    await thread.close();
    expect((await setUp().thread.open(0)).jobs).toHaveLength(1);
  });

  it("is not taken for dead when its end comes in one turn with its last answer", async () => {
    const worker = Object.assign(new EventEmitter(), { postMessage: () => {}, terminate: async () => 0 });
    const deaths: LedgerError[] = [];
    const thread = new SqliteThread({
      path: "/ledger.db",
      onDeath: (fault) => deaths.push(fault),
      start: () => worker as unknown as Worker,
    });
    const opening = thread.open(0);
    worker.emit("message", { contents: { jobs: [], ended: [] } });
    await opening;
    const closing = thread.close();
    worker.emit("message", {});
    worker.emit("exit", 0);
    await closing;
    expect(deaths).toEqual([]);
  });

  it("says so when it dies while it closes", async () => {
    const worker = Object.assign(new EventEmitter(), { postMessage: () => {}, terminate: async () => 0 });
    const onDeath = () => expect.unreachable();
    const thread = new SqliteThread({ path: "/ledger.db", onDeath, start: () => worker as unknown as Worker });
    const opening = thread.open(0);
    worker.emit("message", { contents: { jobs: [], ended: [] } });
    await opening;
    const closing = expect(thread.close()).rejects.toMatchObject({ code: "unwritable" });
    worker.emit("exit", 1);
    await closing;
  });

  it("refuses to be asked two things at once", async () => {
    const { thread } = setUp();
    await thread.open(0);
    const first = thread.commit([put(1)]);
    await expect(thread.commit([put(2)])).rejects.toThrow("bug");
    await first;
  });

  it("closes when it never opened, and twice", async () => {
    const { thread } = setUp();
    await thread.close();
    await thread.open(0);
    await thread.close();
    await thread.close();
  });
});
