import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Claim } from "../../../../src/job/claim.js";
import type { AccountName, ClientId, JobId, JobKey, Nonce, Region } from "../../../../src/job/job.js";
import { type Outcome, outcomeFrom } from "../../../../src/job/outcome.js";
import { endedFrom, endedJob } from "../../../../src/ledger/ended-text.js";
import type { JobRecord } from "../../../../src/ledger/record.js";
import { jobColumns, jobFrom, type Write, writeOf } from "../../../../src/ledger/sqlite/sqlite-rows.js";
import { Deadline } from "../../../../src/std/deadline.js";
import { FakeClock } from "../../../support/fake-clock.js";

const thirdParty: JobKey = {
  region: "eu-west-1" as Region,
  actionType: { category: "Test", owner: "ThirdParty", provider: "Acme-Scan", version: "1" },
  jobId: "job-1" as JobId,
  clientId: "client-1" as ClientId,
};
const clock = new FakeClock();
const running: JobRecord = { state: "running", takenAtMs: 1, sinceMs: 2, claim: { is: "ours" } };

/** The row as node:sqlite answers it. */
function read(write: Write): Record<string, unknown> {
  if (write.type !== "put") throw new Error(`not a row but ${write.type}`);
  return Object.fromEntries(jobColumns.map((column, n) => [column, write.row[n]]));
}

const text = (max: number) => fc.string({ unit: "binary", minLength: 1, maxLength: max });
const outcome: fc.Arbitrary<Outcome> = fc
  .oneof(
    fc.record({
      kind: fc.constant("succeeded"),
      summary: text(50),
      outputVariables: fc.dictionary(fc.stringMatching(/^[A-Za-z0-9@_-]+$/), text(9)),
    }),
    fc.record({ kind: fc.constant("continued"), continuationToken: text(50), percentComplete: fc.nat(100) }),
    fc.record({ kind: fc.constant("failed"), type: fc.constant("PermissionError"), message: text(50) }),
  )
  .map((value) => outcomeFrom(value, "Custom"));
const key: fc.Arbitrary<JobKey> = fc.record(
  {
    account: fc.constantFrom("shop", "blog") as fc.Arbitrary<AccountName>,
    region: fc.constantFrom("eu-west-1", "us-east-1") as fc.Arbitrary<Region>,
    actionType: fc.record({
      category: fc.constantFrom("Test", "Build"),
      owner: fc.constant("Custom" as const),
      provider: text(35),
      version: text(9),
    }),
    jobId: text(512) as fc.Arbitrary<JobId>,
    clientId: text(36) as fc.Arbitrary<ClientId>,
  },
  { requiredKeys: ["region", "actionType", "jobId"] },
);
const times = { takenAtMs: fc.nat(2 ** 45), sinceMs: fc.nat(2 ** 45) };
const asked = fc.record({ is: fc.constant("asked" as const), nonce: text(50) as fc.Arbitrary<Nonce> });
const claim: fc.Arbitrary<Claim> = fc.constantFrom({ is: "ours" }, { is: "presumed" });
/** By the wall clock, as it is stored. */
const wallMs = (at: number) => Deadline.at(clock, at);
const callback = fc.record({ tokenHash: text(64), deadline: fc.nat(2 ** 45).map(wallMs) });
const record: fc.Arbitrary<JobRecord> = fc.oneof(
  fc.record({ state: fc.constant("acknowledging" as const), ...times, claim: asked }),
  fc.record(
    { state: fc.constant("running" as const), ...times, claim, callback },
    { requiredKeys: ["state", "takenAtMs", "sinceMs", "claim"] },
  ),
  fc.record({ state: fc.constant("settled" as const), ...times, claim, outcome }),
);

describe("a row of the table jobs", () => {
  it("gives back whatever owed job was put in", () => {
    fc.assert(
      fc.property(fc.nat(), key, record, (id, someKey, someRecord) => {
        const back = jobFrom(read(writeOf(id, someKey, someRecord)), clock);
        expect(back).toEqual({ id, key: someKey, record: someRecord });
        expect(back.record.callback?.deadline.wallMs()).toBe(someRecord.callback?.deadline.wallMs());
      }),
    );
  });

  it("holds times as whole numbers, whatever they were", () => {
    const deadlines = [1.5, Number.MAX_SAFE_INTEGER, Number.POSITIVE_INFINITY, Number.NaN];
    for (const deadlineMs of deadlines) {
      const promised = { tokenHash: "h", deadline: wallMs(deadlineMs) };
      const row = read(writeOf(1, thirdParty, { ...running, sinceMs: 2.4, callback: promised }));
      expect(Number.isSafeInteger(row["callback_deadline_ms"])).toBe(true);
      expect(jobFrom(row, clock).record.sinceMs).toBe(2);
    }
  });

  it.each([
    ["region", null],
    ["region", ""],
    ["job_id", 7],
    ["owner", "AWS"],
    ["state", "reported"],
    ["state", "settled"],
    ["claim", "mine"],
    ["claim", "asked"],
    ["since_ms", "now"],
    ["since_ms", 1.5],
    ["taken_at_ms", null],
    ["outcome", '{"kind":"succeeded"}'],
    ["callback_hash", "h"],
  ])("is refused when %s is %j", (column, value) => {
    const row = { ...read(writeOf(12, thirdParty, running)), [column]: value };
    expect(() => jobFrom(row, clock)).toThrow(/^row 12 of its table jobs has no usable /);
  });

  it("is refused when its outcome is no JSON", () => {
    const settled = read(writeOf(12, thirdParty, { ...running, state: "settled", outcome: { kind: "succeeded" } }));
    expect(() => jobFrom({ ...settled, outcome: '{"kind":' }, clock)).toThrow(
      "row 12 of its table jobs has no usable outcome",
    );
  });
});

describe("the write that a record asks for", () => {
  it("remembers an end with a result, and drops any other", () => {
    const ended: JobRecord = { ...running, state: "reported", sinceMs: 9 };
    const row = ["eu-west-1", "job-1", "reported", 9];
    expect(writeOf(5, thirdParty, ended)).toEqual({ type: "end", id: 5, row: [...row, "default", 1, null] });
    const named = { ...thirdParty, account: "shop" as AccountName };
    expect(writeOf(5, named, ended)).toEqual({ type: "end", id: 5, row: [...row, "shop", 1, null] });
    const lost: JobRecord = { ...running, state: "dropped", sinceMs: 9, lostReason: "gone" };
    expect(writeOf(5, thirdParty, lost)).toEqual({ type: "drop", id: 5 });
  });

  it("takes what is told of an ended job along, if anybody may ask, also of one that had no result", () => {
    const told = { handler: "scan", message: "CodePipeline does not know it" };
    const lost: JobRecord = {
      ...running,
      state: "dropped",
      sinceMs: 9,
      lostReason: "gone",
      ended: { end: "dropped", told },
    };
    expect(writeOf(5, thirdParty, lost)).toEqual({ type: "drop", id: 5 });
    const write = writeOf(5, thirdParty, lost, true);
    expect(write).toMatchObject({
      type: "end",
      id: 5,
      row: ["eu-west-1", "job-1", "dropped", 9, "default", 0, expect.any(String)],
    });
    const text = write.type === "end" ? String(write.row[6]) : "";
    const { actionType: _, clientId: __, ...key } = thirdParty;
    expect(endedFrom({ key, endedAtMs: 9 }, text)).toEqual(endedJob(thirdParty, lost));
  });
});
