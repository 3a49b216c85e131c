// One job while it is ours to look after: its state, moved only by the reducer, and written to the ledger before
// what it guards. When the ledger fails later on, the job goes on and its events are written when the ledger can.
import type { Job, JobKey } from "../job/job.js";
import { isOver, type JobEvent, type JobState, type LostReason, transition } from "../job/lifecycle.js";
import type { Lease, Ledger } from "../ledger/ledger.js";
import type { Deadline } from "../std/deadline.js";
import type { Emit, EndCause, Order } from "./events.js";
import type { LaneConfig } from "./poller-config.js";
import type { Slot } from "./slots.js";

/** `open`: it may be ours or not; only another offer tells. `over`: there is nothing left to ask for. */
export type Confirmation = "ours" | "over" | "open";

/** Why nothing more may be done here for a job that is in flight. */
export interface Loss {
  readonly reason: LostReason;
  readonly message: string;
}

export interface JobInFlightOptions {
  readonly lane: LaneConfig;
  readonly lease: Lease;
  readonly slot: Slot;
  readonly ledger: Ledger;
  readonly emit: Emit;
  /** When the poll that brought it answered, in ms of the monotonic clock. */
  readonly polledAtMs: number;
}

export class JobInFlight {
  readonly key: JobKey;
  readonly lane: LaneConfig;
  readonly lease: Lease;
  readonly slot: Slot;
  readonly polledAtMs: number;
  /** A later poll offered the job again while we ask for it: its nonce is the newer one. */
  newerOffer: Job | undefined;
  /** Taken for ours although InProgress was never answered: a repeated offer says that it is not. */
  isPresumed = false;
  /** What ended the job's work, once something has: the first cause wins. */
  endCause: EndCause | undefined;
  /** While such a job is asked for once more. */
  confirming: Promise<Confirmation> | undefined;
  /** Set once a service answered 202. */
  callback: { readonly tokenHash: string } | undefined;
  /** When its work has to end, fixed by an earlier process. Left out: the action type's `jobTimeout` says. */
  deadline: Deadline | undefined;
  readonly #ledger: Ledger;
  readonly #emit: Emit;
  readonly #letGo = new AbortController();
  readonly #failing = new AbortController();
  #failure: string | undefined;
  #loss: Loss | undefined;
  #state: JobState;
  /** An acknowledge that has happened and could not be written; a ledger takes it for one that is not sent. */
  #unwritten: JobEvent | undefined;
  #recorded: PromiseWithResolvers<void> | undefined;

  constructor(options: JobInFlightOptions) {
    this.key = options.lease.key;
    this.lane = options.lane;
    this.lease = options.lease;
    this.slot = options.slot;
    this.polledAtMs = options.polledAtMs;
    this.#ledger = options.ledger;
    this.#emit = options.emit;
    this.#state = options.lease.state;
    const { lost } = options.lease;
    const onLost = () => this.#lose(takenOver);
    if (lost?.aborted) onLost();
    else lost?.addEventListener("abort", onLost, { once: true });
  }

  get state(): JobState {
    return this.#state;
  }

  /** Aborts when nothing more may be done here for the job; `loss` says why. */
  get letGo(): AbortSignal {
    return this.#letGo.signal;
  }

  get loss(): Loss | undefined {
    return this.#loss;
  }

  /** Aborts when an operator fails the job. */
  get failing(): AbortSignal {
    return this.#failing.signal;
  }

  /** What the customer is to read, once an operator failed it. */
  get failure(): string | undefined {
    return this.#failure;
  }

  /** Takes an operator's order; false when it comes too late. */
  obey(order: Order): boolean {
    if (isOver(this.#state) || this.#loss) return false;
    if (order.kind === "release") {
      this.#lose(released);
      return true;
    }
    if (this.endCause || this.#failure !== undefined || this.#state === "settled") return false;
    this.#failure = order.message;
    this.#failing.abort(new Error("an operator failed the job"));
    return true;
  }

  /** Resolves once the outcome is in the ledger or with CodePipeline; rejects when the job ends without one. */
  outcomeRecorded(): Promise<void> {
    if (!this.#recorded) {
      this.#recorded = Promise.withResolvers<void>();
      // Most jobs have nobody who asks: the rejection must not count as unhandled.
      this.#recorded.promise.catch(() => {});
    }
    return this.#recorded.promise;
  }

  /** The job is over, or left: nobody waits for its outcome any longer. */
  end(): void {
    this.#recorded?.reject(new Error("the job ended without an outcome of its handler"));
  }

  /** Records the event, then moves. Throws LedgerError, and then nothing has moved: for what must be durable first. */
  async guard(event: JobEvent): Promise<void> {
    const to = transition(this.#state, event);
    await this.#write(event);
    this.#move(to, event);
  }

  /** Moves whether or not the ledger can be written: for what has happened already. */
  async note(event: JobEvent): Promise<void> {
    const to = transition(this.#state, event);
    // Whoever has the job now writes its row; ours is no fault of the ledger.
    if (this.#isTakenOver) return this.#move(to, event);
    try {
      await this.#write(event);
      if (event.type === "outcome-settled") this.#recorded?.resolve();
    } catch (error) {
      if (this.#isTakenOver) return this.#move(to, event);
      if (event.type === "acknowledge-sent") this.#unwritten = event;
      this.#emit({ type: "ledger-failed", key: this.key, message: error instanceof Error ? error.message : "unknown" });
    }
    if (to === "reported") this.#recorded?.resolve();
    this.#move(to, event);
  }

  /** Tells the ledger of the event, whatever became of those before: what it misses it writes when it can. */
  async #write(event: JobEvent): Promise<void> {
    const missed = this.#state === "acknowledging" ? this.#unwritten : undefined;
    this.#unwritten = undefined;
    try {
      if (missed) await this.#ledger.record(this.lease, missed);
    } catch {
      // Told when it first failed, and the event itself meets the fault as well.
    }
    await this.#ledger.record(this.lease, event);
  }

  get #isTakenOver(): boolean {
    return this.#loss?.reason === "taken-over";
  }

  #lose(loss: Loss): void {
    if (this.#isTakenOver) return;
    this.#loss = loss;
    this.#letGo.abort(new Error(loss.message));
  }

  #move(to: JobState, event: JobEvent): void {
    const from = this.#state;
    this.#state = to;
    this.#emit({ type: "job-changed", key: this.key, from, to, by: event.type });
  }
}

/** What becomes of a job that an operator releases. */
export const released: Loss = {
  reason: "released",
  message: "an operator let go of it; CodePipeline is told nothing and waits for it until the action times out",
};

const takenOver: Loss = {
  reason: "taken-over",
  message: "another replica took the job over; nothing is reported from here",
};
