// Whatever a call fails by becomes one GatewayError: by who can have said it, then by name, never by text.
import * as sdk from "@aws-sdk/client-codepipeline";
import { describe, expect, it } from "vitest";
import { type GatewayFaultKind, isPassing } from "../../../src/codepipeline/gateway.js";
import { faultFrom } from "../../../src/codepipeline/gateway-faults.js";
import { AnswerTooLong, CallAborted, CallFailed, CallTimeout } from "../../../src/codepipeline/transport.js";
import { answered, key, sdkError, system, systemError, thrown, unsent } from "./thrown.js";

describe("the modelled errors of each operation", () => {
  const kinds: Readonly<Record<string, GatewayFaultKind>> = {
    ActionTypeNotFoundException: "misconfigured",
    InvalidClientTokenException: "token-rejected",
    InvalidJobException: "gone",
    InvalidJobStateException: "over",
    InvalidNonceException: "not-ours",
    JobNotFoundException: "gone",
    OutputVariablesSizeExceededException: "rejected",
    ValidationException: "rejected",
  };
  /** The errors that CodePipeline's service model names, operation by operation. */
  const operations: Readonly<Record<string, readonly string[]>> = {
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
  };
  const classes = new Map<string, unknown>(Object.entries(sdk));
  const rows = Object.entries(operations).flatMap(([operation, names]) =>
    names.map((name) => ({ operation, name, kind: kinds[name] })),
  );

  it.each(rows)("$operation: $name is $kind, and an answer", ({ operation, name, kind }) => {
    const ErrorClass = classes.get(name) as new (options: object) => Error;
    const error = new ErrorClass({ message: "said no", $metadata: { httpStatusCode: 400 } });
    const fault = faultFrom(answered(error, 400, "request-1"), operation, key);
    expect(fault).toMatchObject({ kind, operation, code: name, isAmbiguous: false, retryAfterMs: undefined });
    expect(fault.message).toBe(`${operation} for job job-1 failed: ${name}: said no`);
    expect(isPassing(fault.kind)).toBe(false);
  });

  it.each(rows)("$operation: $name is known by its name when another copy of the SDK threw it", (row) => {
    const error = Object.assign(new Error("said no"), { name: row.name });
    expect(faultFrom(answered(error, 400, "request-1"), row.operation).kind).toBe(row.kind);
  });

  it.each(rows)("$operation: $name without AWS's request id is nobody's word", ({ operation, name }) => {
    const fault = faultFrom(answered(sdkError(name, 400), 400), operation, key);
    expect(fault).toMatchObject({ kind: "unavailable", isAmbiguous: false });
  });

  const strangers = Object.keys(operations).flatMap((operation) =>
    Object.keys(kinds)
      .filter((name) => !operations[operation]?.includes(name))
      .map((name) => ({ operation, name })),
  );
  it.each(strangers)("$operation: $name is no answer to what was asked", ({ operation, name }) => {
    expect(faultFrom(thrown(name, 400), operation, key)).toMatchObject({ kind: "unavailable", isAmbiguous: false });
  });
});

describe("errors that no model names", () => {
  it.each<readonly [string, number, GatewayFaultKind]>([
    ["ThrottlingException", 400, "throttled"],
    ["Throttling", 400, "throttled"],
    ["ThrottledException", 400, "throttled"],
    ["RequestThrottled", 400, "throttled"],
    ["RequestThrottledException", 400, "throttled"],
    ["TooManyRequestsException", 400, "throttled"],
    ["RequestLimitExceeded", 503, "throttled"],
    ["BandwidthLimitExceeded", 400, "throttled"],
    ["SlowDown", 503, "throttled"],
    ["Unknown", 429, "throttled"],
    ["AccessDeniedException", 400, "denied"],
    ["AccessDenied", 403, "denied"],
    ["UnrecognizedClientException", 400, "denied"],
    ["ExpiredTokenException", 400, "denied"],
    ["ExpiredToken", 403, "denied"],
    ["InvalidSignatureException", 400, "denied"],
    ["SignatureDoesNotMatch", 403, "denied"],
    ["IncompleteSignatureException", 400, "denied"],
    ["MissingAuthenticationTokenException", 400, "denied"],
    ["InvalidClientTokenId", 403, "denied"],
    ["OptInRequired", 400, "denied"],
    ["RequestExpired", 400, "denied"],
    ["RequestTimeTooSkewed", 400, "denied"],
    ["Unknown", 401, "denied"],
    ["Unknown", 403, "denied"],
    ["Unknown", 407, "denied"],
    ["SerializationException", 400, "unavailable"],
    ["UnknownOperationException", 400, "unavailable"],
    ["LimitExceededException", 400, "unavailable"],
    ["SomethingNewException", 400, "unavailable"],
    ["Unknown", 402, "unavailable"],
    ["Unknown", 404, "unavailable"],
    ["Unknown", 405, "unavailable"],
    ["Unknown", 413, "unavailable"],
    ["Unknown", 421, "unavailable"],
    ["Unknown", 451, "unavailable"],
    ["InternalFailure", 500, "unavailable"],
    ["ServiceUnavailable", 503, "unavailable"],
    ["Unknown", 500, "unavailable"],
    ["Unknown", 501, "unavailable"],
    ["Unknown", 502, "unavailable"],
    ["Unknown", 504, "unavailable"],
    ["Unknown", 408, "unavailable"],
    ["RequestTimeout", 400, "unavailable"],
    ["RequestTimeoutException", 408, "unavailable"],
    ["Unknown", 301, "unavailable"],
    ["Unknown", 200, "unavailable"],
  ])("%s with HTTP %s is %s, marked as AWS's or not", (name, status, kind) => {
    expect(faultFrom(thrown(name, status), "AcknowledgeJob", key).kind).toBe(kind);
    expect(faultFrom(answered(sdkError(name, status), status), "AcknowledgeJob", key).kind).toBe(kind);
  });

  it("tell a wrong client token from wrong AWS credentials, whose names are nearly alike", () => {
    const operation = "AcknowledgeThirdPartyJob";
    expect(faultFrom(thrown("InvalidClientTokenException", 400), operation).kind).toBe("token-rejected");
    expect(faultFrom(thrown("InvalidClientTokenId", 403), operation).kind).toBe("denied");
  });

  it("are never recognised by their text", () => {
    const error = Object.assign(new Error("ThrottlingException: Rate exceeded"), { name: "ValidationException" });
    expect(faultFrom(answered(error, 400, "request-1"), "AcknowledgeJob").kind).toBe("rejected");
  });

  it.each(["constructor", "toString", "__proto__", "hasOwnProperty"])("called %j are not taken for a kind", (name) => {
    expect(faultFrom(thrown(name, 400), "AcknowledgeJob").kind).toBe("unavailable");
  });

  it("without a name are called by their status", () => {
    expect(faultFrom(thrown("Unknown", 502), "PollForJobs")).toMatchObject({ code: "HTTP 502" });
  });
});

