// Unpacks a zip in two passes over its directory: first all of it is judged, names, kinds, sizes and overlaps, before
// anything is written; then the entries are unpacked as their bytes arrive, and what they are is held against what the
// directory said. Small entries are inflated in one go: a stream for each would cost more than the work itself.
import { crc32, createInflateRaw, inflateRawSync } from "node:zlib";
import { entryPath } from "../entry-names.js";
import { textOf } from "../entry-text.js";
import { ArchiveRefused, DamageFound } from "../refusal.js";
import { ownFromBytes, release } from "../release.js";
import type { GrowingFile } from "./growing-file.js";
import { inflated } from "./inflated.js";
import type { TreeWriter } from "./tree-writer.js";
import { chunkBytes, linkTargetMaxBytes, smallEntryBytes, type UnpackLimits } from "./unpack-limits.js";
import {
  checkUnicodePath,
  descriptorFlag,
  directoryEntries,
  fieldsOf,
  in64,
  misfit,
  refused,
  unicodePathMark,
  type ZipEntry,
} from "./zip-directory.js";
import { findZipEnd, safeNumber } from "./zip-end.js";
import { ZipExtents } from "./zip-extents.js";

const localSignature = 0x04034b50;
const localFixedBytes = 30;
/** The directory's window: one record has at most 46 bytes and three fields of 64 KiB. */
const directoryWindowBytes = 256 * 2 ** 10;

/** Throws ArchiveRefused, GivenUp, or what the file system throws. */
export async function unpackZip(file: GrowingFile, tree: TreeWriter, limits: UnpackLimits): Promise<void> {
  const end = findZipEnd(file);
  if (end === undefined)
    throw new ArchiveRefused("it is a zip without its end record: it was cut off; upload it again");
  if (!end.isPlausible) throw new DamageFound("it is a zip with a damaged end; pack it again");
  if (end.entries > limits.maxEntries) {
    throw new ArchiveRefused(`it has ${end.entries} entries, and artifacts.maxEntries allows ${limits.maxEntries}`);
  }
  const directory = file.another(directoryWindowBytes);
  const extents = new ZipExtents(end.entries);
  const again = new Set<string>();
  let bytes = 0;
  for (const entry of directoryEntries(directory, end)) {
    const { path, isAgain } = tree.claim(entry.name, entry.type, "zip");
    if (isAgain && entry.type === "file") again.add(path);
    extents.add(entry.offset, entry.offset + localFixedBytes + entry.rawName.length + entry.packedBytes);
    bytes += entry.bytes;
    if (bytes > limits.maxExtractedBytes) throw new ArchiveRefused(tooLarge(limits.maxExtractedBytes));
  }
  extents.check(end.start);
  if (again.size > 0) checkOrder(directoryEntries(directory, end), again);
  for (const entry of directoryEntries(directory, end)) {
    await unpackEntry(entry, { file, tree, extents });
  }
}

/**
 * Of two files by one name the last one counts: in the directory, or, for bsdtar, in the file. Throws ArchiveRefused.
 */
function checkOrder(entries: Iterable<ZipEntry>, again: ReadonlySet<string>): void {
  const latest = new Map<string, number>();
  for (const { name, type, offset } of entries) {
    const path = entryPath(name, "zip");
    if (type !== "file" || !again.has(path)) continue;
    if (offset < (latest.get(path) ?? 0)) {
      throw refused(name, "appears twice, and readers differ in which of the two is the last; pack it again");
    }
    latest.set(path, offset);
  }
}

function tooLarge(max: number): string {
  return `it unpacks to more than artifacts.maxExtractedBytes allows (${max} bytes)`;
}

interface Unpacking {
  readonly file: GrowingFile;
  readonly tree: TreeWriter;
  readonly extents: ZipExtents;
}

/** One entry; answers a promise only where it must, for most are small. */
function unpackEntry(entry: ZipEntry, { file, tree, extents }: Unpacking): Promise<void> | undefined {
  const start = contentStart(entry, file);
  if (start + entry.packedBytes > extents.limitOf(entry.offset)) throw refused(entry.name, "overlaps another");
  tree.consumed(entry.packedBytes);
  const path = entryPath(entry.name, "zip");
  if (entry.type === "folder") {
    tree.folder(path, entry.mode);
    return undefined;
  }
  if (entry.type === "link") {
    if (entry.bytes > linkTargetMaxBytes || entry.packedBytes > smallEntryBytes) {
      throw refused(entry.name, `is a link with a target of more than ${linkTargetMaxBytes} bytes`);
    }
    tree.link(path, textOf(wholeContent(entry, file, start)));
    return undefined;
  }
  if (entry.bytes > smallEntryBytes || entry.packedBytes > smallEntryBytes) {
    return unpackLarge(entry, { file, tree, start, path });
  }
  const content = wholeContent(entry, file, start);
  tree.file(path, entry.mode, content);
  if (entry.method === "deflated") release(content);
  return undefined;
}

