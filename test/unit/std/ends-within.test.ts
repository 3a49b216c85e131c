import { describe, expect, it } from "vitest";
import { endsWithin, valueWithin } from "../../../src/std/ends-within.js";
import { FakeClock, settle } from "../../support/fake-clock.js";

function given() {
  const clock = new FakeClock();
  const abort = new AbortController();
  const work = Promise.withResolvers<string>();
  return { clock, abort, work };
}

describe("what a promise gives within a limit", () => {
  it("is its value, and no timer is left", async () => {
    const { clock, abort, work } = given();
    const value = valueWithin(work.promise, "late", { ms: 100, clock, signal: abort.signal });
    work.resolve("done");
    expect(await value).toBe("done");
    await settle();
    expect(clock.pending).toBe(0);
  });

  it("is its error, and no timer is left", async () => {
    const { clock, work } = given();
    const value = valueWithin(work.promise, "late", { ms: 100, clock });
    work.reject(new Error("broken"));
    await expect(value).rejects.toThrow("broken");
    await settle();
    expect(clock.pending).toBe(0);
  });

  it("is what the caller says once the time has passed; an error that comes later is nobody's", async () => {
    const { clock, work } = given();
    const value = valueWithin(work.promise, "late", { ms: 100, clock });
    await clock.advance(100);
    expect(await value).toBe("late");
    work.reject(new Error("too late"));
    await settle();
  });

  it("is what the caller says once the signal aborts, before it or meanwhile", async () => {
    const { clock, abort, work } = given();
    const limit = { ms: 100, clock, signal: abort.signal };
    const meanwhile = valueWithin(work.promise, "late", limit);
    await settle();
    abort.abort();
    expect([await meanwhile, await valueWithin(work.promise, "late", limit)]).toEqual(["late", "late"]);
    expect(clock.pending).toBe(0);
  });
});

describe("waiting for an end", () => {
  it("ends with the promise's error, which is its owner's", async () => {
    const { clock, work } = given();
    const ended = endsWithin(work.promise, 100, clock);
    work.reject(new Error("broken"));
    await expect(ended).resolves.toBeUndefined();
  });

  it("ends with the time", async () => {
    const { clock, work } = given();
    const ended = endsWithin(work.promise, 100, clock);
    await clock.advance(100);
    await expect(ended).resolves.toBeUndefined();
  });
});
