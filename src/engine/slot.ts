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
export function slotOf({ count, wait, release, serve }: SlotBase, first: "working" | "none"): Slot {
  let is: "none" | "working" | "owed" | "freed" = first;
  let isAwaiting = false;
  if (first === "working") count.working += 1;
  const isFreed = () => is === "freed";
  const become = (next: typeof is): void => {
    const was = is;
    is = next;
    if (was === "owed" || was === "working") count[was] -= 1;
    if (next === "owed" || next === "working") count[next] += 1;
    if (was === "working") release();
    else if (was === "owed") serve();
  };
  return {
    get isWorking() {
      return is === "working";
    },
    whileWaiting: (again) => {
      if (is === "working" || is === "none") become("owed");
      return again();
    },
    yield: () => {
      if (is === "working") become("none");
    },
    awaitOffer: () => {
      if (is === "freed" || isAwaiting) return;
      isAwaiting = true;
      count.awaiting += 1;
      serve();
    },
    work: async (signal) => {
      if (is === "working") return true;
      const reservation = await wait("work", signal);
      if (!reservation) return false;
      if (isFreed()) reservation.giveBack();
      else become("working");
      return !isFreed();
    },
    owe: async (signal) => {
      if (is !== "none") return true;
      if (!(await wait("owe", signal))) return false;
      if (is === "none") {
        is = "owed";
        return true;
      }
      count.owed -= 1;
      serve();
      return false;
    },
    free: () => {
      if (isAwaiting) count.awaiting -= 1;
      isAwaiting = false;
      if (is !== "freed") become("freed");
    },
  };
}
