// Archives that are nearly right: whole ones of every form, and what a seed makes of them.
import { constants, gzipSync, zstdCompressSync } from "node:zlib";
import { le, pax, type TarPart, tar, type ZipPart, zip } from "../support/archives.js";

/** Numbers from a seed, 0 to 1 (mulberry32). */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const link = 0o120777;
const big = Buffer.alloc(300_000, "more of it ");

const zipParts: readonly ZipPart[] = [
  { name: "a", content: "one" },
  { name: "d/", mode: 0o040755 },
  { name: "d/b", content: Buffer.alloc(3_000, "two "), hasDescriptor: true },
  { name: "d/l", content: "../a", mode: link },
  { name: "s", content: "stored", method: 0 },
  { name: "w\\x\\y", content: "windows", host: 0, mode: 0 },
  { name: "\u00e9", content: "u", flags: 0x800 },
  { name: "e", content: "extra", extra: Buffer.concat([le(0x7075, 2, 6, 2, 1, 1, 0, 4), Buffer.from("e")]) },
  { name: "/abs", content: "x" },
  { name: "a", content: "again" },
];
const sparse = {
  "GNU.sparse.major": "1",
  "GNU.sparse.minor": "0",
  "GNU.sparse.name": "sp",
  "GNU.sparse.realsize": "90000",
};
const map = Buffer.concat([Buffer.from("2\n0\n5\n80000\n3\n"), Buffer.alloc(512 - 14)]);
const tarParts: readonly TarPart[] = [
  { name: "a", content: "one" },
  { name: "d", type: "5" },
  { name: "d/b", content: Buffer.alloc(3_000, "two ") },
  { name: "d/l", type: "2", linkTarget: "../a" },
  { name: "h", type: "1", linkTarget: "a" },
  { name: "L", type: "L", content: "d/a-longer-name\0" },
  { name: "x", content: "named" },
  pax({ path: "p/q", size: "3" }),
  { name: "y", content: "pax" },
  pax(sparse),
  { name: "z", content: Buffer.concat([map, Buffer.from("beginend")]) },
  pax({ "GNU.sparse.map": "0,2,700,1", "GNU.sparse.size": "900" }),
  { name: "m", content: "abc" },
  { name: "b", content: "1" },
  { name: "b", content: "again" },
];

interface Seedling {
  readonly title: string;
  readonly bytes: Buffer;
  /** Packed after it was changed: a changed byte within would only break a checksum. */
  readonly pack?: (bytes: Buffer) => Buffer;
}

export const seedlings: readonly Seedling[] = [
  { title: "zip", bytes: zip(zipParts.slice(0, 9)) },
  { title: "zip with a file twice", bytes: zip(zipParts) },
  {
    title: "zip64",
    bytes: zip(
      zipParts.slice(0, 5).map((part) => ({ ...part, isZip64: true })),
      { isZip64: true },
    ),
  },
  { title: "zip behind a program", bytes: zip(zipParts.slice(0, 4), { prefix: Buffer.alloc(300, "#!") }) },
  { title: "zip with zeros behind", bytes: Buffer.concat([zip(zipParts.slice(0, 3)), Buffer.alloc(700)]) },
  { title: "zip of a large file", bytes: zip([{ name: "big", content: big }, ...zipParts.slice(0, 2)]) },
  { title: "zip of names alone", bytes: zip([{ name: "a" }, { name: "b/c" }, { name: "b/", mode: 0o040755 }]) },
  { title: "tar", bytes: tar(tarParts) },
  { title: "tar without an end", bytes: tar(tarParts.slice(0, 5), { end: Buffer.alloc(0) }) },
  { title: "tar of GNU", bytes: tar(tarParts.slice(0, 7).map((part) => ({ ...part, magic: "gnu" }))) },
  { title: "tar.gz", bytes: tar(tarParts), pack: (bytes) => gzipSync(bytes, { level: 1 }) },
  { title: "tar.zst", bytes: tar(tarParts.slice(0, 9)), pack: (bytes) => zstdCompressSync(bytes) },
  { title: "gzip", bytes: gzipSync(tar(tarParts)) },
  {
    title: "zstd",
    bytes: zstdCompressSync(tar(tarParts), { params: { [constants.ZSTD_c_checksumFlag]: 1 } }),
  },
];

/** What overflows, ends early, or is a mark of the formats. */
const interesting: readonly Buffer[] = [
  ...[0, 1, 2, 0x7f, 0x80, 0xff].map((byte) => Buffer.of(byte)),
  ...[0xffff, 0xfffe, 8, 9, 0x7075, 1].map((value) => le(value, 2)),
  ...[0xffffffff, 0x7fffffff, 0x06054b50, 0x06064b50, 0x02014b50, 0x04034b50, 0xfd2fb528].map((value) => le(value, 4)),
  ...[
    "..",
    "../",
    "/",
    "\\",
    "a",
    "d/b",
    "\0",
    "77777777777",
    "GNU.sparse.",
    "ustar\0",
    "L",
    "x",
    "S",
    "1",
    "2",
    "5",
  ].map((text) => Buffer.from(text)),
];

/** One changed archive, always the same for the same seed. */
export function mutated(seed: number): { readonly title: string; readonly bytes: Buffer } {
  const next = random(seed);
  const below = (max: number) => Math.floor(next() * max);
  const { title, bytes: whole, pack } = seedlings[below(seedlings.length)] ?? { title: "none", bytes: Buffer.alloc(0) };
  let bytes = Buffer.from(whole);
  for (let changes = 1 + below(5); changes > 0 && bytes.length > 0; changes--) {
    // Headers more often than content: they stand at the beginning and at the end.
    const at = next() < 0.3 ? Math.max(0, bytes.length - 1 - below(400)) : below(bytes.length);
    switch (below(8)) {
      case 0:
        bytes = bytes.subarray(0, at);
        break;
      case 1:
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(Math.min(bytes.length, at + 1 + below(600)))]);
        break;
      case 2: {
        const from = below(bytes.length);
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(from, from + 1 + below(600)), bytes.subarray(at)]);
        break;
      }
      case 3:
      case 4:
      case 5: {
        const value = interesting[below(interesting.length)] ?? Buffer.alloc(0);
        value.copy(bytes, at);
        break;
      }
      case 6:
        bytes.writeUInt8(below(256), at);
        break;
      default:
        bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << below(8)), at);
    }
    // Else nearly every changed header of a tar would only have a wrong checksum.
    if (title.startsWith("tar") && next() < 0.7) withChecksum(bytes, at - (at % 512));
  }
  return { title, bytes: pack === undefined ? bytes : pack(bytes) };
}

/** Makes the checksum of the header at this place right, if there is a header. */
function withChecksum(bytes: Buffer, at: number): void {
  const block = bytes.subarray(at, at + 512);
  if (block.length < 512) return;
  block.fill(" ", 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
}
