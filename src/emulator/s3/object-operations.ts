// What the operations on buckets and whole objects do. Who asks was checked before; refusals are thrown as S3Error.
import { createHash } from "node:crypto";
import type { Settings } from "../emulator-settings.js";
import type { Bodies, StoredBody } from "./bodies.js";
import {
  checkReadConditions,
  checksumHeaders,
  checkWriteConditions,
  encryptionHeaders,
  headersOf,
  headersToKeep,
  rangeOf,
} from "./heads.js";
import { receive } from "./incoming.js";
import type { Encryption, ObjectRecord, Objects } from "./objects.js";
import { checkKey, encryptionOf } from "./permissions.js";
import type { S3Answer, Served } from "./s3-answer.js";
import { S3Error } from "./s3-error.js";
import { header, parameter } from "./s3-request.js";
import type { XmlTree } from "./xml.js";
import { xml } from "./xml.js";

/** Serves buckets and objects. */
export class ObjectOperations {
  readonly #objects: Objects;
  readonly #bodies: Bodies;
  readonly #settings: () => Settings;

  constructor(options: { readonly objects: Objects; readonly bodies: Bodies; readonly settings: () => Settings }) {
    this.#objects = options.objects;
    this.#bodies = options.bodies;
    this.#settings = options.settings;
  }

