// A shortage of the machine: closed at once, open again after a rest and a test that passes, for fewer jobs than before.
import { describe, expect, it } from "vitest";
import { Machine } from "../../../src/engine/machine.js";
import { WorkerFault } from "../../../src/job/worker-fault.js";
import { flightOver } from "../../support/flight.js";

const fault = new WorkerFault("machine", "out of open files (EMFILE)", { code: "EMFILE" });

async function given() {
  const { context, clock, events } = await flightOver({});
  const test = { passes: true, calls: 0 };
  const testMachine = async () => {
    test.calls += 1;
    if (!test.passes) throw new Error("EMFILE");
  };
  const limits = { ...context.limits, maxConcurrentJobs: 10 };
  const machine = new Machine({ ...context, limits, deps: { ...context.deps, testMachine } }, () => {});
  const begin = (count: number) => {
    const jobs = Array.from({ length: count }, () => ({}));
    for (const job of jobs) {
      machine.started(job);
      machine.begun(job);
    }
    return jobs;
  };
  return { machine, clock, events, test, begin };
}

describe("a machine that is short", () => {
  it("takes no job, says so once, and takes one at a time after a rest", async () => {
    const { machine, clock, events } = await given();
    machine.short(fault);
    machine.short(fault);
    expect(machine.closedBy()).toEqual({ reason: "machine-short", message: fault.message });
    expect(events).toEqual([{ type: "machine-short", code: "EMFILE", reason: fault.message }]);
    await clock.advance(1_000);
    expect([machine.closedBy(), machine.mayStart()]).toEqual([undefined, true]);
    machine.started({});
    expect(machine.mayStart()).toBe(false);
  });

  it("stays closed while its test fails, and is over after a while without another", async () => {
    const { machine, clock, events, test } = await given();
    test.passes = false;
    machine.short(fault);
    await clock.advance(60_000);
    expect(machine.closedBy()?.reason).toBe("machine-short");
    expect(test.calls).toBeGreaterThan(3);
    test.passes = true;
    await clock.advance(15_000);
    await clock.advance(5_000);
    expect(events.map(({ type }) => type)).toEqual(["machine-short", "machine-regained"]);
  });

  it("has fewer jobs at once afterwards, and step by step more again", async () => {
    const { machine, clock, begin } = await given();
    const jobs = begin(8);
    machine.short(fault);
    await clock.advance(1_000);
    await clock.advance(5_000);
    // 8 are at work, and 6 may be.
    expect([machine.left, machine.mayStart(), machine.closedBy()?.reason]).toEqual([0, false, "machine-short"]);
    for (const job of jobs.splice(0, 4)) machine.ended(job);
    expect([machine.left, machine.mayStart()]).toEqual([2, true]);
    for (let n = 0; n < 10; n++) await clock.advance(30_000);
    expect(machine.left).toBe(Number.POSITIVE_INFINITY);
  });

  it("believes a program's words only when its own test fails", async () => {
    const { machine, clock, events, test } = await given();
    const heard = new WorkerFault("machine", "out of disk space", { code: "ENOSPC", isHearsay: true });
    machine.short(heard);
    await clock.advance(0);
    expect(machine.closedBy()).toBeUndefined();
    test.passes = false;
    machine.short(heard);
    await clock.advance(0);
    expect(events).toMatchObject([{ type: "machine-short", code: "ENOSPC" }]);
  });

  it("is noticed by the code of an error, and by nothing else", async () => {
    const { machine } = await given();
    machine.notice(Object.assign(new Error("connect"), { code: "ECONNREFUSED" }), "a poll failed");
    expect(machine.closedBy()).toBeUndefined();
    machine.notice(Object.assign(new Error("connect"), { code: "EMFILE" }), "a poll failed");
    expect(machine.closedBy()?.message).toContain("a poll failed");
  });
});
