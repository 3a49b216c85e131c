// The headers around an object: what an upload says and S3 gives back, conditions, ranges, checksums, encryption.
// Pure: reads requests and records, changes nothing.

import type { Checksum, Encryption, ObjectRecord } from "./objects.js";
import { S3Error } from "./s3-error.js";
import type { S3Request } from "./s3-request.js";
import { header } from "./s3-request.js";

const kept = ["content-type", "cache-control", "content-disposition", "content-language", "expires"];
const metadataMaxBytes = 2_048;

/** The headers of an upload that come back with the object. Throws S3Error. */
export function headersToKeep(request: S3Request): Readonly<Record<string, string>> {
  const names = Object.keys(request.headers).filter((name) => kept.includes(name) || name.startsWith("x-amz-meta-"));
  const pairs = names.map((name) => [name, header(request, name) ?? ""] as const);
  const encodings = (header(request, "content-encoding") ?? "").split(",").map((encoding) => encoding.trim());
  const encoding = encodings.filter((each) => each !== "" && each !== "aws-chunked").join(",");
  const metadata = pairs.filter(([name]) => name.startsWith("x-amz-meta-"));
  const bytes = metadata.reduce((sum, [name, value]) => sum + name.length - 11 + Buffer.byteLength(value), 0);
  if (bytes > metadataMaxBytes) {
    throw new S3Error("MetadataTooLarge", {
      message: "Your metadata headers exceed the maximum allowed metadata size",
    });
  }
  return Object.fromEntries([
    ["content-type", "binary/octet-stream"],
    ...pairs,
    ...(encoding === "" ? [] : [["content-encoding", encoding] as const]),
  ]);
}

/** The headers of GetObject and HeadObject. */
export function headersOf(object: ObjectRecord, wantsChecksum: boolean): Readonly<Record<string, string>> {
  return {
    ...object.headers,
    etag: `"${object.etag}"`,
    "last-modified": new Date(object.modifiedAtMs).toUTCString(),
    "accept-ranges": "bytes",
    ...encryptionHeaders(object.encryption),
    ...(wantsChecksum && object.checksum && checksumHeaders(object.checksum)),
  };
}

export function checksumHeaders(
  checksum: Omit<Checksum, "type"> & Partial<Checksum>,
): Readonly<Record<string, string>> {
  return {
    [`x-amz-checksum-${checksum.name}`]: checksum.value,
    ...(checksum.type && { "x-amz-checksum-type": checksum.type }),
  };
}

export function encryptionHeaders(encryption: Encryption): Readonly<Record<string, string>> {
  return {
    "x-amz-server-side-encryption": encryption.algorithm,
    ...(encryption.kmsKeyId !== undefined && {
      "x-amz-server-side-encryption-aws-kms-key-id": encryption.kmsKeyId,
    }),
    ...(encryption.bucketKeyEnabled && { "x-amz-server-side-encryption-bucket-key-enabled": "true" }),
  };
}

/** Throws NotModified or PreconditionFailed when the request's conditions do not hold for reading the object. */
export function checkReadConditions(request: S3Request, object: ObjectRecord): void {
  const modifiedAtS = Math.floor(object.modifiedAtMs / 1_000);
  const since = (name: string) => Math.floor(Date.parse(header(request, name) ?? "") / 1_000);
  const [match, noneMatch] = [header(request, "if-match"), header(request, "if-none-match")];
  const isChanged = match === undefined ? modifiedAtS > since("if-unmodified-since") : !names(match, object.etag);
  if (isChanged)
    throw new S3Error("PreconditionFailed", {
      elements: { Condition: match === undefined ? "If-Unmodified-Since" : "If-Match" },
    });
  const isSame = noneMatch === undefined ? modifiedAtS <= since("if-modified-since") : names(noneMatch, object.etag);
  if (isSame) throw new S3Error("NotModified", { headers: headersOf(object, false) });
}

/** Throws when the request's conditions do not hold for writing over what is there. */
export function checkWriteConditions(request: S3Request, before: ObjectRecord | undefined): void {
  const [match, noneMatch] = [header(request, "if-match"), header(request, "if-none-match")];
  if (noneMatch !== undefined && noneMatch !== "*") {
    throw new S3Error("NotImplemented", { message: "If-None-Match of an upload can only be *" });
  }
  if (noneMatch === "*" && before)
    throw new S3Error("PreconditionFailed", { elements: { Condition: "If-None-Match" } });
  if (match === undefined) return;
  if (!before) throw new S3Error("NoSuchKey");
  if (!names(match, before.etag)) throw new S3Error("PreconditionFailed", { elements: { Condition: "If-Match" } });
}

function names(list: string, etag: string): boolean {
  return list
    .split(",")
    .some((each) => each.trim() === "*" || each.trim().replace(/^W\//, "").replaceAll('"', "") === etag);
}

/** The bytes that are asked for, `end` not included; `undefined`: all of them. Throws InvalidRange. */
export function rangeOf(
  request: S3Request,
  bytes: number,
): { readonly start: number; readonly end: number } | undefined {
  const [, first, last] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header(request, "range")?.trim() ?? "") ?? [];
  // What is no single range is not understood, and so the whole object is the answer.
  if (first === undefined || last === undefined || (first === "" && last === "")) return undefined;
  const start = first === "" ? Math.max(bytes - Number(last), 0) : Number(first);
  const end = first === "" || last === "" ? bytes : Math.min(Number(last) + 1, bytes);
  if (first !== "" && last !== "" && Number(last) < Number(first)) return undefined;
  if (start >= bytes || start >= end) {
    const elements = { RangeRequested: header(request, "range") ?? "", ActualObjectSize: String(bytes) };
    throw new S3Error("InvalidRange", { elements, headers: { "content-range": `bytes */${bytes}` } });
  }
  return { start, end };
}
