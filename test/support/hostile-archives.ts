// Archives that must be refused, each with what is said of it. Made here, byte by byte, by archives.ts.
import { crc32, deflateRawSync, gzipSync } from "node:zlib";
import { le, pax, type TarPart, tar, type ZipPart, zip } from "./archives.js";

export interface HostileArchive {
  readonly title: string;
  readonly bytes: Buffer;
  /** What the text of the refusal says, beside the artifact's name. */
  readonly says: string;
  /** Limits under which it is hostile; roomy ones without. */
  readonly limits?: {
    readonly maxArchiveBytes?: number;
    readonly maxExtractedBytes?: number;
    readonly maxEntries?: number;
    readonly maxRatioFromBytes?: number;
  };
}

const link = 0o120777;
const good = { name: "good.txt", content: "good" };
const mebibyte = 2 ** 20;

const deep = "d/".repeat(20) + "p/".repeat(20) + `${"q".repeat(200)}/`.repeat(4) + "q".repeat(150);

/** Names that neither a zip nor a tar may hold. */
const names: readonly (readonly [string, string, string])[] = [
  ["goes up", "../evil", 'its entry "../evil" has .. in its path'],
  ["goes up further in", "a/../../evil", 'its entry "a/../../evil" has .. in its path'],
  ["goes up within the folder", "a/../b", 'its entry "a/../b" has .. in its path'],
  ["ends in ..", "a/..", 'its entry "a/.." has .. in its path'],
  ["is ..", "..", 'its entry ".." has .. in its path'],
  ["is absolute and goes up", "/../partnerd-evil", "has .. in its path"],
  ["has a drive letter", "C:/evil", "begins with a drive letter"],
  ["has a drive letter alone", "c:evil", "begins with a drive letter"],
  ["has a drive letter behind a dot", "./d:/evil", "begins with a drive letter"],
  ["goes up by backslashes", "..\\evil", "has a backslash in its name"],
  ["goes up by backslashes further in", "a/..\\..\\evil", "has a backslash in its name"],
  ["is a UNC path", "\\\\host\\share", "has a backslash in its name"],
  ["is only dots and slashes", ".", "is not a folder and has no name"],
  ["has a part of 256 bytes", "n".repeat(256), "has a name of more than 255 bytes"],
  ["has a part of 129 two-byte letters", "é".repeat(128), "has a name of more than 255 bytes"],
  ["has 1,025 bytes", deep, "has a path of more than 1024 bytes"],
  ["lies 65 folders deep", `${"a/".repeat(65)}b`, "is nested more than 64 folders deep"],
];

/** Names that no zip may hold: a tar may. */
const zipNames: readonly (readonly [string, string, string])[] = [
  ["has a backslash", "a\\b", "has a backslash in its name, which bsdtar takes for a slash"],
  ["has a newline", "a\nb", 'its entry "a\\nb" has control characters'],
  ["has an escape sequence", "\u001b[2Jevil", 'its entry "\\u001b[2Jevil" has control characters'],
  ["has DEL", "a\u007f", 'its entry "a\\u007f" has control characters'],
  ["has C1 controls", "a\u0085b", "has control characters"],
];

/** Pairs of names that mean one place. */
const pairs: readonly (readonly [string, string, string, string])[] = [
  ["a file and then a folder", "a", "a/b", 'its entry "a" appears as a folder and as something else'],
  ["a folder and then a file", "a/b", "a", 'its entry "a" appears as a folder and as something else'],
];

