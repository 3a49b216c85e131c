// Who may be acknowledged: jobs wait for their turn, leave it when the handler breaks, and a broken handler is tried again
// within a minute, by its own check first.
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { Admission } from "../../../src/engine/admission.js";
import { HandlerBreaker } from "../../../src/engine/handler-breaker.js";
import type { JobHandler } from "../../../src/handlers/handler.js";
import { WorkerFault } from "../../../src/job/worker-fault.js";
import { flightOver } from "../../support/flight.js";

const fault = new WorkerFault("handler", "it cannot be started", { code: "ENOENT" });
const machineFault = new WorkerFault("machine", "out of open files (EMFILE)", { code: "EMFILE" });
const never = new AbortController().signal;
const name = "any";

async function given(check?: () => Promise<void>) {
  const { context, clock, events } = await flightOver({});
  const handlerOf = (): JobHandler => ({
    kind: "command",
    description: "x",
    saysBegun: true,
    run: async () => {},
    close: async () => {},
    ...(check ? { check } : {}),
  });
  const registry = { current: handlerOf() };
  const limits = { ...context.limits, handlerBreakers: new Map([[name, { failures: 5, windowMs: 60_000 }]]) };
  const deps = { ...context.deps, handlers: { get: () => registry.current, close: async () => {} } };
  const all = { ...context, limits, deps };
  const admission = new Admission(all);
  const limitTo = (failures: number) => {
    all.limits = { ...limits, handlerBreakers: new Map([[name, { failures, windowMs: 60_000 }]]) };
  };
  const admit = async () => {
    const start = admission.start(name);
    start.runs(registry.current, false);
    return { start, isIn: await start.admitted(never) };
  };
  const breakIt = async () => {
    for (let n = 0; n < 5; n++) (await admit()).start.ended(fault);
  };
  return { admission, clock, events, admit, breakIt, limitTo, replace: () => (registry.current = handlerOf()) };
}

