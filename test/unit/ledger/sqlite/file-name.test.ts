// One file, one lock: whatever name leads to it.
import { linkSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { onlyNameOf } from "../../../../src/ledger/sqlite/file-name.js";
import { listJobs } from "../../../../src/ledger/sqlite/list.js";
import { newIdentity } from "../../../../src/ledger/sqlite/sqlite-file.js";
import { SqliteStore } from "../../../../src/ledger/sqlite/sqlite-store.js";

let folder: string;
const stores: SqliteStore[] = [];
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), "partnerd-name-")));
  mkdirSync(join(folder, "real"));
  mkdirSync(join(folder, "other"));
});
afterEach(() => {
  for (const store of stores.splice(0)) store.close();
  rmSync(folder, { recursive: true, force: true });
});

function open(path: string): SqliteStore {
  const holder = { pid: 1, host: "h", sinceMs: 0 };
  const options = { path: join(folder, path), recentMs: 1_000, recentMax: 10, holder, identity: newIdentity() };
  const store = new SqliteStore(options);
  stores.push(store);
  store.open();
  return store;
}

const link = (target: string, path: string) => symlinkSync(target, join(folder, path));

describe("the lock of a ledger file", () => {
  it.each([
    ["a link to the file", "other/l.db", () => link(join(folder, "real/l.db"), "other/l.db")],
    ["a relative link", "other/l.db", () => link("../real/l.db", "other/l.db")],
    ["a link of another name", "other/x.sqlite", () => link("../real/l.db", "other/x.sqlite")],
    ["a link to a link", "other/b.db", () => [link("../real/l.db", "other/a.db"), link("a.db", "other/b.db")]],
    ["a link to the folder", "folder/l.db", () => link("real", "folder")],
  ])("keeps out who comes by %s", (_, path, make) => {
    make();
    open("real/l.db");
    expect(() => open(path)).toThrow(expect.objectContaining({ code: "locked" }));
  });

  it.each(["real/l.db", "other/l.db"])("holds as well when the file was made through a link (%s first)", (first) => {
    link("../real/l.db", "other/l.db");
    open(first);
    expect(() => open("real/l.db")).toThrow(expect.objectContaining({ code: "locked" }));
    expect(() => open("other/l.db")).toThrow(expect.objectContaining({ code: "locked" }));
  });

  it("cannot be had for a file with a second hard link", async () => {
    writeFileSync(join(folder, "real/l.db"), "");
    linkSync(join(folder, "real/l.db"), join(folder, "other/l.db"));
    const refused = expect.objectContaining({ code: "unwritable", message: expect.stringMatching(/2 names/) });
    for (const path of ["real/l.db", "other/l.db"]) {
      expect(() => open(path)).toThrow(refused);
      await expect(listJobs(join(folder, path))).rejects.toThrow(refused);
    }
  });
});

describe("onlyNameOf", () => {
  it("rejects a file that is a mount of its own, and says to mount the folder", () => {
    const path = join(folder, "real/l.db");
    const mounts = () => ["/", path];
    expect(() => onlyNameOf(path, mounts)).toThrow(/mounted as a single file.*mount its folder/s);
    link("real/l.db", "l.db");
    expect(() => onlyNameOf(join(folder, "l.db"), mounts)).toThrow(/mounted as a single file/);
    expect(onlyNameOf(path, () => ["/", join(folder, "real")])).toBe(path);
  });

  it("rejects links that lead in a circle", () => {
    link("b.db", "a.db");
    link("a.db", "b.db");
    expect(() => onlyNameOf(join(folder, "a.db"))).toThrow(/circle/);
  });

  it("leaves a missing folder to whoever opens the file", () => {
    expect(onlyNameOf("/no/such/folder/l.db")).toBe("/no/such/folder/l.db");
  });
});
