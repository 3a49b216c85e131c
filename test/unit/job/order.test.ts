// An operator's order by the job's state, the same with a daemon and without: written out for every state.
import { describe, expect, it } from "vitest";
import type { JobState } from "../../../src/job/lifecycle.js";
import { transition } from "../../../src/job/lifecycle.js";
import { type Order, orderFor } from "../../../src/job/order.js";

const fail: Order = { kind: "fail", message: "no" };
const release: Order = { kind: "release" };

/** The events that carry the order out; "too-late" where there is nothing to decide any more. */
const rows: Readonly<Record<JobState, { readonly fail: readonly string[]; readonly release: readonly string[] }>> = {
  polled: { fail: ["too-late"], release: ["too-late"] },
  detailed: { fail: ["too-late"], release: ["too-late"] },
  acknowledging: { fail: ["acknowledge-accepted", "outcome-settled"], release: ["job-lost"] },
  running: { fail: ["outcome-settled"], release: ["job-lost"] },
  settled: { fail: ["too-late"], release: ["job-lost"] },
  reported: { fail: ["too-late"], release: ["too-late"] },
  dropped: { fail: ["too-late"], release: ["too-late"] },
};

describe.each(Object.entries(rows))("a job that is %s", (state, row) => {
  it.each([
    ["failed", fail, row.fail],
    ["released", release, row.release],
  ] as const)("and %s", (_what, order, expected) => {
    const step = orderFor("job-1", state as JobState, order);
    if (step.kind === "too-late") {
      expect(expected).toEqual(["too-late"]);
      expect(step.message).toContain("job-1");
      return;
    }
    expect(step.events.map(({ type }) => type)).toEqual(expected);
    const end = step.events.reduce<JobState>((from, event) => transition(from, event), state as JobState);
    expect(end).toBe(order.kind === "release" ? "dropped" : "settled");
  });
});

it("presumes a job ours whose acknowledge has no answer, so that its failure is put and it is asked for if need be", () => {
  const step = orderFor("job-1", "acknowledging", fail);
  expect(step).toMatchObject({ events: [{ claim: "presumed" }, { outcome: { kind: "failed", message: "no" } }] });
});
