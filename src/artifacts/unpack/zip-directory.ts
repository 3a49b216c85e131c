// Reads a zip's directory, entry by entry, and refuses what we do not unpack. Never holds the whole of it: it is read
// again for each pass. Knows nothing of the entries' content, nor of the disk.
import { isUtf8 } from "node:buffer";
import { crc32 } from "node:zlib";
import { type ExtraField, getFileNameLowLevel, parseExtraFields } from "yauzl";
import { textOf } from "../entry-text.js";
import { ArchiveRefused, DamageFound, shown } from "../refusal.js";
import type { GrowingFile } from "./growing-file.js";
import { safeNumber, type ZipEnd } from "./zip-end.js";

const directorySignature = 0x02014b50;
const fixedBytes = 46;
/** A size or offset that is in the 64-bit extra field instead. */
export const in64 = 0xffffffff;
const utf8Flag = 0x800;
/** Encrypted, strongly encrypted, directory encrypted. */
const encryptedFlags = 0x1 | 0x40 | 0x2000;
/** Sizes and checksum follow the content. */
export const descriptorFlag = 0x8;

/** The systems that a zip may say it was made on. */
const unix = 3;
const windows: readonly number[] = [0, 10, 14];
/** The extra field with the name in UTF-8. */
const unicodePathField = 0x7075;
export const unicodePathMark = Buffer.of(unicodePathField & 0xff, unicodePathField >> 8);
const slash = 0x2f;
const backslash = 0x5c;

const fileTypeMask = 0o170000;
const linkType = 0o120000;
const folderType = 0o040000;
const regularType = 0o100000;

const methodNames: Readonly<Record<number, string>> = {
  1: "Shrink",
  6: "Implode",
  9: "Deflate64",
  12: "bzip2",
  14: "LZMA",
  93: "Zstandard",
  95: "XZ",
  98: "PPMd",
  99: "AES encryption",
};

export interface ZipEntry {
  readonly name: string;
  /** The name as its bytes, one character each: what the local header must repeat. */
  readonly rawName: string;
  readonly type: "file" | "folder" | "link";
  readonly flags: number;
  readonly method: "stored" | "deflated";
  /** Its own number of that method. */
  readonly methodNumber: number;
  readonly crc: number;
  readonly packedBytes: number;
  readonly bytes: number;
  /** Where its local header begins in the file. */
  readonly offset: number;
  readonly mode: number;
}

/** All entries in the directory's order. Throws ArchiveRefused at the first that is broken or not ours to unpack. */
export function* directoryEntries(file: GrowingFile, end: ZipEnd): Generator<ZipEntry> {
  let at = end.start;
  for (let read = 0; read < end.entries; read++) {
    const fixed = at + fixedBytes <= end.end ? file.view(at, fixedBytes) : Buffer.alloc(0);
    if (fixed.length < fixedBytes || fixed.readUInt32LE(0) !== directorySignature) throw damaged();
    const length = fixedBytes + fixed.readUInt16LE(28) + fixed.readUInt16LE(30) + fixed.readUInt16LE(32);
    if (at + length > end.end) throw damaged();
    const record = file.view(at, length);
    if (record.length < length) throw damaged();
    yield entryOf(record, end);
    at += length;
  }
  if (at !== end.end) throw damaged();
}

function damaged(): ArchiveRefused {
  return new DamageFound("it is a zip with a damaged directory; pack it again");
}

function entryOf(record: Buffer, end: ZipEnd): ZipEntry {
  const nameEnd = fixedBytes + record.readUInt16LE(28);
  const rawName = record.subarray(fixedBytes, nameEnd);
  const flags = record.readUInt16LE(8);
  const extra = record.subarray(nameEnd, nameEnd + record.readUInt16LE(30));
  const host = record.readUInt8(5);
  const name = withSlashes(nameOf(rawName, flags, extra), rawName, host);
  if ((flags & encryptedFlags) !== 0) throw refused(name, "is encrypted; pack it without a password");
  const number = record.readUInt16LE(10);
  if (number !== 0 && number !== 8) {
    const method = methodNames[number] ?? `method ${number}`;
    throw refused(name, `is packed with ${method}; only stored and deflated entries are unpacked`);
  }
  const sizes = sizesOf(name, record, extra);
  const bits = record.readUInt32LE(38) >>> 16;
  const type = typeOf(name, bits, host);
  // Only Unix says permissions in these bits; readers leave them alone for all others.
  const mode = host === unix ? bits : 0;
  if (type === "folder" && sizes.bytes !== 0) throw refused(name, "is a folder with content");
  if (number === 0 && sizes.bytes !== sizes.packedBytes) throw refused(name, "is stored with two sizes");
  return {
    name,
    rawName: rawName.toString("latin1"),
    type,
    flags,
    method: number === 0 ? "stored" : "deflated",
    methodNumber: number,
    crc: record.readUInt32LE(16),
    packedBytes: sizes.packedBytes,
    bytes: sizes.bytes,
    offset: sizes.offset + end.shift,
    mode: (mode & 0o7777) === 0 ? (type === "folder" ? 0o755 : 0o644) : mode,
  };
}

