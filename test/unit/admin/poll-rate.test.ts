import fc from "fast-check";
import { expect, it } from "vitest";
import { PollRate } from "../../../src/admin/poll-rate.js";

it("counts the polls of the last minute, whatever the gaps between them", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 90_000 }), { maxLength: 50 }), (gaps) => {
      const rate = new PollRate();
      const at: number[] = [];
      let nowMs = 1_700_000_000_000;
      for (const gap of gaps) {
        nowMs += gap;
        at.push(nowMs);
        rate.add(nowMs);
        const since = Math.floor(nowMs / 1_000) - 60;
        expect(rate.perMinute(nowMs)).toBe(at.filter((ms) => Math.floor(ms / 1_000) > since).length);
      }
      expect(rate.perMinute(nowMs + 61_000)).toBe(0);
    }),
  );
});

it.each([1_000, 30_000, 7_200_000])("counts a minute and no more when the clock is set back by %i ms", (stepMs) => {
  const rate = new PollRate();
  let nowMs = 1_700_000_000_000;
  const poll = () => {
    nowMs += 10_000;
    rate.add(nowMs);
  };
  for (let n = 0; n < 30; n++) poll();
  nowMs -= stepMs;
  for (let n = 0; n < 30; n++) poll();
  expect(rate.perMinute(nowMs)).toBe(6);
});
