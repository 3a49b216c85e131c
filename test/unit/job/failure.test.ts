import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";
import {
  type FailureDetails,
  type FailureType,
  failureDetails,
  failureFrom,
  failureTypes,
  isJobFailure,
  JobFailure,
  messageOf,
} from "../../../src/job/failure.js";

/** A JobFailure as another copy of this package makes it: same name, another class. */
class ForeignJobFailure extends Error {
  override readonly name = "JobFailure";
  readonly type: unknown;
  constructor(type: unknown, message: string) {
    super(message);
    this.type = type;
  }
}

function revoked(): unknown {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

function ring(): unknown {
  const list: unknown[] = [];
  list.push(list);
  return list;
}

function refuse(): never {
  throw new Error("no");
}

/** An Error whose member of that name throws when it is read. */
function throwingMember(name: string, error: Error = new Error("m")): Error {
  return Object.defineProperty(error, name, {
    get() {
      throw new Error("read me not");
    },
  });
}

function withMember(name: string, value: unknown, error: Error = new JobFailure("JobFailed", "m")): Error {
  return Object.defineProperty(error, name, { value });
}

/** Whatever was thrown, what is made of it fits PutJobFailureResult. */
function expectPuttable(details: FailureDetails): void {
  expect(failureTypes).toContain(details.type);
  expect(typeof details.message).toBe("string");
  expect(details.message.length).toBeGreaterThanOrEqual(1);
  expect(details.message.length).toBeLessThanOrEqual(5_000);
  expect(details.message.isWellFormed()).toBe(true);
  expect(details.message).not.toContain("\0");
  if ("externalExecutionId" in details) {
    expect(typeof details.externalExecutionId).toBe("string");
    expect(details.externalExecutionId?.length).toBeGreaterThanOrEqual(1);
    expect(details.externalExecutionId?.length).toBeLessThanOrEqual(1_500);
  }
}

describe("a JobFailure", () => {
  it.each(failureTypes)("keeps the type %s that its handler chose", (type) => {
    expect(failureFrom(new JobFailure(type, "no such bucket", { externalExecutionId: "run-7" }))).toEqual({
      type,
      message: "no such bucket",
      externalExecutionId: "run-7",
    });
  });

  it("is an Error with a cause when one was given, and without one otherwise", () => {
    const cause = new Error("ENOENT");
    const failure = new JobFailure("ConfigurationError", "no file", { cause });
    expect(failure).toBeInstanceOf(Error);
    expect(failure.cause).toBe(cause);
    expect("cause" in new JobFailure("JobFailed", "m")).toBe(false);
  });

  it("is recognised when another copy of the package made it", () => {
    expect(isJobFailure(new ForeignJobFailure("PermissionError", "m"))).toBe(true);
    expect(failureFrom(new ForeignJobFailure("PermissionError", "m")).type).toBe("PermissionError");
  });

  it.each([
    ["an unknown type", new ForeignJobFailure("PermissionsError", "m")],
    ["no type", Object.assign(new Error("m"), { name: "JobFailure" })],
    ["a type that only a prototype knows", new ForeignJobFailure("constructor", "m")],
    ["a list as its type", new ForeignJobFailure(["JobFailed"], "m")],
    ["no Error behind it", { name: "JobFailure", type: "JobFailed", message: "m" }],
    ["another name", Object.assign(new Error("m"), { type: "JobFailed" })],
    ["nothing", undefined],
  ])("is not recognised with %s", (_what, thrown) => {
    expect(isJobFailure(thrown)).toBe(false);
    expect(failureFrom(thrown).type).toBe("JobFailed");
  });
});

describe("failure details", () => {
  it.each(["", " ", "\n\t", " "])("replace the message %j, which the API refuses or nobody can read", (message) => {
    expect(failureDetails("SystemUnavailable", message).message).toBe(
      "the job failed (SystemUnavailable) without a reason",
    );
  });

  it("keep a message of exactly the limit and mark one that is longer", () => {
    expect(failureDetails("JobFailed", "m".repeat(5_000)).message).toBe("m".repeat(5_000));
    const { message } = failureDetails("JobFailed", "m".repeat(5_001));
    expect(message).toHaveLength(5_000);
    expect(message).toContain("[truncated by partnerd]");
  });

  it("leave out an empty external execution id and shorten a long one", () => {
    expect(failureDetails("JobFailed", "m", "")).toEqual({ type: "JobFailed", message: "m" });
    expect(failureDetails("JobFailed", "m", "e".repeat(1_501)).externalExecutionId).toHaveLength(1_500);
  });
});

/** Made in a realm of its own. */
function elsewhere(code: string): unknown {
  return runInNewContext(code);
}

function ringThatSays(message: string): unknown {
  return Object.assign(ring() as object, { message });
}

describe("what was thrown", () => {
  it.each<readonly [string, unknown, string]>([
    ["an Error", new Error("disk full"), "disk full"],
    ["an Error without a message", new RangeError(), "RangeError"],
    ["a text", "disk full", "disk full"],
    ["an object", { code: 7 }, '{"code":7}'],
    ["a list", [1, "a"], '[1,"a"]'],
    ["undefined", undefined, "undefined"],
    ["null", null, "null"],
    ["a number", Number.NaN, "NaN"],
    ["a BigInt", 7n, "7"],
    ["a symbol", Symbol("s"), "Symbol(s)"],
    ["an object that throws as JSON", { toJSON: () => JSON.parse("{") }, "a value that cannot be shown"],
    ["an object that is nothing as JSON", { toJSON: () => undefined }, "[object Object]"],
    ["a ring", ring(), "a value that cannot be shown"],
    ["a ring with a message", ringThatSays("out of cheese"), "out of cheese"],
    ["an error of another realm", elsewhere("new Error('out of wine')"), "out of wine"],
    ["an error of another realm without a message", elsewhere("new RangeError()"), "RangeError"],
    ["several errors in one", new AggregateError([new Error("a"), "b", new Error("c"), new Error("d")]), "a; b; c"],
    ["several errors with a message", new AggregateError([new Error("a")], "all failed"), "all failed"],
    ["several errors that are none", new AggregateError([]), "AggregateError"],
    ["a promise", Promise.resolve(), "[object Promise]"],
    ["an event", new Event("error"), "[object Event]"],
    ["an answer", new Response("busy", { status: 503 }), "[object Response]"],
    ["an empty object", {}, "[object Object]"],
    ["a message that JSON does not show", Object.defineProperty({}, "message", { value: "hidden" }), "hidden"],
    ["a revoked proxy", revoked(), "a value that cannot be shown"],
    ["an Error whose message throws", throwingMember("message"), "a value that cannot be shown"],
    ["an Error whose message is a number", withMember("message", 42, new Error()), "42"],
    ["an Error whose message is an object", withMember("message", { a: 1 }, new Error()), '{"a":1}'],
    ["an Error without message and name", withMember("name", "", new Error()), "an error without a message"],
  ])("says of itself what it can: %s", (_what, thrown, expected) => {
    expect(messageOf(thrown)).toBe(expected);
  });

  it("becomes JobFailed and says that it was the handler", () => {
    expect(failureFrom(new TypeError("x is not a function"))).toEqual({
      type: "JobFailed",
      message: "the handler failed: x is not a function",
    });
  });

  it.each<readonly [string, unknown]>([
    ["nothing", undefined],
    ["an empty text", ""],
    ["a ring", ring()],
    ["a BigInt", 7n],
    ["a symbol", Symbol("s")],
    ["a function", () => "x"],
    ["an object without a prototype", Object.create(null)],
    ["a revoked proxy", revoked()],
    [
      "a proxy that refuses everything",
      new Proxy(new Error("m"), { get: refuse, has: refuse, getPrototypeOf: refuse }),
    ],
    ["an Error whose name throws", throwingMember("name")],
    ["an Error whose message throws", throwingMember("message")],
    ["an Error whose message is a symbol", withMember("message", Symbol("m"), new Error())],
    ["an Error with a message of ten million characters", new Error("m".repeat(10_000_000))],
    ["a JobFailure whose type throws", throwingMember("type", new JobFailure("JobFailed", "m"))],
    ["a JobFailure whose message throws", throwingMember("message", new JobFailure("JobFailed", "m"))],
    ["a JobFailure whose message is a number", withMember("message", 42)],
    ["a JobFailure whose message is an object", withMember("message", { text: "m" })],
    ["a JobFailure whose message is missing", withMember("message", undefined)],
    ["a JobFailure whose execution id throws", throwingMember("externalExecutionId", new JobFailure("JobFailed", "m"))],
    ["a JobFailure whose execution id is a number", withMember("externalExecutionId", 42)],
    ["a JobFailure whose execution id is an object", withMember("externalExecutionId", {})],
    ["a JobFailure whose execution id is null", withMember("externalExecutionId", null)],
  ])("always becomes details that CodePipeline takes: %s", (_what, thrown) => {
    expectPuttable(failureFrom(thrown));
  });

  it("keeps the handler's type even when the rest of its JobFailure makes no sense", () => {
    const failure = new JobFailure("RevisionUnavailable", "m", { externalExecutionId: "e" });
    expect(failureFrom(withMember("message", 42, failure))).toEqual({
      type: "RevisionUnavailable",
      message: "42",
      externalExecutionId: "e",
    });
  });

  it("writes out an execution id that is a number, as an outcome's is", () => {
    const failure = new JobFailure("JobFailed", "m", { externalExecutionId: 42 as unknown as string });
    expect(failureFrom(failure).externalExecutionId).toBe("42");
  });

  it("gives no type that the API does not know", () => {
    const types = new Set<FailureType>(failureTypes);
    for (const thrown of [new ForeignJobFailure("x", "m"), "x", null])
      expect(types.has(failureFrom(thrown).type)).toBe(true);
  });
});
