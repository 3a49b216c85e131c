// What the engine says happened, once, as typed events; logs, metrics and the status page only read them.
// An event holds no secret: ids, counts, times, and texts that were masked before.
import type { GatewayError, GatewayFaultKind } from "../codepipeline/gateway.js";
import type { ActionType, JobKey, Place } from "../job/job.js";
import type { JobEventType, JobState, LostReason } from "../job/lifecycle.js";
import type { Order } from "../job/order.js";
import type { Outcome } from "../job/outcome.js";

/** Names one polling loop. */
export interface PollerName extends Place {
  readonly actionType: ActionType;
  /** What it asks for, such as `Project=shop`; absent: for every job of the type. */
  readonly query?: string;
}

/** A failed call, as much of it as may be shown. */
export interface Fault {
  readonly kind: GatewayFaultKind;
  readonly operation: string;
  readonly code: string;
  readonly message: string;
}

/** A gateway's error as an event may carry it; anything else is a bug and is thrown on. */
export function faultOf(error: GatewayError, mask: (text: string) => string): Fault {
  return { kind: error.kind, operation: error.operation, code: error.code, message: mask(error.message) };
}

/** What is held at an end. */
export interface Held {
  /** Jobs that CodePipeline or the ledger waits for: in flight, unfinished, or not written. */
  readonly owed: number;
  /** How many of them have their result. */
  readonly results: number;
  /** False: the ledger forgets them with the process. */
  readonly isDurable: boolean;
  /** False: stopped before the ledger was read; it may hold more. */
  readonly isRead: boolean;
}

/** Why a handler's run ended. The first cause wins. */
export type EndCause =
  /** It gave an outcome. */
  | "returned"
  /** It threw, or its process or service failed. */
  | "threw"
  /** The job's own time limit. */
  | "timed-out"
  /** A stop that would not wait any longer. */
  | "stopped"
  /** An operator failed it. */
  | "operator"
  /** The process that ran it died. */
  | "interrupted"
  /** No handler by that name. */
  | "no-handler"
  /** A bug of ours. */
  | "bug";

/** How an order was taken; the message says what comes next, or why it was not. */
export interface OrderAnswer {
  readonly kind: "taken" | "too-late" | "ambiguous" | "unknown-job" | "ledger-unusable";
  readonly message: string;
  /** The whole id of the job that was meant, where it is known. */
  readonly jobId?: string;
}

