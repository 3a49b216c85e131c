// What we pack we unpack: one set of names, links and limits for both. What cannot be unpacked is refused when it is
// packed, where whoever made it still sees it.
import { randomBytes } from "node:crypto";
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Packer, startPackWorker } from "../../../../src/artifacts/pack/pack.js";
import type { UnpackLimits } from "../../../../src/artifacts/unpack/unpack-limits.js";
import { systemClock } from "../../../../src/std/clock.js";
import { fullTree } from "../../../support/archive-readers.js";
import { roomyLimits, UnpackRig } from "../../../support/unpack-rig.js";

const mebibyte = 2 ** 20;
const { signal } = new AbortController();
let rig: UnpackRig;
const packers: Packer[] = [];

beforeAll(() => {
  rig = new UnpackRig();
});
afterAll(async () => {
  await Promise.all(packers.map((packer) => packer.close()));
  await rig.close();
});

/** A folder to fill. */
function newFolder(): string {
  return mkdtempSync(join(rig.folder, "tree-"));
}

/** Packs and unpacks; answers the tree that comes back, and what packing told. */
async function roundTrip(folder: string, limits: UnpackLimits = roomyLimits) {
  const packer = new Packer({ limits, threadsMax: 2, endMs: 5_000, clock: systemClock, start: startPackWorker });
  packers.push(packer);
  const file = `${folder}.zip`;
  const packed = await packer.pack({ artifact: "Report", directory: folder, file, signal });
  const archive = readFileSync(file);
  rmSync(file);
  const call = rig.call(archive, { limits });
  const unpacked = await rig.unpacker.unpack(call);
  expect(unpacked.entries).toBe(packed.entries);
  expect(unpacked.leftOut).toBeUndefined();
  return { tree: fullTree(call.into), packed, archive };
}

function write(folder: string, files: Readonly<Record<string, string | Buffer>>): void {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), content);
  }
}

describe("what is packed is unpacked", () => {
  it("when names differ in case, Unicode form, and dots and spaces at their end", async () => {
    const folder = newFolder();
    write(folder, { "r.txt": "1", "R.txt": "2", "caf\u00e9": "3", "cafe\u0301": "4", a: "5", "a.": "6", "a ": "7" });
    write(folder, { "lib/x": "8", "Lib/x": "9", "\ufffd": "10", "d/back\\slash": "11" });
    expect((await roundTrip(folder)).tree).toEqual(fullTree(folder));
  });

  it("however well it packs", { timeout: 60_000 }, async () => {
    const folder = newFolder();
    for (const [mebibytes, maxRatio, maxRatioFromBytes] of [
      [100, 200, 100 * mebibyte],
      [16, 200, 0],
      [16, 9, 0],
      [16, 2, 0],
      [16, 1, 2 * mebibyte],
    ] as const) {
      const bytes = mebibytes * mebibyte;
      write(folder, { zeros: Buffer.alloc(bytes), small: Buffer.alloc(200_000) });
      const { archive, tree } = await roundTrip(folder, { ...roomyLimits, maxRatio, maxRatioFromBytes });
      expect(Object.keys(tree)).toEqual(["small", "zeros"]);
      expect(archive.length * maxRatio + maxRatioFromBytes).toBeGreaterThanOrEqual(bytes);
      // No larger than need be: letters alone cost an eighth.
      if (maxRatio > 8) expect(archive.length).toBeLessThan(bytes / 7);
    }
  });

  it("up to as many links as artifacts.maxLinks says, and no more", async () => {
    const folder = newFolder();
    const limits = { ...roomyLimits, maxLinks: 50 };
    for (let n = 0; n < 50; n++) symlinkSync("x", join(folder, `l${n}`));
    expect((await roundTrip(folder, limits)).tree).toEqual(fullTree(folder));
    symlinkSync("x", join(folder, "one-more"));
    await expect(roundTrip(folder, limits)).rejects.toThrow("artifacts.maxLinks allows (50)");
  });

  it("with links that lead into the folder by its own path, made relative", async () => {
    const folder = newFolder();
    mkdirSync(join(folder, "a/b"), { recursive: true });
    write(folder, { "a/file": "x" });
    const other = `${folder}-by-another-name`;
    symlinkSync(folder, other);
    symlinkSync(join(folder, "a/file"), join(folder, "top"));
    symlinkSync(join(folder, "a/file"), join(folder, "a/b/deep"));
    symlinkSync(folder, join(folder, "a/b/root"));
    symlinkSync(`${folder}/`, join(folder, "self"));
    symlinkSync(`${folder}//a/../a/file`, join(folder, "winding"));
    const { tree } = await roundTrip(folder);
    expect(tree).toMatchObject({
      top: "link a/file",
      "a/b/deep": "link ../../a/file",
      "a/b/root": "link ../../",
      self: "link .",
      winding: "link a/../a/file",
    });
    symlinkSync(`${folder}-secret`, join(folder, "beside"));
    await expect(roundTrip(folder)).rejects.toThrow('its link "beside"');
    rmSync(join(folder, "beside"));
    // By the name under which the folder is given, too.
    symlinkSync(join(other, "a/file"), join(folder, "by-another"));
    await expect(roundTrip(folder)).rejects.toThrow("has an absolute target");
    expect((await roundTrip(other).catch((error: unknown) => error)) as Error).toMatchObject({
      message: expect.stringContaining("its folder is a file or a link"),
    });
  });

  it("without the links that may not be, where that is asked, and says which", async () => {
    const folder = newFolder();
    write(folder, { "bin/activate": "x" });
    symlinkSync("/usr/bin/python3", join(folder, "bin/python3"));
    symlinkSync("python3", join(folder, "bin/python"));
    await expect(roundTrip(folder)).rejects.toThrow(
      /"bin\/python" to "python3" has an absolute target.*badLinks: skip/,
    );
    const { tree, packed } = await roundTrip(folder, { ...roomyLimits, badLinks: "skip" });
    expect(Object.keys(tree)).toEqual(["bin", "bin/activate"]);
    expect(packed.leftOut).toEqual({
      count: 2,
      first: [
        'link "bin/python" to "python3" has an absolute target; link relatively',
        'link "bin/python3" to "/usr/bin/python3" has an absolute target; link relatively',
      ],
    });
  });

  it("when a file in it looks like the end of a zip", async () => {
    const folder = newFolder();
    const end = Buffer.concat([Buffer.from("PK\x05\x06"), Buffer.alloc(16), Buffer.of(76, 0)]);
    write(folder, { a: Buffer.concat([randomBytes(100), end, randomBytes(10)]), b: end, c: "PK\x03\x04" });
    expect((await roundTrip(folder)).tree).toEqual(fullTree(folder));
  });
});

