import { describe, expect, it } from "vitest";
import { GatewayError, type GatewayFaultKind } from "../../../src/codepipeline/gateway.js";
import { calling, mayComeRight, withRetries } from "../../../src/engine/calls.js";
import { flightOver, key } from "../../support/flight.js";

function fault(kind: GatewayFaultKind): GatewayError {
  return new GatewayError({ kind, operation: "PutJobSuccessResult", code: kind, message: "no" });
}

describe("a call that is made withRetries", () => {
  async function given(errors: readonly Error[]) {
    const { context, flight, clock, events, slots } = await flightOver({});
    let made = 0;
    const call = async () => {
      const error = errors[made++];
      if (error) throw error;
      return "answered";
    };
    const options = { policy: context.limits.retry.report, signal: context.scopes.report, isWorthIt: mayComeRight };
    return { context, flight, clock, events, slots, call, options, made: () => made };
  }

  it("is made again until it is answered, and says so each time", async () => {
    const { context, flight, clock, events, call, options, made } = await given([
      fault("throttled"),
      fault("unavailable"),
    ]);
    const answer = withRetries(context, flight, options, call);
    await clock.advance(10);
    expect([await answer, made()]).toEqual(["answered", 3]);
    expect(events).toMatchObject([
      { type: "call-retried", attempt: 1, fault: { kind: "throttled", operation: "PutJobSuccessResult" } },
      { type: "call-retried", attempt: 2, fault: { kind: "unavailable" } },
    ]);
  });

  it.each([["a fault that is not worth it", fault("gone")] as const, ["a bug", new Error("bug: any")] as const])(
    "is not made again after %s",
    async (_what, error) => {
      const { context, flight, call, options, made, events } = await given([error]);
      await expect(withRetries(context, flight, options, call)).rejects.toBe(error);
      expect([made(), events]).toEqual([1, []]);
    },
  );

  it("ends with our right to the job, and rejects with its last fault", async () => {
    const error = fault("unavailable");
    const { context, flight, clock, call, options, made } = await given(Array(9).fill(error));
    const answer = withRetries(context, flight, options, call).catch((reason: unknown) => reason);
    flight.apply({ kind: "release" });
    await clock.advance(10);
    expect([await answer, made()]).toEqual([error, 1]);
  });

  it.each([
    [true, { working: 0, owed: 1 }],
    [false, { working: 1, owed: 0 }],
  ])("gives its slot up for the wait when it is to (%s)", async (isOutside, counts) => {
    const { context, flight, clock, slots, call, options } = await given([fault("unavailable"), fault("unavailable")]);
    const long = { ...options.policy, minDelayMs: 1_000, maxDelayMs: 1_000 };
    const waits = { ...options, policy: long, isOutsideSlot: () => isOutside };
    const answer = withRetries(context, flight, waits, call);
    await clock.advance(10);
    expect({ working: slots.working, owed: slots.owed }).toEqual(counts);
    await clock.advance(5_000);
    await answer;
  });
});

it("tells the breakers of each call's end", async () => {
  let isDenied = true;
  const { context, flight } = await flightOver({
    acknowledge: async () => {
      if (isDenied) throw fault("denied");
      return "InProgress";
    },
  });
  const { work: signal } = context.scopes;
  const call = () =>
    calling(context, flight, "acknowledge", signal, (gateway) => gateway.acknowledge(key, "1" as never, signal));
  await expect(call()).rejects.toMatchObject({ kind: "denied" });
  expect(context.breakers.denials).toMatchObject([{ deed: "acknowledge" }]);
  isDenied = false;
  expect(await call()).toBe("InProgress");
  expect(context.breakers.denials).toEqual([]);
});

it.each(["put", "acknowledge", "details"] as const)(
  "does not %s, once its turn has come, for a job that was given up meanwhile",
  async (deed) => {
    const { context, flight, clock } = await flightOver({});
    context.budgets.of(key).ended(true);
    let made = 0;
    const { report: signal } = context.scopes;
    const answer = calling(context, flight, deed, signal, async () => void made++).catch((error: unknown) => error);
    flight.apply({ kind: "release" });
    // It does not even wait for its turn.
    expect(await answer).toMatchObject({ kind: "aborted" });
    await clock.advance(1_000);
    expect(made).toBe(0);
  },
);

it("keeps a job that may be ours through whatever may be put right, and through nothing else", () => {
  const kinds: Readonly<Record<GatewayFaultKind, boolean>> = {
    throttled: true,
    unavailable: true,
    aborted: true,
    "token-rejected": true,
    "token-unavailable": true,
    denied: true,
    misconfigured: true,
    "not-ours": false,
    gone: false,
    over: false,
    rejected: false,
  };
  for (const [kind, is] of Object.entries(kinds)) {
    expect([kind, mayComeRight({ kind: kind as GatewayFaultKind })]).toEqual([kind, is]);
  }
});
