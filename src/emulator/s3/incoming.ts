// The bytes of an upload from the request to a stored body: framing, lengths, digests and checksums, all checked before
// anybody else sees the body. Knows no buckets.

import { createHash } from "node:crypto";
import { BoundedBytes } from "../../std/bounded.js";
import type { Authenticated } from "./authentication.js";
import type { Bodies, DigestName, StoredBody } from "./bodies.js";
import type { ChecksumName } from "./checksums.js";
import { checksumBytes, checksumNames, isChecksumName } from "./checksums.js";
import { unchunked } from "./chunked.js";
import { S3Error } from "./s3-error.js";
import type { S3Request } from "./s3-request.js";
import { header } from "./s3-request.js";

/** A body that is what its request says. */
export interface Incoming {
  readonly body: StoredBody;
  /** The checksum that came along, checked. */
  readonly checksum?: { readonly name: ChecksumName; readonly value: string };
}

/** Most bytes of one PUT, as in S3. */
export const putMaxBytes = 5_368_709_120;

/** Receives the body of PutObject or UploadPart. Throws S3Error; then nothing stays of it. */
export async function receive(
  request: S3Request,
  {
    bodies,
    judge,
    alsoDigest,
  }: {
    readonly bodies: Bodies;
    readonly judge: Authenticated["judge"];
    /** A checksum to compute though none came along. */
    readonly alsoDigest?: ChecksumName | undefined;
  },
): Promise<Incoming> {
  const payload = header(request, "x-amz-content-sha256") ?? "UNSIGNED-PAYLOAD";
  const isChunked = isFramed(request, payload);
  const length = lengthOf(request, isChunked);
  const md5 = contentMd5(request);
  const announced = announcedChecksum(request);
  const wantsSha256 = /^[0-9a-f]{64}$/i.test(payload);
  const digests: DigestName[] = ["md5"];
  for (const name of [announced?.name, alsoDigest, wantsSha256 ? ("sha256" as const) : undefined]) {
    if (name !== undefined && !digests.includes(name)) digests.push(name);
  }
  const framing = new Framing(
    bytesOf(request),
    isChunked ? { judge: payload.startsWith("STREAMING-AWS4") ? judge : undefined } : undefined,
  );
  const body = await bodies.receive(framing, { digests, maxBytes: putMaxBytes });
  try {
    if (length !== undefined && body.bytes !== length) throw new S3Error("IncompleteBody");
    if (wantsSha256) checkPayload(body, payload);
    if (md5 && !body.digests.get("md5")?.equals(md5)) {
      throw new S3Error("BadDigest", { message: "The Content-MD5 you specified did not match what we received." });
    }
    const checksum =
      announced &&
      checkedChecksum(
        body,
        announced.name,
        announced.value ?? framing.trailers.get(`x-amz-checksum-${announced.name}`),
      );
    if (checksum) return { body, checksum };
    const computed = alsoDigest && body.digests.get(alsoDigest);
    return {
      body,
      ...(alsoDigest && computed && { checksum: { name: alsoDigest, value: computed.toString("base64") } }),
    };
  } catch (error) {
    bodies.remove([body]);
    throw error;
  }
}

/** The checksum that a request promises, by header or by trailer; `value` absent: it comes as a trailer. Throws S3Error. */
function announcedChecksum(
  request: S3Request,
): { readonly name: ChecksumName; readonly value: string | undefined } | undefined {
  const inHeaders = checksumNames.filter((name) => header(request, `x-amz-checksum-${name}`) !== undefined);
  const trailer = (header(request, "x-amz-trailer") ?? "")
    .toLowerCase()
    .split(",")
    .map((name) => name.trim());
  const inTrailers = trailer.map((name) => name.replace(/^x-amz-checksum-/, "")).filter(isChecksumName);
  const [name, another] = [...inHeaders, ...inTrailers];
  if (another !== undefined) {
    throw new S3Error("InvalidRequest", {
      message: "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.",
    });
  }
  return name && { name, value: header(request, `x-amz-checksum-${name}`) };
}

