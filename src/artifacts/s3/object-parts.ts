// Whether an object that was uploaded in parts is whole, where S3 keeps only a checksum of the parts' checksums: how
// large the parts are is asked of S3, the bytes are those of the file.
import { HeadObjectCommand, type HeadObjectCommandOutput } from "@aws-sdk/client-s3";
import type { ArtifactLocation } from "../../job/job.js";
import { TransferFault } from "../faults.js";
import { checksumOfParts, type ObjectChecksum } from "./checksums.js";
import type { S3Calls } from "./s3.js";

export interface PartsCheck {
  readonly calls: S3Calls;
  readonly location: ArtifactLocation;
  readonly etag: string;
  readonly bytes: number;
  readonly checksum: ObjectChecksum & { readonly parts: number };
  /** Where the object is by now. */
  readonly path: string;
  readonly signal: AbortSignal;
}

/** S3's own limit. */
const partsMax = 10_000;
const headsAtOnce = 8;

/**
 * False when the file is not what was uploaded. True if that cannot be found out: this S3 does not list its parts, or
 * not to us. Throws TransferFault if asking failed temporarily, what the disk says, or the reason.
 */
export async function isWhole(check: PartsCheck): Promise<boolean> {
  const { bytes, checksum, path } = check;
  const first = await headOf(check, 1);
  const firstBytes = first?.ContentLength;
  if (first?.PartsCount !== checksum.parts || firstBytes === undefined || checksum.parts > partsMax) return true;
  const isValue = async (sizes: readonly number[]) =>
    (await checksumOfParts(path, checksum.kind, sizes)) === checksum.value;
  // Nearly all uploaders cut parts of one size, and the last one is what is left.
  const last = bytes - firstBytes * (checksum.parts - 1);
  const isEven = last > 0 && last <= firstBytes;
  if (isEven && (await isValue([...Array<number>(checksum.parts - 1).fill(firstBytes), last]))) return true;
  const sizes = await sizesOf(check, firstBytes);
  if (sizes === undefined) return true;
  return sizes.reduce((sum, size) => sum + size, 0) === bytes && isValue(sizes);
}

async function sizesOf(check: PartsCheck, first: number): Promise<readonly number[] | undefined> {
  const sizes: (number | undefined)[] = [first];
  for (let at = 1; at < check.checksum.parts; at += headsAtOnce) {
    const numbers = Array.from({ length: Math.min(headsAtOnce, check.checksum.parts - at) }, (_, n) => at + n + 1);
    const heads = await Promise.all(numbers.map((number) => headOf(check, number)));
    sizes.push(...heads.map((head) => head?.ContentLength));
  }
  return sizes.every((size) => size !== undefined) ? sizes : undefined;
}

/** Undefined when S3 does not say. */
async function headOf({ calls, location, etag, signal }: PartsCheck, PartNumber: number) {
  const object = { Bucket: location.bucket, Key: location.objectKey, IfMatch: etag };
  try {
    return await calls.send<HeadObjectCommandOutput>(() => new HeadObjectCommand({ ...object, PartNumber }), signal);
  } catch (error) {
    if (error instanceof TransferFault && (error.kind === "denied" || error.kind === "refused")) return undefined;
    throw error;
  }
}
