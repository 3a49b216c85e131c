import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Caller, EmulatedJob, JobSeed } from "../../../src/emulator/emulated-job.js";
import type { EmulatorEvent } from "../../../src/emulator/emulator-events.js";
import { Events } from "../../../src/emulator/emulator-events.js";
import type { Settings } from "../../../src/emulator/emulator-settings.js";
import { defaultSettings } from "../../../src/emulator/emulator-settings.js";
import type { Result } from "../../../src/emulator/job-rules.js";
import { Jobs } from "../../../src/emulator/job-rules.js";
import { JobStore } from "../../../src/emulator/job-store.js";
import { Violations } from "../../../src/emulator/violations.js";
import { ApiError } from "../../../src/emulator/wire.js";
import { FakeClock } from "../../support/fake-clock.js";

const queue = { region: "us-east-1", actionType: "ThirdParty/Test/Acme/1", queryValue: undefined };
const caller: Caller = { callId: "c", operation: "Op", atMs: 0 };
const succeeded: Result = { kind: "success", document: {} };
const failed: Result = { kind: "failure", document: { failureDetails: { type: "JobFailed", message: "no" } } };

function seed(change: Partial<JobSeed> = {}): JobSeed {
  return {
    id: "job-1",
    region: "us-east-1",
    actionType: { category: "Test", owner: "ThirdParty", provider: "Acme", version: "1" },
    flavour: "ThirdParty",
    clientId: "client",
    configuration: {},
    pipeline: { name: "p", stage: "s", action: "a", actionExecutionId: "execution", executionId: "e" },
    inputs: [],
    outputs: [],
    delayMs: 0,
    jobTimeoutMs: 3_600_000,
    ...change,
  };
}

function setUp(change: Partial<Settings> = {}) {
  const clock = new FakeClock();
  const events = new Events();
  const store = new JobStore();
  const violations = new Violations({ events });
  const settings = { ...defaultSettings, ...change };
  const jobs = new Jobs({ clock, events, store, violations, settings: () => settings });
  const log: EmulatorEvent[] = [];
  events.on((event) => log.push(event));
  /** Polled and its details read: dispatched, with this nonce. */
  const dispatched = (of: Partial<JobSeed> = {}) => {
    const job = jobs.add(seed(of));
    jobs.poll(queue, 100, caller);
    jobs.details(job, caller);
    return { job, nonce: job.nonce ?? "" };
  };
  const inProgress = (of: Partial<JobSeed> = {}) => {
    const { job, nonce } = dispatched(of);
    jobs.acknowledge(job, nonce, caller);
    return { job, nonce };
  };
  return { clock, events, store, violations, jobs, log, dispatched, inProgress };
}

function codeOf(act: () => unknown): string {
  try {
    return String(act() ?? "accepted");
  } catch (error) {
    if (error instanceof ApiError) return error.code;
    throw error;
  }
}

describe("a job's way", () => {
  test("leads from Created over Queued, Dispatched and InProgress to Succeeded", () => {
    const { jobs, log, inProgress } = setUp();
    const { job } = inProgress();
    jobs.put(job, succeeded, caller);
    const statuses = log.map((event) => event.type === "job-changed" && event.to);
    expect(statuses).toEqual(["Created", "Queued", "Dispatched", "InProgress", "Succeeded"]);
  });

  test("leads to Failed with a failure result", () => {
    const { jobs, inProgress } = setUp();
    const { job } = inProgress();
    jobs.put(job, failed, caller);
    expect(job.status).toBe("Failed");
    expect(job.accepted?.document).toEqual(failed.document);
  });

  test("leaves no timer behind once it is over", () => {
    const { clock, jobs, inProgress } = setUp();
    jobs.put(inProgress().job, succeeded, caller);
    expect(clock.pending).toBe(0);
  });

  test("begins when its delay is over", async () => {
    const { clock, jobs } = setUp();
    const job = jobs.add(seed({ delayMs: 500 }));
    expect(jobs.poll(queue, 1, caller)).toEqual([]);
    await clock.advance(499);
    expect(job.status).toBe("Created");
    await clock.advance(1);
    expect(jobs.poll(queue, 1, caller)).toEqual([job]);
  });
});

