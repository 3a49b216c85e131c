// CodePipeline's job rules for the engine's model test: both flavours of the job API, every way in which the service may
// read its own rules, and one fault for each call that a run asks for. Time stands still unless the run moves it.
import { GatewayError, type GatewayFaultKind, type JobGateway } from "../../../../src/codepipeline/gateway.js";
import type {
  ActionOwner,
  ActionType,
  ClientId,
  JobId,
  JobKey,
  Nonce,
  OfferedJob,
  Region,
} from "../../../../src/job/job.js";
import type { Outcome } from "../../../../src/job/outcome.js";
import type { FakeClock } from "../../../support/fake-clock.js";

/** How the service reads what its documentation leaves open. */
export interface Reading {
  readonly freshNonceAtRedelivery: boolean;
  readonly freshNonceAtDetails: boolean;
  readonly repeatedAcknowledge: "InProgress" | "not-ours";
  readonly putAfterEnd: "over" | "gone";
  readonly detailsAfterEnd: "answered" | "gone";
  /** How long a question is on its way, and its answer. */
  readonly latencyMs: number;
}

export const operations = ["poll", "details", "acknowledge", "put"] as const;
export type Operation = (typeof operations)[number];

export const faults = [
  /** No answer; not done. */
  "lost",
  /** Done; no answer. */
  "done and lost",
  /** No answer; done a while later. */
  "late",
  /** Silent until the client's patience or the caller's signal ends it; not done, or done. */
  "silent",
  "done and silent",
  "throttled",
  "denied",
  "token-rejected",
  "token-unavailable",
  "misconfigured",
  /** The request itself is refused. */
  "rejected",
  /** The process dies before the call arrives, or before its answer does. */
  "crash",
  "done and crash",
] as const;
export type Fault = (typeof faults)[number];

/** Who calls: one process. */
export interface Caller {
  readonly isAlive: boolean;
  /** Why it may take no job now. */
  readonly isClosed: boolean;
  /** Other replicas poll, too. */
  readonly hasPeers: boolean;
  crash(): void;
}

/** A job as a run asks for it. */
export interface ServedJob {
  readonly owner: ActionOwner;
  /** How long its handler works. */
  readonly handlerMs: number;
  /** The work is a service's, which outlives the process. */
  readonly isCalledBack: boolean;
  /** The customer. */
  readonly client: string;
}

export interface Served {
  readonly key: JobKey;
  readonly handlerMs: number;
  readonly isCalledBack: boolean;
  readonly client: string;
  nonce: number;
  state: "queued" | "dispatched" | "in-progress" | "over";
  offerAgainAtMs: number;
  /** How often it went back to the queue. */
  offers: number;
  offeredTo: Caller | undefined;
  offeredAtMs: number;
  /** An acknowledgement of it may have been accepted, as far as anybody but the service knows. */
  mayBeOurs: boolean;
  /** A result of it was refused as invalid. */
  isRefused: boolean;
  readonly accepted: Outcome[];
}

export const redeliveryMs = 60_000;
const clientTimeoutMs = 10_000;
const lateMs = 20_000;

export class ModelService {
  readonly jobs = new Map<string, Served>();
  readonly violations: string[] = [];
  readonly #faults = new Map<Operation, Fault[]>(operations.map((operation) => [operation, []]));
  readonly #clock: FakeClock;
  readonly #reading: Reading;

  constructor(clock: FakeClock, reading: Reading) {
    this.#clock = clock;
    this.#reading = reading;
  }

  add({ owner, ...how }: ServedJob): void {
    const jobId = `${owner}-${this.jobs.size}` as JobId;
    const whose = owner === "ThirdParty" ? { clientId: how.client as ClientId } : {};
    const key: JobKey = { region: "us-east-1" as Region, actionType: actionTypes[owner], jobId, ...whose };
    const offers = { offers: 0, offerAgainAtMs: 0, offeredTo: undefined, offeredAtMs: 0 };
    const rest = { ...offers, mayBeOurs: false, isRefused: false, accepted: [] };
    this.jobs.set(jobId, { key, ...how, nonce: 1, state: "queued", ...rest });
  }

