// Outcomes with members of their own rules: continuation tokens, revisions, output variables.
import { describe, expect, it } from "vitest";
import { type Outcome, outcomeFrom } from "../../../src/job/outcome.js";
import { check, refuse } from "./outcome-checks.js";

const uncarriable = [
  ["a NUL", "\0"],
  ["a high surrogate alone", "\ud83d"],
  ["a low surrogate alone", "\ude00"],
  ["a pair the wrong way round", "\ude00\ud83d"],
] as const;
/** Whether CodePipeline takes them is CodePipeline's to say. */
const carriable = [
  ["a pair", "\ud83d\ude00"],
  ["a separator", "\u001f"],
  ["line ends and tabs", "\r\n\t"],
  ["the replacement character itself", "\ufffd"],
] as const;

describe("a continuation", () => {
  it.each<readonly [string, unknown]>([
    ["none", undefined],
    ["null", null],
    ["an empty one", ""],
    ["a number", 7],
    ["an object", { state: 1 }],
  ])("needs a token: %s will not do", (_what, continuationToken) => {
    refuse({ kind: "continued", continuationToken }, '"continued" without a continuationToken');
  });

  it("takes a token of the limit and never shortens a longer one, which would be another token", () => {
    const token = "t".repeat(2_048);
    check({ kind: "continued", continuationToken: token }, { kind: "continued", continuationToken: token });
    refuse(
      { kind: "continued", continuationToken: `${token}t` },
      "a continuationToken of 2049 characters (at most 2048)",
    );
    refuse({ kind: "continued", continuationToken: "😀".repeat(1_025) }, "2050 characters");
  });

  it.each(uncarriable)("refuses a token with %s: altered, it would be another token", (_what, character) => {
    for (const continuationToken of [character, `a${character}`, `${character}b`, `a${character}b`]) {
      refuse({ kind: "continued", continuationToken }, "a continuationToken with a NUL or half a character");
    }
  });

  it.each(carriable)("takes a token with %s as it is", (_what, character) => {
    const outcome = { kind: "continued", continuationToken: `a${character}b` };
    check(outcome, outcome);
  });

  it("does not show the token that it refuses", () => {
    const outcome = outcomeFrom({ kind: "continued", continuationToken: "state-".repeat(1_000) }, "Custom");
    expect(JSON.stringify(outcome)).not.toContain("state-");
  });

  it.each([0, 1, 99, 100, -0])("takes percentComplete %d", (percentComplete) => {
    const outcome = outcomeFrom({ kind: "continued", continuationToken: "t", percentComplete }, "Custom");
    expect(JSON.parse(JSON.stringify(outcome))).toEqual({
      kind: "continued",
      continuationToken: "t",
      percentComplete: percentComplete + 0,
    });
  });

  it.each<readonly [unknown, string]>([
    [140, "140"],
    [101, "101"],
    [-1, "-1"],
    [1.5, "1.5"],
    [Number.NaN, "NaN"],
    [Number.POSITIVE_INFINITY, "Infinity"],
    ["40", '"40"'],
    ["40%", '"40%"'],
    ["", '""'],
    [40n, "40"],
    [true, "true"],
    [[40], "40"],
    [{}, "[object Object]"],
    [Object(40), "40"],
  ])("refuses percentComplete %o", (percentComplete, shown) => {
    refuse(
      { kind: "continued", continuationToken: "t", percentComplete },
      `percentComplete is ${shown}; it must be a whole number from 0 to 100`,
    );
  });

  it("cannot carry output variables, not even none", () => {
    refuse(
      { kind: "continued", continuationToken: "t", outputVariables: { A: "1" } },
      "only the last job may set them",
    );
    refuse({ kind: "continued", continuationToken: "t", outputVariables: {} }, "only the last job may set them");
  });

  it("keeps summary and execution id within their limits", () => {
    const outcome = outcomeFrom(
      { kind: "continued", continuationToken: "t", summary: "s".repeat(9_999), externalExecutionId: "e".repeat(9_999) },
      "ThirdParty",
    ) as Outcome & { kind: "continued" };
    expect(outcome.summary).toHaveLength(2_048);
    expect(outcome.externalExecutionId).toHaveLength(1_500);
  });
});

