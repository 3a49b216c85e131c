// From whatever a call failed by to a GatewayError. Who can have said it comes first, its name second, its text never:
// only CodePipeline's own answer (a modelled exception of that operation, with AWS's request id) ends a claim, a job
// or a result. Credential providers, proxies, portals and the SDK itself only say that it was not to be had this time.
// Nothing of the SDK's error is kept but its name and message: its hidden fields hold whole answers.
import type { JobKey } from "../job/job.js";
import { cut } from "../job/limits.js";
import { ProxyFault } from "../network/http-faults.js";
import { oneLine } from "../std/one-line.js";
import { retryAfterMs } from "../std/retry-after.js";
import { GatewayError, type GatewayFaultKind } from "./gateway.js";
import { CallAborted, CallFailed, type Reach } from "./transport.js";

/** What the service says is shown, but no page of it. */
const reasonMaxChars = 500;

/** Exceptions of the service's model (codepipeline 2015-07-09), and what each means. */
const modelled = {
  InvalidNonceException: "not-ours",
  JobNotFoundException: "gone",
  InvalidJobException: "gone",
  InvalidJobStateException: "over",
  InvalidClientTokenException: "token-rejected",
  ActionTypeNotFoundException: "misconfigured",
  ValidationException: "rejected",
  OutputVariablesSizeExceededException: "rejected",
  InvalidNextTokenException: "rejected",
} as const satisfies Readonly<Record<string, GatewayFaultKind>>;
type Modelled = keyof typeof modelled;

/** Which operation may answer which of them: any other is not CodePipeline's word on what was asked. */
const modelledBy: Readonly<Record<string, readonly Modelled[]>> = {
  PollForThirdPartyJobs: ["ActionTypeNotFoundException", "ValidationException"],
  PollForJobs: ["ActionTypeNotFoundException", "ValidationException"],
  GetThirdPartyJobDetails: [
    "JobNotFoundException",
    "InvalidJobException",
    "InvalidClientTokenException",
    "ValidationException",
  ],
  GetJobDetails: ["JobNotFoundException", "ValidationException"],
  AcknowledgeThirdPartyJob: [
    "InvalidNonceException",
    "JobNotFoundException",
    "InvalidClientTokenException",
    "ValidationException",
  ],
  AcknowledgeJob: ["InvalidNonceException", "JobNotFoundException", "ValidationException"],
  PutThirdPartyJobSuccessResult: [
    "JobNotFoundException",
    "InvalidJobStateException",
    "InvalidClientTokenException",
    "ValidationException",
  ],
  PutThirdPartyJobFailureResult: [
    "JobNotFoundException",
    "InvalidJobStateException",
    "InvalidClientTokenException",
    "ValidationException",
  ],
  PutJobSuccessResult: [
    "JobNotFoundException",
    "InvalidJobStateException",
    "OutputVariablesSizeExceededException",
    "ValidationException",
  ],
  PutJobFailureResult: ["JobNotFoundException", "InvalidJobStateException", "ValidationException"],
  GetActionType: ["ActionTypeNotFoundException", "ValidationException"],
  ListActionTypes: ["InvalidNextTokenException", "ValidationException"],
};

/** Answers that only put us off, whoever gives them: common to all of AWS, modelled by no operation. */
const puttingOff: Readonly<Record<string, "throttled" | "denied" | "unavailable">> = {
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

  // Some of the service's front ends send it with HTTP 400, which would read as a refusal.
  RequestTimeout: "unavailable",
  RequestTimeoutException: "unavailable",
};

