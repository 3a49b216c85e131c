// One signal for several: the first one's reason, and nothing left on those that live on.
import { getEventListeners } from "node:events";
import { expect, it, vi } from "vitest";
import { follow, following, whileFollowing } from "../../../src/std/following.js";

it.each([
  ["before", true],
  ["after", false],
])("aborts for the reason of the first that aborts, %s it is made", (_when, isBefore) => {
  const [first, second] = [new AbortController(), new AbortController()];
  const reason = new Error("draining");
  if (isBefore) second.abort(reason);
  const { signal } = following(first.signal, second.signal);
  if (!isBefore) second.abort(reason);
  first.abort(new Error("too late"));
  expect([signal.aborted, signal.reason]).toEqual([true, reason]);
});

it("leaves no listener behind, and hears nothing more, once it is disposed of", () => {
  const sources = [new AbortController(), new AbortController()];
  const signals = sources.map(({ signal }) => signal);
  const own = following(...signals);
  expect(signals.map((signal) => getEventListeners(signal, "abort").length)).toEqual([1, 1]);
  own[Symbol.dispose]();
  expect(signals.map((signal) => getEventListeners(signal, "abort").length)).toEqual([0, 0]);
  sources[0]?.abort();
  expect(own.signal.aborted).toBe(false);
});

it("puts one listener on a signal, however many follow it, and aborts all that still do", () => {
  const source = new AbortController();
  const added = vi.spyOn(source.signal, "addEventListener");
  const owns = Array.from({ length: 1_000 }, () => following(source.signal));
  expect([added.mock.calls.length, getEventListeners(source.signal, "abort").length]).toEqual([1, 1]);
  const [left, stayed] = [owns.slice(0, 500), owns.slice(500)];
  for (const own of left) own[Symbol.dispose]();
  const reason = new Error("draining");
  // One that leaves because another was aborted, before its own turn.
  stayed[0]?.signal.addEventListener("abort", () => stayed[1]?.[Symbol.dispose]());
  source.abort(reason);
  expect(left.some(({ signal }) => signal.aborted)).toBe(false);
  expect(stayed.map(({ signal }) => signal.reason)).toEqual([reason, undefined, ...Array(498).fill(reason)]);
  for (const own of stayed) own[Symbol.dispose]();
  expect(getEventListeners(source.signal, "abort").length).toBe(0);
});

it("tells followers in the order in which they came, wherever others have left", () => {
  const source = new AbortController();
  const heard: string[] = [];
  const join = (name: string) => follow(source.signal, { abort: (reason) => heard.push(`${name} ${reason}`) });
  const [a, , c, , e] = ["a", "b", "c", "d", "e"].map(join);
  // First, last and between; leaving twice leaves the others alone.
  for (const left of [a, c, e, c]) left?.[Symbol.dispose]();
  join("f");
  source.abort("now");
  join("late");
  expect(heard).toEqual(["b now", "d now", "f now", "late now"]);
  expect(getEventListeners(source.signal, "abort").length).toBe(0);
});

it.each(["resolves", "rejects"])("gives a task its signal until the task %s", async (how) => {
  const source = new AbortController();
  const listeners = () => getEventListeners(source.signal, "abort").length;
  const given = Promise.withResolvers<AbortSignal>();
  const end = Promise.withResolvers<string>();
  const task = whileFollowing([source.signal], (signal) => {
    given.resolve(signal);
    return end.promise;
  });
  const signal = await given.promise;
  expect([signal.aborted, listeners()]).toEqual([false, 1]);
  if (how === "resolves") end.resolve("done");
  else end.reject(new Error("done"));
  expect(await task.catch((error: Error) => error.message)).toBe("done");
  source.abort();
  expect([signal.aborted, listeners()]).toEqual([false, 0]);
});
