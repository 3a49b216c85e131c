// What the operations of multipart uploads do: parts in any order, a list that must name them as they are, one object at
// the end. Who asks was checked before; refusals are thrown as S3Error.
import { createHash } from "node:crypto";
import type { Bodies } from "./bodies.js";
import type { ChecksumName } from "./checksums.js";
import { createDigest, isChecksumName } from "./checksums.js";
import { checksumHeaders, checkWriteConditions, encryptionHeaders, headersToKeep } from "./heads.js";
import { receive, receiveText } from "./incoming.js";
import { time, wholeNumber } from "./object-operations.js";
import type { Checksum, ObjectRecord, Objects, PartRecord, UploadRecord } from "./objects.js";
import { encryptionOf } from "./permissions.js";
import type { S3Answer, Served } from "./s3-answer.js";
import { S3Error } from "./s3-error.js";
import type { S3Request } from "./s3-request.js";
import { header, parameter } from "./s3-request.js";
import type { NamedPart } from "./xml.js";
import { namedParts, xml } from "./xml.js";

const partNumberMax = 10_000;
/** Smallest part but the last, as in S3. */
const partMinBytes = 5_242_880;
const listMaxBytes = 4_194_304;

/** Serves uploads in parts. */
export class UploadOperations {
  readonly #objects: Objects;
  readonly #bodies: Bodies;

  constructor(options: { readonly objects: Objects; readonly bodies: Bodies }) {
    this.#objects = options.objects;
    this.#bodies = options.bodies;
  }

