import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { GatewayFaultKind } from "../../../src/codepipeline/gateway.js";
import {
  type BackoffPolicy,
  type BackoffState,
  next,
  type PollResult,
  rested,
  together,
} from "../../../src/engine/backoff.js";

const policy: BackoffPolicy = {
  minIntervalMs: 1_000,
  maxIntervalMs: 15_000,
  failed: { minDelayMs: 500, maxDelayMs: 30_000, factor: 2, maxElapsedMs: Number.POSITIVE_INFINITY },
  throttled: { minDelayMs: 2_000, maxDelayMs: 60_000, factor: 3, maxElapsedMs: Number.POSITIVE_INFINITY },
};
const full: PollResult = { kind: "full" };
const some: PollResult = { kind: "some" };
const empty: PollResult = { kind: "empty" };

function failed(fault: GatewayFaultKind, retryAfterMs?: number): PollResult {
  return { kind: "failed", fault, retryAfterMs };
}

/** The rests after each of these results, one after the other, with the same random number throughout. */
function rests(results: readonly PollResult[], random = 0): readonly number[] {
  let state = rested;
  return results.map((result) => {
    const step = next(state, result, policy, () => random);
    state = step.state;
    return step.restMs;
  });
}

function stateAfter(results: readonly PollResult[], from: BackoffState = rested): BackoffState {
  return results.reduce((state, result) => next(state, result, policy, () => 0).state, from);
}

function times(count: number, result: PollResult): readonly PollResult[] {
  return Array.from({ length: count }, () => result);
}

describe("polls that bring jobs", () => {
  it("are followed at once by another when every slot got one", () => {
    expect(rests([full, full, full], 0.99)).toEqual([0, 0, 0]);
  });

  it("are followed by the shortest rest when some slots stayed free", () => {
    expect(rests([some, some], 0.5)).toEqual([1_000, 1_000]);
  });

  it.each([full, some])("forget everything that went before ($kind)", (result) => {
    const before = stateAfter([
      ...times(5, empty),
      ...times(3, failed("unavailable")),
      ...times(2, failed("throttled")),
    ]);
    expect(next(before, result, policy, () => 0).state).toEqual(rested);
  });
});

describe("empty polls", () => {
  it("rest longer each time, up to the longest interval", () => {
    expect(rests(times(9, empty), 0.5).map(Math.round)).toEqual([
      1_000, 1_500, 2_250, 3_375, 5_063, 7_594, 11_391, 15_000, 15_000,
    ]);
  });

  it("are spread around their rest, by a twentieth either way, so that there are no more of them than the interval says", () => {
    expect(rests([empty], 0)).toEqual([950]);
    expect(rests([empty], 0.5)).toEqual([1_000]);
    expect(rests([empty], 1)[0]).toBeCloseTo(1_050);
  });

  it("end both curves of failures, since the service answered", () => {
    const before = stateAfter([...times(4, failed("unavailable")), ...times(4, failed("throttled"))]);
    expect(stateAfter([empty], before)).toEqual({ empty: 1, failed: 0, throttled: 0 });
  });

  it("go on resting for the longest interval after a hundred thousand of them", () => {
    const { restMs } = next({ empty: 100_000, failed: 0, throttled: 0 }, empty, policy, () => 0.5);
    expect(restMs).toBe(15_000);
  });
});

