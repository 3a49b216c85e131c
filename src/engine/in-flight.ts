// One job while it is ours: its state and its claim, moved only by their tables, and written to the ledger
// before what they guard. If the ledger fails later, the job continues and its events are written once the ledger can.
import { type Claim, type ClaimEvent, claimAfter, nonceEvent } from "../job/claim.js";
import type { Job, JobKey, Nonce } from "../job/job.js";
import { isOver, isTaken, type JobEvent, type JobState, type LostReason, transition } from "../job/lifecycle.js";
import type { Order } from "../job/order.js";
import { type Failed, failed, type Outcome } from "../job/outcome.js";
import type { Lease, Ledger, UnfinishedJob } from "../ledger/ledger.js";
import type { Deadline } from "../std/deadline.js";
import type { Emit, EndCause } from "./events.js";
import type { JobStart } from "./job-start.js";
import type { KeptOffer } from "./kept-offers.js";
import type { PollerConfig } from "./poller-config.js";
import type { Slot } from "./slot.js";

/** Why nothing more may be done here for a job that is in flight. */
export interface Loss {
  readonly reason: LostReason;
  readonly message: string;
}

/** An offer of a job that is in flight already; a third-party offer names no nonce. */
export interface RepeatedOffer {
  readonly nonce?: Nonce | undefined;
}

export interface JobInFlightOptions {
  readonly config: PollerConfig;
  readonly lease: Lease;
  readonly slot: Slot;
  readonly ledger: Ledger;
  readonly emit: Emit;
  /** When the poll that brought it answered, or it was found in the ledger, in ms of the monotonic clock. */
  readonly polledAtMs: number;
  /** What the ledger has of it from a previous process or another replica; absent: a poll brought it. */
  readonly found?: UnfinishedJob;
}

export class JobInFlight {
  readonly key: JobKey;
  /** The settings it goes by; those of a job from the ledger are as of when it gets its slot. */
  config: PollerConfig;
  readonly lease: Lease;
  readonly slot: Slot;
  /** When its details can have come at the earliest; for a job from the ledger, since it got its turn. */
  polledAtMs: number;
  /** True for a job of a previous process or another replica, which no poll brought. */
  readonly isRecovered: boolean;
  /** The outcome that a previous process fixed. */
  readonly owed: Outcome | undefined;
  /** How far it has come with its handler; set once its handler is known for certain. */
  start: JobStart | undefined;
  /** The pipeline and action that it belongs to; set once its details arrived. */
  pipeline: Job["pipeline"] | undefined;
  /** It continues what an earlier job of its action began; set once its details arrived. */
  isContinuation = false;
  /** The customer, by client id or account id, as far as CodePipeline said. */
  client: string | undefined;
  /** The value that it alone may have in work, where `serialBy` names one; set once that is known. */
  serial: string | undefined;
  /** What is kept of it once it has ended here, because its turn has not come. */
  again: KeptOffer | undefined;
  /** How long its handler ran here, in ms; set once its outcome is fixed. */
  durationMs: number | undefined;
  /** What ended the job's work: the first cause wins. */
  endCause: EndCause | undefined;
  /** Set once a service answered 202. */
  callback: { readonly tokenHash: string } | undefined;
  /** When its work has to end, fixed by a previous process. Absent: the action type's `jobTimeout` says. */
  readonly deadline: Deadline | undefined;
  readonly #ledger: Ledger;
  readonly #emit: Emit;
  readonly #givenUp = new AbortController();
  readonly #failing = new AbortController();
  #onOrder: (() => void) | undefined;
  #failure: Failed | undefined;
  #loss: Loss | undefined;
  #state: JobState;
  #claim: Claim;
  /** The nonce that the ledger has: asking with it again needs no further record, and no disk. */
  #recordedNonce: Nonce | undefined;
  /** The mailbox: the newest offer that was not looked at yet. */
  #offer: RepeatedOffer | undefined;
  readonly #questions = new Turns();
  /** Two events at once would each move from the state that both saw. */
  readonly #moves = new Turns();
  #recorded: PromiseWithResolvers<void> | undefined;
  #isEnded = false;

  constructor({ config, lease, slot, ledger, emit, polledAtMs, found }: JobInFlightOptions) {
    this.key = lease.key;
    this.client = lease.key.clientId;
    this.config = config;
    this.lease = lease;
    this.slot = slot;
    this.polledAtMs = polledAtMs;
    this.isRecovered = found !== undefined;
    this.owed = found?.outcome;
    this.callback = found?.callback;
    this.deadline = found?.callback?.deadline;
    this.#ledger = ledger;
    this.#emit = emit;
    this.#state = lease.state;
    this.#claim = found?.claim ?? { is: "none" };
    this.#recordedNonce = "nonce" in this.#claim ? this.#claim.nonce : undefined;
    const { lost } = lease;
    const onLost = () => this.#giveUp(takenOver);
    if (lost?.aborted) onLost();
    else lost?.addEventListener("abort", onLost, { once: true });
  }

  get state(): JobState {
    return this.#state;
  }

  get claim(): Claim {
    return this.#claim;
  }

  /** True once a service works for it. */
  get hasCallback(): boolean {
    return this.callback !== undefined;
  }

  /** Moves the claim by what CodePipeline said, or did not say. */
  learn(event: ClaimEvent): void {
    this.#claim = claimAfter(this.#claim, event);
  }

  /** A poll offered the job once more; what that means is looked at between two calls (`readOffer`). */
  putOffer(offer: RepeatedOffer): void {
    this.#offer = offer;
  }

