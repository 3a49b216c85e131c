// A handler that is a program in any language: the job document on stdin, a verdict from the outcome file or the exit
// code, output as the job's log lines. Never hands on the daemon's own environment, above all no AWS credentials.
import { join } from "node:path";
import { JobFailure, messageOf } from "../../job/failure.js";
import { cut } from "../../job/limits.js";
import { WorkerFault } from "../../job/worker-fault.js";
import type { Clock } from "../../std/clock.js";
import { killLeftovers, type Leftovers } from "../../std/leftovers.js";
import type { CommandVariable } from "../../std/own-variables.js";
import { type GroupEnd, runGroup } from "../../std/process-tree.js";
import type { HandlerCall, JobHandler } from "../handler.js";
import { jobDocument } from "../job-document.js";
import { JobOutput } from "../job-output.js";
import type { JobMasker } from "../masker.js";
import { OpenCalls } from "../open-calls.js";
import type { Account } from "./account.js";
import { failureOfExit, failureOfStart } from "./exit-verdict.js";
import { collectOutputs, isFolder, prepareFolder, standsWithoutUploads } from "./folders.js";
import { takeBack } from "./handover.js";
import { newOutcomeName, outcomeVariable, readOutcomeFile } from "./outcome-file.js";
import { inputsFolder, outputsFolder } from "./places.js";
import { tryProgram } from "./program-check.js";

export interface CommandHandlerOptions {
  /** Program and arguments. A program with a slash is absolute; any other is searched in PATH. */
  readonly command: readonly [string, ...string[]];
  /** The configured variables. */
  readonly env: Readonly<Record<string, string>>;
  /** The daemon's own environment, of which only `inheritedNames` are handed on. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Between SIGTERM and SIGKILL. */
  readonly cancelGraceMs: number;
  readonly clock: Clock;
  readonly masker: JobMasker;
  /** Absent: the daemon's own. */
  readonly account?: Account | undefined;
  /** Finds by `outcomeVariable` who left the command's group. */
  readonly leftovers: Leftovers;
}

/** All that a command inherits. */
const inheritedNames = ["PATH", "HOME", "LANG", "TZ"] as const;
const descriptionMaxChars = 200;

/** One running job. */
interface Work {
  readonly call: HandlerCall;
  readonly signal: AbortSignal;
  readonly folder: string;
  readonly outcomePath: string;
}

/** Runs jobs by starting a program for each. */
export class CommandHandler implements JobHandler {
  readonly kind = "command";
  readonly saysBegun = true;
  readonly description: string;
  readonly #options: CommandHandlerOptions;
  readonly #calls = new OpenCalls();
  readonly #killing = new AbortController();
  /** Outcome files of the commands that run. */
  readonly #outcomePaths = new Set<string>();

  constructor(options: CommandHandlerOptions) {
    this.#options = options;
    this.description = cut(options.command.join(" "), descriptionMaxChars);
  }

  run(call: HandlerCall): Promise<unknown> {
    return this.#calls.within(call, () => this.#run(call, call.signal));
  }

