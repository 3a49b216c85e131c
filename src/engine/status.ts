// What the engine is doing now: a fold over its events. Health, the status document and the page read it.
import { actionTypeName, type JobKey, jobKeyName } from "../job/job.js";
import type { JobState } from "../job/lifecycle.js";
import type { Order } from "../job/order.js";
import type { Fault, PollerName, WorkerEvent } from "./events.js";

/** One poller, as its last polls left it. Times in ms since the epoch. */
export interface PollerStatus {
  readonly region: string;
  readonly actionType: string;
  readonly lastPollAtMs: number | undefined;
  readonly lastGoodPollAtMs: number | undefined;
  readonly nextPollAtMs: number | undefined;
  readonly failures: number;
  /** When the first of these failures was; undefined while polls are answered. */
  readonly failingSinceMs: number | undefined;
  readonly lastFault: Fault | undefined;
  readonly polls: number;
  readonly taken: number;
}

/** What a polling loop does now, and whether it is about time that it did something else. */
export interface PollerStep {
  readonly doing: "starting" | "at-gate" | "waiting-for-slot" | "polling" | "resting" | "ended";
  /** How long its next step has been due, in ms of the monotonic clock; negative: it is not due yet. */
  readonly overdueMs: number;
}

/** One polling loop, for whoever judges whether it turns. */
export interface PollerLoop extends PollerStep {
  readonly region: string;
  readonly actionType: string;
}

/** One job that is in flight. */
export interface JobStatusLine {
  readonly jobId: string;
  readonly region: string;
  readonly actionType: string;
  readonly clientId: string | undefined;
  readonly state: string;
  readonly sinceMs: number;
  readonly handler: string | undefined;
  readonly pipelineName: string | undefined;
  readonly actionName: string | undefined;
  /** When the running handler's time is over. */
  readonly deadlineMs: number | undefined;
  /** True for a job that goes on where an earlier one of its action was continued. */
  readonly isContinuation: boolean;
  readonly isAwaitingCallback: boolean;
  /** What an operator decided about it. */
  readonly order: Order["kind"] | undefined;
  /** Why the call that the job waits for failed last; gone with its next step. */
  readonly lastFault: Fault | undefined;
}

/** A Region that refuses us: credentials, permissions or the clock. */
export interface BreakerStatus {
  readonly region: string;
  readonly sinceMs: number;
  readonly fault: Fault;
}

export interface StatusSnapshot {
  readonly atMs: number;
  readonly startedAtMs: number;
  readonly isDraining: boolean;
  readonly isPaused: boolean;
  /** Why the artifacts of another job have no room; undefined when they have. */
  readonly shortOfRoom: string | undefined;
  readonly pollers: readonly PollerStatus[];
  /** Those that are open; none when all is well. */
  readonly breakers: readonly BreakerStatus[];
  readonly jobs: readonly JobStatusLine[];
  readonly totals: Totals;
}

export interface Totals {
  readonly started: number;
  readonly succeeded: number;
  readonly continued: number;
  readonly failed: number;
  readonly dropped: number;
  readonly left: number;
  readonly abandonedHandlers: number;
  readonly bugs: number;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** Folds events into the present. */
export class StatusBoard {
  readonly #pollers = new Map<string, Mutable<PollerStatus>>();
  /** Their last poll may still be answered; that does not bring them back. */
  readonly #removed = new Set<string>();
  readonly #breakers = new Map<string, BreakerStatus>();
  readonly #jobs = new Map<string, Mutable<JobStatusLine>>();
  readonly #totals: Mutable<Totals> = {
    started: 0,
    succeeded: 0,
    continued: 0,
    failed: 0,
    dropped: 0,
    left: 0,
    abandonedHandlers: 0,
    bugs: 0,
  };
  readonly #startedAtMs: number;
  #isDraining = false;
  #isPaused = false;
  #shortOfRoom: string | undefined;

  constructor(options: { readonly startedAtMs: number; readonly pollers: readonly PollerName[] }) {
    this.#startedAtMs = options.startedAtMs;
    for (const poller of options.pollers) this.#poller(poller);
  }