/** A job's details as they may be shown: bounded, and secret values masked. */
export interface ShownDetails {
  readonly configuration: readonly { readonly name: string; readonly value: string }[];
  /** Names of artifacts. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
}

export type WorkerEvent = { readonly atMs: number } & (
  | { readonly type: "worker-started"; readonly pollers: number; readonly slots: number }
  /**
   * A poll answered. `taken`: jobs that are in work now; the rest were repeats, could not be read, or are among the
   * poller's `waiting` offers, whose turn has not come.
   */
  | {
      readonly type: "poll-finished";
      readonly poller: PollerName;
      readonly limit: number;
      readonly offered: number;
      readonly taken: number;
      /** Absent: none. */
      readonly waiting?: number;
      readonly unreadable: readonly string[];
      readonly durationMs: number;
      readonly restMs: number;
    }
  /** A poll failed; `failures` counts how many in a row. */
  | {
      readonly type: "poll-failed";
      readonly poller: PollerName;
      readonly fault: Fault;
      readonly failures: number;
      readonly durationMs: number;
      readonly restMs: number;
    }
  /** The first good poll after failures. */
  | { readonly type: "poll-recovered"; readonly poller: PollerName; readonly failures: number }
  /** CodePipeline began to deny an account's calls in a Region: credentials, permissions or clock. Once, however many. */
  | { readonly type: "breaker-opened"; readonly poller: PollerName; readonly fault: Fault }
  /** No call of the account in the Region is denied any more. */
  | ({ readonly type: "breaker-closed"; readonly openMs: number } & Place)
  /** CodePipeline throttles calls of an account in a Region: they are made in turn, so many a second at first. */
  | { readonly type: "calls-limited"; readonly scope: string; readonly perSecond: number }
  /** Nobody was throttled, and no call had to wait, for a minute. */
  | { readonly type: "calls-unlimited"; readonly scope: string; readonly limitedMs: number }
  /** A poll offered a job that is in flight here or ended a short while ago. */
  | { readonly type: "offer-repeated"; readonly key: JobKey }
  /** Every step of the reducer, in order. */
  | {
      readonly type: "job-changed";
      readonly key: JobKey;
      readonly from: JobState;
      readonly to: JobState;
      readonly by: JobEventType;
    }
  /** The job is ours and its handler begins. `pickupMs`: since the poll's answer. */
  | {
      readonly type: "job-started";
      readonly key: JobKey;
      readonly handler: string;
      readonly pickupMs: number;
      readonly deadlineMs: number;
      readonly isContinuation: boolean;
      readonly pipelineName: string | undefined;
      readonly stageName?: string | undefined;
      readonly actionName: string | undefined;
      readonly actionExecutionId: string | undefined;
      readonly details?: ShownDetails;
    }
  /** An input was fetched (`in`) or an output uploaded (`out`); `bytes`: of its archive. */
  | {
      readonly type: "artifact-moved";
      readonly key: JobKey;
      readonly way: "in" | "out";
      readonly name: string;
      readonly bytes: number;
    }
  /** A service answered 202; it delivers the outcome later. */
  | { readonly type: "callback-awaited"; readonly key: JobKey; readonly untilMs: number }
  /** The outcome is fixed. Texts are masked. */
  | {
      readonly type: "job-settled";
      readonly key: JobKey;
      readonly outcome: Outcome;
      readonly cause: EndCause;
      readonly durationMs: number;
    }
  /** CodePipeline has the result. `attempts`: puts that it took. */
  | {
      readonly type: "job-reported";
      readonly key: JobKey;
      readonly outcome: Outcome;
      readonly attempts: number;
      readonly owedMs: number;
      readonly handler: string;
      /** As far as the details of the job were fetched: a result from the ledger is reported without them. */
      readonly pipelineName: string | undefined;
      readonly actionName: string | undefined;
      /** Of the handler's run in this process; undefined: there was none. */
      readonly durationMs: number | undefined;
      /** True when it was accepted by an earlier attempt whose answer was lost. */
      readonly isPresumed: boolean;
    }
  /** Ended without a result of ours; `from` says how far it had come. */
  | {
      readonly type: "job-dropped";
      readonly key: JobKey;
      readonly from: JobState;
      readonly reason: LostReason;
      readonly message: string;
    }
  /** A call for one job failed and is made again. */
  | {
      readonly type: "call-retried";
      readonly key: JobKey;
      readonly fault: Fault;
      readonly attempt: number;
      readonly delayMs: number;
    }
  /** CodePipeline refused a result as invalid; a generic failure is reported instead. */
  | { readonly type: "result-refused"; readonly key: JobKey; readonly fault: Fault }
  /**
   * The job has no active worker here any more while CodePipeline still waits; `state` says for what. It stays in the
   * ledger as ours, unless another replica takes it.
   */
  | {
      readonly type: "job-unfinished";
      readonly key: JobKey;
      readonly state: JobState;
      readonly isOurs: boolean;
      readonly message: string;
    }
  /** A handler did not stop when it was aborted; its job was settled without it. */
  | { readonly type: "handler-abandoned"; readonly key: JobKey; readonly handler: string }
  /** The thread of a module handler ended unasked and took so many jobs along; the next one starts after a rest. */
  | {
      readonly type: "handler-thread-ended";
      readonly handler: string;
      readonly what: string;
      readonly jobs: number;
      readonly restMs: number;
    }
  /** A job of a previous process, or of another replica, is recovered. */
  | { readonly type: "job-recovered"; readonly key: JobKey; readonly state: JobState; readonly ageMs: number }
  /** An operator failed or released the job, which was in `state`. */
  | { readonly type: "order-taken"; readonly key: JobKey; readonly order: Order["kind"]; readonly state: JobState }
  /** The ledger could not be used. */
  | { readonly type: "ledger-failed"; readonly key: JobKey | undefined; readonly message: string }
  /** Low disk space: no job is taken. */
  | { readonly type: "room-short"; readonly reason: string }
  | { readonly type: "room-regained" }
  /** The handler does no job now, so its jobs are not accepted. Once, until it recovers or is replaced. */
  | { readonly type: "handler-broken"; readonly handler: string; readonly code: string; readonly message: string }
  | { readonly type: "handler-recovered"; readonly handler: string; readonly openMs: number }
  /** The machine is out of files, processes, memory or disk space, so no job is taken. Once, until it ends. */
  | { readonly type: "machine-short"; readonly code: string; readonly reason: string }
  | { readonly type: "machine-regained"; readonly shortMs: number }
  /** An internal error: a bug of ours. */
  | { readonly type: "bug"; readonly key: JobKey | undefined; readonly message: string; readonly stack: string }
  /** A new configuration applies: which pollers it started and ended. Running jobs keep their old settings. */
  | {
      readonly type: "pollers-changed";
      readonly added: readonly PollerName[];
      readonly removed: readonly PollerName[];
      readonly slots: number;
    }
  /** The configuration is being read again, by signal. */
  | { readonly type: "reload-started" }
  /** Names of what changed: what was applied, and what needs a restart. */
  | { readonly type: "reload-finished"; readonly applied: readonly string[]; readonly needsRestart: readonly string[] }
  /** The new configuration is wrong or cannot be built; the current one is kept. */
  | { readonly type: "reload-refused"; readonly message: string }
  | { readonly type: "paused" }
  | { readonly type: "resumed" }
  | { readonly type: "drain-started"; readonly inFlight: number; readonly timeoutMs: number }
  /** The drain timeout has passed, or a second signal came: handlers are aborted. */
  | { readonly type: "drain-hurried"; readonly inFlight: number; readonly reason: string }
  /** The end, and what is still held. */
  | ({ readonly type: "drain-finished"; readonly durationMs: number } & Held)
);

/** An event without its time, as the engine's parts write it. */
export type UntimedEvent = WorkerEvent extends infer E ? (E extends WorkerEvent ? Omit<E, "atMs"> : never) : never;

/** Reads events. What it throws never reaches the engine. */
export type Observe = (event: WorkerEvent) => void;
/** How the engine's parts emit events; engine.ts adds the time. */
export type Emit = (event: UntimedEvent) => void;
