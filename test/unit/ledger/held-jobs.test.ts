import { describe, expect, it } from "vitest";
import type { JobId, JobKey, Region } from "../../../src/job/job.js";
import { HeldJob, HeldJobs } from "../../../src/ledger/held-jobs.js";
import type { Clock } from "../../../src/std/clock.js";

/** A clock whose wall time steps while its monotonic time does not. */
class SteppingClock implements Clock {
  wallMs = 1_000_000;
  monotonicMs = 0;
  now = () => this.wallMs;
  monotonic = () => this.monotonicMs;
  sleep = () => Promise.resolve();
  after = () => () => {};
}

function held(recentMs = 1_000, recentMax = 10) {
  const clock = new SteppingClock();
  const jobs = new HeldJobs({ clock, recentMs, recentMax, create: (key, record) => new HeldJob(key, record) });
  return { clock, jobs };
}

const key: JobKey = {
  region: "eu-west-1" as Region,
  actionType: { category: "Test", owner: "Custom", provider: "P", version: "1" },
  jobId: "a" as JobId,
};
const name = "eu-west-1/a";

describe("the memory of jobs that ended", () => {
  it.each([-3_600_000, 3_600_000])("is not touched by a wall clock that steps by %i ms", (stepMs) => {
    const { clock, jobs } = held();
    jobs.remember(name, 0);
    clock.wallMs += stepMs;
    clock.monotonicMs += 999;
    expect(jobs.take(key)).toBeUndefined();
    clock.monotonicMs += 1;
    expect(jobs.take(key)).toBeDefined();
  });

  it("counts the age that an end had when it was read from a file", () => {
    const { clock, jobs } = held();
    jobs.remember(name, 400);
    clock.monotonicMs += 599;
    expect(jobs.take(key)).toBeUndefined();
    clock.monotonicMs += 1;
    expect(jobs.take(key)).toBeDefined();
  });

  it("takes an end in the future for one of now", () => {
    const { clock, jobs } = held();
    jobs.remember(name, -5_000);
    clock.monotonicMs += 1_000;
    expect(jobs.take(key)).toBeDefined();
  });

  it("renews the age of a job that ended again", () => {
    const { clock, jobs } = held(1_000, 2);
    jobs.remember(name, 0);
    jobs.remember("eu-west-1/b", 0);
    clock.monotonicMs += 500;
    jobs.remember(name, 0);
    jobs.remember("eu-west-1/c", 0);
    clock.monotonicMs += 900;
    expect(jobs.take(key)).toBeUndefined();
  });

  it("is empty when nothing may be remembered", () => {
    const { jobs } = held(1_000, 0);
    jobs.remember(name, 0);
    expect(jobs.take(key)).toBeDefined();
  });
});
