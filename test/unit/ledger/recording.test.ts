// What a ledger makes of events that it could not write: which it takes back, which may come again.
import { describe, expect, it } from "vitest";
import type { Nonce } from "../../../src/job/job.js";
import type { JobEvent } from "../../../src/job/lifecycle.js";
import { succeeded } from "../../../src/job/outcome.js";
import { newRecord } from "../../../src/ledger/record.js";
import { changeBy, miss, type Recording, tell } from "../../../src/ledger/recording.js";

const details: JobEvent = { type: "details-received" };
const sent: JobEvent = { type: "acknowledge-sent", nonce: "1" as Nonce };
const accepted: JobEvent = { type: "acknowledge-accepted", claim: "ours" };
const settled: JobEvent = { type: "outcome-settled", outcome: succeeded() };

function jobAfter(...events: readonly JobEvent[]): Recording {
  const job: Recording = { told: newRecord(0), missed: undefined };
  for (const [at, event] of events.entries()) tell(job, changeBy(job, event, at));
  return job;
}

describe("an event that a ledger is told", () => {
  it.each([
    ["the first one", [], details, false],
    ["the acknowledgement", [details], sent, true],
    ["one of a job that is ours", [details, sent, accepted], settled, true],
  ])("must be written or not: %s", (_what, earlier, event, mustBeWritten) => {
    const job = jobAfter(...earlier);
    const { told } = job;
    expect(changeBy(job, event, 9)).toMatchObject({ type: event.type, before: told, mustBeWritten });
    expect(job.told).toBe(told);
  });

  it("is taken back when it is an acknowledgement that was not written", () => {
    const job = jobAfter(details);
    const { told } = job;
    const change = changeBy(job, sent, 9);
    tell(job, change);
    expect([job.told.state, miss(job, change)]).toEqual([change.record.state, true]);
    expect(job).toEqual({ told, missed: undefined });
  });

  it("stays what it is when another event has followed an acknowledgement that was not written", () => {
    const job = jobAfter(details);
    const change = changeBy(job, sent, 8);
    tell(job, change);
    tell(job, changeBy(job, accepted, 9));
    const { told } = job;
    miss(job, change);
    expect(job.told).toBe(told);
  });

  it("has happened whatever the disk says when it is a later one, and may come again", () => {
    const job = jobAfter(details, sent, accepted);
    const change = changeBy(job, settled, 8);
    tell(job, change);
    expect(miss(job, change)).toBe(false);
    expect(job.told.state).toBe("settled");
    const again = changeBy(job, settled, 9);
    expect(again).toMatchObject({ before: change.before, record: { state: "settled", sinceMs: 9 } });
    tell(job, again);
    expect(job.missed).toBeUndefined();
  });
});
