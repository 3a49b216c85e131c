// What is stored where: buckets with their rules, objects, uploads in parts, and the states of KMS keys.
// Only keeps and forgets; which request may do what is decided in permissions.ts, what it does in the operations.
import { randomBytes } from "node:crypto";
import type { Bodies, StoredBody } from "./bodies.js";
import { S3Error } from "./s3-error.js";

/** How an object is encrypted, in the words of S3's headers. */
export interface Encryption {
  readonly algorithm: "AES256" | "aws:kms" | "aws:kms:dsse";
  /** As the request named it; absent: the managed key. */
  readonly kmsKeyId?: string;
  readonly bucketKeyEnabled?: boolean;
}

/** An object's checksum as S3 gives it back. */
export interface Checksum {
  /** Such as `crc32`. */
  readonly name: string;
  /** Base64; of a composite one with `-` and the number of parts. */
  readonly value: string;
  readonly type: "FULL_OBJECT" | "COMPOSITE";
}

/** What an upload says of an object besides its bytes. */
export interface ObjectHead {
  /** Headers that S3 gives back as they came: content-type, cache-control, x-amz-meta-… */
  readonly headers: Readonly<Record<string, string>>;
  readonly encryption: Encryption;
  /** Who uploaded it: a job by its credentials. */
  readonly jobId?: string;
}

/** A stored object. */
export interface ObjectRecord extends ObjectHead {
  readonly key: string;
  readonly bodies: readonly StoredBody[];
  readonly bytes: number;
  /** Without quotes. */
  readonly etag: string;
  readonly checksum?: Checksum;
  readonly modifiedAtMs: number;
}

/** One part of an upload. */
export interface PartRecord {
  readonly body: StoredBody;
  readonly etag: string;
  readonly checksum?: Omit<Checksum, "type">;
  readonly modifiedAtMs: number;
}

/** An upload in parts, until it is completed or aborted. */
export interface UploadRecord extends ObjectHead {
  readonly id: string;
  readonly bucket: string;
  readonly key: string;
  readonly checksumName?: string;
  readonly checksumType?: Checksum["type"];
  readonly parts: Map<number, PartRecord>;
  readonly begunAtMs: number;
}

/** A bucket and its rules. */
export interface BucketRecord {
  readonly name: string;
  readonly region: string;
  /** Uploads must ask for `aws:kms`, as the policies of many artifact buckets have it. */
  readonly requireKms: boolean;
  readonly createdAtMs: number;
  readonly objects: Map<string, ObjectRecord>;
}

/** What a KMS key answers when it is used. */
export type KmsKeyState = "enabled" | "disabled" | "denied";

/** Completed uploads that are remembered, so that a repeated completion is answered like the first. */
const completedMax = 1_000;

/** Everything that is stored. */
export class Objects {
  readonly #bodies: Bodies;
  readonly #buckets = new Map<string, BucketRecord>();
  readonly #uploads = new Map<string, UploadRecord>();
  readonly #completed = new Map<string, string>();
  readonly #keys = new Map<string, KmsKeyState>();

  constructor(options: { readonly bodies: Bodies }) {
    this.#bodies = options.bodies;
  }

  /** Adds a bucket, or changes its rules. */
  setBucket(bucket: Omit<BucketRecord, "objects">): BucketRecord {
    const before = this.#buckets.get(bucket.name);
    const record = { ...bucket, objects: before?.objects ?? new Map<string, ObjectRecord>() };
    this.#buckets.set(bucket.name, record);
    return record;
  }

  findBucket(name: string): BucketRecord | undefined {
    return this.#buckets.get(name);
  }

  /** Throws NoSuchBucket. */
  bucket(name: string): BucketRecord {
    const bucket = this.#buckets.get(name);
    if (!bucket) throw new S3Error("NoSuchBucket", { elements: { BucketName: name } });
    return bucket;
  }

  buckets(): readonly BucketRecord[] {
    return [...this.#buckets.values()];
  }

  find(bucket: string, key: string): ObjectRecord | undefined {
    return this.#buckets.get(bucket)?.objects.get(key);
  }

  /** Puts the object in the place of what was there. Throws NoSuchBucket. */
  put(bucket: string, object: ObjectRecord): void {
    const { objects } = this.bucket(bucket);
    this.delete(bucket, object.key);
    objects.set(object.key, object);
  }

  delete(bucket: string, key: string): void {
    const { objects } = this.bucket(bucket);
    const before = objects.get(key);
    if (!before) return;
    objects.delete(key);
    this.#bodies.remove(before.bodies);
  }

  begin(upload: Omit<UploadRecord, "id" | "parts">): UploadRecord {
    const record = { ...upload, id: randomBytes(48).toString("base64url"), parts: new Map<number, PartRecord>() };
    this.#uploads.set(record.id, record);
    return record;
  }

  /** Throws NoSuchUpload. */
  upload(bucket: string, key: string, id: string): UploadRecord {
    const upload = this.#uploads.get(id);
    if (upload?.bucket !== bucket || upload.key !== key) throw new S3Error("NoSuchUpload");
    return upload;
  }

  uploads(bucket?: string): readonly UploadRecord[] {
    return [...this.#uploads.values()].filter((upload) => bucket === undefined || upload.bucket === bucket);
  }

  setPart(upload: UploadRecord, number: number, part: PartRecord): void {
    const before = upload.parts.get(number);
    upload.parts.set(number, part);
    if (before) this.#bodies.remove([before.body]);
  }

  /** Ends the upload; the parts that did not become the object are forgotten. */
  end(upload: UploadRecord, object?: ObjectRecord): void {
    this.#uploads.delete(upload.id);
    const kept = new Set(object?.bodies);
    this.#bodies.remove([...upload.parts.values()].map((part) => part.body).filter((body) => !kept.has(body)));
    if (!object) return;
    this.put(upload.bucket, object);
    this.#completed.set(upload.id, object.etag);
    for (const id of this.#completed.keys()) {
      if (this.#completed.size <= completedMax) break;
      this.#completed.delete(id);
    }
  }

  /** The object that the upload became, if it is still there. */
  completed(bucket: string, key: string, id: string): ObjectRecord | undefined {
    const etag = this.#completed.get(id);
    const object = this.find(bucket, key);
    return etag !== undefined && object?.etag === etag ? object : undefined;
  }

  setKmsKey(id: string, state: KmsKeyState): void {
    this.#keys.set(id, state);
  }

  /** A key is enabled until something else is said; an ARN and the id at its end name the same key. */
  kmsKeyState(id: string): KmsKeyState {
    const tail = id.slice(id.indexOf("/") + 1);
    for (const [key, state] of this.#keys) {
      if (key === id || key.slice(key.indexOf("/") + 1) === tail) return state;
    }
    return "enabled";
  }

  kmsKeys(): readonly { readonly id: string; readonly state: KmsKeyState }[] {
    return [...this.#keys].map(([id, state]) => ({ id, state }));
  }

  clear(): void {
    for (const { objects } of this.#buckets.values()) {
      for (const { bodies } of objects.values()) this.#bodies.remove(bodies);
    }
    for (const { parts } of this.#uploads.values()) this.#bodies.remove([...parts.values()].map((part) => part.body));
    this.#buckets.clear();
    this.#uploads.clear();
    this.#completed.clear();
    this.#keys.clear();
  }
}
