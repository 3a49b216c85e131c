// A worker's status as the admin port is shown it, made by hand: all is well, unless told otherwise.
import type { AdminStatus } from "../../src/admin/view.js";
import type { Fault } from "../../src/engine/events.js";

export const nowMs = Date.UTC(2026, 0, 1, 2, 14);
export const scan = "ThirdParty/Test/Acme-Scan/1";
export const outage: Fault = {
  kind: "unavailable",
  operation: "PollForJobs",
  code: "ECONNREFUSED",
  message: "no answer",
};

type Poller = AdminStatus["pollers"][number];
type Job = AdminStatus["jobs"][number];

export function pollerWith(change: Partial<Poller> = {}): Poller {
  return {
    region: "us-east-1",
    actionType: scan,
    lastPollAtMs: nowMs - 1_000,
    lastGoodPollAtMs: nowMs - 1_000,
    nextPollAtMs: nowMs + 4_000,
    failures: 0,
    failingSinceMs: undefined,
    lastFault: undefined,
    polls: 10,
    taken: 3,
    mayHaveMore: false,
    ...change,
  };
}

export function jobWith(change: Partial<Job> = {}): Job {
  return {
    jobId: "job-1",
    region: "us-east-1",
    actionType: scan,
    clientId: "client-1",
    state: "running",
    sinceMs: nowMs - 90_000,
    handler: "scan",
    pipelineName: "Shop",
    actionName: "Scan",
    deadlineMs: nowMs + 600_000,
    isContinuation: false,
    isAwaitingCallback: false,
    isUnfinished: false,
    order: undefined,
    lastFault: undefined,
    ...change,
  };
}

export function statusWith(change: Partial<AdminStatus> = {}): AdminStatus {
  return {
    atMs: nowMs,
    startedAtMs: nowMs - 7_200_000,
    isDraining: false,
    isPaused: false,
    shortOfRoom: undefined,
    drops: [],
    unattended: 0,
    end: undefined,
    pollers: [pollerWith()],
    breakers: [],
    jobs: [],
    totals: {
      started: 0,
      succeeded: 0,
      continued: 0,
      failed: 0,
      dropped: 0,
      unfinished: 0,
      abandonedHandlers: 0,
      bugs: 0,
    },
    slots: {
      busy: 0,
      max: 10,
      working: change.jobs?.length ?? 0,
      owed: 0,
      groups: [
        {
          group: scan,
          busy: 0,
          max: 5,
          working: change.jobs?.length ?? 0,
          owed: 0,
          waiting: 0,
          pollers: [`us-east-1 ${scan}`],
        },
      ],
    },
    denials: [],
    inFlight: change.jobs?.length ?? 0,
    ...change,
  };
}
