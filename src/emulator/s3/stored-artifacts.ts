// The artifacts of an emulator as its users hold them: buckets, objects, KMS keys and credentials, and what jobs bring along
// and leave behind. The S3 API does its part through the same records.
import type { Clock } from "../../std/clock.js";
import type { EmulatedArtifact, EmulatedJob, JobSeed, JobView, UploadedArtifact } from "../emulated-job.js";
import type { Settings } from "../emulator-settings.js";
import type {
  ArtifactContent,
  BucketDocument,
  Documents,
  JobsDocument,
  KmsKeyDocument,
  ObjectDocument,
} from "../scenario-documents.js";
import { Mistakes } from "../scenario-documents.js";
import type { Bodies } from "./bodies.js";
import type { Issuer, SessionCredentials } from "./issuer.js";
import { etagOf } from "./object-operations.js";
import type { Encryption, KmsKeyState, ObjectRecord, Objects } from "./objects.js";
import { zipOf } from "./small-zip.js";

/** An object as users see it. */
export interface ObjectView extends UploadedArtifact {
  readonly bucket: string;
  readonly key: string;
}

/** An upload in parts that is neither completed nor aborted. */
export interface UploadView {
  readonly bucket: string;
  readonly key: string;
  readonly uploadId: string;
  readonly parts: number;
  readonly jobId?: string;
}

/** An object is read into memory up to this size; larger ones are for S3 clients. */
const readMaxBytes = 268_435_456;

/** Buckets, objects and credentials of one emulator. */
export class Artifacts {
  readonly #clock: Clock;
  readonly #documents: Documents;
  readonly #objects: Objects;
  readonly #bodies: Bodies;
  readonly #issuer: Issuer;
  readonly #settings: () => Settings;

  constructor(options: {
    readonly clock: Clock;
    readonly documents: Documents;
    readonly objects: Objects;
    readonly bodies: Bodies;
    readonly issuer: Issuer;
    readonly settings: () => Settings;
  }) {
    this.#clock = options.clock;
    this.#documents = options.documents;
    this.#objects = options.objects;
    this.#bodies = options.bodies;
    this.#issuer = options.issuer;
    this.#settings = options.settings;
  }

