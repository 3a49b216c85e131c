// Waiting for a promise, but no longer than a signal allows.

/**
 * Which came first: the promise's end, of either kind, or the abort. Never rejects, and leaves no listener on a signal
 * that lives for long.
 */
export function endOrAbort(promise: Promise<unknown>, signal: AbortSignal): Promise<"end" | "abort"> {
  if (signal.aborted) {
    // It is no longer awaited: its rejection must not count as unhandled.
    promise.catch(() => {});
    return Promise.resolve("abort");
  }
  return new Promise((resolve) => {
    const onAbort = () => resolve("abort");
    const onEnd = () => {
      signal.removeEventListener("abort", onAbort);
      resolve("end");
    };
    signal.addEventListener("abort", onAbort, { once: true });
    promise.then(onEnd, onEnd);
  });
}
