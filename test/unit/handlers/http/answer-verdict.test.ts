import { describe, expect, it } from "vitest";
import { Unanswered, verdictOf, WrongAnswers } from "../../../../src/handlers/http/answer-verdict.js";
import type { BodyEnd, ServiceAnswer } from "../../../../src/handlers/http/exchange.js";

const nowMs = Date.UTC(2026, 0, 1);

function answer(
  status: number,
  body = "",
  headers: ServiceAnswer["headers"] = {},
  bodyEnd: BodyEnd = "whole",
): ServiceAnswer {
  return { status, headers, body: Buffer.from(body), bodyEnd };
}

function thrownBy(given: ServiceAnswer): unknown {
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
    expect(verdictOf(answer(202, "<html>", {}, "broken"), nowMs)).toBe("promised");
  });

  it.each([408, 409, 423, 425, 429, 500, 501, 502, 503, 504, 505, 511, 599])("asks again after %i", (status) => {
    const thrown = thrownBy(answer(status, "<html>busy</html>"));
    expect(thrown).toBeInstanceOf(Unanswered);
    expect(thrown).toMatchObject({ message: `answered ${status}`, retryAfterMs: undefined });
  });

  it.each([
    ["HTML", answer(200, "<!doctype html><title>Sign in</title>", { "content-type": "text/html" })],
    ["plain words", answer(200, "ok")],
    ["JSON that broke off", answer(200, '{"kind":"succ', {}, "broken")],
    ["JSON that only looks whole", answer(200, '{"kind":"succeeded"}', {}, "broken")],
    ["half a JSON", answer(200, '{"kind":"succ')],
    [
      "half a JSON that is called so, but was not framed",
      answer(200, '{"kind":"succ', { "content-type": "application/json" }),
    ],
  ])("asks again after 200 with %s", (_what, given) => {
    expect(thrownBy(given)).toBeInstanceOf(Unanswered);
  });

  it.each<[string, ServiceAnswer, RegExp]>([
    ["compressed", answer(200, "\u001f", { "content-encoding": "gzip" }), /compressed body \(Content-Encoding: gzip\)/],
    ["compressed twice", answer(200, "", { "content-encoding": "GZIP, br" }), /Content-Encoding: gzip, br/],
    ["compressed before it broke off", answer(200, "", { "content-encoding": "br" }, "broken"), /Content-Encoding: br/],
    ["coded in a way that no message can show", answer(200, "", { "content-encoding": "a\u001b[1m" }), /: unknown\)/],
    ["too long", answer(200, "x".repeat(2_000), {}, "too-long"), /more than 1048576 bytes/],
    ["too long and no JSON", answer(200, "<", { "content-type": "text/html" }, "too-long"), /more than 1048576 bytes/],
    [
      "called JSON, whole, and none",
      answer(200, "ok", { "content-type": "application/json; charset=utf-8", "content-length": "2" }),
      /answered 200 with application\/json that is not JSON/,
    ],
    [
      "called JSON of a kind, in chunks, and none",
      answer(200, "{", { "content-type": "application/problem+json", "transfer-encoding": "chunked" }),
      /answered 200 with application\/problem\+json that is not JSON/,
    ],
  ])("fails the job at once after 200 that is %s, and names the cause", (_what, given, message) => {
    expect(thrownBy(given)).toMatchObject({
      name: "JobFailure",
      type: "JobFailed",
      message: expect.stringMatching(message),
    });
  });

  it.each(["identity", "", "Identity, identity"])("takes a body with the coding %j as it is", (coding) => {
    expect(verdictOf(answer(200, "[]", { "content-encoding": coding }), nowMs)).toEqual({ outcome: [] });
  });

  it("shows nothing of a refusal that is compressed", () => {
    const thrown = thrownBy(answer(400, "\u001f\u008b bytes", { "content-encoding": "gzip" }));
    expect(thrown).toMatchObject({ message: "the handler's service answered 400" });
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

describe("the same wrong answer", () => {
  const html = (text = "<html>") => thrownBy(answer(200, text, { "content-type": "text/html" }));
  const words = () => thrownBy(answer(200, "ok", { "content-type": "text/plain" }));
  const busy = () => thrownBy(answer(503));
  /** What the last of these errors means. */
  const lastAfter = (errors: readonly unknown[]) => {
    const wrong = new WrongAnswers();
    return errors.map((error) => wrong.after(error)).at(-1);
  };
  const times = (count: number, make: () => unknown) => Array.from({ length: count }, make);

  it("ten times in a row fails the job, and says what it was", () => {
    expect(lastAfter(times(9, html))).toBeInstanceOf(Unanswered);
    expect(lastAfter(times(10, html))).toMatchObject({
      name: "JobFailure",
      type: "SystemUnavailable",
      message:
        "the handler's service answered 200 with text/html that is not JSON in 10 attempts in a row; it must answer 200 with an outcome document, or 202 and deliver it later",
    });
  });

  it("is the same though its words differ, as the time on a page does", () => {
    let minute = 0;
    expect(lastAfter(times(10, () => html(`<p>12:0${minute++}</p>`)))).toMatchObject({ name: "JobFailure" });
  });

  it.each<[string, () => readonly unknown[]]>([
    ["another wrong answer", () => [...times(9, html), words(), ...times(9, html)]],
    ["a service that is busy", () => [...times(9, html), busy(), ...times(9, html)]],
    ["no answer", () => [...times(9, html), new Unanswered("gave no answer"), ...times(9, html)]],
  ])("counts anew after %s", (_what, errors) => {
    expect(lastAfter(errors())).toBeInstanceOf(Unanswered);
  });

  it("is only an answer: a service that is busy or silent is asked until the deadline", () => {
    expect(lastAfter(times(50, busy))).toBeInstanceOf(Unanswered);
    expect(lastAfter(times(50, () => new Unanswered("gave no answer")))).toBeInstanceOf(Unanswered);
    const bug = new TypeError("bug");
    expect(lastAfter(times(50, () => bug))).toBe(bug);
  });
});
