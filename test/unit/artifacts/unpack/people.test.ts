// Archives as people's tools make them, each as its kind: what unzip, bsdtar, GNU tar and Python unpack alike.
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { constants, deflateRawSync, gzipSync, zstdCompressSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { fullTree, isInstalled } from "../../../support/archive-readers.js";
import { le, pax, type TarPart, tar, type ZipPart, zip } from "../../../support/archives.js";
import { roomyLimits, type Tree, UnpackRig } from "../../../support/unpack-rig.js";

let rig: UnpackRig;
beforeAll(() => {
  rig = new UnpackRig();
});
afterAll(() => rig.close());

const mebibyte = 2 ** 20;
const link = 0o120777;

/** Both kinds of tar, and the zip if there is one. */
async function expectAll(archives: readonly Buffer[], tree: Tree): Promise<void> {
  for (const bytes of archives) expect((await rig.unpack(bytes)).tree).toEqual(tree);
}

describe("the ratio", () => {
  const zeros = Buffer.alloc(100 * mebibyte);
  const noise = randomBytes(20 * mebibyte);
  const parts = [
    { name: "zeros", content: zeros },
    { name: "noise", content: noise },
  ];
  it.each([
    ["zip", () => zip(parts)],
    ["tar.gz", () => gzipSync(tar(parts), { level: 1 })],
    ["tar.zst", () => zstdCompressSync(tar(parts))],
  ])("is that of the whole archive, whatever comes first: %s", { timeout: 60_000 }, async (_title, make) => {
    const limits = { ...roomyLimits, maxRatioFromBytes: mebibyte };
    const { unpacked } = await rig.unpack(make(), { limits });
    expect(unpacked.bytes).toBe(120 * mebibyte);
  });

  it("counts from maxRatioFromBytes, to the byte", async () => {
    const archive = zip([{ name: "dump.sql", content: zeros }]);
    const most = 100 * archive.length;
    const limits = { ...roomyLimits, maxRatio: 100, maxRatioFromBytes: zeros.length - most };
    expect((await rig.unpack(archive, { limits })).unpacked.bytes).toBe(zeros.length);
    const less = { ...limits, maxRatioFromBytes: zeros.length - most - 1 };
    await expect(rig.unpack(archive, { limits: less })).rejects.toThrow(
      /more than 100 times its size, at "dump.sql": artifacts.maxRatio .* \(artifacts.maxRatioFrom\)/,
    );
  });

  it("lets a CSV of 120 MiB through that packs 490 times", async () => {
    const csv = Buffer.alloc(120 * mebibyte, "0,0,0,0\n");
    const packed = deflateRawSync(csv, { level: 9 });
    const archive = zip([
      { name: "a.csv", content: csv, packed },
      { name: "pad", content: randomBytes(Math.max(0, Math.ceil(csv.length / 490) - packed.length)) },
    ]);
    expect(csv.length / archive.length).toBeGreaterThan(400);
    expect((await rig.unpack(archive)).unpacked.bytes).toBeGreaterThanOrEqual(csv.length);
  });
});

describe("a zip of Windows", () => {
  it.each([
    ["FAT", 0],
    ["NTFS", 10],
    ["VFAT", 14],
  ])("has folders where its names have backslashes: %s", async (_title, host) => {
    const parts = [
      { name: "src\\app\\main.ps1", content: "x", host, mode: 0 },
      { name: "src\\empty\\", host, mode: 0 },
      { name: "src\\\u00e9.txt", content: "y", host, mode: 0, flags: 0x800 },
      { name: "\\at\\the\\root", content: "z", host, mode: 0 },
    ];
    const at = { at: "/", "at/the": "/", "at/the/root": "z" };
    await expectAll([zip(parts)], {
      ...at,
      src: "/",
      "src/app": "/",
      "src/app/main.ps1": "x",
      "src/empty": "/",
      "src/\u00e9.txt": "y",
    });
  });

  it.each([
    ["that leads out", "a\\..\\..\\evil", "has .. in its path"],
    ["with a drive", "C:\\evil", "drive letter"],
  ])("is refused for a name %s", async (_title, name, says) => {
    await expect(rig.unpack(zip([{ name, host: 0 }]))).rejects.toThrow(says);
  });

  it("keeps a backslash beside slashes, as all readers do, and has the permissions that all readers give it", async () => {
    const call = rig.call(zip([{ name: "d/a\\b", content: "x", host: 0, mode: 0o100755 }]));
    await rig.unpacker.unpack(call);
    expect(fullTree(call.into)).toEqual({ d: "folder 755", "d/a\\b": "file 644 x" });
  });
});

describe("what follows an archive", () => {
  const parts = [{ name: "a", content: "one" }];
  it.each([
    ["zeros to the end of a block", Buffer.alloc(10_240 - zip(parts).length)],
    ["one zero", Buffer.alloc(1)],
    ["a newline", Buffer.from("\n")],
    ["zeros as far as an end is looked for", Buffer.alloc(65_535)],
  ])("means nothing after a zip: %s", async (_title, more) => {
    await expectAll([Buffer.concat([zip(parts), more])], { a: "one" });
  });

  it.each([
    ["no end mark", 0],
    ["half of one", 512],
    ["all of it", 1_024],
    ["more than that", 10_240],
  ])("may be missing after a tar: %s", async (_title, bytes) => {
    const archive = tar(parts, { end: Buffer.alloc(bytes) });
    await expectAll([archive, gzipSync(archive), zstdCompressSync(archive)], { a: "one" });
  });

  it("is told apart from a database that holds a zip", async () => {
    const database = Buffer.concat([Buffer.alloc(5_000, "SQL"), zip(parts), Buffer.alloc(100, "SQL")]);
    expect((await rig.unpack(database)).unpacked.kind).toBe("file");
  });
});

describe("a sparse file", () => {
  const content = Buffer.alloc(3 * mebibyte + 2);
  content.write("begin", 0);
  content.write("x\n", 3 * mebibyte);
  const expected = { f: content.toString("latin1") };
  const programs: readonly (readonly [string, string, readonly string[]])[] = [
    ["bsdtar, without being asked", "bsdtar", ["-cf"]],
    ["GNU tar", "tar", ["-S", "-cf"]],
    ["GNU tar, pax 0.0", "tar", ["-S", "--format=pax", "--sparse-version=0.0", "-cf"]],
    ["GNU tar, pax 0.1", "tar", ["-S", "--format=pax", "--sparse-version=0.1", "-cf"]],
    ["GNU tar, pax 1.0", "tar", ["-S", "--format=pax", "--sparse-version=1.0", "-cf"]],
  ];
  for (const [title, program, args] of programs) {
    it.skipIf(!isInstalled(program))(`is read in the form of ${title}`, async () => {
      const folder = mkdtempSync(join(rig.folder, "sparse-"));
      // Many pieces, so that the map goes on in further blocks; a hole at the end of the last.
      for (const [name, pieces] of [
        ["few", 3],
        ["many", 60],
      ] as const) {
        const file = join(folder, name);
        writeFileSync(file, "");
        for (let n = 0; n < pieces; n++) {
          truncateSync(file, (n + 1) * mebibyte);
          writeFileSync(file, `piece ${n}`, { flag: "a" });
        }
        truncateSync(file, (pieces + 2) * mebibyte);
      }
      const archive = `${folder}.tar`;
      spawnSync(program, [...args, archive, "few", "many"], { cwd: folder });
      expect(statSync(archive).size).toBeLessThan(2 * mebibyte);
      const call = rig.call(readFileSync(archive));
      const unpacked = await rig.unpacker.unpack(call);
      expect(unpacked).toMatchObject({ entries: 2, bytes: (5 + 62) * mebibyte });
      for (const name of ["few", "many"]) {
        expect(readFileSync(join(call.into, name)).equals(readFileSync(join(folder, name)))).toBe(true);
      }
      // Real sizes count, whatever the archive's.
      const limits = { ...roomyLimits, maxExtractedBytes: 66 * mebibyte };
      await expect(rig.unpack(readFileSync(archive), { limits })).rejects.toThrow("artifacts.maxExtractedBytes");
    });
  }

  const map10 = (lines: string) => Buffer.concat([Buffer.from(lines), Buffer.alloc(512 - lines.length)]);
  const form10 = { "GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "f" };
  const sized = { ...form10, "GNU.sparse.realsize": String(content.length) };
  const data = Buffer.from("beginx\n");
  const last = 3 * mebibyte;
  it("is read in form 1.0, and its holes take no room", async () => {
    const parts = [pax(sized), { name: "x", content: Buffer.concat([map10(`2\n0\n5\n${last}\n2\n`), data]) }];
    await expectAll([tar(parts)], expected);
    const call = rig.call(tar(parts));
    await rig.unpacker.unpack(call);
    expect(lstatSync(join(call.into, "f")).blocks * 512).toBeLessThan(mebibyte);
  });

  const broken: readonly (readonly [string, Readonly<Record<string, string>>, string])[] = [
    ["that overlap", sized, `2\n0\n5\n4\n2\n`],
    ["beyond its size", sized, `2\n0\n5\n${last + 1}\n2\n`],
    ["of less than its data", sized, `1\n0\n5\n`],
    ["of more than its data", sized, `2\n0\n5\n${last - 1}\n3\n`],
    ["that are no numbers", sized, `2\n0\n5\nxx\n2\n`],
    ["without an end", sized, "9".repeat(512)],
    ["that are a million", sized, `1000000\n`],
    ["of a file without a size", form10, `2\n0\n5\n${last}\n2\n`],
    ["in a form to come", { ...sized, "GNU.sparse.major": "2" }, "0\n"],
  ];
  it.each(broken)("is refused with pieces %s", async (_title, records, lines) => {
    const parts = [pax(records), { name: "x", content: Buffer.concat([map10(lines), data]) }];
    await expect(rig.unpack(tar(parts))).rejects.toThrow(/has a damaged map|unknown format "2.0"/);
  });
});

describe("names", () => {
  it.each([
    ["case", ["xt_DSCP.h", "xt_dscp.h", "LICENSE", "license/x", "BUILD", "build/y"]],
    ["Unicode form", ["caf\u00e9", "cafe\u0301", "stra\u00dfe", "STRASSE"]],
    ["dots and spaces at their end", ["a", "a.", "a ", "b/c", "b /d"]],
    ["a long s", ["\u017fecret", "secret"]],
  ])("may differ in %s where the disk tells them apart", async (_title, names) => {
    const parts = names.map((name) => ({ name, content: name, flags: 0x800 }));
    const { tree } = await rig.unpack(zip(parts));
    expect(Object.keys(tree).length).toBe(new Set(names.flatMap((name) => [name, name.split("/")[0]])).size);
    await expectAll([tar(parts)], tree);
  });

  it("lose the slashes in front, never those of a link's target", async () => {
    const tree = { "index.php": "x", a: "/", "a/b": "y" };
    const parts = [
      { name: "/index.php", content: "x" },
      { name: "//a/b", content: "y" },
    ];
    await expectAll([zip([{ name: "/" }, ...parts]), tar([{ name: "/", type: "5" }, ...parts])], tree);
    await expectAll([tar([...parts, { name: "/h", type: "1", linkTarget: "/a/b" }])], { ...tree, h: "y" });
    await expect(rig.unpack(tar([{ name: "/l", type: "2", linkTarget: "/index.php" }]))).rejects.toThrow(
      "absolute target",
    );
  });

  it("of a tar are what they are, byte by byte", async () => {
    const names = ["Icon\r", "dev\\x2dfoo.slice", "a\u001b[1m\u0085", "\ufffd", "caf\u00e9"];
    const raw = Buffer.from("caf\xe9 \xff", "latin1");
    const call = rig.call(
      tar([...names.map((name) => ({ name })), { name: raw }, { name: "l", type: "2", linkTarget: "a\\b" }]),
    );
    await rig.unpacker.unpack(call);
    const found = Object.keys(fullTree(call.into)).map((name) => Buffer.from(name, "latin1"));
    expect(found.sort(Buffer.compare)).toEqual(
      [...names.map((name) => Buffer.from(name)), raw, Buffer.from("l")].sort(Buffer.compare),
    );
  });
});

describe("the same name again", () => {
  it("is the last file", async () => {
    const twice = [
      { name: "a", content: "the first, and longer", mode: 0o444 },
      { name: "b", content: "x" },
      { name: "./a", content: "the last", mode: 0o755 },
    ];
    const tree = { a: "the last", b: "x" };
    await expectAll([tar(twice), zip(twice.map((part) => ({ ...part, mode: part.mode ?? 0o644 })))], tree);
    const call = rig.call(tar(twice));
    expect((await rig.unpacker.unpack(call)).entries).toBe(2);
    expect(statSync(join(call.into, "a")).mode & 0o777).toBe(0o755);
  });

  const file = { name: "a", content: "x" };
  it.each<readonly [string, readonly TarPart[], string]>([
    ["a link over a file", [file, { name: "a", type: "2", linkTarget: "b" }], "appears twice"],
    ["a file over a link", [{ name: "a", type: "2", linkTarget: "b" }, file], "appears twice"],
    ["a folder over a file", [file, { name: "a", type: "5" }], "as a folder and as something else"],
    ["a file over a folder", [{ name: "a", type: "5" }, file], "as a folder and as something else"],
    ["a file that a hard link names", [file, { name: "h", type: "1", linkTarget: "a" }, file], "with a hard link to"],
  ])("is refused as %s", async (_title, parts, says) => {
    await expect(rig.unpack(tar(parts))).rejects.toThrow(says);
  });
});

describe("an empty archive", () => {
  it.each([
    ["tar", Buffer.alloc(10_240), "tar"],
    ["tar of bsdtar", Buffer.alloc(1_024), "tar"],
    ["tgz", gzipSync(Buffer.alloc(10_240)), "tar.gz"],
    ["tar.zst", zstdCompressSync(Buffer.alloc(10_240)), "tar.zst"],
  ])("is an empty folder: %s", async (_title, bytes, kind) => {
    const { unpacked, tree } = await rig.unpack(bytes);
    expect(unpacked).toEqual({ kind, entries: 0, bytes: 0 });
    expect(tree).toEqual({});
  });

  it.each([
    ["no whole blocks", Buffer.alloc(10_241)],
    ["a disk image", Buffer.alloc(2 * mebibyte)],
    ["a gzip of a disk image", gzipSync(Buffer.alloc(2 * mebibyte))],
    ["a gzip of nothing", gzipSync("")],
  ])("is not what only looks like one: %s", async (_title, bytes) => {
    expect((await rig.unpack(bytes)).unpacked.kind).toBe("file");
  });
});

describe("links that may not be made", () => {
  const zipped: readonly ZipPart[] = [
    { name: "bin/python3", content: "/usr/bin/python3", mode: link },
    { name: "bin/python", content: "python3", mode: link },
    { name: "out", content: "../out", mode: link },
    { name: "round", content: "round", mode: link },
    { name: "ok", content: "bin/activate", mode: link },
    { name: "bin/activate", content: "x" },
  ];
  const tarred = zipped.map(({ name, content, mode }) =>
    mode === link ? { name, type: "2", linkTarget: String(content) } : { name, content },
  ) as readonly TarPart[];

  it.each([
    ["zip", zip(zipped)],
    ["tar", tar(tarred)],
  ])("refuse a %s, and the text names the setting", async (_title, bytes) => {
    await expect(rig.unpack(bytes)).rejects.toThrow(
      /its link "bin\/python3" to "\/usr\/bin\/python3" has an absolute target.*artifacts\.badLinks: skip/,
    );
  });

  it.each([
    ["zip", zip(zipped)],
    ["tar", tar(tarred)],
  ])("are left out of a %s where that is asked, with all that lead through them, and told", async (_title, bytes) => {
    const { unpacked, tree } = await rig.unpack(bytes, { limits: { ...roomyLimits, badLinks: "skip" } });
    expect(tree).toEqual({ bin: "/", "bin/activate": "x", ok: "-> bin/activate" });
    expect(unpacked.entries).toBe(3);
    expect(unpacked.leftOut?.count).toBe(4);
    expect(unpacked.leftOut?.first[0]).toBe(
      'link "bin/python3" to "/usr/bin/python3" has an absolute target; link relatively',
    );
  });

  it("are as many as artifacts.maxLinks says", async () => {
    const bytes = tar(Array.from({ length: 30 }, (_, n) => ({ name: `l${n}`, type: "2", linkTarget: "x" })));
    expect((await rig.unpack(bytes, { limits: { ...roomyLimits, maxLinks: 30 } })).unpacked.entries).toBe(30);
    await expect(rig.unpack(bytes, { limits: { ...roomyLimits, maxLinks: 29 } })).rejects.toThrow(
      "artifacts.maxLinks allows (29)",
    );
  });

  it("are none where a hard link names a link", async () => {
    const parts = [
      { name: "l", type: "2", linkTarget: "g" },
      { name: "d/h", type: "1", linkTarget: "l" },
    ];
    await expectAll([tar(parts)], { l: "-> g", d: "/", "d/h": "-> g" });
  });
});

describe("zstd", () => {
  it("is inflated in several frames, and a file of it that is no tar is a file", async () => {
    const archive = tar([{ name: "a", content: "one" }]);
    const frames = [archive.subarray(0, 700), archive.subarray(700)].map((part) => zstdCompressSync(part));
    const { unpacked, tree } = await rig.unpack(Buffer.concat(frames));
    expect(unpacked.kind).toBe("tar.zst");
    expect(tree).toEqual({ a: "one" });
    expect((await rig.unpack(zstdCompressSync("text"))).unpacked.kind).toBe("file");
  });

  it("is inflated whatever its frames are and however they fall into pieces", async () => {
    const archive = tar([
      { name: "a", content: randomBytes(300_000) },
      { name: "b", content: Buffer.alloc(3 * mebibyte, "b") },
    ]);
    const skippable = Buffer.concat([le(0x184d2a53, 4, 3, 4), Buffer.from("any")]);
    for (const cut of [600, 4_096, 262_144, 262_145, 300_001, archive.length - 1]) {
      const [one, two] = [archive.subarray(0, cut), archive.subarray(cut)].map((part) =>
        zstdCompressSync(part, { params: { [constants.ZSTD_c_checksumFlag]: cut % 2 } }),
      );
      const bytes = Buffer.concat([
        skippable,
        one ?? skippable,
        skippable,
        zstdCompressSync(""),
        two ?? skippable,
        skippable,
      ]);
      expect((await rig.unpack(bytes)).unpacked).toEqual({
        kind: "tar.zst",
        entries: 2,
        bytes: 300_000 + 3 * mebibyte,
      });
      await expect(rig.unpack(Buffer.concat([bytes, Buffer.from("junk")]))).rejects.toThrow("its zstd is damaged");
    }
  });

  it("is refused by name where it needs too much memory", async () => {
    // A frame with a window of 2^28 bytes and one block as it is.
    const archive = tar([{ name: "a", content: "one" }]);
    const packed = Buffer.concat([le(0xfd2fb528, 4, 0, 1, (28 - 10) << 3, 1, (archive.length << 3) | 1, 3), archive]);
    await expect(rig.unpack(packed)).rejects.toThrow(/needs a window of more than 128 MiB; pack it without --long/);
  });

  it("is refused where it is damaged or cut off", async () => {
    const whole = zstdCompressSync(tar([{ name: "a", content: randomBytes(mebibyte) }]));
    // Node 22 notices no end that is missing; then the tar shows it.
    await expect(rig.unpack(whole.subarray(0, -9))).rejects.toThrow(
      /its zstd is damaged or was cut off|tar was cut off/,
    );
  });
});

for (const [program, name] of [
  ["xz", "xz"],
  ["bzip2", "bzip2"],
] as const) {
  it.skipIf(!isInstalled(program))(
    `what is compressed with ${name} is refused by that name, with what to do`,
    async () => {
      const { stdout } = spawnSync(program, ["-c"], { input: tar([{ name: "a", content: "one" }]) });
      await expect(rig.unpack(stdout)).rejects.toThrow(
        `it is compressed with ${name}, which is not supported; pack it with gzip or zstd, or let the handler take it`,
      );
    },
  );
}

it("a folder of links on a disk keeps each of them", async () => {
  const folder = mkdtempSync(join(rig.folder, "links-"));
  mkdirSync(join(folder, "d"));
  symlinkSync("../x", join(folder, "d/l"));
  writeFileSync(join(folder, "x"), "x");
  spawnSync("tar", ["-cf", `${folder}.tar`, "."], { cwd: folder });
  await expectAll([readFileSync(`${folder}.tar`)], { d: "/", "d/l": "-> ../x", x: "x" });
});

it("a zip with an extra field that nobody knows is unpacked", async () => {
  await expectAll([zip([{ name: "a", content: "x", extra: le(0xd935, 2, 3, 2, 0, 3) }])], { a: "x" });
});
