// What a file is, by its bytes: zip, tar, tar.gz, or a plain file. Names, keys and content types are never asked.
import { constants, gunzipSync } from "node:zlib";
import type { GrowingFile } from "./growing-file.js";
import type { ArtifactKind } from "./request.js";
import { blockBytes, isTarHeader } from "./tar-header.js";
import { findZipEnd, startsLikeZip } from "./zip-end.js";

/** So much of a gzip file is inflated to see what is in it: far more than one tar header needs. */
const gzipProbeBytes = 4_096;
const gzipHeaderBytes = 10;
const gzipTrailerBytes = 8;

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
  return first.length >= gzipHeaderBytes + gzipTrailerBytes && first[0] === 0x1f && first[1] === 0x8b && first[2] === 8;
}

/**
 * The first block of what is in a gzip file; shorter when there is less. A file that is damaged further on, or whose
 * checksum is wrong, must not pass for something else, so less and less of it is tried.
 */
function inflatedStart(first: Buffer): Buffer {
  const lengths = [first.length, first.length - gzipTrailerBytes];
  for (let length = first.length >> 1; length > gzipHeaderBytes; length >>= 1) lengths.push(length);
  for (const length of lengths) {
    try {
      const start = gunzipSync(first.subarray(0, length), { finishFlush: constants.Z_SYNC_FLUSH });
      return start.subarray(0, blockBytes);
    } catch {
      // Damaged somewhere in these bytes.
    }
  }
  return Buffer.alloc(0);
}
