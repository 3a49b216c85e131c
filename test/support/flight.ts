// One flight without a daemon: real slots and ledger, and a gateway that answers what the test says.
import type { JobGateway } from "../../src/codepipeline/gateway.js";
import { Admission } from "../../src/engine/admission.js";
import { Breakers } from "../../src/engine/breakers.js";
import { CallBudgets } from "../../src/engine/call-budget.js";
import type { EngineContext } from "../../src/engine/context.js";
import type { UntimedEvent } from "../../src/engine/events.js";
import { Flights } from "../../src/engine/flights.js";
import { Gate } from "../../src/engine/gate.js";
import { JobInFlight } from "../../src/engine/in-flight.js";
import { type PollerConfig, pollerKey } from "../../src/engine/poller-config.js";
import { Slots } from "../../src/engine/slots.js";
import { TokenWaits } from "../../src/engine/token-waits.js";
import { Turns } from "../../src/engine/turns.js";
import type { Claim } from "../../src/job/claim.js";
import type { JobId, JobKey, Nonce, OfferedJob, Region } from "../../src/job/job.js";
import { MemoryLedger } from "../../src/ledger/memory.js";
import { FakeClock } from "./fake-clock.js";
import { noArtifacts } from "./no-artifacts.js";
import { noLog } from "./no-log.js";

export const key: JobKey = {
  region: "eu-west-1" as Region,
  actionType: { category: "Build", owner: "Custom", provider: "P", version: "1" },
  jobId: "job-1" as JobId,
};
const config: PollerConfig = {
  ...key,
  group: "any",
  handler: "any",
  maxConcurrentJobs: 1,
  jobTimeoutMs: 60_000,
  afterCrash: "fail",
  secretProperties: [],
};
const details = { key, configuration: {}, pipeline: {}, inputs: [], outputs: [] };
export const offer: OfferedJob = { ...details, nonce: "4" as Nonce };
const retry = { minDelayMs: 1, maxDelayMs: 2, factor: 2, maxElapsedMs: Number.POSITIVE_INFINITY };

/** A flight that was just leased, or that an earlier process left with this claim, and the parts that its steps need. */
export async function flightOver(gateway: Partial<JobGateway>, claim?: Claim) {
  const clock = new FakeClock();
  const ledger = new MemoryLedger({ clock, recentMs: 60_000, recentMax: 10, groupMs: 0 });
  const lease = await ledger.lease(key);
  if (!lease) throw new Error("no lease");
  const slots = new Slots({ max: 10 });
  const name = pollerKey(config);
  slots.open({ name, group: "type" }, config.maxConcurrentJobs);
  const slot = (await slots.take(name, 1, new AbortController().signal))?.use();
  if (!slot) throw new Error("no slot");
  const events: UntimedEvent[] = [];
  const emit = (event: UntimedEvent) => void events.push(event);
  const found = claim && { lease, takenAtMs: 0, claim };
  const flight = new JobInFlight({ config, lease, slot, ledger, emit, polledAtMs: 0, ...(found ? { found } : {}) });
  const signal = new AbortController().signal;
  const whole: JobGateway = {
    poll: async () => ({ jobs: [], unreadable: [] }),
    details: async () => offer,
    detailsAgain: async () => details,
    acknowledge: async () => "InProgress",
    put: async () => {},
    ...gateway,
  };
  const parts: Omit<EngineContext, "gate" | "admission" | "turns"> = {
    tokenWaits: new TokenWaits(),
    breakers: new Breakers({ emit: () => {}, mask: (text) => text, monotonic: () => clock.monotonic() }),
    deps: {
      gateway: () => whole,
      handlers: { get: () => undefined, close: async () => {} },
      ledger,
      artifacts: noArtifacts,
      clock,
      random: () => 0.5,
      keepSecrets: () => () => {},
      mask: (text) => text,
      jobLog: () => noLog,
    },
    limits: {
      maxConcurrentJobs: 1,
      polling: { minIntervalMs: 1, maxIntervalMs: 1 },
      shutdown: { drainTimeoutMs: 1, cancelGraceMs: 1, reportTimeoutMs: 1 },
      retry: { poll: retry, throttledPoll: retry, details: retry, acknowledge: retry, report: retry },
    },
    scopes: { poll: signal, work: signal, report: signal },
    emit,
    pollers: new Map([[name, config]]),
    budgets: new CallBudgets({ clock, onLimit: () => {} }),
    flights: new Flights(),
  };
  const base = Object.assign(parts, { admission: new Admission(parts), turns: new Turns(parts) });
  const context: EngineContext = Object.assign(base, { gate: new Gate(base) });
  return { context, flight, clock, slots, config, name, events };
}
