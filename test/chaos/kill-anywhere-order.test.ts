// What makes a kill harmless: each state is in the ledger before the call that it guards is made. Here the ledger is slow
// and every call is quick, so that whoever does not wait for the ledger is seen.
import { setImmediate as turn } from "node:timers/promises";
import { expect, it } from "vitest";
import type { JobGateway } from "../../src/codepipeline/gateway.js";
import { Worker } from "../../src/engine/engine.js";
import type { HandlerCall } from "../../src/handlers/handler.js";
import type { JobId, JobKey, Nonce, OfferedJob, Region } from "../../src/job/job.js";
import type { JobEvent } from "../../src/job/lifecycle.js";
import { succeeded } from "../../src/job/outcome.js";
import type { Lease } from "../../src/ledger/ledger.js";
import { MemoryLedger } from "../../src/ledger/memory.js";
import { systemClock } from "../../src/std/clock.js";
import { noArtifacts } from "../support/no-artifacts.js";
import { noLog } from "../support/no-log.js";

const key: JobKey = {
  region: "eu-west-1" as Region,
  actionType: { category: "Build", owner: "Custom", provider: "P", version: "1" },
  jobId: "job-1" as JobId,
};
const job: OfferedJob = { key, nonce: "3" as Nonce, configuration: {}, pipeline: {}, inputs: [], outputs: [] };
const quick = { minDelayMs: 1, maxDelayMs: 2, factor: 2, maxElapsedMs: 1_000 };
const retry = { poll: quick, throttledPoll: quick, details: quick, acknowledge: quick, report: quick };
/** More turns of the event loop than any of the quick calls below takes. */
const slowTurns = 50;

class SlowLedger extends MemoryLedger {
  readonly #told: string[];

  constructor(told: string[]) {
    super({ clock: systemClock, recentMs: 60_000, recentMax: 10, groupMs: 0 });
    this.#told = told;
  }

  override async record(lease: Lease, event: JobEvent): Promise<void> {
    for (let n = 0; n < slowTurns; n++) await turn();
    await super.record(lease, event);
    this.#told.push(`recorded ${event.type}`);
  }

  override async release(lease: Lease): Promise<void> {
    this.#told.push("released");
    await super.release(lease);
  }
}

it("has every state in the ledger before the call that it guards", async () => {
  const told: string[] = [];
  let offers = 0;
  const ended = Promise.withResolvers<void>();
  const gateway: JobGateway = {
    poll: async () => ({ jobs: offers++ === 0 ? [{ key, job }] : [], unreadable: [] }),
    details: async () => job,
    detailsAgain: async () => job,
    acknowledge: async () => {
      told.push("asked");
      return "InProgress";
    },
    put: async () => void told.push("put"),
  };
  const handler = {
    kind: "module",
    description: "quick",
    run: async (_call: HandlerCall) => {
      told.push("ran");
      return succeeded();
    },
    close: async () => {},
  } as const;
  const worker = new Worker({
    deps: {
      gateway: () => gateway,
      handlers: { get: () => handler, close: async () => {} },
      ledger: new SlowLedger(told),
      artifacts: noArtifacts,
      clock: systemClock,
      random: Math.random,
      keepSecrets: () => () => {},
      mask: (text) => text,
      jobLog: () => noLog,
    },
    pollers: [
      {
        ...key,
        group: "any",
        handler: "quick",
        maxConcurrentJobs: 1,
        jobTimeoutMs: 60_000,
        afterCrash: "fail",
        secretProperties: [],
      },
    ],
    limits: {
      maxConcurrentJobs: 1,
      polling: { minIntervalMs: 1, maxIntervalMs: 5 },
      shutdown: { drainTimeoutMs: 10_000, cancelGraceMs: 100, reportTimeoutMs: 1_000 },
      retry,
    },
    observe: ({ type }) => {
      if (type === "job-reported" || type === "job-dropped" || type === "bug") ended.resolve();
    },
  });
  await worker.start();
  await ended.promise;
  expect(await worker.stop()).toMatchObject({ owed: 0, isRead: true, isBroken: false });
  expect(told).toEqual([
    "recorded details-received",
    "recorded acknowledge-sent",
    "asked",
    "recorded acknowledge-accepted",
    "ran",
    "recorded outcome-settled",
    "put",
    "recorded report-accepted",
    "released",
  ]);
});
