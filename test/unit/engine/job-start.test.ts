// What one job's start tells, and when: each thing once, and nothing after its end.
import { describe, expect, it } from "vitest";
import { JobStart, type StartChange } from "../../../src/engine/job-start.js";
import type { JobHandler } from "../../../src/handlers/handler.js";
import { WorkerFault } from "../../../src/job/worker-fault.js";
import { FakeClock } from "../../support/fake-clock.js";

const fault = new WorkerFault("handler", "it crashed");
const short = new WorkerFault("machine", "out of open files (EMFILE)", { code: "EMFILE" });
const handler = (saysBegun: boolean): JobHandler => ({
  kind: "module",
  description: "x",
  saysBegun,
  run: async () => {},
  close: async () => {},
});

function given(isProbe = false) {
  const clock = new FakeClock();
  const told: StartChange[] = [];
  const shortages: WorkerFault[] = [];
  const start = new JobStart({
    clock,
    windowMs: 60_000,
    isProbe: () => isProbe,
    mayMeet: () => true,
    meet: async () => true,
    mayEnter: () => true,
    enter: async () => true,
    runsBy: () => {},
    short: (each) => void shortages.push(each),
    change: (_job, change) => void told.push(change),
  });
  return { clock, told, shortages, start };
}

describe("a job's start", () => {
  it.each([
    [true, false, []],
    [false, false, ["begun"]],
    [true, true, ["begun"]],
  ])("has begun when its handler is run: says it itself %s, was promised %s", (saysBegun, isPromised, expected) => {
    const { start, told } = given();
    start.runs(handler(saysBegun), isPromised);
    expect(told.map(({ type }) => type)).toEqual(expected);
  });

  it("tells nothing after its end", () => {
    const { start, told } = given();
    start.ended("sound");
    start.ended(fault);
    start.begun();
    start.unwell(fault);
    start.aside();
    expect(told).toEqual([{ type: "ended", end: "sound", hasBegun: false }]);
  });

  it("takes a shortage to the machine, and says nothing of the handler by it", () => {
    const { start, told, shortages } = given();
    start.unwell(short);
    start.ended(short);
    expect(shortages).toEqual([short, short]);
    expect(told).toEqual([{ type: "ended", end: "unknown", hasBegun: false }]);
  });

  it.each([
    [59_000, fault],
    [61_000, "unknown"],
  ])("counts a crash only soon after it began: %i ms", async (ms, end) => {
    const { start, told, clock } = given();
    start.begun();
    await clock.advance(ms);
    start.ended(fault);
    expect(told.at(-1)).toEqual({ type: "ended", end, hasBegun: true });
  });

  it("shows that the handler works when the one job on trial has lasted", async () => {
    const { start, told, clock } = given(true);
    start.begun();
    await clock.advance(60_000);
    expect(told.at(-1)).toEqual({ type: "ended", end: "sound", hasBegun: true });
  });
});