  create({ request, identity, nowMs }: Served): S3Answer {
    const bucket = this.#objects.bucket(request.bucket);
    const checksum = checksumWanted(request);
    const upload = this.#objects.begin({
      bucket: request.bucket,
      key: request.key,
      headers: headersToKeep(request),
      encryption: encryptionOf(request, bucket, this.#objects),
      ...(checksum && { checksumName: checksum.name, checksumType: checksum.type }),
      ...(identity.kind === "job" && { jobId: identity.jobId }),
      begunAtMs: nowMs(),
    });
    const headers = {
      ...encryptionHeaders(upload.encryption),
      ...(checksum && {
        "x-amz-checksum-algorithm": checksum.name.toUpperCase(),
        "x-amz-checksum-type": checksum.type,
      }),
    };
    const tree = { Bucket: request.bucket, Key: request.key, UploadId: upload.id };
    return { status: 200, headers, body: xml("InitiateMultipartUploadResult", tree) };
  }

  async part({ request, judge, nowMs }: Served): Promise<S3Answer> {
    const upload = this.#upload(request);
    const number = wholeNumber(parameter(request, "partNumber") ?? "", "partNumber");
    if (number < 1 || number > partNumberMax) {
      const message = `Part number must be an integer between 1 and ${partNumberMax}, inclusive`;
      throw new S3Error("InvalidArgument", { message });
    }
    const { checksumName } = upload;
    const alsoDigest = checksumName !== undefined && isChecksumName(checksumName) ? checksumName : undefined;
    const { body, checksum } = await receive(request, { bodies: this.#bodies, judge, alsoDigest });
    try {
      // The upload may be over by now.
      this.#upload(request);
      if (checksum && checksumName !== undefined && checksum.name !== checksumName) {
        const message = `Checksum Type mismatch occurred, expected checksum Type: ${checksumName}, actual checksum Type: ${checksum.name}`;
        throw new S3Error("InvalidRequest", { message });
      }
    } catch (error) {
      this.#bodies.remove([body]);
      throw error;
    }
    const etag = body.digests.get("md5")?.toString("hex") ?? "";
    this.#objects.setPart(upload, number, { body, etag, ...(checksum && { checksum }), modifiedAtMs: nowMs() });
    const headers = {
      etag: `"${etag}"`,
      ...encryptionHeaders(upload.encryption),
      ...(checksum && checksumHeaders(checksum)),
    };
    return { status: 200, headers };
  }

  async complete({ request, nowMs }: Served): Promise<S3Answer> {
    const list = namedParts(await receiveText(request, listMaxBytes));
    const id = parameter(request, "uploadId") ?? "";
    // A client that lost the answer asks again.
    const before = this.#objects.completed(request.bucket, request.key, id);
    if (before) return completed(request, before);
    const upload = this.#upload(request);
    const checksum = await this.#checksumOf(upload, partsNamed(upload, list), request);
    checkWriteConditions(request, this.#objects.find(request.bucket, request.key));
    // Meanwhile another completion may have ended the upload, or a part may have come again.
    const parts = partsNamed(this.#upload(request), list);
    const object: ObjectRecord = {
      key: upload.key,
      bodies: parts.map((part) => part.body),
      bytes: parts.reduce((sum, part) => sum + part.body.bytes, 0),
      etag: `${createHash("md5")
        .update(Buffer.from(parts.map((part) => part.etag).join(""), "hex"))
        .digest("hex")}-${parts.length}`,
      headers: upload.headers,
      encryption: upload.encryption,
      ...(checksum && { checksum }),
      ...(upload.jobId !== undefined && { jobId: upload.jobId }),
      modifiedAtMs: nowMs(),
    };
    this.#objects.end(upload, object);
    return completed(request, object);
  }

  abort({ request }: Served): S3Answer {
    this.#objects.end(this.#upload(request));
    return { status: 204, headers: {} };
  }

  listParts({ request }: Served): S3Answer {
    const upload = this.#upload(request);
    const after = wholeNumber(parameter(request, "part-number-marker") ?? "0", "part-number-marker");
    const limit = Math.min(wholeNumber(parameter(request, "max-parts") ?? "1000", "max-parts"), 1_000);
    const parts = [...upload.parts].sort(([a], [b]) => a - b).filter(([number]) => number > after);
    const tree = {
      Bucket: upload.bucket,
      Key: upload.key,
      UploadId: upload.id,
      PartNumberMarker: after,
      NextPartNumberMarker: parts[Math.min(limit, parts.length) - 1]?.[0] ?? 0,
      MaxParts: limit,
      IsTruncated: parts.length > limit,
      StorageClass: "STANDARD",
      ChecksumAlgorithm: upload.checksumName?.toUpperCase(),
      ChecksumType: upload.checksumType,
      Part: parts.slice(0, limit).map(([number, part]) => ({
        PartNumber: number,
        LastModified: time(part.modifiedAtMs),
        ETag: `"${part.etag}"`,
        Size: part.body.bytes,
        ...(part.checksum && { [`Checksum${part.checksum.name.toUpperCase()}`]: part.checksum.value }),
      })),
    };
    return { status: 200, headers: {}, body: xml("ListPartsResult", tree) };
  }

  listUploads({ request }: Served): S3Answer {
    this.#objects.bucket(request.bucket);
    const prefix = parameter(request, "prefix") ?? "";
    const uploads = this.#objects.uploads(request.bucket).filter(({ key }) => key.startsWith(prefix));
    const tree = {
      Bucket: request.bucket,
      Prefix: prefix,
      MaxUploads: 1_000,
      IsTruncated: false,
      Upload: uploads.slice(0, 1_000).map(({ key, id, begunAtMs }) => ({
        Key: key,
        UploadId: id,
        StorageClass: "STANDARD",
        Initiated: time(begunAtMs),
      })),
    };
    return { status: 200, headers: {}, body: xml("ListMultipartUploadsResult", tree) };
  }

  #upload(request: S3Request): UploadRecord {
    return this.#objects.upload(request.bucket, request.key, parameter(request, "uploadId") ?? "");
  }

  /** The object's checksum, compared with what the request says it is. */
  async #checksumOf(
    upload: UploadRecord,
    parts: readonly PartRecord[],
    request: S3Request,
  ): Promise<Checksum | undefined> {
    const { checksumName: name, checksumType: type } = upload;
    if (name === undefined || type === undefined || !isChecksumName(name)) return undefined;
    const digest = createDigest(name);
    if (type === "COMPOSITE")
      for (const part of parts) digest.update(Buffer.from(part.checksum?.value ?? "", "base64"));
    else {
      const bytes = parts.reduce((sum, part) => sum + part.body.bytes, 0);
      const bodies = parts.map((part) => part.body);
      for await (const piece of this.#bodies.read(bodies, { start: 0, end: bytes })) digest.update(piece);
    }
    const value = `${digest.digest().toString("base64")}${type === "COMPOSITE" ? `-${parts.length}` : ""}`;
    const given = header(request, `x-amz-checksum-${name}`);
    // Some clients leave out the number of parts.
    if (given !== undefined && given !== value && `${given}-${parts.length}` !== value) {
      throw new S3Error("BadDigest", { message: `The ${name} you specified did not match the calculated checksum.` });
    }
    return { name, value, type };
  }
}

function checksumWanted(
  request: S3Request,
): { readonly name: ChecksumName; readonly type: Checksum["type"] } | undefined {
  const name = header(request, "x-amz-checksum-algorithm")?.toLowerCase();
  if (name === undefined) return undefined;
  if (!isChecksumName(name)) {
    throw new S3Error("InvalidRequest", { message: "Checksum algorithm provided is unsupported." });
  }
  const type =
    header(request, "x-amz-checksum-type")?.toUpperCase() ?? (name === "crc64nvme" ? "FULL_OBJECT" : "COMPOSITE");
  const isPossible = name.startsWith("sha")
    ? type === "COMPOSITE"
    : name === "crc64nvme"
      ? type === "FULL_OBJECT"
      : true;
  if (!isPossible || (type !== "FULL_OBJECT" && type !== "COMPOSITE")) {
    const message = `The ${type} checksum type cannot be used with the ${name} checksum algorithm.`;
    throw new S3Error("InvalidRequest", { message });
  }
  return { name, type };
}

/** The parts that the list names, found as the list says. Throws S3Error. */
function partsNamed(upload: UploadRecord, list: readonly NamedPart[]): readonly PartRecord[] {
  const isOrdered = list.every(({ partNumber }, index) => partNumber > (list[index - 1]?.partNumber ?? 0));
  if (!isOrdered) throw new S3Error("InvalidPartOrder");
  return list.map((named, index) => {
    const part = upload.parts.get(named.partNumber);
    const given = part?.checksum && named.checksums[`x-amz-checksum-${part.checksum.name}`];
    const isOtherwise = given !== undefined && given !== part?.checksum?.value;
    if (!part || part.etag !== named.etag || isOtherwise) {
      throw new S3Error("InvalidPart", {
        elements: { UploadId: upload.id, PartNumber: String(named.partNumber), ETag: named.etag },
      });
    }
    if (upload.checksumType === "COMPOSITE" && given === undefined) {
      const message = `The upload was created using a ${upload.checksumName} checksum. The complete request must include the checksum for each part. It was missing for part ${named.partNumber} in the request.`;
      throw new S3Error("InvalidRequest", { message });
    }
    if (index < list.length - 1 && part.body.bytes < partMinBytes) {
      const elements = {
        ProposedSize: String(part.body.bytes),
        MinSizeAllowed: String(partMinBytes),
        PartNumber: String(named.partNumber),
      };
      throw new S3Error("EntityTooSmall", { elements });
    }
    return part;
  });
}

function completed(request: S3Request, object: ObjectRecord): S3Answer {
  const { checksum } = object;
  const tree = {
    Location: `http://${header(request, "host") ?? "emulator"}${request.path}`,
    Bucket: request.bucket,
    Key: request.key,
    ETag: `"${object.etag}"`,
    ...(checksum && { [`Checksum${checksum.name.toUpperCase()}`]: checksum.value, ChecksumType: checksum.type }),
  };
  return {
    status: 200,
    headers: encryptionHeaders(object.encryption),
    body: xml("CompleteMultipartUploadResult", tree),
  };
}
