// What a handler gave becomes an outcome that CodePipeline takes, or a failure that says what was wrong with it.

import { describe, expect, it } from "vitest";
import { type FailureType, failureTypes } from "../../../src/job/failure.js";
import { continued, failed, type Outcome, outcomeFrom, succeeded } from "../../../src/job/outcome.js";
import { check, refuse } from "./outcome-checks.js";

describe("the constructors", () => {
  it("make outcomes that pass the check unchanged", () => {
    const revision = { revision: "r", changeIdentifier: "c", created: "2026-01-02T03:04:05.678Z", summary: "s" };
    const outcomes: readonly Outcome[] = [
      succeeded(),
      succeeded({ summary: "s", externalExecutionId: "e", revision, outputVariables: { A: "1", B: "" } }),
      continued("token"),
      continued("token", { percentComplete: 0, summary: "s", externalExecutionId: "e" }),
      continued("token", { percentComplete: 100 }),
      failed("no"),
      failed("no", { type: "RevisionOutOfSync", externalExecutionId: "e" }),
    ];
    for (const outcome of outcomes) check(outcome, outcome);
  });

  it("give the same whether an outcome came as an object or as a document", () => {
    const outcome = succeeded({ summary: "s", outputVariables: { __proto__x: "1" } });
    check(JSON.parse(JSON.stringify(outcome)), outcome);
  });

  it("fail as JobFailed with a reason unless told otherwise", () => {
    expect(failed("")).toEqual({
      kind: "failed",
      type: "JobFailed",
      message: "the job failed (JobFailed) without a reason",
    });
    expect(failed("m".repeat(9_000)).message).toHaveLength(5_000);
  });
});

describe("the texts of an outcome", () => {
  const broken = "a\0b\ud83dc\u001bd";
  const whole = "a\ufffdb\ufffdc\ufffdd";

  it("are well-formed wherever a handler may put one", () => {
    const given = { summary: broken, externalExecutionId: broken };
    const made = { summary: whole, externalExecutionId: whole };
    check(
      { kind: "continued", continuationToken: "t", ...given },
      { kind: "continued", continuationToken: "t", ...made },
    );
    const revision = { revision: broken, changeIdentifier: broken, summary: broken };
    check(
      { kind: "succeeded", ...given, revision },
      { kind: "succeeded", ...made, revision: { revision: whole, changeIdentifier: whole, summary: whole } },
    );
    const failure = { type: "JobFailed", externalExecutionId: broken };
    check(
      { kind: "failed", ...failure, message: broken },
      { kind: "failed", ...failure, message: whole, externalExecutionId: whole },
    );
    // Behind an ESC a letter is half of an escape sequence, which goes with it.
    expect(failed(`${broken} \u001b[31mred\u001b[0m`, { externalExecutionId: broken })).toMatchObject({
      message: "a\ufffdb\ufffdc red",
      externalExecutionId: whole,
    });
  });

  it("are well-formed in what is said of an invalid outcome", () => {
    refuse({ kind: "\ud83d" }, '"kind" is "\\ud83d"');
    refuse({ kind: "failed", type: ["\ud83d\0"] }, "failure type \ufffd\ufffd;");
  });

  it("hide a secret before a character in it is replaced", () => {
    const mask = (text: string) => text.replaceAll("se\0cret", "[secret]");
    expect(outcomeFrom({ kind: "succeeded", summary: "se\0cret" }, "Custom", mask)).toEqual({
      kind: "succeeded",
      summary: "[secret]",
    });
  });
});

