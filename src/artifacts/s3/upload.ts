// One file to S3, always encrypted by KMS: in one piece, or in parts side by side that are each tried again. Of an
// upload that fails or is aborted no part is left behind. The SDK's own multipart upload does not promise that: its
// abort is sent while parts are still on their way, and waiting for it is not possible.
import { type FileHandle, open } from "node:fs/promises";
import { crc32 } from "node:zlib";
import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  type CreateMultipartUploadCommandOutput,
  PutObjectCommand,
  UploadPartCommand,
  type UploadPartCommandOutput,
} from "@aws-sdk/client-s3";
import type { ArtifactAccess, ArtifactLocation } from "../../job/job.js";
import { TransferFault } from "../faults.js";
import { combinedCrc32 } from "./checksums.js";
import type { S3Calls } from "./s3.js";

export interface UploadOptions {
  readonly calls: S3Calls;
  readonly location: ArtifactLocation;
  readonly file: string;
  readonly signal: AbortSignal;
  /** Longest time for taking an upload back. */
  readonly cleanupMaxMs: number;
  readonly onPartsLeft: PartsLeft;
}

/** Called for an upload that could not be aborted: only the bucket's own rule for unfinished ones removes its parts. */
export type PartsLeft = (upload: Target, error: unknown) => void;

/** Up to this size in one request. */
export const singlePutMaxBytes = 16 * 2 ** 20;
/** The least that S3 allows: the SDK hashes a part in one go, and all other jobs wait meanwhile. */
const partBytes = 5 * 2 ** 20;
/** S3's limit; parts grow when a file would need more. */
const partsMax = 10_000;
/** Parts under way at once, each with one buffer: 20 MiB keep a gigabit busy. */
const lanes = 4;
const contentType = "application/zip";
/** Some S3s confirm every time; after so many there is nothing left to arrive. */
const abortsMax = 5;
const abortAgainMs = 100;

/** Uploads the file; resolves when S3 has the object. Throws TransferFault, what the disk says, or the reason. */
export async function upload(options: UploadOptions): Promise<void> {
  const file = await open(options.file, "r");
  try {
    const { size } = await file.stat();
    if (size <= singlePutMaxBytes) await putWhole(options, file, size);
    else await putInParts(options, file, size);
  } finally {
    await file.close();
  }
}

/** The headers by which S3 encrypts: with the pipeline's own key, or the one that AWS manages. */
export function encryption(access: ArtifactAccess) {
  const { encryptionKeyId } = access;
  return {
    ServerSideEncryption: "aws:kms" as const,
    ...(encryptionKeyId === undefined ? {} : { SSEKMSKeyId: encryptionKeyId }),
  };
}

async function putWhole({ calls, location, signal }: UploadOptions, file: FileHandle, size: number): Promise<void> {
  const body = await readAt(file, Buffer.allocUnsafeSlow(size), 0);
  const checksum = base64OfCrc(crc32(body));
  await calls.send(
    ({ access }) =>
      new PutObjectCommand({
        Bucket: location.bucket,
        Key: location.objectKey,
        Body: body,
        ContentLength: body.length,
        ContentType: contentType,
        ChecksumCRC32: checksum,
        ...encryption(access),
      }),
    signal,
  );
}

async function putInParts(options: UploadOptions, file: FileHandle, size: number): Promise<void> {
  try {
    await putInPartsOnce(options, file, size);
  } catch (error) {
    if (!isUnknownUpload(error)) throw error;
    // Completed by a try whose answer was lost, or aborted by another client: S3 says the same of both, and these
    // credentials need not be allowed to look. The same object once more is right in both cases.
    await putInPartsOnce(options, file, size);
  }
}

function isUnknownUpload(error: unknown): boolean {
  return error instanceof TransferFault && error.code === "NoSuchUpload";
}

