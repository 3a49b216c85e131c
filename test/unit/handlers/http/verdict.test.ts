import { describe, expect, it } from "vitest";
import type { Answer } from "../../../../src/handlers/http/exchange.js";
import { Unanswered, verdictOf } from "../../../../src/handlers/http/verdict.js";

const nowMs = Date.UTC(2026, 0, 1);

function answer(status: number, body = "", headers: Answer["headers"] = {}, isWhole = true): Answer {
  return { status, headers, body: Buffer.from(body), isWhole };
}

function thrownBy(given: Answer): unknown {
  try {
    return verdictOf(given, nowMs);
  } catch (error) {
    return error;
  }
}

describe("verdictOf", () => {
  it.each([
    ['{"kind":"succeeded"}', { kind: "succeeded" }],
    ['\ufeff{"kind":"succeeded"}\r\n', { kind: "succeeded" }],
    ["null", null],
    ["[]", []],
    ["", undefined],
    [" \n", undefined],
  ])("takes 200 with %j for an outcome that the engine checks", (body, outcome) => {
    expect(verdictOf(answer(200, body), nowMs)).toEqual({ outcome });
  });

  it("takes 202 for a promise, whatever the body", () => {
    expect(verdictOf(answer(202, "<html>", {}, false), nowMs)).toBe("promised");
  });

  it.each([408, 409, 423, 425, 429, 500, 501, 502, 503, 504, 505, 511, 599])("asks again after %i", (status) => {
    const thrown = thrownBy(answer(status, "<html>busy</html>"));
    expect(thrown).toBeInstanceOf(Unanswered);
    expect(thrown).toMatchObject({ message: `answered ${status}`, retryAfterMs: undefined });
  });

  it.each([
    ["HTML", answer(200, "<!doctype html><title>Sign in</title>", { "content-type": "text/html" })],
    ["plain words", answer(200, "ok")],
    ["JSON that broke off", answer(200, '{"kind":"succ', {}, false)],
    ["JSON that only looks whole", answer(200, '{"kind":"succeeded"}', {}, false)],
    ["half a JSON", answer(200, '{"kind":"succ')],
  ])("asks again after 200 with %s", (_what, given) => {
    expect(thrownBy(given)).toBeInstanceOf(Unanswered);
  });

  it.each([
    [400, "ConfigurationError"],
    [404, "ConfigurationError"],
    [422, "ConfigurationError"],
    [405, "ConfigurationError"],
    [410, "ConfigurationError"],
    [413, "ConfigurationError"],
    [415, "ConfigurationError"],
    [418, "ConfigurationError"],
    [401, "PermissionError"],
    [402, "PermissionError"],
    [403, "PermissionError"],
    [407, "PermissionError"],
    [451, "PermissionError"],
    [301, "ConfigurationError"],
    [302, "ConfigurationError"],
    [304, "ConfigurationError"],
    [307, "ConfigurationError"],
    [308, "ConfigurationError"],
    [201, "JobFailed"],
    [203, "JobFailed"],
    [204, "JobFailed"],
    [206, "JobFailed"],
  ])("fails the job at once after %i, as %s", (status, type) => {
    expect(thrownBy(answer(status))).toMatchObject({
      name: "JobFailure",
      type,
      message: expect.stringContaining(`answered ${status}`),
    });
  });

  it("says that redirects are not followed, and not where to", () => {
    const thrown = thrownBy(answer(302, "", { location: "https://internal.example/login?token=1" }));
    expect(thrown).toMatchObject({ message: expect.stringContaining("redirects are not followed") });
    expect(String(thrown)).not.toContain("internal");
  });

  it.each([
    ['{"message":"unknown project"}', ": unknown project"],
    ['{"detail":"unknown project","title":"Bad"}', ": unknown project"],
    ['{"error":{"message":"unknown project"}}', ": unknown project"],
    ['{"kind":"failed","message":"unknown project"}', ": unknown project"],
    ['"unknown project"', ": unknown project"],
    ["unknown \u001b[31mproject\u001b[0m\n", ": unknown project"],
    ["<html>nginx</html>", ""],
    ['{"stack":["at /srv/app"]}', ""],
    ["", ""],
  ])("tells the customer what the service says in words: %j", (body, expected) => {
    expect(thrownBy(answer(400, body))).toMatchObject({ message: `the handler's service answered 400${expected}` });
  });

  it("shortens what the service says", () => {
    expect(String(thrownBy(answer(400, "x".repeat(100_000)))).length).toBeLessThan(1_200);
  });

  it.each([
    ["120", 120_000],
    ["0", undefined],
    ["1.5", 1_500],
    ["Thu, 01 Jan 2026 00:01:00 GMT", 60_000],
    ["Wed, 31 Dec 2025 00:00:00 GMT", undefined],
    ["soon", undefined],
    ["", undefined],
  ])("honours Retry-After: %s", (value, expected) => {
    expect(thrownBy(answer(503, "", { "retry-after": value }))).toMatchObject({ retryAfterMs: expected });
    expect(thrownBy(answer(200, "<html>", { "retry-after": value }))).toMatchObject({ retryAfterMs: expected });
  });

  it.each([
    ["Thu, 01 Jan 2026 02:00:00 GMT", 60_000],
    ["Wed, 31 Dec 2025 22:00:00 GMT", 4 * 3_600_000 + 60_000],
    ["no date", 2 * 3_600_000 + 60_000],
  ])("counts a Retry-After that is a date from the service's own: %s", (date, expected) => {
    const headers = { "retry-after": "Thu, 01 Jan 2026 02:01:00 GMT", date };
    expect(thrownBy(answer(503, "", headers))).toMatchObject({ retryAfterMs: expected });
  });
});
