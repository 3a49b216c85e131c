// What the engine is doing now: a fold over its events. Health, the status document and the page read it.

import type { Held, PollerName, WorkerEvent } from "../engine/events.js";
import { actionTypeName, type JobKey, jobKeyName, placeFrom, placeName, placeOf, pollerName } from "../job/job.js";
import type { JobState } from "../job/lifecycle.js";
import { TurnoverMap } from "../std/turnover.js";
import { DropBoard } from "./drops.js";
import { PollRate } from "./poll-rate.js";
import type {
  BreakerStatus,
  JobStatusLine,
  PollerStatus,
  Shortage,
  StatusSnapshot,
  Totals,
} from "./status-snapshot.js";

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** Folds events into the present. */
export class StatusBoard {
  readonly #pollers = new Map<string, Mutable<PollerStatus>>();
  /** Their last poll may still be answered; that does not bring them back. */
  readonly #removed = new Set<string>();
  readonly #breakers = new Map<string, BreakerStatus>();
  readonly #pollRates = new Map<string, PollRate>();
  readonly #jobs = new TurnoverMap<string, Mutable<JobStatusLine>>();
  readonly #drops = new DropBoard();
  readonly #totals: Mutable<Totals> = {
    started: 0,
    succeeded: 0,
    continued: 0,
    failed: 0,
    dropped: 0,
    unfinished: 0,
    abandonedHandlers: 0,
    bugs: 0,
  };
  readonly #startedAtMs: number;
  #isDraining = false;
  #isPaused = false;
  #shortOfRoom: string | undefined;
  #shortage: Shortage | undefined;
  #end: Held | undefined;

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
      shortage: this.#shortage,
      pollers: [...this.#pollers.values()].map((poller) => ({ ...poller })),
      breakers: [...this.#breakers.values()],
      pollRates: [...this.#pollRates].map(([name, rate]) => ({ ...placeFrom(name), perMinute: rate.perMinute(atMs) })),
      jobs: [...this.#jobs.values()].map((job) => ({ ...job })),
      drops: this.#drops.recent(atMs),
      totals: { ...this.#totals },
      end: this.#end,
    };
  }

  /** Takes in one event. */
  observe(event: WorkerEvent): void {
    switch (event.type) {
      case "poll-finished":
      case "poll-failed":
        return this.#polled(event);
      case "breaker-opened": {
        const place = placeOf(event.poller);
        this.#breakers.set(placeName(place), { ...place, sinceMs: event.atMs, fault: event.fault });
        return;
      }
      case "breaker-closed":
        this.#breakers.delete(placeName(event));
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
        return this.#dropped(event);
      case "job-unfinished":
        return this.#unfinished(event);
      case "handler-abandoned":
        this.#totals.abandonedHandlers += 1;
        return;
      case "bug":
        this.#totals.bugs += 1;
        return;
      case "drain-started":
        this.#isDraining = true;
        return;
      case "drain-finished":
        return this.#stopped(event);
      case "room-short":
      case "room-regained":
        this.#shortOfRoom = event.type === "room-short" ? event.reason : undefined;
        return;
      case "machine-short":
      case "machine-regained":
        return this.#machine(event);
      case "paused":
      case "resumed":
        this.#isPaused = event.type === "paused";
        return;
      default:
        return;
    }
  }

  #machine(event: WorkerEvent & { type: "machine-short" | "machine-regained" }): void {
    const { atMs: sinceMs } = event;
    this.#shortage = event.type === "machine-short" ? { sinceMs, code: event.code, reason: event.reason } : undefined;
  }

  #pollersChanged(event: WorkerEvent & { type: "pollers-changed" }): void {
    for (const poller of event.removed) {
      this.#removed.add(pollerName(poller));
      this.#pollers.delete(pollerName(poller));
    }
    for (const poller of event.added) {
      this.#removed.delete(pollerName(poller));
      this.#poller(poller).nextPollAtMs = event.atMs;
    }
  }

  #polled(event: WorkerEvent & { type: "poll-finished" | "poll-failed" }): void {
    const place = placeName(event.poller);
    const rate = this.#pollRates.get(place) ?? new PollRate();
    this.#pollRates.set(place, rate);
    rate.add(event.atMs);
    if (this.#removed.has(pollerName(event.poller))) return;
    const poller = this.#poller(event.poller);
    poller.polls += 1;
    poller.lastPollAtMs = event.atMs;
    poller.nextPollAtMs = event.atMs + event.restMs;
    if (event.type === "poll-failed") {
      poller.failures = event.failures;
      poller.failingSinceMs ??= event.atMs;
      poller.lastFault = event.fault;
      poller.mayHaveMore = false;
      return;
    }
    poller.taken += event.taken;
    poller.mayHaveMore = event.offered >= event.limit;
    poller.waiting = event.waiting ?? 0;
    poller.failures = 0;
    poller.failingSinceMs = undefined;
    poller.lastGoodPollAtMs = event.atMs;
  }

  #noted(event: WorkerEvent & { type: "callback-awaited" | "order-taken" | "call-retried" }): void {
    const job = this.#jobs.get(jobKeyName(event.key));
    if (!job) return;
    if (event.type === "callback-awaited") job.isAwaitingCallback = true;
    else if (event.type === "order-taken") job.order = event.order;
    else {
      job.lastFault = event.fault;
      job.nextTryAtMs = event.atMs + event.delayMs;
      job.failedCalls = event.attempt;
    }
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
      job.nextTryAtMs = undefined;
      job.failedCalls = undefined;
      if (event.to !== "running") job.isAwaitingCallback = false;
      return;
    }
    this.#add(event.key, event.to, event.atMs);
  }

  /** A job in flight is gone with its last step; one without an active worker has none. */
  #dropped(event: WorkerEvent & { type: "job-dropped" }): void {
    // It was put back: it is taken once the job before it has its result.
    if (event.reason === "not-its-turn") return;
    this.#totals.dropped += 1;
    this.#drops.observe(event);
    const name = jobKeyName(event.key);
    if (this.#jobs.get(name)?.isUnfinished) this.#jobs.delete(name);
  }

  #stopped({ owed, results, isDurable, isRead }: Held): void {
    this.#end = { owed, results, isDurable, isRead };
  }

  /** It stays to be seen until somebody has it, unless that will be another process, of which we would not hear. */
  #unfinished({ key, state, atMs, isOurs }: WorkerEvent & { type: "job-unfinished" }): void {
    this.#totals.unfinished += 1;
    const name = jobKeyName(key);
    if (!isOurs) return void this.#jobs.delete(name);
    if (!this.#jobs.has(name)) this.#add(key, state, atMs);
    const job = this.#jobs.get(name);
    if (job) job.isUnfinished = true;
  }

  #add(key: JobKey, state: JobState, sinceMs: number): void {
    this.#jobs.set(jobKeyName(key), {
      jobId: key.jobId,
      ...placeOf(key),
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
      isUnfinished: false,
      order: undefined,
      lastFault: undefined,
    });
  }

  #poller(name: PollerName): Mutable<PollerStatus> {
    const key = pollerName(name);
    const known = this.#pollers.get(key);
    if (known) return known;
    const poller: Mutable<PollerStatus> = {
      ...placeOf(name),
      actionType: actionTypeName(name.actionType),
      ...(name.query === undefined ? {} : { query: name.query }),
      lastPollAtMs: undefined,
      lastGoodPollAtMs: undefined,
      nextPollAtMs: undefined,
      failures: 0,
      failingSinceMs: undefined,
      lastFault: undefined,
      polls: 0,
      taken: 0,
      mayHaveMore: false,
      waiting: 0,
    };
    this.#pollers.set(key, poller);
    return poller;
  }
}