  /** Rejects with WorkerFault when the program cannot be started, as far as its file says. */
  async check(): Promise<void> {
    await this.#tryProgram().catch((error: unknown) => {
      throw failureOfStart(error);
    });
  }

  #tryProgram(): Promise<void> {
    const { command, env, environment } = this.#options;
    return tryProgram(command[0], env["PATH"] ?? environment["PATH"]);
  }

  /**
   * Kills what still runs, grace or no grace, before it returns: every group, and those that left theirs (setsid), who
   * are found by the job's outcome file in their environment.
   */
  async close(): Promise<void> {
    const marks = [...this.#outcomePaths].map((path) => `${outcomeVariable}=${path}`);
    this.#killing.abort();
    try {
      if (marks.length > 0) killLeftovers(...marks);
    } finally {
      await this.#calls.close();
    }
  }

  async #run(call: HandlerCall, signal: AbortSignal): Promise<unknown> {
    const { account } = this.#options;
    if (call.job.inputs.length > 0) {
      // Found out before the download, which others need not wait for then.
      await this.#tryProgram().catch((error: unknown) => {
        throw notStarted(call, error);
      });
      call.start?.aside();
    }
    const folder = await prepareFolder(call, account);
    if (call.job.inputs.length > 0) await call.start?.turn(signal);
    signal.throwIfAborted();
    const work: Work = { call, signal, folder, outcomePath: join(folder, newOutcomeName()) };
    const output = new JobOutput({ masker: this.#options.masker, log: call.log });
    const end = await this.#execute(work, output);
    output.end();
    if (account) await takeBack(folder);
    if (end.isAborted) return await lastWord(work);
    const verdict = await this.#verdict(work, end, output.tail());
    await collectOutputs(call, folder, verdict);
    return verdict;
  }

  async #execute(work: Work, output: JobOutput): Promise<GroupEnd> {
    const { call, signal, folder, outcomePath } = work;
    const [program, ...args] = this.#options.command;
    this.#outcomePaths.add(outcomePath);
    try {
      const end = await runGroup({
        program,
        args,
        cwd: folder,
        env: this.#environmentOf(work),
        input: `${JSON.stringify(jobDocument(call))}\n`,
        onStart: () => call.start?.begun(),
        onOutput: (stream, chunk) => output.write(stream, chunk),
        ...(this.#options.account ? { account: this.#options.account } : {}),
        signal,
        graceMs: this.#options.cancelGraceMs,
        killSignal: this.#killing.signal,
        clock: this.#options.clock,
      });
      const fled = await this.#options.leftovers.kill(outcomePath);
      if (end.hadLeftovers && !end.isAborted) {
        call.log.warn("handler-processes-killed", {}, "the handler exited before its processes; killed them");
      }
      if (fled > 0) {
        const message = "processes of the handler had left its process group (setsid); killed them";
        call.log.warn("handler-processes-killed", { count: fled }, message);
      }
      return end;
    } catch (error) {
      // The folder was removed: the program is not missing.
      if (!(await isFolder(folder))) throw new JobFailure("SystemUnavailable", "the job's folder was removed");
      throw notStarted(call, error);
    } finally {
      this.#outcomePaths.delete(outcomePath);
    }
  }

  /** The document wins over the exit code, unless it cannot be read and the exit code says that it failed anyway. */
  async #verdict({ call, outcomePath }: Work, end: GroupEnd, tail: string): Promise<unknown> {
    const found = await readOutcomeFile(outcomePath);
    if (found.kind === "document") return found.value;
    const failure = failureOfExit(end, tail);
    if (found.kind === "unreadable") {
      const message = `the outcome document that the handler wrote ${found.why}`;
      if (!failure) throw new JobFailure("JobFailed", message);
      call.log.warn("outcome-file-ignored", {}, `${message}; its exit decides`);
    }
    if (failure) throw failure;
    return { kind: "succeeded" };
  }

  #environmentOf({ call, folder, outcomePath }: Work): Record<string, string> {
    const { environment, env, account } = this.#options;
    const inherited = inheritedNames.map((name) => [name, environment[name]] as const);
    // The daemon's home is none of another user's.
    const home = account ? [["HOME", account.home ?? folder] as const] : [];
    const { key, continuationToken } = call.job;
    const own: readonly (readonly [CommandVariable | "TRACEPARENT" | "TRACESTATE", string | undefined])[] = [
      ["PARTNERD_JOB_ID", key.jobId],
      ["PARTNERD_REGION", key.region],
      ["PARTNERD_ACCOUNT", key.account],
      ["PARTNERD_CONTINUATION_TOKEN", continuationToken],
      ["PARTNERD_DEADLINE", new Date(call.deadline.wallMs()).toISOString()],
      [outcomeVariable, outcomePath],
      ["PARTNERD_INPUTS", join(folder, inputsFolder)],
      ["PARTNERD_OUTPUTS", join(folder, outputsFolder)],
      ["TRACEPARENT", call.trace?.traceparent],
      ["TRACESTATE", call.trace?.tracestate],
    ];
    const all: Record<string, string> = {};
    for (const [name, value] of [...inherited, ...home, ...Object.entries(env), ...own]) {
      // A NUL cannot be in a variable; an id or token that holds one is whole in the document on stdin.
      if (value !== undefined && !value.includes("\0")) all[name] = value;
    }
    return all;
  }
}

/** The failure of a job whose command could not be started; its log says why. */
function notStarted(call: HandlerCall, error: unknown): JobFailure {
  const failure = failureOfStart(error);
  // A shortage of the machine has its own line, and the job may wait until it ends.
  const isShort = failure instanceof WorkerFault && failure.where === "machine";
  call.log.at(
    isShort ? "debug" : "error",
    "handler-not-started",
    {},
    `the handler could not be started: ${messageOf(error)}`,
  );
  return failure;
}

/** What a command that was asked to stop wrote before it did, such as `continued`; else the reason to stop. */
async function lastWord({ call, signal, folder, outcomePath }: Work): Promise<unknown> {
  const found = await readOutcomeFile(outcomePath);
  if (found.kind === "document" && (await standsWithoutUploads(call, folder, found.value))) return found.value;
  throw signal.reason;
}
