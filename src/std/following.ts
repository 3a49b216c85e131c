// A signal of one's own that follows others that live longer. AbortSignal.any would do, but on Node 22 each signal that
// it makes stays in a list of its sources for as long as they live: 200 bytes a call, and every call slower than the
// last.

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
  const follow = ({ target }: Pick<Event, "target">) => controller.abort((target as AbortSignal).reason);
  for (const signal of signals) {
    if (signal.aborted) follow({ target: signal });
    else signal.addEventListener("abort", follow, { once: true });
  }
  const release = () => {
    for (const signal of signals) signal.removeEventListener("abort", follow);
  };
  return { signal: controller.signal, controller, [Symbol.dispose]: release };
}
