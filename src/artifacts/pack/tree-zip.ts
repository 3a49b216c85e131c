// Writes a listed tree as a zip file. Blocking, for the packing thread: one file after another, in blocks, so that it
// takes little memory whatever the size. What is not as it was listed ends the packing.
import { closeSync, fstatSync, readSync } from "node:fs";
import { constants, crc32, deflateRawSync } from "node:zlib";
import { bytesOf } from "../entry-text.js";
import { isSame, reading, type TreeEntry } from "./folder-tree.js";
import type { HeldFolder } from "./held-folder.js";
import type { PackOutput } from "./output.js";
import { changedEntry, type Packed, type PackLimits } from "./pack-request.js";
import { centralHeader, endRecords, largeFromBytes, localHeader, type ZipEntry } from "./zip-records.js";

/** Deflated in one go; larger costs memory, smaller costs size. */
const blockBytes = 256 * 1024;
/** How far back deflate looks. */
const windowBytes = 32 * 1024;
/** As `zip` does: beyond it much time buys few bytes. */
const level = 6;

const pieceEntries = 1_000;

const typeBits = { file: 0o100_000, folder: 0o040_000, link: 0o120_000 } as const;
const unknown = { method: "stored", crc: 0, packedBytes: 0, plainBytes: 0 } as const;

/** What is packed closer than our own limit allows when it is unpacked is packed less close. */
export type Closeness = Pick<PackLimits, "maxRatio" | "maxRatioFromBytes">;

/** Writes all of the tree. Throws FolderRefused, or what the disk says. */
export function zipTree(
  root: HeldFolder,
  entries: readonly TreeEntry[],
  output: PackOutput,
  closeness: Closeness,
): Packed {
  const writer = new TreeWriter(root, output, closeness);
  try {
    for (const entry of entries) writer.add(entry);
  } finally {
    writer.close();
  }
  return { entries: entries.length, sizeBytes: writer.finish() };
}

class TreeWriter {
  readonly #output: PackOutput;
  readonly #closeness: Closeness;
  /** Bytes of content so far. */
  #plainBytes = 0;
  readonly #block = Buffer.allocUnsafeSlow(blockBytes);
  /** The directory to come, collected to larger pieces: a small buffer for each of many entries takes more memory. */
  readonly #central: Buffer[] = [];
  #latest: Buffer[] = [];
  #entries = 0;
  /** The folders that are open, from the root to the one of the latest entry. */
  readonly #open: { readonly path: string; readonly folder: HeldFolder }[];

  constructor(root: HeldFolder, output: PackOutput, closeness: Closeness) {
    this.#output = output;
    this.#closeness = closeness;
    this.#open = [{ path: "", folder: root }];
  }

  add(entry: TreeEntry): void {
    const { folder, name } = this.#place(entry.path);
    if (entry.kind === "folder") this.#enter(folder, name, entry);
    else if (entry.kind === "link") this.#whole(entry, Buffer.from(bytesOf(entry.target ?? "")));
    else this.#file(folder, name, entry);
  }

  /** Writes the directory of the zip file; answers the whole size. */
  finish(): number {
    const offset = this.#output.position;
    for (const piece of [...this.#central, ...this.#latest]) this.#output.write(piece);
    const bytes = this.#output.position - offset;
    this.#output.write(endRecords({ entries: this.#entries, bytes, offset }));
    this.#output.flush();
    return this.#output.position;
  }

  /** Closes what it opened; the root is another's. */
  close(): void {
    for (const { folder } of this.#open.splice(1).toReversed()) folder.close();
  }

  /** The open folder that an entry is in: the tree is listed folder by folder. */
  #place(path: string): { readonly folder: HeldFolder; readonly name: string } {
    const slash = path.lastIndexOf("/");
    const parent = slash < 0 ? "" : path.slice(0, slash);
    for (let top = this.#open.at(-1); top !== undefined; top = this.#open.at(-1)) {
      if (top.path === parent) return { folder: top.folder, name: path.slice(slash + 1) };
      top.folder.close();
      this.#open.pop();
    }
    throw new Error("bug: an entry of the tree comes before its folder");
  }

  #enter(parent: HeldFolder, name: string, entry: TreeEntry): void {
    const folder = reading(entry.path, () => parent.folder(name));
    this.#open.push({ path: entry.path, folder });
    if (!isSame(entry, folder.stats)) throw changedEntry(entry.path);
    this.#whole(entry, Buffer.alloc(0));
  }

  #file(parent: HeldFolder, name: string, entry: TreeEntry): void {
    const descriptor = reading(entry.path, () => parent.file(name));
    try {
      if (!isSame(entry, fstatSync(descriptor))) throw changedEntry(entry.path);
      if (entry.size <= blockBytes) this.#whole(entry, this.#read(descriptor, entry, entry.size));
      else this.#inBlocks(descriptor, entry);
      // Written to while it was read: its size or its time shows it.
      if (!isSame(entry, fstatSync(descriptor))) throw changedEntry(entry.path);
    } finally {
      closeSync(descriptor);
    }
  }

