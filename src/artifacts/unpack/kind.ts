// What a file is, by its bytes: zip, tar, a compressed tar, or a plain file. Names, keys and content types are never
// asked.
import { type Compression, compressionOf, inflatedStart } from "./compression.js";
import type { GrowingFile } from "./growing-file.js";
import { blockBytes, isTarHeader, isZeroBlock } from "./tar-header.js";
import type { ArtifactKind } from "./unpack-request.js";
import { endsLikeZip, startsLikeZip } from "./zip-end.js";

/** Zeros up to this size are a tar without entries (tar writes 10,240 of them); more are a file of zeros. */
const emptyTarMaxBytes = 2 ** 20;
/** A gzip of more than this is no empty tar. */
const emptyGzipMaxBytes = 4_096;

export interface Kind {
  readonly kind: ArtifactKind;
  readonly compression?: Compression;
}

/** Waits for the first bytes; for those of the end only when the first do not decide. Throws ArchiveRefused. */
export function kindOf(file: GrowingFile): Kind {
  const first = Buffer.from(file.view(0, blockBytes));
  if (startsLikeZip(first)) return { kind: "zip" };
  if (isTarHeader(first) || (isBlockOfZeros(first) && isEmptyTar(file))) return { kind: "tar" };
  const compression = compressionOf(first);
  if (compression !== undefined) {
    return isTarWithin(file, compression) ? { kind: `tar.${suffixes[compression]}`, compression } : { kind: "file" };
  }
  // A zip may carry something in front, a program that unpacks it for instance; its directory is at the end.
  return { kind: endsLikeZip(file) ? "zip" : "file" };
}

const suffixes = { gzip: "gz", zstd: "zst" } as const;

function isTarWithin(file: GrowingFile, compression: Compression): boolean {
  const start = inflatedStart(file, compression, blockBytes);
  if (isTarHeader(start.subarray(0, blockBytes))) return true;
  if (!isBlockOfZeros(start.subarray(0, blockBytes)) || file.size() > emptyGzipMaxBytes) return false;
  return areBlocksOfZeros(inflatedStart(file, compression, emptyTarMaxBytes + 1));
}

function isEmptyTar(file: GrowingFile): boolean {
  return file.size() <= emptyTarMaxBytes && areBlocksOfZeros(file.view(0, file.size()));
}

function areBlocksOfZeros(bytes: Buffer): boolean {
  return bytes.length <= emptyTarMaxBytes && bytes.length % blockBytes === 0 && isZeroBlock(bytes);
}

function isBlockOfZeros(bytes: Buffer): boolean {
  return bytes.length === blockBytes && isZeroBlock(bytes);
}
