// The job rules: which call is allowed in which status, nonces, redelivery, continuation, timeout.
// All changes of a job's status happen here. Knows no HTTP, no client tokens and no action type definitions.
import { randomUUID } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import type { Clock } from "../std/clock.js";
import type { Caller, EmulatedJob, JobSeed, JobStatus, ResultEntry, WireStatus } from "./emulated-job.js";
import { hasEnded, typeKey } from "./emulated-job.js";
import type { Events, Violation } from "./emulator-events.js";
import type { Settings } from "./emulator-settings.js";
import type { JobStore } from "./job-store.js";
import type { Violations } from "./violations.js";
import { ApiError } from "./wire.js";

/** Entries kept of each list of a job's history; the counts go on. */
const historyMax = 50;

/** A result as a worker put it. */
export interface Result {
  readonly kind: "success" | "failure";
  readonly continuationToken?: string;
  readonly document: Readonly<Record<string, unknown>>;
}

/** Makes jobs and moves them through their life as CodePipeline would. */
export class Jobs {
  readonly #clock: Clock;
  readonly #events: Events;
  readonly #store: JobStore;
  readonly #violations: Violations;
  readonly #settings: () => Settings;
  #nextNonce = 1;

  constructor(options: {
    readonly clock: Clock;
    readonly events: Events;
    readonly store: JobStore;
    readonly violations: Violations;
    readonly settings: () => Settings;
  }) {
    this.#clock = options.clock;
    this.#events = options.events;
    this.#store = options.store;
    this.#violations = options.violations;
    this.#settings = options.settings;
  }

  add(seed: JobSeed): EmulatedJob {
    const job: EmulatedJob = {
      seed,
      status: "Created",
      nonce: undefined,
      createdAtMs: this.#clock.now(),
      queuedAtMs: undefined,
      acknowledgedAtMs: undefined,
      endedAtMs: undefined,
      continuedBy: undefined,
      retriedBy: undefined,
      accepted: undefined,
      offers: [],
      details: [],
      acknowledges: [],
      results: [],
      counts: { offers: 0, details: 0, acknowledges: 0, results: 0 },
      cancelWait: () => {},
      cancelTimeout: () => {},
    };
    this.#store.add(job);
    this.#announce(job, undefined);
    if (seed.delayMs > 0) job.cancelWait = this.#clock.after(seed.delayMs, () => this.#enqueue(job));
    else this.#enqueue(job);
    return job;
  }

  /** Hands out waiting jobs; each must be acknowledged before `redeliveryMs` are over, or it is offered again. */
  poll(queue: Parameters<JobStore["waiting"]>[0], asked: number | undefined, caller: Caller): readonly EmulatedJob[] {
    const { maxBatchSizeCap, defaultBatchSize, redeliveryMs } = this.#settings();
    if (asked !== undefined && asked > maxBatchSizeCap) {
      const message = `a poll asked for ${asked} jobs; the cap is ${maxBatchSizeCap}`;
      this.#violated("batch-over-cap", { message, region: queue.region, caller });
    }
    const jobs = this.#store.waiting(queue, Math.min(asked ?? defaultBatchSize, maxBatchSizeCap));
    for (const job of jobs) {
      job.nonce ??= this.#newNonce();
      job.counts.offers++;
      remember(job.offers, caller);
      this.#move(job, "Dispatched");
      job.cancelWait = this.#clock.after(redeliveryMs, () => this.#offerAgain(job));
    }
    return jobs;
  }

  /** Notes that the details were asked for. Throws ApiError for a job that is over, if so set. */
  details(job: EmulatedJob, caller: Caller): void {
    job.counts.details++;
    remember(job.details, caller);
    if (job.counts.offers === 0) {
      this.#violated("details-never-offered", { job, caller, message: "details asked for a job never offered" });
    }
    const { detailsAfterEnd, freshNonceAtDetails } = this.#settings();
    if (hasEnded(job.status) && detailsAfterEnd !== "answered") throw gone(job, detailsAfterEnd);
    if (freshNonceAtDetails && job.status === "Dispatched") job.nonce = this.#newNonce();
  }

