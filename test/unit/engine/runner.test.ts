// Which jobs are in flight: one offer, one lease, one slot, and all three given back whatever ends the job.
import { describe, expect, it } from "vitest";
import { GatewayError, type JobGateway } from "../../../src/codepipeline/gateway.js";
import { Runner } from "../../../src/engine/runner.js";
import type { JobId, JobKey } from "../../../src/job/job.js";
import { LedgerError, type UnfinishedJob } from "../../../src/ledger/ledger.js";
import { systemClock } from "../../../src/std/clock.js";
import { Deadline } from "../../../src/std/deadline.js";
import { settle } from "../../support/fake-clock.js";
import { flightOver, key, offer } from "../../support/flight.js";

const other: JobKey = { ...key, jobId: "job-2" as JobId };
const polled = { key: other, job: { ...offer, key: other } };

/** A runner, and slots for the jobs that it is given. */
async function given(gateway: Partial<JobGateway> = {}) {
  const made = await flightOver(gateway);
  const { context, slots, config, name, events } = made;
  slots.open({ name, group: "type" }, 5);
  const runner = new Runner(context, slots);
  const slot = async () => {
    const taken = (await slots.take(name, 1, context.scopes.poll))?.use();
    if (!taken) throw new Error("no slot");
    return taken;
  };
  const take = async () => runner.take(polled, config, await slot(), 0);
  // The support's own flight has one slot.
  const working = () => slots.working - 1;
  const told = () => events.map(({ type }) => type);
  return { ...made, runner, take, working, told };
}

describe("an offer", () => {
  it("is taken, and its slot, lease and count are given back at the end", async () => {
    const { runner, take, working, context } = await given();
    expect(await take()).toBe(true);
    expect([runner.inFlight, working()]).toEqual([1, 1]);
    await runner.whenIdle();
    expect([runner.inFlight, working(), runner.unfinished.size]).toEqual([0, 0, 0]);
    // No handler by that name: it failed, and the ledger remembers that it had a result.
    expect(await context.deps.ledger.lease(other)).toBeUndefined();
  });

  it("of a job in flight is a repeat and gives its slot back", async () => {
    const { runner, take, working, told } = await given({ details: () => new Promise(() => {}) });
    const answers = await Promise.all([take(), take()]);
    expect(answers.sort()).toEqual([false, true]);
    expect([runner.inFlight, working()]).toEqual([1, 1]);
    expect(told()).toContain("offer-repeated");
  });

  it.each([
    ["a ledger that cannot be used", new LedgerError("unwritable", "disk full"), "ledger-failed"],
    ["a bug", new Error("any"), "bug"],
  ])("is not taken by %s, and no slot is lost", async (_what, error, event) => {
    const { runner, take, working, told, context } = await given();
    context.deps.ledger.lease = () => Promise.reject(error);
    expect(await take()).toBe(false);
    expect([runner.inFlight, working(), told()]).toEqual([0, 0, [event]]);
  });
});

describe("a bug in a job's story", () => {
  it("drops a job that was not acknowledged", async () => {
    const { runner, take, events, told } = await given({ details: () => Promise.reject(new TypeError("any")) });
    await take();
    await runner.whenIdle();
    expect(told()).toContain("bug");
    expect(events.at(-1)).toMatchObject({ type: "job-dropped", from: "polled", reason: "no-details" });
  });

  it("ends one that is ours with a result", async () => {
    const put: unknown[] = [];
    const { runner, take, context } = await given({ put: async (_key, outcome) => void put.push(outcome) });
    Object.assign(context.deps.handlers, {
      get: () => {
        throw new TypeError("any");
      },
    });
    await take();
    await runner.whenIdle();
    expect(put).toMatchObject([{ kind: "failed", type: "SystemUnavailable" }]);
  });
});

function found(state: "running" | "acknowledging"): UnfinishedJob {
  return { lease: { key: other, state }, takenAtMs: 0, claim: { is: "ours" } };
}

describe("a job of the ledger", () => {
  it("counts as unfinished until somebody works it", async () => {
    const { runner, config } = await given({ put: () => new Promise(() => {}) });
    expect(runner.setAside(other, "running")).toBe(true);
    expect([...runner.unfinished]).toEqual([["eu-west-1/job-2", "running"]]);
    runner.resume(found("running"), config);
    expect([runner.unfinished.size, runner.inFlight]).toEqual([0, 1]);
  });

  it("is no matter of ours when others share the ledger and we cannot work it", async () => {
    const { runner, context } = await given();
    Object.assign(context.deps.ledger, { watch: () => [] });
    const strange = { ...other, actionType: { ...other.actionType, provider: "Unknown" } };
    expect([runner.setAside(strange, "running"), runner.setAside(other, "running")]).toEqual([false, true]);
  });

  it("awaits its callback from the promise on, while it runs", async () => {
    const { runner, config } = await given({ detailsAgain: () => new Promise(() => {}) });
    const callback = { tokenHash: "00", deadline: Deadline.in(systemClock, 60_000) };
    runner.resume({ ...found("running"), callback }, config);
    expect([runner.awaitsCallback("job-2"), runner.awaitsCallback("job-3")]).toEqual([true, false]);
  });
});

it("asks once more for a job that is presumed ours when it is offered again while it runs", async () => {
  const asked: unknown[] = [];
  const { runner, config, slots, name, context, told } = await given({
    acknowledge: async (_key, nonce) => {
      asked.push(nonce);
      throw new GatewayError({ kind: "unavailable", operation: "AcknowledgeJob", code: "x", message: "no" });
    },
    detailsAgain: () => new Promise(() => {}),
  });
  const callback = { tokenHash: "00", deadline: Deadline.in(systemClock, 60_000) };
  runner.resume({ ...found("running"), claim: { is: "presumed" }, callback }, config);
  const slot = (await slots.take(name, 1, context.scopes.poll))?.use();
  if (!slot) throw new Error("no slot");
  expect(await runner.take(polled, config, slot, 0)).toBe(false);
  await settle();
  expect([asked, told()]).toEqual([[offer.nonce], expect.arrayContaining(["offer-repeated", "call-retried"])]);
});
