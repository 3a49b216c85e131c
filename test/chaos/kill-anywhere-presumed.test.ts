// A job that is only presumed to be ours, and the result of which is put: whatever comes between, CodePipeline has it
// once. Kill anywhere found each of these; here they are one by one, without a process.
import { describe, expect, it } from "vitest";
import { GatewayError, type JobGateway } from "../../src/codepipeline/gateway.js";
import type { Job, JobId, JobKey, Nonce, Region } from "../../src/job/job.js";
import { succeeded } from "../../src/job/outcome.js";
import { MemoryLedger } from "../../src/ledger/memory.js";
import { confirm } from "../../src/worker/acknowledging.js";
import { JobInFlight } from "../../src/worker/in-flight.js";
import type { LaneConfig } from "../../src/worker/lane.js";
import type { Parts } from "../../src/worker/parts.js";
import { report } from "../../src/worker/reporter.js";
import { Slots } from "../../src/worker/slots.js";
import { FakeClock } from "../support/fake-clock.js";
import { noArtifacts } from "../support/no-artifacts.js";

const key: JobKey = {
  region: "eu-west-1" as Region,
  actionType: { category: "Build", owner: "Custom", provider: "P", version: "1" },
  jobId: "job-1" as JobId,
};
const lane: LaneConfig = {
  ...key,
  handler: "any",
  maxConcurrentJobs: 1,
  jobTimeoutMs: 60_000,
  afterCrash: "fail",
  secretProperties: [],
};
const details = { key, configuration: {}, pipeline: {}, inputs: [], outputs: [] };
const offer: Job = { ...details, nonce: "4" as Nonce };
const retry = { minDelayMs: 1, maxDelayMs: 2, factor: 2, maxElapsedMs: Number.POSITIVE_INFINITY };

function refusal(kind: "over" | "gone", operation = "PutJobSuccessResult"): GatewayError {
  return new GatewayError({ kind, operation, code: "InvalidJobStateException", message: "not in progress" });
}

/** A flight that is presumed ours, and the parts that its report needs. */
async function presumed(gateway: Partial<JobGateway>) {
  const clock = new FakeClock();
  const ledger = new MemoryLedger({ clock, recentMs: 60_000, recentMax: 10, groupMs: 0 });
  const lease = await ledger.lease(key);
  if (!lease) throw new Error("no lease");
  const slots = new Slots({ max: 10 });
  slots.open({ name: "lane", group: "type" }, lane.maxConcurrentJobs);
  const slot = (await slots.take("lane", 1, new AbortController().signal))?.use();
  if (!slot) throw new Error("no slot");
  const flight = new JobInFlight({ lane, lease, slot, ledger, emit: () => {}, polledAtMs: 0 });
  flight.isPresumed = true;
  const signal = new AbortController().signal;
  const whole: JobGateway = {
    poll: async () => ({ jobs: [], unreadable: [] }),
    details: async () => offer,
    detailsAgain: async () => details,
    acknowledge: async () => "InProgress",
    put: async () => {},
    ...gateway,
  };
  const parts: Parts = {
    world: {
      gateway: () => whole,
      handlers: { get: () => undefined, close: async () => {} },
      ledger,
      artifacts: noArtifacts,
      clock,
      random: () => 0.5,
      keepSecrets: () => () => {},
      mask: (text) => text,
      jobLog: () => ({ debug() {}, info() {}, warn() {}, error() {} }),
    },
    limits: {
      maxConcurrentJobs: 1,
      polling: { minIntervalMs: 1, maxIntervalMs: 1 },
      shutdown: { drainTimeoutMs: 1, cancelGraceMs: 1, reportTimeoutMs: 1 },
      retry: { poll: retry, throttledPoll: retry, details: retry, acknowledge: retry, report: retry },
    },
    scopes: { poll: signal, work: signal, report: signal },
    emit: () => {},
    lanes: new Map(),
  };
  return { parts, flight, clock, freeForPolls: () => slots.freeFor("lane") };
}

describe("the result of a job that was only presumed to be ours", () => {
  it("is put again when an offer made the job ours while a put was under way that is refused all the same", async () => {
    const first = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    let puts = 0;
    const { parts, flight } = await presumed({
      put: async () => {
        puts += 1;
        if (puts > 1) return;
        begun.resolve();
        await first.promise;
      },
    });
    const reporting = report(parts, flight, succeeded(), true);
    await begun.promise;
    flight.newerOffer = offer;
    expect(await confirm(parts, flight)).toBe("ours");
    first.reject(refusal("over"));
    expect(await reporting).toMatchObject({ kind: "accepted", attempts: 2, isPresumed: false });
    expect(puts).toBe(2);
  });

  it.each([
    ["says that the job is over", { acknowledge: async () => "Succeeded", detailsAgain: async () => offer }],
    ["knows nothing of the job any more", { detailsAgain: () => Promise.reject(refusal("gone", "GetJobDetails")) }],
  ] satisfies [string, Partial<JobGateway>][])(
    "counts as accepted at once when CodePipeline %s",
    async (_, answers) => {
      const { parts, flight } = await presumed({ put: () => Promise.reject(refusal("over")), ...answers });
      expect(await report(parts, flight, succeeded(), true)).toMatchObject({ kind: "accepted", isPresumed: true });
    },
  );

  it("is lost, not accepted, when CodePipeline says that the job is over and no put was ever made", async () => {
    const { parts, flight } = await presumed({
      put: () => Promise.reject(refusal("over")),
      acknowledge: async () => "TimedOut",
      detailsAgain: async () => offer,
    });
    expect(await report(parts, flight, succeeded(), false)).toMatchObject({ kind: "lost", reason: "over" });
  });

  it("does not keep its lane from polling for the offer that it waits for", async () => {
    const refused = Promise.withResolvers<void>();
    const { parts, flight, clock, freeForPolls } = await presumed({
      put: async () => {
        if (!flight.isPresumed) return;
        refused.resolve();
        throw refusal("over");
      },
    });
    const reporting = report(parts, flight, succeeded(), false);
    await refused.promise;
    await clock.advance(0);
    expect(flight.slot.isParked).toBe(true);
    expect(freeForPolls()).toBe(1);
    flight.newerOffer = offer;
    await clock.advance(10);
    expect(await reporting).toMatchObject({ kind: "accepted", isPresumed: false });
  });
});
