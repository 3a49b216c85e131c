// Who asks, proved by Signature Version 4 as S3 has it: in the header or in a pre-signed URL, with session tokens, and with
// bodies that are signed whole, in chunks or not at all. What the asker may do is decided elsewhere.
import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import type { Credentials } from "../signature.js";
import type { ChunkJudge } from "./chunked.js";
import type { Issuer } from "./issuer.js";
import { S3Error } from "./s3-error.js";
import type { S3Request } from "./s3-request.js";
import { header, parameter } from "./s3-request.js";

/** Who asks. `anyone`: nobody proved anything, and nobody has to. */
export type Identity =
  | { readonly kind: "anyone"; readonly accessKeyId?: string }
  | { readonly kind: "owner" }
  | { readonly kind: "job"; readonly jobId: string; readonly region: string };

/** A request that was let in. */
export interface Authenticated {
  readonly identity: Identity;
  /** The Region that the signature names. */
  readonly region: string | undefined;
  /** Judges the chunks of a signed stream; `undefined` where signatures are not checked. */
  readonly judge: ChunkJudge | undefined;
}

interface Claim {
  readonly isPresigned: boolean;
  readonly accessKeyId: string;
  /** YYYYMMDD */
  readonly day: string;
  readonly region: string;
  readonly service: string;
  readonly signedHeaders: readonly string[];
  readonly signature: string;
  readonly signedAt: string;
  readonly sessionToken: string | undefined;
  readonly payloadHash: string;
}

const algorithm = "AWS4-HMAC-SHA256";
/** S3 takes signatures up to this much older or newer than its own clock. */
const skewMaxMs = 900_000;
/** Longest life of a pre-signed URL, in seconds. */
const expiresMaxS = 604_800;
const emptyHash = createHash("sha256").digest("hex");

/** Tells who asks. Throws S3Error. `credentials` given: nobody but these and the jobs' own is let in. */
export function authenticate(
  request: S3Request,
  at: { readonly issuer: Issuer; readonly credentials: Credentials | undefined; readonly nowMs: number },
): Authenticated {
  const claim = claimOf(request);
  if (!claim) {
    if (at.credentials) throw new S3Error("AccessDenied");
    return { identity: { kind: "anyone" }, region: undefined, judge: undefined };
  }
  const { accessKeyId, region } = claim;
  const recognised = at.issuer.recognise(accessKeyId);
  if (recognised === "foreign" && !at.credentials) {
    return { identity: { kind: "anyone", accessKeyId }, region, judge: undefined };
  }
  if (claim.isPresigned) checkLife(request, claim, at.nowMs);
  else checkSkew(claim, at.nowMs);
  const { identity, secret } = known(claim, recognised, at);
  const signingKey = verify(request, claim, secret);
  return { identity, region, judge: new Judge(claim, signingKey) };
}

function known(
  claim: Claim,
  recognised: ReturnType<Issuer["recognise"]>,
  at: { readonly issuer: Issuer; readonly credentials: Credentials | undefined; readonly nowMs: number },
): { readonly identity: Identity; readonly secret: string } {
  const { accessKeyId, sessionToken } = claim;
  const { credentials, issuer } = at;
  if (recognised === "known") {
    const grant = sessionToken === undefined ? undefined : issuer.read(sessionToken);
    if (sessionToken === undefined) throw unknownKey(accessKeyId);
    if (grant?.accessKeyId !== accessKeyId) throw new S3Error("InvalidToken");
    if (issuer.isExpired(grant, at.nowMs)) throw new S3Error("ExpiredToken");
    const { jobId, region } = grant;
    return { identity: { kind: "job", jobId, region }, secret: issuer.secretOf(accessKeyId) };
  }
  if (!credentials || credentials.accessKeyId !== accessKeyId) throw unknownKey(accessKeyId);
  if (credentials.sessionToken !== undefined && credentials.sessionToken !== sessionToken)
    throw new S3Error("InvalidToken");
  return { identity: { kind: "owner" }, secret: credentials.secretAccessKey };
}

function unknownKey(accessKeyId: string): S3Error {
  return new S3Error("InvalidAccessKeyId", { elements: { AWSAccessKeyId: accessKeyId.slice(0, 128) } });
}

