// Which jobs are in flight, so that none runs twice: leases what polls offer, starts each job's story, and gives back
// slot and lease when it ends. Knows nothing of what happens in a story.
import { GatewayError } from "../codepipeline/gateway.js";
import { type JobKey, jobKeyName, nonceOffered, type PolledJob } from "../job/job.js";
import { isOwed, isTaken, type JobState } from "../job/lifecycle.js";
import { failed } from "../job/outcome.js";
import { type HandedOffer, LedgerError, type UnfinishedJob } from "../ledger/ledger.js";
import { clearDoubt } from "./claiming.js";
import type { EngineContext } from "./context.js";
import { drop, leave, staysOurs } from "./ending.js";
import { faultOf } from "./events.js";
import type { Flights } from "./flights.js";
import { JobInFlight, type RepeatedOffer } from "./in-flight.js";
import { type PollerConfig, pollerKey } from "./poller-config.js";
import { settle } from "./reporting.js";
import type { Slot } from "./slot.js";
import type { Slots } from "./slots.js";
import { story } from "./story.js";

/** What an offer said of whose job it is: `Turns` counts by it. */
export interface Whose {
  readonly client: string;
  readonly serial?: string | undefined;
}

/** Runs jobs and knows which are in flight. */
export class Runner {
  readonly #context: EngineContext;
  readonly #slots: Slots;
  readonly #flights: Flights;
  /** Called for each poller with waiting offers, when their turn may have come. */
  onTurn: (poller: string) => void = () => {};
  /** Jobs by name that CodePipeline waits for and that have no active worker here. */
  readonly unfinished = new Map<string, JobState>();

  constructor(context: EngineContext, slots: Slots) {
    this.#context = context;
    this.#flights = context.flights;
    this.#slots = slots;
  }

  get inFlight(): number {
    return this.#flights.size;
  }

  /** Every job in flight: for orders and the dump. */
  flights(): Iterable<JobInFlight> {
    return this.#flights.all();
  }

  /** True when a job by this id is ours and its service was promised a callback. */
  awaitsCallback(jobId: string): boolean {
    for (const flight of this.#flights.all()) {
      if (flight.key.jobId === jobId && flight.callback && flight.state === "running") return true;
    }
    return false;
  }

  /** Resolves when no job is in flight. */
  whenIdle(): Promise<void> {
    return this.#flights.whenIdle();
  }

  /** Resolves when every job that is in flight now has ended here. */
  whenTheseEnd(): Promise<void> {
    return this.#flights.whenTheseEnd();
  }

  /** An offer of a job that is in flight here goes to its mailbox. False: there is no such job. */
  repeated(polled: PolledJob): boolean {
    const flight = this.#flights.get(polled.key);
    if (!flight) return false;
    this.#context.emit({ type: "offer-repeated", key: polled.key });
    this.#offered(flight, { nonce: nonceOffered(polled) });
    // If the job is dropped after all, this offer of it is still valid: the next one may be a minute away.
    if (!isTaken(flight.state)) flight.again = this.#context.turns.offerAgain(flight, polled);
    return true;
  }

  /**
   * Leases a polled job and starts it. Resolves true once it is leased, false when the offer is a repeat or the
   * ledger cannot be used; then the slot is free again. Never rejects.
   */
  async take(polled: PolledJob, config: PollerConfig, slot: Slot, polledAtMs: number, whose?: Whose): Promise<boolean> {
    const { emit, deps } = this.#context;
    const { key } = polled;
    try {
      const lease = this.#flights.get(key) ? undefined : await deps.ledger.lease(key, nonceOffered(polled));
      if (lease) {
        const { ledger } = deps;
        const flight = new JobInFlight({ config, lease, slot, ledger, emit, polledAtMs });
        flight.client ??= whose?.client;
        flight.serial = whose?.serial;
        this.#go(flight, polled);
        return true;
      }
      // It may have been started while the ledger was asked; else another replica has it, or it has ended.
      if (!this.repeated(polled)) emit({ type: "offer-repeated", key });
    } catch (error) {
      if (error instanceof LedgerError) emit({ type: "ledger-failed", key, message: error.message });
      else this.#bug(error, key);
    }
    slot.free();
    return false;
  }

  /** An offer of a job that is in flight here, which another replica got. */
  offered({ key, nonce }: HandedOffer): void {
    const flight = this.#flights.get(key);
    if (flight) this.#offered(flight, { nonce });
  }

