// The end of a zip: its end record, the 64-bit one where there is one, and from them where the directory is and how
// far all offsets are shifted by something in front. Knows nothing of entries.

import { ArchiveRefused, DamageFound } from "../refusal.js";
import type { GrowingFile } from "./growing-file.js";

const endSignature = 0x06054b50;
const endMark = Buffer.from("PK\x05\x06", "latin1");
const end64Signature = 0x06064b50;
const locatorSignature = 0x07064b50;
const directorySignature = 0x02014b50;
const endBytes = 22;
const end64Bytes = 56;
const locatorBytes = 20;
const commentMaxBytes = 0xffff;

/** Whether these first bytes of a file (4 or more) are a zip's. */
export function startsLikeZip(first: Buffer): boolean {
  if (first.length < 4) return false;
  // An entry, the end of an empty archive, the mark of one that was once split.
  return [0x04034b50, endSignature, 0x08074b50].includes(first.readUInt32LE(0));
}

export interface ZipEnd {
  readonly entries: number;
  /** Where the directory is in the file. */
  readonly start: number;
  readonly end: number;
  /** To be added to every offset in the directory. */
  readonly shift: number;
  /** The directory begins where the end record says that it does. */
  readonly isPlausible: boolean;
}

/**
 * The end of the zip, or undefined when there is none: not a zip, or one that was cut off. It is the last end record, as
 * for all readers, whatever comes after it: bsdtar fills its last block up with zeros. Throws ArchiveRefused.
 */
export function findZipEnd(file: GrowingFile): ZipEnd | undefined {
  const { bytes, from } = lastBytes(file);
  const place = markBefore(bytes, bytes.length - endBytes);
  if (place === undefined) return undefined;
  const found = endAt(file, bytes, from, place);
  // An end record within the comment of another one: some readers use the length of the comment.
  const other = endWithCommentToTheEnd(bytes, place);
  if (other !== undefined && endAt(file, bytes, from, other).isPlausible) {
    throw new ArchiveRefused(
      "it is a zip with two ends, and readers differ in which one they use; pack it without a comment",
    );
  }
  if (!found.isPlausible) return found;
  if (found.disks !== 0 || found.entriesHere !== found.entries) {
    throw new ArchiveRefused("it is one part of a zip that was split; pack it in one file");
  }
  return found;
}

/**
 * Whether a file that does not begin like a zip is one all the same: a program that unpacks it, for instance. Nothing
 * may follow then, or every database that holds a zip would be one. Throws ArchiveRefused.
 */
export function endsLikeZip(file: GrowingFile): boolean {
  const { bytes, from } = lastBytes(file);
  const place = endWithCommentToTheEnd(bytes, bytes.length - endBytes + 1);
  return place !== undefined && endAt(file, bytes, from, place).isPlausible;
}

function lastBytes(file: GrowingFile): { readonly bytes: Buffer; readonly from: number } {
  const size = file.size();
  const from = Math.max(0, size - endBytes - commentMaxBytes);
  return { bytes: Buffer.from(file.view(from, size - from)), from };
}

/** The last place at or before this one where an end record may begin. */
function markBefore(bytes: Buffer, at: number): number | undefined {
  const place = at < 0 ? -1 : bytes.lastIndexOf(endMark, at);
  return place < 0 ? undefined : place;
}

interface FoundEnd extends ZipEnd {
  readonly disks: number;
  readonly entriesHere: number;
}

/** What the end record at this place of the last `bytes` says, which begin at `from` in the file. */
function endAt(file: GrowingFile, bytes: Buffer, from: number, place: number): FoundEnd {
  const end = bytes.subarray(place, place + endBytes);
  const plain = {
    disks: Math.max(end.readUInt16LE(4), end.readUInt16LE(6)),
    entriesHere: end.readUInt16LE(8),
    entries: end.readUInt16LE(10),
    bytes: end.readUInt32LE(12),
    offset: end.readUInt32LE(16),
  };
  const end64 = findEnd64(file, from + place);
  if (end64 !== undefined) checkSame(plain, end64);
  const { disks, entriesHere, entries, ...found } = end64 ?? { ...plain, place: from + place };
  const start = found.place - found.bytes;
  const shift = start - found.offset;
  const isPlausible = start >= 0 && shift >= 0 && (entries === 0 ? found.bytes === 0 : isDirectory(file, start));
  if (end64 !== undefined && isPlausible && ![end64.place, end64.place - shift].includes(end64.locatorOffset)) {
    throw new ArchiveRefused(contradiction);
  }
  return { disks, entriesHere, entries, start, end: found.place, shift, isPlausible };
}

const contradiction =
  "it is a zip whose plain and 64-bit end contradict each other, and readers differ in which one they use; pack it again";

/**
 * The plain end may repeat what the 64-bit end says, or say that it is there; else each reader sees another archive.
 */
function checkSame(plain: Record<"entriesHere" | "entries" | "bytes" | "offset", number>, end64: End64): void {
  const isSame =
    [0xffff, end64.entries].includes(plain.entries) &&
    [0xffff, end64.entriesHere].includes(plain.entriesHere) &&
    [0xffffffff, end64.bytes].includes(plain.bytes) &&
    [0xffffffff, end64.offset].includes(plain.offset);
  if (!isSame) throw new ArchiveRefused(contradiction);
}

/** The position of the last end record before `but` whose comment reaches exactly to the end of the file. */
function endWithCommentToTheEnd(bytes: Buffer, but: number): number | undefined {
  for (let at = markBefore(bytes, but - 1); at !== undefined; at = markBefore(bytes, at - 1)) {
    if (at + endBytes + bytes.readUInt16LE(at + 20) === bytes.length) return at;
  }
  return undefined;
}

interface End64 {
  readonly place: number;
  /** Where the locator says that the record is. */
  readonly locatorOffset: number;
  readonly disks: number;
  readonly entriesHere: number;
  readonly entries: number;
  readonly bytes: number;
  readonly offset: number;
}

/** The 64-bit end record in front of the other; undefined when there is none. Throws ArchiveRefused. */
function findEnd64(file: GrowingFile, endPlace: number): End64 | undefined {
  const at = endPlace - locatorBytes - end64Bytes;
  if (at < 0) return undefined;
  const bytes = Buffer.from(file.view(at, end64Bytes + locatorBytes));
  const locator = bytes.subarray(end64Bytes);
  if (locator.readUInt32LE(0) !== locatorSignature) return undefined;
  if (bytes.readUInt32LE(0) !== end64Signature || bytes.readBigUInt64LE(4) !== BigInt(end64Bytes - 12)) {
    throw new DamageFound("it is a zip with a damaged 64-bit end; pack it again");
  }
  return {
    place: at,
    locatorOffset: safeNumber(locator, 8),
    disks: Math.max(bytes.readUInt32LE(16), bytes.readUInt32LE(20), locator.readUInt32LE(4)),
    entriesHere: safeNumber(bytes, 24),
    entries: safeNumber(bytes, 32),
    bytes: safeNumber(bytes, 40),
    offset: safeNumber(bytes, 48),
  };
}

/** A 64-bit number that a file can reach. Throws ArchiveRefused. */
export function safeNumber(bytes: Buffer, at: number): number {
  const value = bytes.readBigUInt64LE(at);
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new ArchiveRefused("it is a zip with an impossible size in it");
  return Number(value);
}

function isDirectory(file: GrowingFile, start: number): boolean {
  const signature = file.view(start, 4);
  return signature.length === 4 && signature.readUInt32LE(0) === directorySignature;
}