describe("faults before anything was asked", () => {
  /** What credential providers throw, and the services behind them: STS, SSO, OIDC, IMDS, ECS, a command. */
  const names = [
    "CredentialsProviderError",
    "TokenProviderError",
    "ProviderError",
    "InvalidIdentityToken",
    "InvalidIdentityTokenException",
    "IDPRejectedClaim",
    "IDPCommunicationError",
    "ExpiredTokenException",
    "MalformedPolicyDocument",
    "PackedPolicyTooLarge",
    "RegionDisabledException",
    "AccessDenied",
    "ValidationError",
    "ValidationException",
    "InvalidRequestException",
    "ResourceNotFoundException",
    "UnauthorizedException",
    "TooManyRequestsException",
    "InvalidGrantException",
    "InvalidClientException",
    "SlowDownException",
    "AuthorizationPendingException",
    "InternalServerException",
    "JobNotFoundException",
    "InvalidJobStateException",
    "InvalidNonceException",
    "InvalidClientTokenException",
    "InstanceMetadataV1FallbackError",
    "TypeError",
    "SyntaxError",
    "Error",
  ];
  const operations = ["PollForThirdPartyJobs", "GetThirdPartyJobDetails", "AcknowledgeThirdPartyJob"].concat([
    "PutThirdPartyJobSuccessResult",
    "PutThirdPartyJobFailureResult",
    "PutJobSuccessResult",
  ]);
  const statuses = [undefined, 400, 401, 403, 404, 429, 500, 503];

  it.each(names)("%s is a denial, whatever its status and the operation, and nothing was done", (name) => {
    for (const operation of operations) {
      for (const status of statuses) {
        const fault = faultFrom(unsent(sdkError(name, status)), operation, key);
        expect(fault).toMatchObject({ kind: "denied", isAmbiguous: false });
        expect(fault.message).toMatch(new RegExp(`^${operation} for job job-1 not sent: `));
      }
    }
  });

  it.each(["ECONNREFUSED", "ECONNRESET", "ENOENT", "EACCES", "EAI_AGAIN"])("%s of a provider is a denial", (code) => {
    expect(faultFrom(unsent(systemError(code)), "PutJobSuccessResult")).toMatchObject({
      kind: "denied",
      code,
      isAmbiguous: false,
    });
  });

  it("are no abort of ours when a provider aborts by itself", () => {
    const error = Object.assign(new Error("aborted"), { name: "AbortError" });
    expect(faultFrom(unsent(error), "PutJobSuccessResult")).toMatchObject({ kind: "denied", isAmbiguous: false });
  });

  it("are unavailable when credentials do not come in time, and nothing was done", () => {
    const fault = faultFrom(unsent(new CallTimeout(5_000)), "PutJobSuccessResult");
    expect(fault).toMatchObject({ kind: "unavailable", isAmbiguous: false });
  });

  it("are a wrong setting when the endpoint is", () => {
    expect(faultFrom(unsent(sdkError("EndpointError")), "PollForJobs").kind).toBe("misconfigured");
  });
});