const part = fc
  .oneof(
    {
      weight: 6,
      arbitrary: fc.string({ unit: fc.constantFrom(..."abcABC ._-", "\u00e9", "e\u0301"), minLength: 1, maxLength: 6 }),
    },
    {
      weight: 1,
      arbitrary: fc.string({
        unit: fc.constantFrom("a", "\\", ":", "\r", "\u001b", "\u0085"),
        minLength: 1,
        maxLength: 4,
      }),
    },
    { weight: 1, arbitrary: fc.integer({ min: 1, max: 255 }).map((length) => "n".repeat(length)) },
  )
  .filter((name) => name !== "." && name !== "..");
const path = fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join("/"));
const entry = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ path, size: fc.nat({ max: 3_000 }), mode: fc.integer({ min: 0o400, max: 0o777 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ path, size: fc.integer({ min: 262_140, max: 600_000 }), mode: fc.constant(0o644) }),
  },
  { weight: 2, arbitrary: fc.record({ path, folder: fc.integer({ min: 0o700, max: 0o777 }) }) },
  { weight: 2, arbitrary: fc.record({ path, target: path }) },
  { weight: 1, arbitrary: fc.record({ path, target: path.map((to) => `../${to}`) }) },
  { weight: 1, arbitrary: fc.record({ path, within: path }) },
);

/** The tree on disk; what does not fit there beside the others is left out. */
function make(folder: string, entries: readonly (typeof entry extends fc.Arbitrary<infer E> ? E : never)[]): void {
  for (const each of entries) {
    const at = join(folder, each.path);
    try {
      mkdirSync(dirname(at), { recursive: true });
      if ("size" in each) writeFileSync(at, Buffer.alloc(each.size, each.path || "x"), { flag: "wx" });
      else if ("folder" in each) mkdirSync(at);
      else if ("target" in each) symlinkSync(each.target, at);
      else symlinkSync(join(folder, each.within), at);
    } catch {
      continue;
    }
    if ("size" in each) chmodSync(at, each.mode);
    if ("folder" in each) chmodSync(at, each.folder);
  }
}

it("any tree a file system can hold comes back as it was, or is refused for a name or link of it", {
  timeout: 120_000,
}, async () => {
  let whole = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(entry, { maxLength: 10 }), async (entries) => {
      const folder = newFolder();
      make(folder, entries);
      const before = fullTree(folder);
      const result = await roundTrip(folder).catch((error: unknown) => error as Error & { type: string });
      if (result instanceof Error) {
        // Refused by the packer, never by the unpacker.
        expect(result.message).toMatch(/^the output artifact Report cannot be packed: its (?:entry|link) /);
        expect(result.type).toBe("ConfigurationError");
        const text = JSON.stringify(Object.entries(before));
        expect(text).toMatch(/\\\\|:|\\r|\\n|\\u001b|\u00c2\u0085|link /);
      } else {
        whole++;
        const relative = Object.entries(before).map(([at, what]) => {
          const up = "../".repeat(at.split("/").length - 1);
          return [at, what.startsWith(`link ${folder}/`) ? `link ${up}${what.slice(6 + folder.length)}` : what];
        });
        expect(result.tree).toEqual(Object.fromEntries(relative));
        expect(lstatSync(folder).isDirectory()).toBe(true);
      }
      rmSync(folder, { recursive: true, force: true });
    }),
    { numRuns: 60 },
  );
  expect(whole).toBeGreaterThan(10);
});
