import { expect, it } from "vitest";
import { slopeOf } from "./slope.js";

/** Samples of 600 s, one a second; the noise is the same in every run. */
function samples(value: (seconds: number, noise: number) => number): [number[], number[]] {
  let seed = 7;
  const noise = () => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed / 2_147_483_647 - 0.5;
  };
  const seconds = Array.from({ length: 600 }, (_, at) => at);
  return [seconds.map((at) => at * 1_000), seconds.map((at) => value(at, noise()))];
}

it("finds a slope in its noise, and says how sure that is", () => {
  const slope = slopeOf(...samples((seconds, noise) => 20 + (3 * seconds) / 3_600 + noise));
  expect(Math.abs(slope.perHour - 3)).toBeLessThan(slope.margin);
  expect(slope.margin).toBeLessThan(0.6);
  expect(slope.noise).toBeCloseTo(0.29, 1);
  expect(slope.count).toBe(600);
});

it("finds none where there is only noise", () => {
  const slope = slopeOf(...samples((_, noise) => 20 + noise));
  expect(Math.abs(slope.perHour)).toBeLessThan(slope.margin);
});

it("is less sure when samples resemble each other", () => {
  const alone = slopeOf(...samples((_, noise) => noise));
  let before = 0;
  const drift = slopeOf(
    ...samples((_, noise) => {
      before = 0.9 * before + noise;
      return before;
    }),
  );
  expect(alone.resemblance).toBeLessThan(0.1);
  expect(drift.resemblance).toBeGreaterThan(0.8);
  // Three times the noise would be three times as unsure; what resembles tells still less.
  expect(drift.margin / alone.margin).toBeGreaterThan((2 * drift.noise) / alone.noise);
});

it("takes a straight line for what it is", () => {
  const slope = slopeOf([0, 3_600_000], [1, 2]);
  expect([slope.perHour, slope.margin, slope.first, slope.last]).toEqual([1, 0, 1, 2]);
});
