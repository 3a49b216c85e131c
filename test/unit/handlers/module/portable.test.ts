import { serialize } from "node:v8";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  endOf,
  errorOf,
  portableError,
  portableFields,
  portableOutcome,
} from "../../../../src/handlers/module/portable.js";
import { failureFrom, JobFailure } from "../../../../src/job/failure.js";
import { outcomeFrom } from "../../../../src/job/outcome.js";
import { shortageCode } from "../../../../src/job/worker-fault.js";

/** What arrives in the daemon's thread. */
const crossed = (value: unknown): unknown => endOf(structuredClone(portableOutcome(value)));

class Built {
  get kind() {
    return "succeeded";
  }
  get summary() {
    return "from a getter of the class";
  }
}

const odd: readonly unknown[] = [
  undefined,
  null,
  "triumph",
  7,
  10n,
  [],
  new Map(),
  new Built(),
  { kind: "succeeded", summary: () => "text" },
  { kind: "succeeded", summary: 10n },
  { kind: "succeeded", summary: { toString: () => "text" } },
  { kind: "succeeded", revision: [] },
  { kind: "succeeded", revision: "r" },
  { kind: "succeeded", revision: { revision: "r", changeIdentifier: "c", created: new Date(0) } },
  { kind: "succeeded", revision: { revision: "r", changeIdentifier: "c", created: new Date(Number.NaN) } },
  { kind: "succeeded", outputVariables: JSON.parse('{"__proto__": "x", "a": "b"}') },
  { kind: "succeeded", outputVariables: { a: 1 } },
  { kind: "succeeded", outputVariables: { a: () => {} } },
  { kind: "succeeded", unknown: () => {} },
  { kind: "continued", continuationToken: "t", percentComplete: "7" },
  { kind: "failed", type: {}, message: "m" },
  {
    get kind() {
      throw new Error("no");
    },
  },
  Proxy.revocable({}, {}).proxy,
];

