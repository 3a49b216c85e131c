import { expect, it } from "vitest";
import { verdictOf } from "./bench-line.js";
import { roundsWithin } from "./rounds.js";

it.each([
  ["all that are wanted, while there is time", { rounds: 3, seconds: 100, each: [10, 10, 10] }, 3],
  ["none that would end late if it took as long as the longest", { rounds: 3, seconds: 100, each: [60, 10, 10] }, 1],
  ["the first, however long it takes", { rounds: 3, seconds: 100, each: [500] }, 1],
])("makes %s", (_what, { rounds, seconds, each }, made) => {
  let nowMs = 1_000;
  const found: number[] = [];
  for (const round of roundsWithin({ rounds, seconds }, () => nowMs)) {
    found.push(round);
    nowMs += (each[round] ?? 0) * 1_000;
  }
  expect(found).toEqual(Array.from({ length: made }, (_, round) => round));
});

it.each([
  [{ most: 1.15 }, [1.1, 1.12, 1.3], "reached"],
  [{ most: 1.15 }, [1.1, 1.2, 1.3], "missed"],
  [{ least: 0.85, most: 1.15 }, [0.8], "missed"],
  [{ least: 1.5 }, [1.5], "reached"],
  [{ most: 20 }, [], "missed"],
  [{}, [1], undefined],
])("judges the median: %o of %o is %s", (wanted, values, verdict) => {
  expect(verdictOf({ name: "any", unit: "×", values, ...wanted })).toBe(verdict);
});