function inZips(): HostileArchive[] {
  return [
    ...[...names, ...zipNames].map(([title, name, says]) =>
      hostile(`zip: a name that ${title}`, zip([good, { name, content: "x" }]), says),
    ),
    hostile("zip: an empty name", zip([{ name: "" }]), "has an entry without a name"),
    hostile("zip: a NUL in a name", zip([{ name: "a\0b" }]), 'its entry "a\\u0000b" has control characters'),
    hostile(
      "zip: a name that is not the UTF-8 it claims",
      zip([{ name: Buffer.of(0xc3, 0x28), flags: 0x800 }]),
      "is not UTF-8",
    ),
    hostile(
      "zip: another, bad name in the Unicode path field",
      zip([unicodePath("safe", "../evil")]),
      'is renamed to "../evil" by a Unicode path field',
    ),
    ...pairs.map(([title, one, two, says]) => hostile(`zip: ${title}`, zip([{ name: one }, { name: two }]), says)),
  ];
}

function inTars(): HostileArchive[] {
  return [
    ...names.map(([title, name, says]) => hostile(`tar: a name that ${title}`, tar([good, ...longNamed(name)]), says)),
    hostile("tar: an empty name", tar([good, { name: "" }]), "has an entry without a name"),
    ...pairs.map(([title, one, two, says]) => hostile(`tar: ${title}`, tar([{ name: one }, { name: two }]), says)),
  ];
}

/** A name of any length: by GNU's long name where the field is too short. */
function longNamed(name: string): TarPart[] {
  const isLong = Buffer.byteLength(name) > 100;
  return [
    ...(isLong ? [{ name: "././@LongLink", type: "L", content: `${name}\0` }] : []),
    { name: name.slice(0, 100), content: "x" },
  ];
}

/** The Unicode path field, with the checksum of the plain name that it stands for. */
function unicodePath(name: string, really: string): ZipPart {
  const content = Buffer.from(really);
  return { name, extra: Buffer.concat([le(0x7075, 2, 5 + content.length, 2, 1, 1, crc32(name), 4), content]) };
}

const links: readonly HostileArchive[] = [
  ["to the folder above", "l", ".."],
  ["out by one", "a/l", "../.."],
  ["to a file outside", "l", "../raw"],
  ["to an absolute path", "l", "/etc/passwd"],
  ["to a drive", "l", "C:/x"],
  ["to nothing", "l", ""],
  ["over a folder that is not there", "l", "x/../../y"],
].flatMap(([title = "", name = "", target = ""]) => {
  const says = /^(?:\/|C:)/.test(target)
    ? "has an absolute target"
    : target === ""
      ? "has no target"
      : "leads out of the folder";
  return [
    hostile(`zip: a link ${title}`, zip([good, { name, content: target, mode: link }]), says),
    hostile(`tar: a link ${title}`, tar([good, { name, type: "2", linkTarget: target }]), says),
  ];
});

/** Few and small, and they stay inside: but what is left of each target is yet to walk when the next link is met. */
function windingLinks(): { name: string; content: string; mode: number }[] {
  const long = "d/".repeat(505);
  return Array.from({ length: 39 }, (_, n) => ({ name: `l${n}`, content: `l${n + 1}/${long}d`, mode: link }));
}

/** As above, but each folder's name is blanks, which are looked through for those at its end. */
function blankLinks(): { name: string; content: string; mode: number }[] {
  const blank = `b${" ".repeat(1_000)}b/. `;
  const next = (n: number) => (n < 38 ? `l${n + 1}` : n === 38 ? "d" : "l1");
  return Array.from({ length: 400 }, (_, n) => ({ name: `l${n}`, content: `${next(n)}/${blank}`, mode: link }));
}

