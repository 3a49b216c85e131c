// The checksums that S3 verifies and keeps: CRC32, CRC32C, CRC64NVME, SHA1 and SHA256, computed as bytes pass.
// The two CRCs that Node lacks are computed here, eight bytes at a step; check values stand in the tests.
import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";

/** The header of each algorithm: `x-amz-checksum-` and this. */
export const checksumNames = ["crc32", "crc32c", "crc64nvme", "sha1", "sha256"] as const;
export type ChecksumName = (typeof checksumNames)[number];

/** Takes bytes and gives the digest once. */
export interface Digest {
  update(chunk: Buffer): void;
  digest(): Buffer;
}

export function isChecksumName(name: string): name is ChecksumName {
  return (checksumNames as readonly string[]).includes(name);
}

/** How many bytes a checksum has. */
export function checksumBytes(name: ChecksumName): number {
  return { crc32: 4, crc32c: 4, crc64nvme: 8, sha1: 20, sha256: 32 }[name];
}

export function createDigest(name: ChecksumName | "md5"): Digest {
  switch (name) {
    case "crc32":
      return new NodeCrc32();
    case "crc32c":
      return new Crc(4, 0x82f63b78n);
    case "crc64nvme":
      return new Crc(8, 0x9a6c9329ac4bc9b5n);
    case "md5":
    case "sha1":
    case "sha256": {
      const hash = createHash(name);
      return { update: (chunk) => void hash.update(chunk), digest: () => hash.digest() };
    }
  }
}

class NodeCrc32 implements Digest {
  #value = 0;

  update(chunk: Buffer): void {
    this.#value = crc32(chunk, this.#value);
  }

  digest(): Buffer {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(this.#value >>> 0);
    return bytes;
  }
}

/**
 * A reflected CRC of 32 or 64 bits that starts and ends inverted, by eight tables (slicing-by-8). The value is kept as
 * two 32-bit halves, since BigInt would cost a hundred times as much.
 */
class Crc implements Digest {
  readonly #width: 4 | 8;
  readonly #low: Uint32Array;
  readonly #high: Uint32Array;
  #lowValue = 0xffff_ffff;
  #highValue: number;

  constructor(width: 4 | 8, polynomial: bigint) {
    this.#width = width;
    this.#highValue = width === 8 ? 0xffff_ffff : 0;
    const { low, high } = tablesOf(polynomial);
    this.#low = low;
    this.#high = high;
  }

  update(chunk: Buffer): void {
    const [low, high] = [this.#low, this.#high];
    let [a, b] = [this.#lowValue, this.#highValue];
    let at = 0;
    for (const end = chunk.length - 7; at < end; at += 8) {
      a ^= chunk.readUInt32LE(at);
      b ^= chunk.readUInt32LE(at + 4);
      const i0 = 1792 + (a & 255);
      const i1 = 1536 + ((a >>> 8) & 255);
      const i2 = 1280 + ((a >>> 16) & 255);
      const i3 = 1024 + (a >>> 24);
      const i4 = 768 + (b & 255);
      const i5 = 512 + ((b >>> 8) & 255);
      const i6 = 256 + ((b >>> 16) & 255);
      const i7 = b >>> 24;
      a = xor(low, i0, i1, i2, i3) ^ xor(low, i4, i5, i6, i7);
      b = xor(high, i0, i1, i2, i3) ^ xor(high, i4, i5, i6, i7);
    }
    for (; at < chunk.length; at++) {
      const index = (a ^ (chunk[at] ?? 0)) & 255;
      a = ((a >>> 8) | (b << 24)) ^ (low[index] ?? 0);
      b = (b >>> 8) ^ (high[index] ?? 0);
    }
    this.#lowValue = a;
    this.#highValue = b;
  }

  digest(): Buffer {
    const bytes = Buffer.alloc(8);
    bytes.writeUInt32BE(~this.#highValue >>> 0, 0);
    bytes.writeUInt32BE(~this.#lowValue >>> 0, 4);
    return bytes.subarray(8 - this.#width);
  }
}

function xor(table: Uint32Array, a: number, b: number, c: number, d: number): number {
  return (table[a] ?? 0) ^ (table[b] ?? 0) ^ (table[c] ?? 0) ^ (table[d] ?? 0);
}

/** Eight tables of 256: table k holds what a byte does that is k bytes ahead. */
function tablesOf(polynomial: bigint): { readonly low: Uint32Array; readonly high: Uint32Array } {
  const values: bigint[] = [];
  for (let byte = 0; byte < 256; byte++) {
    let value = BigInt(byte);
    for (let bit = 0; bit < 8; bit++) value = value & 1n ? (value >> 1n) ^ polynomial : value >> 1n;
    values.push(value);
  }
  for (let index = 256; index < 2_048; index++) {
    const before = values[index - 256] ?? 0n;
    values.push((before >> 8n) ^ (values[Number(before & 255n)] ?? 0n));
  }
  return {
    low: Uint32Array.from(values, (value) => Number(value & 0xffff_ffffn)),
    high: Uint32Array.from(values, (value) => Number(value >> 32n)),
  };
}