function checkedChecksum(
  body: StoredBody,
  name: ChecksumName,
  value: string | undefined,
): NonNullable<Incoming["checksum"]> {
  if (value === undefined) {
    throw new S3Error("MalformedTrailerError", {
      message: `The request announced a trailer x-amz-checksum-${name} and did not send it`,
    });
  }
  const given = Buffer.from(value, "base64");
  if (given.length !== checksumBytes(name) || given.toString("base64") !== value) {
    throw new S3Error("InvalidRequest", { message: `Value for x-amz-checksum-${name} header is invalid.` });
  }
  if (!body.digests.get(name)?.equals(given)) {
    throw new S3Error("BadDigest", {
      message: `The ${name.toUpperCase()} you specified did not match the calculated checksum.`,
    });
  }
  return { name, value };
}

function checkPayload(body: StoredBody, payload: string): void {
  const computed = body.digests.get("sha256")?.toString("hex") ?? "";
  if (computed === payload.toLowerCase()) return;
  const elements = { ClientComputedContentSHA256: payload, S3ComputedContentSHA256: computed };
  throw new S3Error("XAmzContentSHA256Mismatch", { elements });
}

function isFramed(request: S3Request, payload: string): boolean {
  const encodings = (header(request, "content-encoding") ?? "").split(",").map((encoding) => encoding.trim());
  const isStreaming = payload.startsWith("STREAMING-");
  if (isStreaming && !streamings.includes(payload)) {
    throw new S3Error("NotImplemented", {
      message: `The emulator does not know x-amz-content-sha256: ${payload.slice(0, 100)}`,
    });
  }
  return isStreaming || encodings.includes("aws-chunked");
}

const streamings = [
  "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
  "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
  "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
];

/** The length that the content must have. Throws S3Error. */
function lengthOf(request: S3Request, isChunked: boolean): number | undefined {
  const name = isChunked ? "x-amz-decoded-content-length" : "content-length";
  const text = header(request, name);
  if (text === undefined)
    throw new S3Error("MissingContentLength", { message: `You must provide the ${name} HTTP header.` });
  if (!/^\d{1,15}$/.test(text)) throw new S3Error("InvalidArgument", { message: `${name} is not a number` });
  if (Number(text) > putMaxBytes) throw new S3Error("EntityTooLarge");
  return Number(text);
}

function contentMd5(request: S3Request): Buffer | undefined {
  const text = header(request, "content-md5");
  if (text === undefined) return undefined;
  const bytes = Buffer.from(text, "base64");
  if (bytes.length !== 16 || bytes.toString("base64") !== text.trim()) throw new S3Error("InvalidDigest");
  return bytes;
}

/** A request's content, out of its framing if it has one; the trailers are there once it was read. */
class Framing implements AsyncIterable<Buffer> {
  readonly #source: AsyncIterable<Buffer>;
  readonly #framed: { readonly judge: Authenticated["judge"] } | undefined;
  trailers: ReadonlyMap<string, string> = new Map();

  constructor(source: AsyncIterable<Buffer>, framed: { readonly judge: Authenticated["judge"] } | undefined) {
    this.#source = source;
    this.#framed = framed;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer> {
    if (!this.#framed) yield* this.#source;
    else this.trailers = yield* unchunked(this.#source, this.#framed.judge);
  }
}

/** A small document in the body, such as the list of parts. Throws S3Error. */
export async function receiveText(request: S3Request, maxBytes: number): Promise<string> {
  const bytes = new BoundedBytes(maxBytes);
  for await (const chunk of bytesOf(request)) if (!bytes.add(chunk)) throw new S3Error("MalformedXML");
  const content = bytes.whole();
  const payload = header(request, "x-amz-content-sha256") ?? "";
  const isSigned = /^[0-9a-f]{64}$/i.test(payload);
  if (isSigned && createHash("sha256").update(content).digest("hex") !== payload.toLowerCase()) {
    throw new S3Error("XAmzContentSHA256Mismatch");
  }
  return content.toString("utf8");
}

/** The request's bytes. That one stops to read does not end the connection: the answer still has to go out on it. */
function bytesOf(request: S3Request): AsyncIterable<Buffer> {
  return request.message.iterator({ destroyOnReturn: false });
}
