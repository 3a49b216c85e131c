// From whatever the SDK throws to a GatewayError, decided by exception name and status, never by message text.
// Nothing of the SDK's error is kept but its name and message: its hidden fields hold whole answers.
import type { JobKey } from "../job/job.js";
import { cut } from "../job/limits.js";
import { oneLine } from "../std/one-line.js";
import { retryAfterMs } from "../std/retry-after.js";
import { GatewayError, type GatewayFaultKind } from "./gateway.js";

/** What the service says is shown, but no page of it. */
const reasonMaxChars = 500;

const kindByName: Readonly<Record<string, GatewayFaultKind>> = {
  InvalidNonceException: "not-ours",
  JobNotFoundException: "gone",
  InvalidJobException: "gone",
  InvalidJobStateException: "over",
  InvalidClientTokenException: "token-rejected",
  ActionTypeNotFoundException: "misconfigured",
  ValidationException: "rejected",
  OutputVariablesSizeExceededException: "rejected",
  SerializationException: "rejected",
  UnknownOperationException: "rejected",

  ThrottlingException: "throttled",
  Throttling: "throttled",
  ThrottledException: "throttled",
  RequestThrottled: "throttled",
  RequestThrottledException: "throttled",
  TooManyRequestsException: "throttled",
  RequestLimitExceeded: "throttled",
  BandwidthLimitExceeded: "throttled",
  SlowDown: "throttled",

  AccessDeniedException: "denied",
  AccessDenied: "denied",
  UnrecognizedClientException: "denied",
  ExpiredTokenException: "denied",
  ExpiredToken: "denied",
  InvalidSignatureException: "denied",
  SignatureDoesNotMatch: "denied",
  IncompleteSignature: "denied",
  IncompleteSignatureException: "denied",
  MissingAuthenticationToken: "denied",
  MissingAuthenticationTokenException: "denied",
  InvalidClientTokenId: "denied",
  NotAuthorized: "denied",
  OptInRequired: "denied",
  RequestExpired: "denied",
  RequestTimeTooSkewed: "denied",
  CredentialsProviderError: "denied",
  TokenProviderError: "denied",
  ProviderError: "denied",

  EndpointError: "misconfigured",

  // Some of the service's front ends send it with HTTP 400, which would read as a refusal.
  RequestTimeout: "unavailable",
  RequestTimeoutException: "unavailable",
};

/** Faults that happen before a byte of the request can have arrived. */
const neverSent = new Set(["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "EHOSTUNREACH", "ENETUNREACH"]);

/** The error as the engine knows it. `key` is absent for polls. */
export function faultFrom(error: unknown, operation: string, key?: JobKey): GatewayError {
  if (error instanceof GatewayError) return error;
  const thrown = readThrown(error);
  const kind = kindOf(thrown);
  const subject = key ? ` for job ${cut(oneLine(key.jobId), 80)}` : "";
  const reason = thrown.code === thrown.message ? thrown.code : `${thrown.code}: ${thrown.message}`;
  return new GatewayError({
    kind,
    operation,
    code: thrown.code,
    message: `${operation}${subject} failed: ${cut(oneLine(reason), reasonMaxChars)}`,
    retryAfterMs: thrown.retryAfterMs,
    // A refusal is an answer: nothing was done. Without one, what was asked may have happened.
    isAmbiguous: kind === "aborted" || (kind === "unavailable" && !neverSent.has(thrown.code)),
  });
}

/** True for what the SDK throws when CodePipeline refuses us altogether: credentials, permissions or the clock. */
export function isDenial(error: unknown): boolean {
  return kindOf(readThrown(error)) === "denied";
}

/** Kind and code of whatever the SDK threw, for those who only count. */
export function faultNameOf(error: unknown): { readonly kind: GatewayFaultKind; readonly code: string } {
  const thrown = readThrown(error);
  return { kind: kindOf(thrown), code: thrown.code };
}

interface Thrown {
  readonly name: string;
  readonly code: string;
  readonly message: string;
  readonly status: number | undefined;
  readonly retryAfterMs: number | undefined;
}

function readThrown(error: unknown): Thrown {
  const unknown = { name: "unknown", code: "unknown", status: undefined, retryAfterMs: undefined };
  try {
    return error instanceof Error ? readError(error) : { ...unknown, message: String(error) };
  } catch {
    return { ...unknown, message: "a value that cannot be shown" };
  }
}

function readError(error: Error): Thrown {
  const status = member(member(error, "$metadata"), "httpStatusCode");
  const systemCode = member(error, "code");
  const named = error.name !== "Error" && error.name !== "Unknown" ? error.name : undefined;
  const code =
    typeof systemCode === "string"
      ? systemCode
      : (named ?? (typeof status === "number" ? `HTTP ${status}` : "unknown"));
  return {
    name: error.name,
    code: isUnreadable(error) ? "unreadable-answer" : code,
    message: isUnreadable(error)
      ? `the answer is not CodePipeline's JSON (HTTP ${status ?? "?"})`
      : error.message || code,
    status: typeof status === "number" ? status : undefined,
    retryAfterMs: retryAfter(member(member(error, "$response"), "headers")),
  };
}

function kindOf(thrown: Thrown): GatewayFaultKind {
  if (thrown.name === "AbortError") return "aborted";
  const named = Object.hasOwn(kindByName, thrown.name) ? kindByName[thrown.name] : undefined;
  if (named) return named;
  if (thrown.status === 429) return "throttled";
  if (thrown.status === 401 || thrown.status === 403) return "denied";
  if (thrown.code === "unreadable-answer") return "unavailable";
  if (thrown.status !== undefined && thrown.status >= 400 && thrown.status < 500 && thrown.status !== 408) {
    return "rejected";
  }
  return "unavailable";
}

/** HTML, half a JSON text, or a body that breaks the SDK's reader: it throws these while it reads. */
function isUnreadable(error: Error): boolean {
  return (
    error instanceof SyntaxError ||
    ("$response" in error && (error instanceof TypeError || error instanceof RangeError))
  );
}

/** `Retry-After` in seconds or as a date, and AWS's own header in ms; undefined when absent or senseless. */
function retryAfter(headers: unknown): number | undefined {
  const ownMs = Number(member(headers, "x-amz-retry-after"));
  if (Number.isFinite(ownMs) && ownMs > 0) return ownMs;
  return retryAfterMs(member(headers, "retry-after"), Date.now());
}

function member(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}
