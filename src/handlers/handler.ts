// The contract of handlers: what a job looks like to the code that does the work, in whatever kind it is written.
import type { Workspace } from "../artifacts/artifacts.js";
import type { Job } from "../job/job.js";
import type { Outcome } from "../job/outcome.js";
import type { WorkerFault } from "../job/worker-fault.js";
import type { Deadline } from "../std/deadline.js";
import type { Log } from "../std/log.js";

/** A handler's log: its lines have the job's id. Texts only; secrets are masked on the way out. */
export interface JobLogger {
  debug(message: string, fields?: Readonly<Record<string, unknown>>): void;
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  error(message: string, fields?: Readonly<Record<string, unknown>>): void;
}

/** What a module handler gets. `job` is the same document that commands and services get. */
export interface HandlerJob extends JobDocument {
  /** Log lines that carry this job's id. */
  readonly log: JobLogger;
  /** Aborts at the deadline, at a forced stop, or when the job is lost: stop the work and throw. */
  readonly signal: AbortSignal;
  /** Aborts when the daemon begins to drain: a good moment to return `continued`. */
  readonly draining: AbortSignal;
  /** A private folder of the job, which goes with it: for what the handler makes. */
  folder(): Promise<string>;
  /** The folder with an unpacked input artifact (zip, tar, tar.gz; any other file is in it by the artifact's name). */
  input(name: string): Promise<string>;
  /** The path of an input artifact as stored in S3. */
  inputFile(name: string): Promise<string>;
  /**
   * Packs a folder and uploads it as an output artifact; a relative path starts at `folder()`. The job succeeds only
   * when every upload did, awaited or not.
   */
  output(name: string, directory: string): Promise<void>;
}

/** A module handler. It always returns an outcome; to fail, throw JobFailure or return failed(). */
export type Handler = (job: HandlerJob) => Outcome | Promise<Outcome>;

/** The job document, version 1: what every kind of handler sees. All of it is JSON. */
export interface JobDocument {
  readonly version: 1;
  readonly jobId: string;
  readonly region: string;
  /** The account, by its name in `accounts` of the configuration. Absent: `default`. */
  readonly account?: string;
  /** Third-party jobs only. */
  readonly clientId?: string;
  /** Custom jobs only. */
  readonly accountId?: string;
  readonly actionType: { category: string; owner: string; provider: string; version: string };
  /** Holds secrets in clear when the action type has secret properties. */
  readonly configuration: Readonly<Record<string, string>>;
  readonly pipeline: {
    pipelineName?: string;
    stageName?: string;
    actionName?: string;
    actionExecutionId?: string;
    pipelineArn?: string;
    pipelineExecutionId?: string;
  };
  readonly continuationToken?: string;
  readonly inputs: readonly { name: string; revision?: string }[];
  readonly outputs: readonly { name: string }[];
  /** ISO 8601: when the handler is aborted and the job failed. */
  readonly deadline: string;
}

/** Where a handler's work is in a trace, for what it calls: W3C Trace Context. */
export interface JobTrace {
  readonly traceparent: string;
  readonly tracestate?: string;
  /** Runs code of this process so that its own spans are children of the handler's. */
  within<T>(run: () => T): T;
}

/**
 * What a handler says of itself while it has a job, so that the engine knows whether more jobs may come. What it throws
 * at the end counts as well.
 */
export interface HandlerStart {
  /** The handler could begin: the program runs, the service can be reached. */
  begun(): void;
  /** It cannot begin now, and keeps trying. */
  unwell(fault: WorkerFault): void;
  /**
   * Something else comes first that may take long, such as a download, and the handler looks as if it could begin.
   * Afterwards it awaits its `turn`.
   */
  aside(): void;
  /** Waits until the handler may begin the job: while it is broken, one tries at a time. False when the signal aborts. */
  turn(signal: AbortSignal): Promise<boolean>;
}

/** What the engine hands to a handler of any kind. */
export interface HandlerCall {
  readonly job: Job;
  /** The job's folder and artifacts. */
  readonly workspace: Workspace;
  /** When the engine aborts it. */
  readonly deadline: Deadline;
  /** For what partnerd says about the job. */
  readonly log: Log;
  /** For what the handler says. */
  readonly jobLog: JobLogger;
  /** Of this call alone: whoever listens to it need not stop. */
  readonly signal: AbortSignal;
  readonly draining: AbortSignal;
  /** Absent: it is not needed. */
  readonly start?: HandlerStart | undefined;
  /** Absent: tracing is off. */
  readonly trace?: JobTrace | undefined;
  /** Whether the handler may run a second time when its thread ends under it (`afterCrash: rerun`). */
  readonly mayRerun?: boolean;
  /** Aborts the signal: called when its handler is closed. */
  abort(reason: unknown): void;
  /**
   * Called when a service answered 202: resolves when that is recorded. From then on a crash does not interrupt
   * the job; the next process keeps waiting, until the same deadline.
   */
  awaitCallback(callback: { readonly tokenHash: string }): Promise<void>;
  /**
   * Resolves once what `run` gave is as durable as the ledger makes it, or is with CodePipeline; a service that
   * delivers its outcome by callback gets "accepted" only then. Absent: as soon as `run` has it. Rejects when the
   * job ends without either.
   */
  readonly outcomeRecorded?: Promise<void>;
}

/** One configured handler. Built and checked at start; `run` may be called many times at once. */
export interface JobHandler {
  readonly kind: "module" | "command" | "http";
  /** What a person recognises it by: the path, the command, the URL without its query. */
  readonly description: string;
  /** True for one that calls `start` when it has begun; any other counts as begun as soon as it is run. */
  readonly saysBegun?: boolean;
  /**
   * Does the job. Resolves with whatever the handler gave (the engine checks it) or rejects with whatever it
   * threw. When `signal` aborts it stops the work truly where that can be done, and settles soon.
   */
  run(call: HandlerCall): Promise<unknown>;
  /** Goes on waiting for a callback that an earlier process was promised. Only http handlers have it. */
  resume?(call: HandlerCall, callback: { readonly tokenHash: string }): Promise<unknown>;
  /**
   * Whether it could do a job now, as far as that can be found out without one; rejects if not. Asked while no job is
   * given to it because of its faults.
   */
  check?(signal: AbortSignal): Promise<void>;
  /** Kills what still runs and closes connections. Idempotent. */
  close(): Promise<void>;
}

/** Finds the handler of an action type by the name in the configuration. */
export interface HandlerRegistry {
  /** `undefined`: the configuration names none by this name. */
  get(name: string): JobHandler | undefined;
  close(): Promise<void>;
}