  get({ request, identity }: Served): S3Answer {
    const object = this.#object(request.bucket, request.key, identity.kind === "job");
    checkReadConditions(request, object);
    checkKey(object.encryption, this.#objects, "kms:Decrypt");
    const range = rangeOf(request, object.bytes);
    const wantsChecksum = header(request, "x-amz-checksum-mode")?.toUpperCase() === "ENABLED";
    const { start, end } = range ?? { start: 0, end: object.bytes };
    return {
      status: range ? 206 : 200,
      headers: {
        // The checksum is one of the whole object, of which a range is only a part.
        ...headersOf(object, wantsChecksum && (!range || request.method === "HEAD")),
        ...(range && { "content-range": `bytes ${start}-${end - 1}/${object.bytes}` }),
        "content-length": String(end - start),
      },
      ...(request.method !== "HEAD" && { content: { bodies: object.bodies, start, end } }),
    };
  }

  async put({ request, identity, judge, nowMs }: Served): Promise<S3Answer> {
    const bucket = this.#bucketToFill(request.bucket, identity.kind, nowMs());
    const encryption = encryptionOf(request, bucket, this.#objects);
    const headers = headersToKeep(request);
    checkWriteConditions(request, this.#objects.find(request.bucket, request.key));
    const { body, checksum } = await receive(request, { bodies: this.#bodies, judge });
    try {
      // Again, since others may have written while this body came.
      checkWriteConditions(request, this.#objects.find(request.bucket, request.key));
      const object: ObjectRecord = {
        key: request.key,
        bodies: [body],
        bytes: body.bytes,
        etag: etagOf(body, encryption),
        headers,
        encryption,
        ...(checksum && { checksum: { ...checksum, type: "FULL_OBJECT" } }),
        ...(identity.kind === "job" && { jobId: identity.jobId }),
        modifiedAtMs: nowMs(),
      };
      this.#objects.put(request.bucket, object);
      const answered = { etag: `"${object.etag}"`, ...encryptionHeaders(encryption) };
      return { status: 200, headers: { ...answered, ...(object.checksum && checksumHeaders(object.checksum)) } };
    } catch (error) {
      this.#bodies.remove([body]);
      throw error;
    }
  }

  delete({ request }: Served): S3Answer {
    this.#objects.delete(request.bucket, request.key);
    return { status: 204, headers: {} };
  }

  createBucket({ request, region, nowMs }: Served): S3Answer {
    const before = this.#objects.findBucket(request.bucket);
    if (!before) {
      const rules = { region: region ?? "us-east-1", requireKms: false };
      this.#objects.setBucket({ name: request.bucket, ...rules, createdAtMs: nowMs() });
    }
    return { status: 200, headers: { location: `/${request.bucket}` } };
  }

  headBucket({ request }: Served): S3Answer {
    const { region } = this.#objects.bucket(request.bucket);
    return { status: 200, headers: { "x-amz-bucket-region": region } };
  }

  location({ request }: Served): S3Answer {
    const { region } = this.#objects.bucket(request.bucket);
    const text = region === "us-east-1" ? "" : region;
    const body = xml("LocationConstraint", {}).replace("></", `>${text}</`);
    return { status: 200, headers: {}, body };
  }

  listBuckets(): S3Answer {
    const Bucket = this.#objects
      .buckets()
      .map(({ name, createdAtMs }) => ({ Name: name, CreationDate: time(createdAtMs) }));
    return { status: 200, headers: {}, body: xml("ListAllMyBucketsResult", { Buckets: { Bucket } }) };
  }

  list({ request }: Served): S3Answer {
    const { objects } = this.#objects.bucket(request.bucket);
    const encode = parameter(request, "encoding-type") === "url" ? encodeURIComponent : (text: string) => text;
    const [prefix, delimiter] = [parameter(request, "prefix") ?? "", parameter(request, "delimiter") ?? ""];
    const after = continuation(parameter(request, "continuation-token")) ?? parameter(request, "start-after") ?? "";
    const limit = Math.min(wholeNumber(parameter(request, "max-keys") ?? "1000", "max-keys"), 1_000);
    const entries = new Map<string, ObjectRecord | "prefix">();
    let isTruncated = false;
    for (const key of [...objects.keys()].sort(byBytes)) {
      if (!key.startsWith(prefix)) continue;
      const cut = delimiter === "" ? -1 : key.indexOf(delimiter, prefix.length);
      const name = cut < 0 ? key : key.slice(0, cut + delimiter.length);
      const object = objects.get(key);
      if (!object || byBytes(name, after) <= 0 || entries.has(name)) continue;
      if (entries.size >= limit) {
        isTruncated = true;
        break;
      }
      entries.set(name, cut < 0 ? object : "prefix");
    }
    const last = [...entries.keys()].at(-1);
    const tree: XmlTree = {
      Name: request.bucket,
      Prefix: encode(prefix),
      Delimiter: delimiter === "" ? undefined : encode(delimiter),
      MaxKeys: limit,
      KeyCount: entries.size,
      IsTruncated: isTruncated,
      EncodingType: parameter(request, "encoding-type"),
      ContinuationToken: parameter(request, "continuation-token"),
      NextContinuationToken: isTruncated && last !== undefined ? Buffer.from(last).toString("base64url") : undefined,
      Contents: [...entries].flatMap(([name, object]) => (object === "prefix" ? [] : [listed(encode(name), object)])),
      CommonPrefixes: [...entries].flatMap(([name, object]) => (object === "prefix" ? [{ Prefix: encode(name) }] : [])),
    };
    return { status: 200, headers: {}, body: xml("ListBucketResult", tree) };
  }

  #object(bucket: string, key: string, isJob: boolean): ObjectRecord {
    const object = this.#objects.bucket(bucket).objects.get(key);
    if (object) return object;
    // Who may not list a bucket is not told by AWS what it lacks; whether a job may is not known.
    if (isJob && this.#settings().missingArtifact === "AccessDenied") throw new S3Error("AccessDenied");
    throw new S3Error("NoSuchKey", { elements: { Key: key } });
  }

  /** Whoever is no job makes a bucket by filling it: one step fewer for those who try things out. */
  #bucketToFill(name: string, asker: Served["identity"]["kind"], nowMs: number) {
    const known = this.#objects.findBucket(name);
    if (known || asker === "job") return known ?? this.#objects.bucket(name);
    return this.#objects.setBucket({ name, region: "us-east-1", requireKms: false, createdAtMs: nowMs });
  }
}

/** The MD5 in hex; something else when a KMS key encrypted the object, as AWS has it. */
export function etagOf(body: StoredBody, encryption: Encryption): string {
  const md5 = body.digests.get("md5")?.toString("hex") ?? "";
  if (encryption.algorithm === "AES256") return md5;
  return createHash("md5").update(`${encryption.algorithm} ${encryption.kmsKeyId} ${md5}`).digest("hex");
}

/** A number from 0 on. Throws InvalidArgument. */
export function wholeNumber(text: string, name: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new S3Error("InvalidArgument", { message: `${name} must be a whole number` });
  return Number(text);
}

/** A time as S3's documents write it. */
export function time(ms: number): string {
  return new Date(ms).toISOString();
}

function continuation(token: string | undefined): string | undefined {
  return token === undefined ? undefined : Buffer.from(token, "base64url").toString("utf8");
}

function listed(name: string, object: ObjectRecord): XmlTree {
  return {
    Key: name,
    LastModified: time(object.modifiedAtMs),
    ETag: `"${object.etag}"`,
    Size: object.bytes,
    StorageClass: "STANDARD",
  };
}

/** Keys are listed in the order of their UTF-8 bytes. */
function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