describe("a poll", () => {
  test("hands out the longest waiting jobs, each once", () => {
    const { jobs } = setUp();
    const added = ["a", "b", "c"].map((id) => jobs.add(seed({ id })));
    expect(jobs.poll(queue, 2, caller)).toEqual(added.slice(0, 2));
    expect(jobs.poll(queue, 2, caller)).toEqual(added.slice(2));
    expect(jobs.poll(queue, 2, caller)).toEqual([]);
  });

  test("hands out defaultBatchSize jobs when it names no number", () => {
    const { jobs } = setUp({ defaultBatchSize: 2 });
    for (const id of ["a", "b", "c"]) jobs.add(seed({ id }));
    expect(jobs.poll(queue, undefined, caller)).toHaveLength(2);
  });

  test("hands out no more than maxBatchSizeCap, and asking for more is a violation", () => {
    const { jobs, violations } = setUp({ maxBatchSizeCap: 2 });
    for (const id of ["a", "b", "c"]) jobs.add(seed({ id }));
    expect(jobs.poll(queue, 3, caller)).toHaveLength(2);
    expect(violations.list()).toMatchObject([{ kind: "batch-over-cap", region: "us-east-1", callId: "c" }]);
  });

  test("finds only jobs of its Region, type and query value", () => {
    const { jobs } = setUp();
    jobs.add(seed({ id: "elsewhere", region: "eu-west-1" }));
    jobs.add(seed({ id: "queried", queryValue: "x" }));
    expect(jobs.poll(queue, 10, caller)).toEqual([]);
    expect(jobs.poll({ ...queue, queryValue: "x" }, 10, caller).map((job) => job.seed.id)).toEqual(["queried"]);
    expect(jobs.poll({ ...queue, region: "eu-west-1" }, 10, caller).map((job) => job.seed.id)).toEqual(["elsewhere"]);
  });
});

describe("redelivery", () => {
  test("offers a job again when nobody acknowledged it in time, behind those that wait already", async () => {
    const { clock, jobs } = setUp({ redeliveryMs: 1_000 });
    const first = jobs.add(seed({ id: "first" }));
    jobs.poll(queue, 1, caller);
    const second = jobs.add(seed({ id: "second" }));
    await clock.advance(999);
    expect(first.status).toBe("Dispatched");
    await clock.advance(1);
    expect(jobs.poll(queue, 2, caller)).toEqual([second, first]);
    expect(first.counts.offers).toBe(2);
  });

  test("does not offer an acknowledged job again", async () => {
    const { clock, jobs, inProgress } = setUp({ redeliveryMs: 1_000 });
    const { job } = inProgress();
    await clock.advance(10_000);
    expect(job.status).toBe("InProgress");
    expect(jobs.poll(queue, 2, caller)).toEqual([]);
  });

  test("refuses the old nonce when redelivery makes a fresh one", async () => {
    const { clock, jobs, dispatched } = setUp({ redeliveryMs: 1_000, freshNonceAtRedelivery: true });
    const { job, nonce } = dispatched();
    await clock.advance(1_000);
    expect(codeOf(() => jobs.acknowledge(job, nonce, caller))).toBe("InvalidNonceException");
    jobs.poll(queue, 1, caller);
    expect(codeOf(() => jobs.acknowledge(job, nonce, caller))).toBe("InvalidNonceException");
    expect(codeOf(() => jobs.acknowledge(job, job.nonce ?? "", caller))).toBe("InProgress");
  });

  test("answers Queued to a late acknowledge when the nonce stays, and leaves the job in the queue", async () => {
    const { clock, jobs, dispatched } = setUp({ redeliveryMs: 1_000, freshNonceAtRedelivery: false });
    const { job, nonce } = dispatched();
    await clock.advance(1_000);
    expect(codeOf(() => jobs.acknowledge(job, nonce, caller))).toBe("Queued");
    expect(jobs.poll(queue, 1, caller)).toEqual([job]);
    expect(job.nonce).toBe(nonce);
  });
});

