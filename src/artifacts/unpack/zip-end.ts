// The end of a zip: its end record, the 64-bit one where there is one, and from them where the directory lies and how
// far all offsets are shifted by something in front. Knows nothing of entries.

import { ArchiveRefused, DamageFound } from "../refusal.js";
import type { GrowingFile } from "./growing-file.js";

const endSignature = 0x06054b50;
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
  /** Where the directory lies in the file. */
  readonly start: number;
  readonly end: number;
  /** To be added to every offset in the directory. */
  readonly shift: number;
  /** The directory begins where the end record says that it does. */
  readonly isPlausible: boolean;
}

/** The end of the zip, or undefined when there is none: not a zip, or one that was cut off. Throws ArchiveRefused. */
export function findZipEnd(file: GrowingFile): ZipEnd | undefined {
  const size = file.size();
  const from = Math.max(0, size - endBytes - commentMaxBytes);
  const bytes = Buffer.from(file.view(from, size - from));
  const places = endPlaces(bytes);
  const [place] = places;
  if (place === undefined) return undefined;
  const end = bytes.subarray(place, place + endBytes);
  const plain = {
    disks: Math.max(end.readUInt16LE(4), end.readUInt16LE(6)),
    entriesHere: end.readUInt16LE(8),
    entries: end.readUInt16LE(10),
    bytes: end.readUInt32LE(12),
    offset: end.readUInt32LE(16),
  };
  const end64 = findEnd64(file, from + place);
  const found = end64 ?? { ...plain, place: from + place };
  const start = found.place - found.bytes;
  const shift = start - found.offset;
  const isPlausible = start >= 0 && shift >= 0 && (found.entries === 0 ? found.bytes === 0 : isDirectory(file, start));
  // Two ends, and each reader would see another archive.
  if (places.length > 1 && isPlausible) throw new ArchiveRefused("it is a zip with two ends; pack it anew");
  if (isPlausible && (found.disks !== 0 || found.entriesHere !== found.entries)) {
    throw new ArchiveRefused("it is one part of a zip that was split; pack it in one file");
  }
  return { entries: found.entries, start, end: found.place, shift, isPlausible };
}

/** Where end records stand whose comment reaches exactly to the end of the file, the last one first. */
function endPlaces(bytes: Buffer): readonly number[] {
  const places: number[] = [];
  for (let at = bytes.length - endBytes; at >= 0; at--) {
    if (bytes[at] !== 0x50 || bytes.readUInt32LE(at) !== endSignature) continue;
    if (at + endBytes + bytes.readUInt16LE(at + 20) === bytes.length) places.push(at);
  }
  return places;
}

interface End64 {
  readonly place: number;
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
    throw new DamageFound("it is a zip with a damaged 64-bit end; pack it anew");
  }
  return {
    place: at,
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