/** Where the entry's content begins. Throws ArchiveRefused when its own header says otherwise than the directory. */
function contentStart(entry: ZipEntry, file: GrowingFile): number {
  const fixed = file.view(entry.offset, localFixedBytes);
  if (fixed.length < localFixedBytes || fixed.readUInt32LE(0) !== localSignature) {
    throw misfit(entry.name, "has no header where the directory says; pack it again");
  }
  const nameLength = fixed.readUInt16LE(26);
  const extraLength = fixed.readUInt16LE(28);
  const header = file.view(entry.offset, localFixedBytes + nameLength + extraLength);
  if (header.length < localFixedBytes + nameLength + extraLength) throw damaged(entry);
  const extra = header.subarray(localFixedBytes + nameLength);
  // bsdtar reads the one in front as well; seldom enough that the others need not be parsed.
  if (extra.includes(unicodePathMark)) {
    const rawName = header.subarray(localFixedBytes, localFixedBytes + nameLength);
    checkUnicodePath(rawName, entry.flags, fieldsOf(entry.name, extra));
  }
  const isSame =
    header.toString("latin1", localFixedBytes, localFixedBytes + nameLength) === entry.rawName &&
    header.readUInt16LE(8) === entry.methodNumber &&
    // Encryption and the place of the sizes; the other flags say how well it was packed.
    ((header.readUInt16LE(6) ^ entry.flags) & (1 | descriptorFlag)) === 0;
  if (!isSame || !hasSameSizes(entry, header, extra)) {
    throw misfit(entry.name, "is described twice, and differently; pack it again");
  }
  return entry.offset + header.length;
}

/** With a descriptor the sizes come after the content, and the header's are ignored. */
function hasSameSizes(entry: ZipEntry, header: Buffer, extra: Buffer): boolean {
  if ((entry.flags & descriptorFlag) !== 0) return true;
  let packedBytes = header.readUInt32LE(18);
  let bytes = header.readUInt32LE(22);
  if (packedBytes === in64 || bytes === in64) {
    const field = fieldsOf(entry.name, extra).find((each) => each.id === 1)?.data;
    if (field === undefined || field.length < 16) return false;
    bytes = safeNumber(field, 0);
    packedBytes = safeNumber(field, 8);
  }
  return header.readUInt32LE(14) === entry.crc && packedBytes === entry.packedBytes && bytes === entry.bytes;
}

/** The content of a small entry, checked. */
function wholeContent(entry: ZipEntry, file: GrowingFile, start: number): Buffer {
  const packed = file.view(start, entry.packedBytes);
  if (packed.length < entry.packedBytes) throw damaged(entry);
  const content = entry.method === "stored" ? packed : inflatedWhole(entry, packed);
  if (content.length !== entry.bytes || crc32(content) !== entry.crc) throw damaged(entry);
  return content;
}

function inflatedWhole(entry: ZipEntry, packed: Buffer): Buffer {
  try {
    // One byte more than it may have: an entry that is longer than it says must not pass for one that is not.
    const room = entry.bytes + 1;
    return inflateRawSync(packed, { maxOutputLength: room, chunkSize: Math.max(room, ownFromBytes) });
  } catch {
    throw damaged(entry);
  }
}

function damaged(entry: ZipEntry): DamageFound {
  return misfit(entry.name, "is damaged or longer than it says; pack it again");
}

async function unpackLarge(
  entry: ZipEntry,
  { file, tree, start, path }: { file: GrowingFile; tree: TreeWriter; start: number; path: string },
): Promise<void> {
  const packed = file.pieces(start, entry.packedBytes, chunkBytes);
  const content =
    entry.method === "stored"
      ? packed
      : inflated(packed, createInflateRaw({ chunkSize: chunkBytes }), () => damaged(entry));
  const into = tree.openFile(path, entry.mode);
  try {
    let bytes = 0;
    let crc = 0;
    for await (const piece of content) {
      bytes += piece.length;
      if (bytes > entry.bytes) throw damaged(entry);
      crc = crc32(piece, crc);
      into.write(piece);
    }
    if (bytes !== entry.bytes || crc !== entry.crc) throw damaged(entry);
  } finally {
    into.close();
  }
}
