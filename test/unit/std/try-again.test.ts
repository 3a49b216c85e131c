import { expect, it } from "vitest";
import { tryAgain } from "../../../src/std/try-again.js";
import { FakeClock, settle } from "../../support/fake-clock.js";

function given(passes: (error: unknown) => boolean = () => true) {
  const clock = new FakeClock();
  const abort = new AbortController();
  let calls = 0;
  const state = { fails: true };
  const work = async () => {
    calls += 1;
    if (state.fails) throw new Error(`attempt ${calls}`);
    return "done";
  };
  const end = tryAgain({ clock, signal: abort.signal, restMs: 100, maxMs: 1_000, passes }, work);
  end.catch(() => {});
  return { clock, abort, state, end, calls: () => calls };
}

it("gives what the first attempt that succeeds gives", async () => {
  const { clock, state, end, calls } = given();
  await settle();
  state.fails = false;
  await clock.advance(100);
  expect([await end, calls()]).toEqual(["done", 2]);
});

it("throws the last error once its time is over", async () => {
  const { clock, end, calls } = given();
  for (let n = 0; n < 12; n++) await clock.advance(100);
  await expect(end).rejects.toThrow(`attempt ${calls()}`);
  expect(calls()).toBe(11);
});

it("throws at once what does not pass, and when it is aborted", async () => {
  const strange = given(() => false);
  await expect(strange.end).rejects.toThrow("attempt 1");
  const aborted = given();
  await settle();
  aborted.abort.abort();
  await expect(aborted.end).rejects.toThrow("attempt 1");
});