describe("what may have happened at CodePipeline", () => {
  it.each(["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "EHOSTUNREACH", "ENETUNREACH"])(
    "is nothing when the connection was never made (%s)",
    (code) => {
      expect(faultFrom(system(code), "AcknowledgeJob", key)).toMatchObject({
        kind: "unavailable",
        code,
        isAmbiguous: false,
      });
    },
  );

  it("is nothing when Node refuses a header, and the credentials in it are to blame", () => {
    const fault = faultFrom(system("ERR_INVALID_CHAR", "TypeError"), "PutJobSuccessResult", key);
    expect(fault).toMatchObject({ kind: "denied", isAmbiguous: false });
  });

  it.each<readonly [string, Error]>([
    ["a connection that broke", system("ECONNRESET")],
    ["a pipe that broke", system("EPIPE")],
    ["a connection that fell silent", system("ETIMEDOUT", "TimeoutError")],
    ["our own time limit", new CallFailed(new CallTimeout(5_000), { at: "sent" })],
    ["our own time limit within an answer", answered(new CallTimeout(5_000), 200, "request-1")],
    ["an answer without end", answered(new AnswerTooLong(), 200)],
    ["an answer cut off", answered(Object.assign(new Error("the answer was cut off"), { code: "ECONNRESET" }), 200)],
    ["an error of the service", thrown("InternalFailure", 500)],
    ["a gateway's error page", page(502)],
    ["a page instead of an answer", page(200)],
    ["an answer that breaks the SDK's reader", brokenReader(new TypeError("Cannot read properties of undefined"))],
    ["an answer too deep for the SDK's reader", brokenReader(new RangeError("Maximum call stack size exceeded"))],
    ["an answer whose data cannot be read", new Error("the answer has no job data")],
    ["anything that nobody knows", new Error("?")],
  ])("is unknown after %s", (_what, error) => {
    expect(faultFrom(error, "AcknowledgeJob", key)).toMatchObject({ kind: "unavailable", isAmbiguous: true });
  });

  it("is unknown after an abort of our own", () => {
    expect(faultFrom(new CallFailed(new CallAborted(), { at: "sent" }), "op", key)).toMatchObject({
      kind: "aborted",
      code: "aborted",
      isAmbiguous: true,
    });
    expect(faultFrom(unsent(new CallAborted()), "op", key)).toMatchObject({ kind: "aborted", isAmbiguous: false });
    const error = new DOMException("This operation was aborted", "AbortError");
    expect(faultFrom(error, "op", key)).toMatchObject({ kind: "aborted", isAmbiguous: true });
  });

  it.each(["ThrottlingException", "AccessDeniedException", "ValidationException", "InvalidNonceException"])(
    "is nothing after %s: a refusal is an answer",
    (name) => {
      expect(faultFrom(thrown(name, 400), "AcknowledgeJob", key).isAmbiguous).toBe(false);
    },
  );

  it("is nothing when a proxy refuses, even with a page that is no JSON", () => {
    expect(faultFrom(page(403), "op", key)).toMatchObject({ kind: "denied", isAmbiguous: false });
    expect(faultFrom(page(429), "op", key)).toMatchObject({ kind: "throttled", isAmbiguous: false });
  });

  function brokenReader(error: Error): Error {
    return answered(Object.defineProperty(error, "$response", { value: { headers: {} }, enumerable: false }), 200);
  }

  function page(httpStatusCode: number): Error {
    return answered(Object.assign(new SyntaxError("<"), { $metadata: { httpStatusCode } }), httpStatusCode);
  }
});

describe("answers that are not CodePipeline's", () => {
  it("are told as such, with their status and without a piece of them", () => {
    const error = Object.assign(new SyntaxError(`Unexpected token '<', "<html>token-123" is not valid JSON`), {
      $metadata: { httpStatusCode: 502 },
    });
    const fault = faultFrom(error, "PollForJobs");
    expect(fault.code).toBe("unreadable-answer");
    expect(fault.message).toBe(
      "PollForJobs failed: unreadable-answer: the answer is not CodePipeline's JSON (HTTP 502)",
    );
  });

  it.each([TypeError, RangeError])("are told as such when the SDK's reader broke on them with a %o", (ErrorClass) => {
    const error = Object.defineProperty(new ErrorClass("x is not iterable"), "$response", { value: {} });
    expect(faultFrom(error, "PollForJobs")).toMatchObject({ kind: "unavailable", code: "unreadable-answer" });
    expect(faultFrom(new ErrorClass("a bug of ours"), "PollForJobs").code).toBe(ErrorClass.name);
  });

  it("are told even when there was no status", () => {
    expect(faultFrom(new SyntaxError("x"), "PollForJobs").message).toContain("(HTTP ?)");
  });
});

describe("faults that pass by themselves", () => {
  const passing: Readonly<Record<GatewayFaultKind, boolean>> = {
    throttled: true,
    unavailable: true,
    denied: true,
    "token-unavailable": true,
    aborted: false,
    "token-rejected": false,
    "not-ours": false,
    gone: false,
    over: false,
    misconfigured: false,
    rejected: false,
  };

  it.each(Object.entries(passing))("%s: %s", (kind, expected) => {
    expect(isPassing(kind as GatewayFaultKind)).toBe(expected);
  });
});
