// The engine over the virtual service, with the limits that a configuration has by default, on a clock that stands
// still until it is advanced. Randomness comes from a seed.

import { Worker } from "../../src/engine/engine.js";
import type { WorkerEvent } from "../../src/engine/events.js";
import type { PollerConfig } from "../../src/engine/poller-config.js";
import type { HandlerCall, JobHandler } from "../../src/handlers/handler.js";
import type { ActionType, Region } from "../../src/job/job.js";
import { MemoryLedger } from "../../src/ledger/memory.js";
import { ordinaryLimits } from "../support/engine-limits.js";
import { FakeClock } from "../support/fake-clock.js";
import { noArtifacts } from "../support/no-artifacts.js";
import { noLog } from "../support/no-log.js";
import { VirtualService } from "./virtual-service.js";

export const scan: ActionType = { category: "Test", owner: "ThirdParty", provider: "Acme-Scan", version: "1" };
export const build: ActionType = { category: "Build", owner: "Custom", provider: "Acme-Build", version: "1" };

/** A clock whose wall time can go wrong while durations stay right. */
export class SkewedClock extends FakeClock {
  skewMs = 0;

  override now(): number {
    return super.now() + this.skewMs;
  }
}

export interface VirtualOptions {
  readonly seed: number;
  readonly actionTypes?: readonly ActionType[];
  readonly maxConcurrentJobs?: number;
  /** What the pollers' settings are besides the ordinary ones. */
  readonly settings?: Partial<PollerConfig>;
  /** By provider. */
  readonly weights?: Readonly<Record<string, number>>;
  readonly handle?: (call: HandlerCall) => Promise<unknown>;
}

/** A worker that has not started yet, and everything around it. */
export function virtualWorker(options: VirtualOptions) {
  const clock = new SkewedClock();
  const service = new VirtualService({ clock });
  const events: WorkerEvent[] = [];
  const runs = new Map<string, number>();
  const handler: JobHandler = {
    kind: "module",
    description: "virtual",
    run: (call) => {
      const { jobId } = call.job.key;
      runs.set(jobId, (runs.get(jobId) ?? 0) + 1);
      return options.handle?.(call) ?? Promise.resolve({ kind: "succeeded" });
    },
    close: async () => {},
  };
  const limits = { ...ordinaryLimits, maxConcurrentJobs: options.maxConcurrentJobs ?? 50 };
  const worker = new Worker({
    deps: {
      gateway: () => service,
      handlers: { get: () => handler, close: async () => {} },
      ledger: new MemoryLedger({ clock, recentMs: 3_600_000, recentMax: 20_000, groupMs: 0 }),
      artifacts: noArtifacts,
      clock,
      random: seeded(options.seed),
      keepSecrets: () => () => {},
      mask: (text) => text,
      jobLog: () => noLog,
    },
    pollers: (options.actionTypes ?? [scan, build]).map((actionType) => ({
      region: "us-east-1" as Region,
      actionType,
      group: actionType.provider,
      handler: "virtual",
      maxConcurrentJobs: limits.maxConcurrentJobs,
      jobTimeoutMs: 1_800_000,
      afterCrash: "fail" as const,
      secretProperties: [],
      weight: options.weights?.[actionType.provider] ?? 1,
      ...options.settings,
    })),
    limits,
    observe: (event) => void events.push(event),
  });
  /** Stops it; virtual time goes on until it has ended. */
  const stop = async () => {
    const end = worker.stop();
    await clock.advance(60_000);
    return end;
  };
  return { clock, service, events, runs, worker, limits, stop };
}

/** Random numbers in [0, 1) that are the same for the same seed (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
