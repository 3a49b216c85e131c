import { afterEach, expect, it, vi } from "vitest";
import { setHeapFlags } from "../../../src/std/heap-flags.js";

afterEach(() => {
  vi.restoreAllMocks();
});

/** The flags that are set, and those that the exit sets, when Node was started with these words. */
function given(...execArgv: string[]): { readonly now: readonly string[]; readonly atExit: readonly string[] } {
  vi.spyOn(process, "execArgv", "get").mockReturnValue(execArgv);
  const once = vi.spyOn(process, "once").mockReturnValue(process);
  const set = vi.fn<(flag: string) => void>();
  setHeapFlags(set);
  const now = set.mock.calls.map(([flag]) => flag);
  const [, atExit] = once.mock.calls.find(([event]) => event === "exit") ?? [];
  set.mockClear();
  (atExit as (() => void) | undefined)?.();
  return { now, atExit: set.mock.calls.map(([flag]) => flag) };
}

it("sets each flag, and V8's own at the exit, so that what was compiled fits the next start", () => {
  expect(given("--max-semi-space-size=16")).toEqual({
    now: ["--heap-growing-percent=40", "--no-allocation-site-pretenuring"],
    atExit: ["--heap-growing-percent=0", "--allocation-site-pretenuring"],
  });
});

it.each([
  ["--heap-growing-percent=70", ["--no-allocation-site-pretenuring"], ["--allocation-site-pretenuring"]],
  ["--heap_growing_percent=70", ["--no-allocation-site-pretenuring"], ["--allocation-site-pretenuring"]],
  ["--no-allocation-site-pretenuring", ["--heap-growing-percent=40"], ["--heap-growing-percent=0"]],
])("leaves alone what Node was started with: %s", (word, now, atExit) => {
  expect(given(word)).toEqual({ now, atExit });
});