describe("polls that fail", () => {
  it("rest along their own curve, up to its end", () => {
    expect(rests(times(8, failed("unavailable")))).toEqual([500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
  });

  it("rest along a steeper curve when they are throttled", () => {
    expect(rests(times(5, failed("throttled")))).toEqual([2_000, 6_000, 18_000, 54_000, 60_000]);
  });

  it("count the two sorts apart: neither makes the other longer", () => {
    const mixed = [failed("unavailable"), failed("throttled"), failed("unavailable"), failed("throttled")];
    expect(rests(mixed)).toEqual([500, 2_000, 1_000, 6_000]);
  });

  it.each<GatewayFaultKind>([
    "unavailable",
    "aborted",
    "denied",
    "misconfigured",
    "rejected",
    "token-rejected",
    "token-unavailable",
    "not-ours",
    "gone",
    "over",
  ])("rest alike whatever the fault was, %s for one", (fault) => {
    expect(rests(times(3, failed(fault)))).toEqual([500, 1_000, 2_000]);
  });

  it("keep the count of empty polls: an outage does not make the next poll come sooner", () => {
    const state = stateAfter([...times(4, empty), failed("unavailable")]);
    expect(state.empty).toBe(4);
    expect(next(state, empty, policy, () => 0.5).restMs).toBeCloseTo(5_062.5);
  });

  it("are spread past their rest, by a fifth and at most a second", () => {
    expect(rests([failed("unavailable")], 1)).toEqual([600]);
    expect(rests(times(7, failed("unavailable")), 1)[6]).toBe(31_000);
  });

  it("count the time that a call hung, but rest a little all the same", () => {
    const hung = { kind: "failed", fault: "unavailable", retryAfterMs: undefined, tookMs: 10_000 } as const;
    expect(rests(times(8, hung))).toEqual([500, 500, 500, 500, 500, 6_000, 20_000, 20_000]);
    expect(rests([{ ...hung, retryAfterMs: 20_000 }])).toEqual([20_000]);
  });
});

describe("a service that says when to come back", () => {
  it("is given that time when it is longer than the curve's", () => {
    expect(rests([failed("throttled", 20_000)])).toEqual([20_000]);
    expect(rests([failed("unavailable", 20_000)])).toEqual([20_000]);
  });

  it("does not make a poll come sooner than the curve says", () => {
    expect(rests([failed("throttled", 10)])).toEqual([2_000]);
    expect(rests([failed("throttled", 0)])).toEqual([2_000]);
    expect(rests([failed("throttled", -5_000)])).toEqual([2_000]);
  });

  it("is given a minute at most", () => {
    expect(rests([failed("throttled", 3_600_000)])).toEqual([60_000]);
    expect(rests([failed("unavailable", Number.POSITIVE_INFINITY)])).toEqual([60_000]);
  });
});

describe("polls that are refused", () => {
  it("are made again within a minute, however long the intervals are", () => {
    const slow = { ...policy, maxIntervalMs: 3_600_000, failed: { ...policy.failed, maxDelayMs: 3_600_000 } };
    const late = { empty: 0, failed: 90, throttled: 0 };
    expect(next(late, failed("denied"), slow, () => 0.99).restMs).toBe(60_000);
    expect(next(late, failed("denied", 3_600_000), slow, () => 0.99).restMs).toBe(60_000);
    expect(next(late, failed("unavailable"), slow, () => 0.99).restMs).toBeGreaterThan(3_000_000);
  });
});

describe("any history of polls", () => {
  const kinds = fc.constantFrom<GatewayFaultKind>("throttled", "unavailable", "denied", "misconfigured");
  const result: fc.Arbitrary<PollResult> = fc.oneof(
    fc.constantFrom(full, some, empty),
    fc.record({
      kind: fc.constant("failed" as const),
      fault: kinds,
      retryAfterMs: fc.option(fc.double({ min: 0, max: 1e9, noNaN: true }), { nil: undefined }),
    }),
  );
  const policies: fc.Arbitrary<BackoffPolicy> = fc
    .tuple(
      fc.integer({ min: 50, max: 10_000 }),
      fc.nat({ max: 100_000 }),
      fc.integer({ min: 1, max: 5_000 }),
      fc.double({ min: 1, max: 10, noNaN: true }),
    )
    .map(([minIntervalMs, more, minDelayMs, factor]) => {
      const curve = { minDelayMs, maxDelayMs: minDelayMs + more, factor, maxElapsedMs: Number.POSITIVE_INFINITY };
      return { minIntervalMs, maxIntervalMs: minIntervalMs + more, failed: curve, throttled: curve };
    });

  it("rests within the bounds of its curve, and only a full poll does not rest", () => {
    fc.assert(
      fc.property(
        policies,
        fc.array(result, { maxLength: 80 }),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (given, results, random) => {
          let state = rested;
          for (const each of results) {
            const step = next(state, each, given, () => random);
            const { restMs } = step;
            expect(Number.isFinite(restMs)).toBe(true);
            if (each.kind === "full") expect(restMs).toBe(0);
            else if (each.kind === "failed") {
              const curve = each.fault === "throttled" ? given.throttled : given.failed;
              expect(restMs).toBeGreaterThanOrEqual(curve.minDelayMs);
              expect(restMs).toBeLessThanOrEqual(Math.max(curve.maxDelayMs + 1_000, 60_000));
              expect(restMs).toBeGreaterThanOrEqual(Math.min(each.retryAfterMs ?? 0, 60_000));
            } else {
              expect(restMs).toBeGreaterThanOrEqual(given.minIntervalMs * 0.94);
              expect(restMs).toBeLessThanOrEqual(given.maxIntervalMs * 1.06);
            }
            state = step.state;
          }
        },
      ),
    );
  });

  it("never changes the state that it was given", () => {
    const state: BackoffState = Object.freeze({ empty: 1, failed: 2, throttled: 3 });
    for (const each of [full, some, empty, failed("throttled"), failed("gone")]) next(state, each, policy, () => 0);
    expect(state).toEqual({ empty: 1, failed: 2, throttled: 3 });
    expect(rested).toEqual({ empty: 0, failed: 0, throttled: 0 });
  });
});

describe("rests that end together", () => {
  it("are never shorter, at most 100 ms longer, and end at the same moments", () => {
    fc.assert(
      fc.property(
        fc.double({ min: 5_000, max: 60_000, noNaN: true }),
        fc.double({ min: 0, max: 1e9, noNaN: true }),
        (restMs, nowMs) => {
          const togetherMs = together(restMs, nowMs);
          expect(togetherMs).toBeGreaterThanOrEqual(restMs - 1e-6);
          expect(togetherMs).toBeLessThanOrEqual(restMs + 100);
          const late = (nowMs + togetherMs) % 100;
          expect(Math.min(late, 100 - late)).toBeLessThan(1e-3);
        },
      ),
    );
  });

  it.each([0, 50, 1_000, 4_999])("are not the short ones (%i ms)", (restMs) => {
    expect(together(restMs, 12.5)).toBe(restMs);
  });
});
