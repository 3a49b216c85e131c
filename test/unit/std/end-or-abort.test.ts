import { expect, it } from "vitest";
import { endOrAbort } from "../../../src/std/end-or-abort.js";

const never = new Promise(() => {});

it("says that the promise ended, also by a rejection", async () => {
  const { signal } = new AbortController();
  expect(await endOrAbort(Promise.resolve(), signal)).toBe("end");
  expect(await endOrAbort(Promise.reject(new Error("no")), signal)).toBe("end");
});

it("says that the signal aborted, before or while it waits", async () => {
  expect(await endOrAbort(never, AbortSignal.abort())).toBe("abort");
  const stop = new AbortController();
  const waiting = endOrAbort(never, stop.signal);
  stop.abort();
  expect(await waiting).toBe("abort");
});

it("leaves no rejection unhandled that comes after the abort", async () => {
  const unhandled: unknown[] = [];
  const listener = (reason: unknown) => unhandled.push(reason);
  process.on("unhandledRejection", listener);
  expect(await endOrAbort(Promise.reject(new Error("no")), AbortSignal.abort())).toBe("abort");
  await new Promise<void>((resolve) => setImmediate(resolve));
  process.off("unhandledRejection", listener);
  expect(unhandled).toEqual([]);
});
