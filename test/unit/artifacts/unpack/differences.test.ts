// What two readers make two archives of is refused, and the text names the difference. docs/archives.md has the list.
import { crc32 } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { le, pax, type TarPart, tar, type ZipOptions, type ZipPart, zip } from "../../../support/archives.js";
import { UnpackRig } from "../../../support/unpack-rig.js";

let rig: UnpackRig;
beforeAll(() => {
  rig = new UnpackRig();
});
afterAll(() => rig.close());

const good = { name: "good", content: "good" };
const link = 0o120777;

function unicodePath(name: string | Buffer, really: string | Buffer, crcOf = name): Buffer {
  const content = Buffer.from(really);
  return Buffer.concat([le(0x7075, 2, 5 + content.length, 2, 1, 1, crc32(crcOf), 4), content]);
}

const plain = zip([good, { name: "b" }]);
/** What the plain end says truly. */
const truth = {
  entries: plain.readUInt16LE(plain.length - 12),
  bytes: plain.readUInt32LE(plain.length - 10),
  offset: plain.readUInt32LE(plain.length - 6),
};

const zips: readonly (readonly [string, readonly ZipPart[], ZipOptions, string])[] = [
  ["a 64-bit end beside other entries", [good, { name: "b" }], { beside64: { ...truth, entries: 1 } }, "contradict"],
  ["a 64-bit end beside another size", [good, { name: "b" }], { beside64: { ...truth, bytes: 1 } }, "contradict"],
  ["a 64-bit end beside another place", [good, { name: "b" }], { beside64: { ...truth, offset: 1 } }, "contradict"],
  ["a 64-bit end that its locator does not find", [good], { locatorOffset: 3 }, "contradict each other"],
];

describe("a zip is refused", () => {
  it.each(zips)("for %s", async (_title, parts, options, says) => {
    await expect(rig.unpack(zip(parts, { ...options, isZip64: true }))).rejects.toThrow(says);
  });

  const others: readonly (readonly [string, Buffer, string])[] = [
    ["an end mark in its comment", zip([good], { comment: Buffer.from(`PK\x05\x06${"x".repeat(40)}`) }), "two ends"],
    ["another zip in its comment", zip([good], { comment: zip([{ name: "other" }]) }), "two ends"],
    ["a name in front that is another", zip([{ ...good, local: { name: "evil" } }]), "is described twice"],
    ["a method in front that is another", zip([{ ...good, local: { method: 12 } }]), "is described twice"],
    ["a Unicode path field that renames", zip([{ ...good, extra: unicodePath("good", "evil") }]), 'renamed to "evil"'],
    [
      "a Unicode path field that renames in front",
      zip([{ ...good, local: { extra: unicodePath("good", "evil") } }]),
      'renamed to "evil"',
    ],
    [
      "a Unicode path field that names what only looks like it",
      zip([{ name: "__.txt", extra: unicodePath("__.txt", "\u65e5\u672c.txt") }]),
      "is renamed to",
    ],
    [
      "a Unicode path field that renames a flagged name",
      zip([{ name: "\u00e9", flags: 0x800, extra: unicodePath("\u00e9", "e") }]),
      "is renamed to",
    ],
    ...[0, 10, 14, 19, 7].map((host): readonly [string, Buffer, string] => [
      `a link by the bits of system ${host}`,
      zip([{ name: "l", content: "good", mode: link, host }, good]),
      "is a link to some programs and none to others",
    ]),
    ["a link with a slash", zip([{ name: "l/", content: "good", mode: link }]), "is a link to some programs"],
    ["a folder without a slash", zip([{ name: "d", mode: 0o040755 }, good]), "is a folder to some programs and a file"],
    [
      "two files in two orders",
      zip([good, { ...good, content: "x" }], { order: [1, 0] }),
      "differ in which of the two",
    ],
  ];
  it.each(others)("for %s", async (_title, bytes, says) => {
    await expect(rig.unpack(bytes)).rejects.toThrow(says);
  });
});

describe("a zip is unpacked", () => {
  it.each<readonly [string, Buffer, string]>([
    [
      "with a 64-bit end that repeats the plain one",
      zip([good, { name: "b" }], { isZip64: true, beside64: truth }),
      "good",
    ],
    ["with a Unicode path field of the same name", zip([{ ...good, extra: unicodePath("good", "good") }]), "good"],
    [
      "with a Unicode path field for a name in an old character set",
      zip([{ name: Buffer.of(0x67, 0x81), extra: unicodePath(Buffer.of(0x67, 0x81), "g\u00fc") }]),
      "g\u00fc",
    ],
    [
      "with a Unicode path field of a name it had before, which nobody reads",
      zip([{ ...good, extra: unicodePath("good", "evil", "old") }]),
      "good",
    ],
    [
      "with an end mark of no archive in a file near its end",
      zip([{ ...good, method: 0, content: `PK\x05\x06${"x".repeat(40)}` }]),
      "good",
    ],
    ["with a zip in it that is stored", zip([{ ...good, method: 0, content: zip([{ name: "in" }]) }]), "good"],
  ])("%s", async (_title, bytes, name) => {
    expect(Object.keys((await rig.unpack(bytes)).tree)).toContain(name);
  });
});

const longName = (name: string, type = "L"): TarPart => ({ name: "././@LongLink", type, content: `${name}\0` });

describe("a tar is refused", () => {
  it.each<readonly [string, readonly TarPart[], string]>([
    ["two names for one entry", [longName("a"), pax({ path: "b" }), good], "is named twice"],
    ["two names in the other order", [pax({ path: "b" }), longName("a"), good], "is named twice"],
    [
      "two targets for one link",
      [longName("a", "K"), pax({ linkpath: "b" }), { name: "l", type: "2" }],
      "has a target given twice",
    ],
    ["two pax headers for one entry", [pax({ path: "a" }), pax({ path: "b" }), good], "two pax headers"],
    ["a name for all entries", [pax({ path: "a" }, "g"), good], "path for all entries"],
    ["a sparse map for all entries", [pax({ "GNU.sparse.major": "1" }, "g"), good], "sparse for all entries"],
    [
      "a volume label",
      [{ name: "v", type: "V", magic: "gnu" }, good],
      "is a volume label, which Python unpacks as a file",
    ],
    ["an incremental backup", [{ name: "d/", type: "D", magic: "gnu" }, good], "--listed-incremental"],
    ["a part of a file", [{ name: "m", type: "M", magic: "gnu" }, good], "--multi-volume"],
    ["a prefix in a GNU header", [{ name: "b", magic: "gnu", prefix: "d" }], "that Python takes for a folder's name"],
    ["a prefix in a header of old", [{ name: "b", magic: "v7", prefix: "d" }], "that Python takes for a folder's name"],
    ["a folder by name and a file by type", [{ name: "d/" }, good], "is a folder by its name and a file by its type"],
    ["the sparse form of star", [pax({ "SCHILY.realsize": "9" }), good], "in star's format"],
  ])("for %s", async (_title, parts, says) => {
    await expect(rig.unpack(tar(parts))).rejects.toThrow(says);
  });

  it("for none of them when both say the same", async () => {
    const parts = [longName("a"), pax({ path: "a" }), good];
    expect((await rig.unpack(tar(parts))).tree).toEqual({ a: "good" });
    const solaris = [{ ...pax({ path: "a" }), type: "X" }, good];
    expect((await rig.unpack(tar(solaris))).tree).toEqual({ a: "good" });
  });
});
