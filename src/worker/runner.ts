// One job, top to bottom: lease, details, acknowledge, handler, outcome, report. Every step may fail without
// hurting another job; once a job is acknowledged it leaves only by an accepted result, or stays in the ledger.
import { GatewayError } from "../codepipeline/gateway.js";
import { type Job, type JobKey, jobKeyName, type PolledJob } from "../job/job.js";
import { isOwed, type JobState } from "../job/lifecycle.js";
import { failed, type Outcome } from "../job/outcome.js";
import { LedgerError, type UnfinishedJob } from "../ledger/ledger.js";
import { acknowledge, confirm, presumedNonce } from "./acknowledging.js";
import { getDetails } from "./details.js";
import type { EndCause, Order } from "./events.js";
import { Flights } from "./flights.js";
import { type Ending, handle, stopped } from "./handling.js";
import { JobInFlight, type Loss } from "./in-flight.js";
import { keepSecretsOf } from "./job-secrets.js";
import type { LaneConfig } from "./lane.js";
import { faultOf, type Parts } from "./parts.js";
import { report } from "./reporter.js";
import type { Slot } from "./slots.js";

/** A job of an earlier process before its flight, and what an operator decided about it meanwhile. */
export interface WaitingJob {
  readonly found: UnfinishedJob;
  order: Order | undefined;
  /** A poll offered it again meanwhile: the nonce that the ledger has is no longer good. */
  newerOffer?: Job;
}

/** Runs jobs and knows which are in flight. */
export class Runner {
  readonly #parts: Parts;
  readonly #flights = new Flights();
  /** Jobs that an earlier process left and that wait for a slot, by name. */
  readonly waiting = new Map<string, WaitingJob>();
  /** Jobs by name that were left while CodePipeline waits for us, and that nobody has taken up since. */
  readonly left = new Map<string, JobState>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  get inFlight(): number {
    return this.#flights.size;
  }

  /** Every job in flight: for the dump and the status page. */
  flights(): Iterable<JobInFlight> {
    return this.#flights.all();
  }

  /** True when a job by this id is ours and its service was promised that we wait for its outcome. */
  awaitsCallback(jobId: string): boolean {
    for (const flight of this.#flights.all()) {
      if (flight.key.jobId === jobId && flight.callback && flight.state === "running") return true;
    }
    // What another replica left waits for a slot as well.
    return [...this.waiting.values()].some(
      ({ found }) => found.lease.key.jobId === jobId && found.callback !== undefined,
    );
  }

  /** Resolves when no job is in flight. */
  whenIdle(): Promise<void> {
    return this.#flights.whenIdle();
  }

  /** Resolves when every job that is in flight now has left. */
  whenTheseEnd(): Promise<void> {
    return this.#flights.whenTheseEnd();
  }

