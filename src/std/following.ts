// A signal of one's own that follows others that live longer. AbortSignal.any would do, but on Node 22 each signal that
// it makes stays in a list of its sources for as long as they live: 200 bytes a call, and every call slower than the
// last.

export interface Following extends Disposable {
  readonly signal: AbortSignal;
  /** The signal's own, to abort it alone. */
  readonly controller: AbortController;
}

/** Hears of an abort, with its reason. An AbortController is one. */
export interface Follower {
  abort(reason: unknown): void;
}

/** Gives a task the signal that follows others, for as long as it runs. */
export async function whileFollowing<T>(
  signals: readonly AbortSignal[],
  task: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const own = following(...signals);
  try {
    return await task(own.signal);
  } finally {
    own[Symbol.dispose]();
  }
}

/** Aborts with the first of the signals, for its reason; follows them until it is disposed of. */
export function following(...signals: readonly AbortSignal[]): Following {
  const controller = new AbortController();
  return new OwnSignal(
    controller,
    signals.map((signal) => follow(signal, controller)),
  );
}

/** Tells the follower once the signal aborts, or at once if it has; until it is disposed of. */
export function follow(signal: AbortSignal, follower: Follower): Disposable {
  const link = new Link(signal, follower);
  if (signal.aborted) follower.abort(signal.reason);
  else link.join();
  return link;
}

/** A class, as is Link: each job in flight holds several, and as closures they took three times as much of it. */
class OwnSignal implements Following {
  readonly controller: AbortController;
  readonly #links: readonly Disposable[];

  constructor(controller: AbortController, links: readonly Disposable[]) {
    this.controller = controller;
    this.#links = links;
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  [Symbol.dispose](): void {
    for (const link of this.#links) link[Symbol.dispose]();
  }
}

/** On the signal itself: garbage collections look at all that is kept in a WeakMap. */
const followersOf = Symbol("followers");
interface Followed extends AbortSignal {
  [followersOf]?: { first: Link; last: Link } | undefined;
}

/**
 * All followers of a signal share one listener. Node looks through every listener of a signal to add or to remove one,
 * and thousands of jobs follow the signals of a stop. They are a list that each can leave by itself, in the order in which
 * they came: a Set for the one follower of a job's own signal took 250 bytes of the job.
 */
class Link implements Disposable {
  readonly #signal: Followed;
  readonly #follower: Follower;
  #isIn = false;
  #before: Link | undefined;
  #after: Link | undefined;

  constructor(signal: AbortSignal, follower: Follower) {
    this.#signal = signal;
    this.#follower = follower;
  }

  join(): void {
    const signal = this.#signal;
    const others = signal[followersOf];
    this.#isIn = true;
    if (others) {
      this.#before = others.last;
      others.last.#after = this;
      others.last = this;
    } else {
      signal[followersOf] = { first: this, last: this };
      signal.addEventListener("abort", onAbort, { once: true });
    }
  }

  abort(reason: unknown): void {
    this[Symbol.dispose]();
    this.#follower.abort(reason);
  }

  [Symbol.dispose](): void {
    const all = this.#signal[followersOf];
    if (!this.#isIn || !all) return;
    const [before, after] = [this.#before, this.#after];
    // A link that has left must lead to nothing: one that has grown old would keep all that came later.
    this.#isIn = false;
    this.#before = undefined;
    this.#after = undefined;
    if (before) before.#after = after;
    if (after) after.#before = before;
    if (before && after) return;
    if (after) all.first = after;
    else if (before) all.last = before;
    else {
      this.#signal[followersOf] = undefined;
      this.#signal.removeEventListener("abort", onAbort);
    }
  }
}

function onAbort({ target }: Pick<Event, "target">): void {
  const signal = target as Followed;
  for (let next = signal[followersOf]; next; next = signal[followersOf]) next.first.abort(signal.reason);
}
