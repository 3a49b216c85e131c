// What is unusual and still right: every form of zip and tar that honest programs write, and what is kept of an entry.
import { lstatSync, statSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { le, pax, type TarPart, tar, type ZipOptions, type ZipPart, zip } from "../../../support/archives.js";
import { roomyLimits, type Tree, treeOf, UnpackRig } from "../../../support/unpack-rig.js";

let rig: UnpackRig;
beforeAll(() => {
  rig = new UnpackRig();
});
afterAll(() => rig.close());

const a = { name: "a", content: "one" };
const b = { name: "d/b", content: "two" };
const both = { a: "one", d: "/", "d/b": "two" };
const large = Buffer.alloc(2 ** 20, "so large that it is streamed ");
const junk = Buffer.from("junk ".repeat(100));
const link = 0o120777;

const zips: readonly (readonly [string, readonly ZipPart[], ZipOptions, Tree])[] = [
  ["nothing in it", [], {}, {}],
  [
    "stored entries",
    [
      { ...a, method: 0 },
      { ...b, method: 0 },
    ],
    {},
    both,
  ],
  ["a large stored entry", [{ name: "l", content: large, method: 0 }], {}, { l: large.toString() }],
  [
    "sizes after the content",
    [
      { ...a, hasDescriptor: true },
      { ...b, hasDescriptor: true },
    ],
    {},
    both,
  ],
  [
    "a large entry with sizes after it",
    [{ name: "l", content: large, hasDescriptor: true }],
    {},
    { l: large.toString() },
  ],
  [
    "64-bit sizes",
    [
      { ...a, isZip64: true },
      { ...b, isZip64: true },
    ],
    {},
    both,
  ],
  ["a 64-bit end", [a, b], { isZip64: true }, both],
  ["something in front of it", [a, b], { prefix: junk }, both],
  ["something in front that its offsets count", [a, b], { prefix: junk, countsPrefix: true }, both],
  ["something between its entries", [a, { ...b, before: junk }], {}, both],
  ["a comment", [a, b], { comment: junk }, both],
  ["its directory in another order", [a, b], { order: [1, 0] }, both],
  ["other extra fields in front", [{ ...a, local: { extra: le(0x5455, 2, 1, 2, 0, 1) } }, b], {}, both],
  ["folders of their own, one twice", [{ name: "d/" }, { name: "d/" }, b, a], {}, both],
  ["a folder after its content", [b, { name: "d/" }, a], {}, both],
  ["a folder with a stored nothing", [{ name: "d/", method: 0 }, b, a], {}, both],
  ["names with ./ and //", [{ ...a, name: "./a" }, { ...b, name: "d//b" }, { name: "./" }], {}, both],
  ["names of dots that are names", [{ name: "...", content: "x" }, { name: ".a" }], {}, { "...": "x", ".a": "" }],
  ["UTF-8 names with the flag", [{ name: "é", flags: 0x800 }], {}, { é: "" }],
  ["UTF-8 names without the flag, as macOS has them", [{ name: "é" }], {}, { é: "" }],
  ["names of code page 437", [{ name: Buffer.of(0x82) }], {}, { é: "" }],
  ["links that stay inside", [{ name: "d/l", content: "../a", mode: link }, a, b], {}, { ...both, "d/l": "-> ../a" }],
  ["a link to nothing inside", [{ name: "l", content: "x", mode: link }], {}, { l: "-> x" }],
  [
    "a link through a link",
    [{ name: "m", content: "l/b", mode: link }, { name: "l", content: "d", mode: link }, a, b],
    {},
    { ...both, l: "-> d", m: "-> l/b" },
  ],
  [
    "an entry of no type",
    [
      { ...a, mode: 0 },
      { ...b, mode: 0 },
    ],
    {},
    both,
  ],
  [
    "250 times less than it unpacks to",
    [{ name: "z", content: Buffer.alloc(2 ** 20) }],
    {},
    { z: "\0".repeat(2 ** 20) },
  ],
];

const tars: readonly (readonly [string, readonly TarPart[], Tree])[] = [
  ["POSIX headers", [a, b], both],
  [
    "GNU headers",
    [
      { ...a, magic: "gnu" },
      { ...b, magic: "gnu" },
    ],
    both,
  ],
  [
    "v7 headers",
    [
      { ...a, magic: "v7", type: "\0" },
      { ...b, magic: "v7", type: "\0" },
    ],
    both,
  ],
  ["folders as v7 has them", [{ name: "d/", magic: "v7", type: "\0" }, a, b], both],
  ["folders", [{ name: "./", type: "5" }, { name: "./d", type: "5" }, a, b], both],
  ["a prefix", [a, { ...b, name: "b", prefix: "d" }], both],
  ["a GNU long name", [a, { name: "L", type: "L", content: "d/b\0" }, { ...b, name: "short" }], both],
  ["a pax path", [a, pax({ path: "d/b", mtime: "1.5" }), { ...b, name: "short" }], both],
  [
    "a pax path after the same GNU name",
    [a, { name: "L", type: "L", content: "d/b\0" }, pax({ path: "d/b" }), { ...b, name: "s" }],
    both,
  ],
  ["a pax size", [a, pax({ size: "3" }), { ...b, size: "00000000003\0" }], both],
  ["a comment for all entries, as git has it", [pax({ comment: "0".repeat(40) }, "g"), a, b], both],
  ["a size in base 256", [a, { ...b, size: Buffer.concat([Buffer.of(0x80), Buffer.alloc(10), Buffer.of(3)]) }], both],
  ["a large entry", [{ name: "l", content: large }], { l: large.toString() }],
  ["a hard link to a file before it", [a, b, { name: "h", type: "1", linkTarget: "./d/b" }], { ...both, h: "two" }],
  ["links that stay inside", [a, b, { name: "d/l", type: "2", linkTarget: "../d/b" }], { ...both, "d/l": "-> ../d/b" }],
  [
    "a GNU long target",
    [a, b, { name: "K", type: "K", content: "d/b\0" }, { name: "l", type: "2" }],
    { ...both, l: "-> d/b" },
  ],
];

describe("a zip", () => {
  it.each(zips)("is unpacked with %s", async (_title, parts, options, expected) => {
    const { unpacked, tree } = await rig.unpack(zip(parts, options));
    expect(unpacked.kind).toBe("zip");
    expect(tree).toEqual(expected);
    expect(unpacked.entries).toBe(Object.keys(expected).length);
  });
});

describe("a tar", () => {
  it.each(tars)("is unpacked with %s, plain and in gzip", async (_title, parts, expected) => {
    const bytes = tar(parts);
    for (const [kind, raw] of [
      ["tar", bytes],
      ["tar.gz", gzipSync(bytes)],
    ] as const) {
      const { unpacked, tree } = await rig.unpack(raw);
      expect(unpacked.kind).toBe(kind);
      expect(tree).toEqual(expected);
    }
  });

  it("is unpacked in a gzip of two members and a name", async () => {
    const bytes = tar([a, b]);
    const { tree } = await rig.unpack(Buffer.concat([gzipSync(bytes.subarray(0, 700)), gzipSync(bytes.subarray(700))]));
    expect(tree).toEqual(both);
  });

  it("ends at its end mark, whatever comes after", async () => {
    const end = Buffer.concat([Buffer.alloc(1_024), tar([{ name: "../evil" }])]);
    expect((await rig.unpack(tar([a, b], { end }))).tree).toEqual(both);
  });
});

describe("a plain file", () => {
  it.each([
    ["nothing at all", Buffer.alloc(0)],
    ["text", Buffer.from("PK is how a zip begins")],
    ["zeros", Buffer.alloc(20_000)],
    ["a gzip of text", gzipSync("text")],
    ["a gzip of nothing", gzipSync("")],
    ["a gzip of much text", gzipSync(large)],
    ["a damaged gzip", Buffer.concat([gzipSync("text").subarray(0, 10), junk])],
    ["a tar's magic with a wrong checksum", tar([{ name: "x", checksum: 1 }])],
    ["a zip's end without a directory", Buffer.concat([junk, zip([a]).subarray(-22)])],
  ])("is handed over as it is: %s", async (_title, bytes) => {
    const { unpacked, tree } = await rig.unpack(bytes);
    expect(unpacked).toEqual({ kind: "file", entries: 1, bytes: bytes.length });
    expect(tree).toEqual({ SourceOutput: bytes.toString("latin1") });
  });
});

describe("permissions", () => {
  const parts = [
    { name: "script", mode: 0o755 },
    { name: "secret", mode: 0o600 },
    { name: "frozen", mode: 0o444 },
    { name: "locked", mode: 0o000, content: "x" },
    { name: "setuid", mode: 0o6755 },
    { name: "open", mode: 0o666 },
    { name: "shut/", mode: 0o500 },
    { name: "shut/in", mode: 0o640 },
    { name: "sticky/", mode: 0o1777 },
  ] as const;
  const expected = {
    script: 0o755,
    secret: 0o600,
    frozen: 0o444,
    setuid: 0o755,
    open: 0o666,
    shut: 0o700,
    "shut/in": 0o640,
    sticky: 0o777,
  };

  it.each([
    ["zip", zip(parts.map((part) => ({ ...part, mode: part.mode | (part.name.endsWith("/") ? 0o040000 : 0o100000) })))],
    ["tar", tar(parts.map((part) => ({ ...part, type: part.name.endsWith("/") ? "5" : "0" })))],
  ])("of a %s are kept, but set-id and sticky bits, and we can always read and remove", async (kind, bytes) => {
    const call = rig.call(bytes);
    await rig.unpacker.unpack(call);
    const modes = Object.keys(expected).map((path) => [path, statSync(join(call.into, path)).mode & 0o7777]);
    expect(Object.fromEntries(modes)).toEqual(expected);
    // Ours to read in any case; a zip without any bits says nothing at all.
    expect(statSync(join(call.into, "locked")).mode & 0o777).toBe(kind === "zip" ? 0o644 : 0o400);
    expect(lstatSync(call.into).mode & 0o777).toBe(0o700);
  });

  it("do not depend on the umask", async () => {
    const before = process.umask(0o077);
    try {
      const call = rig.call(
        zip([
          { name: "d/script", mode: 0o100755 },
          { name: "e/", mode: 0o040755 },
        ]),
      );
      await rig.unpacker.unpack(call);
      expect(statSync(join(call.into, "d/script")).mode & 0o777).toBe(0o755);
      expect(statSync(join(call.into, "e")).mode & 0o777).toBe(0o755);
      expect(treeOf(call.into)).toEqual({ d: "/", "d/script": "", e: "/" });
    } finally {
      process.umask(before);
    }
  });
});

describe("limits", () => {
  it("allow exactly what they say", async () => {
    const bytes = zip([a, b]);
    const limits = { ...roomyLimits, maxArchiveBytes: bytes.length, maxExtractedBytes: 6, maxEntries: 3 };
    expect((await rig.unpack(bytes, { limits })).unpacked).toEqual({ kind: "zip", entries: 3, bytes: 6 });
    for (const less of ["maxArchiveBytes", "maxExtractedBytes", "maxEntries"] as const) {
      const tight = { ...roomyLimits, [less]: limits[less] - 1 };
      await expect(rig.unpack(bytes, { limits: tight })).rejects.toThrow(`artifacts.${less} allows`);
    }
  });
});
