import { describe, expect, it } from "vitest";
import type { Nonce } from "../../../src/job/job.js";
import type { JobEvent, LostReason } from "../../../src/job/lifecycle.js";
import { succeeded } from "../../../src/job/outcome.js";
import { isRemembered, type JobRecord, newRecord, recordAfter } from "../../../src/ledger/record.js";
import { systemClock } from "../../../src/std/clock.js";
import { Deadline } from "../../../src/std/deadline.js";

const deadline = Deadline.in(systemClock, 900);
const detailed: JobEvent = { type: "details-received" };
const sent: JobEvent = { type: "acknowledge-sent", nonce: "3" as Nonce };
const accepted: JobEvent = { type: "acknowledge-accepted", claim: "ours" };
const awaited: JobEvent = { type: "callback-awaited", tokenHash: "abc", deadline };
const settled: JobEvent = { type: "outcome-settled", outcome: succeeded({ summary: "done" }) };
const reported: JobEvent = { type: "report-accepted" };
const claim = { is: "ours" } as const;

/** One event per ms, from 100 on. */
function recordOf(events: readonly JobEvent[]): JobRecord {
  return events.reduce((record, event, n) => recordAfter(record, event, 101 + n), newRecord(100));
}

/** Whatever people are told of it later. */
function check(events: readonly JobEvent[], expected: JobRecord): void {
  const { steps: _, ended: __, ...record } = recordOf(events);
  expect(record).toEqual(expected);
}

describe("a job's record", () => {
  it("begins when the job is leased", () =>
    check([], { state: "polled", takenAtMs: 100, sinceMs: 100, claim: { is: "none" } }));

  it("keeps the nonce of the newest acknowledge, and since when it is asked", () => {
    const again: JobEvent = { type: "acknowledge-sent", nonce: "4" as Nonce };
    check([detailed, sent, again], {
      state: "acknowledging",
      takenAtMs: 100,
      sinceMs: 102,
      claim: { is: "asked", nonce: "4" as Nonce },
    });
  });

  it("keeps that a job is only presumed ours, until it is confirmed, and everything else as it is", () => {
    const presumed: JobEvent = { type: "acknowledge-accepted", claim: "presumed" };
    const outcome = succeeded({ summary: "done" });
    const owed = { state: "settled", takenAtMs: 100, sinceMs: 104, outcome } as const;
    check([detailed, sent, presumed, settled], { ...owed, claim: { is: "presumed" } });
    check([detailed, sent, presumed, settled, { type: "claim-confirmed" }], { ...owed, claim });
  });

  it("keeps the promise to a service while the job runs", () => {
    const callback = { tokenHash: "abc", deadline };
    check([detailed, sent, accepted, awaited], { state: "running", takenAtMs: 100, sinceMs: 103, claim, callback });
  });

  it("holds the outcome and no promise any more once it is settled", () => {
    const outcome = succeeded({ summary: "done" });
    check([detailed, sent, accepted, awaited, settled], {
      state: "settled",
      takenAtMs: 100,
      sinceMs: 105,
      claim,
      outcome,
    });
  });

  it("lets go of the outcome once it is accepted", () => {
    check([detailed, sent, accepted, settled, reported], { state: "reported", takenAtMs: 100, sinceMs: 105, claim });
  });

  it("says why a job was dropped", () => {
    const lost: JobEvent = { type: "job-lost", reason: "gone" };
    check([lost], { state: "dropped", takenAtMs: 100, sinceMs: 101, claim: { is: "none" }, lostReason: "gone" });
  });

  it("is never changed in place", () => {
    const before = Object.freeze(newRecord(1));
    expect(recordAfter(before, detailed, 2)).not.toBe(before);
    expect(before.state).toBe("polled");
  });

  it("throws on an event that is illegal in its state", () => {
    expect(() => recordAfter(newRecord(1), reported, 2)).toThrow(
      "bug: a job that is polled cannot take the event report-accepted",
    );
  });
});

describe("what is remembered", () => {
  it.each([
    ["over", true],
    ["not-ours", false],
    ["gone", false],
    ["no-details", false],
    ["token-rejected", false],
    ["draining", false],
    ["paused", false],
    ["no-room", false],
    ["denied", false],
    ["refused", false],
    ["ledger-unwritable", false],
    ["taken-over", false],
    ["released", false],
  ] satisfies [LostReason, boolean][])("of a job dropped as %s: %s", (reason, expected) => {
    expect(isRemembered(recordAfter(newRecord(1), { type: "job-lost", reason }, 2))).toBe(expected);
  });

  it("is a job that was reported, and none that lives", () => {
    let record = newRecord(1);
    for (const event of [detailed, sent, accepted, settled]) {
      record = recordAfter(record, event, 2);
      expect(isRemembered(record)).toBe(false);
    }
    expect(isRemembered(recordAfter(record, reported, 3))).toBe(true);
  });
});

describe("what is told of a job later", () => {
  it("is each state with its time, once, also where an earlier process knew those before", () => {
    const again: JobEvent = { type: "acknowledge-sent", nonce: "4" as Nonce };
    const steps = [
      ["polled", 100],
      ["detailed", 101],
      ["acknowledging", 102],
      ["running", 104],
    ];
    expect(recordOf([detailed, sent, again, accepted, awaited]).steps).toEqual(steps);
    const found: JobRecord = { state: "settled", takenAtMs: 5, sinceMs: 7, claim, outcome: succeeded() };
    expect(recordAfter(found, reported, 9).steps).toEqual([
      ["settled", 7],
      ["reported", 9],
    ]);
  });

  it("is how it ended, by what CodePipeline has in the end", () => {
    const told = { handler: "scan", outcome: { kind: "failed", type: "JobFailed", text: "rejected" } } as const;
    const { ended } = recordOf([detailed, sent, accepted, settled, { ...reported, end: told }]);
    expect(ended).toEqual({ end: "failed", told });
    expect(recordOf([detailed, sent, accepted, settled, reported]).ended).toEqual({ end: "succeeded", told: {} });
  });

  it("is nothing for a job that nobody had acknowledged", () => {
    const lost: JobEvent = { type: "job-lost", reason: "gone", end: { message: "it is gone" } };
    expect(recordOf([lost]).ended).toBeUndefined();
    expect(recordOf([detailed, lost]).ended).toBeUndefined();
    const told = { message: "it is gone" };
    expect(recordOf([detailed, sent, lost]).ended).toEqual({ end: "dropped", told });
    expect(recordOf([detailed, sent, accepted, lost]).ended).toEqual({ end: "dropped", told });
  });
});
