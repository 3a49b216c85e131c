// Settings of a module handler as a configuration builds them.

/** Left out, it runs in the thread of the test, where both can reach the same objects. */
export function moduleHandler(path: string, isolation: "thread" | "none" = "none") {
  return { kind: "module", path, isolation, maxMemoryBytes: 256 * 1024 * 1024 } as const;
}