  /** An entry whose bytes are there: stored when deflating does not make it smaller. */
  #whole(entry: TreeEntry, bytes: Buffer): void {
    const crc = crc32(bytes);
    const deflated = entry.kind === "file" && bytes.length > 0 ? this.#deflated(bytes, undefined, true) : bytes;
    const isSmaller = deflated.length < bytes.length;
    const packed = isSmaller ? deflated : bytes;
    const sizes = { crc, packedBytes: packed.length, plainBytes: bytes.length };
    const zipped = this.#zipEntry(entry, { method: isSmaller ? "deflated" : "stored", ...sizes });
    this.#output.write(localHeader(zipped));
    this.#output.write(packed);
    if (deflated !== bytes) giveBack(deflated);
    this.#list(zipped);
  }

  /** A larger file, block by block; the header is patched once the sizes are known. */
  #inBlocks(descriptor: number, entry: TreeEntry): void {
    const offset = this.#output.position;
    this.#output.write(localHeader(this.#zipEntry(entry, unknown)));
    const bytesAt = this.#output.position;
    const before = Buffer.allocUnsafeSlow(windowBytes);
    let crc = 0;
    for (let done = 0; done < entry.size; ) {
      const bytes = this.#read(descriptor, entry, Math.min(blockBytes, entry.size - done));
      crc = crc32(bytes, crc);
      const isLast = done + bytes.length === entry.size;
      // Each block ends at a whole byte and refers to the one before it: together they are one stream (as pigz does).
      const deflated = this.#deflated(bytes, done === 0 ? undefined : before, isLast);
      this.#output.write(deflated);
      giveBack(deflated);
      if (!isLast) bytes.copy(before, 0, bytes.length - windowBytes);
      done += bytes.length;
    }
    const packedBytes = this.#output.position - bytesAt;
    const sizes = { crc, packedBytes, plainBytes: entry.size };
    const zipped = { ...this.#zipEntry(entry, { method: "deflated", ...sizes }), offset };
    this.#output.patch(offset, localHeader(zipped));
    this.#list(zipped);
  }

  #deflated(bytes: Buffer, before: Buffer | undefined, isLast: boolean): Buffer {
    this.#plainBytes += bytes.length;
    const deflated = deflate(bytes, { before, isLast, ...closest });
    const { maxRatio, maxRatioFromBytes } = this.#closeness;
    // The rule by which it is unpacked (isOverRatio), held at every moment.
    if (this.#plainBytes - maxRatioFromBytes <= maxRatio * (this.#output.position + deflated.length)) return deflated;
    giveBack(deflated);
    return deflate(bytes, { before, isLast, ...(maxRatio < huffmanRatio ? notAtAll : byLettersAlone) });
  }

  #list(zipped: ZipEntry): void {
    this.#entries++;
    this.#latest.push(centralHeader(zipped));
    if (this.#latest.length < pieceEntries) return;
    this.#central.push(Buffer.concat(this.#latest));
    this.#latest = [];
  }

  #read(descriptor: number, entry: TreeEntry, size: number): Buffer {
    for (let filled = 0; filled < size; ) {
      const count = reading(entry.path, () => readSync(descriptor, this.#block, filled, size - filled, null));
      if (count === 0) throw changedEntry(entry.path);
      filled += count;
    }
    return this.#block.subarray(0, size);
  }

  #zipEntry(entry: TreeEntry, found: Pick<ZipEntry, "method" | "crc" | "packedBytes" | "plainBytes">): ZipEntry {
    const isFolder = entry.kind === "folder";
    return {
      name: Buffer.from(isFolder ? `${entry.path}/` : entry.path),
      mode: typeBits[entry.kind] | entry.mode,
      isFolder,
      mtimeMs: entry.mtimeMs,
      offset: this.#output.position,
      isLarge: entry.size >= largeFromBytes,
      ...found,
    };
  }
}

const closest = { level, strategy: constants.Z_DEFAULT_STRATEGY };
/** A bit for each byte at best, whatever it repeats. */
const byLettersAlone = { level, strategy: constants.Z_HUFFMAN_ONLY };
const huffmanRatio = 9;
const notAtAll = { level: 0, strategy: constants.Z_DEFAULT_STRATEGY };

interface Deflating {
  /** What came before this block in the same stream. */
  readonly before: Buffer | undefined;
  readonly isLast: boolean;
  readonly level: number;
  readonly strategy: number;
}

function deflate(bytes: Buffer, { before, isLast, level, strategy }: Deflating): Buffer {
  // One piece, never more: deflate adds 5 bytes to 16 KiB at worst, and a few for the flush.
  const mostBytes = bytes.length + Math.ceil(bytes.length / 1_024) + 1_024;
  return deflateRawSync(bytes, {
    level,
    strategy,
    chunkSize: Math.max(mostBytes, Buffer.poolSize + 1),
    finishFlush: isLast ? constants.Z_FINISH : constants.Z_SYNC_FLUSH,
    ...(before === undefined ? {} : { dictionary: before }),
  });
}

/** Frees a result at once: the collector, which sees only small objects, would let tens of MiB pile up first. */
function giveBack({ buffer }: Buffer): void {
  // Node's pool, of which smaller buffers are parts, is others' too.
  if (buffer instanceof ArrayBuffer && buffer.byteLength > Buffer.poolSize) buffer.transfer(0);
}
