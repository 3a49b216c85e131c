// The breaker of one handler: which job may start after which ends of others, as a table of stories, and a property.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { HandlerBreaker } from "../../../src/engine/handler-breaker.js";
import { WorkerFault } from "../../../src/job/worker-fault.js";

const fault = new WorkerFault("handler", "it cannot be started", { code: "ENOENT" });
const limits = { failures: 5, windowMs: 60_000 };

function given(own = limits) {
  const clock = { ms: 0 };
  const breaker = new HandlerBreaker(own, () => clock.ms);
  const jobs = Array.from({ length: 60 }, (_, n) => ({ n }));
  let next = 0;
  const admit = () => {
    const job = jobs[next++] ?? {};
    breaker.started(job);
    return job;
  };
  const start = () => {
    const job = admit();
    breaker.runs(job);
    return job;
  };
  const fail = () => breaker.ended(start(), fault, false);
  return { breaker, clock, admit, start, fail };
}

describe("a handler's breaker", () => {
  it("lets as many jobs start at once as may fail", () => {
    const { breaker, start } = given();
    for (let n = 0; n < limits.failures; n++) {
      expect(breaker.mayStart()).toBe(true);
      start();
    }
    expect(breaker.mayStart()).toBe(false);
  });

  it("counts no job that has begun, or that is busy with something else first", () => {
    const { breaker, start } = given();
    for (let n = 0; n < 50; n++) breaker.begun(start());
    for (let n = 0; n < 50; n++) breaker.setAside(start());
    expect(breaker.mayStart()).toBe(true);
  });

  it("has one job at a time after the first fault, and opens at the fifth", () => {
    const { breaker, start, fail } = given();
    fail();
    const probe = start();
    expect([breaker.mayStart(), breaker.isProbe(probe)]).toEqual([false, true]);
    breaker.ended(probe, fault, false);
    for (let n = 0; n < 2; n++) fail();
    expect([breaker.state, breaker.mayStart()]).toEqual(["closed", true]);
    fail();
    expect([breaker.state, breaker.mayStart(), breaker.fault]).toEqual(["open", false, fault]);
  });

  it.each(["sound", "begun"] as const)("forgets faults of the start once a job is %s", (how) => {
    const { breaker, start, fail } = given();
    for (let n = 0; n < 4; n++) fail();
    if (how === "begun") breaker.begun(start());
    else breaker.ended(start(), "sound", true);
    for (let n = 0; n < 4; n++) fail();
    expect(breaker.state).toBe("closed");
  });

  it("does not take a begin for the end of crashes at work", () => {
    const { breaker, start } = given();
    for (let n = 0; n < 5; n++) {
      const job = start();
      breaker.begun(job);
      breaker.ended(job, fault, true);
    }
    expect(breaker.state).toBe("open");
  });

  it("learns nothing from an end that says nothing", () => {
    const { breaker, start, fail } = given();
    for (let n = 0; n < 4; n++) fail();
    breaker.ended(start(), "unknown", false);
    fail();
    expect(breaker.state).toBe("open");
  });

  it("counts a fault only within the window of the one before, unless its job still tries", () => {
    const { breaker, clock, start, fail } = given();
    for (let n = 0; n < 4; n++) fail();
    clock.ms += limits.windowMs + 1;
    fail();
    expect(breaker.state).toBe("closed");
    const tries = start();
    breaker.unwell(tries, fault);
    clock.ms += 10 * limits.windowMs;
    for (let n = 0; n < 3; n++) fail();
    expect(breaker.state).toBe("open");
  });

  it("counts a job that goes on trying once, however often it says so", () => {
    const { breaker, start } = given();
    const job = start();
    for (let n = 0; n < 20; n++) breaker.unwell(job, fault);
    breaker.ended(job, fault, false);
    expect(breaker.state).toBe("closed");
  });

  it("lets one job through when it is half-open, which decides", () => {
    const { breaker, start, fail } = given();
    for (let n = 0; n < 5; n++) fail();
    breaker.halfOpen();
    const probe = start();
    expect(breaker.mayStart()).toBe(false);
    breaker.ended(probe, fault, false);
    expect(breaker.state).toBe("open");
    breaker.halfOpen();
    breaker.begun(start());
    expect([breaker.state, breaker.isSuspect]).toEqual(["closed", false]);
  });

  it("lets the next one through when the first says nothing", () => {
    const { breaker, start, fail } = given();
    for (let n = 0; n < 5; n++) fail();
    breaker.halfOpen();
    breaker.ended(start(), "unknown", false);
    expect(breaker.mayStart()).toBe(true);
  });

  it("lets more be acknowledged while it begins jobs, one for each, and gives it no more at once", () => {
    const { breaker, clock, admit, start } = given();
    for (let n = 0; n < 20; n++) breaker.begun(start());
    const coming = [];
    while (breaker.mayStart()) coming.push(admit());
    expect(coming).toHaveLength(limits.failures + 20);
    for (const job of coming.slice(0, limits.failures)) {
      expect(breaker.mayRun(job)).toBe(true);
      breaker.runs(job);
    }
    expect(breaker.mayRun(coming.at(-1) ?? {})).toBe(false);
    for (const job of coming) breaker.ended(job, "unknown", false);
    clock.ms += 251;
    expect([1, 2, 3, 4, 5, 6].map(() => breaker.mayStart() && admit() !== undefined)).toEqual([
      true,
      true,
      true,
      true,
      true,
      false,
    ]);
  });

  it("begins with the jobs that are acknowledged already, one at a time, when it may work again", () => {
    const { breaker, admit, start, fail } = given();
    for (let n = 0; n < 20; n++) breaker.begun(start());
    const [first = {}, second = {}] = [admit(), admit()];
    for (let n = 0; n < 5; n++) fail();
    expect([breaker.state, breaker.mayRun(first)]).toEqual(["open", false]);
    breaker.halfOpen();
    expect([breaker.mayStart(), breaker.mayRun(first)]).toEqual([false, true]);
    breaker.runs(first);
    expect([breaker.isProbe(first), breaker.mayRun(second)]).toEqual([true, false]);
    breaker.begun(first);
    expect([breaker.state, breaker.mayRun(second)]).toEqual(["closed", true]);
  });

  it("never opens without limits", () => {
    const { breaker, fail } = given({ failures: Number.POSITIVE_INFINITY, windowMs: 0 });
    for (let n = 0; n < 50; n++) fail();
    expect([breaker.state, breaker.isSuspect]).toEqual(["closed", false]);
  });

  it("costs a handler that never works no more jobs than its limit, in whatever order they start and end", () => {
    const steps = fc.array(fc.record({ end: fc.boolean(), pick: fc.nat() }), { maxLength: 200 });
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 8 }), (all, failures) => {
        const { breaker, start } = given({ ...limits, failures });
        const running: object[] = [];
        let failed = 0;
        for (const { end, pick } of all) {
          if (!end && breaker.mayStart()) running.push(start());
          const [job] = end ? running.splice(pick % Math.max(1, running.length), 1) : [];
          if (!job) continue;
          breaker.ended(job, fault, false);
          failed += 1;
        }
        return failed + running.length <= failures;
      }),
    );
  });

  it("costs a handler that breaks no more than its limit, whatever it has proved and however many are acknowledged", () => {
    const steps = fc.array(fc.record({ what: fc.constantFrom("admit", "run", "fail"), pick: fc.nat() }), {
      maxLength: 300,
    });
    fc.assert(
      fc.property(fc.nat({ max: 40 }), steps, fc.integer({ min: 1, max: 8 }), (proved, all, failures) => {
        const { breaker, admit, start } = given({ ...limits, failures });
        for (let n = 0; n < proved; n++) breaker.begun(start());
        const [coming, running]: [object[], object[]] = [[], []];
        let failed = 0;
        for (const { what, pick } of all) {
          const from = what === "run" ? coming : running;
          const job = from[pick % Math.max(1, from.length)];
          if (what === "admit" && breaker.mayStart()) coming.push(admit());
          if (!job || what === "admit" || (what === "run" && !breaker.mayRun(job))) continue;
          from.splice(from.indexOf(job), 1);
          if (what === "run") {
            breaker.runs(job);
            running.push(job);
          } else {
            breaker.ended(job, fault, false);
            failed += 1;
          }
        }
        return failed + running.length <= failures;
      }),
    );
  });
});