describe("an acknowledgement", () => {
  test("with another job's nonce is refused", () => {
    const { jobs, dispatched } = setUp();
    const one = dispatched({ id: "one" });
    const other = dispatched({ id: "other" });
    expect(codeOf(() => jobs.acknowledge(one.job, other.nonce, caller))).toBe("InvalidNonceException");
    expect(one.job.status).toBe("Dispatched");
  });

  test.each(["InProgress", "InvalidNonceException"] as const)("repeated answers %s when so set", (answer) => {
    const { jobs, inProgress } = setUp({ repeatedAcknowledge: answer });
    const { job, nonce } = inProgress();
    expect(codeOf(() => jobs.acknowledge(job, nonce, caller))).toBe(answer);
    expect(job.status).toBe("InProgress");
    expect(job.acknowledges.map((entry) => entry.answer)).toEqual(["InProgress", answer]);
  });

  test("of a job in progress with a wrong nonce is refused whatever is set", () => {
    const { jobs, inProgress } = setUp({ repeatedAcknowledge: "InProgress" });
    expect(codeOf(() => jobs.acknowledge(inProgress().job, "wrong", caller))).toBe("InvalidNonceException");
  });

  test("of a job that is over answers its status", async () => {
    const { clock, jobs, dispatched } = setUp({ redeliveryMs: 5_000 });
    const { job, nonce } = dispatched({ jobTimeoutMs: 1_000 });
    await clock.advance(1_000);
    expect(codeOf(() => jobs.acknowledge(job, nonce, caller))).toBe("TimedOut");
  });

  test("of a job never offered is refused and a violation", () => {
    const { jobs, violations } = setUp();
    const job = jobs.add(seed());
    expect(codeOf(() => jobs.acknowledge(job, "1", caller))).toBe("InvalidNonceException");
    expect(violations.list()).toMatchObject([{ kind: "acknowledge-never-offered", jobId: "job-1" }]);
  });

  test("without details is a violation for a third-party job and none for a custom one", () => {
    const { jobs, violations } = setUp();
    const custom = jobs.add(seed({ id: "custom", flavour: "Custom" }));
    const thirdParty = jobs.add(seed({ id: "third-party" }));
    jobs.poll(queue, 2, caller);
    jobs.acknowledge(custom, custom.nonce ?? "", caller);
    expect(violations.total).toBe(0);
    jobs.acknowledge(thirdParty, thirdParty.nonce ?? "", caller);
    expect(violations.list()).toMatchObject([{ kind: "acknowledge-without-details", jobId: "third-party" }]);
  });
});

describe("details", () => {
  test("make a new nonce at each call when so set, until the job is acknowledged", () => {
    const { jobs, dispatched } = setUp({ freshNonceAtDetails: true });
    const { job, nonce } = dispatched();
    jobs.details(job, caller);
    expect(codeOf(() => jobs.acknowledge(job, nonce, caller))).toBe("InvalidNonceException");
    const latest = job.nonce ?? "";
    expect(codeOf(() => jobs.acknowledge(job, latest, caller))).toBe("InProgress");
    jobs.details(job, caller);
    expect(job.nonce).toBe(latest);
  });

  test.each([
    ["answered", "ThirdParty", "accepted"],
    ["InvalidJobException", "ThirdParty", "InvalidJobException"],
    ["InvalidJobException", "Custom", "JobNotFoundException"],
    ["JobNotFoundException", "ThirdParty", "JobNotFoundException"],
  ] as const)("of a job that is over, set to %s, answer a %s worker: %s", (detailsAfterEnd, flavour, expected) => {
    const { jobs, inProgress } = setUp({ detailsAfterEnd });
    const { job } = inProgress({ flavour });
    jobs.put(job, succeeded, caller);
    expect(codeOf(() => jobs.details(job, caller))).toBe(expected);
  });

  test("of a job never offered are a violation", () => {
    const { jobs, violations } = setUp();
    jobs.details(jobs.add(seed()), caller);
    expect(violations.list()).toMatchObject([{ kind: "details-never-offered" }]);
  });
});