  /** The status after the acknowledge; only `InProgress` means: work it. Throws InvalidNonceException. */
  acknowledge(job: EmulatedJob, nonce: string, caller: Caller): WireStatus {
    this.#judgeAcknowledge(job, caller);
    if (job.status === "Abandoned" && nonce === job.nonce) return this.#acknowledgeAbandoned(job, caller);
    const isRepeat = job.status === "InProgress";
    const isRight = job.nonce !== undefined && nonce === job.nonce;
    const isRefused = !isRight || (isRepeat && this.#settings().repeatedAcknowledge === "InvalidNonceException");
    if (!isRefused && job.status === "Dispatched") {
      job.cancelWait();
      job.acknowledgedAtMs = this.#clock.now();
      this.#move(job, "InProgress");
    }
    const entry = { ...caller, answer: isRefused ? "InvalidNonceException" : job.status };
    job.counts.acknowledges++;
    remember(job.acknowledges, entry, !isRefused && !isRepeat);
    if (isRefused || job.status === "Abandoned") throw wrongNonce(job);
    return job.status;
  }

  #acknowledgeAbandoned(job: EmulatedJob, caller: Caller): "Failed" {
    const answer = this.#settings().acknowledgeAfterAbandon;
    job.counts.acknowledges++;
    remember(job.acknowledges, { ...caller, answer });
    if (answer === "InvalidNonceException") throw wrongNonce(job);
    if (answer === "JobNotFoundException") throw gone(job, answer);
    return answer;
  }

  /** Takes the job's result. Throws InvalidJobStateException, or what `putAfterEnd` says. */
  put(job: EmulatedJob, result: Result, caller: Caller): void {
    const refusal = this.#refusalOf(job);
    const { kind, document } = result;
    const entry: ResultEntry = { ...caller, kind, document, answer: refusal?.code ?? "accepted" };
    job.counts.results++;
    remember(job.results, entry, refusal === undefined);
    if (refusal) {
      this.#judgeRefusedPut(job, entry);
      throw refusal;
    }
    // The action is over: whatever the answer, nothing comes of it.
    if (job.status === "Abandoned") return;
    job.accepted = entry;
    // The next job first: whoever waits until every job is over must not see a moment between the two.
    if (result.continuationToken !== undefined) this.#continue(job, result.continuationToken);
    this.#end(job, kind === "success" ? "Succeeded" : "Failed");
  }

  /** Its action is abandoned: nothing is offered any more, and no worker is told. False for a job that is over. */
  abandon(job: EmulatedJob): boolean {
    if (hasEnded(job.status)) return false;
    this.#end(job, "Abandoned");
    return true;
  }

  /** Begins the action of a job that failed anew, in the same execution: another job, without a token. */
  retry(job: EmulatedJob): EmulatedJob {
    const { continuationToken: _token, continues: _continues, ...seed } = job.seed;
    const id = randomUUID();
    job.retriedBy = id;
    return this.add({ ...seed, id, delayMs: 0, pipeline: { ...seed.pipeline, actionExecutionId: randomUUID() } });
  }

  /** Ends every wait: nothing is offered again and nothing times out. */
  stop(): void {
    for (const job of this.#store.all()) {
      job.cancelWait();
      job.cancelTimeout();
    }
  }

