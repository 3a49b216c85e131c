// A limit of this process: what is left of it goes by the monotonic clock, what it is called goes by the wall clock.
import { expect, it } from "vitest";
import { Deadline } from "../../../src/std/deadline.js";
import { FakeClock } from "../../support/fake-clock.js";

it.each([7_200_000, -7_200_000])(
  "has as much left after a step of the wall clock by %i ms, and is told by the new time",
  async (step) => {
    const clock = new FakeClock();
    const deadline = Deadline.in(clock, 60_000);
    await clock.advance(20_000);
    clock.step(step);
    expect(deadline.leftMs()).toBe(40_000);
    expect(deadline.wallMs()).toBe(clock.now() + 40_000);
    await clock.advance(40_000);
    expect(deadline.leftMs()).toBe(0);
    expect(deadline.wallMs()).toBe(clock.now());
  },
);

it("made of a wall time goes by the wall clock of that moment only", async () => {
  const clock = new FakeClock();
  const deadline = Deadline.at(clock, clock.now() + 60_000);
  clock.step(3_600_000);
  expect(deadline.leftMs()).toBe(60_000);
});

it("that is over has nothing left, and says when it ended", async () => {
  const clock = new FakeClock();
  const endedMs = clock.now() - 1_500;
  const deadline = Deadline.at(clock, endedMs);
  await clock.advance(1_000);
  expect(deadline.leftMs()).toBe(0);
  expect(deadline.wallMs()).toBe(endedMs);
});

it("is told in whole milliseconds", () => {
  const clock = { ...new FakeClock(), now: () => 1_000, monotonic: () => 0.25 } as unknown as FakeClock;
  expect(Deadline.in(clock, 10.4).wallMs()).toBe(1_010);
});
