// What can go wrong with an artifact, and what the customer reads about it. One table decides by the exception names of
// S3 and KMS what kind of fault it is; a second says which failure type and which words each kind becomes.
import { type FailureType, JobFailure } from "../job/failure.js";
import type { ArtifactLocation } from "../job/job.js";
import { cut } from "../job/limits.js";
import { machineFault, WorkerFault } from "../job/worker-fault.js";
import { oneLine } from "../std/one-line.js";
import { retryAfterMs } from "../std/retry-after.js";

/** What S3 says is shown, but no page of it. */
const messageMaxChars = 500;

export type TransferFaultKind =
  /** Credentials that have ended: renewed and tried once more. */
  | "expired"
  /** No object, version or bucket by that name. */
  | "missing"
  /** The object is no longer the version whose download began. */
  | "replaced"
  /** What came is not what S3 says that it sent. */
  | "corrupt"
  /** Not allowed. */
  | "denied"
  /** KMS does not let these credentials use the customer's key. */
  | "key-denied"
  /** The customer's key is disabled, deleted or not to be found. */
  | "key-unusable"
  /** The bucket's Region is not the pipeline's. */
  | "elsewhere"
  /** Told to slow down, 5xx, no answer, a connection that broke: tried again. */
  | "passing"
  /** Anything else that S3 refused. */
  | "refused";

/** One failed call to S3. The message is S3's own, in one line; it holds no secret. */
export class TransferFault extends Error {
  readonly kind: TransferFaultKind;
  /** S3's or the system's own name for it. */
  readonly code: string;
  readonly retryAfterMs: number | undefined;

  constructor(kind: TransferFaultKind, code: string, message: string, retryAfterMs?: number) {
    super(message);
    this.name = "TransferFault";
    this.kind = kind;
    this.code = code;
    this.retryAfterMs = retryAfterMs;
  }
}

/** CodePipeline gave no credentials for the job's artifacts. */
export class GoneAccess extends Error {
  constructor() {
    super("CodePipeline gave the job no credentials for its artifacts");
    this.name = "GoneAccess";
  }
}

const kindByName: Readonly<Record<string, TransferFaultKind>> = {
  ExpiredToken: "expired",
  ExpiredTokenException: "expired",
  TokenRefreshRequired: "expired",
  RequestExpired: "expired",
  InvalidToken: "expired",

  NoSuchKey: "missing",
  NoSuchVersion: "missing",
  NoSuchBucket: "missing",
  NotFound: "missing",
  InvalidObjectState: "missing",
  // Not the bucket is missing, nor the object: the upload itself is known no more.
  NoSuchUpload: "refused",
  PreconditionFailed: "replaced",
  InvalidRange: "replaced",

  AccessDenied: "denied",
  AccessDeniedException: "denied",
  AllAccessDisabled: "denied",
  AccountProblem: "denied",
  InvalidAccessKeyId: "denied",
  SignatureDoesNotMatch: "denied",

  PermanentRedirect: "elsewhere",
  AuthorizationHeaderMalformed: "elsewhere",
  IllegalLocationConstraintException: "elsewhere",

  SlowDown: "passing",
  Throttling: "passing",
  ThrottlingException: "passing",
  "KMS.ThrottlingException": "passing",
  RequestTimeout: "passing",
  RequestTimeTooSkewed: "passing",
  InternalError: "passing",
  ServiceUnavailable: "passing",
  OperationAborted: "passing",
  BadDigest: "passing",
  IncompleteBody: "passing",
};

/** Names that say nothing of the fault. The last is Node's when a host has several addresses and none answers. */
const namesOfNothing: ReadonlySet<string> = new Set(["Error", "Unknown", "AggregateError"]);

/** Whatever the SDK or a stream threw, as a TransferFault. */
export function transferFault(error: unknown): TransferFault {
  if (error instanceof TransferFault) return error;
  const status = member(member(error, "$metadata"), "httpStatusCode");
  const system = member(error, "code");
  const name = error instanceof Error && !namesOfNothing.has(error.name) ? error.name : undefined;
  const code =
    name ?? (typeof system === "string" ? system : typeof status === "number" ? `HTTP ${status}` : "unknown");
  const message = cut(oneLine(error instanceof Error && error.message ? error.message : code), messageMaxChars);
  const headers = member(member(error, "$response"), "headers");
  return new TransferFault(kindOf(code, message, status), code, message, retryAfterMs(headers, Date.now()));
}