describe("a revision", () => {
  const full = { revision: "r", changeIdentifier: "c" };
  const withRevision = (revision: unknown) => ({ kind: "succeeded", revision });

  it.each<readonly [string, unknown]>([
    ["a text", "r"],
    ["a list", ["r"]],
    ["a number", 1],
    ["true", true],
  ])("must be an object: %s will not do", (_what, revision) => {
    refuse(withRevision(revision), '"revision" is not an object');
  });

  it.each<readonly [string, object]>([
    ["no revision", { changeIdentifier: "c" }],
    ["no change identifier", { revision: "r" }],
    ["an empty revision", { ...full, revision: "" }],
    ["an empty change identifier", { ...full, changeIdentifier: "" }],
    ["nothing", {}],
  ])("needs both texts: %s", (_what, revision) => {
    refuse(withRevision(revision), 'needs both "revision" and "changeIdentifier"');
  });

  it("keeps its texts within their limits", () => {
    const { revision } = outcomeFrom(
      withRevision({ revision: "r".repeat(5_000), changeIdentifier: "c".repeat(5_000), summary: "s".repeat(5_000) }),
      "Custom",
    ) as Outcome & { kind: "succeeded" };
    expect(revision?.revision).toHaveLength(1_500);
    expect(revision?.changeIdentifier).toHaveLength(100);
    expect(revision?.summary).toHaveLength(2_048);
  });

  it.each<readonly [string, unknown, string]>([
    ["a Date", new Date(Date.UTC(2026, 0, 2)), "2026-01-02T00:00:00.000Z"],
    ["ISO 8601 in UTC", "2026-01-02T00:00:00Z", "2026-01-02T00:00:00.000Z"],
    ["ISO 8601 with an offset", "2026-01-02T02:00:00+02:00", "2026-01-02T00:00:00.000Z"],
  ])("writes its time as ISO 8601: %s", (_what, created, expected) => {
    check(withRevision({ ...full, created }), withRevision({ ...full, created: expected }));
  });

  it.each(["", null, undefined])("leaves its time out when it is %j", (created) => {
    check(withRevision({ ...full, created, summary: "" }), withRevision(full));
  });

  it.each<readonly [string, unknown]>([
    ["no time", "yesterday"],
    ["an impossible day", "2026-13-45T00:00:00Z"],
    ["an invalid Date", new Date(Number.NaN)],
    ["a time beyond all dates", 1e300],
    ["true", true],
    ["a list", ["2026-01-02"]],
    ["an object", {}],
  ])("refuses a time that is %s", (_what, created) => {
    refuse(withRevision({ ...full, created }), "revision.created is ");
  });
});

describe("output variables", () => {
  const withVariables = (outputVariables: unknown) => ({ kind: "succeeded", outputVariables });

  it("are refused from a third-party handler, whose API has none", () => {
    refuse(withVariables({ A: "1" }), "only custom actions have them", "ThirdParty");
    check(withVariables({}), { kind: "succeeded" }, "ThirdParty");
  });

  it.each<readonly [string, unknown]>([
    ["a text", "A=1"],
    ["a list", ["A"]],
    ["a number", 1],
  ])("must be an object: %s will not do", (_what, variables) => {
    refuse(withVariables(variables), '"outputVariables" is not an object of strings');
  });

  it.each<readonly [string, unknown]>([
    ["a number", 1],
    ["null", null],
    ["undefined", undefined],
    ["an object", {}],
    ["a BigInt", 1n],
  ])("must be texts: %s will not do", (_what, variable) => {
    refuse(withVariables({ A: variable }), "the output variable A is not a string");
  });

  it.each(["", "a b", "a.b", "ä", "a\n", "😀", "A=B"])("refuse the name %j", (name) => {
    refuse(withVariables({ [name]: "1" }), "names are made of letters, digits, @, - and _");
  });

  it.each(uncarriable)("are refused with %s, and not altered", (_what, character) => {
    refuse(withVariables({ A: "1", B: `a${character}b` }), "the output variable B with a NUL or half a character");
  });

  it.each(carriable)("keep %s", (_what, character) => {
    check(withVariables({ A: `a${character}b` }), withVariables({ A: `a${character}b` }));
  });

  it("keep empty values and names that objects know by themselves", () => {
    const given = JSON.parse('{"__proto__":"1","constructor":"2","toString":"3","A":""}') as object;
    const outcome = outcomeFrom(withVariables(given), "Custom") as Outcome & { kind: "succeeded" };
    expect(Object.entries(outcome.outputVariables ?? {})).toEqual([
      ["__proto__", "1"],
      ["constructor", "2"],
      ["toString", "3"],
      ["A", ""],
    ]);
    expect(JSON.parse(JSON.stringify(outcome.outputVariables))).toEqual(given);
  });

  it.each<readonly [string, string, number]>([
    ["of one byte", "v", 1],
    ["of two bytes", "é", 2],
    ["of three bytes", "漢", 3],
    ["of four bytes", "😀", 4],
    ["that are the last of one byte", "\u007f", 1],
    ["that are the first of two bytes", "\u0080", 2],
    ["that are the last of two bytes", "\u07ff", 2],
    ["that are the first of three bytes", "\u0800", 3],
    ["that are the last of three bytes", "\uffff", 3],
    ["that are the first of four bytes", "\u{10000}", 4],
  ])("may have 122,880 bytes together, names counted, with characters %s", (_what, character, bytes) => {
    const room = 122_880 - "A".length - "B".length;
    const fits = character.repeat(Math.floor(room / bytes));
    const rest = "v".repeat(room % bytes);
    expect(Buffer.byteLength(fits + rest)).toBe(room);
    check(withVariables({ A: fits, B: rest }), withVariables({ A: fits, B: rest }));
    refuse(withVariables({ A: fits, B: `${rest}v` }), "output variables of more than 122880 bytes together");
  });

  it("count their names", () => {
    const name = "N".repeat(1_000);
    const value = "v".repeat(122_880 - 1_000);
    check(withVariables({ [name]: value }), withVariables({ [name]: value }));
    refuse(withVariables({ [`${name}N`]: value }), "more than 122880 bytes");
  });

  it("are never shown when they are refused", () => {
    const outcome = outcomeFrom(withVariables({ A: "hidden-value".repeat(20_000) }), "Custom");
    expect(outcome.kind).toBe("failed");
    expect(JSON.stringify(outcome)).not.toContain("hidden-value");
  });
});