  /** Adds a bucket, or changes its rules. Throws Mistakes. */
  addBucket(document: BucketDocument): void {
    this.#documents.check("Bucket", document);
    const { name, region, requireKms } = document;
    const before = this.#objects.findBucket(name);
    this.#objects.setBucket({
      name,
      region: region ?? before?.region ?? "us-east-1",
      requireKms: requireKms ?? before?.requireKms ?? false,
      createdAtMs: before?.createdAtMs ?? this.#clock.now(),
    });
  }

  buckets(): readonly {
    readonly name: string;
    readonly region: string;
    readonly requireKms: boolean;
    readonly objects: number;
  }[] {
    return this.#objects
      .buckets()
      .map(({ name, region, requireKms, objects }) => ({ name, region, requireKms, objects: objects.size }));
  }

  /** Says what a KMS key answers. Throws Mistakes. */
  setKmsKey(document: KmsKeyDocument): void {
    this.#documents.check("KmsKey", document);
    const { id, state } = document;
    this.#objects.setKmsKey(id, state);
  }

  kmsKeys(): readonly { readonly id: string; readonly state: KmsKeyState }[] {
    return this.#objects.kmsKeys();
  }

  /** Puts an object; its bucket is made if need be. Throws Mistakes. */
  put(document: ObjectDocument): void {
    this.#documents.check("Object", document);
    const { bucket, key, kmsKeyId, region } = document;
    if (!this.#objects.findBucket(bucket)) this.addBucket({ name: bucket, ...(region !== undefined && { region }) });
    const encryption: Encryption =
      kmsKeyId === undefined ? { algorithm: "AES256" } : { algorithm: "aws:kms", kmsKeyId };
    const body = this.#stored(document);
    const crc = body.digests.get("crc64nvme")?.toString("base64");
    this.#objects.put(bucket, {
      key,
      bodies: [body],
      bytes: body.bytes,
      etag: etagOf(body, encryption),
      headers: { "content-type": "application/octet-stream" },
      encryption,
      // The checksum that S3 gives to every object whose uploader gave none.
      ...(crc !== undefined && { checksum: { name: "crc64nvme", value: crc, type: "FULL_OBJECT" } }),
      modifiedAtMs: this.#clock.now(),
    });
  }

  /** What is known of an object; `undefined` if there is none. */
  object(bucket: string, key: string): ObjectView | undefined {
    const object = this.#objects.find(bucket, key);
    return object && { bucket, key, ...uploadedOf(object) };
  }

  /** The bytes of an object. Rejects when there is none, and for one above 256 MiB. */
  async read(bucket: string, key: string): Promise<Buffer> {
    const object = this.#objects.find(bucket, key);
    if (!object) throw new Error(`there is no object ${bucket}/${key}`);
    if (object.bytes > readMaxBytes) throw new RangeError(`${bucket}/${key} has ${object.bytes} bytes: get it by S3`);
    const pieces: Buffer[] = [];
    for await (const piece of this.#bodies.read(object.bodies, { start: 0, end: object.bytes })) pieces.push(piece);
    return Buffer.concat(pieces);
  }

  /** Uploads in parts that are under way, or were left behind. */
  uploads(): readonly UploadView[] {
    return this.#objects.uploads().map(({ bucket, key, id, parts, jobId }) => ({
      bucket,
      key,
      uploadId: id,
      parts: parts.size,
      ...(jobId !== undefined && { jobId }),
    }));
  }

  /** The credentials issued so far, or those of one job, are expired from now on. */
  expireCredentials(jobId?: string): void {
    this.#issuer.expire(jobId);
  }

  /** New credentials for a job, as each answer with its data carries them. */
  readonly credentialsFor = ({ seed }: EmulatedJob, lifetimeMs?: number): SessionCredentials => {
    const ms = lifetimeMs ?? seed.credentialsMs ?? this.#settings().credentialsMs;
    return this.#issuer.issue({ jobId: seed.id, region: seed.region, untilMs: this.#clock.now() + ms });
  };

  /** Makes the buckets of jobs and puts the inputs that the document gives. Throws Mistakes. */
  stock(document: JobsDocument, seeds: readonly JobSeed[]): void {
    for (const { region, inputs, outputs, encryptionKeyId } of seeds) {
      for (const { bucket } of [...inputs, ...outputs]) {
        if (!this.#objects.findBucket(bucket)) this.addBucket({ name: bucket, region });
      }
      for (const [index, { bucket, key }] of inputs.entries()) {
        const given = document.inputs?.[index];
        if (!given || !hasContent(given)) continue;
        const { name: _name, revision: _revision, ...content } = given;
        this.put({ ...content, bucket, key, ...(encryptionKeyId !== undefined && { kmsKeyId: encryptionKeyId }) });
      }
    }
  }

  /** The view with what was uploaded for each output. */
  withUploads(view: JobView): JobView {
    if (view.outputs.length === 0) return view;
    const outputs = view.outputs.map((artifact: EmulatedArtifact) => {
      const object = this.#objects.find(artifact.bucket, artifact.key);
      return object ? { ...artifact, uploaded: uploadedOf(object) } : artifact;
    });
    return { ...view, outputs };
  }

  clear(): void {
    this.#objects.clear();
    this.#issuer.clear();
  }

  async close(): Promise<void> {
    await this.#bodies.close();
  }

  #stored(content: ArtifactContent) {
    const { text, base64, file, files } = content;
    if (file === undefined)
      return this.#bodies.put(
        files ? zipOf(files) : Buffer.from(text ?? base64 ?? "", text === undefined ? "base64" : "utf8"),
      );
    try {
      return this.#bodies.put({ path: file });
    } catch (error) {
      throw new Mistakes([`file: cannot be read: ${error instanceof Error ? error.message : error}`]);
    }
  }
}

/** Whether the document says what is in the artifact. */
export function hasContent({ text, base64, file, files }: ArtifactContent): boolean {
  return text !== undefined || base64 !== undefined || file !== undefined || files !== undefined;
}

function uploadedOf(object: ObjectRecord): UploadedArtifact {
  const { bytes, etag, encryption, checksum, jobId, modifiedAtMs, headers } = object;
  return {
    bytes,
    etag,
    atMs: modifiedAtMs,
    contentType: headers["content-type"] ?? "",
    encryption: encryption.algorithm,
    ...(encryption.kmsKeyId !== undefined && { kmsKeyId: encryption.kmsKeyId }),
    ...(checksum && { checksum: `${checksum.name}:${checksum.value}` }),
    ...(jobId !== undefined && { byJob: jobId }),
  };
}
