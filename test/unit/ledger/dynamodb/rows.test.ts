// How jobs become rows of the fleet's table and come back, whatever their ids and outcomes.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { AccountName, ClientId, JobId, JobKey, Nonce, Region } from "../../../../src/job/job.js";
import { failed, outcomeFrom, succeeded } from "../../../../src/job/outcome.js";
import { type Item, itemOf, rowFrom, rowName } from "../../../../src/ledger/dynamodb/rows.js";
import type { JobRecord } from "../../../../src/ledger/record.js";
import { Deadline } from "../../../../src/std/deadline.js";
import { FakeClock } from "../../../support/fake-clock.js";

const clock = new FakeClock();
const fence = { holder: "replica-1", lease: 4, turn: 2 };
const times = { nowMs: 1_700_000_000_000, recentMs: 3_600_000, historyMs: 0 };
const record: JobRecord = { state: "running", takenAtMs: 5, sinceMs: 6, claim: { is: "ours" } };

function key(jobId: string): JobKey {
  const actionType = { category: "Test", owner: "ThirdParty", provider: "Acme-Scan", version: "1" } as const;
  return { region: "eu-west-1" as Region, actionType, jobId: jobId as JobId, clientId: "client" as ClientId };
}

describe("a job's row", () => {
  it("comes back as it was, whatever its id", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", minLength: 1, maxLength: 512 }), (jobId) => {
        const row = rowFrom(itemOf(key(jobId), record, fence, times), clock, "taken");
        expect(row).toEqual({ key: key(jobId), fence, record, isRemembered: false });
      }),
    );
  });

  it("keeps jobs of one id in two accounts apart, and reads rows without an account as those of `default`", () => {
    const ids = ["job-1", "sha256:a", "\ud800", "eu-west-1/job"];
    const accounts = [undefined, "shop", "blog", "us-east-1"] as (AccountName | undefined)[];
    const keys = ids.flatMap((id) => accounts.map((account) => ({ ...key(id), ...(account ? { account } : {}) })));
    for (const each of keys) expect(rowFrom(itemOf(each, record, fence, times), clock, "taken").key).toEqual(each);
    expect(new Set(keys.map(rowName)).size).toBe(keys.length);
    expect(rowName(key("job-1"))).toBe("eu-west-1/job-1");
  });

  it("of a named account is of no configured Region to a replica that knows no accounts, and stays as it is there", () => {
    const item = itemOf({ ...key("job-1"), account: "shop" as AccountName }, record, fence, times);
    // All that such a replica reads of the job, and the key that it writes to.
    const job = JSON.parse(item["job"]?.S ?? "") as { region: string; jobId: string };
    expect(job).toMatchObject({ region: "shop@eu-west-1", jobId: "job-1" });
    expect(`${job.region}/${job.jobId}`).toBe(item["pk"]?.S);
  });

  it("has a key of its own within the API's 2,048 bytes, whatever its id", () => {
    const ids = ["a", "a ", "A", "é", "\ud800", "\ud801", "\u0000", "💥".repeat(256), "sha256:a", "x".repeat(512)];
    const names = ids.map((id) => rowName(key(id)));
    expect(new Set(names).size).toBe(ids.length);
    for (const name of names) expect(Buffer.byteLength(name)).toBeLessThanOrEqual(2_048);
  });

  it("comes back with its outcome and its promise to a service", () => {
    const outcome = failed("ä 💥 \u0000", { type: "ConfigurationError" });
    const owed: JobRecord = { ...record, state: "settled", outcome };
    expect(rowFrom(itemOf(key("a"), owed, fence, times), clock, "taken").record).toEqual(owed);
    const waiting: JobRecord = { ...record, callback: { tokenHash: "f".repeat(64), deadline: Deadline.in(clock, 9) } };
    expect(rowFrom(itemOf(key("a"), waiting, fence, times), clock, "taken").record).toEqual(waiting);
  });

  it("leaves a service what it had when the row was written, and lists the deadline by the clock of its holder", () => {
    const [holders, others] = [new FakeClock(), new FakeClock()];
    others.step(3_600_000);
    const callback = { tokenHash: "f".repeat(64), deadline: Deadline.in(holders, 60_000) };
    const item = itemOf(key("a"), { ...record, callback }, fence, times);
    const deadlineOf = (purpose: "taken" | "listed") => rowFrom(item, others, purpose).record.callback?.deadline;
    expect(deadlineOf("taken")?.leftMs()).toBe(60_000);
    expect(deadlineOf("listed")?.wallMs()).toBe(holders.now() + 60_000);
  });

  it("fits into DynamoDB's 400 KB and comes back word for word, whatever its outcome within the API's limits", () => {
    // Variables with NUL are refused.
    const worst = ["\u0001", "\u001f\u0010", "💥", "é\u0002", '"\\'];
    const texts = fc.string({ unit: fc.constantFrom(...worst, "a"), minLength: 1, maxLength: 200 });
    const fill = (text: string, bytes: number) => {
      const random = Array.from({ length: 512 }, (_, n) => text + String.fromCharCode(1 + ((n * 7919) % 0x7e))).join(
        "",
      );
      const filled = random.repeat(Math.ceil(bytes / Buffer.byteLength(random)));
      return Buffer.from(filled).subarray(0, bytes).toString("utf8").replaceAll("\ufffd", "");
    };
    fc.assert(
      fc.property(texts, (text) => {
        const outcome = outcomeFrom(
          {
            kind: "succeeded",
            summary: fill(text, 2_000),
            externalExecutionId: fill(text, 1_500),
            outputVariables: { all: fill(text, 122_877) },
          },
          "Custom",
        );
        expect(outcome.kind).toBe("succeeded");
        const owed: JobRecord = { ...record, state: "settled", outcome };
        const actionType = { ...key("a").actionType, owner: "Custom" } as const;
        const item = itemOf({ ...key("a"), actionType }, owed, fence, times);
        const bytes = Object.entries(item).map(([name, { S, N }]) => Buffer.byteLength(name + (S ?? N ?? "")));
        expect(bytes.reduce((sum, each) => sum + each, 0)).toBeLessThan(400_000);
        expect(rowFrom(item, clock, "taken").record).toEqual(owed);
      }),
      { numRuns: 25 },
    );
  });

  it("does not come back when what is packed in it is cut off", () => {
    const outcome = succeeded({ outputVariables: { all: "\u0001".repeat(100_000) } });
    const item = itemOf(key("a"), { ...record, state: "settled", outcome }, fence, times);
    const cut = { ...item, record: { S: item["record"]?.S?.slice(0, 100) ?? "" } };
    expect(() => rowFrom(cut, clock, "taken")).toThrow("the row eu-west-1/a has no usable record");
  });

  it("is in the index of its holder only while it is owed", () => {
    for (const state of ["acknowledging", "running", "settled"] as const) {
      expect(itemOf(key("a"), { ...record, state }, fence, times)["owedBy"]).toEqual({ S: "replica-1" });
    }
    for (const state of ["polled", "detailed", "reported"] as const) {
      expect(itemOf(key("a"), { ...record, state }, fence, times)["owedBy"]).toBeUndefined();
    }
  });

  it("comes back with what is known of its claim", () => {
    const asked: JobRecord = { ...record, state: "acknowledging", claim: { is: "asked", nonce: "3" as Nonce } };
    expect(rowFrom(itemOf(key("a"), asked, fence, times), clock, "taken").record).toEqual(asked);
    const presumed: JobRecord = { ...record, claim: { is: "presumed" } };
    expect(rowFrom(itemOf(key("a"), presumed, fence, times), clock, "taken").record).toEqual(presumed);
  });

  it.each([
    ["acknowledging", "3", { is: "asked", nonce: "3" }],
    ["acknowledging", "presumed ours: the nonce was used up, and no answer said by whom", { is: "presumed" }],
    ["running", "presumed ours: the nonce was used up, and no answer said by whom", { is: "presumed" }],
    ["running", "3", { is: "ours" }],
  ])("of an older partnerd that is %s with the nonce %j tells its claim", (state, nonce, claim) => {
    const older = { S: JSON.stringify({ takenAtMs: 5, sinceMs: 6, nonce }) };
    const item = { ...itemOf(key("a"), record, fence, times), state: { S: state }, record: older };
    expect(rowFrom(item, clock, "taken").record).toEqual({ state, takenAtMs: 5, sinceMs: 6, claim });
  });

  const sound = itemOf(key("a"), record, fence, times);
  it.each<[string, Item]>([
    ["holder", { ...sound, holder: { N: "1" } }],
    ["lease", { ...sound, lease: { S: "x" } }],
    ["turn", { ...sound, turn: { N: "x" } }],
    ["job", { ...sound, job: { S: "[]" } }],
    ["job", { ...sound, job: { S: '{"region":"r","jobId":"j","actionType":{"owner":"Me"}}' } }],
    ["job", { ...sound, job: { S: "null" } }],
    ["record", { ...sound, record: { S: "{" } }],
    ["record", { ...sound, record: { S: "{}" } }],
    ["record", { ...sound, state: { S: "settled" } }],
    ["record", { ...sound, record: { S: '{"takenAtMs":1,"sinceMs":1,"callback":{}}' } }],
    ["record", { ...sound, record: { S: '{"takenAtMs":1,"sinceMs":1,"claim":{"is":"asked"}}' } }],
    ["record", { ...sound, record: { S: '{"takenAtMs":1,"sinceMs":1,"claim":{"is":"mine"}}' } }],
  ])("says which attribute is damaged: %s", (attribute, item) => {
    expect(() => rowFrom(item, clock, "taken")).toThrow(`the row eu-west-1/a has no usable ${attribute}`);
  });
});
