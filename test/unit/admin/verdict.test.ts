// The first line of the status page, for every state that a night can bring.
import { describe, expect, it } from "vitest";
import type { LedgerState } from "../../../src/admin/health.js";
import { verdictOn } from "../../../src/admin/verdict.js";
import type { AdminStatus } from "../../../src/admin/view.js";
import { jobWith, nowMs, outage, pollerWith, scan, statusWith } from "../../support/admin-status.js";

const down = { failures: 9, failingSinceMs: nowMs - 720_000, lastFault: outage };
const owed = (ageMs: number) => jobWith({ state: "settled", sinceMs: nowMs - ageMs });
const denied = {
  region: "us-east-1",
  sinceMs: nowMs,
  fault: { ...outage, kind: "denied", code: "ExpiredToken" },
} as const;

const drop = { region: "us-east-1", actionType: scan, firstAtMs: nowMs - 720_000, lastAtMs: nowMs } as const;

describe("the verdict", () => {
  it.each<[string, Partial<AdminStatus>, string, string, LedgerState?]>([
    ["nothing is to do", {}, "good", "Idle: waiting for jobs, nothing owed"],
    ["a job runs", { jobs: [jobWith()] }, "good", "Working: 1 job running, nothing owed"],
    [
      "jobs run and are reported",
      { jobs: [jobWith(), jobWith(), owed(900)] },
      "good",
      "Working: 2 jobs running, 1 result owed",
    ],
    [
      "a job is left",
      { unattended: 1 },
      "bad",
      "1 job that CodePipeline waits for is without an active worker: is the action type still configured? (partnerd jobs lists them)",
    ],
    [
      "jobs are left by a stop",
      {
        unattended: 3,
        isDraining: true,
        jobs: [jobWith({ isUnfinished: true }), { ...owed(9), isUnfinished: true }, { ...owed(8), isUnfinished: true }],
      },
      "busy",
      "Stopping: 0 jobs running, 1 unfinished, 2 results owed; not accepting jobs",
    ],
    [
      "a client's token is wrong",
      { drops: [{ ...drop, kind: "token-rejected", clientId: "client-1", count: 349 }] },
      "bad",
      "349 jobs of client client-1 dropped since 02:02 UTC in us-east-1: no client token that CodePipeline accepts; correct it in the token source",
    ],
    [
      "a result is lost",
      { drops: [{ ...drop, kind: "lost-outcome", clientId: undefined, count: 1 }] },
      "bad",
      "1 job for ThirdParty/Test/Acme-Scan/1 dropped since 02:02 UTC in us-east-1: CodePipeline did not take the result of work that had begun; look at the action in its console, and at job-dropped in the log",
    ],
    [
      "a result of one of several accounts is lost",
      { drops: [{ ...drop, account: "shop", kind: "lost-outcome", clientId: undefined, count: 1 }] },
      "bad",
      "1 job for ThirdParty/Test/Acme-Scan/1 dropped since 02:02 UTC in us-east-1 (account shop): CodePipeline did not take the result of work that had begun; look at the action in its console, and at job-dropped in the log",
    ],
    [
      "a Region is silent",
      { pollers: [pollerWith(down)] },
      "bad",
      "CodePipeline does not answer in us-east-1 since 02:02 UTC (ECONNREFUSED)",
    ],
    [
      "two Regions are silent",
      { pollers: [pollerWith(down), pollerWith({ ...down, region: "eu-west-1", failingSinceMs: nowMs - 60_000 })] },
      "bad",
      "CodePipeline does not answer in us-east-1 and eu-west-1 since 02:02 UTC (ECONNREFUSED)",
    ],
    [
      "a Region throttles",
      { pollers: [pollerWith({ ...down, lastFault: { ...outage, kind: "throttled", code: "ThrottlingException" } })] },
      "bad",
      "CodePipeline throttles every poll in us-east-1 since 02:02 UTC (ThrottlingException)",
    ],
    [
      "a Region refuses us",
      { pollers: [pollerWith(down)], breakers: [denied] },
      "bad",
      "CodePipeline denied access in us-east-1 since 02:14 UTC: PollForJobs (ExpiredToken); check credentials, policy and clock",
    ],
    [
      "one action type fails beside others",
      { pollers: [pollerWith(), pollerWith({ ...down, failures: 3, actionType: "Custom/Build/B/1" })] },
      "bad",
      "Polls for Custom/Build/B/1 fail in us-east-1 since 02:02 UTC (ECONNREFUSED)",
    ],
    [
      "a poll or two failed",
      { pollers: [pollerWith({ ...down, failures: 2 })] },
      "good",
      "Idle: waiting for jobs, nothing owed",
    ],
    ["a result is late", { jobs: [owed(240_000)] }, "bad", "1 result is owed to CodePipeline, the oldest for 4 min"],
    [
      "the ledger fails",
      { jobs: [jobWith()] },
      "bad",
      "The ledger is not writable since 02:14 UTC: not accepting jobs (disk full)",
      { writable: false, reason: "disk full", sinceMs: nowMs },
    ],
    [
      "it drains",
      { isDraining: true, jobs: [jobWith()] },
      "busy",
      "Stopping: 1 job running, nothing owed; not accepting jobs",
    ],
    [
      "the disk is full",
      { shortOfRoom: "/work has 1 MiB" },
      "bad",
      "Low disk space: not accepting jobs (/work has 1 MiB)",
    ],
    [
      "the machine is short",
      { shortage: { sinceMs: nowMs, code: "EMFILE", reason: "out of open files (EMFILE)" } },
      "bad",
      "Out of resources since 02:14 UTC: not accepting jobs (out of open files (EMFILE))",
    ],
    [
      "a handler does not work",
      {
        handlers: [
          { handler: "scan", state: "open", broken: { sinceMs: nowMs, code: "x", message: "gone" }, pollers: [] },
        ],
      },
      "bad",
      "Handler scan is broken since 02:14 UTC: its jobs are not accepted (gone)",
    ],
    [
      "a handler is on trial",
      {
        handlers: [
          { handler: "scan", state: "half-open", broken: { sinceMs: nowMs, code: "x", message: "gone" }, pollers: [] },
        ],
      },
      "bad",
      "Handler scan is broken since 02:14 UTC: its next job shows whether it works again (gone)",
    ],
    ["it is paused", { isPaused: true }, "busy", "Paused: not accepting jobs until resume"],
    [
      "its fleet is paused",
      { isPaused: true, fleet: { ageMs: 0, replicas: [], pause: { sinceMs: nowMs, by: "ada" } } },
      "busy",
      expect.stringMatching(/^The fleet is paused since .* by ada: no replica accepts jobs until it is resumed$/),
    ],
    [
      "its fleet was paused when the table last answered",
      { fleet: { ageMs: 180_000, replicas: [], pause: { sinceMs: nowMs, by: "ada" } } },
      "busy",
      expect.stringContaining("(as of 3 min ago: the table does not answer)"),
    ],
    [
      "it starts",
      { pollers: [pollerWith({ lastGoodPollAtMs: undefined })] },
      "busy",
      "Starting: not every action type has been polled yet",
    ],
    [
      "all slots are taken",
      { jobs: Array.from({ length: 10 }, (_, at) => jobWith({ jobId: `${at}` })) },
      "busy",
      "At its limit: all 10 slots in use; new jobs wait at CodePipeline",
    ],
    [
      "all slots of one action type are taken, and nobody asked for more for a while",
      {
        pollers: [pollerWith({ lastPollAtMs: nowMs - 61_000 })],
        jobs: Array.from({ length: 5 }, (_, at) => jobWith({ jobId: `${at}` })),
      },
      "busy",
      "At its limit: all 5 slots of Acme-Scan in use; no poll since 02:12:59 UTC, so new jobs wait at CodePipeline",
    ],
    [
      "a bug showed",
      { totals: { ...statusWith().totals, bugs: 2 } },
      "bad",
      "2 internal errors since the start; see the log",
    ],
  ])("says what is when %s", (_, change, tone, headline, ledger = { writable: true }) => {
    expect(verdictOn(statusWith(change), ledger)).toMatchObject({ tone, headline });
  });

  it("puts the worst first, then what else is wrong and what is at stake", () => {
    const status = statusWith({ isPaused: true, pollers: [pollerWith(down)], jobs: [jobWith(), owed(90_000)] });
    expect(verdictOn(status, { writable: false })).toMatchObject({
      headline: "The ledger is not writable: not accepting jobs",
      more: [
        "CodePipeline does not answer in us-east-1 since 02:02 UTC (ECONNREFUSED)",
        "1 result is owed to CodePipeline, the oldest for 1 min",
        "Paused: not accepting jobs until resume",
        "1 job running, 1 result owed",
      ],
    });
  });

  it("names the clients with most dropped jobs one by one, and counts the others", () => {
    const drops = Array.from({ length: 9 }, (_, at) => {
      return { ...drop, kind: "token-rejected", clientId: `client-${at}`, count: at + 1 } as const;
    });
    const { headline, more } = verdictOn(statusWith({ drops }), { writable: true });
    const told = [headline, ...more].map((text) => text.replace(/ dropped.*/, ""));
    expect(told).toEqual([
      "9 jobs of client client-8",
      "8 jobs of client client-7",
      "7 jobs of client client-6",
      "21 jobs of 6 more clients",
    ]);
  });

  it("tells of jobs that wait for a slot after a restart", () => {
    const { slots } = statusWith();
    const groups = slots.groups.map((group) => ({ ...group, waiting: 3 }));
    expect(verdictOn(statusWith({ slots: { ...slots, groups } }), { writable: true })).toMatchObject({
      tone: "busy",
      headline: "3 jobs of a previous process wait for a slot",
    });
  });

  it("is spoken without the numbers that change all the time", () => {
    for (const count of [1, 2, 3]) {
      const jobs = Array.from({ length: count }, (_, at) => jobWith({ jobId: `${at}` }));
      expect(verdictOn(statusWith({ jobs }), { writable: true }).spoken).toBe("Working");
    }
  });
});
