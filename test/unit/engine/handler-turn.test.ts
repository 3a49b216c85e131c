// How a job that is ours waits for a handler that is broken: without its slot, for as long as it has, and no longer than it
// is wanted.
import { describe, expect, it } from "vitest";
import { Admission } from "../../../src/engine/admission.js";
import type { EngineContext } from "../../../src/engine/context.js";
import { metHandler, neverBegun } from "../../../src/engine/handler-turn.js";
import { WorkerFault } from "../../../src/job/worker-fault.js";
import { Deadline } from "../../../src/std/deadline.js";
import { flightOver } from "../../support/flight.js";

const fault = new WorkerFault("handler", "it cannot be started", { code: "ENOENT" });
const limits = { failures: 2, windowMs: 60_000 };

/** A flight whose handler is broken, and what ends its wait. */
async function given() {
  const made = await flightOver({});
  const { flight, clock } = made;
  const work = new AbortController();
  const scopes = { ...made.context.scopes, work: work.signal };
  const parts = { ...made.context, scopes };
  const withBreaker = { ...parts, limits: { ...parts.limits, handlerBreakers: new Map([["any", limits]]) } };
  const context: EngineContext = { ...withBreaker, admission: new Admission(withBreaker) };
  const never = new AbortController().signal;
  const breakIt = async () => {
    for (let n = 0; n < limits.failures; n++) {
      const start = context.admission.start("any");
      await start.admitted(never);
      start.mayMeet();
      start.ended(fault);
    }
  };
  flight.start = context.admission.start("any");
  return { ...made, context, work, breakIt, deadline: Deadline.in(clock, 60_000) };
}

describe("a job that is ours", () => {
  it("is given to a handler that works at once, and keeps its slot", async () => {
    const { context, flight, deadline } = await given();
    expect(await metHandler(context, flight, deadline)).toBe(true);
    expect(flight.slot.isWorking).toBe(true);
  });

  it("waits for a broken handler without a slot, and is what tests it", async () => {
    const { context, flight, clock, slots, breakIt, deadline } = await given();
    await breakIt();
    const met = metHandler(context, flight, deadline);
    expect(slots.busy).toBe(0);
    await clock.advance(2_000);
    expect([await met, flight.slot.isWorking, context.admission.closedBy("any")?.reason]).toEqual([
      true,
      true,
      "handler-broken",
    ]);
    flight.start?.begun();
    expect(context.admission.closedBy("any")).toBeUndefined();
  });

  it("ends with its deadline, and says why", async () => {
    const { context, flight, clock, breakIt } = await given();
    await breakIt();
    const met = metHandler(context, flight, Deadline.in(clock, 1_000));
    await clock.advance(1_000);
    expect(await met).toBe(false);
    expect(neverBegun(context, flight)).toMatchObject({
      type: "SystemUnavailable",
      message:
        "the job could not begin within its limit of 1 min (jobTimeout): handler any is broken: it cannot be started",
    });
  });

  it.each(["a stop", "a loss", "an order"] as const)("ends with %s", async (what) => {
    const { context, flight, work, breakIt, deadline } = await given();
    await breakIt();
    const met = metHandler(context, flight, deadline);
    if (what === "a stop") work.abort();
    else
      flight.apply(
        what === "a loss" ? { kind: "release" } : { kind: "fail", message: "an operator", type: "JobFailed" },
      );
    expect(await met).toBe(false);
  });

  it("that a service was promised to is given to it, whatever its breaker says", async () => {
    const { context, flight, breakIt, deadline } = await given();
    await breakIt();
    flight.callback = { tokenHash: "00" };
    expect(await metHandler(context, flight, deadline)).toBe(true);
  });
});
