// Unpacks a tar, plain or compressed, from its first byte to its last, as the bytes arrive. Every header is judged
// before its content is read, and nothing of it is believed that the bytes do not bear out.
import { textOf } from "../entry-text.js";
import { ArchiveRefused, shown } from "../refusal.js";
import { type Compression, decompressed } from "./compression.js";
import type { GrowingFile } from "./growing-file.js";
import { PieceReader } from "./piece-reader.js";
import {
  blockBytes,
  isZeroBlock,
  moreSparsePieces,
  oldSparseHeader,
  type PaxFields,
  paxFields,
  type TarHeader,
  tarHeader,
} from "./tar-header.js";
import { checkedMap, damagedMap, leadingMap, piecesOf, type SparseMap, wholeNumber } from "./tar-sparse.js";
import type { TreeWriter } from "./tree-writer.js";
import { chunkBytes, paxMaxBytes, sparsePiecesMax, type UnpackLimits } from "./unpack-limits.js";

export interface TarOptions {
  readonly compression: Compression | undefined;
  readonly limits: UnpackLimits;
}

/**
 * Headers that only describe the next entry, at most, one after the other: a name, a link's target, pax, global pax.
 */
const extensionsMax = 8;

/** Throws ArchiveRefused, GivenUp, or what the file system throws. */
export async function unpackTar(file: GrowingFile, tree: TreeWriter, options: TarOptions): Promise<void> {
  const { compression, limits } = options;
  const raw = counted(file.pieces(0, Number.MAX_SAFE_INTEGER, chunkBytes), tree);
  const pieces =
    compression === undefined ? raw : bounded(decompressed(raw, compression), { tree, limits, compression });
  const reader = new PieceReader(pieces);
  try {
    while (await unpackEntry(reader, tree)) {}
    // To the end: gzip's checksum is there. What follows a tar's end mark means nothing.
    await reader.drain();
  } finally {
    await reader.close();
  }
}

/** Reports to the tree how much of the archive was read. */
function* counted(pieces: Iterable<Buffer>, tree: TreeWriter): Generator<Buffer> {
  for (const piece of pieces) {
    tree.consumed(piece.length);
    yield piece;
  }
}

/** What is inflated counts by itself: headers, padding and what follows the end mark are never written. */
async function* bounded(
  pieces: AsyncIterable<Buffer>,
  { tree, limits, compression }: { tree: TreeWriter; limits: UnpackLimits; compression: Compression },
): AsyncGenerator<Buffer> {
  // An entry costs a header, padding, and often a pax header with its content; and tar fills up its last block.
  const max = limits.maxExtractedBytes + limits.maxEntries * 4 * blockBytes + paxMaxBytes;
  let bytes = 0;
  for await (const piece of pieces) {
    bytes += piece.length;
    if (bytes > max) {
      throw new ArchiveRefused(`its ${compression} inflates to more than artifacts.maxExtractedBytes allows`);
    }
    tree.checkRatio(bytes, `its ${compression} inflates`);
    yield piece;
  }
}

/** What headers in front of an entry say of it. */
interface Extensions {
  readonly pax?: PaxFields;
  readonly longName?: string;
  readonly longTarget?: string;
}

/** One entry with all that describes it; false at the end of the archive. */
async function unpackEntry(reader: PieceReader, tree: TreeWriter): Promise<boolean> {
  let found: Extensions = {};
  for (let extensions = 0; extensions <= extensionsMax; extensions++) {
    const block = await reader.exactly(blockBytes);
    // Without its end mark, as some programs write it; at a block's edge nothing is missing.
    if (block.length === 0 && extensions === 0) return false;
    if (block.length < blockBytes) throw cutOff("it ends within a header");
    if (isZeroBlock(block)) return false;
    const header = tarHeader(block);
    switch (header.type) {
      case "x":
      case "X":
        if (found.pax) throw new ArchiveRefused("it has two pax headers for one entry; pack it again");
        found = { ...found, pax: paxFields(await extension(reader, header)) };
        break;
      case "g":
        checkGlobal(paxFields(await extension(reader, header)));
        break;
      case "L":
        found = { ...found, longName: upToNul(await extension(reader, header)) };
        break;
      case "K":
        found = { ...found, longTarget: upToNul(await extension(reader, header)) };
        break;
      default: {
        const old = header.type === "S" ? await oldSparseMap(block, header, reader) : undefined;
        await unpackAs(described(header, found), { reader, tree, sparse: found.pax, old });
        return true;
      }
    }
  }
  throw new ArchiveRefused(`it has more than ${extensionsMax} headers for one entry; pack it again`);
}

/** The header with what the headers in front of it say. */
function described(header: TarHeader, { pax = {}, longName, longTarget }: Extensions): TarHeader {
  const path = pax.sparse?.get("name") ?? pax.path;
  const name = path ?? longName ?? header.name;
  const linkTarget = pax.linkpath ?? longTarget ?? header.linkTarget;
  const isTwice = longName !== undefined && path !== undefined && longName !== path;
  const isLinkTwice = longTarget !== undefined && pax.linkpath !== undefined && longTarget !== pax.linkpath;
  if (isTwice || isLinkTwice) {
    const what = isTwice ? "is named" : "has a target given";
    throw refused(
      name,
      `${what} twice, and differently: in a pax header and in a GNU header; pack it again in one format`,
    );
  }
  return { ...header, name, linkTarget, size: pax.size ?? header.size };
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
  throw new ArchiveRefused(`it sets one ${Object.keys(fields).join(" and ")} for all entries, in a global pax header`);
}

