import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { lockLedger } from "../../../../src/ledger/sqlite/lock.js";
import type { LockFile } from "../../../../src/std/lock-file.js";
import { loadSqlite } from "../../../../src/std/sqlite.js";

const sqlite = loadSqlite();
let folder: string;
let path: string;
const taken: LockFile[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "partnerd-lock-"));
  path = join(folder, "ledger.db");
});
afterEach(() => {
  for (const lock of taken.splice(0)) lock.release();
  rmSync(folder, { recursive: true, force: true });
});

const holder = { pid: 4711, host: "worker-1", sinceMs: Date.UTC(2026, 10, 23, 12, 0, 0) };

function take(who = holder): LockFile {
  const lock = lockLedger(sqlite, path, who);
  taken.push(lock);
  return lock;
}

describe("the lock of a ledger", () => {
  it("keeps a second one out and says who has it, where and since when", () => {
    take();
    expect(() => take({ ...holder, pid: 1 })).toThrow(
      expect.objectContaining({
        code: "locked",
        message: expect.stringMatching(
          /ledger\.db is in use by process 4711 on host worker-1 since 2026-11-23T12:00:00\.000Z; .*configure another path/,
        ),
      }),
    );
  });

  it("still holds after somebody was turned away", () => {
    take();
    for (let n = 0; n < 3; n++) expect(() => take()).toThrow("in use");
  });

  it("is free again once it is released, and names the new holder", () => {
    take().release();
    taken.length = 0;
    take({ ...holder, pid: 2 });
    expect(() => take()).toThrow("process 2");
  });

  it("creates nothing but its own small file, for its owner alone", () => {
    take();
    expect(statSync(`${path}.lock`).mode & 0o777).toBe(0o600);
    expect(statSync(path, { throwIfNoEntry: false })).toBeUndefined();
  });

  it("notices that its file was deleted", () => {
    const lock = take();
    expect(lock.isInPlace()).toBe(true);
    rmSync(`${path}.lock`);
    expect(lock.isInPlace()).toBe(false);
  });

  it("says what to do about a file that is no lock", () => {
    writeFileSync(`${path}.lock`, "something else\n".repeat(100));
    expect(() => take()).toThrow(/ledger\.db\.lock.*damaged.*move it/s);
  });

  it("says so when there is not a folder for it", () => {
    path = join(folder, "missing", "ledger.db");
    expect(() => take()).toThrow(expect.objectContaining({ code: "unwritable" }));
  });
});
