// What the SDK made of a call is the pattern for the next ones of that operation: the same but for body, length, time,
// invocation id and signature. So endpoint, host, user agent and every other header stay the SDK's, and only what
// differs is made anew. It knows nothing of jobs, and follows only what it could make to the letter.
import { createHmac, createSecretKey, hash, type KeyObject, randomUUID } from "node:crypto";
import type { HttpRequest } from "../network/http-client.js";
import { httpRequestOf, type SdkRequest } from "../network/sdk-handler.js";

/** What a request is signed with. */
export interface SigningCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/** Headers whose values stay the same for all calls of an operation with the same credentials. */
const constant = [
  "content-type",
  "x-amz-target",
  "host",
  "x-amz-user-agent",
  "user-agent",
  "amz-sdk-request",
  "x-amz-security-token",
];
const varying = ["content-length", "amz-sdk-invocation-id", "x-amz-date", "x-amz-content-sha256", "authorization"];

const algorithm = "AWS4-HMAC-SHA256";
const authorization =
  /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/([^/]+)\/aws4_request, SignedHeaders=([a-z0-9;-]+), Signature=[0-9a-f]{64}$/;

/** What one request differs in from the others. */
interface Varying {
  readonly body: Uint8Array;
  /** Such as `20150830T123600Z`. */
  readonly longDate: string;
  readonly invocationId: string;
}

/** Makes requests like one of the SDK. */
export class RequestPattern {
  readonly #request: SdkRequest;
  readonly #credentials: SigningCredentials;
  readonly #url: URL;
  readonly #region: string;
  readonly #service: string;
  readonly #signedHeaders: string;
  /** Names that are signed, in order, each with its value unless that varies. */
  readonly #signed: readonly (readonly [name: string, value: string | undefined])[];
  #day = "";
  #key: KeyObject | undefined;

  /** The pattern of a signed request; `undefined` if it has anything that would not be made to the letter. */
  static of(request: SdkRequest, credentials: SigningCredentials): RequestPattern | undefined {
    const { headers, body } = request;
    const [, , , region, service, signedHeaders] = authorization.exec(headers["authorization"] ?? "") ?? [];
    if (region === undefined || service === undefined || signedHeaders === undefined) return undefined;
    if (!Object.keys(headers).every((name) => constant.includes(name) || varying.includes(name))) return undefined;
    if (
      !(body instanceof Uint8Array) ||
      request.method !== "POST" ||
      request.path !== "/" ||
      Object.keys(request.query ?? {}).length > 0
    )
      return undefined;
    const pattern = new RequestPattern({ request, credentials, region, service, signedHeaders });
    const again = pattern.#headers({
      body,
      longDate: headers["x-amz-date"] ?? "",
      invocationId: headers["amz-sdk-invocation-id"] ?? "",
    });
    return JSON.stringify(Object.entries(again)) === JSON.stringify(Object.entries(headers)) ? pattern : undefined;
  }

  private constructor(options: {
    readonly request: SdkRequest;
    readonly credentials: SigningCredentials;
    readonly region: string;
    readonly service: string;
    readonly signedHeaders: string;
  }) {
    const { request, signedHeaders } = options;
    this.#request = request;
    this.#credentials = options.credentials;
    this.#region = options.region;
    this.#service = options.service;
    this.#url = httpRequestOf(request).url;
    this.#signedHeaders = signedHeaders;
    this.#signed = signedHeaders
      .split(";")
      .map((name) => [name, constant.includes(name) ? canonical(request.headers[name] ?? "") : undefined] as const);
  }

  /** The request with another body. `atMs`: the time to sign it with, ms since the epoch. */
  next(body: Uint8Array, atMs: number): HttpRequest {
    const longDate = new Date(atMs).toISOString().replace(/[-:]|\.\d{3}/g, "");
    const headers = this.#headers({ body, longDate, invocationId: randomUUID() });
    return { url: this.#url, path: this.#request.path, method: this.#request.method, headers, body };
  }

  /** All headers, in the order of the SDK's. */
  #headers({ body, longDate, invocationId }: Varying): Record<string, string> {
    const headers: Record<string, string> = { ...this.#request.headers };
    headers["content-length"] = String(body.length);
    headers["amz-sdk-invocation-id"] = invocationId;
    headers["x-amz-date"] = longDate;
    const bodyHash = hash("sha256", body);
    headers["x-amz-content-sha256"] = bodyHash;
    const day = longDate.slice(0, 8);
    const scope = `${day}/${this.#region}/${this.#service}/aws4_request`;
    let lines = "";
    for (const [name, value] of this.#signed) lines += `${name}:${value ?? headers[name]}\n`;
    const asked = hash("sha256", `POST\n/\n\n${lines}\n${this.#signedHeaders}\n${bodyHash}`);
    const signature = hmac(this.#keyOf(day), `${algorithm}\n${longDate}\n${scope}\n${asked}`, "hex");
    headers["authorization"] =
      `${algorithm} Credential=${this.#credentials.accessKeyId}/${scope}, ` +
      `SignedHeaders=${this.#signedHeaders}, Signature=${signature}`;
    return headers;
  }

  /** The day's key. Making it takes five times as long as signing with it. */
  #keyOf(day: string): KeyObject {
    if (this.#key && this.#day === day) return this.#key;
    let key = createSecretKey(`AWS4${this.#credentials.secretAccessKey}`, "utf8");
    for (const part of [day, this.#region, this.#service, "aws4_request"]) key = createSecretKey(hmac(key, part));
    this.#day = day;
    this.#key = key;
    return key;
  }
}

function hmac(key: KeyObject, text: string): Buffer;
function hmac(key: KeyObject, text: string, encoding: "hex"): string;
function hmac(key: KeyObject, text: string, encoding?: "hex"): string | Buffer {
  const made = createHmac("sha256", key).update(text);
  return encoding === undefined ? made.digest() : made.digest(encoding);
}

/** A header's value as it is signed. */
function canonical(value: string): string {
  return value
    .replace(/[\r\n]/g, " ")
    .replace(/[ \t]+/g, " ")
    .replace(/^ | $/g, "");
}