/** What the request says of its signature; `undefined` if it has none. Throws S3Error. */
function claimOf(request: S3Request): Claim | undefined {
  const authorization = header(request, "authorization");
  const isPresigned = parameter(request, "X-Amz-Algorithm") !== undefined;
  if (authorization !== undefined && isPresigned) {
    throw new S3Error("InvalidArgument", { message: "Only one auth mechanism allowed" });
  }
  if (isPresigned) return presignedClaim(request);
  if (authorization === undefined) return undefined;
  if (!authorization.startsWith(`${algorithm} `)) {
    const message = `The authorization mechanism you have provided is not supported. Please use ${algorithm}.`;
    throw new S3Error("InvalidRequest", { message });
  }
  const parts = new Map(
    authorization
      .slice(algorithm.length)
      .split(",")
      .map((part) => part.trim().split(/=(.*)/s, 2) as [string, string]),
  );
  const payloadHash = header(request, "x-amz-content-sha256");
  if (payloadHash === undefined) {
    throw new S3Error("InvalidRequest", { message: "Missing required header for this request: x-amz-content-sha256" });
  }
  return {
    isPresigned,
    ...credentialOf(parts.get("Credential"), "AuthorizationHeaderMalformed"),
    signedHeaders: (parts.get("SignedHeaders") ?? "").toLowerCase().split(";"),
    signature: parts.get("Signature") ?? "",
    signedAt: header(request, "x-amz-date") ?? "",
    sessionToken: header(request, "x-amz-security-token"),
    payloadHash,
  };
}

function presignedClaim(request: S3Request): Claim {
  const given = (name: string) => parameter(request, `X-Amz-${name}`) ?? "";
  if (given("Algorithm") !== algorithm) {
    throw new S3Error("AuthorizationQueryParametersError", { message: `X-Amz-Algorithm only supports "${algorithm}"` });
  }
  return {
    isPresigned: true,
    ...credentialOf(given("Credential"), "AuthorizationQueryParametersError"),
    signedHeaders: given("SignedHeaders").toLowerCase().split(";"),
    signature: given("Signature"),
    signedAt: given("Date"),
    sessionToken: parameter(request, "X-Amz-Security-Token"),
    payloadHash:
      parameter(request, "X-Amz-Content-Sha256") ?? header(request, "x-amz-content-sha256") ?? "UNSIGNED-PAYLOAD",
  };
}

function credentialOf(
  text: string | undefined,
  code: "AuthorizationHeaderMalformed" | "AuthorizationQueryParametersError",
): Pick<Claim, "accessKeyId" | "day" | "region" | "service"> {
  const [accessKeyId = "", day = "", region = "", service = "", end] = text?.split("/") ?? [];
  if (!accessKeyId || !/^\d{8}$/.test(day) || !/^[a-z0-9-]{1,30}$/.test(region) || end !== "aws4_request") {
    throw new S3Error(code, { message: "The Credential must be KEY/DATE/REGION/s3/aws4_request" });
  }
  if (service !== "s3")
    throw new S3Error(code, { message: `The Credential is mal-formed; incorrect service "${service.slice(0, 50)}"` });
  return { accessKeyId, day, region, service };
}

function checkSkew(claim: Claim, nowMs: number): void {
  const atMs = timeOf(claim.signedAt);
  if (atMs === undefined)
    throw new S3Error("AccessDenied", { message: "AWS authentication requires a valid Date or x-amz-date header" });
  if (Math.abs(nowMs - atMs) <= skewMaxMs) return;
  const elements = {
    RequestTime: claim.signedAt,
    ServerTime: new Date(nowMs).toISOString(),
    MaxAllowedSkewMilliseconds: String(skewMaxMs),
  };
  throw new S3Error("RequestTimeTooSkewed", { elements });
}

function checkLife(request: S3Request, claim: Claim, nowMs: number): void {
  const text = parameter(request, "X-Amz-Expires") ?? "";
  const expiresS = /^\d{1,9}$/.test(text) ? Number(text) : -1;
  const atMs = timeOf(claim.signedAt);
  if (atMs === undefined || expiresS < 0) throw new S3Error("AuthorizationQueryParametersError");
  if (expiresS < 1 || expiresS > expiresMaxS) {
    const message = "X-Amz-Expires must be from 1 second to a week (in seconds)";
    throw new S3Error("AuthorizationQueryParametersError", { message });
  }
  if (atMs > nowMs + skewMaxMs) throw new S3Error("AccessDenied", { message: "Request is not valid yet" });
  if (nowMs < atMs + expiresS * 1_000) return;
  const elements = {
    "X-Amz-Expires": text,
    Expires: new Date(atMs + expiresS * 1_000).toISOString(),
    ServerTime: new Date(nowMs).toISOString(),
  };
  throw new S3Error("AccessDenied", { message: "Request has expired", elements });
}

