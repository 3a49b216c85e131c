// What is held at the end of a stop: every way in which a job can be, and each job once.
import { describe, expect, it } from "vitest";
import { HeldAtEnd, type Holder } from "../../../src/engine/held-at-end.js";
import { type JobId, type JobKey, jobKeyName, type Region } from "../../../src/job/job.js";
import type { JobState } from "../../../src/job/lifecycle.js";

const actionType = { category: "Test", owner: "ThirdParty", provider: "Acme-Scan", version: "1" } as const;

function key(jobId: string): JobKey {
  return { region: "us-east-1" as Region, actionType, jobId: jobId as JobId };
}

type Jobs = Readonly<Record<string, JobState>>;

function holder(flights: Jobs, unfinished: Jobs = {}): Holder {
  const named = (jobs: Jobs) => Object.entries(jobs).map(([id, state]) => [jobKeyName(key(id)), state] as const);
  return {
    flights: () => Object.entries(flights).map(([id, state]) => ({ key: key(id), state })),
    unfinished: new Map(named(unfinished)),
  };
}

function given(ledger: { writable: boolean; isDurable?: boolean }) {
  const { isDurable = true } = ledger;
  const held = new HeldAtEnd({ isDurable, health: () => ({ writable: ledger.writable }) });
  const failed = (jobId: string) => held.observe({ type: "ledger-failed", key: key(jobId), message: "disk full" });
  const polled = () =>
    held.observe({
      type: "poll-finished",
      poller: { region: "us-east-1" as Region, actionType },
      limit: 1,
      offered: 0,
      taken: 0,
      unreadable: [],
      durationMs: 1,
      restMs: 1,
    });
  return { held, failed, polled };
}

describe("what is held", () => {
  it.each<[string, Holder, number, number]>([
    ["nothing", holder({}), 0, 0],
    [
      "a job that nobody promised anything for",
      holder({ a: "polled", b: "detailed", c: "reported", d: "dropped" }),
      0,
      0,
    ],
    ["jobs in flight", holder({ a: "acknowledging", b: "running", c: "settled" }), 3, 1],
    ["jobs that nobody works here", holder({}, { a: "running", b: "settled" }), 2, 1],
    ["a job in both of these", holder({ a: "settled" }, { a: "running" }), 1, 1],
  ])("is counted once: %s", (_what, jobs, owed, results) => {
    expect(given({ writable: true }).held.count(jobs)).toMatchObject({ owed, results });
  });

  it("includes a job that is over while the ledger, which cannot be written, does not know", () => {
    const ledger = { writable: false };
    const { held, failed, polled } = given(ledger);
    failed("a");
    polled();
    expect(held.count(holder({ a: "reported" }))).toMatchObject({ owed: 1, results: 0 });
    // It writes all of it before it is writable again.
    ledger.writable = true;
    expect(held.count(holder({}))).toMatchObject({ owed: 0 });
    polled();
    ledger.writable = false;
    expect(held.count(holder({}))).toMatchObject({ owed: 0 });
  });

  it("includes what a shared ledger does not know of any more", () => {
    const ledger = { isDurable: true, health: () => ({ writable: true }), orphaned: () => 2 };
    expect(new HeldAtEnd(ledger).count(holder({ a: "running" }))).toMatchObject({ owed: 3, results: 0 });
  });

  it("is counted after the ledger was given one more try", async () => {
    const ledger = { writable: false, isDurable: true, health: () => ({ writable: ledger.writable }) };
    const held = new HeldAtEnd({
      ...ledger,
      retryNow: async () => {
        ledger.writable = true;
      },
    });
    held.observe({ type: "ledger-failed", key: key("a"), message: "disk full" });
    expect(held.count(holder({}))).toMatchObject({ owed: 1 });
    await held.settle();
    expect(held.count(holder({}))).toMatchObject({ owed: 0 });
  });

  it("is not known before a durable ledger was read", () => {
    const { held } = given({ writable: true });
    expect(held.count(holder({}))).toMatchObject({ isRead: false, isDurable: true });
    held.isRead = true;
    expect(held.count(holder({}))).toMatchObject({ isRead: true });
    expect(given({ writable: true, isDurable: false }).held.count(holder({}))).toMatchObject({ isRead: true });
  });
});
