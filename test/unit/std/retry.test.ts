import { describe, expect, it } from "vitest";
import { ceilingMs, jitteredMs, type RetryOptions, retrying } from "../../../src/std/retry.js";
import { FakeClock, settle } from "../../support/fake-clock.js";

const policy = { minDelayMs: 100, maxDelayMs: 1_000, factor: 2, maxElapsedMs: Number.POSITIVE_INFINITY };

function given(overrides: Partial<RetryOptions> = {}) {
  const clock = new FakeClock();
  const waits: number[] = [];
  const options: RetryOptions = {
    policy,
    clock,
    signal: new AbortController().signal,
    shouldRetry: () => true,
    random: () => 1,
    onRetry: ({ delayMs }) => waits.push(delayMs),
    ...overrides,
  };
  return { clock, waits, options };
}

/** An attempt that fails so many times, then answers. */
function failing(times: number, error: () => unknown = () => new Error("no")) {
  let calls = 0;
  return {
    attempt: async (n: number) => {
      calls += 1;
      expect(n).toBe(calls);
      if (calls <= times) throw error();
      return "yes";
    },
    calls: () => calls,
  };
}

describe("retrying", () => {
  it("answers at once when the first attempt succeeds", async () => {
    const { options, clock } = given();
    await expect(retrying(options, failing(0).attempt)).resolves.toBe("yes");
    expect(clock.pending).toBe(0);
  });

  it("waits along the curve up to its maximum, less the jitter of waits that last", async () => {
    const { options, clock, waits } = given();
    const result = retrying(options, failing(6).attempt);
    await clock.advance(10_000);
    await expect(result).resolves.toBe("yes");
    expect(waits).toEqual([100, 200, 400, 800, 800, 800]);
  });

  it("spreads each wait over the whole of it", async () => {
    const { options, clock, waits } = given({ random: () => 0.25 });
    const result = retrying(options, failing(2).attempt);
    await clock.advance(10_000);
    await result;
    expect(waits).toEqual([25, 50]);
  });

  it("waits at least as long as it was told to", async () => {
    const { options, clock, waits } = given({ retryAfterMs: () => 5_000 });
    const result = retrying(options, failing(1).attempt);
    await clock.advance(4_999);
    expect(waits).toEqual([5_000]);
    await clock.advance(1);
    await expect(result).resolves.toBe("yes");
  });

  it.each([
    ["a minute", policy, 60_000],
    ["its longest wait where that is more", { ...policy, maxDelayMs: 90_000 }, 90_000],
  ])("does not believe a wish for more than %s", async (_, ofPolicy, expected) => {
    const { options, waits, clock } = given({ retryAfterMs: () => 3_600_000, policy: ofPolicy });
    const result = retrying(options, failing(1).attempt);
    await clock.advance(expected);
    await expect(result).resolves.toBe("yes");
    expect(waits).toEqual([expected]);
  });

  it("rejects with the last error when it is not worth another try", async () => {
    const errors = [new Error("first"), new Error("last")];
    const { options, clock } = given({ shouldRetry: (error) => (error as Error).message === "first" });
    const result = retrying(options, failing(5, () => errors.shift()).attempt).catch((error: Error) => error.message);
    await clock.advance(10_000);
    expect(await result).toBe("last");
  });

  it("gives up when its time is over", async () => {
    const { options, clock } = given({ policy: { ...policy, maxElapsedMs: 250 } });
    const { attempt, calls } = failing(100);
    const result = retrying(options, attempt).catch((error: Error) => error.message);
    await clock.advance(10_000);
    expect(await result).toBe("no");
    expect(calls()).toBe(3);
  });

  it("makes a single attempt when it has no time for more", async () => {
    const { options } = given({ policy: { ...policy, maxElapsedMs: 0 } });
    const { attempt, calls } = failing(1);
    await expect(retrying(options, attempt)).rejects.toThrow("no");
    expect(calls()).toBe(1);
  });

  it("tries again after a TypeError and after a thrown non-error", async () => {
    for (const thrown of [new TypeError("broken"), "text", undefined]) {
      const { options, clock } = given();
      const result = retrying(options, failing(2, () => thrown).attempt);
      await clock.advance(10_000);
      await expect(result).resolves.toBe("yes");
    }
  });

  it("stops waiting when the signal aborts and rejects with the last error", async () => {
    const stop = new AbortController();
    const { options, clock } = given({ signal: stop.signal });
    const { attempt, calls } = failing(100);
    const result = retrying(options, attempt).catch((error: Error) => error.message);
    await clock.advance(0);
    stop.abort();
    await settle();
    expect(await result).toBe("no");
    expect(calls()).toBe(1);
    expect(clock.pending).toBe(0);
  });

  it("rejects with what a callback threw, and tries no more", async () => {
    const bug = new TypeError("a bug of the caller");
    const { options } = given({
      onRetry: () => {
        throw bug;
      },
    });
    const { attempt, calls } = failing(100);
    await expect(retrying(options, attempt)).rejects.toBe(bug);
    expect(calls()).toBe(1);
  });

  it("keeps an answer that came while the signal aborted", async () => {
    for (const failures of [0, 1]) {
      const stop = new AbortController();
      const { options, clock } = given({ signal: stop.signal });
      let calls = 0;
      const result = retrying(options, async () => {
        calls += 1;
        if (calls <= failures) throw new Error("no");
        stop.abort();
        return "accepted";
      });
      await clock.advance(10_000);
      await expect(result).resolves.toBe("accepted");
    }
  });

  it("makes no attempt when the signal has aborted before", async () => {
    const { options } = given({ signal: AbortSignal.abort(new Error("draining")) });
    const { attempt, calls } = failing(0);
    await expect(retrying(options, attempt)).rejects.toThrow("draining");
    expect(calls()).toBe(0);
  });
});

describe("jitteredMs", () => {
  it("spreads a wait that still grows over the whole of it", () => {
    for (const n of [1, 2, 3, 4]) {
      expect(jitteredMs(policy, n, () => 0)).toBe(0);
      expect(jitteredMs(policy, n, () => 0.5)).toBe(ceilingMs(policy, n) / 2);
    }
  });

  it("shortens a wait at the maximum by a fifth at most, however many attempts failed", () => {
    for (const n of [5, 50, 5_000]) {
      expect(jitteredMs(policy, n, () => 0)).toBe(1_000);
      expect(jitteredMs(policy, n, () => 1)).toBe(800);
    }
  });
});
