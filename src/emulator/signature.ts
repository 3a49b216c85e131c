// Signature Version 4, checked as AWS checks it; our own reading, so that a client's mistakes can not cancel out.
// Also tells which Region and access key a request names, checked or not. No error repeats a signature or a token.
import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import { ApiError } from "./wire.js";

/** The only credentials that a checking emulator takes. */
export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** If given, requests must carry exactly this one; if not, any or none will do. */
  readonly sessionToken?: string;
}

/** The credential scope of an Authorization header. */
export interface Scope {
  readonly accessKeyId: string;
  /** YYYYMMDD */
  readonly date: string;
  readonly region: string;
  readonly service: string;
}

/** What of a request is signed. */
export interface SignedRequest {
  readonly method: string;
  /** Path and query as they came. */
  readonly target: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** AWS takes signatures up to this much older or newer than its own clock. */
const skewMaxMs = 300_000;
const algorithm = "AWS4-HMAC-SHA256";

/** What the request says about itself, unchecked; `undefined` when it is not signed by SigV4. */
export function scopeOf(authorization: string | undefined): Scope | undefined {
  const credential = authorization && parameters(authorization).get("Credential");
  const parts = credential?.split("/") ?? [];
  const [accessKeyId, date, region, service, end] = parts;
  if (!accessKeyId || !date || !region || !service || end !== "aws4_request" || parts.length !== 5) return undefined;
  return { accessKeyId, date, region, service };
}

/** Throws ApiError unless the request is signed with the credentials, now. */
export function verifySignature(
  request: SignedRequest,
  credentials: Credentials,
  nowMs: number,
  serviceName = "codepipeline",
): void {
  const { headers } = request;
  if (!headers.authorization) {
    throw new ApiError("MissingAuthenticationTokenException", "Missing Authentication Token");
  }
  const { scope, signature, signedHeaders } = parse(headers.authorization);
  checkIdentity(scope, headers, credentials);
  if (scope.service !== serviceName) {
    throw badSignature(`Credential should be scoped to correct service: '${serviceName}'.`);
  }
  const signedAt = signingTime(headers);
  checkTime(signedAt, scope, nowMs);
  checkSignedHeaders(signedHeaders, headers);
  const text = [
    algorithm,
    signedAt,
    `${scope.date}/${scope.region}/${scope.service}/aws4_request`,
    sha256(canonicalRequest(request, signedHeaders)),
  ].join("\n");
  const expected = createHmac("sha256", signingKey(credentials, scope)).update(text).digest();
  const given = Buffer.from(signature, "hex");
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
    throw badSignature(
      "The request signature we calculated does not match the signature you provided. " +
        "Check your AWS Secret Access Key and signing method. Consult the service documentation for details.",
    );
  }
}

function parse(authorization: string): { scope: Scope; signature: string; signedHeaders: readonly string[] } {
  const given = parameters(authorization);
  const lacking = ["Credential", "SignedHeaders", "Signature"].filter((name) => !given.get(name));
  if (!authorization.startsWith(`${algorithm} `) || lacking.length > 0) {
    const list = lacking.map((name) => `Authorization header requires '${name}' parameter.`);
    throw new ApiError("IncompleteSignatureException", list.join(" ") || `Authorization header requires ${algorithm}`);
  }
  const scope = scopeOf(authorization);
  if (!scope) {
    throw new ApiError("IncompleteSignatureException", "Credential must be KEY/DATE/REGION/SERVICE/aws4_request");
  }
  const signedHeaders = (given.get("SignedHeaders") ?? "").toLowerCase().split(";");
  return { scope, signature: given.get("Signature") ?? "", signedHeaders };
}

function parameters(authorization: string): ReadonlyMap<string, string> {
  const list = authorization.slice(authorization.indexOf(" ") + 1).split(",");
  return new Map(
    list.map((part) => {
      const equals = part.indexOf("=");
      return [part.slice(0, Math.max(equals, 0)).trim(), part.slice(equals + 1).trim()];
    }),
  );
}

function checkIdentity(scope: Scope, headers: IncomingHttpHeaders, credentials: Credentials): void {
  const token = headers["x-amz-security-token"];
  const isKnownKey = scope.accessKeyId === credentials.accessKeyId;
  if (!isKnownKey || (credentials.sessionToken !== undefined && token !== credentials.sessionToken)) {
    throw new ApiError("UnrecognizedClientException", "The security token included in the request is invalid.");
  }
}

function signingTime(headers: IncomingHttpHeaders): string {
  const amzDate = headers["x-amz-date"];
  if (typeof amzDate === "string" && /^\d{8}T\d{6}Z$/.test(amzDate)) return amzDate;
  const date = Date.parse(headers.date ?? "");
  if (Number.isNaN(date)) {
    throw new ApiError(
      "IncompleteSignatureException",
      "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.",
    );
  }
  return compact(date);
}

function checkTime(signedAt: string, scope: Scope, nowMs: number): void {
  if (!signedAt.startsWith(scope.date)) {
    throw badSignature(`Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP`);
  }
  const [, year, month, day, hour, minute, second] = /^(....)(..)(..)T(..)(..)(..)Z$/.exec(signedAt) ?? [];
  const atMs = Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hour), Number(minute), Number(second));
  const now = compact(nowMs);
  if (atMs < nowMs - skewMaxMs) {
    const bound = compact(nowMs - skewMaxMs);
    throw badSignature(`Signature expired: ${signedAt} is now earlier than ${bound} (${now} - 5 min.)`);
  }
  if (atMs > nowMs + skewMaxMs) {
    const bound = compact(nowMs + skewMaxMs);
    throw badSignature(`Signature not yet current: ${signedAt} is still later than ${bound} (${now} + 5 min.)`);
  }
}

function checkSignedHeaders(signedHeaders: readonly string[], headers: IncomingHttpHeaders): void {
  const mustBeSigned = Object.keys(headers).filter((name) => name === "host" || name.startsWith("x-amz-"));
  const unsigned = mustBeSigned.filter((name) => !signedHeaders.includes(name));
  if (unsigned.length === 0) return;
  throw badSignature(`There were headers present in the request which were not signed: ${unsigned.join(", ")}`);
}

function canonicalRequest(request: SignedRequest, signedHeaders: readonly string[]): string {
  const [path = "/", query = ""] = request.target.split("?", 2);
  const lines = signedHeaders.map((name) => {
    const value = request.headers[name];
    const text = Array.isArray(value) ? value.join(",") : (value ?? "");
    return `${name}:${text.trim().replaceAll(/\s+/g, " ")}\n`;
  });
  const pairs = query.split("&").filter((pair) => pair !== "");
  const canonicalQuery = pairs.map((pair) => (pair.includes("=") ? pair : `${pair}=`)).sort();
  return [
    request.method,
    path,
    canonicalQuery.join("&"),
    lines.join(""),
    signedHeaders.join(";"),
    sha256(request.body),
  ].join("\n");
}

function signingKey(credentials: Credentials, scope: Scope): Buffer {
  const start = Buffer.from(`AWS4${credentials.secretAccessKey}`);
  return [scope.date, scope.region, scope.service, "aws4_request"].reduce<Buffer>(
    (key, part) => createHmac("sha256", key).update(part).digest(),
    start,
  );
}

function sha256(content: string | Buffer): string {
  return createHash("sha256").update(content).digest("hex");
}

/** 20260102T030405Z */
function compact(ms: number): string {
  return new Date(ms).toISOString().replaceAll(/[-:]|\.\d{3}/g, "");
}

function badSignature(message: string): ApiError {
  return new ApiError("InvalidSignatureException", message);
}
