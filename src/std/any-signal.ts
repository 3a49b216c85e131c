// One signal for several that live for long. AbortSignal.any would do, but on Node 22 each signal that it makes stays in
// a list of its sources for as long as they live: 200 bytes a call, and every call slower than the one before.

/** Aborts with the first of the signals, for its reason; hears them until it is disposed of. */
export function anySignal(signals: readonly AbortSignal[]): Disposable & { readonly signal: AbortSignal } {
  const controller = new AbortController();
  const follow = ({ target }: Pick<Event, "target">) => controller.abort((target as AbortSignal).reason);
  for (const signal of signals) {
    if (signal.aborted) follow({ target: signal });
    else signal.addEventListener("abort", follow, { once: true });
  }
  const release = () => {
    for (const signal of signals) signal.removeEventListener("abort", follow);
  };
  return { signal: controller.signal, [Symbol.dispose]: release };
}
