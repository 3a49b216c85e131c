// The contract of a worker in somebody else's process: what it is made from, and what its program can do with it.
import type { GivenCredentials } from "../codepipeline/client.js";
import type { schema } from "../config/schema.js";
import type { Written } from "../config/values.js";
import type { Handler } from "../handlers/handler.js";
import type { PartnerdEvent, PartnerdEventType } from "./worker-events.js";

type WrittenConfig = Written<typeof schema>;

/** A handler as the configuration has it: one of the kinds `module`, `command` and `http`. */
export type HandlerConfig = WrittenConfig["handlers"][string];

/**
 * A configuration with the keys of the file partnerd.yaml, in plain types: durations such as "10s", sizes such as
 * "10MiB". A handler may be a function besides. A key that is `undefined` counts as absent.
 */
export interface WorkerConfig extends Omit<WrittenConfig, "handlers"> {
  readonly handlers: Readonly<Record<string, HandlerConfig | Handler>>;
}

/** What createWorker takes besides the configuration. */
export interface WorkerOptions {
  /** Handlers as functions, by name: instead of those of the configuration, and besides them. */
  readonly handlers?: Readonly<Record<string, Handler>>;
  /**
   * Gets every log line, masked and finished, with its newline: `process.stdout` is one. Absent: nothing is logged.
   * `log.level` and `log.format` of the configuration hold. What it throws is ignored.
   */
  readonly log?: { write(line: string): unknown };
  /** For CodePipeline: credentials, or a function that gives them. Absent: the AWS SDK's default credential chain finds some. */
  readonly credentials?: GivenCredentials;
}

/** How a worker ended. */
export interface WorkerEnd {
  /** Jobs that CodePipeline still waits for: with a ledger that lasts, the next start finishes them. */
  readonly owed: number;
  /** How many of these have their result. */
  readonly results: number;
  /** True when it ended by a bug of partnerd's, and not by `stop`. */
  readonly isBroken: boolean;
}

/** Limits of one stop. */
export interface StopOptions {
  /**
   * In ms from now: by then handlers were aborted, with `shutdown.cancelGrace` to end in, and what CodePipeline has not
   * accepted stays in the ledger. The limits of `shutdown` hold besides. Absent: only those.
   */
  readonly deadlineMs?: number;
}

/** An embedded worker. It installs no signal handlers and never ends the process. */
export interface PartnerdWorker extends AsyncDisposable {
  /** What of the configuration is worth a look; one sentence each. */
  readonly warnings: readonly string[];
  /** Where the admin port answers, such as `http://127.0.0.1:9464`; `undefined`: it is off, or the worker not started. */
  readonly adminUrl: string | undefined;
  /** Resolves when the worker has stopped and everything of it is closed, for whatever reason. Never rejects. */
  readonly ended: Promise<WorkerEnd>;
  /**
   * Loads handlers, opens ledger and admin port, recovers the jobs of a previous process and begins to poll; resolves
   * then. A second call is the same start. Rejects with WorkerStartError, and then everything is closed.
   */
  start(): Promise<void>;
  /**
   * Takes no new jobs, finishes the running ones, reports what is owed, and closes everything; resolves then. A second
   * call may shorten the deadline of the first. Never rejects.
   */
  stop(options?: StopOptions): Promise<WorkerEnd>;
  /**
   * Calls back at every event, or at those of one type; the returned function ends it. What a listener throws does not
   * reach the worker: it is thrown again on its own, as an uncaught exception of the program.
   */
  on(listener: (event: PartnerdEvent) => void): () => void;
  on<T extends PartnerdEventType>(
    type: T,
    listener: (event: Extract<PartnerdEvent, { readonly type: T }>) => void,
  ): () => void;
  /** The same as `stop()`. */
  [Symbol.asyncDispose](): Promise<void>;
}
