// Runs one job's handler under its deadline and its abort signal and says what came of it. The first cause wins:
// gave an outcome, threw, timed out, was stopped, was dropped. Whatever the handler does, this ends.

import type { Workspace } from "../artifacts/artifacts.js";
import type { HandlerCall, JobHandler } from "../handlers/handler.js";
import { limitInWords, stoppedText, timedOutText } from "../job/end-texts.js";
import { failureFrom } from "../job/failure.js";
import type { Job } from "../job/job.js";
import { failed, type Outcome, outcomeFrom } from "../job/outcome.js";
import { plainText } from "../job/plain-text.js";
import { machineFault, shortageWait, WorkerFault } from "../job/worker-fault.js";
import type { Deadline } from "../std/deadline.js";
import { valueWithin } from "../std/ends-within.js";
import { follow } from "../std/following.js";
import { textLog } from "../std/log.js";
import { restToTryAgain } from "../std/try-again.js";
import type { EngineContext } from "./context.js";
import type { EndCause } from "./events.js";
import type { HandlerEnd } from "./handler-breaker.js";
import type { JobInFlight } from "./in-flight.js";
import { openWorkspace } from "./job-workspace.js";

/** `left`: stopped while a service still works on it; the next process waits for the callback. */
export type Ending =
  | { readonly kind: "ended"; readonly outcome: Outcome; readonly cause: EndCause }
  | { readonly kind: "unfinished" }
  /** The flight's `loss` says why. */
  | { readonly kind: "given-up" };

/** An aborted handler gets this much longer than its grace, then it is abandoned. */
const abandonMarginMs = 2_000;

type Run = { readonly kind: "gave"; readonly value: unknown } | { readonly kind: "threw"; readonly error: unknown };
type Stop = "timed-out" | "stopped" | "operator" | "given-up";

/** Runs the handler to its end. Never rejects. */
export async function handle(
  context: EngineContext,
  flight: JobInFlight,
  job: Job,
  handler: JobHandler,
  deadline: Deadline,
): Promise<Ending> {
  const { clock } = context.deps;
  const abort = new AbortController();
  // The handler's end or what stops it: as a race of two promises it took half a kilobyte more of each job in flight.
  const first = Promise.withResolvers<Run | Stop>();
  let isStopped = false;
  const end = (cause: Stop, reason: string) => {
    if (isStopped) return;
    isStopped = true;
    first.resolve(cause);
    if (cause !== "given-up") flight.endCause = cause;
    abort.abort(new Error(reason));
  };
  const cancelDeadline = clock.after(deadline.leftMs(), () => {
    end("timed-out", `the job's time limit of ${limitInWords(flight.config.jobTimeoutMs)} has passed`);
  });
  const following = follow(context.scopes.work, { abort: () => end("stopped", "partnerd is stopping") });
  flight.whenOrdered(() => {
    if (flight.loss) end("given-up", flight.loss.message);
    else if (flight.failure !== undefined) end("operator", "an operator failed the job");
  });
  const workspace = openWorkspace(context, flight, job, abort.signal);
  try {
    const run = start(context, handler, new Call(context, flight, { job, workspace, deadline, abort }), flight);
    void run.then(first.resolve);
    const found = await first.promise;
    if (typeof found === "object") {
      flight.start?.ended(saysOfHandler(found, flight));
      return { kind: "ended", ...endOf(found, job, context) };
    }
    return await afterStop(context, flight, job, handler, run, found);
  } finally {
    cancelDeadline();
    following[Symbol.dispose]();
    flight.whenOrdered(undefined);
    // Nothing is uploaded after this. The outcome does not wait until the folder is gone; the store does.
    void workspace.dispose();
  }
}

async function afterStop(
  context: EngineContext,
  flight: JobInFlight,
  job: Job,
  handler: JobHandler,
  run: Promise<Run>,
  cause: Stop,
): Promise<Ending> {
  const { clock } = context.deps;
  const graceMs = context.limits.shutdown.cancelGraceMs + abandonMarginMs;
  const late = await valueWithin(run, undefined, { ms: graceMs, clock });
  if (late === undefined) {
    context.emit({ type: "handler-abandoned", key: flight.key, handler: handler.description });
  }
  if (cause === "given-up") return { kind: "given-up" };
  if (cause === "operator") return { kind: "ended", outcome: flight.failure ?? failed(""), cause };
  if (cause === "timed-out") {
    return { kind: "ended", outcome: failed(timedOutText(flight.config.jobTimeoutMs)), cause };
  }
  // An outcome that comes within the grace counts: `continued` saves the handler's work.
  if (late?.kind === "gave") return { kind: "ended", ...endOf(late, job, context) };
  if (flight.callback && context.deps.ledger.isDurable) return { kind: "unfinished" };
  return { kind: "ended", outcome: failed(stoppedText, { type: "SystemUnavailable" }), cause };
}