async function putInPartsOnce(options: UploadOptions, file: FileHandle, size: number): Promise<void> {
  const { calls, location, signal } = options;
  const object = { Bucket: location.bucket, Key: location.objectKey };
  const { UploadId } = await calls.send<CreateMultipartUploadCommandOutput>(
    ({ access }) =>
      new CreateMultipartUploadCommand({
        ...object,
        ContentType: contentType,
        ChecksumAlgorithm: "CRC32",
        // Of all bytes, not of the parts' checksums: who fetches it can verify it without knowing the parts.
        ChecksumType: "FULL_OBJECT",
        ...encryption(access),
      }),
    signal,
  );
  if (UploadId === undefined) throw new TransferFault("refused", "no-upload-id", "the upload was given no id");
  const target = { ...object, UploadId };
  try {
    const { parts, crc } = await putParts(options, file, size, target);
    const whole = { ChecksumCRC32: base64OfCrc(crc), ChecksumType: "FULL_OBJECT" } as const;
    await calls.send(
      () => new CompleteMultipartUploadCommand({ ...target, ...whole, MultipartUpload: { Parts: [...parts] } }),
      signal,
    );
  } catch (error) {
    if (!isUnknownUpload(error)) await takeBack(options, target);
    throw error;
  }
}

/** An upload in parts, as S3 knows it. */
type Target = { readonly Bucket: string; readonly Key: string; readonly UploadId: string };

/** Settles only when no part is under way any more: an abort would not reach those. */
async function putParts(
  options: UploadOptions,
  file: FileHandle,
  size: number,
  target: Target,
): Promise<{ readonly parts: readonly CompletedPart[]; readonly crc: number }> {
  const bytes = Math.max(partBytes, Math.ceil(size / partsMax));
  const count = Math.ceil(size / bytes);
  const parts: CompletedPart[] = [];
  const crcs: { crc: number; bytes: number }[] = [];
  const stop = new AbortController();
  const signal = AbortSignal.any([options.signal, stop.signal]);
  let next = 0;
  const lane = async () => {
    const buffer = Buffer.allocUnsafeSlow(bytes);
    for (;;) {
      const index = next;
      if (index >= count) return;
      next += 1;
      const from = index * bytes;
      const body = await readAt(file, buffer.subarray(0, Math.min(bytes, size - from)), from);
      const crc = crc32(body);
      crcs[index] = { crc, bytes: body.length };
      parts[index] = await putPart(options.calls, { ...target, PartNumber: index + 1 }, { body, crc }, signal);
    }
  };
  const ends = await Promise.allSettled(
    Array.from({ length: Math.min(lanes, count) }, () =>
      lane().catch((error: unknown) => {
        // The first to fail ends the others; their reason is then this very error.
        stop.abort(error);
        throw error;
      }),
    ),
  );
  options.signal.throwIfAborted();
  if (stop.signal.aborted || ends.some(({ status }) => status === "rejected")) throw stop.signal.reason;
  return { parts, crc: combinedCrc32(crcs) };
}

async function putPart(
  calls: S3Calls,
  part: Target & { readonly PartNumber: number },
  { body, crc }: { readonly body: Buffer; readonly crc: number },
  signal: AbortSignal,
): Promise<CompletedPart> {
  const checksum = base64OfCrc(crc);
  const answer = await calls.send<UploadPartCommandOutput>(
    () => new UploadPartCommand({ ...part, Body: body, ContentLength: body.length, ChecksumCRC32: checksum }),
    signal,
  );
  return { PartNumber: part.PartNumber, ETag: answer.ETag, ChecksumCRC32: checksum };
}

/**
 * Under its own limit, since the job's signal is what ended the upload in many cases. Asked again until S3 knows the
 * upload no more: a part that was on its way when its connection was cut may arrive after the first time, and stay.
 */
async function takeBack({ calls, cleanupMaxMs, onPartsLeft }: UploadOptions, target: Target): Promise<void> {
  const limit = new AbortController();
  const cancel = calls.clock.after(cleanupMaxMs, () =>
    limit.abort(new Error("the time limit for aborting the upload has passed")),
  );
  try {
    for (let times = 0; times < abortsMax; times++) {
      if (times > 0) await calls.clock.sleep(abortAgainMs * 2 ** (times - 1), limit.signal);
      await calls.send(() => new AbortMultipartUploadCommand(target), limit.signal);
    }
  } catch (error) {
    if (!isUnknownUpload(error)) onPartsLeft(target, error);
  } finally {
    cancel();
  }
}

async function readAt(file: FileHandle, buffer: Buffer, from: number): Promise<Buffer> {
  let done = 0;
  while (done < buffer.length) {
    const { bytesRead } = await file.read(buffer, done, buffer.length - done, from + done);
    if (bytesRead === 0) throw new Error("bug: the packed artifact changed while it was uploaded");
    done += bytesRead;
  }
  return buffer;
}

/** As S3 writes a CRC32: four bytes, the highest first. */
function base64OfCrc(crc: number): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(crc >>> 0);
  return bytes.toString("base64");
}
