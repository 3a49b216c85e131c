// CodePipeline's job rules in process and in virtual time, for matrices that last for hours: offers, nonces,
// redelivery, one result for each job, and outages as the gateway sees them. Keeps every call with its time.

import { GatewayError, type JobGateway, type PollAnswer } from "../../src/codepipeline/gateway.js";
import { faultFrom } from "../../src/codepipeline/gateway-faults.js";
import { CallAborted, CallFailed } from "../../src/codepipeline/transport.js";
import type { ActionType, ClientId, JobId, JobKey, Nonce, OfferedJob, PolledJob, Region } from "../../src/job/job.js";
import { actionTypeName } from "../../src/job/job.js";
import type { Outcome } from "../../src/job/outcome.js";
import type { Clock } from "../../src/std/clock.js";

export const outageKinds = [
  "refused",
  "black hole",
  "reset mid-body",
  "500",
  "503",
  "throttled",
  "30 s slow",
  "HTML with 200",
  "clock one hour off",
  "expired credentials",
  "token source down",
] as const;
export type OutageKind = (typeof outageKinds)[number];

type Operation = "poll" | "details" | "acknowledge" | "put";

export interface Call {
  readonly operation: Operation;
  readonly actionType: string;
  readonly jobId: JobId | undefined;
  readonly atMs: number;
  /** What a poll asked for. */
  readonly limit: number | undefined;
  /** Offered to us and not over, when the call came. */
  readonly held: number;
  readonly answer: "answered" | "failed" | "under way";
}

type Writable = { -readonly [Name in keyof Call]: Call[Name] };

/** What may be told of a job besides its name. */
export interface JobMore {
  readonly client?: string;
  readonly configuration?: Readonly<Record<string, string>>;
}

interface Served {
  readonly key: JobKey;
  /** The name of its action type. */
  readonly type: string;
  readonly configuration: Readonly<Record<string, string>>;
  readonly addedAtMs: number;
  nonce: number;
  state: "queued" | "dispatched" | "in-progress" | "over";
  offerAgainAtMs: number;
  readonly results: Outcome[];
}

/** A poll's offer that nobody acknowledges is made again after this long. */
const redeliveryMs = 60_000;
/** aws.socketTimeout by default: how long the client waits for a silent service. */
export const clientTimeoutMs = 10_000;

/** One Region's service; it serves both flavours by the same rules. */
export class VirtualService implements JobGateway {
  readonly #clock: Clock;
  readonly #jobs = new Map<string, Served>();
  readonly #calls: Writable[] = [];
  outage: OutageKind | undefined;
  /** The other reading of the API: a job that nobody acknowledged is offered by every poll. */
  offersAtOnce = false;
  /** A job that is to be offered again is in the queue until a poll gets it: till then nobody's acknowledge counts. */
  queuesAgain = false;
  /** Of each call, in ms. */
  latencyMs = 0;
  /** Calls a second that are let through, in a bucket of one second; the rest is throttled. */
  callsPerSecond = Number.POSITIVE_INFINITY;
  #tokens = 0;
  #tokensAtMs = 0;
  /** Told of each call before it is served. */
  onCall: (call: Call) => void = () => {};

  constructor(options: { readonly clock: Clock }) {
    this.#clock = options.clock;
  }

  get calls(): readonly Call[] {
    return this.#calls;
  }

