// Retry-After: what is read of it, and how much of it is believed.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { believedMs, retryAfterMs } from "../../../src/std/retry-after.js";

const nowMs = Date.UTC(2026, 0, 1, 12);

describe("retryAfterMs", () => {
  it.each([
    ["7", 7_000],
    ["0.5", 500],
    [" 3 ", 3_000],
    ["86400", 86_400_000],
    ["Thu, 01 Jan 2026 12:00:30 GMT", 30_000],
    ["Thursday, 01-Jan-26 12:00:30 GMT", 30_000],
    ["Thu, 01 Jan 2026 12:00:00 GMT", undefined],
    ["Wed, 31 Dec 2025 00:00:00 GMT", undefined],
    ["0", undefined],
    ["-5", undefined],
    ["", undefined],
    ["  ", undefined],
    ["soon", undefined],
    ["NaN", undefined],
    ["Infinity", undefined],
    [undefined, undefined],
    [7, undefined],
    [["7"], undefined],
  ])("reads %j as %j", (header, expected) => {
    expect(retryAfterMs({ "retry-after": header }, nowMs)).toBe(expected);
  });

  it("counts a date from the sender's own clock", () => {
    const headers = { "retry-after": "Thu, 01 Jan 2026 14:00:30 GMT", date: "Thu, 01 Jan 2026 14:00:00 GMT" };
    expect(retryAfterMs(headers, nowMs)).toBe(30_000);
    expect(retryAfterMs({ ...headers, date: "soon" }, nowMs)).toBe(7_230_000);
  });

  it("reads nothing where there are no headers", () => {
    expect([undefined, null, 7, {}].map((headers) => retryAfterMs(headers, nowMs))).toEqual(Array(4).fill(undefined));
  });
});

describe("believedMs", () => {
  it.each([
    ["nothing", undefined, 5_000, 0],
    ["less than the policy waits", 2_000, 5_000, 2_000],
    ["more than the policy waits", 30_000, 5_000, 30_000],
    ["more than a minute", 3_600_000, 5_000, 60_000],
    ["more than a minute, of a policy that waits longer itself", 3_600_000, 300_000, 300_000],
  ])("believes %s", (_, askedMs, policyMaxMs, expected) => {
    expect(believedMs(askedMs, policyMaxMs)).toBe(expected);
  });

  it("is never longer than a minute or the policy's longest wait, nor than what was asked", () => {
    const ms = fc.double({ min: 0, noNaN: true });
    fc.assert(
      fc.property(ms, ms, (askedMs, policyMaxMs) => {
        const waitMs = believedMs(askedMs, policyMaxMs);
        expect(waitMs).toBeLessThanOrEqual(Math.max(60_000, policyMaxMs));
        expect(waitMs).toBeLessThanOrEqual(askedMs);
      }),
    );
  });
});
