import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Call } from "../../../src/emulator/emulator-events.js";
import type { FaultDocument } from "../../../src/emulator/injected-faults.js";
import { Faults, isApplied, mistakesInFault } from "../../../src/emulator/injected-faults.js";

const call: Call = {
  id: "c",
  operation: "PollForJobs",
  region: "us-east-1",
  atMs: 0,
  actionType: "Custom/Build/Acme/1",
};

function strikes(document: FaultDocument, at: Call = call): boolean {
  const faults = new Faults({ seed: 1 });
  faults.add(document);
  return faults.strike(at).length === 1;
}

describe("a fault strikes", () => {
  test.each([
    [{}, true],
    [{ operations: ["GetJobDetails", "PollForJobs"] }, true],
    [{ operations: ["GetJobDetails"] }, false],
    [{ region: "eu-west-1" }, false],
    [{ actionType: { provider: "Acme", owner: "Custom" } }, true],
    [{ actionType: { provider: "Acme", version: "2" } }, false],
    [{ jobId: "j" }, false],
    [{ clientId: "c" }, false],
    [{ probability: 0 }, false],
    [{ probability: 1 }, true],
    [{ after: 1 }, false],
  ] as const)("with %j: %s", (part, expected) => {
    expect(strikes({ kind: "throttle", ...part })).toBe(expected);
  });

  test("no call without a type when it names one", () => {
    const { actionType: _actionType, ...untyped } = call;
    expect(strikes({ kind: "throttle", actionType: {} }, untyped)).toBe(false);
  });

  test("every call of several kinds that add up, but only one that spoils the answer", () => {
    const faults = new Faults({ seed: 1 });
    const kinds = ["latency", "html", "throttle", "wrong-clock", "refuse-connections", "latency"] as const;
    for (const kind of kinds) faults.add({ kind });
    expect(faults.strike(call).map((fault) => fault.kind)).toEqual(["latency", "html", "wrong-clock", "latency"]);
    expect(faults.list().map((fault) => fault.struck)).toEqual([1, 1, 0, 1, 0, 1]);
  });
});

test("times and after count only calls that match", () => {
  const faults = new Faults({ seed: 1 });
  faults.add({ kind: "throttle", operations: ["PollForJobs"], after: 1, times: 1 });
  const struck = ["GetJobDetails", "PollForJobs", "GetJobDetails", "PollForJobs", "PollForJobs"].map(
    (operation) => faults.strike({ ...call, operation }).length,
  );
  expect(struck).toEqual([0, 0, 0, 1, 0]);
  expect(faults.list()).toEqual([]);
});

test("chance keeps near its probability, whatever the seed", async () => {
  await fc.assert(
    fc.property(fc.nat(), fc.constantFrom(0.1, 0.5, 0.9), (seed, probability) => {
      const faults = new Faults({ seed });
      faults.add({ kind: "throttle", probability });
      let struck = 0;
      for (let calls = 0; calls < 2_000; calls++) struck += faults.strike(call).length;
      // Six standard deviations of a fair coin: a fault of the generator, not of luck.
      expect(Math.abs(struck - 2_000 * probability)).toBeLessThan(140);
    }),
    { numRuns: 30 },
  );
});

test("ids are given where none is, past those that are taken", () => {
  const faults = new Faults({ seed: 1 });
  expect([faults.add({ id: "fault-1", kind: "html" }), faults.add({ kind: "html" })]).toEqual(["fault-1", "fault-2"]);
  expect([faults.remove("fault-1"), faults.remove("fault-1")]).toEqual([true, false]);
});

test("what takes effect all the same is told by kind, or by the fault itself", () => {
  expect(isApplied({ kind: "lost-answer" })).toBe(true);
  expect(isApplied({ kind: "reset" })).toBe(false);
  expect(isApplied({ kind: "reset", applied: true })).toBe(true);
  expect(isApplied({ kind: "lost-answer", applied: false })).toBe(false);
});

test("mistakes that lie between members are all told", () => {
  expect(mistakesInFault({ id: "x", kind: "latency", operations: ["A", "PollForJobs", "B"] }, () => true)).toEqual([
    "id: a fault with this id exists already",
    "ms: is required for latency",
    "operations: there is no A",
    "operations: there is no B",
  ]);
  expect(mistakesInFault({ kind: "wrong-clock" }, () => false)).toHaveLength(1);
  expect(mistakesInFault({ kind: "error" }, () => false)).toHaveLength(1);
});