describe("what is no outcome at all", () => {
  it.each<readonly [string, unknown, string]>([
    ["undefined", undefined, "nothing (return succeeded(), continued() or failed())"],
    ["null", null, "nothing"],
    ["a text", "succeeded", 'a string, not an object with a "kind"'],
    ["an empty text", "", "a string"],
    ["true", true, "a boolean"],
    ["zero", 0, "a number"],
    ["NaN", Number.NaN, "a number"],
    ["a BigInt", 1n, "a bigint"],
    ["a symbol", Symbol("succeeded"), "a symbol"],
    ["a function", () => succeeded(), "a function"],
    ["a list", [succeeded()], "a list"],
    ["an empty object", {}, '"kind" is undefined'],
    ["a Date", new Date(0), '"kind" is undefined'],
    ["a Map", new Map([["kind", "succeeded"]]), '"kind" is undefined'],
    ["a promise that nobody awaited", Promise.resolve(succeeded()), '"kind" is undefined'],
    ["a class", class Succeeded {}, "a function"],
    ["another kind", { kind: "success" }, '"kind" is "success"; it must be "succeeded", "continued" or "failed"'],
    ["a kind in capitals", { kind: "SUCCEEDED" }, '"kind" is "SUCCEEDED"'],
    ["a kind with a space", { kind: "succeeded " }, '"kind" is "succeeded "'],
    ["a kind that only a prototype knows", { kind: "constructor" }, '"kind" is "constructor"'],
    ["a kind in an object", { kind: { toString: () => "succeeded" } }, '"kind" is'],
    ["a kind in a String object", { kind: Object("succeeded") }, '"kind" is'],
    ["a symbol as kind", { kind: Symbol("succeeded") }, '"kind" is Symbol(succeeded)'],
    ["a BigInt as kind", { kind: 1n }, '"kind" is 1'],
  ])("is a failure that names it: %s", (_what, value, reason) => {
    refuse(value, reason);
  });

  it("shows no more than a line of a huge kind", () => {
    const outcome = outcomeFrom({ kind: "x".repeat(50_000_000) }, "Custom");
    expect(outcome).toMatchObject({ kind: "failed" });
    expect((outcome as Outcome & { kind: "failed" }).message.length).toBeLessThan(300);
  });
});

describe("what throws when it is read", () => {
  const boom = () => {
    throw new Error("the secret detail");
  };
  const throwing = (name: string, rest: object) =>
    Object.defineProperty({ ...rest }, name, { enumerable: true, get: boom });
  const revokedProxy = (target: object = {}) => {
    const { proxy, revoke } = Proxy.revocable(target, {});
    revoke();
    return proxy;
  };
  /** Throws something that throws again when it is looked at. */
  const throwsTheUnreadable = {
    get kind() {
      throw revokedProxy();
    },
  };

  it.each<readonly [string, unknown]>([
    ["kind", throwing("kind", {})],
    ["summary", throwing("summary", { kind: "succeeded" })],
    ["externalExecutionId", throwing("externalExecutionId", { kind: "failed", message: "m" })],
    ["continuationToken", throwing("continuationToken", { kind: "continued" })],
    ["percentComplete", throwing("percentComplete", { kind: "continued", continuationToken: "t" })],
    ["message", throwing("message", { kind: "failed" })],
    ["revision", throwing("revision", { kind: "succeeded" })],
    [
      "revision.created",
      { kind: "succeeded", revision: throwing("created", { revision: "r", changeIdentifier: "c" }) },
    ],
    ["an output variable", { kind: "succeeded", outputVariables: throwing("A", {}) }],
    [
      "a date's time",
      { kind: "succeeded", revision: { revision: "r", changeIdentifier: "c", created: badDate(boom) } },
    ],
    ["a text's conversion", { kind: Object.assign(Object.create(null), {}) }],
    ["a proxy that refuses", new Proxy({}, { get: boom })],
    ["a proxy that was revoked", revokedProxy()],
    ["a proxy of a function that was revoked", revokedProxy(() => {})],
    ["variables that refuse to be listed", { kind: "succeeded", outputVariables: new Proxy({}, { ownKeys: boom }) }],
    ["a member that throws something unreadable", throwsTheUnreadable],
  ])("is a failure too: %s", (_what, value) => {
    refuse(value, "the handler returned an ");
    expect(JSON.stringify(outcomeFrom(value, "Custom"))).not.toContain("the secret detail");
  });

  function badDate(getTime: () => never): Date {
    return Object.assign(new Date(0), { getTime });
  }
});