/** Links that stay inside one by one and lead out together; and entries that would be written through a link. */
function linkGames(): HostileArchive[] {
  const chain = [
    { name: "d/e/up", content: "../..", mode: link },
    { name: "out", content: "d/e/up/..", mode: link },
  ];
  return [
    hostile("zip: links that lead out together", zip(chain), 'its link "out" to "d/e/up/.." leads out of the folder'),
    hostile("tar: links that lead out together", tar(chain.map(asTarLink)), "leads out of the folder"),
    hostile("zip: links through one another's long targets", zip(windingLinks()), "too many links; link more directly"),
    hostile(
      "zip: links through one another's targets of blanks",
      zip(blankLinks()),
      "too many links; link more directly",
    ),
    hostile(
      "zip: links in a circle",
      zip([
        { name: "a", content: "b", mode: link },
        { name: "b", content: "a", mode: link },
      ]),
      "goes round in a circle",
    ),
    hostile(
      "zip: a file through a link",
      zip([{ name: "l", content: "d", mode: link }, { name: "l/evil" }]),
      "appears as a folder and as something else",
    ),
    hostile(
      "zip: a file through a link that comes later",
      zip([{ name: "l/evil" }, { name: "l", content: "d", mode: link }]),
      "appears as a folder and as something else",
    ),
    hostile(
      "tar: a file through a link",
      tar([{ name: "l", type: "2", linkTarget: "/tmp" }, { name: "l/partnerd-evil" }]),
      "appears as a folder and as something else",
    ),
    hostile(
      "tar: a link that a file of its name replaces",
      tar([{ name: "l", type: "2", linkTarget: "/etc/passwd" }, { name: "l" }]),
      "appears twice",
    ),
    hostile(
      "tar: a file through a link by an absolute name",
      tar([{ name: "l", type: "2", linkTarget: "d" }, { name: "/l/evil" }]),
      "appears as a folder and as something else",
    ),
    hostile(
      "zip: a link of 2,000 bytes",
      zip([{ name: "l", content: "t".repeat(2_000), mode: link }]),
      "more than 1024 bytes",
    ),
    hostile(
      "zip: a link with a NUL",
      zip([{ name: "l", content: "a\0b", mode: link }]),
      "has a target that cannot be a path",
    ),
    hostile(
      "tar: a hard link to outside",
      tar([{ name: "h", type: "1", linkTarget: "/etc/passwd" }]),
      "is not an earlier file in the archive",
    ),
    hostile(
      "tar: a hard link that goes up",
      tar([{ name: "h", type: "1", linkTarget: "../raw" }]),
      "has .. in its path",
    ),
    hostile(
      "tar: a hard link to nothing",
      tar([{ name: "h", type: "1", linkTarget: "x" }]),
      "is not an earlier file in the archive",
    ),
    hostile(
      "tar: a hard link to a folder",
      tar([
        { name: "d", type: "5" },
        { name: "h", type: "1", linkTarget: "d" },
      ]),
      "is not an earlier file",
    ),
    hostile(
      "tar: a hard link through a link",
      tar([
        { name: "l", type: "2", linkTarget: "/etc" },
        { name: "h", type: "1", linkTarget: "l/passwd" },
      ]),
      "is not an earlier file",
    ),
  ];
}

function asTarLink(part: { readonly name: string; readonly content: string }): TarPart {
  return { name: part.name, type: "2", linkTarget: part.content };
}

function kinds(): HostileArchive[] {
  return [
    ...[
      ["a pipe", 0o010644],
      ["a character device", 0o020644],
      ["a block device", 0o060644],
      ["a socket", 0o140644],
    ].map(([title, mode]) =>
      hostile(`zip: ${title}`, zip([{ name: "x", mode: Number(mode) }]), "is a device, a pipe or a socket"),
    ),
    hostile("tar: a character device", tar([{ name: "x", type: "3" }]), "is a device"),
    hostile("tar: a block device", tar([{ name: "x", type: "4" }]), "is a device"),
    hostile("tar: a pipe", tar([{ name: "x", type: "6" }]), "is a named pipe"),
    hostile(
      "tar: a sparse file of no size",
      tar([pax({ "GNU.sparse.major": "1" }), { name: "x" }]),
      "has a damaged map",
    ),
    hostile("tar: an unknown type", tar([{ name: "x", type: "Z" }]), 'has the unknown type "Z"'),
    hostile("tar: a folder with content", tar([{ name: "x", type: "5", content: "y" }]), "is a folder with content"),
    hostile(
      "tar: a link with content",
      tar([{ name: "x", type: "2", linkTarget: "y", content: "z" }]),
      "is a link with content",
    ),
    hostile("zip: a folder with content", zip([{ name: "x/", content: "y" }]), "is a folder with content"),
    hostile("zip: an encrypted entry", zip([{ name: "x", flags: 1 }]), "is encrypted; pack it without a password"),
    hostile("zip: a strongly encrypted entry", zip([{ name: "x", flags: 0x40 }]), "is encrypted"),
    hostile("zip: an encrypted directory", zip([{ name: "x", flags: 0x2000 }]), "is encrypted"),
    ...[
      [1, "Shrink"],
      [9, "Deflate64"],
      [12, "bzip2"],
      [14, "LZMA"],
      [93, "Zstandard"],
      [99, "AES encryption"],
      [1234, "method 1234"],
    ].map(([method, title]) =>
      hostile(`zip: ${title}`, zip([{ name: "x", method: Number(method) }]), `is packed with ${title}; only stored`),
    ),
  ];
}