/** Never rejects. */
async function start(
  context: EngineContext,
  handler: JobHandler,
  call: HandlerCall,
  flight: JobInFlight,
): Promise<Run> {
  const { callback } = flight;
  const startedMs = context.deps.clock.monotonic();
  flight.start?.runs(handler, callback !== undefined);
  // Not `tryAgain`: this function waits as long as the handler runs, and a second one with its closures took 800 bytes
  // of each job in flight.
  for (;;) {
    try {
      const value = await (callback && handler.resume ? handler.resume(call, callback) : handler.run(call));
      // A success needs every upload, whether the handler awaited it or not.
      if (outcomeFrom(value, call.job.key.actionType.owner).kind !== "failed") await call.workspace.finish();
      return { kind: "gave", value };
    } catch (error) {
      if (!(await restInShortage(context, flight, call, startedMs, error)))
        return { kind: "threw", error: named(error) };
    }
  }
}

/** Rests where the handler could not begin for what the machine lacks; false when it is not to be tried again. */
function restInShortage(
  { admission, deps: { clock } }: EngineContext,
  flight: JobInFlight,
  { signal, deadline }: HandlerCall,
  startedMs: number,
  error: unknown,
): Promise<boolean> {
  const passes = () => {
    // What was begun is not begun again.
    if (flight.start?.hasBegun || !admission.machine.hasMet(error)) return false;
    return deadline.leftMs() > 2 * shortageWait.restMs;
  };
  return restToTryAgain({ clock, signal, ...shortageWait, passes }, startedMs, error);
}

/** What the machine lacks is never the customer's mistake, whoever met it: a module's code shares this process. */
function named(error: unknown): unknown {
  if (!(error instanceof Error && "syscall" in error)) return error;
  const fault = machineFault(error, "the handler failed");
  // What a module did may have been somewhere else.
  return fault ? new WorkerFault("machine", fault.message, { code: fault.code, cause: error, isHearsay: true }) : error;
}

/** What the end of a job says of its handler. */
function saysOfHandler(run: Run, { start }: JobInFlight): HandlerEnd {
  if (run.kind === "threw" && run.error instanceof WorkerFault) return run.error;
  // What failed before it could begin, such as a download, says nothing.
  return run.kind === "gave" || start?.hasBegun ? "sound" : "unknown";
}

interface OwnOfCall {
  readonly job: Job;
  readonly workspace: Workspace;
  readonly deadline: Deadline;
  readonly abort: AbortController;
}

/**
 * A class, since every job in flight holds one: as an object with a getter among spread members it took 700 bytes more.
 * Its log is made when a line is written: it takes 1,600 bytes, and hardly any job writes one.
 */
class Call implements HandlerCall {
  readonly job: Job;
  readonly workspace: Workspace;
  readonly deadline: Deadline;
  readonly draining: AbortSignal;
  readonly mayRerun: boolean;
  readonly start: HandlerCall["start"];
  readonly trace: HandlerCall["trace"];
  readonly #context: EngineContext;
  readonly #flight: JobInFlight;
  readonly #abort: AbortController;
  #log: HandlerCall["log"] | undefined;

  constructor(context: EngineContext, flight: JobInFlight, { job, workspace, deadline, abort }: OwnOfCall) {
    this.job = job;
    this.workspace = workspace;
    this.deadline = deadline;
    this.draining = context.scopes.poll;
    this.mayRerun = flight.config.afterCrash === "rerun";
    this.start = flight.start;
    this.trace = context.deps.traceOf?.(flight.key);
    this.#context = context;
    this.#flight = flight;
    this.#abort = abort;
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  abort(reason: unknown): void {
    this.#abort.abort(reason);
  }

  get log(): HandlerCall["log"] {
    this.#log ??= this.#context.deps.jobLog(this.#flight.key);
    return this.#log;
  }

  get jobLog(): HandlerCall["jobLog"] {
    return textLog(() => this.log);
  }

  get outcomeRecorded(): Promise<void> {
    return this.#flight.outcomeRecorded();
  }

  async awaitCallback({ tokenHash }: { readonly tokenHash: string }): Promise<void> {
    await this.#flight.note({ type: "callback-awaited", tokenHash, deadline: this.deadline });
    this.#flight.callback = { tokenHash };
    this.#context.emit({ type: "callback-awaited", key: this.#flight.key, untilMs: this.deadline.wallMs() });
  }
}

function endOf(run: Run, job: Job, context: EngineContext): { readonly outcome: Outcome; readonly cause: EndCause } {
  // Secrets are masked, and colours taken out, in the texts that people read; tokens and identifiers stay as they are.
  const mask = (text: string) => context.deps.mask(plainText(text));
  if (run.kind === "gave") {
    return { outcome: outcomeFrom(run.value, job.key.actionType.owner, mask), cause: "returned" };
  }
  return { outcome: { kind: "failed", ...failureFrom(run.error, mask) }, cause: "threw" };
}
