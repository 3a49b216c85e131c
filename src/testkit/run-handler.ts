// One job of a module handler in the test's own process: the job object that the daemon makes, artifacts as folders,
// and the outcome as CodePipeline would get it. No daemon, no emulator, no network; its deadline comes when the test
// says so.
import { cp, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { clearTimeout, setImmediate, setTimeout } from "node:timers";
import { JobOutputs } from "../artifacts/job-outputs.js";
import { placed } from "../artifacts/named.js";
import type { Handler, JobDocument, JobLogger } from "../handlers/handler.js";
import { type HandlerJobParts, settledOr, settledRun } from "../handlers/module/handler-job.js";
import { limitInWords, stoppedText, timedOutText } from "../job/end-texts.js";
import { failureFrom } from "../job/failure.js";
import { failed, type Outcome, outcomeFrom } from "../job/outcome.js";
import { plainText } from "../job/plain-text.js";

/** Contents by path, with `/` between folders; or a folder that is copied. */
export type ArtifactFiles = string | Readonly<Record<string, string | Uint8Array>>;

/** What of the job is otherwise than the smallest one. */
export interface RunHandlerOptions {
  /** The action's configuration; none by default. */
  readonly configuration?: Readonly<Record<string, string>>;
  /** Input artifacts by name. */
  readonly inputs?: Readonly<Record<string, ArtifactFiles>>;
  /** Names of the output artifacts that the action declares. */
  readonly outputs?: readonly string[];
  /** What the job before this one gave with `continued`. */
  readonly continuationToken?: string;
  /** Left out: a Custom action type, category Build. */
  readonly actionType?: Partial<JobDocument["actionType"]>;
  readonly pipeline?: JobDocument["pipeline"];
  readonly jobId?: string;
  readonly region?: string;
  readonly account?: string;
  readonly clientId?: string;
  readonly accountId?: string;
  /** The job's time limit in ms: of its own time, which passes by `advance` alone. 30 minutes by default. */
  readonly timeoutMs?: number;
  /** In ms of real time: how long a handler may take to end once it was aborted; 1 second by default. */
  readonly graceMs?: number;
  /** A folder to which uploaded artifacts are copied, each below its name. */
  readonly outputsTo?: string;
}

/** One line that the handler logged with `job.log`. */
export interface HandlerLogLine {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

export interface HandlerResult {
  /** As CodePipeline would get it: checked, within the API's limits. */
  readonly outcome: Outcome;
  readonly logs: readonly HandlerLogLine[];
  /** Uploaded artifacts: contents by path, for each name. */
  readonly outputs: Readonly<Record<string, Readonly<Record<string, Buffer>>>>;
  /** True for a handler that did not end within its grace once it was aborted: the daemon would continue without it. */
  readonly isAbandoned: boolean;
}

/**
 * A run under way, to be awaited. What may happen to a job meanwhile happens by its methods, as soon as the handler has
 * begun, in the order of the calls, and without waiting for any time to pass.
 */
export interface HandlerRun extends Promise<HandlerResult> {
  /**
   * The job's own time moves on. At `timeoutMs` its deadline passes: `job.signal` aborts, and the job has failed by its
   * time limit, whatever the handler does; the run ends when the handler has, or after `graceMs`. Timers of the handler
   * are its own: move them by your test runner.
   */
  advance(ms: number): void;
  /** Moves the job's time to its deadline. */
  passDeadline(): void;
  /** The daemon begins to drain: `job.draining` aborts. */
  drain(): void;
  /** The daemon waits no longer: `job.signal` aborts, and what the handler returns within `graceMs` still counts. */
  stop(): void;
}

/** Runs one job. Rejects only when an input cannot be laid out. */
export function runHandler(handler: Handler, options: RunHandlerOptions = {}): HandlerRun {
  const run = new Run(handler, options);
  return Object.assign(run.result(), {
    advance: (ms: number) => run.onceStarted(() => run.advance(ms)),
    passDeadline: () => run.onceStarted(() => run.advance(Number.POSITIVE_INFINITY)),
    drain: () => run.onceStarted(() => run.draining.abort()),
    stop: () =>
      run.onceStarted(() => {
        run.draining.abort();
        run.abort("stopped", new Error("partnerd is stopping"));
      }),
  });
}

const defaultTimeoutMs = 30 * 60_000;
const defaultGraceMs = 1_000;

/** As they are now: test runners replace the global ones, and a run must not stand still with them. */
const timers = { clearTimeout, setImmediate, setTimeout };

class Run {
  readonly draining = new AbortController();
  readonly #abort = new AbortController();
  readonly #handler: Handler;
  readonly #options: RunHandlerOptions;
  readonly #logs: HandlerLogLine[] = [];
  readonly #outputs: Record<string, Record<string, Buffer>> = {};
  readonly #started = Promise.withResolvers<void>();
  readonly #abandoned = Promise.withResolvers<"abandoned">();
  #cancelGrace = () => {};
  #isOver = false;
  #leftMs: number;
  #cause: "timed-out" | "stopped" | undefined;

  constructor(handler: Handler, options: RunHandlerOptions) {
    this.#handler = handler;
    this.#options = options;
    this.#leftMs = timeoutOf(options);
  }

  onceStarted(act: () => void): void {
    void this.#started.promise.then(act);
  }

  advance(ms: number): void {
    this.#leftMs -= ms;
    if (this.#leftMs > 0) return;
    const limit = limitInWords(timeoutOf(this.#options));
    this.abort("timed-out", new Error(`the job's time limit of ${limit} has passed`));
  }

  /** The first cause wins. */
  abort(cause: "timed-out" | "stopped", reason: Error): void {
    if (this.#cause !== undefined || this.#isOver) return;
    this.#cause = cause;
    this.#abort.abort(reason);
    const give = () => this.#abandoned.resolve("abandoned");
    // Even then the handler has its turn.
    const { graceMs = defaultGraceMs } = this.#options;
    const timer = timers.setTimeout(() => timers.setImmediate(give), graceMs);
    this.#cancelGrace = () => timers.clearTimeout(timer);
  }

  async result(): Promise<HandlerResult> {
    const folder = await mkdtemp(join(tmpdir(), "partnerd-run-"));
    try {
      await this.#layInputs(folder);
      const ended = await this.#ended(folder);
      // Copies: an abandoned handler may continue.
      return { ...ended, logs: [...this.#logs], outputs: { ...this.#outputs } };
    } finally {
      this.#isOver = true;
      this.#cancelGrace();
      await rm(folder, { recursive: true, force: true });
    }
  }

  async #ended(folder: string): Promise<Pick<HandlerResult, "outcome" | "isAbandoned">> {
    const document = documentOf(this.#options);
    const { signal } = this.#abort;
    const owner = document.actionType.owner === "ThirdParty" ? "ThirdParty" : "Custom";
    const uploads = this.#uploadsFrom(folder);
    const work = settledRun(this.#handler, { document, ...this.#members(folder, uploads) }).then(async (settled) => {
      const outcome = outcomeFrom(settledOr(settled, signal), owner, plainText);
      // A success needs every upload, whether the handler awaited it or not.
      if (outcome.kind !== "failed") await uploads.finish();
      return outcome;
    });
    timers.setImmediate(() => this.#started.resolve());
    const ended = work.catch((error: unknown) => ({ thrown: error }));
    const end = await Promise.race([ended, this.#abandoned.promise]);
    return { outcome: this.#outcomeOf(end), isAbandoned: end === "abandoned" };
  }

  /** As engine/handling.ts decides. */
  #outcomeOf(end: Outcome | { readonly thrown: unknown } | "abandoned"): Outcome {
    if (this.#cause === "timed-out") return failed(timedOutText(timeoutOf(this.#options)));
    if (end !== "abandoned" && "kind" in end) return end;
    if (this.#cause === "stopped" || end === "abandoned") return failed(stoppedText, { type: "SystemUnavailable" });
    return { kind: "failed", ...failureFrom(end.thrown, plainText) };
  }

  #members(folder: string, uploads: JobOutputs): Omit<HandlerJobParts, "document"> {
    const log =
      (level: HandlerLogLine["level"]) =>
      (message: string, fields: HandlerLogLine["fields"] = {}) => {
        this.#logs.push({ level, message, fields });
      };
    const logger: JobLogger = { debug: log("debug"), info: log("info"), warn: log("warn"), error: log("error") };
    return {
      onMissing: (artifact) =>
        logger.warn(
          `the handler succeeded without uploading the output artifact ${artifact}; a later action may miss it`,
        ),
      log: logger,
      signal: this.#abort.signal,
      draining: this.draining.signal,
      folder: async () => folder,
      input: async (name) => this.#input(folder, name),
      inputFile: async (name) => this.#inputFile(folder, name),
      output: (name, directory) => {
        const upload = uploads.put(name, directory);
        // One that nobody awaits must not end the test.
        upload.catch(() => {});
        return upload;
      },
    };
  }

  async #layInputs(folder: string): Promise<void> {
    for (const [name, files] of Object.entries(this.#options.inputs ?? {})) {
      const path = join(folder, "inputs", name);
      await mkdir(path, { recursive: true });
      if (typeof files === "string") {
        await cp(files, path, { recursive: true });
        continue;
      }
      for (const [file, content] of Object.entries(files)) {
        const at = join(path, file);
        if (relative(path, at).startsWith("..")) throw new Error(`the input ${name} has a file outside of it: ${file}`);
        await mkdir(dirname(at), { recursive: true });
        await writeFile(at, content);
      }
    }
  }

  #input(folder: string, name: string): string {
    return join(folder, "inputs", placed(artifactsOf(this.#options), "input", name).name);
  }

  /** An input of one file is that file: what is in S3 need be no archive. */
  async #inputFile(folder: string, name: string): Promise<string> {
    const path = this.#input(folder, name);
    const [file, ...others] = await readdir(path);
    if (file !== undefined && others.length === 0 && (await stat(join(path, file))).isFile()) return join(path, file);
    throw new Error(`runHandler packs no archives: give the input ${name} as one file to use job.inputFile`);
  }

  /** The daemon's own uploads, but that what is packed stays here. */
  #uploadsFrom(folder: string): JobOutputs {
    return new JobOutputs({
      job: artifactsOf(this.#options),
      folder: { path: async () => folder, newFile: async (name) => join(folder, `.${name}`) },
      pack: ({ artifact, directory }) => this.#take(artifact, directory),
      transfers: async () => ({ upload: async () => {} }),
      signal: this.#abort.signal,
    });
  }

  async #take(name: string, directory: string): Promise<void> {
    const files: Record<string, Buffer> = {};
    for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const path = join(entry.parentPath, entry.name);
      files[relative(directory, path)] = await readFile(path);
    }
    this.#outputs[name] = files;
    const { outputsTo } = this.#options;
    if (outputsTo !== undefined) await cp(directory, join(outputsTo, name), { recursive: true });
  }
}

/** The artifacts as a job declares them; none lies anywhere. */
function artifactsOf({ inputs = {}, outputs = [] }: RunHandlerOptions) {
  const location = { bucket: "none", objectKey: "none" };
  const declared = (names: readonly string[]) => names.map((name) => ({ name, location }));
  return { inputs: declared(Object.keys(inputs)), outputs: declared(outputs) };
}

function timeoutOf({ timeoutMs = defaultTimeoutMs }: RunHandlerOptions): number {
  return timeoutMs;
}

function documentOf(options: RunHandlerOptions): JobDocument {
  const { configuration = {}, inputs = {}, outputs = [], pipeline = {} } = options;
  const { jobId = "11111111-2222-4333-8444-555555555555", region = "us-east-1" } = options;
  const { account, clientId, accountId, continuationToken } = options;
  return {
    version: 1,
    jobId,
    region,
    ...(account === undefined ? {} : { account }),
    ...(clientId === undefined ? {} : { clientId }),
    ...(accountId === undefined ? {} : { accountId }),
    actionType: { category: "Build", owner: "Custom", provider: "Test", version: "1", ...options.actionType },
    configuration: { ...configuration },
    pipeline: { ...pipeline },
    ...(continuationToken === undefined ? {} : { continuationToken }),
    inputs: Object.keys(inputs).map((name) => ({ name })),
    outputs: outputs.map((name) => ({ name })),
    deadline: new Date(Date.now() + timeoutOf(options)).toISOString(),
  };
}
