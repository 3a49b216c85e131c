// The jobs of a fleet, read for who looks: seldom, once for all, and remembered while the table is away.
import { describe, expect, it } from "vitest";
import { FleetWatch, freshMs, fromOf, jobsOnPage } from "../../../src/admin/fleet-watch.js";
import type { FleetJobPage } from "../../../src/job/fleet.js";
import { FakeClock } from "../../support/fake-clock.js";

const page = (count: number): FleetJobPage => ({ jobs: [], count, isCut: false });

function watch(read: () => Promise<FleetJobPage> = async () => page(1)) {
  const clock = new FakeClock();
  const ranges: unknown[] = [];
  const made = new FleetWatch({
    clock,
    read: (range) => {
      ranges.push(range);
      return read();
    },
  });
  return { clock, ranges, made };
}

describe("the fleet's jobs", () => {
  it("are read once for however many look at once, and again only when they are old", async () => {
    const { clock, ranges, made } = watch();
    await Promise.all(Array.from({ length: 20 }, () => made.fresh(0)));
    for (let look = 0; look < 20; look++) made.known(0);
    expect(ranges).toEqual([{ from: 0, max: jobsOnPage }]);
    await clock.advance(freshMs - 1);
    await made.fresh(0);
    expect(ranges).toHaveLength(1);
    await clock.advance(1);
    await made.fresh(0);
    expect(ranges).toHaveLength(2);
  });

  it("are not read while nobody looks", async () => {
    const { clock, ranges, made } = watch();
    await made.fresh(0);
    await clock.advance(3_600_000);
    expect([ranges.length, clock.pending]).toEqual([1, 0]);
  });

  it("are what was known before, with the reason, while the table does not answer; and it is not asked in a hurry", async () => {
    let isAway = false;
    const { clock, ranges, made } = watch(async () => {
      if (isAway) throw new Error("the table does not answer");
      return page(7);
    });
    const before = await made.fresh(0);
    isAway = true;
    await clock.advance(freshMs);
    expect(await made.fresh(0)).toEqual({ ...before, problem: "the table does not answer" });
    await made.fresh(0);
    expect(ranges).toHaveLength(2);
    isAway = false;
    await clock.advance(freshMs);
    expect(await made.fresh(0)).not.toHaveProperty("problem");
  });

  it("are remembered for a few pages alone", async () => {
    const { ranges, made } = watch();
    for (let at = 0; at < 100; at++) await made.fresh(at * jobsOnPage);
    const asked = ranges.length;
    await made.fresh(99 * jobsOnPage);
    expect(ranges).toHaveLength(asked);
    await made.fresh(0);
    expect(ranges).toHaveLength(asked + 1);
  });

  it.each([
    ["", 0],
    ["from=50", 50],
    ["from=77", 50],
    ["from=-50", 0],
    ["from=1e9", 0],
    ["from=NaN", 0],
    ["from=0.5", 0],
    ["from=%00", 0],
  ])("begin where %j says", (query, from) => {
    expect(fromOf(new URLSearchParams(query))).toBe(from);
  });
});