  /**
   * Leases a polled job and sets it going. Resolves true once it is leased, false when the offer is a repeat or the
   * ledger cannot be used; then the slot is free again. Never rejects.
   */
  async take(polled: PolledJob, lane: LaneConfig, slot: Slot, polledAtMs: number): Promise<boolean> {
    const { emit, world } = this.#parts;
    const { key } = polled;
    const known = this.#flights.get(key);
    if (known) {
      if (polled.job) known.newerOffer = polled.job;
      if (known.isPresumed) void this.#confirm(known);
      emit({ type: "offer-repeated", key });
      slot.free();
      return false;
    }
    try {
      const lease = await world.ledger.lease(key);
      if (!lease) {
        const waiting = this.waiting.get(jobKeyName(key));
        if (waiting && polled.job) waiting.newerOffer = polled.job;
        emit({ type: "offer-repeated", key });
        slot.free();
        return false;
      }
      const flight = new JobInFlight({ lane, lease, slot, ledger: world.ledger, emit, polledAtMs });
      this.go(flight, () => this.#story(flight, polled));
      return true;
    } catch (error) {
      slot.free();
      if (error instanceof LedgerError) emit({ type: "ledger-failed", key, message: error.message });
      else this.#bug(error, key);
      return false;
    }
  }

  /** Looks after a flight from here to its end: slot, lease and the count of what is in flight. Never rejects. */
  go(flight: JobInFlight, story: () => Promise<void>): void {
    const name = jobKeyName(flight.key);
    this.#flights.add(flight);
    this.left.delete(name);
    const finished = story()
      .catch((error: unknown) => this.#bugInJob(flight, error))
      .catch((error: unknown) => this.#bug(error, flight.key))
      .finally(async () => {
        flight.end();
        flight.slot.free();
        if (isOwed(flight.state)) this.left.set(name, flight.state);
        await this.#parts.world.ledger.release(flight.lease);
      });
    void finished
      .catch((error: unknown) => this.#bug(error, flight.key))
      .finally(() => {
        this.#flights.remove(flight);
      });
  }

  /** The life of a job that a poll offered. */
  async #story(flight: JobInFlight, polled: PolledJob): Promise<void> {
    const answer = await getDetails(this.#parts, flight, polled);
    if (answer.kind === "lost") return this.lose(flight, answer);
    const { job } = answer;
    await flight.note({ type: "details-received" });
    if (this.#parts.scopes.poll.aborted) {
      return this.lose(flight, { reason: "draining", message: "a drain began before it was acknowledged" });
    }
    const forget = keepSecretsOf(this.#parts, flight.lane, job);
    try {
      if (!(await this.claim(flight, job, false))) return;
      await this.work(flight, job);
    } finally {
      forget();
    }
  }

  /** Acknowledges; true when the job is ours and goes on. */
  async claim(flight: JobInFlight, job: Job, wasSentBefore: boolean): Promise<boolean> {
    const claim = await acknowledge(this.#parts, flight, job, wasSentBefore);
    if (claim.kind === "lost") {
      await this.lose(flight, claim);
      return false;
    }
    if (claim.kind === "unanswered") {
      this.#parts.emit({
        type: "job-left",
        key: flight.key,
        state: flight.state,
        isOurs: true,
        message: claim.message,
      });
      return false;
    }
    flight.isPresumed = claim.isPresumed;
    if (claim.isPresumed) await flight.note({ type: "acknowledge-sent", nonce: presumedNonce });
    await flight.note({ type: "acknowledge-accepted" });
    if (!flight.slot.isParked) return true;
    // No handler begins without a slot; what ends the job before does not wait for one.
    const { work } = this.#parts.scopes;
    const until = AbortSignal.any([work, flight.letGo, flight.failing]);
    if ((await flight.slot.retake(until)) || !work.aborted) return true;
    const outcome = failed(stopped, { type: "SystemUnavailable" });
    await this.settle(flight, outcome, "stopped", this.#parts.world.clock.monotonic());
    return false;
  }

  /** Runs the handler of a job that is ours and reports what came of it. */
  async work(flight: JobInFlight, job: Job, deadlineMs?: number): Promise<void> {
    const { emit, world } = this.#parts;
    const { clock } = world;
    if (flight.loss) return this.lose(flight, flight.loss);
    if (flight.failure !== undefined) return this.fail(flight, flight.failure);
    const handler = world.handlers.get(flight.lane.handler);
    const startedMs = clock.monotonic();
    if (!handler) {
      const outcome = failed(`no handler called ${flight.lane.handler} is configured`, { type: "ConfigurationError" });
      return this.settle(flight, outcome, "no-handler", startedMs);
    }
    const untilMs = deadlineMs ?? clock.now() + flight.lane.jobTimeoutMs;
    emit({
      type: "job-started",
      key: flight.key,
      handler: flight.lane.handler,
      pickupMs: startedMs - flight.polledAtMs,
      deadlineMs: untilMs,
      isContinuation: job.continuationToken !== undefined,
      pipelineName: job.pipeline.pipelineName,
      actionName: job.pipeline.actionName,
      actionExecutionId: job.pipeline.actionExecutionId,
    });
    const ending: Ending = await handle(this.#parts, flight, job, handler, untilMs);
    switch (ending.kind) {
      case "ended":
        return this.settle(flight, ending.outcome, ending.cause, startedMs);
      case "left":
        emit({
          type: "job-left",
          key: flight.key,
          state: flight.state,
          isOurs: true,
          message: "a service still works for it; the next start goes on waiting for its callback",
        });
        return;
      case "let-go":
        return this.lose(flight, flight.loss ?? { reason: "released", message: "let go of" });
    }
  }

  /** Ends a job of ours as an operator decided. */
  fail(flight: JobInFlight, message: string): Promise<void> {
    return this.settle(flight, failed(message), "operator", this.#parts.world.clock.monotonic());
  }

  /** Fixes the outcome, then owes it until CodePipeline has it. */
  async settle(flight: JobInFlight, outcome: Outcome, cause: EndCause, startedMs: number): Promise<void> {
    const { emit, world } = this.#parts;
    flight.endCause = cause;
    if (flight.loss) return this.lose(flight, flight.loss);
    await flight.note({ type: "outcome-settled", outcome });
    // While it was written another replica may have come: the outcome is not what it will report.
    if (flight.loss) return this.lose(flight, flight.loss);
    emit({ type: "job-settled", key: flight.key, outcome, cause, durationMs: world.clock.monotonic() - startedMs });
    await this.pay(flight, outcome, false);
  }

  /** Puts an outcome that is owed. */
  async pay(flight: JobInFlight, outcome: Outcome, wasSentBefore: boolean): Promise<void> {
    const { emit, world } = this.#parts;
    const owedSinceMs = world.clock.monotonic();
    const end = await report(this.#parts, flight, outcome, wasSentBefore);
    switch (end.kind) {
      case "accepted":
        await flight.note({ type: "report-accepted" });
        emit({
          type: "job-reported",
          key: flight.key,
          outcome: end.outcome,
          attempts: end.attempts,
          owedMs: world.clock.monotonic() - owedSinceMs,
          isPresumed: end.isPresumed,
        });
        return;
      case "lost":
        return this.lose(flight, end);
      case "owed":
        emit({ type: "job-left", key: flight.key, state: flight.state, isOurs: true, message: end.message });
        return;
    }
  }

  /** Lets go of a job without a result. */
  async lose(flight: JobInFlight, { reason, message }: Loss): Promise<void> {
    const from = flight.state;
    await flight.note({ type: "job-lost", reason });
    this.#parts.emit({ type: "job-dropped", key: flight.key, from, reason, message });
  }

  /** A job that was presumed to be ours is asked for again, now that an offer shows that nobody has it. */
  async #confirm(flight: JobInFlight): Promise<void> {
    try {
      await confirm(this.#parts, flight);
    } catch (error) {
      if (!(error instanceof GatewayError)) return this.#bug(error, flight.key);
      // The next offer asks again; the report does so at the latest.
      const fault = faultOf(error, this.#parts.world.mask);
      this.#parts.emit({ type: "call-retried", key: flight.key, fault, attempt: 1, delayMs: 0 });
    }
  }

  /** A job of ours that met a bug of ours still ends with a result: the customer must not wait for nothing. */
  async #bugInJob(flight: JobInFlight, error: unknown): Promise<void> {
    this.#bug(error, flight.key);
    if (flight.state === "running") {
      const outcome = failed("partnerd met an internal error while it worked this job; see its log", {
        type: "SystemUnavailable",
      });
      return this.settle(flight, outcome, "bug", this.#parts.world.clock.monotonic());
    }
    if (flight.state === "polled" || flight.state === "detailed") {
      return this.lose(flight, { reason: "no-details", message: "an internal error before it was acknowledged" });
    }
  }

  #bug(error: unknown, key: JobKey): void {
    const isError = error instanceof Error;
    const { mask } = this.#parts.world;
    const message = mask(isError ? error.message : String(error));
    this.#parts.emit({ type: "bug", key, message, stack: mask(isError ? (error.stack ?? "") : "") });
  }
}