describe("a success", () => {
  it("leaves out empty optional texts and members that it does not know", () => {
    check(
      {
        kind: "succeeded",
        summary: "",
        externalExecutionId: "",
        outputVariables: {},
        percentComplete: 40,
        x: { y: 1 },
      },
      { kind: "succeeded" },
    );
    check({ kind: "succeeded", summary: null, externalExecutionId: null, revision: null }, { kind: "succeeded" });
    check({ kind: "succeeded", continuationToken: null }, { kind: "succeeded" });
  });

  it.each([
    ["a number", 42, "42"],
    ["zero", 0, "0"],
    ["false", false, "false"],
    ["a BigInt", 7n, "7"],
  ])("writes out a summary that is %s", (_what, summary, expected) => {
    check({ kind: "succeeded", summary }, { kind: "succeeded", summary: expected });
  });

  it.each<readonly [string, unknown]>([
    ["an object", {}],
    ["a list", ["a"]],
    ["a symbol", Symbol("s")],
    ["a function", () => "s"],
    ["a Date", new Date(0)],
  ])("refuses a summary that is %s", (_what, summary) => {
    refuse({ kind: "succeeded", summary }, '"summary" is not a string');
    refuse({ kind: "succeeded", externalExecutionId: summary }, '"externalExecutionId" is not a string');
  });

  it.each([
    ["summary", 2_048],
    ["externalExecutionId", 1_500],
  ])("keeps %s within %i characters, marked and without half a character", (member, max) => {
    check({ kind: "succeeded", [member]: "s".repeat(max) }, { kind: "succeeded", [member]: "s".repeat(max) });
    for (const text of ["s".repeat(max + 1), "😀".repeat(max), `s${"😀".repeat(max)}`, "s".repeat(20_000_000)]) {
      const outcome = outcomeFrom({ kind: "succeeded", [member]: text }, "Custom") as unknown as Record<string, string>;
      expect(outcome[member]?.length).toBeLessThanOrEqual(max);
      expect(outcome[member]?.length).toBeGreaterThanOrEqual(max - 1);
      expect(outcome[member]?.isWellFormed()).toBe(true);
      expect(outcome[member]).toContain("[truncated by partnerd]");
    }
  });

  it("cannot carry a continuation token: then the work is not done", () => {
    refuse({ kind: "succeeded", continuationToken: "t" }, 'return "continued" if the work continues');
    refuse({ kind: "succeeded", continuationToken: "" }, 'return "continued" if the work continues');
  });

  it("takes an outcome whose members are inherited", () => {
    class Done {
      get kind() {
        return "succeeded";
      }
      get summary() {
        return "s";
      }
    }
    check(new Done(), { kind: "succeeded", summary: "s" });
    check(Object.assign(Object.create(null), { kind: "succeeded" }), { kind: "succeeded" });
  });

  it("is a plain object of its own, so that nothing the handler keeps can change it", () => {
    const variables: Record<string, string> = { A: "1" };
    const given = { kind: "succeeded", outputVariables: variables };
    const outcome = outcomeFrom(given, "Custom");
    variables["A"] = "2";
    variables["B"] = "3";
    expect(outcome).toEqual({ kind: "succeeded", outputVariables: { A: "1" } });
  });
});

describe("a failure", () => {
  it.each(failureTypes)("keeps the type %s", (type: FailureType) => {
    check({ kind: "failed", type, message: "m" }, { kind: "failed", type, message: "m" });
  });

  it.each<readonly [unknown, string]>([
    ["PermissionsError", '"PermissionsError"'],
    ["", '""'],
    ["jobfailed", '"jobfailed"'],
    ["constructor", '"constructor"'],
    [["JobFailed"], "JobFailed"],
    [7, "7"],
  ])("refuses the type %o and says which there are", (type, shown) => {
    refuse({ kind: "failed", type, message: "m" }, `failure type ${shown}; it must be one of JobFailed, `);
  });

  it.each([undefined, null, "", "  ", "\n"])("gets a reason when its message is %j", (message) => {
    check(
      { kind: "failed", type: "SystemUnavailable", message },
      {
        kind: "failed",
        type: "SystemUnavailable",
        message: "the job failed (SystemUnavailable) without a reason",
      },
    );
  });

  it("is JobFailed without a type, and its long message is marked", () => {
    const outcome = outcomeFrom({ kind: "failed", message: "😀".repeat(4_000) }, "Custom") as Outcome & {
      kind: "failed";
    };
    expect(outcome.type).toBe("JobFailed");
    expect(outcome.message.length).toBeLessThanOrEqual(5_000);
    expect(outcome.message.isWellFormed()).toBe(true);
    expect(outcome.message).toContain("[truncated by partnerd]");
  });
});