function paxGames(): HostileArchive[] {
  return [
    hostile(
      "tar: a pax path that goes up",
      tar([pax({ path: "../evil" }), { name: "x" }]),
      'its entry "../evil" has ..',
    ),
    hostile("tar: a pax path with a NUL", tar([pax({ path: "a\0b" }), { name: "x" }]), "has a NUL in its name"),
    hostile(
      "tar: a pax link out",
      tar([pax({ linkpath: "../.." }), { name: "x", type: "2", linkTarget: "y" }]),
      "leads out of the folder",
    ),
    hostile("tar: a global pax path", tar([pax({ path: "x" }, "g"), { name: "y" }]), "sets one path for all entries"),
    hostile("tar: a pax size that is no number", tar([pax({ size: "-1" }), { name: "y" }]), "damaged pax header"),
    hostile(
      "tar: a pax size beyond the end",
      tar([pax({ size: "99999999" }), { name: "y", content: "z" }]),
      "was cut off",
    ),
    hostile(
      "tar: a pax record that is longer than its header",
      tar([{ name: "p", type: "x", content: "99 path=x\n" }, good]),
      "damaged pax header",
    ),
    hostile(
      "tar: a pax record without an end",
      tar([{ name: "p", type: "x", content: "10 path=xyz" }, good]),
      "damaged pax header",
    ),
    hostile(
      "tar: a pax header of 1,100 KiB",
      tar([pax({ comment: "c".repeat(1_100 * 1_024) }), good]),
      "a header of more than",
    ),
    hostile(
      "tar: a pax header of 8 GiB",
      tar([{ name: "p", type: "x", size: "77777777777\0" }]),
      "a header of more than",
    ),
    hostile(
      "tar: twenty headers for one entry",
      tar([...Array.from({ length: 20 }, () => pax({ path: "x" })), good]),
      "headers for one entry",
    ),
    hostile(
      "tar: a GNU long name that goes up",
      tar([{ name: "L", type: "L", content: "../evil\0" }, good]),
      'its entry "../evil" has ..',
    ),
    hostile(
      "tar: a GNU long target that leads out",
      tar([
        { name: "K", type: "K", content: "../x\0" },
        { name: "l", type: "2" },
      ]),
      "leads out",
    ),
    hostile("tar: a prefix that goes up", tar([{ name: "evil", prefix: ".." }]), 'its entry "../evil" has ..'),
  ];
}