  #enqueue(job: EmulatedJob): void {
    job.queuedAtMs = this.#clock.now();
    job.cancelTimeout = this.#clock.after(job.seed.jobTimeoutMs, () => this.#end(job, "TimedOut"));
    this.#move(job, "Queued");
  }

  #offerAgain(job: EmulatedJob): void {
    // A worker that is late with its acknowledge hears InvalidNonceException, or the status Queued.
    if (this.#settings().freshNonceAtRedelivery) job.nonce = this.#newNonce();
    this.#move(job, "Queued");
  }

  #continue(job: EmulatedJob, continuationToken: string): void {
    const { continuationDelayMs } = this.#settings();
    const id = randomUUID();
    job.continuedBy = id;
    this.add({ ...job.seed, id, continuationToken, continues: job.seed.id, delayMs: continuationDelayMs });
  }

  #end(job: EmulatedJob, status: "Succeeded" | "Failed" | "TimedOut" | "Abandoned"): void {
    job.cancelWait();
    job.cancelTimeout();
    job.endedAtMs = this.#clock.now();
    this.#move(job, status);
  }

  #move(job: EmulatedJob, to: JobStatus): void {
    const from = job.status;
    this.#store.move(job, to, this.#settings().keepEnded);
    this.#announce(job, from);
  }

  #announce(job: EmulatedJob, from: JobStatus | undefined): void {
    this.#events.emit({
      type: "job-changed",
      atMs: this.#clock.now(),
      jobId: job.seed.id,
      region: job.seed.region,
      actionType: typeKey(job.seed.actionType),
      ...(from !== undefined && { from }),
      to: job.status,
    });
  }

  #refusalOf(job: EmulatedJob): ApiError | undefined {
    if (job.status === "InProgress") return undefined;
    if (job.status === "Abandoned") return this.#abandonedRefusal(job);
    if (hasEnded(job.status) && this.#settings().putAfterEnd === "JobNotFoundException") {
      return gone(job, "JobNotFoundException");
    }
    return new ApiError("InvalidJobStateException", `Job ${job.seed.id} is in state ${job.status}, not InProgress`);
  }

  #abandonedRefusal(job: EmulatedJob): ApiError | undefined {
    const { putAfterAbandon } = this.#settings();
    if (putAfterAbandon === "accepted") return undefined;
    if (putAfterAbandon === "JobNotFoundException") return gone(job, putAfterAbandon);
    return new ApiError(putAfterAbandon, `The action of job ${job.seed.id} was abandoned`);
  }

  #judgeAcknowledge(job: EmulatedJob, caller: Caller): void {
    if (job.counts.offers === 0) {
      this.#violated("acknowledge-never-offered", { job, caller, message: "acknowledge of a job never offered" });
    } else if (job.seed.flavour === "ThirdParty" && job.counts.details === 0) {
      this.#violated("acknowledge-without-details", { job, caller, message: "acknowledge without details" });
    }
  }

  #judgeRefusedPut(job: EmulatedJob, entry: ResultEntry): void {
    const { accepted } = job;
    if (job.acknowledgedAtMs === undefined) {
      const message = `a ${entry.kind} result for a job that nobody acknowledged`;
      this.#violated("result-without-acknowledge", { job, caller: entry, message });
    } else if (accepted && (accepted.kind !== entry.kind || !isDeepStrictEqual(accepted.document, entry.document))) {
      const message = `a ${entry.kind} result that differs from the accepted ${accepted.kind}`;
      this.#violated("contradictory-result", { job, caller: entry, message });
    }
  }

  #violated(
    kind: Violation["kind"],
    at: { readonly message: string; readonly caller: Caller; readonly job?: EmulatedJob; readonly region?: string },
  ): void {
    this.#violations.record({
      kind,
      atMs: at.caller.atMs,
      region: at.job?.seed.region ?? at.region ?? "",
      operation: at.caller.operation,
      callId: at.caller.callId,
      ...(at.job && { jobId: at.job.seed.id }),
      message: at.message,
    });
  }

  /** Nonces differ between all jobs of one emulator, so that one used for another job is always refused. */
  #newNonce(): string {
    return String(this.#nextNonce++);
  }
}

function wrongNonce(job: EmulatedJob): ApiError {
  return new ApiError("InvalidNonceException", `The nonce for job ${job.seed.id} is not valid`);
}

function gone(job: EmulatedJob, code: "JobNotFoundException" | "InvalidJobException"): ApiError {
  const isKnownCode = code === "JobNotFoundException" || job.seed.flavour === "ThirdParty";
  return new ApiError(isKnownCode ? code : "JobNotFoundException", `Job ${job.seed.id} can not be found`);
}

/** Keeps the first entries; one that changed the job is kept even then, in place of the last. */
function remember<Entry>(list: Entry[], entry: Entry, isDecisive = false): void {
  if (list.length < historyMax) list.push(entry);
  else if (isDecisive) list[historyMax - 1] = entry;
}
