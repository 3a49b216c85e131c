// The checksums by which S3 vouches for an object: of all its bytes, or, for one that came in parts, of the checksums of
// its parts. Pure, but for the file that it reads.
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { Crc32, Crc32c, Crc64Nvme } from "@aws-sdk/checksums/crc";
import type { GetObjectCommandOutput } from "@aws-sdk/client-s3";

/** The first one that S3 reports counts. */
const kinds = ["ChecksumCRC64NVME", "ChecksumCRC32", "ChecksumCRC32C", "ChecksumSHA256", "ChecksumSHA1"] as const;
export type ChecksumKind = (typeof kinds)[number];

/** What S3 reports of an object. */
export interface ObjectChecksum {
  readonly kind: ChecksumKind;
  /** In base64. */
  readonly value: string;
  /** Set when it is a checksum of so many parts' checksums. */
  readonly parts?: number;
}

/** In an answer; undefined when S3 reports none. */
export function checksumIn(answer: Partial<Pick<GetObjectCommandOutput, ChecksumKind>>): ObjectChecksum | undefined {
  for (const kind of kinds) {
    const [, value, parts] = /^([^-]+)(?:-(\d{1,5}))?$/.exec(answer[kind] ?? "") ?? [];
    if (value !== undefined) return parts === undefined ? { kind, value } : { kind, value, parts: Number(parts) };
  }
  return undefined;
}

/** Of a whole file, in base64. Throws what the disk says. */
export async function checksumOf(path: string, kind: ChecksumKind): Promise<string> {
  const running = runningChecksum(kind);
  for await (const chunk of createReadStream(path)) running.update(chunk as Buffer);
  return base64(await running.digest());
}

/** Of the checksums of a file's parts, which have these sizes in bytes, in base64. Throws what the disk says. */
export async function checksumOfParts(path: string, kind: ChecksumKind, sizes: readonly number[]): Promise<string> {
  const all = runningChecksum(kind);
  let start = 0;
  for (const size of sizes) {
    const part = runningChecksum(kind);
    if (size > 0) {
      const content = createReadStream(path, { start, end: start + size - 1 });
      for await (const chunk of content) part.update(chunk as Buffer);
    }
    all.update(Buffer.from(await part.digest()));
    start += size;
  }
  return base64(await all.digest());
}

function base64(digest: Uint8Array): string {
  return Buffer.from(digest).toString("base64");
}

function runningChecksum(kind: ChecksumKind) {
  switch (kind) {
    case "ChecksumCRC64NVME":
      return new Crc64Nvme();
    case "ChecksumCRC32C":
      return new Crc32c();
    case "ChecksumCRC32":
      return new Crc32();
    case "ChecksumSHA256":
      return createHash("sha256");
    case "ChecksumSHA1":
      return createHash("sha1");
  }
}

/** The CRC32 of a sequence of which only the parts' CRC32 are known (as zlib's crc32_combine). */
export function combinedCrc32(parts: readonly { readonly crc: number; readonly bytes: number }[]): number {
  return parts.reduce((crc, part) => (shifted(crc, part.bytes) ^ part.crc) >>> 0, 0);
}

/** What so many zeros behind it make of a CRC32: a multiplication by x^(8 * bytes), by squaring. */
function shifted(crc: number, bytes: number): number {
  let result = crc;
  // x^8, the lowest bit being the highest power.
  let power = 0x0080_0000;
  for (let left = bytes; left > 0; left = Math.floor(left / 2)) {
    if (left % 2 === 1) result = multiplied(result, power);
    power = multiplied(power, power);
  }
  return result;
}

/** The product of two polynomials modulo that of CRC32, both reflected. */
function multiplied(a: number, b: number): number {
  let product = 0;
  let term = b;
  for (let bit = 0x8000_0000; bit > 0; bit = Math.floor(bit / 2)) {
    if ((a & bit) !== 0) product ^= term;
    term = (term & 1) === 0 ? term >>> 1 : (term >>> 1) ^ 0xedb8_8320;
  }
  return product >>> 0;
}