function broken(): HostileArchive[] {
  const text = Buffer.alloc(5_000, "some text");
  const one = zip([{ name: "a", content: text }]);
  const large = Buffer.alloc(mebibyte, "large ");
  const largeZip = zip([{ name: "a", content: large }]);
  const tarred = tar([{ name: "a", content: text }]);
  return [
    hostile("zip: cut off in its end", one.subarray(0, -1), "was cut off"),
    hostile("zip: cut off in its directory", one.subarray(0, -40), "was cut off"),
    hostile("zip: cut off after 10 bytes", one.subarray(0, 10), "was cut off"),
    hostile("zip: a wrong checksum", zip([{ name: "a", content: text, crc: 1 }]), 'its entry "a" is damaged'),
    hostile("zip: a wrong checksum, large", zip([{ name: "a", content: large, crc: 1 }]), "is damaged"),
    hostile("zip: a wrong checksum, stored", zip([{ name: "a", content: text, crc: 1, method: 0 }]), "is damaged"),
    hostile(
      "zip: content that does not inflate",
      zip([{ name: "a", content: text, packed: Buffer.alloc(99, 7) }]),
      "is damaged",
    ),
    hostile(
      "zip: large content that does not inflate",
      zip([{ name: "a", content: large, packed: Buffer.alloc(mebibyte, 7) }]),
      "is damaged",
    ),
    hostile(
      "zip: content that ends early",
      zip([{ name: "a", content: text, packed: deflateRawSync(text).subarray(0, -9) }]),
      "is damaged",
    ),
    hostile(
      "zip: large content that ends early",
      zip([{ name: "a", content: large, packed: deflateRawSync(large).subarray(0, -9) }]),
      "is damaged",
    ),
    hostile(
      "zip: longer than it says",
      zip([{ name: "a", content: text, bytes: 10 }]),
      "is damaged or longer than it says",
    ),
    hostile(
      "zip: longer than it says, large",
      zip([{ name: "a", content: large, bytes: mebibyte - 1 }]),
      "longer than it says",
    ),
    hostile("zip: shorter than it says", zip([{ name: "a", content: text, bytes: 6_000 }]), "is damaged"),
    hostile(
      "zip: stored with two sizes",
      zip([{ name: "a", content: text, method: 0, bytes: 10 }]),
      "is stored with two sizes",
    ),
    hostile("zip: a changed byte within", flipped(largeZip, 600), "is damaged"),
    hostile(
      "zip: another name in front",
      zip([{ name: "a", local: { name: "b" } }]),
      "is described twice, and differently",
    ),
    hostile("zip: another method in front", zip([{ name: "a", local: { method: 0 } }]), "is described twice"),
    hostile("zip: encrypted in front only", zip([{ name: "a", local: { flags: 1 } }]), "is described twice"),
    hostile(
      "zip: another size in front",
      zip([{ name: "a", content: "x", local: { bytes: 7 } }]),
      "is described twice",
    ),
    hostile(
      "zip: another checksum in front",
      zip([{ name: "a", content: "x", local: { crc: 7 } }]),
      "is described twice",
    ),
    hostile("zip: no header in front", zip([{ name: "a", local: { signature: 1 } }, good]), "its entry"),
    hostile("zip: an offset into nowhere", zip([{ name: "a", offset: 0x7fffffff }]), "entries that overlap"),
    hostile("zip: an offset into the directory", zip([good, { name: "a", offset: 70 }]), "entries that overlap"),
    hostile("zip: the directory is not there", zip([good], { directoryBytes: 4 }), "damaged end"),
    hostile("zip: the directory is before the file", zip([good], { directoryBytes: 0xfffffff }), "damaged end"),
    hostile("zip: fewer entries than its directory", zip([good, { name: "b" }], { entries: 1 }), "damaged directory"),
    hostile("zip: more entries than its directory", zip([good], { entries: 2 }), "damaged directory"),
    hostile(
      "zip: 65,000 entries in nothing",
      zip([good], { entries: 65_000 }),
      "entries, and artifacts.maxEntries allows",
    ),
    hostile("zip: a part of a split one", zip([good], { disk: 1 }), "split"),
    hostile("zip: an entry on another disk", zip([{ name: "a", disk: 3 }]), "split"),
    hostile("zip: two ends", twoEnds(), "two ends"),
    hostile("zip: a damaged 64-bit end", flipped64(), "damaged 64-bit end"),
    hostile("zip: 64-bit sizes that are missing", zip([{ name: "a", bytes: 0xffffffff }]), "lacks its 64-bit sizes"),
    hostile(
      "zip: an impossible 64-bit size",
      zip([{ name: "a", bytes: 0xffffffff, extra: le(1, 2, 8, 2, -1, 8) }]),
      "impossible size",
    ),
    hostile(
      "zip: extra fields that run over",
      zip([{ name: "é", extra: le(1, 2, 99, 2) }]),
      "has damaged extra fields",
    ),
    hostile("zip: a second start of a split one and nothing else", le(0x08074b50, 4, 0x04034b50, 4), "was cut off"),
    hostile("tar: cut off within an entry", tarred.subarray(0, 1_500), 'it ends within its entry "a"'),
    hostile("tar: cut off within the padding", tarred.subarray(0, 512 + 5_000), 'it ends within its entry "a"'),
    hostile(
      "tar: cut off within a header",
      Buffer.concat([tarred.subarray(0, -1_024), Buffer.alloc(100)]),
      "ends within",
    ),
    hostile("tar: a wrong checksum later on", tar([good, { name: "b", checksum: 1 }]), "damaged header"),
    hostile("tar: a size that is no number", tar([good, { name: "b", size: "zzz" }]), "an impossible number"),
    hostile("tar: a size of 2^88", tar([good, { name: "b", size: Buffer.alloc(12, 0xff) }]), "an impossible number"),
    hostile("tar: a size beyond the end", tar([{ name: "b", size: "77777777777\0" }]), "it ends within its entry"),
    hostile(
      "tar.gz: cut off",
      gzipSync(tar([{ name: "a", content: large }])).subarray(0, -20),
      "its gzip is damaged or was cut off",
    ),
    hostile("tar.gz: a wrong checksum at its end", flipped(gzipSync(tarred), -6), "its gzip is damaged"),
    hostile("tar.gz: the tar within cut off", gzipSync(tarred.subarray(0, 1_500)), "it ends within its entry"),
    hostile(
      "tar.gz: a changed byte within",
      flipped(gzipSync(tar([{ name: "a", content: large }])), 1_000),
      "its gzip is damaged",
    ),
  ];
}

