// What a tar may be compressed with, recognized by its first bytes, and how it is inflated. What this Node cannot
// inflate is named, with what to do instead.
import * as zlib from "node:zlib";
import { codeOf } from "../../std/errors.js";
import { ArchiveRefused, DamageFound } from "../refusal.js";
import type { GrowingFile } from "./growing-file.js";
import { inflated } from "./inflated.js";
import { chunkBytes } from "./unpack-limits.js";
import { firstFrame, startsLikeZstd, zstdFrames } from "./zstd-frames.js";

export type Compression = "gzip" | "zstd";

interface Format {
  readonly starts: (first: Buffer) => boolean;
  /** So many packed bytes hold at least one block of it: gzip inflates byte by byte, zstd in blocks of 128 KiB. */
  readonly probeBytes: number;
  /** What follows the last block: a checksum, and sizes. */
  readonly trailerBytes: number;
  readonly open: () => zlib.Gunzip;
  readonly inflate: (packed: Buffer, maxOutputLength: number) => Buffer;
}

const formats: Readonly<Record<Compression, Format>> = {
  gzip: {
    starts: (first) => first.subarray(0, 3).equals(Buffer.of(0x1f, 0x8b, 8)),
    probeBytes: 4_096,
    trailerBytes: 8,
    open: () => zlib.createGunzip({ chunkSize: chunkBytes }),
    inflate: (packed, maxOutputLength) =>
      zlib.gunzipSync(packed, { maxOutputLength, finishFlush: zlib.constants.Z_SYNC_FLUSH }),
  },
  zstd: {
    starts: startsLikeZstd,
    probeBytes: 256 * 2 ** 10,
    trailerBytes: 4,
    open: () => zlib.createZstdDecompress({ chunkSize: chunkBytes }),
    inflate: (packed, maxOutputLength) =>
      zlib.zstdDecompressSync(packed, { maxOutputLength, finishFlush: zlib.constants.ZSTD_e_continue }),
  },
};

/** Nothing in Node inflates these, and no library that is kept up does so within a bound of memory. */
const unknown: readonly (readonly [name: string, start: RegExp])[] = [
  ["xz", /^\xfd7zXZ\0/],
  // How well it was packed, and the digits of pi, with which each block begins.
  ["bzip2", /^BZh[1-9]1AY&SY/],
];

/**
 * What this file is compressed with, by its first bytes; undefined when with nothing that is known. Throws
 * ArchiveRefused for what cannot be inflated: it is not known whether a tar is in it.
 */
export function compressionOf(first: Buffer): Compression | undefined {
  const start = first.toString("latin1", 0, 16);
  const other = unknown.find(([, mark]) => mark.test(start));
  if (other !== undefined) {
    const instead = "pack it with gzip or zstd, or let the handler take it as it is (job.inputFile)";
    throw new ArchiveRefused(`it is compressed with ${other[0]}, which is not supported; ${instead}`);
  }
  return (["gzip", "zstd"] as const).find((name) => formats[name].starts(first));
}

/** What is in there, piece by piece; each of `packed` is used up before the next is asked for. */
export function decompressed(packed: Iterable<Buffer>, compression: Compression): AsyncGenerator<Buffer> {
  checkKnown(compression);
  const pieces = compression === "zstd" ? zstdFrames(packed) : packed;
  return inflated(pieces, formats[compression].open(), (code) => failureOf(compression, code));
}

const tooWide = "ZSTD_error_frameParameter_windowTooLarge";

function failureOf(compression: Compression, code: string): ArchiveRefused {
  return code === tooWide
    ? new ArchiveRefused("its zstd needs a window of more than 128 MiB; pack it without --long")
    : new DamageFound(`its ${compression} is damaged or was cut off; upload it again`);
}

/**
 * At least `wanted` first bytes of what is in there, or all that there is. A file that is damaged further on must not
 * pass for something else, so little is tried first.
 */
export function inflatedStart(file: GrowingFile, compression: Compression, wanted: number): Buffer {
  checkKnown(compression);
  const { probeBytes, trailerBytes, inflate } = formats[compression];
  let start: Buffer = Buffer.alloc(0);
  const from = compression === "zstd" ? firstFrame(file) : 0;
  for (let length = leastProbeBytes; ; length *= 2) {
    const packed = Buffer.from(file.view(from, Math.min(length, probeBytes)));
    const isLast = length >= probeBytes || packed.length < length;
    for (const bytes of isLast ? [packed.length - trailerBytes, packed.length] : [packed.length]) {
      try {
        start = inflate(packed.subarray(0, bytes), startMaxBytes);
      } catch (error) {
        // Damaged somewhere in these bytes, or a bomb: what is known stays.
        if (codeOf(error) === tooWide) throw failureOf(compression, tooWide);
      }
      if (start.length >= wanted) return start;
    }
    if (isLast) return start;
  }
}

const leastProbeBytes = 64;
const startMaxBytes = 16 * 2 ** 20;

/** The first ones of Node 23 have no zstd. Throws ArchiveRefused. */
function checkKnown(compression: Compression): void {
  if (compression !== "zstd" || zlib.createZstdDecompress !== undefined) return;
  const why = `Node ${process.versions.node}, on which this worker runs, cannot decompress it (Node 24 can)`;
  throw new ArchiveRefused(`it is compressed with zstd, and ${why}; pack it with gzip`);
}
