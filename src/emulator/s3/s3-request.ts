// A request to the S3 side of the port, read as far as its line and headers: bucket, key, query and the operation it asks
// for. Knows nothing of buckets that there are; the body is for whoever serves the operation.
import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { S3Error } from "./s3-error.js";

/** The operations of S3 that the emulator serves, by their names in AWS's documents. */
export const s3Operations = [
  ...(["GetObject", "HeadObject", "PutObject", "DeleteObject", "ListObjectsV2"] as const),
  ...(["CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload", "AbortMultipartUpload"] as const),
  ...(["ListParts", "ListMultipartUploads", "CreateBucket", "HeadBucket", "ListBuckets"] as const),
  ...(["GetBucketLocation"] as const),
] as const;
export type S3Operation = (typeof s3Operations)[number];

/** True for the name of an S3 operation that the emulator serves. */
export function isS3Operation(name: string): name is S3Operation {
  return (s3Operations as readonly string[]).includes(name);
}

/** A request with its path and query taken apart. */
export interface S3Request {
  readonly method: string;
  /** As it came, still encoded. */
  readonly path: string;
  readonly bucket: string;
  readonly key: string;
  /** Decoded, in the order they came. */
  readonly query: readonly (readonly [string, string])[];
  readonly headers: IncomingHttpHeaders;
  readonly message: IncomingMessage;
}

const keyMaxBytes = 1_024;

/** Takes the request's line apart. Throws S3Error. */
export function s3RequestOf(message: IncomingMessage): S3Request {
  const { method = "GET", url = "/", headers } = message;
  const mark = url.indexOf("?");
  const path = mark < 0 ? url : url.slice(0, mark);
  const text = mark < 0 ? "" : url.slice(mark + 1);
  const [, bucket = "", key = ""] = /^\/([^/]*)\/?(.*)$/s.exec(decoded(path)) ?? [];
  const query = text
    .split("&")
    .filter((pair) => pair !== "")
    .map((pair) => {
      const [name = "", ...rest] = pair.split("=");
      return [decoded(name.replaceAll("+", " ")), decoded(rest.join("=").replaceAll("+", " "))] as const;
    });
  return { method, path, bucket, key, query, headers, message };
}

/** The query parameter's first value. */
export function parameter(request: S3Request, name: string): string | undefined {
  return request.query.find(([each]) => each === name)?.[1];
}

/** A header as one text. */
export function header(request: S3Request, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value.join(",") : value;
}

/** What the request asks for. Throws S3Error for what can not be, or the emulator does not serve. */
export function s3OperationOf(request: S3Request): S3Operation {
  const { method, bucket, key } = request;
  if (bucket !== "" && !/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(bucket)) throw new S3Error("InvalidBucketName");
  if (Buffer.byteLength(key) > keyMaxBytes) throw new S3Error("KeyTooLongError");
  const asked = new Set(request.query.map(([name]) => name));
  const foreign = [...asked].find((name) => subresources.includes(name));
  if (foreign !== undefined)
    throw new S3Error("NotImplemented", { message: `The emulator does not serve ?${foreign}` });
  if (header(request, "x-amz-copy-source") !== undefined) {
    throw new S3Error("NotImplemented", { message: "The emulator does not copy objects" });
  }
  const level = bucket === "" ? "service" : key === "" ? "bucket" : "object";
  const operation = served[level](method, asked);
  if (!operation) throw new S3Error("MethodNotAllowed");
  return operation;
}

const served: Readonly<
  Record<"service" | "bucket" | "object", (method: string, asked: ReadonlySet<string>) => S3Operation | undefined>
> = {
  service: (method) => (method === "GET" ? "ListBuckets" : undefined),
  bucket: (method, asked) => {
    if (method === "PUT") return "CreateBucket";
    if (method === "HEAD") return "HeadBucket";
    if (method !== "GET") return undefined;
    if (asked.has("uploads")) return "ListMultipartUploads";
    if (asked.has("location")) return "GetBucketLocation";
    return "ListObjectsV2";
  },
  object: (method, asked) => {
    const isOfUpload = asked.has("uploadId");
    if (method === "POST") {
      if (asked.has("uploads")) return "CreateMultipartUpload";
      return isOfUpload ? "CompleteMultipartUpload" : undefined;
    }
    if (method === "PUT") return isOfUpload ? "UploadPart" : "PutObject";
    if (method === "GET") return isOfUpload ? "ListParts" : "GetObject";
    if (method === "HEAD") return "HeadObject";
    if (method === "DELETE") return isOfUpload ? "AbortMultipartUpload" : "DeleteObject";
    return undefined;
  },
};

/** Parts of S3 that nobody needs for artifacts: refused rather than mistaken for a plain object. */
const subresources = [
  ...["accelerate", "acl", "analytics", "attributes", "cors", "delete", "encryption", "inventory", "legal-hold"],
  ...["lifecycle", "logging", "metrics", "notification", "object-lock", "ownershipControls", "partNumberMarker"],
  ...["policy", "policyStatus", "publicAccessBlock", "replication", "requestPayment", "restore", "retention"],
  ...["select", "tagging", "torrent", "versionId", "versioning", "versions", "website"],
];

/** Decodes percent signs. Throws S3Error. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new S3Error("InvalidURI", { message: "Couldn't parse the specified URI." });
  }
}
