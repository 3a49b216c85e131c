// What a fault carries besides its kind: the wait that was asked for, and a message fit to be shown.
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { GatewayError } from "../../../src/codepipeline/gateway.js";
import { faultFrom } from "../../../src/codepipeline/gateway-faults.js";
import type { JobId } from "../../../src/job/job.js";
import { key, system, thrown } from "./thrown.js";

describe("how long to wait", () => {
  const atMs = Date.UTC(2026, 0, 1, 12, 0, 0);
  beforeEach(() => {
    vi.useFakeTimers({ now: atMs, toFake: ["Date"] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it.each<readonly [string, Readonly<Record<string, string>>, number | undefined]>([
    ["seconds", { "retry-after": "7" }, 7_000],
    ["parts of a second", { "retry-after": "0.5" }, 500],
    ["seconds with blanks", { "retry-after": " 3 " }, 3_000],
    ["a date", { "retry-after": "Thu, 01 Jan 2026 12:00:30 GMT" }, 30_000],
    ["a date that is over", { "retry-after": "Thu, 01 Jan 2026 11:59:59 GMT" }, undefined],
    ["this very moment", { "retry-after": "Thu, 01 Jan 2026 12:00:00 GMT" }, undefined],
    [
      "a date, counted from the sender's own",
      { "retry-after": "Thu, 01 Jan 2026 14:00:30 GMT", date: "Thu, 01 Jan 2026 14:00:00 GMT" },
      30_000,
    ],
    ["a date beside one that makes no sense", { "retry-after": "Thu, 01 Jan 2026 12:00:30 GMT", date: "x" }, 30_000],
    ["none", {}, undefined],
    ["zero", { "retry-after": "0" }, undefined],
    ["less than zero", { "retry-after": "-5" }, undefined],
    ["nothing", { "retry-after": "" }, undefined],
    ["blanks", { "retry-after": "  " }, undefined],
    ["words", { "retry-after": "soon" }, undefined],
    ["no number", { "retry-after": "NaN" }, undefined],
    ["for ever", { "retry-after": "Infinity" }, undefined],
    ["AWS's own header, in ms", { "x-amz-retry-after": "1500" }, 1_500],
    ["AWS's own header before the other", { "x-amz-retry-after": "1500", "retry-after": "9" }, 1_500],
    ["the other when AWS's own makes no sense", { "x-amz-retry-after": "x", "retry-after": "9" }, 9_000],
    ["the other when AWS's own is zero", { "x-amz-retry-after": "0", "retry-after": "9" }, 9_000],
  ])("is read from the answer's headers: %s", (_what, headers, expected) => {
    expect(faultFrom(thrown("ThrottlingException", 400, headers), "op").retryAfterMs).toBe(expected);
  });

  it("is nowhere when there was no answer", () => {
    expect(faultFrom(system("ECONNRESET"), "op").retryAfterMs).toBeUndefined();
    expect(faultFrom(Object.assign(new Error("x"), { $response: null }), "op").retryAfterMs).toBeUndefined();
    expect(faultFrom(Object.assign(new Error("x"), { $response: { headers: 7 } }), "op").retryAfterMs).toBeUndefined();
  });
});

describe("a fault", () => {
  it("stays as it is when it was one already", () => {
    const fault = new GatewayError({ kind: "gone", operation: "op", code: "c", message: "m" });
    expect(faultFrom(fault, "another")).toBe(fault);
  });

  it("keeps nothing of the SDK's error, which holds whole answers and headers", () => {
    const error = thrown("ValidationException", 400, { authorization: "Bearer hidden" });
    Object.assign(error.cause as Error, { clientToken: "hidden" });
    const fault = faultFrom(error, "op", key);
    expect(fault.cause).toBeUndefined();
    expect(JSON.stringify(Object.entries(fault)) + String(fault.stack)).not.toContain("hidden");
  });

  it("is one line of bounded length, whatever the service wrote and the job is called", () => {
    const error = thrown("ValidationException", 400);
    (error.cause as Error).message = `first\nsecond\r\n\tthird ${"x".repeat(100_000)}`;
    const fault = faultFrom(error, "op", { ...key, jobId: `job\n1 ${"y".repeat(500)}` as JobId });
    expect(fault.message).toMatch(/^op for job job 1 y+ failed: ValidationException: first second third x+$/);
    expect(fault.message.length).toBeLessThan(700);
  });

  it("says its code once when there is nothing else to say", () => {
    const error = Object.assign(new Error(""), { code: "EPROTO" });
    expect(faultFrom(error, "PollForJobs").message).toBe("PollForJobs failed: EPROTO");
  });

  it.each<readonly [string, unknown]>([
    ["undefined", undefined],
    ["null", null],
    ["a text", "no"],
    ["a symbol", Symbol("no")],
    ["an object", { name: "InvalidNonceException" }],
    ["an object without a prototype", Object.create(null)],
    ["an object that cannot be written", { toString: () => JSON.parse("{") }],
  ])("is made of whatever was thrown: %s", (_what, error) => {
    expect(faultFrom(error, "op", key)).toMatchObject({ kind: "unavailable", code: "unknown", isAmbiguous: true });
  });
});
