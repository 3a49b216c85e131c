// The charts: axes whose numbers are round and reach over every bar, what a minute tells, and what is said in words.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Results } from "../../../src/admin/client-counts.js";
import type { Minute } from "../../../src/admin/history.js";
import { pickupChart, sparkline, throughputChart } from "../../../src/admin/page-charts.js";
import { nowMs } from "../../support/admin-status.js";

const none: Results = { succeeded: 0, continued: 0, failed: 0, dropped: 0 };
function hourOf(last: Partial<Minute>): readonly Minute[] {
  return Array.from({ length: 60 }, (_, at): Minute => {
    const minute = { ...none, startMs: nowMs - (59 - at) * 60_000, byType: new Map<string, Results>(), pickups: [] };
    return at === 59 ? { ...minute, ...last } : minute;
  });
}
const ticksOf = (svg: string) => [...svg.matchAll(/text-anchor="end">([\d.k]+)</g)].map(([, text]) => text);

describe("results per minute", () => {
  it("tell what a minute brought, and say the hour in words", () => {
    const { text } = throughputChart(hourOf({ succeeded: 7, continued: 1, failed: 3, dropped: 1 }), undefined, "");
    expect(text).toContain("<title>02:14 UTC: 8 succeeded or continued, 3 failed, 1 dropped</title>");
    expect(text).toContain("8 succeeded or continued, 3 failed, 1 dropped in the last hour; at most 12 in a minute.");
    expect(ticksOf(text)).toEqual(["0", "5", "10", "15"]);
  });

  it("of one action type tell of it alone", () => {
    const byType = new Map([["T", { ...none, failed: 2 }]]);
    const { text } = throughputChart(hourOf({ succeeded: 90, byType }), "T", "Acme");
    expect(text).toContain("Results per minute: Acme");
    expect(text).toContain("0 succeeded or continued, 2 failed in the last hour");
  });

  it("stand within the picture, below the greatest number of the axis, whatever there is", () => {
    fc.assert(
      fc.property(fc.nat(1_000_000), fc.nat(1_000_000), (succeeded, failed) => {
        const { text } = throughputChart(hourOf({ succeeded, failed }), undefined, "");
        const numbers = ticksOf(text).map((tick = "") => (tick.endsWith("k") ? 1_000 : 1) * Number.parseFloat(tick));
        expect(numbers.at(-1)).toBeGreaterThanOrEqual(succeeded + failed);
        expect(numbers.length).toBeLessThanOrEqual(6);
        // What there is one of is drawn one unit high, and may reach that far over the line.
        for (const [, y] of text.matchAll(/M[\d.]+ (-?[\d.]+)h/g)) expect(Number(y)).toBeGreaterThanOrEqual(11);
      }),
    );
  });
});

describe("pickup times", () => {
  it("are told in ms or s, as they are", () => {
    expect(pickupChart(hourOf({ pickups: [10, 20, 400] })).text).toContain(" in ms");
    const { text } = pickupChart(hourOf({ pickups: [1_000, 9_000] }));
    expect(text).toContain(" in s<");
    expect(ticksOf(text)).toEqual(["0", "5", "10"]);
    expect(pickupChart(hourOf({})).text).toContain("No job was picked up in the last hour.");
  });
});

describe("a small line", () => {
  it("says how many there were at most, or that there was nothing", () => {
    expect(sparkline([undefined, { ...none, succeeded: 3, failed: 1 }]).text).toContain("at most 4 in a minute");
    expect(sparkline([undefined, none]).text).toContain("nothing");
  });
});
