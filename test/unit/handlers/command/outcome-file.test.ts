import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readOutcomeFile } from "../../../../src/handlers/command/outcome-file.js";

let root = "";

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "partnerd-test-"));
});

afterEach(() => rm(root, { recursive: true, force: true }));

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
