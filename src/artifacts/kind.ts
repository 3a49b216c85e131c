// What a file is, by its bytes: zip, tar, tar.gz, or a plain file. Names, keys and content types are never asked.
import { constants, gunzipSync } from "node:zlib";
import type { GrowingFile } from "./growing-file.js";
import { blockBytes, isTarHeader } from "./tar-header.js";
import type { ArtifactKind } from "./unpack.js";
import { findZipEnd, startsLikeZip } from "./zip-end.js";

/** So much of a gzip file is inflated to see what is in it: far more than one tar header needs. */
const gzipProbeBytes = 4_096;

/** Waits for the first bytes; for those of the end only when the first do not tell. */
export function kindOf(file: GrowingFile): ArtifactKind {
  const first = Buffer.from(file.view(0, gzipProbeBytes));
  if (startsLikeZip(first)) return "zip";
  if (isTarHeader(first)) return "tar";
  if (isGzip(first)) return isTarHeader(inflatedStart(first)) ? "tar.gz" : "file";
  // A zip may carry something in front, a program that unpacks it for instance; its directory is at the end.
  return findZipEnd(file)?.isPlausible === true ? "zip" : "file";
}

function isGzip(first: Buffer): boolean {
  return first.length > 18 && first[0] === 0x1f && first[1] === 0x8b && first[2] === 8;
}

/** As much as can be inflated of the start of a gzip file; empty when it is damaged. */
function inflatedStart(first: Buffer): Buffer {
  try {
    return gunzipSync(first, { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, blockBytes);
  } catch {
    return Buffer.alloc(0);
  }
}
