// One S3 request that was let in, and one answer before it is sent. How the answer goes out, whole or spoilt, is said in
// sending.ts.
import type { Authenticated, Identity } from "./authentication.js";
import type { StoredBody } from "./bodies.js";
import type { S3Error } from "./s3-error.js";
import type { S3Request } from "./s3-request.js";
import { xml } from "./xml.js";

/** What an operation is served with. */
export interface Served {
  readonly request: S3Request;
  readonly identity: Identity;
  readonly region: string | undefined;
  readonly judge: Authenticated["judge"];
  readonly nowMs: () => number;
}

/** An answer before it is sent. */
export interface S3Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** A document. */
  readonly body?: string;
  /** Stored bytes, `end` not included; then `content-length` is among the headers. */
  readonly content?: { readonly bodies: readonly StoredBody[]; readonly start: number; readonly end: number };
  /** The error's code. */
  readonly code?: string;
}

/** The error as S3 sends it. */
export function s3Failure(error: S3Error, resource: string, requestId: string): S3Answer {
  const { code, status, headers } = error;
  const hasDocument = status !== 304;
  const tree = {
    Code: code,
    Message: error.message,
    ...error.elements,
    Resource: resource.slice(0, 1_200),
    RequestId: requestId,
  };
  return {
    status,
    headers: { ...headers, ...(hasDocument && { "content-type": "application/xml" }) },
    ...(hasDocument && { body: xml("Error", { ...tree, HostId: "emulator" }, false) }),
    code,
  };
}
