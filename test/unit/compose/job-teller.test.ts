// Who knows a job: the daemon, its ledger, or both; what an id may mean; and a ledger that cannot be read.
import { expect, it } from "vitest";
import { JobStories } from "../../../src/admin/job-stories.js";
import { JobTeller } from "../../../src/compose/job-teller.js";
import type { EndedJob, HistorySearch } from "../../../src/job/ended.js";
import { isWanted } from "../../../src/job/ended.js";
import type { AccountName, JobId, JobKey, Region } from "../../../src/job/job.js";
import { LedgerError } from "../../../src/ledger/ledger.js";

const actionType = { category: "Build", owner: "Custom", provider: "P", version: "1" } as const;
const keyOf = (jobId: string, more: Partial<JobKey> = {}): JobKey => ({
  region: "us-east-1" as Region,
  actionType,
  jobId: jobId as JobId,
  ...more,
});
const ended = (jobId: string, more: Partial<EndedJob> = {}): EndedJob => ({
  key: keyOf(jobId),
  end: "succeeded",
  takenAtMs: 1,
  endedAtMs: 2,
  steps: [],
  ...more,
});

function given(here: readonly string[], jobs: readonly EndedJob[] | LedgerError, perPage = 100) {
  const stories = new JobStories({ mask: (text) => text });
  for (const jobId of here)
    stories.observe({
      type: "job-changed",
      key: keyOf(jobId),
      from: "acknowledging",
      to: "running",
      by: "acknowledge-accepted",
      atMs: 5,
    });
  const searches: HistorySearch[] = [];
  const history = async (search: HistorySearch) => {
    searches.push(search);
    if (jobs instanceof LedgerError) throw jobs;
    // It looks at so many, and says where to go on.
    const from = Number(search.before ?? 0);
    const looked = jobs.slice(from, from + perPage);
    const found = looked.filter((job) => isWanted(job, search)).slice(0, search.limit);
    return { jobs: found, ...(from + perPage < jobs.length ? { next: String(from + perPage) } : {}) };
  };
  return { stories, teller: new JobTeller(stories, { history }), searches };
}

it("asks no ledger for a job that the daemon knows by its whole id", async () => {
  const { teller, searches } = given(["aaa-1"], [ended("aaa-1")]);
  expect(await teller.tell({ jobId: "aaa-1" })).toMatchObject({ kind: "one", story: { source: "daemon" } });
  expect(searches).toEqual([]);
});

it("takes a beginning only when neither daemon nor ledger has another job of it", async () => {
  const { teller } = given(["aaa-1", "bbb-1"], [ended("aaa-2"), ended("bbb-1"), ended("ccc-1")]);
  expect(await teller.tell({ jobId: "aaa" })).toMatchObject({
    kind: "several",
    keys: [{ jobId: "aaa-1" }, { jobId: "aaa-2" }],
  });
  expect(await teller.tell({ jobId: "bbb" })).toMatchObject({
    kind: "one",
    story: { source: "daemon", jobId: "bbb-1" },
  });
  expect(await teller.tell({ jobId: "ccc" })).toMatchObject({
    kind: "one",
    story: { source: "ledger", jobId: "ccc-1" },
  });
  expect(await teller.tell({ jobId: "ddd" })).toEqual({ kind: "none" });
  expect(await teller.tell({ jobId: "" })).toEqual({ kind: "none" });
});

it("looks on where a search ended before it found the job", async () => {
  const others = Array.from({ length: 30 }, (_, at) => ended(`other-${at}`));
  const { teller, searches } = given([], [...others, ended("wanted")], 10);
  expect(await teller.tell({ jobId: "wanted" })).toMatchObject({ kind: "one", story: { jobId: "wanted" } });
  expect(searches.map(({ before }) => before)).toEqual([undefined, "10", "20", "30"]);
});

it("tells jobs of one id apart by Region and account, and takes the newest end of each", async () => {
  const region = "eu-west-1" as Region;
  const shop = "shop" as AccountName;
  const jobs = [
    ended("a", { end: "failed" }),
    ended("a", { end: "dropped" }),
    ended("a", { key: keyOf("a", { region }) }),
    ended("a", { key: keyOf("a", { region, account: shop }) }),
  ];
  const { teller } = given([], jobs);
  expect(await teller.tell({ jobId: "a" })).toMatchObject({ kind: "several", keys: { length: 3 } });
  expect(await teller.tell({ jobId: "a", region: "us-east-1" })).toMatchObject({ story: { state: "reported" } });
  const one = { kind: "one", story: { region, account: "shop" } };
  expect(await teller.tell({ jobId: "a", region, account: "shop" })).toMatchObject(one);
});

it("puts the jobs that an earlier process ended into the chain of those that go on", async () => {
  const actionExecutionId = "e-1";
  const before = ended("one", {
    end: "continued",
    actionExecutionId,
    outcome: { kind: "continued", percentComplete: 40 },
  });
  const { stories, teller } = given(["two"], [before, ended("other", { actionExecutionId: "e-2" })]);
  const start = { handler: "h", pickupMs: 1, deadlineMs: 9, isContinuation: true, pipelineName: "p", actionName: "a" };
  stories.observe({ type: "job-started", key: keyOf("two"), ...start, actionExecutionId, atMs: 6 });
  const told = await teller.tell({ jobId: "two" });
  const chain = [
    { jobId: "one", end: "continued", percentComplete: 40 },
    { jobId: "two", end: "running" },
  ];
  expect(told).toMatchObject({ kind: "one", story: { chain } });
});

it("still tells what the daemon knows when the ledger cannot be read", async () => {
  const { teller } = given(["aaa-1", "bbb-1", "bbb-2"], new LedgerError("unreadable", "no disk"));
  expect(await teller.tell({ jobId: "aaa" })).toMatchObject({ kind: "one", story: { jobId: "aaa-1" } });
  expect(await teller.tell({ jobId: "bbb" })).toMatchObject({ kind: "several" });
  expect(await teller.tell({ jobId: "ccc" })).toEqual({ kind: "unreadable", message: "no disk" });
  expect(await teller.search({ limit: 1 })).toEqual({ kind: "unreadable", message: "no disk" });
});
