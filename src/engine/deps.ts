// What the engine is given: the contracts, the limits, and the three scopes of a stop.
import type { ArtifactStore } from "../artifacts/artifacts.js";
import type { JobGateway } from "../codepipeline/gateway.js";
import type { HandlerRegistry, JobTrace } from "../handlers/handler.js";
import type { ActionOwner, JobKey, Place } from "../job/job.js";
import type { Ledger } from "../ledger/ledger.js";
import type { Clock } from "../std/clock.js";
import type { Log } from "../std/log.js";
import type { RetryPolicyMs } from "../std/retry.js";
import type { BreakerLimits } from "./handler-breaker.js";

/** What the engine needs of the world. */
export interface EngineDeps {
  readonly gateway: (place: Place, owner: ActionOwner) => JobGateway;
  readonly handlers: HandlerRegistry;
  readonly ledger: Ledger;
  readonly artifacts: ArtifactStore;
  readonly clock: Clock;
  readonly random: () => number;
  /** Masks these values wherever they appear, until the returned function is called. */
  readonly keepSecrets: (values: readonly string[]) => () => void;
  /** True for a property that CodePipeline's action type marks as secret, as far as that is known. */
  readonly isMarkedSecret?: (key: JobKey, property: string) => boolean;
  /** Asks for those marks; resolves once they are known, or were waited for long enough. Never rejects. */
  readonly learnSecrets?: () => Promise<void>;
  readonly mask: (text: string) => string;
  /** Where a job's handler stands in a trace; absent: tracing is off. */
  readonly traceOf?: ((key: JobKey) => JobTrace | undefined) | undefined;
  /** The log of one job, for its handler. */
  readonly jobLog: (key: JobKey) => Log;
  /**
   * Uses a little of everything that the machine may be short of; rejects with what the system says. Absent: after a
   * shortage only time counts.
   */
  readonly testMachine?: (() => Promise<void>) | undefined;
}

/** The engine's limits. */
export interface EngineLimits {
  readonly maxConcurrentJobs: number;
  /** Of all action types together; absent: no cap. */
  readonly maxConcurrentJobsPerClient?: number;
  readonly polling: { readonly minIntervalMs: number; readonly maxIntervalMs: number };
  readonly shutdown: {
    readonly drainTimeoutMs: number;
    readonly cancelGraceMs: number;
    readonly reportTimeoutMs: number;
  };
  readonly retry: {
    readonly poll: RetryPolicyMs;
    readonly throttledPoll: RetryPolicyMs;
    readonly details: RetryPolicyMs;
    readonly acknowledge: RetryPolicyMs;
    readonly report: RetryPolicyMs;
  };
  /** By the handler's name; one without has no breaker. */
  readonly handlerBreakers?: ReadonlyMap<string, BreakerLimits>;
}

/** A stop ends three things at three times. */
export interface Scopes {
  /** Polls, and whatever is not acknowledged yet; aborted when a drain begins. */
  readonly poll: AbortSignal;
  /** Handlers and unanswered acknowledgements; aborted when the drain timeout has passed. */
  readonly work: AbortSignal;
  /** Puts; aborted last. */
  readonly report: AbortSignal;
}
