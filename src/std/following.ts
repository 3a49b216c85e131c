// A signal of one's own that follows others that live longer. AbortSignal.any would do, but on Node 22 each signal that
// it makes stays in a list of its sources for as long as they live: 200 bytes a call, and every call slower than the
// last.
import { type Member, TurnoverSet } from "./turnover.js";

export interface Following extends Disposable {
  readonly signal: AbortSignal;
  /** The signal's own, to abort it alone. */
  readonly controller: AbortController;
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
  const follower = (reason: unknown) => controller.abort(reason);
  const followed: { readonly signal: AbortSignal; readonly member: Member<Follower> }[] = [];
  for (const signal of signals) {
    if (signal.aborted) follower(signal.reason);
    else followed.push({ signal, member: follow(signal, follower) });
  }
  const release = () => {
    for (const { signal, member } of followed) unfollow(signal, member);
  };
  return { signal: controller.signal, controller, [Symbol.dispose]: release };
}

type Follower = (reason: unknown) => void;

/** On the signal itself: garbage collections look at all that is kept in a WeakMap. */
const followersOf = Symbol("followers");
interface Followed extends AbortSignal {
  [followersOf]?: TurnoverSet<Follower> | undefined;
}

/**
 * All followers of a signal share one listener. Node looks through every listener of a signal to add or to remove one,
 * and thousands of jobs follow the signals of a stop.
 */
function follow(signal: Followed, follower: Follower): Member<Follower> {
  const others = signal[followersOf];
  if (others) return others.add(follower);
  const followers = new TurnoverSet<Follower>();
  signal[followersOf] = followers;
  signal.addEventListener("abort", onAbort, { once: true });
  return followers.add(follower);
}

function unfollow(signal: Followed, member: Member<Follower>): void {
  const followers = signal[followersOf];
  if (!followers?.delete(member) || followers.size > 0) return;
  signal[followersOf] = undefined;
  signal.removeEventListener("abort", onAbort);
}

function onAbort({ target }: Pick<Event, "target">): void {
  const signal = target as Followed;
  for (const follower of signal[followersOf] ?? []) follower(signal.reason);
  signal[followersOf] = undefined;
}