describe("a result", () => {
  test.each(["Queued", "Dispatched"])("for a job that is %s is refused and a violation", (status) => {
    const { jobs, violations, dispatched } = setUp();
    const job = status === "Queued" ? jobs.add(seed()) : dispatched().job;
    expect(codeOf(() => jobs.put(job, succeeded, caller))).toBe("InvalidJobStateException");
    expect(job.status).toBe(status);
    expect(violations.list()).toMatchObject([{ kind: "result-without-acknowledge" }]);
  });

  test.each(["InvalidJobStateException", "JobNotFoundException"] as const)(
    "after the end answers %s",
    (putAfterEnd) => {
      const { jobs, violations, inProgress } = setUp({ putAfterEnd });
      const { job } = inProgress();
      jobs.put(job, succeeded, caller);
      expect(codeOf(() => jobs.put(job, succeeded, caller))).toBe(putAfterEnd);
      expect(job.results.map((entry) => entry.answer)).toEqual(["accepted", putAfterEnd]);
      expect(violations.total).toBe(0);
    },
  );

  test.each([
    ["of the other kind", failed],
    ["with another text", { kind: "success", document: { executionDetails: { summary: "other" } } }],
  ] as const)("%s after the accepted one is refused and a violation", (_, second) => {
    const { jobs, violations, inProgress } = setUp();
    const { job } = inProgress();
    jobs.put(job, succeeded, caller);
    expect(codeOf(() => jobs.put(job, second, caller))).toBe("InvalidJobStateException");
    expect(violations.list()).toMatchObject([{ kind: "contradictory-result", jobId: "job-1" }]);
    expect(job.status).toBe("Succeeded");
  });

  test("for a job that timed out at work is refused and no violation", async () => {
    const { clock, jobs, violations, inProgress } = setUp();
    const { job } = inProgress({ jobTimeoutMs: 1_000 });
    await clock.advance(1_000);
    expect(job.status).toBe("TimedOut");
    expect(codeOf(() => jobs.put(job, succeeded, caller))).toBe("InvalidJobStateException");
    expect(violations.total).toBe(0);
  });
});

describe("a continuation token", () => {
  test("ends the job and makes a new one of the same action execution, after the delay", async () => {
    const { clock, jobs, store, inProgress } = setUp({ continuationDelayMs: 2_000 });
    const { job } = inProgress();
    jobs.put(job, { kind: "success", continuationToken: "state", document: {} }, caller);
    expect(job.status).toBe("Succeeded");
    const next = store.find("us-east-1", job.continuedBy ?? "") as EmulatedJob;
    expect(next.seed.id).not.toBe(job.seed.id);
    expect(next.seed).toMatchObject({ continuationToken: "state", continues: "job-1", pipeline: job.seed.pipeline });
    expect(next.status).toBe("Created");
    await clock.advance(2_000);
    expect(jobs.poll(queue, 1, caller)).toEqual([next]);
  });

  test("never shows a moment in which every job is over", () => {
    const { events, jobs, store, inProgress } = setUp({ continuationDelayMs: 0 });
    const { job } = inProgress();
    const open: number[] = [];
    events.on(() => {
      const { Created, Queued, InProgress } = store.counts();
      open.push(Created + Queued + InProgress);
    });
    jobs.put(job, { kind: "success", continuationToken: "t", document: {} }, caller);
    expect(open).toEqual([2, 2, 1]);
  });
});

describe("a timeout", () => {
  test("runs from when the job can be polled, whatever is done with it before the result", async () => {
    const { clock, jobs, log } = setUp({ redeliveryMs: 400 });
    const job = jobs.add(seed({ delayMs: 1_000, jobTimeoutMs: 1_000 }));
    await clock.advance(1_300);
    jobs.poll(queue, 1, caller);
    await clock.advance(699);
    expect(job.status).toBe("Queued");
    await clock.advance(1);
    expect(job.status).toBe("TimedOut");
    expect(jobs.poll(queue, 1, caller)).toEqual([]);
    expect(log.at(-1)).toMatchObject({ type: "job-changed", from: "Queued", to: "TimedOut" });
    expect(clock.pending).toBe(0);
  });
});

