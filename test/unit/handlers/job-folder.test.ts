import { execFileSync } from "node:child_process";
import { chmod, lstat, mkdir, mkdtemp, readdir, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { makeJobFolder, readOutcomeFile, removeJobFolder } from "../../../src/handlers/job-folder.js";

let root = "";

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "partnerd-test-"));
});

afterEach(() => rm(root, { recursive: true, force: true }));

describe("makeJobFolder", () => {
  it("makes a folder that nobody else may enter, also where the work folder does not exist yet", async () => {
    const folder = await makeJobFolder(join(root, "deep", "work"));
    expect((await stat(folder)).mode & 0o777).toBe(0o700);
    expect((await stat(join(root, "deep", "work"))).mode & 0o777).toBe(0o700);
  });

  it("never makes the same folder twice", async () => {
    const folders = await Promise.all(Array.from({ length: 20 }, () => makeJobFolder(root)));
    expect(new Set(folders).size).toBe(20);
  });

  it("says why when it cannot", async () => {
    await writeFile(join(root, "file"), "");
    await expect(makeJobFolder(join(root, "file", "work"))).rejects.toMatchObject({ code: "ENOTDIR" });
  });
});

describe("removeJobFolder", () => {
  it("removes what a job made read-only", async () => {
    const folder = await makeJobFolder(root);
    await mkdir(join(folder, "cache", "module"), { recursive: true });
    await writeFile(join(folder, "cache", "module", "file"), "x", { mode: 0o400 });
    await chmod(join(folder, "cache", "module"), 0o500);
    await chmod(join(folder, "cache"), 0o000);
    await removeJobFolder(folder);
    expect(await readdir(root)).toEqual([]);
  });

  it("does not follow links out of the folder", async () => {
    const outside = join(root, "outside");
    await mkdir(outside);
    await writeFile(join(outside, "precious"), "x");
    await chmod(outside, 0o500);
    const folder = await makeJobFolder(root);
    await symlink(outside, join(folder, "link"));
    await removeJobFolder(folder);
    expect(await readdir(outside)).toEqual(["precious"]);
    expect((await stat(outside)).mode & 0o777).toBe(0o500);
    await chmod(outside, 0o700);
  });

  it("removes only the link when a job put one in the folder's place", async () => {
    const outside = join(root, "outside");
    await mkdir(outside);
    await writeFile(join(outside, "precious"), "x");
    const folder = await makeJobFolder(root);
    await rm(folder, { recursive: true });
    await symlink(outside, folder);
    await removeJobFolder(folder);
    expect(await readdir(outside)).toEqual(["precious"]);
    await expect(lstat(folder)).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("does not mind that the folder is gone", async () => {
    await expect(removeJobFolder(join(root, "gone"))).resolves.toBeUndefined();
  });
});

describe("readOutcomeFile", () => {
  const path = () => join(root, "outcome.json");

  it("finds none", async () => {
    expect(await readOutcomeFile(path())).toEqual({ kind: "none" });
  });

  it.each([
    ["an object", '{"kind":"succeeded"}', { kind: "succeeded" }],
    ["an object after a byte order mark", '\ufeff{"kind":"succeeded"}\n', { kind: "succeeded" }],
    ["any other JSON", "[null]", [null]],
  ])("reads %s", async (_what, text, value) => {
    await writeFile(path(), text);
    expect(await readOutcomeFile(path())).toEqual({ kind: "document", value });
  });

  it("reads one of exactly 1 MiB", async () => {
    await writeFile(path(), `"${"x".repeat(1024 * 1024 - 2)}"`);
    expect(await readOutcomeFile(path())).toMatchObject({ kind: "document" });
  });

  it.each<[string, () => Promise<unknown>, string]>([
    ["an empty one", () => writeFile(path(), " \n"), "is empty"],
    ["one that is not JSON", () => writeFile(path(), "{kind: succeeded}"), "is not JSON"],
    ["one cut in the middle", () => writeFile(path(), '{"kind":"succ'), "is not JSON"],
    ["one over 1 MiB", () => writeFile(path(), `"${"x".repeat(1024 * 1024)}"`), "is larger than 1048576 bytes"],
    ["a folder", () => mkdir(path()), "is not a regular file"],
    ["a link, even to a good document", () => linkToGood(), "is not a regular file"],
    ["a link to nothing", () => symlink("/nonexistent", path()), "is not a regular file"],
    ["a device", () => symlink("/dev/zero", path()), "is not a regular file"],
    ["a named pipe that nobody writes", async () => execFileSync("mkfifo", [path()]), "is not a regular file"],
  ])("refuses %s", async (_what, make, why) => {
    await make();
    expect(await readOutcomeFile(path())).toEqual({ kind: "unreadable", why });
  });

  it("quotes nothing of what it cannot parse", async () => {
    await writeFile(path(), "hunter2 is my secret");
    expect(JSON.stringify(await readOutcomeFile(path()))).not.toContain("hunter2");
  });

  async function linkToGood(): Promise<void> {
    await writeFile(join(root, "good.json"), '{"kind":"succeeded"}');
    await symlink(join(root, "good.json"), path());
  }
});