  /** Starts a job of a previous process, or of another replica; its story waits for a slot by itself. */
  resume(found: UnfinishedJob, config: PollerConfig): JobInFlight {
    const { emit, deps } = this.#context;
    const { clock, ledger } = deps;
    const { lease, takenAtMs } = found;
    const slot = this.#slots.forJob(pollerKey(config));
    const polledAtMs = clock.monotonic();
    const flight = new JobInFlight({ config, lease, slot, ledger, emit, polledAtMs, found });
    this.#context.turns.recovered(flight);
    emit({ type: "job-recovered", key: flight.key, state: flight.state, ageMs: clock.now() - takenAtMs });
    this.#go(flight);
    return flight;
  }

  /** A job of the ledger without an active worker here; it counts as owed until it has one. False: others have it. */
  setAside(key: JobKey, state: JobState): boolean {
    if (!staysOurs(this.#context, key)) return false;
    this.unfinished.set(jobKeyName(key), state);
    return true;
  }

  /** It has an active worker again, or ended. */
  forget(key: JobKey): void {
    this.unfinished.delete(jobKeyName(key));
  }

  #go(flight: JobInFlight, polled?: PolledJob): void {
    this.#flights.add(flight);
    this.forget(flight.key);
    const finished = story(this.#context, flight, polled)
      .catch((error: unknown) => this.#bugInJob(flight, error))
      .catch((error: unknown) => this.#bug(error, flight.key))
      .finally(async () => {
        if (isOwed(flight.state) && !flight.isEnded)
          leave(this.#context, flight, "an internal error; it stays in the ledger until the next start");
        flight.end();
        flight.slot.free();
        if (isOwed(flight.state)) this.setAside(flight.key, flight.state);
        await this.#context.deps.ledger.release(flight.lease);
      });
    void finished
      .catch((error: unknown) => this.#bug(error, flight.key))
      .finally(() => {
        this.#flights.remove(flight);
        // Not before: until then its own offer is a repeat.
        if (flight.again && flight.state === "dropped" && !flight.loss && this.#isPolled(flight.config))
          this.#context.turns.putBack(flight.config, flight.again);
        this.#callTurns();
      });
  }

  /** False once a reload took it out: what is kept for it would never have its turn. */
  #isPolled(config: PollerConfig): boolean {
    return this.#context.pollers.has(pollerKey(config));
  }

  /** A job ended, so another one of its customer may be taken: by a poll, which may bring somebody else's as well. */
  #callTurns(): void {
    const { turns, pollers } = this.#context;
    for (const name of turns.pollers()) {
      const config = pollers.get(name);
      if (config && turns.isNext(config)) this.onTurn(name);
    }
  }

  /**
   * An acknowledged job is never offered: a job that is only presumed ours is acknowledged again, and at once, also while
   * its result waits. The next try to report it may be further away than the offer is good for.
   */
  #offered(flight: JobInFlight, offer: RepeatedOffer): void {
    flight.putOffer(offer);
    if (!isTaken(flight.state) || !(flight.claim.is === "presumed" || flight.claim.is === "doubted")) return;
    clearDoubt(this.#context, flight).catch((error: unknown) => {
      if (!(error instanceof GatewayError)) return this.#bug(error, flight.key);
      if (flight.hasLeft) return;
      // The next offer asks again, and so does the report.
      const fault = faultOf(error, this.#context.deps.mask);
      this.#context.emit({ type: "call-retried", key: flight.key, fault, attempt: 1, delayMs: 0 });
    });
  }

  /** A job of ours that hits a bug in partnerd still ends with a result, so that the customer does not wait in vain. */
  async #bugInJob(flight: JobInFlight, error: unknown): Promise<void> {
    this.#bug(error, flight.key);
    if (flight.state === "running") {
      const outcome = failed("partnerd had an internal error while this job was running; see its log", {
        type: "SystemUnavailable",
      });
      return settle(this.#context, flight, { outcome, cause: "bug" });
    }
    if (flight.state === "polled" || flight.state === "detailed") {
      const message = "an internal error before it was acknowledged";
      return drop(this.#context, flight, { reason: "no-details", message });
    }
  }

  #bug(error: unknown, key: JobKey): void {
    const isError = error instanceof Error;
    const { mask } = this.#context.deps;
    const message = mask(isError ? error.message : String(error));
    this.#context.emit({ type: "bug", key, message, stack: mask(isError ? (error.stack ?? "") : "") });
  }
}