describe("admission", () => {
  it("keeps the sixth job waiting until one of five has begun", async () => {
    const { admission, admit } = await given();
    const first = await Promise.all(Array.from({ length: 5 }, admit));
    let isIn: boolean | undefined;
    const sixth = admission.start(name);
    const turn = sixth.admitted(never).then((is) => (isIn = is));
    await Promise.resolve();
    expect(isIn).toBeUndefined();
    first[0]?.start.begun();
    await turn;
    expect([isIn, sixth.isAdmitted]).toEqual([true, true]);
  });

  it("gives a broken handler its jobs one by one once it may work again, those that are acknowledged first", async () => {
    const { admission, clock, admit } = await given();
    for (let n = 0; n < 20; n++) {
      const { start } = await admit();
      expect(start.mayMeet()).toBe(true);
      start.begun();
    }
    const all = await Promise.all(Array.from({ length: 7 }, admit));
    const coming = all.slice(5);
    expect(all.map(({ start }) => start.mayMeet())).toEqual([true, true, true, true, true, false, false]);
    for (const { start } of all.slice(0, 5)) start.ended(fault);
    const met: number[] = [];
    const turns = coming.map(({ start }, n) => start.turn(never).then(() => met.push(n)));
    const abort = new AbortController();
    const aborted = admission.start(name).turn(abort.signal);
    abort.abort();
    expect(await aborted).toBe(false);
    expect(met).toEqual([]);
    await clock.advance(60_000);
    await turns[0];
    expect([met, admission.closedBy(name)?.reason]).toEqual([[0], "handler-broken"]);
    coming[0]?.start.begun();
    await turns[1];
    expect([met, admission.closedBy(name)]).toEqual([[0, 1], undefined]);
  });

  it("looks at a few of those who wait, however many there are, whenever a job begins or ends", async () => {
    const { admission, admit } = await given();
    const first = (await Promise.all(Array.from({ length: 5 }, admit))).map(({ start }) => start);
    const order: number[] = [];
    const waiting = Array.from({ length: 1_000 }, (_, n) => {
      const start = admission.start(name);
      void start.admitted(never).then(() => order.push(n));
      return start;
    });
    const looks = vi.spyOn(HandlerBreaker.prototype, "mayStart");
    onTestFinished(() => looks.mockRestore());
    for (const start of [...first, ...waiting]) {
      start.mayMeet();
      start.begun();
      start.ended("sound");
    }
    await Promise.resolve();
    await Promise.resolve();
    expect(order).toEqual(waiting.map((_, n) => n));
    expect(looks.mock.calls.length).toBeLessThan(5 * waiting.length);
  });

  it("sends those who wait away when the handler breaks, and when they are aborted", async () => {
    const { admission, admit } = await given();
    const first = await Promise.all(Array.from({ length: 5 }, admit));
    const abort = new AbortController();
    const aborted = admission.start(name).admitted(abort.signal);
    abort.abort();
    expect(await aborted).toBe(false);
    const waits = admission.start(name).admitted(never);
    for (const { start } of first) start.ended(fault);
    expect(await waits).toBe(false);
    expect(admission.closedBy(name)).toMatchObject({ reason: "handler-broken" });
  });

  it("says once that a handler broke and once that it recovered, though it is tried in vain between", async () => {
    const { admission, clock, events, admit, breakIt } = await given();
    await breakIt();
    for (let n = 0; n < 3; n++) {
      await clock.advance(60_000);
      expect(admission.closedBy(name)).toBeUndefined();
      const { start } = await admit();
      expect(admission.closedBy(name, start)).toBeUndefined();
      expect(admission.closedBy(name)?.reason).toBe("handler-broken");
      start.ended(n < 2 ? fault : "sound");
    }
    expect(events.map(({ type }) => type)).toEqual(["handler-broken", "handler-recovered"]);
    expect(admission.mostFor(name)).toBe(Number.POSITIVE_INFINITY);
  });

  it("costs no job while the handler's own check fails", async () => {
    let isThere = false;
    const check = async () => {
      if (!isThere) throw fault;
    };
    const { admission, clock, breakIt } = await given(check);
    await breakIt();
    for (let n = 0; n < 10; n++) await clock.advance(60_000);
    expect(admission.closedBy(name)?.reason).toBe("handler-broken");
    isThere = true;
    await clock.advance(60_000);
    expect(admission.closedBy(name)).toBeUndefined();
  });

  it("forgets what it found of a handler that a reload replaced", async () => {
    const { admission, events, breakIt, replace } = await given();
    await breakIt();
    admission.forgetReplaced();
    expect(admission.closedBy(name)?.reason).toBe("handler-broken");
    replace();
    admission.forgetReplaced();
    expect(admission.closedBy(name)).toBeUndefined();
    expect(events.at(-1)).toMatchObject({ type: "handler-recovered", handler: name });
  });

  it("goes by the limits of the configuration that applies now, whether or not a job ran by the old one", async () => {
    for (const hasRun of [false, true]) {
      const { admission, admit, limitTo } = await given();
      expect(admission.closedBy(name)).toBeUndefined();
      if (hasRun) (await admit()).start.ended("sound");
      limitTo(1);
      admission.forgetReplaced();
      (await admit()).start.ended(fault);
      expect([hasRun, admission.closedBy(name)?.reason]).toEqual([hasRun, "handler-broken"]);
    }
  });

  it("lets a polled job wait for a machine that is short, and polls for none", async () => {
    const { admission, clock, admit } = await given();
    admission.machine.short(machineFault);
    expect(admission.closedBy(name)?.reason).toBe("machine-short");
    const start = admission.start(name);
    expect(admission.closedBy(name, start)).toBeUndefined();
    const turn = start.admitted(never);
    await clock.advance(1_000);
    expect(await turn).toBe(true);
    start.begun();
    expect((await admit()).isIn).toBe(true);
  });

  it("shows the state of every handler that a poller needs", async () => {
    const { admission, breakIt } = await given();
    expect(admission.states).toMatchObject([{ handler: name, state: "closed", broken: undefined }]);
    await breakIt();
    expect(admission.states).toMatchObject([
      { handler: name, state: "open", broken: { code: "ENOENT", message: fault.message }, pollers: [{}] },
    ]);
  });
});
