// What the engine is doing now: a fold over its events. Health, the status document and the page read it.
import { actionTypeName, jobKeyName } from "../job/job.js";
import type { Fault, PollerName, WorkerEvent } from "./events.js";

/** One poller, as its last polls left it. Times in ms since the epoch. */
export interface PollerStatus {
  readonly region: string;
  readonly actionType: string;
  readonly lastPollAtMs: number | undefined;
  readonly lastGoodPollAtMs: number | undefined;
  readonly nextPollAtMs: number | undefined;
  readonly failures: number;
  readonly lastFault: Fault | undefined;
  readonly polls: number;
  readonly taken: number;
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
  readonly isAwaitingCallback: boolean;
}

export interface StatusSnapshot {
  readonly atMs: number;
  readonly startedAtMs: number;
  readonly isDraining: boolean;
  readonly isPaused: boolean;
  readonly pollers: readonly PollerStatus[];
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
      pollers: [...this.#pollers.values()].map((poller) => ({ ...poller })),
      jobs: [...this.#jobs.values()].map((job) => ({ ...job })),
      totals: { ...this.#totals },
    };
  }

  /** Takes in one event. */
  observe(event: WorkerEvent): void {
    switch (event.type) {
      case "poll-finished": {
        const poller = this.#poller(event.poller);
        poller.polls += 1;
        poller.taken += event.taken;
        poller.failures = 0;
        poller.lastPollAtMs = event.atMs;
        poller.lastGoodPollAtMs = event.atMs;
        poller.nextPollAtMs = event.atMs + event.restMs;
        return;
      }
      case "poll-failed": {
        const poller = this.#poller(event.poller);
        poller.polls += 1;
        poller.failures = event.failures;
        poller.lastFault = event.fault;
        poller.lastPollAtMs = event.atMs;
        poller.nextPollAtMs = event.atMs + event.restMs;
        return;
      }
      case "job-changed":
        this.#changed(event);
        return;
      case "job-started": {
        this.#totals.started += 1;
        const job = this.#jobs.get(jobKeyName(event.key));
        if (!job) return;
        job.handler = event.handler;
        job.pipelineName = event.pipelineName;
        return;
      }
      case "callback-awaited": {
        const job = this.#jobs.get(jobKeyName(event.key));
        if (job) job.isAwaitingCallback = true;
        return;
      }
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
      case "paused":
      case "resumed":
        this.#isPaused = event.type === "paused";
        return;
      default:
        return;
    }
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
      return;
    }
    this.#jobs.set(name, {
      jobId: event.key.jobId,
      region: event.key.region,
      actionType: actionTypeName(event.key.actionType),
      clientId: event.key.clientId,
      state: event.to,
      sinceMs: event.atMs,
      handler: undefined,
      pipelineName: undefined,
      isAwaitingCallback: false,
    });
  }

  #poller(name: PollerName): Mutable<PollerStatus> {
    const actionType = actionTypeName(name.actionType);
    const key = `${name.region} ${actionType}`;
    const known = this.#pollers.get(key);
    if (known) return known;
    const poller: Mutable<PollerStatus> = {
      region: name.region,
      actionType,
      lastPollAtMs: undefined,
      lastGoodPollAtMs: undefined,
      nextPollAtMs: undefined,
      failures: 0,
      lastFault: undefined,
      polls: 0,
      taken: 0,
    };
    this.#pollers.set(key, poller);
    return poller;
  }
}
