// Whatever the SDK throws becomes one GatewayError: by name and status, never by text.
import * as sdk from "@aws-sdk/client-codepipeline";
import { describe, expect, it } from "vitest";
import { faultFrom } from "../../../src/codepipeline/faults.js";
import { type GatewayFaultKind, isPassing } from "../../../src/codepipeline/gateway.js";
import { AnswerTooLong, CallAborted, CallTimeout } from "../../../src/codepipeline/transport.js";
import { key, system, thrown } from "./thrown.js";

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
    const fault = faultFrom(error, operation, key);
    expect(fault).toMatchObject({ kind, operation, code: name, isAmbiguous: false, retryAfterMs: undefined });
    expect(fault.message).toBe(`${operation} for job job-1 failed: ${name}: said no`);
    expect(isPassing(fault.kind)).toBe(false);
  });

  it.each(Object.keys(kinds))("%s is known by its name when another copy of the SDK threw it", (name) => {
    expect(faultFrom(Object.assign(new Error("said no"), { name }), "op").kind).toBe(kinds[name]);
  });
});

describe("errors that no model names", () => {
  it.each<readonly [string, number | undefined, GatewayFaultKind]>([
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
    ["CredentialsProviderError", undefined, "denied"],
    ["Unknown", 401, "denied"],
    ["Unknown", 403, "denied"],
    ["EndpointError", undefined, "misconfigured"],
    ["SerializationException", 400, "rejected"],
    ["UnknownOperationException", 400, "rejected"],
    ["LimitExceededException", 400, "rejected"],
    ["SomethingNewException", 400, "rejected"],
    ["Unknown", 404, "rejected"],
    ["Unknown", 413, "rejected"],
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
    ["Unknown", undefined, "unavailable"],
  ])("%s with HTTP %s is %s", (name, status, kind) => {
    expect(faultFrom(thrown(name, status), "AcknowledgeJob", key).kind).toBe(kind);
  });

  it("tell a wrong client token from wrong AWS credentials, whose names are nearly alike", () => {
    expect(faultFrom(thrown("InvalidClientTokenException", 400), "op").kind).toBe("token-rejected");
    expect(faultFrom(thrown("InvalidClientTokenId", 403), "op").kind).toBe("denied");
  });

  it("are never recognised by their text", () => {
    const error = Object.assign(new Error("ThrottlingException: Rate exceeded"), {
      name: "ValidationException",
      $metadata: { httpStatusCode: 400 },
    });
    expect(faultFrom(error, "op").kind).toBe("rejected");
  });

  it.each(["constructor", "toString", "__proto__", "hasOwnProperty"])("called %j are not taken for a kind", (name) => {
    expect(faultFrom(thrown(name, 400), "op").kind).toBe("rejected");
  });

  it("without a name are called by their status", () => {
    expect(faultFrom(thrown("Unknown", 502), "PollForJobs")).toMatchObject({ code: "HTTP 502" });
  });
});

describe("what may have happened at CodePipeline", () => {
  it.each(["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "EHOSTUNREACH", "ENETUNREACH"])(
    "is nothing when the connection was never made (%s)",
    (code) => {
      expect(faultFrom(system(code), "op", key)).toMatchObject({ kind: "unavailable", code, isAmbiguous: false });
    },
  );

  it.each<readonly [string, Error]>([
    ["a connection that broke", system("ECONNRESET")],
    ["a pipe that broke", system("EPIPE")],
    ["a connection that fell silent", system("ETIMEDOUT", "TimeoutError")],
    ["our own time limit", new CallTimeout(5_000)],
    ["an answer without end", new AnswerTooLong()],
    ["an answer cut off", Object.assign(new Error("the answer was cut off"), { code: "ECONNRESET" })],
    ["an error of the service", thrown("InternalFailure", 500)],
    [
      "a gateway's error page",
      Object.assign(new SyntaxError("Unexpected token <"), { $metadata: { httpStatusCode: 502 } }),
    ],
    [
      "a page instead of an answer",
      Object.assign(new SyntaxError("Unexpected token <"), { $metadata: { httpStatusCode: 200 } }),
    ],
    ["an answer that breaks the SDK's reader", brokenReader(new TypeError("Cannot read properties of undefined"))],
    ["an answer too deep for the SDK's reader", brokenReader(new RangeError("Maximum call stack size exceeded"))],
    ["anything that nobody knows", new Error("?")],
  ])("is unknown after %s", (_what, error) => {
    expect(faultFrom(error, "AcknowledgeJob", key)).toMatchObject({ kind: "unavailable", isAmbiguous: true });
  });

  it("is unknown after an abort of our own", () => {
    expect(faultFrom(new CallAborted(), "op", key)).toMatchObject({
      kind: "aborted",
      code: "aborted",
      isAmbiguous: true,
    });
    const error = new DOMException("This operation was aborted", "AbortError");
    expect(faultFrom(error, "op", key)).toMatchObject({ kind: "aborted", isAmbiguous: true });
  });

  it.each(["ThrottlingException", "AccessDeniedException", "ValidationException", "InvalidNonceException"])(
    "is nothing after %s: a refusal is an answer",
    (name) => {
      expect(faultFrom(thrown(name, 400), "op", key).isAmbiguous).toBe(false);
    },
  );

  it("is nothing when a proxy refuses, even with a page that is no JSON", () => {
    const page = (httpStatusCode: number) => Object.assign(new SyntaxError("<"), { $metadata: { httpStatusCode } });
    expect(faultFrom(page(403), "op", key)).toMatchObject({ kind: "denied", isAmbiguous: false });
    expect(faultFrom(page(429), "op", key)).toMatchObject({ kind: "throttled", isAmbiguous: false });
  });

  function brokenReader(error: Error): Error {
    return Object.defineProperty(error, "$response", { value: { headers: {} }, enumerable: false });
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
