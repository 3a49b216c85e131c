// What S3 says, and what the customer is told of it.
import { describe, expect, it } from "vitest";
import { failureOfTransfer, GoneAccess, TransferFault, transferFault } from "../../../src/artifacts/faults.js";
import { JobFailure } from "../../../src/job/failure.js";

const thrown = (name: string, status?: number, message = "said by S3") =>
  Object.assign(new Error(message), { name, ...(status ? { $metadata: { httpStatusCode: status } } : {}) });
const subject = { direction: "input", name: "Source", location: { bucket: "b", objectKey: "k/x" } } as const;

describe("a failed call to S3", () => {
  it.each<[string, unknown, string, string]>([
    ["an expired token", thrown("ExpiredToken", 400), "expired", "SystemUnavailable"],
    ["an object that is not there", thrown("NoSuchKey", 404), "missing", "RevisionUnavailable"],
    ["a bucket that is not there", thrown("NoSuchBucket", 404), "missing", "RevisionUnavailable"],
    ["an object in an archive of S3's", thrown("InvalidObjectState", 403), "missing", "RevisionUnavailable"],
    ["another version", thrown("PreconditionFailed", 412), "replaced", "RevisionUnavailable"],
    ["an upload that is known no more", thrown("NoSuchUpload", 404), "refused", "SystemUnavailable"],
    ["a refusal", thrown("AccessDenied", 403), "denied", "PermissionError"],
    ["a refusal without a name", thrown("Unknown", 403), "denied", "PermissionError"],
    [
      "a refusal by the key's policy",
      thrown("AccessDenied", 403, "User: arn:… is not authorized to perform: kms:Decrypt on this resource"),
      "key-denied",
      "PermissionError",
    ],
    [
      "a refusal to list, which only a missing object brings about",
      thrown("AccessDenied", 403, 'User: arn:… is not authorized to perform: s3:ListBucket on resource: "arn:…"'),
      "missing",
      "RevisionUnavailable",
    ],
    ["a disabled key", thrown("KMS.DisabledException", 400), "key-unusable", "ConfigurationError"],
    ["a key that is gone", thrown("KMS.NotFoundException", 400), "key-unusable", "ConfigurationError"],
    ["KMS in trouble of its own", thrown("KMS.KMSInternalException", 500), "passing", "SystemUnavailable"],
    ["KMS without its key for now", thrown("KMS.KeyUnavailableException", 400), "passing", "SystemUnavailable"],
    ["KMS that waits for others", thrown("KMS.DependencyTimeoutException", 400), "passing", "SystemUnavailable"],
    ["KMS in a hurry", thrown("KMS.ThrottlingException", 400), "passing", "SystemUnavailable"],
    ["a bucket elsewhere", thrown("PermanentRedirect", 301), "elsewhere", "ConfigurationError"],
    ["too many requests", thrown("SlowDown", 503), "passing", "SystemUnavailable"],
    ["trouble in S3", thrown("InternalError", 500), "passing", "SystemUnavailable"],
    ["a broken connection", Object.assign(new Error("reset"), { code: "ECONNRESET" }), "passing", "SystemUnavailable"],
    ["no answer in time", thrown("TimeoutError"), "passing", "SystemUnavailable"],
    ["a refused request", thrown("InvalidRequest", 400), "refused", "SystemUnavailable"],
    ["no error at all", "nonsense", "passing", "SystemUnavailable"],
  ])("by %s is understood", (_what, error, kind, type) => {
    const fault = transferFault(error);
    expect(fault.kind).toBe(kind);
    const failure = failureOfTransfer(fault, subject);
    expect(failure.type).toBe(type);
    expect(failure.message).toMatch(/^the input artifact Source could not be fetched from s3:\/\/b\/k\/x: .*\(\S+/);
  });

  it("says of a refused input that it may not be there at all", () => {
    const { message } = failureOfTransfer(transferFault(thrown("AccessDenied", 403)), subject);
    expect(message).toContain("does not allow it, or the object does not exist");
    const output = failureOfTransfer(transferFault(thrown("AccessDenied", 403)), { ...subject, direction: "output" });
    expect(output.message).not.toContain("object");
  });

  it("is told by the system's code when none of several addresses answers", () => {
    // As Node throws it for a host of more than one address.
    const error = Object.assign(new AggregateError([new Error("connect ENETUNREACH 192.0.2.1:443")]), {
      code: "ENETUNREACH",
    });
    expect(transferFault(error)).toMatchObject({ kind: "passing", code: "ENETUNREACH" });
    expect(failureOfTransfer(transferFault(error), subject).message).toMatch(/even after retries \(ENETUNREACH\)$/);
  });

  it("says how long S3 asks to wait", () => {
    const fault = transferFault(Object.assign(thrown("SlowDown"), { $response: { headers: { "retry-after": "7" } } }));
    expect(fault.retryAfterMs).toBe(7_000);
  });

  it("is told in one line of bounded length", () => {
    const failure = failureOfTransfer(transferFault(thrown("Odd", 400, `a\n${"b".repeat(9_000)}`)), subject);
    expect(failure.message).not.toContain("\n");
    expect(failure.message.length).toBeLessThan(700);
  });
});

describe("any other failure of a transfer", () => {
  it.each<[string, unknown, string, RegExp]>([
    [
      "a full disk",
      Object.assign(new Error("x"), { code: "ENOSPC" }),
      "SystemUnavailable",
      /disk .* is full \(ENOSPC\)/,
    ],
    ["a broken disk", Object.assign(new Error("x"), { code: "EIO" }), "SystemUnavailable", /disk failed \(EIO\)/],
    ["no credentials", new GoneAccess(), "PermissionError", /gave this job no credentials/],
    ["a failed renewal", new Error("GetJobDetails failed: busy"), "SystemUnavailable", /GetJobDetails failed: busy/],
  ])("by %s is understood", (_what, error, type, message) => {
    const failure = failureOfTransfer(error, subject);
    expect(failure).toMatchObject({ type, message: expect.stringMatching(message) });
  });

  it("keeps what was said already, and names where an output was to go", () => {
    const failure = new JobFailure("ConfigurationError", "too large");
    expect(failureOfTransfer(failure, subject)).toBe(failure);
    const fault = new TransferFault("denied", "AccessDenied", "no");
    expect(failureOfTransfer(fault, { ...subject, direction: "output" }).message).toMatch(
      /could not be uploaded to s3:/,
    );
  });
});