  /** Moves the claim by the newest offer, if there is one that was not looked at. */
  readOffer(): void {
    const offer = this.#offer;
    this.#offer = undefined;
    if (offer) this.learn(offer.nonce ? nonceEvent(this.#claim, offer.nonce) : { type: "offered" });
  }

  /** Records that the job is asked for with this nonce. Throws LedgerError: then it must not be. */
  async ask(nonce: Nonce): Promise<void> {
    const isRecorded = nonce === this.#recordedNonce || isTaken(this.#state);
    if (!isRecorded) await this.guard({ type: "acknowledge-sent", nonce });
    this.#recordedNonce = nonce;
    this.learn({ type: "sent", nonce });
  }

  /** One question about the job at a time: each knows the answer to the one before. */
  inTurn<T>(question: () => Promise<T>): Promise<T> {
    return this.#questions.next(question);
  }

  /** Aborts when nothing more may be done here for the job; `loss` says why. */
  get givenUp(): AbortSignal {
    return this.#givenUp.signal;
  }

  get loss(): Loss | undefined {
    // A process that stood still learns only by reading it that others have the job.
    if (this.lease.lost?.aborted) this.#giveUp(takenOver);
    return this.#loss;
  }

  /** Aborts when an operator fails the job. */
  get failing(): AbortSignal {
    return this.#failing.signal;
  }

  /** What CodePipeline gets, once an operator failed the job. */
  get failure(): Failed | undefined {
    return this.#failure;
  }

  /**
   * Tells its handler's run once it is given up or failed, or at once if it is: until another one, or none, is told. As
   * listeners of both signals that took 800 bytes of each job in flight.
   */
  whenOrdered(tell: (() => void) | undefined): void {
    this.#onOrder = tell;
    if (this.loss || this.#failure !== undefined) tell?.();
  }

  /** Applies an operator's order; false when it comes too late. */
  apply(order: Order): boolean {
    if (isOver(this.#state) || this.#loss) return false;
    if (order.kind === "release") {
      this.#giveUp(released);
      return true;
    }
    if (this.endCause || this.#failure !== undefined || this.#state === "settled") return false;
    this.#failure = failed(order.message, order.type);
    this.#failing.abort(new Error("an operator failed the job"));
    this.#onOrder?.();
    return true;
  }

  /** Resolves when the ledger has the outcome, or CodePipeline; rejects when the job ends without one. */
  outcomeRecorded(): Promise<void> {
    if (!this.#recorded) {
      this.#recorded = Promise.withResolvers<void>();
      // Usually there is no waiter: the rejection must not count as unhandled.
      this.#recorded.promise.catch(() => {});
    }
    return this.#recorded.promise;
  }

  /** Notes that a doubt was cleared. The answer may come when the job has left: then there is nothing more to note. */
  confirm(): Promise<void> {
    return this.#moves.next(async () => {
      if (isTaken(this.#state) && !this.hasLeft) await this.#note({ type: "claim-confirmed" });
    });
  }

  /** True once it has ended or was left. */
  get isEnded(): boolean {
    return this.#isEnded;
  }

  /** True once nothing more may be done here for the job: what is under way may be answered still. */
  get hasLeft(): boolean {
    return this.#isEnded || this.#loss !== undefined;
  }

  /** Nothing more happens to the job here: its outcome will not be recorded any more. */
  end(): void {
    this.#isEnded = true;
    this.#recorded?.reject(new Error("the job ended without an outcome of its handler"));
  }

  /** Records the event, then moves. Throws LedgerError, and then nothing has moved: for what must be durable first. */
  guard(event: JobEvent): Promise<void> {
    return this.#moves.next(() => this.#guard(event));
  }

  /** Moves whether or not the ledger can be written: for what has happened already. */
  note(event: JobEvent): Promise<void> {
    return this.#moves.next(() => this.#note(event));
  }

  async #guard(event: JobEvent): Promise<void> {
    const to = transition(this.#state, event);
    await this.#ledger.record(this.lease, event);
    this.#move(to, event);
  }

  async #note(event: JobEvent): Promise<void> {
    const to = transition(this.#state, event);
    // The replica that has the job now writes its row. That ours is rejected is no fault of the ledger.
    if (this.#isTakenOver) return this.#move(to, event);
    try {
      await this.#ledger.record(this.lease, event);
      if (event.type === "outcome-settled") this.#recorded?.resolve();
    } catch (error) {
      if (!this.#isTakenOver) {
        const message = error instanceof Error ? error.message : "unknown";
        this.#emit({ type: "ledger-failed", key: this.key, message });
      }
    }
    if (to === "reported") this.#recorded?.resolve();
    this.#move(to, event);
  }

  get #isTakenOver(): boolean {
    return this.#loss?.reason === "taken-over";
  }

  #giveUp(loss: Loss): void {
    if (this.#isTakenOver) return;
    this.#loss = loss;
    this.#givenUp.abort(new Error(loss.message));
    this.#onOrder?.();
  }

  #move(to: JobState, event: JobEvent): void {
    const from = this.#state;
    this.#state = to;
    this.#emit({ type: "job-changed", key: this.key, from, to, by: event.type });
  }
}

/** Runs one task after another, whether the one before succeeded or not. */
class Turns {
  #last: Promise<unknown> = Promise.resolve();

  next<T>(deed: () => Promise<T>): Promise<T> {
    const done = this.#last.then(deed);
    this.#last = done.catch(() => {});
    return done;
  }
}

/** What becomes of a job that an operator releases. */
export const released: Loss = {
  reason: "released",
  message: "released by an operator; nothing is reported; CodePipeline waits until the action times out",
};

const takenOver: Loss = {
  reason: "taken-over",
  message: "this replica's lease on the job ended; another replica takes the job over and reports it",
};
