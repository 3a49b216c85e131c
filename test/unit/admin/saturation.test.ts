// Which limits are reached, and that a page does not change its colour every second because of them.
import { describe, expect, it } from "vitest";
import { fullSlots, Saturation } from "../../../src/admin/saturation.js";
import type { AdminStatus } from "../../../src/admin/view.js";
import { nowMs, pollerWith, scan, statusWith } from "../../support/admin-status.js";

function statusAt(atMs: number, change: { readonly working?: number; readonly ofGroup?: number } = {}): AdminStatus {
  const { working = 0, ofGroup = working } = change;
  const group = {
    group: scan,
    busy: ofGroup,
    max: 5,
    working: ofGroup,
    owed: 0,
    waiting: 0,
    pollers: [`us-east-1 ${scan}`],
  };
  return statusWith({
    atMs,
    pollers: [pollerWith({ lastPollAtMs: nowMs - 4_000 })],
    slots: { busy: working, max: 10, working, owed: 0, groups: [group] },
  });
}

describe("slots", () => {
  it.each([
    ["none in use", {}, []],
    ["a few in use", { working: 4 }, []],
    ["all of one action type", { working: 5 }, [{ actionTypes: [scan], max: 5, lastPollAtMs: nowMs - 4_000 }]],
    ["all", { working: 10, ofGroup: 4 }, [{ actionTypes: undefined, max: 10, lastPollAtMs: nowMs - 4_000 }]],
  ])("%s", (_, change, full) => {
    expect(fullSlots(statusAt(nowMs, change))).toEqual(full);
  });

  it("that nobody polls for are no limit: paused, draining", () => {
    for (const change of [{ isPaused: true }, { isDraining: true }]) {
      expect(fullSlots({ ...statusAt(nowMs, { working: 10 }), ...change })).toEqual([]);
    }
  });
});

describe("a limit", () => {
  it("counts as reached for a while after it was, without a wait that is over", () => {
    const saturation = new Saturation();
    saturation.look(statusAt(nowMs, { working: 10 }));
    expect(saturation.look(statusAt(nowMs + 15_000))).toMatchObject([{ max: 10, lastPollAtMs: undefined }]);
    expect(saturation.look(statusAt(nowMs + 15_001))).toEqual([]);
  });

  it("is forgotten in a pause, and when the clock was set back", () => {
    const saturation = new Saturation();
    saturation.look(statusAt(nowMs, { working: 10 }));
    expect(saturation.look({ ...statusAt(nowMs + 1), isPaused: true })).toEqual([]);
    saturation.look(statusAt(nowMs, { working: 10 }));
    expect(saturation.look(statusAt(nowMs - 3_600_000))).toEqual([]);
  });
});
