// One job's slot: working, or owed while CodePipeline is waited for. slots.ts decides who may have one.
/** Slots that one poll may fill. */
export interface Reservation {
  readonly size: number;
  /** Adds what is free now, up to so many together. */
  grow(want: number): void;
  /** Makes one of them a job's slot. `undefined`: all are used. */
  use(): Slot | undefined;
  /** Gives back those that were not used. Idempotent. */
  giveBack(): void;
}

/** One job's slot: it works, it is owed while CodePipeline is waited for, or it has nothing yet. */
export interface Slot {
  readonly isWorking: boolean;
  /**
   * Gives the slot up while CodePipeline is waited for, so that other jobs may run; owed jobs hold back only the polls
   * of their own poller. A job that is to run afterwards asks for `work`.
   */
  whileWaiting<T>(wait: () => Promise<T>): Promise<T>;
  /** Gives the slot up and holds nothing: the job waits for something that holds up no other, and asks for `work` again. */
  yield(): void;
  /**
   * The owed job waits to be offered again, which only a poll can do: from now on its poller keeps one slot for polls.
   * Idempotent.
   */
  awaitOffer(): void;
  /** The right to work, in turn with all others; at once where it is held. False when the signal aborts first. */
  work(signal: AbortSignal): Promise<boolean>;
  /**
   * For a job whose result is fixed already: owed, as soon as the poller owes fewer jobs than it may run.
   * False when the signal aborts first.
   */
  owe(signal: AbortSignal): Promise<boolean>;
  /** Idempotent. */
  free(): void;
}

/** What a slot needs of all slots together. */
export interface SlotBase {
  readonly count: { working: number; owed: number; awaiting: number };
  /** In turn with all others; `undefined` when the signal aborts first. One that owes is counted when it is granted. */
  readonly wait: (kind: "work" | "owe", signal: AbortSignal) => Promise<Reservation | undefined>;
  /** Gives one slot back. */
  readonly release: () => void;
  /** Serves those who can be served now. */
  readonly serve: () => void;
}

/** A slot of a poller, held from the beginning or not. */
export function slotOf(base: SlotBase, first: "working" | "none"): Slot {
  return new PollerSlot(base, first);
}

/** A class, and not an object of closures: each job in flight holds one, and those took 1.5 KB more of it. */
class PollerSlot implements Slot {
  readonly #base: SlotBase;
  #is: "none" | "working" | "owed" | "freed";
  #isAwaiting = false;

  constructor(base: SlotBase, first: "working" | "none") {
    this.#base = base;
    this.#is = first;
    if (first === "working") base.count.working += 1;
  }

  get isWorking(): boolean {
    return this.#is === "working";
  }

  whileWaiting<T>(wait: () => Promise<T>): Promise<T> {
    if (this.#is === "working" || this.#is === "none") this.#become("owed");
    return wait();
  }

  yield(): void {
    if (this.#is === "working") this.#become("none");
  }

  awaitOffer(): void {
    if (this.#is === "freed" || this.#isAwaiting) return;
    this.#isAwaiting = true;
    this.#base.count.awaiting += 1;
    this.#base.serve();
  }

  async work(signal: AbortSignal): Promise<boolean> {
    if (this.#is === "working") return true;
    const reservation = await this.#base.wait("work", signal);
    if (!reservation) return false;
    if (this.#isFreed()) reservation.giveBack();
    else this.#become("working");
    return !this.#isFreed();
  }

  async owe(signal: AbortSignal): Promise<boolean> {
    if (this.#is !== "none") return true;
    if (!(await this.#base.wait("owe", signal))) return false;
    if (this.#isUnused()) {
      this.#is = "owed";
      return true;
    }
    this.#base.count.owed -= 1;
    this.#base.serve();
    return false;
  }

  free(): void {
    if (this.#isAwaiting) this.#base.count.awaiting -= 1;
    this.#isAwaiting = false;
    if (this.#is !== "freed") this.#become("freed");
  }

  /** It may have become so during a wait. */
  #isFreed(): boolean {
    return this.#is === "freed";
  }

  #isUnused(): boolean {
    return this.#is === "none";
  }

  #become(next: "none" | "working" | "owed" | "freed"): void {
    const { count, release, serve } = this.#base;
    const was = this.#is;
    this.#is = next;
    if (was === "owed" || was === "working") count[was] -= 1;
    if (next === "owed" || next === "working") count[next] += 1;
    if (was === "working") release();
    else if (was === "owed") serve();
  }
}