test("stop ends every wait", async () => {
  const { clock, jobs, dispatched } = setUp();
  dispatched();
  jobs.add(seed({ id: "later", delayMs: 5 }));
  jobs.stop();
  expect(clock.pending).toBe(0);
});

test("histories keep their first fifty entries, and the counts go on", () => {
  const { jobs, dispatched } = setUp();
  const { job } = dispatched();
  for (let times = 0; times < 100; times++) jobs.details(job, caller);
  expect(job.details).toHaveLength(50);
  expect(job.counts.details).toBe(101);
});

test("a history that is full still tells what decided the job", () => {
  const { jobs, dispatched } = setUp();
  const { job, nonce } = dispatched();
  for (let times = 0; times < 60; times++) {
    codeOf(() => jobs.put(job, failed, caller));
    codeOf(() => jobs.acknowledge(job, "wrong", caller));
  }
  jobs.acknowledge(job, nonce, caller);
  jobs.put(job, succeeded, caller);
  for (let times = 0; times < 60; times++) codeOf(() => jobs.put(job, failed, caller));
  expect([job.acknowledges.length, job.results.length]).toEqual([50, 50]);
  expect(job.acknowledges.at(-1)?.answer).toBe("InProgress");
  expect(job.results.at(-1)).toMatchObject({ kind: "success", answer: "accepted" });
  expect(job.counts).toMatchObject({ acknowledges: 61, results: 121 });
});

test("whatever workers do, a job has at most one accepted result, and only after an acknowledgement", async () => {
  const step = fc.constantFrom(
    "poll",
    "details",
    "acknowledge",
    "wrong-nonce",
    "success",
    "failure",
    "continue",
    "time",
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(step, fc.nat(5)), { maxLength: 60 }),
      fc.constantFrom("InProgress", "InvalidNonceException"),
      fc.boolean(),
      async (steps, repeatedAcknowledge, freshNonceAtRedelivery) => {
        const { clock, jobs, store } = setUp({ repeatedAcknowledge, freshNonceAtRedelivery, redeliveryMs: 100 });
        for (const id of ["a", "b", "c"]) jobs.add(seed({ id, jobTimeoutMs: 700 }));
        for (const [what, number] of steps) {
          const all = [...store.all()];
          const job = all[number % all.length];
          if (!job) continue;
          await act(what, { job, jobs, clock });
        }
        const counts = store.counts();
        for (const job of store.all()) {
          const accepted = job.results.filter((entry) => entry.answer === "accepted");
          expect(accepted.length).toBeLessThanOrEqual(1);
          if (accepted.length === 1) expect(job.acknowledgedAtMs).toBeDefined();
          if (job.status === "Succeeded" || job.status === "Failed") expect(accepted).toHaveLength(1);
          counts[job.status]--;
        }
        expect(Object.values(counts).every((count) => count === 0)).toBe(true);
        jobs.stop();
        expect(clock.pending).toBe(0);
      },
    ),
    { numRuns: 150 },
  );
});

async function act(
  what: string,
  { job, jobs, clock }: { job: EmulatedJob; jobs: Jobs; clock: FakeClock },
): Promise<void> {
  switch (what) {
    case "poll":
      jobs.poll(queue, 2, caller);
      return;
    case "details":
      jobs.details(job, caller);
      return;
    case "acknowledge":
      codeOf(() => jobs.acknowledge(job, job.nonce ?? "none", caller));
      return;
    case "wrong-nonce":
      expect(codeOf(() => jobs.acknowledge(job, "wrong", caller))).toBe("InvalidNonceException");
      return;
    case "time":
      await clock.advance(60);
      return;
    default: {
      const token = what === "continue" ? { continuationToken: "t" } : {};
      const kind = what === "failure" ? "failure" : "success";
      codeOf(() => jobs.put(job, { kind, document: { what }, ...token }, caller));
    }
  }
}
