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

it("counts on when the clock is set back", () => {
  const rate = new PollRate();
  rate.add(1_700_000_000_000);
  rate.add(1_600_000_000_000);
  expect(rate.perMinute(1_700_000_000_000)).toBe(2);
});