function upToNul(content: Buffer): string {
  const end = content.indexOf(0);
  return textOf(end < 0 ? content : content.subarray(0, end));
}

function cutOff(what: string): ArchiveRefused {
  return new ArchiveRefused(`${what}: the tar was cut off; upload it again`);
}

function padded(size: number): number {
  return Math.ceil(size / blockBytes) * blockBytes;
}

interface Unpacking {
  readonly reader: PieceReader;
  readonly tree: TreeWriter;
  readonly sparse: PaxFields | undefined;
  readonly old: SparseMap | undefined;
}

const unpackedAs = "only files, folders and links are unpacked";

async function unpackAs(header: TarHeader, unpacking: Unpacking): Promise<void> {
  const { name, type, mode } = header;
  const { tree } = unpacking;
  switch (type) {
    case "\0":
      // Before there were types, a folder was an entry with a slash at its end.
      return name.endsWith("/") ? unpackFolder(header, tree) : unpackContent(header, unpacking);
    case "0":
    case "7":
    case "S":
      if (name.endsWith("/")) throw refused(name, "is a folder by its name and a file by its type; pack it again");
      return unpackContent(header, unpacking);
    case "5":
      return unpackFolder(header, tree);
    case "1":
      checkEmpty(header, "a hard link");
      return tree.hardLink(tree.claim(name, "link", "tar").path, header.linkTarget);
    case "2":
      checkEmpty(header, "a link");
      return tree.link(tree.claim(name, "link", "tar").path, header.linkTarget);
    case "3":
    case "4":
    case "6":
      throw refused(name, `is a ${type === "6" ? "named pipe" : "device"}; ${unpackedAs}`);
    case "V":
      throw refused(name, "is a volume label, which Python unpacks as a file; pack it without -V");
    case "M":
      throw refused(name, "is only a part of a file; pack it without --multi-volume");
    case "D":
      throw refused(
        name,
        "is part of an incremental backup, which Python cannot read; pack it without --listed-incremental",
      );
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
  tree.folder(tree.claim(header.name, "folder", "tar").path, header.mode);
}

async function unpackContent(header: TarHeader, { reader, tree, sparse, old }: Unpacking): Promise<void> {
  const { path } = tree.claim(header.name, "file", "tar");
  const { map, dataBytes } = old
    ? { map: checkedMap(header.name, old, header.size), dataBytes: header.size }
    : await mapOf(header, sparse, reader);
  const file = tree.openFile(path, header.mode);
  try {
    let at = 0;
    for (const { offset, bytes } of map.pieces) {
      file.skip(offset - at);
      for (let left = bytes; left > 0; ) {
        const piece = await reader.some(left);
        if (piece.length === 0) throw cutOff(`it ends within its entry ${shown(header.name)}`);
        file.write(piece);
        left -= piece.length;
      }
      at = offset + bytes;
    }
    file.skip(map.realBytes - at);
  } finally {
    file.close();
  }
  const padding = padded(dataBytes) - dataBytes;
  if ((await reader.exactly(padding)).length < padding) throw cutOff(`it ends within its entry ${shown(header.name)}`);
}

/** Where the content belongs: all of it at the start, but for the sparse files of pax. */
async function mapOf(
  { name, size }: TarHeader,
  pax: PaxFields | undefined,
  reader: PieceReader,
): Promise<{ readonly map: SparseMap; readonly dataBytes: number }> {
  const { sparse, sparseNumbers } = pax ?? {};
  if (sparse === undefined && sparseNumbers === undefined) {
    return { map: { pieces: [{ offset: 0, bytes: size }], realBytes: size }, dataBytes: size };
  }
  const realBytes = wholeNumber(name, sparse?.get("realsize") ?? sparse?.get("size") ?? "");
  const form = `${sparse?.get("major") ?? "0"}.${sparse?.get("minor") ?? "1"}`;
  if (form === "1.0") {
    const { pieces, mapBytes } = await leadingMap(name, () => reader.exactly(blockBytes));
    return { map: checkedMap(name, { pieces, realBytes }, size - mapBytes), dataBytes: size - mapBytes };
  }
  if (!form.startsWith("0."))
    throw refused(name, `is sparse in the unknown format ${shown(form)}; pack it without --sparse`);
  const numbers = sparseNumbers ?? (sparse?.get("map") ?? "").split(",");
  return { map: checkedMap(name, { pieces: piecesOf(name, numbers), realBytes }, size), dataBytes: size };
}

/** The map of a header of type S, with the blocks of more pieces that follow it. */
async function oldSparseMap(block: Buffer, { name }: TarHeader, reader: PieceReader): Promise<SparseMap> {
  const first = oldSparseHeader(block, name);
  const pieces = [...first.pieces];
  for (let { isContinued } = first; isContinued; ) {
    const more = await reader.exactly(blockBytes);
    if (more.length < blockBytes) throw cutOff("it ends within a header");
    const next = moreSparsePieces(more, name);
    pieces.push(...next.pieces);
    if (pieces.length > sparsePiecesMax) throw damagedMap(name);
    isContinued = next.isContinued;
  }
  return { pieces, realBytes: first.realBytes };
}