/** Faults that happen before a byte of the request can have arrived. */
const neverSent = new Set(["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "EHOSTUNREACH", "ENETUNREACH"]);

/** The error as the engine knows it. `key` is absent for polls. */
export function faultFrom(error: unknown, operation: string, key?: JobKey): GatewayError {
  if (error instanceof GatewayError) return error;
  const { reach, thrown } = failureOf(error);
  const subject = key ? ` for job ${cut(oneLine(key.jobId), 80)}` : "";
  const reason = thrown.code === thrown.message ? thrown.code : `${thrown.code}: ${thrown.message}`;
  const verb = reach.at === "unsent" && thrown.name !== "AbortError" ? "not sent" : "failed";
  return new GatewayError({
    ...meaningOf(thrown, reach, operation),
    operation,
    code: thrown.code,
    message: `${operation}${subject} ${verb}: ${cut(oneLine(reason), reasonMaxChars)}${noteOf(error)}`,
    retryAfterMs: thrown.retryAfterMs,
  });
}

function noteOf(error: unknown): string {
  return error instanceof CallFailed && error.note !== undefined ? ` (${oneLine(error.note)})` : "";
}

/** Kind and code of a failed call, for those who only count. */
export function faultNameOf(
  error: unknown,
  operation: string,
): { readonly kind: GatewayFaultKind; readonly code: string } {
  const { reach, thrown } = failureOf(error);
  return { kind: meaningOf(thrown, reach, operation).kind, code: thrown.code };
}

/** What was thrown, and how far the call had come. What is thrown outside of a call met an answer that we cannot read. */
function failureOf(error: unknown): { readonly reach: Reach; readonly thrown: Thrown } {
  if (error instanceof CallFailed) return { reach: error.reach, thrown: readThrown(error.cause) };
  return { reach: { at: "sent" }, thrown: readThrown(error) };
}

interface Meaning {
  readonly kind: GatewayFaultKind;
  /** What was asked may have been done. */
  readonly isAmbiguous: boolean;
}

function meaningOf(thrown: Thrown, reach: Reach, operation: string): Meaning {
  if (thrown.isAbort) return { kind: "aborted", isAmbiguous: reach.at === "sent" || reach.at === "answered" };
  switch (reach.at) {
    case "unsent":
      return { kind: unsentKind(thrown), isAmbiguous: false };
    case "unconnected":
    case "sent":
      // No header takes the credentials: they are not what they should be.
      if (thrown.code === "ERR_INVALID_CHAR") return { kind: "denied", isAmbiguous: false };
      if (thrown.proxyStatus !== undefined) {
        return { kind: kindOfStatus(thrown.proxyStatus) ?? "unavailable", isAmbiguous: false };
      }
      return { kind: "unavailable", isAmbiguous: reach.at === "sent" && !neverSent.has(thrown.code) };
    case "answered":
      return answerOf(thrown, reach, operation);
  }
}

/** Nothing was asked. Whatever their names and statuses: the faults of credential providers are about them, not the job. */
function unsentKind(thrown: Thrown): GatewayFaultKind {
  if (thrown.name === "EndpointError") return "misconfigured";
  return thrown.name === "TimeoutError" && thrown.code === "ETIMEDOUT" ? "unavailable" : "denied";
}

function answerOf(thrown: Thrown, { status, requestId }: Reach & { at: "answered" }, operation: string): Meaning {
  const own = modelledBy[operation]?.find((name) => name === thrown.name);
  if (own && requestId) return { kind: modelled[own], isAmbiguous: false };
  const common = Object.hasOwn(puttingOff, thrown.name) ? puttingOff[thrown.name] : undefined;
  if (common) return { kind: common, isAmbiguous: common === "unavailable" };
  const kind = kindOfStatus(status);
  if (kind) return { kind, isAmbiguous: false };
  // Whoever turned it away did not pass it on. Anything else may have come from behind a service that did the deed.
  const isTurnedAway = status >= 300 && status < 500 && status !== 408;
  return { kind: "unavailable", isAmbiguous: !isTurnedAway };
}

/** What a status says by itself, whoever gave it. */
function kindOfStatus(status: number | undefined): "throttled" | "denied" | undefined {
  if (status === 429) return "throttled";
  return status === 401 || status === 403 || status === 407 ? "denied" : undefined;
}

interface Thrown {
  readonly name: string;
  readonly code: string;
  readonly message: string;
  readonly isAbort: boolean;
  readonly retryAfterMs: number | undefined;
  /** What a proxy answered in place of connecting. */
  readonly proxyStatus: number | undefined;
}

function readThrown(error: unknown): Thrown {
  const unknown = { name: "unknown", code: "unknown", isAbort: false, retryAfterMs: undefined, proxyStatus: undefined };
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
    // A credential provider may be aborted by itself, which is no wish of ours.
    isAbort: error instanceof CallAborted || (error.name === "AbortError" && error instanceof DOMException),
    retryAfterMs: retryAfter(member(member(error, "$response"), "headers")),
    proxyStatus: error instanceof ProxyFault ? error.status : undefined,
  };
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
  return retryAfterMs(headers, Date.now());
}

function member(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}