function bombs(): HostileArchive[] {
  const zeros = Buffer.alloc(80 * mebibyte);
  const early = { maxRatioFromBytes: 40 * mebibyte };
  const packedZeros = deflateRawSync(zeros);
  const few = { maxExtractedBytes: mebibyte };
  const kernel = deflateRawSync(Buffer.alloc(mebibyte));
  const shared = Array.from({ length: 40 }, (_, n) => ({ name: `f${n}`, packed: n === 0 ? kernel : Buffer.alloc(0) }));
  return [
    hostile(
      "zip: more than may be unpacked",
      zip([{ name: "a", content: Buffer.alloc(2 * mebibyte) }]),
      "artifacts.maxExtractedBytes",
      few,
    ),
    hostile(
      "zip: more than may be unpacked, in many",
      zip(many(200, "x".repeat(10_000))),
      "artifacts.maxExtractedBytes",
      few,
    ),
    hostile(
      "tar: more than may be unpacked",
      tar([{ name: "a", content: Buffer.alloc(2 * mebibyte) }]),
      "artifacts.maxExtractedBytes",
      few,
    ),
    hostile(
      "tar.gz: more than may be unpacked",
      gzipSync(tar([{ name: "a", content: Buffer.alloc(2 * mebibyte, "ab1") }])),
      "artifacts.maxExtractedBytes",
      few,
    ),
    hostile(
      "zip: a bomb",
      zip([{ name: "a", content: zeros, packed: packedZeros }]),
      "more than 200 times its size",
      early,
    ),
    hostile("tar.gz: a bomb", gzipSync(tar([{ name: "a", content: zeros }])), "more than 200 times its size", early),
    hostile(
      "tar.gz: a bomb behind its end mark",
      gzipSync(tar([good], { end: zeros })),
      "inflates to more than 200 times",
      early,
    ),
    hostile(
      "zip: a bomb that says it is small",
      zip([{ name: "a", content: zeros, packed: packedZeros, bytes: 10 }]),
      "longer than it says",
    ),
    hostile("zip: one content for many entries", overlapped(shared, kernel), "entries that overlap"),
    hostile(
      "zip: the same entry twice in the directory",
      zip([good, { ...good, name: "good2.txt", offset: 0 }]),
      "entries that overlap",
    ),
    hostile(
      "zip: the directory is an entry's content",
      zip([{ name: "a", packedBytes: 200, method: 0, bytes: 200 }]),
      "entries that overlap",
    ),
    hostile(
      "zip: content that reaches into the next by its extra field",
      zip([
        { name: "a", content: "xxxx", method: 0, local: { extra: le(7, 2, 4, 2, 0, 4) }, packedBytes: 30, bytes: 30 },
        good,
      ]),
      "overlap",
    ),
    hostile("zip: more entries than allowed", zip(many(11, "")), "artifacts.maxEntries allows 10", { maxEntries: 10 }),
    hostile(
      "zip: more folders than allowed",
      zip([{ name: "a/b/c/d/e/f/g/h/i/j/k" }]),
      "artifacts.maxEntries allows (10",
      { maxEntries: 10 },
    ),
    hostile("tar: more entries than allowed", tar(many(11, "")), "artifacts.maxEntries allows (10", { maxEntries: 10 }),
    hostile("zip: an archive that is too large", zip([good]), "artifacts.maxArchiveBytes allows 100", {
      maxArchiveBytes: 100,
    }),
    hostile("tar: an archive that is too large", tar([good]), "artifacts.maxArchiveBytes allows 100", {
      maxArchiveBytes: 100,
    }),
    hostile("file: one that is too large", Buffer.alloc(200, "x"), "artifacts.maxArchiveBytes allows 100", {
      maxArchiveBytes: 100,
    }),
    hostile(
      "zip: 10,001 links",
      zip(Array.from({ length: 10_001 }, (_, n) => ({ name: `l${n}`, content: "x", mode: link }))),
      "artifacts.maxLinks allows (10000)",
    ),
  ];
}

