// Which job is meant by an id or a beginning: the rule, whoever asks.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { AccountName, JobId, JobKey, Region } from "../../../src/job/job.js";
import { type GivenJob, jobMeant } from "../../../src/job/meant.js";

const key = (jobId: string, region = "us-east-1"): JobKey => ({
  region: region as Region,
  actionType: { category: "Test", owner: "ThirdParty", provider: "Acme-Scan", version: "1" },
  jobId: jobId as JobId,
});
const meant = (jobs: readonly JobKey[], given: GivenJob) => jobMeant(jobs, (job) => job, given);
const jobs = [key("cdcad7a0-1"), key("cdcad7a1-2"), key("job-1"), key("job-11"), key("twin"), key("twin", "eu-west-1")];

describe("jobMeant", () => {
  it.each([
    ["a whole id", { jobId: "cdcad7a0-1" }, jobs[0]],
    ["a beginning that only one has", { jobId: "cdcad7a0" }, jobs[0]],
    ["a whole id that another one begins with", { jobId: "job-1" }, jobs[2]],
    ["an id of two Regions, with the Region", { jobId: "twin", region: "eu-west-1" }, jobs[5]],
    ["a beginning within a Region", { jobId: "t", region: "us-east-1" }, jobs[4]],
  ])("takes %s", (_, given, job) => {
    expect(meant(jobs, given)).toEqual({ kind: "one", held: job });
  });

  it.each([
    ["nothing at all", { jobId: "" }],
    ["the end of an id", { jobId: "7a0-1" }],
    ["more than an id", { jobId: "cdcad7a0-1-" }],
    ["another case", { jobId: "CDCAD7A0" }],
    ["a job of another Region", { jobId: "cdcad7a0-1", region: "eu-west-1" }],
  ])("knows none by %s", (_, given) => {
    expect(meant(jobs, given)).toEqual({ kind: "none" });
    expect(meant([key("only")], { jobId: "" })).toEqual({ kind: "none" });
  });

  it("names those that it could be", () => {
    const message = (jobId: string) => meant(jobs, { jobId });
    expect(message("cdcad7a")).toMatchObject({
      kind: "several",
      message: expect.stringMatching(/cdcad7a0-1, cdcad7a1-2;/),
    });
    expect(message("tw")).toMatchObject({ kind: "several", message: expect.stringMatching(/us-east-1 or eu-west-1/) });
    const many = Array.from({ length: 9 }, (_, index) => key(`x${index}`));
    expect(meant(many, { jobId: "x" })).toMatchObject({ message: expect.stringMatching(/ x4, and 4 more;/) });
  });

  it("means a job by its whole id and Region whatever others are called, and never one that does not begin so", () => {
    const keys = fc.uniqueArray(
      fc.record({
        id: fc.string({ unit: fc.constantFrom("a", "b"), minLength: 1, maxLength: 4 }),
        region: fc.constantFrom("r1", "r2"),
      }),
      { selector: ({ id, region }) => `${region} ${id}`, minLength: 1 },
    );
    fc.assert(
      fc.property(keys, fc.string({ unit: fc.constantFrom("a", "b"), maxLength: 4 }), (made, given) => {
        const all = made.map(({ id, region }) => key(id, region));
        for (const job of all) expect(meant(all, job)).toEqual({ kind: "one", held: job });
        const found = meant(all, { jobId: given });
        const begun = all.filter(({ jobId }) => given !== "" && jobId.startsWith(given));
        if (found.kind === "one") expect(begun).toContain(found.held);
        expect(found.kind === "none").toBe(begun.length === 0);
      }),
    );
  });
});

describe("jobs of several accounts", () => {
  const of = (account: string | undefined, region?: string): JobKey => ({
    ...key("twin", region),
    ...(account === undefined ? {} : { account: account as AccountName }),
  });
  const all = [of(undefined), of("shop"), of("blog"), of("blog", "eu-west-1")];

  it.each([
    ["the account `default`", { account: "default" }, all[0]],
    ["a named one", { account: "shop" }, all[1]],
    ["one in a Region", { account: "blog", region: "eu-west-1" }, all[3]],
  ])("are told apart by %s", (_, place, job) => {
    expect(meant(all, { jobId: "twin", ...place })).toEqual({ kind: "one", held: job });
  });

  it("ask for the account, and for the Region where that is not enough", () => {
    expect(meant(all.slice(0, 3), { jobId: "twin" })).toMatchObject({
      message: "several accounts have a job with that id: name the account, --account default or shop or blog",
    });
    expect(meant(all, { jobId: "twin" })).toMatchObject({
      message: expect.stringContaining("--account default or shop or blog and --region us-east-1 or eu-west-1"),
    });
    expect(meant(all, { jobId: "twin", account: "docs" })).toEqual({ kind: "none" });
  });
});
