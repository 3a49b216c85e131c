// An operator's order wherever the job stands: in flight, in the ledger alone, of a configured type or not. What an order
// may do in which state is job/order.ts's; here every place gives that same answer.
import { describe, expect, it } from "vitest";
import type { JobGateway } from "../../../src/codepipeline/gateway.js";
import { giveOrder, refusedBy } from "../../../src/engine/orders.js";
import { Runner } from "../../../src/engine/runner.js";
import type { ActionType, JobId, JobKey, Region } from "../../../src/job/job.js";
import type { JobEvent, JobState } from "../../../src/job/lifecycle.js";
import { type Order, orderFor } from "../../../src/job/order.js";
import { succeeded } from "../../../src/job/outcome.js";
import { LedgerError } from "../../../src/ledger/ledger.js";
import { flightOver, key, offer } from "../../support/flight.js";

const fail: Order = { kind: "fail", message: "by hand" };
const release: Order = { kind: "release" };
const strangeType: ActionType = { ...key.actionType, provider: "Unknown" };
const path: readonly JobEvent[] = [
  { type: "details-received" },
  { type: "acknowledge-sent", nonce: offer.nonce },
  { type: "acknowledge-accepted", claim: "ours" },
  { type: "outcome-settled", outcome: succeeded() },
];

async function given(gateway: Partial<JobGateway> = {}) {
  const made = await flightOver({ put: () => new Promise(() => {}), ...gateway });
  const { context, slots, name } = made;
  slots.open({ name, group: "type" }, 5);
  const runner = new Runner(context, slots);
  const { ledger } = context.deps;
  /** A job that nobody works, in this state. */
  const left = async (state: JobState, of: Partial<JobKey> = {}) => {
    const lease = await ledger.lease({ ...key, jobId: "job-2" as JobId, ...of });
    if (!lease) throw new Error("no lease");
    for (const event of path) if (lease.state !== state) await ledger.record(lease, event);
    await ledger.release(lease);
  };
  const give = (order: Order, jobId = "job-2", region?: string) =>
    giveOrder(context, runner, { jobId, ...(region ? { region } : {}) }, order);
  const states = async () => (await ledger.unfinished()).map(({ lease }) => lease.state);
  return { ...made, runner, left, give, states };
}

const owedStates = ["acknowledging", "running", "settled"] as const;

describe.each(owedStates)("a job that is %s and in the ledger alone", (state) => {
  describe.each([
    ["configured", key.actionType],
    ["not configured", strangeType],
  ])("of a type that is %s", (what, actionType) => {
    it.each([["fail", fail] as const, ["release", release] as const])("takes %s as the rule says", async (_, order) => {
      const { left, give, runner, events } = await given({ detailsAgain: () => new Promise(() => {}) });
      await left(state, { actionType });
      const answer = await give(order);
      expect(answer.kind).toBe(orderFor("job-2", state, order).kind === "too-late" ? "too-late" : "taken");
      const taken = events.filter(({ type }) => type === "order-taken");
      expect(taken).toHaveLength(answer.kind === "taken" ? 1 : 0);
      expect(runner.inFlight).toBe(what === "configured" ? 1 : 0);
    });
  });

  it("of a type that is not configured is in the ledger afterwards as the order says", async () => {
    const failed = await given();
    await failed.left(state, { actionType: strangeType });
    await failed.give(fail);
    expect(await failed.states()).toEqual(["settled"]);
    const dropped = await given();
    await dropped.left(state, { actionType: strangeType });
    await dropped.give(release);
    expect([await dropped.states(), dropped.runner.unfinished.size]).toEqual([[], 0]);
  });
});

it("stops a job in flight, and says when it comes too late", async () => {
  const { runner, left, give, context, config } = await given({ detailsAgain: () => new Promise(() => {}) });
  await left("acknowledging");
  const [found] = await context.deps.ledger.unfinished();
  if (!found) throw new Error("nothing left");
  const flight = runner.resume(found, config);
  expect(await give(fail)).toMatchObject({
    kind: "taken",
    message: expect.stringMatching(/once CodePipeline confirms/),
  });
  expect(await give(fail)).toMatchObject({ kind: "too-late" });
  expect(await give(release)).toMatchObject({ kind: "taken" });
  expect(await give(release)).toMatchObject({ kind: "too-late" });
  expect([flight.failure?.message, flight.loss?.reason]).toEqual(["by hand", "released"]);
});

it("masks what the customer is to read", async () => {
  const { runner, left, give, context, config } = await given({ detailsAgain: () => new Promise(() => {}) });
  Object.assign(context.deps, { mask: (text: string) => text.replace("hand", "***") });
  await left("running");
  const [found] = await context.deps.ledger.unfinished();
  if (!found) throw new Error("nothing left");
  const flight = runner.resume(found, config);
  await give(fail);
  expect(flight.failure?.message).toBe("by ***");
});

it("knows no job that it does not hold, asks for the Region of a twin, and keeps no lease by that", async () => {
  const { left, give, states } = await given();
  await left("running", { actionType: strangeType });
  await left("running", { actionType: strangeType, region: "us-east-1" as Region });
  expect((await give(fail, "nobody")).kind).toBe("unknown-job");
  expect(await give(fail)).toMatchObject({
    kind: "ambiguous",
    message: expect.stringMatching(/eu-west-1 or us-east-1/),
  });
  expect((await give(fail, "job-2", "us-east-1")).kind).toBe("taken");
  expect((await states()).sort()).toEqual(["running", "settled"]);
});

it("takes a beginning that one job has, in flight or in the ledger alone, and says which it was", async () => {
  const { left, give, runner, context, config } = await given({ detailsAgain: () => new Promise(() => {}) });
  await left("acknowledging");
  const [found] = await context.deps.ledger.unfinished();
  if (!found) throw new Error("nothing left");
  const flight = runner.resume(found, config);
  await left("running", { jobId: "job-3" as JobId, actionType: strangeType });
  // One of them is in flight, the other is not: it could be either.
  expect(await give(fail, "job-")).toMatchObject({ kind: "ambiguous", message: expect.stringMatching(/job-2, job-3/) });
  expect(flight.failure?.message).toBeUndefined();
  expect((await give(fail, "")).kind).toBe("unknown-job");
  expect(await give(release, "job-3")).toMatchObject({ kind: "taken", jobId: "job-3" });
  expect(await give(fail, "jo")).toMatchObject({ kind: "taken", jobId: "job-2" });
  expect(flight.failure?.message).toBe("by hand");
});

it("leaves what others may hold to them, and takes no beginning where others may have a job that begins so", async () => {
  const { left, give, context, runner, config } = await given({ detailsAgain: () => new Promise(() => {}) });
  await left("running");
  const [found] = await context.deps.ledger.unfinished();
  if (!found) throw new Error("nothing left");
  Object.assign(context.deps.ledger, { watch: () => [] });
  expect((await give(release)).kind).toBe("unknown-job");
  runner.resume(found, config);
  expect((await give(release, "job")).kind).toBe("unknown-job");
  expect((await give(release)).kind).toBe("taken");
});

it("answers that the ledger cannot be used, and throws anything else", () => {
  expect(refusedBy(new LedgerError("unwritable", "disk full"))).toEqual({
    kind: "ledger-unusable",
    message: "disk full",
  });
  expect(() => refusedBy(new Error("any"))).toThrow("any");
});