  /** The next calls of the operation meet this fault, one each. */
  fault(operation: Operation, fault: Fault, times: number): void {
    for (let time = 0; time < times; time++) this.#faults.get(operation)?.push(fault);
  }

  heal(): void {
    for (const queue of this.#faults.values()) queue.length = 0;
  }

  /** What nobody acknowledged is offered again, now. */
  offerAgain(): void {
    for (const job of this.jobs.values()) if (job.state === "dispatched") job.offerAgainAtMs = 0;
    this.#redeliver();
  }

  /** The customer stops the execution, or the action times out. */
  endAll(): void {
    for (const job of this.jobs.values()) job.state = "over";
  }

  gatewayFor(caller: Caller): JobGateway {
    const serve = <T>(operation: Operation, key: JobKey | undefined, signal: AbortSignal, deed: () => T) =>
      this.#serve(caller, operation, key, signal, deed);
    const details = (key: JobKey, signal: AbortSignal) => serve("details", key, signal, () => this.#details(key));
    return {
      poll: (actionType, limit, signal, query) =>
        serve("poll", undefined, signal, () => this.#poll(caller, actionType, limit, query?.["Project"])),
      details: async (polled, signal) => {
        if (polled.job) return polled.job;
        const { key, nonce } = polled;
        const job = await details(key, signal);
        // GetJobDetails knows none: that of the offer counts.
        return key.actionType.owner === "Custom" && nonce !== undefined ? { ...job, nonce } : job;
      },
      detailsAgain: async (key, signal) => {
        const { nonce, ...rest } = await details(key, signal);
        return key.actionType.owner === "Custom" ? rest : { ...rest, nonce };
      },
      acknowledge: async (key, nonce, signal) => {
        const job = this.#known(key);
        if (!job.mayBeOurs && caller.isClosed) this.violations.push(`${key.jobId} is asked for though nothing may be`);
        // Nobody but the service knows more unless a plain answer comes.
        const before = job.mayBeOurs;
        job.mayBeOurs = true;
        try {
          return await serve("acknowledge", key, signal, () => this.#acknowledge(job, nonce));
        } catch (error) {
          if (error instanceof GatewayError && !error.isAmbiguous) job.mayBeOurs = before;
          throw error;
        }
      },
      put: (key, outcome, signal) => serve("put", key, signal, () => this.#put(key, outcome)),
    };
  }

  #poll(caller: Caller, actionType: ActionType, limit: number, project: string | undefined) {
    this.#redeliver();
    const nowMs = this.#clock.monotonic();
    const waiting = [...this.jobs.values()].filter(
      ({ key, client, state, offeredTo, offeredAtMs }) =>
        state === "queued" &&
        (project === undefined || project === client) &&
        key.actionType.provider === actionType.provider &&
        // Each of several replicas is offered it in its turn, unless the others do not ask.
        (offeredTo !== caller || nowMs - offeredAtMs >= 2 * redeliveryMs || !caller.hasPeers),
    );
    const jobs = waiting.slice(0, limit).map((job) => {
      Object.assign(job, { state: "dispatched", offeredTo: caller, offeredAtMs: nowMs });
      job.offerAgainAtMs = nowMs + redeliveryMs;
      return { key: job.key, ...(actionType.owner === "Custom" ? { job: offered(job) } : {}) };
    });
    return { jobs, unreadable: [] };
  }

  #redeliver(): void {
    for (const job of this.jobs.values()) {
      if (job.state !== "dispatched" || job.offerAgainAtMs > this.#clock.monotonic()) continue;
      job.state = "queued";
      job.offers += 1;
      if (this.#reading.freshNonceAtRedelivery) job.nonce += 1;
    }
  }

  #details(key: JobKey): OfferedJob {
    this.#redeliver();
    const job = this.#known(key);
    if (job.state === "over" && this.#reading.detailsAfterEnd === "gone") throw refusal("gone", "details");
    const isFresh = this.#reading.freshNonceAtDetails && key.actionType.owner === "ThirdParty";
    if (isFresh && job.state === "dispatched") job.nonce += 1;
    return offered(job);
  }

  #acknowledge(job: Served, nonce: Nonce): string {
    this.#redeliver();
    const isRepeat = job.state === "in-progress";
    if (nonce !== String(job.nonce)) throw refusal("not-ours", "acknowledge");
    if (isRepeat && this.#reading.repeatedAcknowledge === "not-ours") throw refusal("not-ours", "acknowledge");
    if (job.state === "over") return "Failed";
    if (job.state === "queued") return "Queued";
    job.state = "in-progress";
    return "InProgress";
  }

  #put(key: JobKey, outcome: Outcome): void {
    const job = this.#known(key);
    if (job.state === "over") throw refusal(this.#reading.putAfterEnd, "put");
    if (job.state !== "in-progress") throw refusal("over", "put");
    job.state = "over";
    job.accepted.push(outcome);
  }

  #known(key: JobKey): Served {
    const job = this.jobs.get(key.jobId);
    if (!job) throw new Error(`the model knows no job ${key.jobId}`);
    return job;
  }

  /** Done now; the answer is on its way as long as the question was. */
  async #answered<T>(caller: Caller, deed: () => T): Promise<T> {
    const done = settled(deed);
    await this.#clock.sleep(this.#reading.latencyMs);
    if (!caller.isAlive) return never();
    return done();
  }

  async #serve<T>(
    caller: Caller,
    operation: Operation,
    key: JobKey | undefined,
    signal: AbortSignal,
    deed: () => T,
  ): Promise<T> {
    if (!caller.isAlive) return never();
    if (signal.aborted) throw refusal("aborted", operation);
    const fault = this.#faults.get(operation)?.shift();
    const { latencyMs } = this.#reading;
    await this.#clock.sleep(latencyMs);
    if (!caller.isAlive && fault !== undefined) return never();
    if (fault === undefined) return this.#answered(caller, deed);
    if (fault.startsWith("done and")) attempt(deed);
    switch (fault) {
      case "lost":
      case "done and lost":
        throw noAnswer(operation);
      case "late": {
        // No call is on its way for longer than a job waits for its acknowledgement.
        const job = key && this.#known(key);
        const offers = job?.offers;
        this.#clock.after(lateMs, () => {
          if (job?.offers === offers) attempt(deed);
        });
        throw noAnswer(operation);
      }
      case "silent":
      case "done and silent":
        await this.#clock.sleep(clientTimeoutMs, signal);
        if (!caller.isAlive) return never();
        throw signal.aborted ? refusal("aborted", operation, true) : noAnswer(operation);
      case "crash":
      case "done and crash":
        caller.crash();
        return never();
      case "rejected": {
        // Such a refusal is the service's clear word: it does not say so of a job that it holds for us.
        const job = key && this.#known(key);
        if (job && (operation === "put" ? job.isRefused : job.mayBeOurs)) return this.#answered(caller, deed);
        // It has a short failure put instead, and that is no invalid result.
        if (job && operation === "put") job.isRefused = true;
        throw refusal(fault, operation);
      }
      default:
        throw refusal(fault, operation);
    }
  }
}

export const actionTypes: Readonly<Record<ActionOwner, ActionType>> = {
  ThirdParty: { category: "Test", owner: "ThirdParty", provider: "Scan", version: "1" },
  Custom: { category: "Build", owner: "Custom", provider: "Build", version: "1" },
};

function offered({ key, client, nonce }: Served): OfferedJob {
  const whose = key.actionType.owner === "Custom" ? { accountId: client } : {};
  const rest = { configuration: { Project: client }, pipeline: {}, inputs: [], outputs: [] };
  return { key, nonce: String(nonce) as Nonce, ...rest, ...whose };
}

/** Does the deed; its end, of either kind, is to be had later. */
function settled<T>(deed: () => T): () => T {
  try {
    const value = deed();
    return () => value;
  } catch (error) {
    return () => {
      throw error;
    };
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

function refusal(kind: GatewayFaultKind, operation: Operation, isAmbiguous = false): GatewayError {
  return new GatewayError({ kind, operation, code: kind, message: `${operation}: ${kind}`, isAmbiguous });
}

function noAnswer(operation: Operation): GatewayError {
  return refusal("unavailable", operation, true);
}

/** What a process that died hears. */
export function never<T>(): Promise<T> {
  return new Promise(() => {});
}
