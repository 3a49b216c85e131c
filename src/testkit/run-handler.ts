// One job of a module handler in the test's own process: the job object that the daemon makes, artifacts as folders,
// and the outcome as CodePipeline would get it. No daemon, no emulator, no network.
import { cp, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";
import type { Handler, JobDocument, JobLogger } from "../handlers/handler.js";
import { type HandlerJobParts, settledOr, settledRun } from "../handlers/module/handler-job.js";
import { failureFrom, JobFailure } from "../job/failure.js";
import { failed, type Outcome, outcomeFrom } from "../job/outcome.js";

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
  /** In ms from now, as the job document says it; nothing waits for it. 30 minutes by default. */
  readonly timeoutMs?: number;
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
}

/**
 * A run under way, to be awaited. What the daemon may do meanwhile is done by its methods, as soon as the handler has
 * begun and without waiting for any time to pass.
 */
export interface HandlerRun extends Promise<HandlerResult> {
  /** The daemon begins to drain: `job.draining` aborts. */
  drain(): void;
  /**
   * The job's time is over: `job.signal` aborts, and the run ends as the daemon would end it, whatever the handler does
   * afterwards.
   */
  passDeadline(): void;
}

/** Runs one job. Rejects only when an input cannot be laid out. */
export function runHandler(handler: Handler, options: RunHandlerOptions = {}): HandlerRun {
  const run = new Run(handler, options);
  return Object.assign(run.result(), {
    drain: () => run.onceStarted(() => run.draining.abort()),
    passDeadline: () => run.onceStarted(() => run.deadline.abort(new Error("the job's time limit has passed"))),
  });
}

const defaultTimeoutMs = 30 * 60_000;

class Run {
  readonly draining = new AbortController();
  readonly deadline = new AbortController();
  readonly #handler: Handler;
  readonly #options: RunHandlerOptions;
  readonly #logs: HandlerLogLine[] = [];
  readonly #outputs: Record<string, Record<string, Buffer>> = {};
  readonly #uploads: Promise<void>[] = [];
  readonly #started = Promise.withResolvers<void>();

  constructor(handler: Handler, options: RunHandlerOptions) {
    this.#handler = handler;
    this.#options = options;
  }

  onceStarted(act: () => void): void {
    void this.#started.promise.then(act);
  }

  async result(): Promise<HandlerResult> {
    const folder = await mkdtemp(join(tmpdir(), "partnerd-run-"));
    try {
      await this.#layInputs(folder);
      const outcome = await this.#outcome(folder);
      return { outcome, logs: this.#logs, outputs: this.#outputs };
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  async #outcome(folder: string): Promise<Outcome> {
    const document = documentOf(this.#options);
    const { signal } = this.deadline;
    const timedOut = new Promise<Outcome>((done) => {
      const limit = failed("the job took longer than its limit (jobTimeout) and was stopped");
      signal.addEventListener("abort", () => setImmediate(done, limit), { once: true });
    });
    const work = settledRun(this.#handler, { document, ...this.#members(folder) }).then(async (settled) => {
      const value = settledOr(settled, signal);
      if (outcomeFrom(value, document.actionType.owner as "Custom").kind !== "failed") await Promise.all(this.#uploads);
      return outcomeFrom(value, document.actionType.owner as "Custom");
    });
    setImmediate(() => this.#started.resolve());
    const ended = work.catch((error: unknown): Outcome => ({ kind: "failed", ...failureFrom(error) }));
    return Promise.race([ended, timedOut]);
  }

  #members(folder: string): Omit<HandlerJobParts, "document"> {
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
      signal: this.deadline.signal,
      draining: this.draining.signal,
      folder: async () => folder,
      input: async (name) => this.#input(folder, name),
      inputFile: async (name) => this.#inputFile(folder, name),
      output: (name, directory) => {
        const upload = this.#upload(name, resolve(folder, directory));
        upload.catch(() => {});
        this.#uploads.push(upload);
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
    if (Object.hasOwn(this.#options.inputs ?? {}, name)) return join(folder, "inputs", name);
    throw new JobFailure("ConfigurationError", `the action has no input artifact ${JSON.stringify(name)}`);
  }

  /** An input of one file is that file: what lies in S3 need be no archive. */
  async #inputFile(folder: string, name: string): Promise<string> {
    const path = this.#input(folder, name);
    const [file, ...others] = await readdir(path);
    if (file !== undefined && others.length === 0 && (await stat(join(path, file))).isFile()) return join(path, file);
    throw new Error(`runHandler packs no archives: give the input ${name} as one file to use job.inputFile`);
  }

  async #upload(name: string, directory: string): Promise<void> {
    if (!(this.#options.outputs ?? []).includes(name)) {
      throw new JobFailure("ConfigurationError", `the action has no output artifact ${JSON.stringify(name)}`);
    }
    const files: Record<string, Buffer> = {};
    for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const path = join(entry.parentPath, entry.name);
      files[relative(directory, path)] = await readFile(path);
    }
    this.#outputs[name] = files;
  }
}

function documentOf(options: RunHandlerOptions): JobDocument {
  const { configuration = {}, inputs = {}, outputs = [], pipeline = {}, timeoutMs = defaultTimeoutMs } = options;
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
    deadline: new Date(Date.now() + timeoutMs).toISOString(),
  };
}