describe("an outcome that comes from another thread", () => {
  it.each(odd.map((value, n) => [n, value]))("means the same as in this one (%i)", (_n, value) => {
    for (const owner of ["Custom", "ThirdParty"] as const) {
      expect(outcomeFrom(crossed(value), owner)).toEqual(outcomeFrom(value, owner));
    }
  });

  it.each([Symbol("s"), () => {}, { kind: () => {} }, { kind: Symbol("s") }].map((value) => [value]))(
    "is as invalid as in this one when it cannot be copied: %s",
    (value) => {
      const outcome = outcomeFrom(crossed(value), "Custom");
      expect(outcome).toMatchObject({ kind: "failed", message: expect.stringContaining("invalid outcome") });
      expect(outcomeFrom(value, "Custom")).toMatchObject({ message: expect.stringContaining("invalid outcome") });
    },
  );

  it("means the same as in this one, whatever it is", () => {
    const leaf = fc.oneof(
      fc.string(),
      fc.integer(),
      fc.constant(undefined),
      fc.constant(null),
      fc.date(),
      fc.boolean(),
    );
    const outcome = fc.record(
      {
        kind: fc.constantFrom("succeeded", "continued", "failed", "other", 7),
        summary: leaf,
        externalExecutionId: leaf,
        revision: fc.oneof(leaf, fc.record({ revision: leaf, changeIdentifier: leaf, created: leaf, summary: leaf })),
        outputVariables: fc.oneof(leaf, fc.dictionary(fc.string(), leaf)),
        continuationToken: leaf,
        percentComplete: fc.oneof(leaf, fc.integer({ min: 0, max: 100 })),
        type: fc.constantFrom("JobFailed", "PermissionError", "other", undefined),
        message: leaf,
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(
        fc.oneof(outcome, fc.anything()),
        fc.constantFrom("Custom" as const, "ThirdParty" as const),
        (value, owner) => {
          expect(outcomeFrom(crossed(value), owner)).toEqual(outcomeFrom(value, owner));
        },
      ),
    );
  });
});

describe("what is too long to be copied whole", () => {
  const long = "x".repeat(8 * 1024 * 1024);
  const mebibyte = 1024 * 1024;

  it.each<[string, unknown]>([
    ["a summary", { kind: "succeeded", summary: long }],
    ["a kind", { kind: long }],
    ["a token", { kind: "continued", continuationToken: long }],
    ["an output variable", { kind: "succeeded", outputVariables: { a: long } }],
    ["the name of an output variable", { kind: "succeeded", outputVariables: { [long]: "a" } }],
    [
      "many output variables",
      {
        kind: "succeeded",
        outputVariables: Object.fromEntries(Array.from({ length: 300_000 }, (_, n) => [`v${n}`, ""])),
      },
    ],
    ["a huge number", { kind: "failed", message: 7n ** 400_000n }],
  ])("is bounded, and the verdict is the same: %s", (_name, value) => {
    const copy = portableOutcome(value);
    expect(serialize(copy).length).toBeLessThan(4 * mebibyte);
    const { kind } = outcomeFrom(endOf(copy), "Custom");
    expect(kind).toBe(outcomeFrom(value, "Custom").kind);
  });

  it.each<[string, unknown]>([
    ["a message", new Error(long)],
    ["a text", long],
    ["an object", { long }],
    ["an execution id", Object.assign(new JobFailure("JobFailed", "m"), { externalExecutionId: long })],
    ["a code", Object.assign(new Error("m"), { code: long })],
  ])("is bounded where it is thrown: %s", (_name, thrown) => {
    expect(serialize(portableError(thrown)).length).toBeLessThan(4 * mebibyte);
    expect(failureFrom(errorOf(portableError(thrown)))).toEqual(failureFrom(thrown));
  });

  it.each<[string, Record<string, unknown>]>([
    ["a text", { long }],
    ["many texts", Object.fromEntries(Array.from({ length: 50 }, (_, n) => [`f${n}`, "x".repeat(100_000)]))],
    ["a list", { list: Array.from({ length: 1_000_000 }, () => "x") }],
    ["an error", { err: new Error(long) }],
    ["a huge number", { n: 7n ** 400_000n }],
  ])("is bounded in a log line, which says so: %s", (_name, fields) => {
    const portable = portableFields({ first: "kept", ...fields });
    expect(serialize(portable).length).toBeLessThan(4 * mebibyte);
    expect(portable.fields["first"]).toBe("kept");
    expect(portable.chars).toBeLessThan(2 * mebibyte);
  });
});

describe("what was thrown in another thread", () => {
  const withMembers = (members: object) => Object.assign(new JobFailure("PermissionError", "m"), members);
  it.each(
    [
      [new Error("plain")],
      [new Error("")],
      [new JobFailure("RevisionUnavailable", "gone", { externalExecutionId: "x-1" })],
      [new JobFailure("RevisionUnavailable", "")],
      [withMembers({ message: 7 })],
      [withMembers({ externalExecutionId: 7 })],
      ["a text"],
      [undefined],
      [{ a: 1 }],
      [
        Object.defineProperty(new Error("x"), "message", {
          get: () => {
            throw new Error("twice");
          },
        }),
      ],
    ].map(([thrown], n) => [n, thrown]),
  )("fails the job as it would in this one (%i)", (_n, thrown) => {
    expect(failureFrom(errorOf(structuredClone(portableError(thrown))))).toEqual(failureFrom(thrown));
  });
});

describe("what the system refused a handler in another thread", () => {
  const refused = (members: object) => Object.assign(new Error("EMFILE: too many open files, open 'x'"), members);
  it.each([
    ["open files", refused({ code: "EMFILE", errno: -24, syscall: "open" })],
    ["disk space", refused({ code: "ENOSPC", errno: -28, syscall: "write" })],
    ["its words under Node's own code", refused({ code: "ERR_FS", syscall: "open" })],
    ["a file that is not there", refused({ code: "ENOENT", errno: -2, syscall: "open" })],
    ["no member of the system's", refused({})],
    ["members of other kinds", refused({ code: Symbol("EMFILE"), errno: {}, syscall: () => "open" })],
  ])("is known as it would be in this one: %s", (_name, thrown) => {
    const copy = errorOf(structuredClone(portableError(thrown)));
    const known = (error: Error) => ["syscall" in error, shortageCode(error), failureFrom(error)];
    expect(known(copy)).toEqual(known(thrown));
  });
});