  get jobs(): readonly Served[] {
    return [...this.#jobs.values()];
  }

  get isAllOver(): boolean {
    return this.#count("over") === this.#jobs.size;
  }

  /** How many jobs are in progress. */
  get working(): number {
    return this.#count("in-progress");
  }

  /** Asked at every call, of thousands of jobs. */
  #count(state: Served["state"]): number {
    let count = 0;
    for (const job of this.#jobs.values()) if (job.state === state) count++;
    return count;
  }

  addJob(actionType: ActionType, name: string, { client, configuration = {} }: JobMore = {}): JobId {
    const jobId = name as JobId;
    const whose = client === undefined ? {} : { clientId: client as ClientId };
    const key: JobKey = { region: "us-east-1" as Region, actionType, jobId, ...whose };
    const addedAtMs = this.#clock.monotonic();
    this.#jobs.set(name, {
      key,
      type: actionTypeName(actionType),
      configuration,
      addedAtMs,
      nonce: 0,
      state: "queued",
      offerAgainAtMs: addedAtMs,
      results: [],
    });
    return jobId;
  }

  poll(actionType: ActionType, limit: number, signal: AbortSignal): Promise<PollAnswer> {
    return this.#serve({ operation: "poll", actionType, limit }, signal, () => {
      const nowMs = this.#clock.monotonic();
      const type = actionTypeName(actionType);
      const free: Served[] = [];
      for (const job of this.#jobs.values()) {
        const isFree =
          job.state === "queued" || (job.state === "dispatched" && (this.offersAtOnce || job.offerAgainAtMs <= nowMs));
        if (isFree && job.type === type) free.push(job);
      }
      // In the order in which they came to be offered.
      free.sort((one, other) => one.offerAgainAtMs - other.offerAgainAtMs);
      const jobs = free.slice(0, limit).map((job): PolledJob => {
        if (job.state === "queued" || !this.offersAtOnce) job.nonce += 1;
        job.state = "dispatched";
        if (!this.offersAtOnce) job.offerAgainAtMs = nowMs + redeliveryMs;
        return { key: job.key };
      });
      return { jobs, unreadable: [] };
    });
  }

  details(polled: PolledJob, signal: AbortSignal): Promise<OfferedJob> {
    return this.#details(polled.key, signal);
  }

  detailsAgain(key: JobKey, signal: AbortSignal): Promise<OfferedJob> {
    return this.#details(key, signal);
  }

  acknowledge(key: JobKey, nonce: Nonce, signal: AbortSignal): Promise<string> {
    return this.#serve({ operation: "acknowledge", actionType: key.actionType, key }, signal, () => {
      const job = this.#job(key, "acknowledge");
      // The harder reading of the API: a nonce is used up by the first acknowledgement that arrives.
      const isQueued = this.queuesAgain && !this.offersAtOnce && job.offerAgainAtMs <= this.#clock.monotonic();
      if (isQueued || job.state !== "dispatched" || nonce !== String(job.nonce))
        throw refusal("not-ours", "acknowledge", key);
      job.state = "in-progress";
      return "InProgress";
    });
  }

  put(key: JobKey, outcome: Outcome, signal: AbortSignal): Promise<void> {
    return this.#serve({ operation: "put", actionType: key.actionType, key }, signal, () => {
      const job = this.#job(key, "put");
      if (job.state !== "in-progress") throw refusal("over", "put", key);
      job.state = "over";
      job.results.push(outcome);
    });
  }

  async #details(key: JobKey, signal: AbortSignal): Promise<OfferedJob> {
    return this.#serve({ operation: "details", actionType: key.actionType, key }, signal, () => {
      const job = this.#job(key, "details");
      return {
        key,
        nonce: String(job.nonce) as Nonce,
        configuration: job.configuration,
        pipeline: {},
        inputs: [],
        outputs: [],
      };
    });
  }

  #job(key: JobKey, operation: Operation): Served {
    const job = this.#jobs.get(key.jobId);
    if (!job) throw refusal("gone", operation, key);
    return job;
  }

  async #serve<T>(
    asked: { operation: Operation; actionType: ActionType; key?: JobKey; limit?: number },
    signal: AbortSignal,
    deed: () => T,
  ): Promise<T> {
    const { operation, actionType, key, limit } = asked;
    const held = this.#count("dispatched") + this.working;
    const atMs = this.#clock.monotonic();
    const call: Writable = {
      operation,
      actionType: actionTypeName(actionType),
      jobId: key?.jobId,
      atMs,
      limit,
      held,
      answer: "under way",
    };
    this.onCall(call);
    const tokenless = this.outage === "token source down" && operation !== "poll";
    // Without a token nothing is sent.
    if (!tokenless) this.#calls.push(call);
    try {
      if (this.latencyMs > 0) await this.#clock.sleep(this.latencyMs, signal);
      if (!this.#isLetThrough()) throw faultFrom(thrown("ThrottlingException", { status: 400 }), operation, key);
      const answer = await this.#struck(operation, key, signal, deed);
      call.answer = "answered";
      return answer;
    } catch (error) {
      call.answer = "failed";
      throw error;
    }
  }

  #isLetThrough(): boolean {
    if (this.callsPerSecond === Number.POSITIVE_INFINITY) return true;
    const nowMs = this.#clock.monotonic();
    const earned = ((nowMs - this.#tokensAtMs) / 1_000) * this.callsPerSecond;
    this.#tokens = Math.min(this.callsPerSecond, this.#tokens + earned);
    this.#tokensAtMs = nowMs;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }

  /** The call as the outage lets it be: whether the deed is done, and what the client sees of it. */
  async #struck<T>(operation: Operation, key: JobKey | undefined, signal: AbortSignal, deed: () => T): Promise<T> {
    const fail = (error: unknown) => faultFrom(error, operation, key);
    switch (this.outage) {
      case undefined:
        return deed();
      case "refused":
        throw fail(thrown("Error", { code: "ECONNREFUSED" }));
      case "black hole":
        await this.#clock.sleep(clientTimeoutMs, signal);
        throw fail(thrown(signal.aborted ? "AbortError" : "TimeoutError"));
      case "30 s slow":
        // Whoever asked is gone when the answer comes; what was asked for has happened.
        attempt(deed);
        await this.#clock.sleep(clientTimeoutMs, signal);
        throw fail(thrown(signal.aborted ? "AbortError" : "TimeoutError"));
      case "reset mid-body":
        attempt(deed);
        throw fail(thrown("Error", { code: "ECONNRESET" }));
      case "500":
        throw fail(thrown("InternalFailure", { status: 500 }));
      case "503":
        throw fail(thrown("ServiceUnavailable", { status: 503 }));
      case "throttled":
        throw fail(thrown("ThrottlingException", { status: 400 }));
      case "HTML with 200":
        throw fail(new SyntaxError("Unexpected token '<'"));
      case "clock one hour off":
        throw fail(thrown("InvalidSignatureException", { status: 403 }));
      case "expired credentials":
        throw fail(thrown("ExpiredTokenException", { status: 400 }));
      case "token source down":
        if (operation === "poll") return deed();
        throw refusal("token-unavailable", operation, key);
    }
  }
}

/** The deed without its answer: a refusal is lost like any other. */
function attempt(deed: () => unknown): void {
  try {
    deed();
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
  }
}

function refusal(kind: GatewayError["kind"], operation: Operation, key: JobKey | undefined): GatewayError {
  return new GatewayError({ kind, operation, code: kind, message: `${operation} for job ${key?.jobId}: ${kind}` });
}

function thrown(name: string, members: { readonly code?: string; readonly status?: number } = {}): Error {
  const error = Object.assign(new Error(`${name} ${members.code ?? ""}`), { name, ...members });
  if (name === "AbortError") return new CallFailed(new CallAborted(), { at: "sent" });
  const { status } = members;
  return new CallFailed(error, status === undefined ? { at: "sent" } : { at: "answered", status, requestId: "r-1" });
}