  snapshot(atMs: number): StatusSnapshot {
    return {
      atMs,
      startedAtMs: this.#startedAtMs,
      isDraining: this.#isDraining,
      isPaused: this.#isPaused,
      shortOfRoom: this.#shortOfRoom,
      pollers: [...this.#pollers.values()].map((poller) => ({ ...poller })),
      breakers: [...this.#breakers.values()],
      jobs: [...this.#jobs.values()].map((job) => ({ ...job })),
      totals: { ...this.#totals },
    };
  }

  /** Takes in one event. */
  observe(event: WorkerEvent): void {
    switch (event.type) {
      case "poll-finished":
      case "poll-failed":
        return this.#polled(event);
      case "breaker-opened": {
        const { region } = event.poller;
        this.#breakers.set(region, { region, sinceMs: event.atMs, fault: event.fault });
        return;
      }
      case "breaker-closed":
        this.#breakers.delete(event.region);
        return;
      case "pollers-changed":
        return this.#pollersChanged(event);
      case "job-changed":
        return this.#changed(event);
      case "job-started":
        return this.#started(event);
      case "job-recovered":
        // Its first step may be hours away: it is owed, and must be seen, from now on.
        return this.#add(event.key, event.state, event.atMs - event.ageMs);
      case "callback-awaited":
      case "order-taken":
      case "call-retried":
        return this.#noted(event);
      case "job-reported":
        this.#totals[event.outcome.kind] += 1;
        return;
      case "job-dropped":
        this.#totals.dropped += 1;
        return;
      case "job-left":
        this.#totals.left += 1;
        this.#jobs.delete(jobKeyName(event.key));
        return;
      case "handler-abandoned":
        this.#totals.abandonedHandlers += 1;
        return;
      case "bug":
        this.#totals.bugs += 1;
        return;
      case "drain-started":
        this.#isDraining = true;
        return;
      case "room-short":
      case "room-regained":
        this.#shortOfRoom = event.type === "room-short" ? event.reason : undefined;
        return;
      case "paused":
      case "resumed":
        this.#isPaused = event.type === "paused";
        return;
      default:
        return;
    }
  }

  #pollersChanged(event: WorkerEvent & { type: "pollers-changed" }): void {
    for (const poller of event.removed) {
      this.#removed.add(pollerKey(poller));
      this.#pollers.delete(pollerKey(poller));
    }
    for (const poller of event.added) {
      this.#removed.delete(pollerKey(poller));
      this.#poller(poller).nextPollAtMs = event.atMs;
    }
  }

  #polled(event: WorkerEvent & { type: "poll-finished" | "poll-failed" }): void {
    if (this.#removed.has(pollerKey(event.poller))) return;
    const poller = this.#poller(event.poller);
    poller.polls += 1;
    poller.lastPollAtMs = event.atMs;
    poller.nextPollAtMs = event.atMs + event.restMs;
    if (event.type === "poll-failed") {
      poller.failures = event.failures;
      poller.failingSinceMs ??= event.atMs;
      poller.lastFault = event.fault;
      return;
    }
    poller.taken += event.taken;
    poller.failures = 0;
    poller.failingSinceMs = undefined;
    poller.lastGoodPollAtMs = event.atMs;
  }

  #noted(event: WorkerEvent & { type: "callback-awaited" | "order-taken" | "call-retried" }): void {
    const job = this.#jobs.get(jobKeyName(event.key));
    if (!job) return;
    if (event.type === "callback-awaited") job.isAwaitingCallback = true;
    else if (event.type === "order-taken") job.order = event.order;
    else job.lastFault = event.fault;
  }

  #started(event: WorkerEvent & { type: "job-started" }): void {
    this.#totals.started += 1;
    const job = this.#jobs.get(jobKeyName(event.key));
    if (!job) return;
    job.handler = event.handler;
    job.pipelineName = event.pipelineName;
    job.actionName = event.actionName;
    job.deadlineMs = event.deadlineMs;
    job.isContinuation = event.isContinuation;
  }

  #changed(event: WorkerEvent & { type: "job-changed" }): void {
    const name = jobKeyName(event.key);
    if (event.to === "reported" || event.to === "dropped") {
      this.#jobs.delete(name);
      return;
    }
    const job = this.#jobs.get(name);
    if (job) {
      job.state = event.to;
      job.sinceMs = event.atMs;
      job.lastFault = undefined;
      if (event.to !== "running") job.isAwaitingCallback = false;
      return;
    }
    this.#add(event.key, event.to, event.atMs);
  }

  #add(key: JobKey, state: JobState, sinceMs: number): void {
    this.#jobs.set(jobKeyName(key), {
      jobId: key.jobId,
      region: key.region,
      actionType: actionTypeName(key.actionType),
      clientId: key.clientId,
      state,
      sinceMs,
      handler: undefined,
      pipelineName: undefined,
      actionName: undefined,
      deadlineMs: undefined,
      isContinuation: false,
      isAwaitingCallback: false,
      order: undefined,
      lastFault: undefined,
    });
  }

  #poller(name: PollerName): Mutable<PollerStatus> {
    const key = pollerKey(name);
    const known = this.#pollers.get(key);
    if (known) return known;
    const poller: Mutable<PollerStatus> = {
      region: name.region,
      actionType: actionTypeName(name.actionType),
      lastPollAtMs: undefined,
      lastGoodPollAtMs: undefined,
      nextPollAtMs: undefined,
      failures: 0,
      failingSinceMs: undefined,
      lastFault: undefined,
      polls: 0,
      taken: 0,
    };
    this.#pollers.set(key, poller);
    return poller;
  }
}

function pollerKey({ region, actionType }: PollerName): string {
  return `${region} ${actionTypeName(actionType)}`;
}
