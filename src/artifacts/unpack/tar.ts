// Unpacks a tar, plain or in gzip, from its first byte to its last, as the bytes arrive. Every header is judged before
// its content is read, and nothing of it is believed that the bytes do not bear out.
import { createGunzip } from "node:zlib";
import { ArchiveRefused, DamageFound, shown } from "../refusal.js";
import type { GrowingFile } from "./growing-file.js";
import { inflated } from "./inflated.js";
import { chunkBytes, paxMaxBytes, ratioFreeBytes, ratioMax, type UnpackLimits } from "./limits.js";
import { PieceReader } from "./piece-reader.js";
import { blockBytes, isZeroBlock, type PaxFields, paxFields, type TarHeader, tarHeader } from "./tar-header.js";
import type { TreeWriter } from "./tree-writer.js";

export interface TarOptions {
  readonly isGzip: boolean;
  readonly limits: UnpackLimits;
}

/** Headers that only describe the next entry, at most, one after the other: a name, a link's target, pax, global pax. */
const extensionsMax = 8;

/** Throws ArchiveRefused, GivenUp, or what the file system throws. */
export async function unpackTar(file: GrowingFile, tree: TreeWriter, options: TarOptions): Promise<void> {
  const raw = counted(file.pieces(0, Number.MAX_SAFE_INTEGER, chunkBytes), tree);
  const pieces = options.isGzip
    ? bounded(inflated(raw, createGunzip({ chunkSize: chunkBytes }), gzipDamaged), tree, options.limits)
    : raw;
  const reader = new PieceReader(pieces);
  try {
    while (await unpackEntry(reader, tree)) {}
    // To the end: gzip's checksum stands there. What follows a tar's end mark means nothing.
    await reader.drain();
  } finally {
    await reader.close();
  }
}

function gzipDamaged(): ArchiveRefused {
  return new DamageFound("its gzip is damaged or was cut off; upload it anew");
}

/** Tells the tree how much of the archive was read. */
function* counted(pieces: Iterable<Buffer>, tree: TreeWriter): Generator<Buffer> {
  for (const piece of pieces) {
    tree.consumed(piece.length);
    yield piece;
  }
}

/** What gzip inflates to counts by itself: headers, padding and what follows the end mark are never written. */
async function* bounded(pieces: AsyncIterable<Buffer>, tree: TreeWriter, limits: UnpackLimits): AsyncGenerator<Buffer> {
  // An entry costs a header, padding, and often a pax header with its content.
  const max = limits.maxExtractedBytes + limits.maxEntries * 4 * blockBytes + ratioFreeBytes;
  let bytes = 0;
  for await (const piece of pieces) {
    bytes += piece.length;
    if (bytes > max) throw new ArchiveRefused("its gzip inflates to more than artifacts.maxExtractedBytes allows");
    if (bytes > ratioFreeBytes && bytes > ratioMax * tree.packedBytes) {
      throw new ArchiveRefused(`its gzip inflates to more than ${ratioMax} times its size`);
    }
    yield piece;
  }
}

/** One entry with all that describes it; false at the end of the archive. */
async function unpackEntry(reader: PieceReader, tree: TreeWriter): Promise<boolean> {
  let pax: PaxFields = {};
  let longName: string | undefined;
  let longTarget: string | undefined;
  for (let extensions = 0; extensions <= extensionsMax; extensions++) {
    const block = await reader.exactly(blockBytes);
    if (block.length < blockBytes) throw cutOff("it ends without its end mark");
    if (isZeroBlock(block)) return false;
    const header = tarHeader(block);
    switch (header.type) {
      case "x":
        pax = { ...pax, ...paxFields(await extension(reader, header)) };
        break;
      case "g":
        checkGlobal(paxFields(await extension(reader, header)));
        break;
      case "L":
        longName = upToNul(await extension(reader, header));
        break;
      case "K":
        longTarget = upToNul(await extension(reader, header));
        break;
      default: {
        const name = pax.path ?? longName ?? header.name;
        const linkTarget = pax.linkpath ?? longTarget ?? header.linkTarget;
        await unpackAs({ ...header, name, linkTarget, size: pax.size ?? header.size }, reader, tree);
        return true;
      }
    }
  }
  throw new ArchiveRefused(`it has more than ${extensionsMax} headers for one entry; pack it anew`);
}

/** The content of a header that describes the next one. */
async function extension(reader: PieceReader, header: TarHeader): Promise<Buffer> {
  if (header.size > paxMaxBytes) throw new ArchiveRefused(`it has a header of more than ${paxMaxBytes} bytes`);
  const content = await reader.exactly(padded(header.size));
  if (content.length < padded(header.size)) throw cutOff("it was cut off within a header");
  return content.subarray(0, header.size);
}

/** A path for all entries makes no sense, and readers differ in what they make of it. */
function checkGlobal(fields: PaxFields): void {
  if (Object.keys(fields).length === 0) return;
  throw new ArchiveRefused(`it has one ${Object.keys(fields).join(" and ")} for all entries (a global pax header)`);
}

function upToNul(content: Buffer): string {
  const end = content.indexOf(0);
  return (end < 0 ? content : content.subarray(0, end)).toString("utf8");
}

function cutOff(what: string): ArchiveRefused {
  return new ArchiveRefused(`${what}: the tar was cut off; upload it anew`);
}

function padded(size: number): number {
  return Math.ceil(size / blockBytes) * blockBytes;
}

async function unpackAs(header: TarHeader, reader: PieceReader, tree: TreeWriter): Promise<void> {
  const { name, type, mode } = header;
  switch (type) {
    case "0":
    case "\0":
    case "7":
      // Before there were types, a folder was an entry with a slash at its end.
      if (name.endsWith("/")) return unpackFolder(header, tree);
      return unpackContent(header, tree.claim(name, "leaf"), reader, tree);
    case "5":
      return unpackFolder(header, tree);
    case "1":
      checkEmpty(header, "a hard link");
      return tree.hardLink(tree.claim(name, "leaf"), header.linkTarget);
    case "2":
      checkEmpty(header, "a link");
      return tree.link(tree.claim(name, "leaf"), header.linkTarget);
    case "3":
    case "4":
    case "6":
      throw refused(name, `is a ${type === "6" ? "named pipe" : "device"}; only files, folders and links are unpacked`);
    case "S":
      throw refused(name, "is a sparse file; pack without --sparse");
    default:
      throw refused(name, `has the unknown type ${shown(type)} (mode ${mode.toString(8)})`);
  }
}

function refused(name: string, what: string): ArchiveRefused {
  return new ArchiveRefused(`its entry ${shown(name)} ${what}`);
}

function checkEmpty(header: TarHeader, what: string): void {
  if (header.size !== 0) throw refused(header.name, `is ${what} with content`);
}

function unpackFolder(header: TarHeader, tree: TreeWriter): void {
  checkEmpty(header, "a folder");
  tree.folder(tree.claim(header.name, "folder"), header.mode);
}

async function unpackContent(header: TarHeader, path: string, reader: PieceReader, tree: TreeWriter): Promise<void> {
  const file = tree.openFile(path, header.mode);
  try {
    for (let left = header.size; left > 0; ) {
      const piece = await reader.some(left);
      if (piece.length === 0) throw cutOff(`it ends within its entry ${shown(header.name)}`);
      file.write(piece);
      left -= piece.length;
    }
  } finally {
    file.close();
  }
  const padding = padded(header.size) - header.size;
  if ((await reader.exactly(padding)).length < padding) throw cutOff(`it ends within its entry ${shown(header.name)}`);
}
