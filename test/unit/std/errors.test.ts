// describeError and errorRecord: whatever is thrown, one bounded line and one plain object.
import { describe, expect, it } from "vitest";
import { codeOf, describeError, errorRecord, maskError } from "../../../src/std/errors.js";

class Hostile extends Error {
  override get message(): string {
    throw new Error("no message for you");
  }
}

describe("describeError", () => {
  const deep = Array.from({ length: 20 }).reduce<Error>(
    (cause, _, n) => new Error(`level ${n}`, { cause }),
    new Error("root"),
  );
  const circular = new Error("round and round");
  circular.cause = circular;

  it.each([
    ["an error", new Error("it broke"), "it broke"],
    ["its code", Object.assign(new Error("it broke"), { code: "EPIPE" }), "it broke (EPIPE)"],
    ["a code once", Object.assign(new Error("write EPIPE"), { code: "EPIPE" }), "write EPIPE"],
    ["its causes", new Error("a", { cause: new Error("b", { cause: "c" }) }), "a; caused by: b; caused by: c"],
    ["a repeated cause once", new Error("a: b", { cause: new Error("b") }), "a: b"],
    [
      "several failed attempts",
      new AggregateError([new Error("refused ::1"), new Error("refused 127")]),
      "refused ::1",
    ],
    ["a message of several lines", new Error("a\n  b\r\nc"), "a b c"],
    ["an error without a message", new TypeError(), "TypeError"],
    ["a string", "plain", "plain"],
    ["nothing", undefined, "undefined"],
    ["an object", { a: 1 }, '{"a":1}'],
    ["a number", 7n, "7"],
    ["a symbol", Symbol("x"), "Symbol(x)"],
    ["an error that is its own cause", circular, "round and round"],
    ["an error whose message throws", new Hostile(), "Error"],
  ])("tells %s", (_, thrown, expected) => {
    expect(describeError(thrown)).toBe(expected);
  });

  it("ends after a few causes and never grows long", () => {
    expect(describeError(deep).split("caused by")).toHaveLength(5);
    expect(describeError(new Error("x".repeat(1e6), { cause: new Error("y".repeat(1e6)) })).length).toBeLessThan(5_000);
  });

  it("says so when a value cannot be shown", () => {
    const closed = new Proxy(
      {},
      {
        get: () => {
          throw new Error("closed");
        },
        ownKeys: () => {
          throw new Error("closed");
        },
      },
    );
    expect(describeError(closed)).toBe("a value that cannot be shown");
    const round: Record<string, unknown> = {};
    round["self"] = round;
    expect(describeError(round)).toBe("a value that cannot be shown");
  });
});

describe("errorRecord", () => {
  it("keeps name, message, code, stack and causes, and nothing that a library hung on", () => {
    const error = Object.assign(new Error("denied", { cause: new RangeError("why") }), {
      name: "AccessDeniedException",
      code: 403,
      $response: { body: "secret" },
      $metadata: { requestId: "1" },
    });
    const record = errorRecord(error);
    expect(record).toMatchObject({
      type: "AccessDeniedException",
      message: "denied",
      code: "403",
      cause: { type: "RangeError", message: "why" },
    });
    expect(Object.keys(record).sort()).toEqual(["cause", "code", "message", "stack", "type"]);
    expect(record.stack).toContain("errors.test");
  });

  it("bounds the stack", () => {
    const error = new Error("x");
    error.stack = "s".repeat(1e6);
    expect(errorRecord(error).stack?.length).toBeLessThan(5_000);
  });
});

describe("maskError", () => {
  const mask = (text: string) => text.replaceAll("hidden", "[masked]");

  it.each([
    ["an error", new Error("it is hidden")],
    ["an error whose message can only be read", new DOMException("it is hidden", "AbortError")],
  ])("takes secrets out of %s and leaves it the same object", (_, error) => {
    expect(maskError(error, mask)).toBe(error);
    expect(error.message).toBe("it is [masked]");
  });

  it.each([
    ["cannot be changed", Object.freeze(new Error("it is hidden"))],
    ["cannot be read", new Hostile()],
  ])("gives another error for one that %s", (_, error) => {
    expect(maskError(error, mask)).toEqual(new Error("an error whose text cannot be shown"));
  });

  it("leaves alone what is no error, and everything without a mask", () => {
    expect(maskError("hidden", mask)).toBe("hidden");
    const error = new Error("hidden");
    expect(maskError(error, undefined)).toBe(error);
    expect(error.message).toBe("hidden");
  });
});

describe("codeOf", () => {
  const coded = (code: unknown) => Object.assign(new Error("it broke"), { code });
  const hostile = Object.defineProperty(new Error("it broke"), "code", {
    get: () => {
      throw new Error("no code for you");
    },
  });

  it.each([
    [coded("ENOENT"), "ENOENT"],
    [{ code: "ENOENT" }, "ENOENT"],
    [coded(7), undefined],
    [new Error("it broke"), undefined],
    [hostile, undefined],
    ["ENOENT", undefined],
    [null, undefined],
    [undefined, undefined],
  ])("of %o is %s", (thrown, code) => {
    expect(codeOf(thrown)).toBe(code);
  });
});