function nameOf(raw: Buffer, flags: number, extra: Buffer): string {
  // Printable ASCII needs no special rules, if no extra field may say otherwise.
  if (extra.length === 0 && isAscii(raw)) return raw.toString("latin1");
  const fields = fieldsOf(raw.toString("latin1"), extra);
  checkUnicodePath(raw, flags, fields);
  // macOS writes UTF-8 without the flag that says so; code page 437 is seldom valid UTF-8 by chance.
  if (isUtf8(raw)) return raw.toString("utf8");
  return (flags & utf8Flag) === 0 ? getFileNameLowLevel(flags, raw, fields, true) : textOf(raw);
}

/**
 * The Unicode path field gives a name its letters where the name itself is in an old character set, and does nothing
 * else: unzip uses it, Python does not. Throws ArchiveRefused.
 */
export function checkUnicodePath(raw: Buffer, flags: number, fields: readonly ExtraField[]): void {
  for (const { id, data } of fields) {
    if (id !== unicodePathField || data.length < 5 || data[0] !== 1 || data.readUInt32LE(1) !== crc32(raw)) continue;
    const other = data.subarray(5);
    const isSame = isUtf8(raw) || (flags & utf8Flag) !== 0 ? other.equals(raw) : isUtf8(other);
    if (isSame) continue;
    const name = shown(textOf(other));
    throw refused(
      textOf(raw),
      `is renamed to ${name} by a Unicode path field, which only some programs read; pack it again`,
    );
  }
}

/** Windows PowerShell 5, and others there, separate folders by backslashes; unzip and bsdtar read them so. */
function withSlashes(name: string, raw: Buffer, host: number): string {
  const isWindows = windows.includes(host) && isUtf8(raw) && raw.includes(backslash) && !raw.includes(slash);
  return isWindows ? name.replaceAll("\\", "/") : name;
}

function isAscii(bytes: Buffer): boolean {
  for (const byte of bytes) if (byte > 0x7e) return false;
  return true;
}

/** The extra fields. Throws ArchiveRefused when they run over each other. */
export function fieldsOf(name: string, extra: Buffer): ExtraField[] {
  if (extra.length === 0) return [];
  try {
    return parseExtraFields(extra);
  } catch {
    throw misfit(name, "has damaged extra fields");
  }
}

/** Sizes and offset, each from the 64-bit field where the plain one says so. */
function sizesOf(name: string, record: Buffer, extra: Buffer) {
  const plain = [record.readUInt32LE(24), record.readUInt32LE(20), record.readUInt32LE(42)] as const;
  let [bytes, packedBytes, offset] = plain as readonly [number, number, number];
  if (plain.includes(in64)) {
    const field = fieldsOf(name, extra).find((each) => each.id === 1)?.data;
    let at = 0;
    const next = (value: number): number => {
      if (value !== in64) return value;
      if (field === undefined || at + 8 > field.length) throw refused(name, "lacks its 64-bit sizes");
      at += 8;
      return safeNumber(field, at - 8);
    };
    bytes = next(bytes);
    packedBytes = next(packedBytes);
    offset = next(offset);
  }
  if (record.readUInt16LE(34) !== 0 && record.readUInt16LE(34) !== 0xffff) {
    throw refused(name, "is in another part of a split zip");
  }
  return { bytes, packedBytes, offset };
}

function typeOf(name: string, bits: number, host: number): ZipEntry["type"] {
  const type = bits & fileTypeMask;
  const isFolder = name.endsWith("/");
  if (host === unix && type === linkType && !isFolder) return "link";
  if (type === linkType) throw refused(name, "is a link to some programs and none to others; pack it again");
  // A slash at the end is the only sign that all programs give and read.
  if (host === unix && type === folderType && !isFolder) {
    throw refused(name, "is a folder to some programs and a file to others: its name does not end in /; pack it again");
  }
  if (type !== 0 && type !== regularType && type !== folderType) throw refused(name, "is a device, a pipe or a socket");
  return isFolder ? "folder" : "file";
}

/** What is wrong with one entry. */
export function refused(name: string, what: string): ArchiveRefused {
  return new ArchiveRefused(`its entry ${shown(name)} ${what}`);
}

/** What does not fit together in one entry. */
export function misfit(name: string, what: string): DamageFound {
  return new DamageFound(`its entry ${shown(name)} ${what}`);
}
