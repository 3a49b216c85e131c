// Starts a run at a remote service and follows it by continuations: a job ends within about a minute, however long the
// run takes, and any worker can continue. RUNS_URL says where the service is, RUNS_TOKEN proves to it who asks.
import { setTimeout as sleep } from "node:timers/promises";
import type { Continued, Failed, Handler, HandlerJob, Outcome } from "partnerd";

const { RUNS_URL = "http://127.0.0.1:9100", RUNS_TOKEN, RUNS_LOOK_MS = "5000", RUNS_FOLLOW_MS = "50000" } = process.env;
const [lookMs, followMs] = [Number(RUNS_LOOK_MS), Number(RUNS_FOLLOW_MS)];
if (!(lookMs >= 1 && followMs >= 0)) throw new Error("RUNS_LOOK_MS and RUNS_FOLLOW_MS must be milliseconds");
const startAttempts = 4;

export const handler: Handler = (job) =>
  job.continuationToken === undefined ? start(job) : follow(job, job.continuationToken);

/** Starts the run and ends the job at once, so that the console shows the run's id from its beginning. */
async function start(job: HandlerJob): Promise<Outcome> {
  const { Suite } = job.configuration;
  if (!Suite) return { kind: "failed", type: "ConfigurationError", message: "Suite is missing: which tests to run" };
  // After a lost answer or a crash the run is started again: by the key, its service knows that it has it already.
  const key = job.pipeline.actionExecutionId ?? job.jobId;
  for (let attempt = 1; ; attempt++) {
    const answer = await ask(job, "POST", "/runs", { key, body: JSON.stringify({ suite: Suite }) });
    if (answer.run) return stillRunning(answer.run);
    if (answer.isRefusal) return { kind: "failed", type: "ConfigurationError", message: answer.why };
    if (attempt === startAttempts) return { kind: "failed", type: "SystemUnavailable", message: answer.why };
    await sleep(250 * 2 ** attempt, undefined, { signal: job.signal });
  }
}

/** Looks at the run until it has ended, the job has taken long enough, or the daemon begins to drain. */
async function follow(job: HandlerJob, id: string): Promise<Outcome> {
  const untilMs = performance.now() + followMs;
  for (;;) {
    const answer = await ask(job, "GET", `/runs/${encodeURIComponent(id)}`);
    if (answer.isRefusal) return runFailed(id, answer.why);
    // The run may be fine although its service is down for a while.
    const run: Run = answer.run ?? { id, state: "running", message: answer.why };
    if (run.state === "succeeded") return { kind: "succeeded", summary: `run ${id} passed`, externalExecutionId: id };
    if (run.state === "failed") return runFailed(id, run.message ?? "it failed without a reason");
    if (job.draining.aborted || performance.now() + lookMs > untilMs) return stillRunning(run);
    // A drain ends the wait, and the run is looked at once more; the end of the job's time throws.
    await sleep(lookMs, undefined, { signal: AbortSignal.any([job.signal, job.draining]) }).catch(() => {});
    job.signal.throwIfAborted();
  }
}

/** Ends this job, not the action. The token is all that the next job gets: the run's id, and never a secret. */
function stillRunning({ id, percent, message = "running" }: Run): Continued {
  return {
    kind: "continued",
    continuationToken: id,
    externalExecutionId: id,
    summary: `run ${id}: ${message}`,
    ...(percent === undefined ? {} : { percentComplete: percent }),
  };
}

function runFailed(id: string, why: string): Failed {
  return { kind: "failed", type: "JobFailed", message: `run ${id}: ${why}`, externalExecutionId: id };
}

/** What the service says of a run. */
interface Run {
  readonly id: string;
  readonly state: "running" | "succeeded" | "failed";
  /** Whole, 0 to 100. */
  readonly percent?: number;
  readonly message?: string;
}

interface Answer {
  readonly run?: Run;
  /** For the customer: why there is no run. */
  readonly why: string;
  /** Asked again, the service would say the same. */
  readonly isRefusal: boolean;
}

const refusals = new Set([400, 404, 410, 422]);

/** Asks the service once. Throws only when the job is to stop. */
async function ask(
  job: HandlerJob,
  method: string,
  path: string,
  sent?: { readonly key: string; readonly body: string },
): Promise<Answer> {
  const headers = {
    ...(RUNS_TOKEN ? { authorization: `Bearer ${RUNS_TOKEN}` } : {}),
    ...(sent ? { "idempotency-key": sent.key, "content-type": "application/json" } : {}),
  };
  try {
    const signal = AbortSignal.any([job.signal, AbortSignal.timeout(5_000)]);
    const init = { method, headers, body: sent?.body ?? null, signal, redirect: "error" } as const;
    const response = await fetch(`${RUNS_URL}${path}`, init);
    if (response.ok) return { run: runIn(await response.json()), why: "", isRefusal: false };
    await response.body?.cancel();
    return { why: `the service answered ${response.status}`, isRefusal: refusals.has(response.status) };
  } catch (error) {
    job.signal.throwIfAborted();
    // The customer reads `why`; addresses and their errors are for the log.
    job.log.warn("the run's service gave no answer", { error: String((error as Error).cause ?? error) });
    return { why: "the service gave no answer", isRefusal: false };
  }
}

function runIn(answer: unknown): Run {
  const run = answer as Run | undefined;
  if (typeof run?.id === "string" && ["running", "succeeded", "failed"].includes(run.state)) return run;
  throw new Error("what it answered describes no run");
}