function kindOf(code: string, message: string, status: unknown): TransferFaultKind {
  const named = Object.hasOwn(kindByName, code) ? kindByName[code] : undefined;
  // S3 refuses with its own AccessDenied when KMS refused it; only the text names the key's operation.
  if (named === "denied" && /\bkms:|\bKMS\b/.test(message)) return "key-denied";
  // partnerd never lists: S3 asks for that right when there is no such object, and says so only to those who have it.
  if (named === "denied" && /\bs3:ListBucket\b/.test(message)) return "missing";
  if (named) return named;
  if (code === "KMS.AccessDeniedException") return "key-denied";
  // What KMS calls worth another try; S3 hands it on as a 400.
  if (/^KMS\.(?:KMSInternal|DependencyTimeout|KeyUnavailable|LimitExceeded)/i.test(code)) return "passing";
  if (/^KMS\./i.test(code)) return "key-unusable";
  if (status === 404) return "missing";
  if (status === 412 || status === 416) return "replaced";
  if (status === 401 || status === 403) return "denied";
  if (status === 301 || status === 307) return "elsewhere";
  if (typeof status === "number" && status >= 400 && status < 500 && status !== 408 && status !== 429) return "refused";
  return "passing";
}

/** What was being done when it failed. */
export interface Subject {
  readonly direction: "input" | "output";
  readonly name: string;
  readonly location: ArtifactLocation;
}

const types: Readonly<Record<TransferFaultKind, FailureType>> = {
  expired: "SystemUnavailable",
  missing: "RevisionUnavailable",
  replaced: "RevisionUnavailable",
  corrupt: "SystemUnavailable",
  denied: "PermissionError",
  "key-denied": "PermissionError",
  "key-unusable": "ConfigurationError",
  elsewhere: "ConfigurationError",
  passing: "SystemUnavailable",
  refused: "SystemUnavailable",
};

/** The failure that the customer reads. Throws nothing. */
export function failureOfTransfer(error: unknown, subject: Subject): JobFailure {
  if (error instanceof JobFailure) return error;
  const what = whatFailed(subject);
  if (error instanceof GoneAccess) {
    return new JobFailure("PermissionError", `${what}: CodePipeline gave this job no credentials for its artifacts`);
  }
  const disk = diskFailure(error, what);
  if (disk) return disk;
  if (!isTransferError(error)) {
    // Fresh credentials could not be had: what the gateway says of it is for the log, by its own event.
    const cause = cut(oneLine(error instanceof Error ? error.message : String(error)), messageMaxChars);
    return new JobFailure("SystemUnavailable", `${what}: ${cause}`, { cause: error });
  }
  const { kind, code, message } = error;
  return new JobFailure(types[kind], `${what}: ${reasonOf(kind, subject)} (${code}${saidBy(code, message)})`);
}

/** A full or broken disk is the worker's trouble, whatever was being written; `undefined` for all other errors. */
export function diskFailure(error: unknown, what: string): JobFailure | undefined {
  const code = member(error, "code");
  if (code === "ENOSPC" || code === "EDQUOT") {
    const message = `${what}: the disk of the worker that holds the job's folder is full (${code})`;
    return new WorkerFault("machine", message, { code, cause: error });
  }
  const short = machineFault(error, what);
  if (short) return short;
  if (code === "EIO" || code === "EROFS") {
    return new JobFailure("SystemUnavailable", `${what}: the worker's disk failed (${code})`, { cause: error });
  }
  return undefined;
}

function isTransferError(error: unknown): error is TransferFault {
  return error instanceof TransferFault;
}

function whatFailed({ direction, name, location }: Subject): string {
  const verb = direction === "input" ? "could not be fetched from" : "could not be uploaded to";
  return `the ${direction} artifact ${name} ${verb} s3://${location.bucket}/${location.objectKey}`;
}

function reasonOf(kind: TransferFaultKind, { direction }: Subject): string {
  switch (kind) {
    case "expired":
      return "S3 rejects the job's credentials as expired, even new ones";
    case "missing":
      return direction === "input" ? "there is no such object" : "there is no such bucket";
    case "replaced":
      return "the object was replaced while it was being fetched";
    case "corrupt":
      return "the data that arrived is damaged";
    case "denied": {
      const refusal = "access denied: the pipeline's role or the bucket's policy does not allow it";
      // To those who may not list the bucket S3 says the same of an object that is not there.
      return direction === "input" ? `${refusal}, or the object does not exist` : refusal;
    }
    case "key-denied":
      return "the pipeline's own KMS key denied access: its policy must allow the pipeline's role to use it";
    case "key-unusable":
      return "the pipeline's own KMS key cannot be used: it is disabled, being deleted or missing";
    case "elsewhere":
      return "the bucket is not in the pipeline's Region";
    case "passing":
      return "S3 could not be used, even after retries";
    case "refused":
      return "S3 rejected the request";
  }
}

function saidBy(code: string, message: string): string {
  return message === "" || message === code ? "" : `: ${cut(message, 300)}`;
}

function member(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}
