// What an embedded worker tells its program: a part of the engine's events that stays as it is, in plain types. Times are
// ms since the epoch; no text holds a secret that partnerd knows.
import type { WorkerEvent } from "../engine/events.js";
import { actionTypeName, type JobKey, placeOf } from "../job/job.js";
import type { Outcome } from "../job/outcome.js";

/** Names one job. */
export interface JobName {
  readonly jobId: string;
  /** Its name in `accounts`; absent for the default one. */
  readonly account?: string;
  readonly region: string;
  /** Such as `Custom/Build/Acme-Build/1`. */
  readonly actionType: string;
  /** Who the customer is; third-party jobs only. */
  readonly clientId?: string;
}

/** Names one poller. */
export interface WorkerPollerName {
  /** As a job's. */
  readonly account?: string;
  readonly region: string;
  readonly actionType: string;
  /** What it asks for, such as `Project=shop`, where it does not poll for every job. */
  readonly query?: string;
}

/** A failed call to CodePipeline. */
export interface FailedCall {
  /** Such as `PollForJobs`. */
  readonly operation: string;
  /** The service's or the system's name for it, such as `ThrottlingException` or `ECONNREFUSED`. */
  readonly code: string;
  readonly message: string;
}

/** Something that happened, told once. Later versions may add types, and members to these. */
export type PartnerdEvent = { readonly atMs: number } & (
  | { readonly type: "worker-started"; readonly pollers: number; readonly slots: number }
  /** `failures`: how many in a row; the next poll is made after `restMs`. */
  | (WorkerPollerName & {
      readonly type: "poll-failed";
      readonly call: FailedCall;
      readonly failures: number;
      readonly restMs: number;
    })
  | (WorkerPollerName & { readonly type: "poll-recovered"; readonly failures: number })
  /** The job is ours and its handler begins. `pickupMs`: since the poll that brought it. */
  | {
      readonly type: "job-started";
      readonly job: JobName;
      readonly handler: string;
      readonly pickupMs: number;
      readonly deadlineMs: number;
      readonly isContinuation: boolean;
      readonly pipelineName?: string;
      readonly stageName?: string;
      readonly actionName?: string;
      readonly actionExecutionId?: string;
    }
  /** CodePipeline has the result. `durationMs`: of the handler's run in this process, if there was one. */
  | {
      readonly type: "job-reported";
      readonly job: JobName;
      readonly handler: string;
      readonly outcome: Outcome;
      readonly attempts: number;
      readonly durationMs?: number;
    }
  /** Ended without a result of ours: `reason` is a stable word, such as `not-ours` or `released`. */
  | { readonly type: "job-dropped"; readonly job: JobName; readonly reason: string; readonly message: string }
  /** Nobody works it here any more while CodePipeline waits; it stays in the ledger. */
  | { readonly type: "job-unfinished"; readonly job: JobName; readonly message: string }
  /** A job of a previous process, or of another replica, is taken up; it was taken `ageMs` ago. */
  | { readonly type: "job-recovered"; readonly job: JobName; readonly ageMs: number }
  /** A call for one job failed and is made again after `delayMs`. */
  | {
      readonly type: "call-retried";
      readonly job: JobName;
      readonly call: FailedCall;
      readonly attempt: number;
      readonly delayMs: number;
    }
  /** The handler does no job now, so none of its jobs is accepted. */
  | { readonly type: "handler-broken"; readonly handler: string; readonly code: string; readonly message: string }
  | { readonly type: "handler-recovered"; readonly handler: string }
  | { readonly type: "drain-started"; readonly inFlight: number; readonly timeoutMs: number }
  /** The end. `owed`: jobs that CodePipeline still waits for. */
  | { readonly type: "drain-finished"; readonly owed: number; readonly durationMs: number }
  /** A bug of partnerd's. */
  | { readonly type: "internal-error"; readonly job?: JobName; readonly message: string }
);

export type PartnerdEventType = PartnerdEvent["type"];

type Untimed<E> = E extends PartnerdEvent ? Omit<E, "atMs"> : never;

/** The event as the program is told of it; `undefined`: it is not. */
export function partnerdEvent(event: WorkerEvent): PartnerdEvent | undefined {
  const told = jobTold(event) ?? workerTold(event);
  return told && ({ ...told, atMs: event.atMs } as PartnerdEvent);
}

function jobTold(event: WorkerEvent): Untimed<PartnerdEvent> | undefined {
  switch (event.type) {
    case "job-started":
      return startTold(event);
    case "job-reported": {
      const { type, outcome, attempts, handler, durationMs } = event;
      const duration = durationMs === undefined ? {} : { durationMs };
      return { type, job: nameOf(event.key), handler, outcome, attempts, ...duration };
    }
    case "job-dropped":
      return { type: event.type, job: nameOf(event.key), reason: event.reason, message: event.message };
    case "job-unfinished":
      return { type: event.type, job: nameOf(event.key), message: event.message };
    case "job-recovered":
      return { type: event.type, job: nameOf(event.key), ageMs: event.ageMs };
    case "call-retried": {
      const { type, attempt, delayMs } = event;
      return { type, job: nameOf(event.key), call: callOf(event.fault), attempt, delayMs };
    }
    default:
      return undefined;
  }
}

function workerTold(event: WorkerEvent): Untimed<PartnerdEvent> | undefined {
  switch (event.type) {
    case "worker-started":
      return { type: event.type, pollers: event.pollers, slots: event.slots };
    case "poll-failed": {
      const { type, fault, failures, restMs } = event;
      return { type, ...pollerOf(event), call: callOf(fault), failures, restMs };
    }
    case "poll-recovered":
      return { type: event.type, ...pollerOf(event), failures: event.failures };
    case "handler-broken": {
      const { type, handler, code, message } = event;
      return { type, handler, code, message };
    }
    case "handler-recovered":
      return { type: event.type, handler: event.handler };
    case "drain-started":
      return { type: event.type, inFlight: event.inFlight, timeoutMs: event.timeoutMs };
    case "drain-finished":
      return { type: event.type, owed: event.owed, durationMs: event.durationMs };
    case "bug":
      return { type: "internal-error", ...(event.key && { job: nameOf(event.key) }), message: event.message };
    default:
      return undefined;
  }
}

function startTold(event: WorkerEvent & { type: "job-started" }): Untimed<PartnerdEvent> {
  const { type, key, handler, pickupMs, deadlineMs, isContinuation } = event;
  const { pipelineName, stageName, actionName, actionExecutionId } = event;
  return {
    type,
    job: nameOf(key),
    handler,
    pickupMs,
    deadlineMs,
    isContinuation,
    ...(pipelineName === undefined ? {} : { pipelineName }),
    ...(stageName === undefined ? {} : { stageName }),
    ...(actionName === undefined ? {} : { actionName }),
    ...(actionExecutionId === undefined ? {} : { actionExecutionId }),
  };
}

function nameOf({ jobId, actionType, clientId, ...place }: JobKey): JobName {
  return {
    jobId,
    ...placeOf(place),
    actionType: actionTypeName(actionType),
    ...(clientId === undefined ? {} : { clientId }),
  };
}

function pollerOf({ poller }: WorkerEvent & { type: "poll-failed" | "poll-recovered" }): WorkerPollerName {
  const { actionType, query } = poller;
  return { ...placeOf(poller), actionType: actionTypeName(actionType), ...(query === undefined ? {} : { query }) };
}

function callOf({ operation, code, message }: FailedCall): FailedCall {
  return { operation, code, message };
}
