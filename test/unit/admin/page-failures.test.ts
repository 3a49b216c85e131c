// Which failures are one and the same.
import { describe, expect, it } from "vitest";
import type { PastJob } from "../../../src/admin/history.js";
import { equalFailures } from "../../../src/admin/page-failures.js";
import { nowMs, scan } from "../../support/admin-status.js";

const failure = (jobId: string, change: Partial<PastJob> = {}): PastJob => ({
  atMs: nowMs,
  jobId,
  region: "us-east-1",
  actionType: scan,
  clientId: "c1",
  handler: "scan",
  end: "failed",
  isTrouble: true,
  reason: "JobFailed",
  text: "Target is missing",
  tookMs: 5,
  ...change,
});

describe("equal failures", () => {
  it("are one, with the latest of them, how many they are, and of how many clients", () => {
    const all = [failure("3", { clientId: "c2" }), failure("2"), failure("1")];
    expect(equalFailures(all, false)).toMatchObject([{ latest: { jobId: "3" }, count: 3, clients: 2 }]);
    expect(equalFailures(all, true).map(({ count }) => count)).toEqual([1, 1, 1]);
  });

  it.each([
    ["No answer within 31 s", "No answer within 7 s", true],
    ["job cdcad7a0-1f2e-4b7c-9a55-0123456789ab is gone", "job 00000000-1f2e-4b7c-9a55-0123456789ff is gone", true],
    ["Target is missing", "Target is broken", false],
    ["exit code 1", "killed by signal 9", false],
  ])("read alike but for numbers and ids: %s, %s: %s", (one, other, is) => {
    expect(equalFailures([failure("1", { text: one }), failure("2", { text: other })], false)).toHaveLength(is ? 1 : 2);
  });

  it.each<[string, Partial<PastJob>]>([
    ["Region", { region: "eu-central-1" }],
    ["account", { account: "shop" }],
    ["action type", { actionType: "Custom/Build/Acme-Build/1" }],
    ["end", { end: "dropped" }],
    ["reason", { reason: "SystemUnavailable" }],
  ])("are of the same %s", (_, change) => {
    expect(equalFailures([failure("1"), failure("2", change)], false)).toHaveLength(2);
  });

  it("stand with the latest first", () => {
    const all = [failure("3"), failure("2", { text: "other" }), failure("1")];
    expect(equalFailures(all, false).map(({ latest }) => latest.jobId)).toEqual(["3", "2"]);
  });
});