function timeOf(compact: string): number | undefined {
  const [, year, month, day, hour, minute, second] = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(compact) ?? [];
  if (year === undefined) return undefined;
  return Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hour), Number(minute), Number(second));
}

/** The signing key, once the signature is found right. Throws S3Error. */
function verify(request: S3Request, claim: Claim, secret: string): Buffer {
  const unsigned = Object.keys(request.headers).filter(
    (name) => (name === "host" || name.startsWith("x-amz-")) && !claim.signedHeaders.includes(name),
  );
  if (unsigned.length > 0) {
    const message = "There were headers present in the request which were not signed";
    throw new S3Error("AccessDenied", { message, elements: { HeadersNotSigned: unsigned.join(", ") } });
  }
  if (!claim.signedAt.startsWith(claim.day)) {
    throw new S3Error("AuthorizationHeaderMalformed", {
      message: "The Credential's date is not the date of the request",
    });
  }
  const canonical = canonicalRequest(request, claim);
  const hash = createHash("sha256").update(canonical).digest("hex");
  const signingKey = [claim.day, claim.region, "s3", "aws4_request"].reduce<Buffer>(
    (key, part) => hmac(key, part),
    Buffer.from(`AWS4${secret}`),
  );
  const expected = hmac(signingKey, [algorithm, claim.signedAt, scopeOf(claim), hash].join("\n"));
  if (!isSame(claim.signature, expected)) throw new S3Error("SignatureDoesNotMatch");
  return signingKey;
}

function canonicalRequest(request: S3Request, claim: Claim): string {
  const pairs = request.query
    .filter(([name]) => name !== "X-Amz-Signature")
    .map(([name, value]) => [encoded(name), encoded(value)] as const)
    .sort(([a, x], [b, y]) => (a === b ? order(x, y) : order(a, b)));
  const lines = claim.signedHeaders.map(
    (name) => `${name}:${(header(request, name) ?? "").trim().replaceAll(/\s+/g, " ")}\n`,
  );
  return [
    request.method,
    // S3 encodes the path once, whatever the client left as it was.
    request.path
      .split("/")
      .map((part) => encoded(decodeURIComponent(part)))
      .join("/"),
    pairs.map((pair) => pair.join("=")).join("&"),
    lines.join(""),
    claim.signedHeaders.join(";"),
    claim.payloadHash,
  ].join("\n");
}

function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function encoded(text: string): string {
  return encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function scopeOf(claim: Claim): string {
  return `${claim.day}/${claim.region}/s3/aws4_request`;
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest();
}

function isSame(hex: string | undefined, expected: Buffer): boolean {
  const given = Buffer.from(hex ?? "", "hex");
  return given.length === expected.length && timingSafeEqual(given, expected);
}

/** Each chunk's signature is over the one before it, beginning with the request's own. */
class Judge implements ChunkJudge {
  readonly #claim: Claim;
  readonly #signingKey: Buffer;
  #before: string;

  constructor(claim: Claim, signingKey: Buffer) {
    this.#claim = claim;
    this.#signingKey = signingKey;
    this.#before = claim.signature;
  }

  chunk(signature: string | undefined, digestHex: string): void {
    this.#check(signature, ["AWS4-HMAC-SHA256-PAYLOAD", ...this.#link(), emptyHash, digestHex]);
  }

  trailers(signature: string | undefined, text: string): void {
    const digest = createHash("sha256").update(text).digest("hex");
    this.#check(signature, ["AWS4-HMAC-SHA256-TRAILER", ...this.#link(), digest]);
  }

  #link(): readonly string[] {
    return [this.#claim.signedAt, scopeOf(this.#claim), this.#before];
  }

  #check(signature: string | undefined, lines: readonly string[]): void {
    const expected = hmac(this.#signingKey, lines.join("\n"));
    if (!isSame(signature, expected)) throw new S3Error("SignatureDoesNotMatch");
    this.#before = expected.toString("hex");
  }
}
