// Hostile archives: each is refused with a text that says why, nothing is written outside, and nothing is handed over.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hostileArchives } from "../../../support/hostile-archives.js";
import { roomyLimits, UnpackRig } from "../../../support/unpack-rig.js";

let rig: UnpackRig;
beforeAll(() => {
  rig = new UnpackRig();
});
afterAll(() => rig.close());

const archives = hostileArchives();

describe("a hostile archive", () => {
  it("is one of at least 60, no two of the same title", () => {
    expect(archives.length).toBeGreaterThanOrEqual(60);
    expect(new Set(archives.map((each) => each.title)).size).toBe(archives.length);
  });

  it.each(archives.map((each) => [each.title, each] as const))("is refused: %s", async (_title, archive) => {
    // A folder of its own, with a neighbour, so that whatever escapes is seen.
    const place = join(rig.folder, `place-${archives.indexOf(archive)}`);
    mkdirSync(join(place, "job"), { recursive: true });
    const file = join(place, "job", "raw");
    writeFileSync(file, archive.bytes);
    writeFileSync(join(place, "neighbour"), "untouched");
    const into = join(place, "job", "out");
    const limits = { ...roomyLimits, ...archive.limits };
    const signal = new AbortController().signal;
    const call = { artifact: "SourceOutput", file, into, plainName: "SourceOutput", limits, signal };
    const failure = await rig.unpacker.unpack(call).then(
      (unpacked) => ({ type: "unpacked", message: JSON.stringify(unpacked) }),
      (error: unknown) => error,
    );
    expect(failure).toMatchObject({
      type: "ConfigurationError",
      message: expect.stringContaining("the artifact SourceOutput cannot be unpacked: it"),
    });
    const { message } = failure as Error;
    expect(message).toContain(archive.says);
    // One line for people, whatever the names hold.
    expect(message).toMatch(/^[^\p{Cc}]{1,1000}$/u);
    expect(readdirSync(place, { recursive: true }).sort()).toEqual(["job", "job/raw", "neighbour"]);
    expect(readFileSync(join(place, "neighbour"), "utf8")).toBe("untouched");
    expect(readFileSync(file).equals(archive.bytes)).toBe(true);
    expect(existsSync("/tmp/partnerd-evil")).toBe(false);
    rmSync(place, { recursive: true });
  });
});
