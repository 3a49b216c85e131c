// The limits that an engine has by the defaults of config/schema.ts.
import type { EngineLimits } from "../../src/engine/deps.js";

const forever = Number.POSITIVE_INFINITY;

export const ordinaryLimits: EngineLimits = {
  maxConcurrentJobs: 50,
  polling: { minIntervalMs: 1_000, maxIntervalMs: 15_000 },
  shutdown: { drainTimeoutMs: 25_000, cancelGraceMs: 5_000, reportTimeoutMs: 20_000 },
  retry: {
    poll: { minDelayMs: 1_000, maxDelayMs: 15_000, factor: 4, maxElapsedMs: forever },
    throttledPoll: { minDelayMs: 2_000, maxDelayMs: 30_000, factor: 3, maxElapsedMs: forever },
    details: { minDelayMs: 200, maxDelayMs: 5_000, factor: 2, maxElapsedMs: 30_000 },
    acknowledge: { minDelayMs: 200, maxDelayMs: 10_000, factor: 2, maxElapsedMs: forever },
    report: { minDelayMs: 500, maxDelayMs: 30_000, factor: 2, maxElapsedMs: forever },
  },
};