function many(count: number, content: string): { name: string; content: string }[] {
  return Array.from({ length: count }, (_, n) => ({ name: `file-${n}`, content }));
}

/** All entries of the directory name the first one's content: the kernel of a better zip bomb. */
function overlapped(parts: readonly ZipPart[], kernel: Buffer): Buffer {
  return zip(
    parts.map((part) => ({ ...part, bytes: mebibyte, packedBytes: kernel.length, crc: 0xa738ea1c, offset: 0 })),
  );
}

function twoEnds(): Buffer {
  const inner = zip([{ name: "other" }]);
  return zip([good], { comment: inner });
}

function flipped64(): Buffer {
  const bytes = zip([good], { isZip64: true });
  // The signature of the 64-bit end record.
  return flipped(bytes, -22 - 20 - 56);
}

/** One byte changed; counted from the end when negative. */
function flipped(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes);
  const place = at < 0 ? copy.length + at : at;
  copy.writeUInt8((copy[place] ?? 0) ^ 0xff, place);
  return copy;
}

function hostile(title: string, bytes: Buffer, says: string, limits?: HostileArchive["limits"]): HostileArchive {
  return limits === undefined ? { title, bytes, says } : { title, bytes, says, limits };
}

/** All of them. Made when asked for: some are large. */
export function hostileArchives(): readonly HostileArchive[] {
  return [...inZips(), ...inTars(), ...links, ...linkGames(), ...kinds(), ...paxGames(), ...broken(), ...bombs()];
}
