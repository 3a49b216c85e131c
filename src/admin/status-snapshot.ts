// The engine's present as plain data: what the status board shows and health, the status document, the metrics and the
// page read.

import type { Fault, Held } from "../engine/events.js";
import type { Order } from "../job/order.js";
import type { RecentDrops } from "./drops.js";

/** One poller, as its last polls left it. Times in ms since the epoch. */
export interface PollerStatus {
  /** Absent, here and below: the account `default`. */
  readonly account?: string;
  readonly region: string;
  readonly actionType: string;
  /** What it asks for, such as `Project=shop`; absent: for every job of the type. */
  readonly query?: string;
  readonly lastPollAtMs: number | undefined;
  readonly lastGoodPollAtMs: number | undefined;
  readonly nextPollAtMs: number | undefined;
  readonly failures: number;
  /** When the first of these failures was; undefined while polls are answered. */
  readonly failingSinceMs: number | undefined;
  readonly lastFault: Fault | undefined;
  readonly polls: number;
  readonly taken: number;
  /** The last poll brought as many jobs as it asked for: CodePipeline may have more. */
  readonly mayHaveMore: boolean;
  /** Offers that waited for their turn after the last poll: not acknowledged, not ours. */
  readonly waiting?: number;
}

/** One job that is in flight, or left while CodePipeline waits for it. */
export interface JobStatusLine {
  readonly jobId: string;
  readonly account?: string;
  readonly region: string;
  readonly actionType: string;
  readonly clientId: string | undefined;
  readonly state: string;
  readonly sinceMs: number;
  readonly handler: string | undefined;
  readonly pipelineName: string | undefined;
  readonly actionName: string | undefined;
  /** When the running handler's time ends. */
  readonly deadlineMs: number | undefined;
  /** True for a job that continues an earlier one of its action. */
  readonly isContinuation: boolean;
  readonly isAwaitingCallback: boolean;
  /** True while it has no active worker: it stays in the ledger until it is recovered. */
  readonly isUnfinished: boolean;
  /** What an operator decided about it. */
  readonly order: Order["kind"] | undefined;
  /** Why the call that the job waits for failed last; gone with its next step. */
  readonly lastFault: Fault | undefined;
  /** When that call is made again, and how often it failed in a row; gone with the job's next step, too. */
  readonly nextTryAtMs?: number | undefined;
  readonly failedCalls?: number | undefined;
}

/** An account and Region that refuse us: credentials, permissions or the clock. */
export interface BreakerStatus {
  readonly account?: string;
  readonly region: string;
  readonly sinceMs: number;
  readonly fault: Fault;
}

/** What keeps the machine from working another job. */
export interface Shortage {
  readonly sinceMs: number;
  /** The system's, such as EMFILE. */
  readonly code: string;
  readonly reason: string;
}

export interface StatusSnapshot {
  readonly atMs: number;
  readonly startedAtMs: number;
  readonly isDraining: boolean;
  readonly isPaused: boolean;
  /** Why the artifacts of another job have no room; undefined when they have. */
  readonly shortOfRoom: string | undefined;
  /** What the machine lacks for another job; undefined: nothing. */
  readonly shortage?: Shortage | undefined;
  readonly pollers: readonly PollerStatus[];
  /** Those that are open; none when all is well. */
  readonly breakers: readonly BreakerStatus[];
  /** Polls of the last minute. Absent: they are not counted. */
  readonly pollRates?: readonly { readonly account?: string; readonly region: string; readonly perMinute: number }[];
  readonly jobs: readonly JobStatusLine[];
  /** Jobs that ended without a result and need attention: those of the last minutes, the newest first. */
  readonly drops: readonly RecentDrops[];
  readonly totals: Totals;
  /** What was held when the worker had stopped; undefined until then. */
  readonly end: Held | undefined;
}

export interface Totals {
  readonly started: number;
  readonly succeeded: number;
  readonly continued: number;
  readonly failed: number;
  readonly dropped: number;
  readonly unfinished: number;
  readonly abandonedHandlers: number;
  readonly bugs: number;
}
