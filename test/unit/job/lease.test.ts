// The lease by its table, and against a table in DynamoDB whose answers get lost and come late: whatever order things
// come in, a job is worked by one replica, and no row stays under the name of a replica that does not know of it.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type LeaseEventType,
  type LeaseState,
  leaseAfter,
  leaseMoves,
  leasePace,
  leastLeaseMs,
  mayBeOurRow,
  mayWork,
  mustBeGivenAway,
  takeoverMs,
} from "../../../src/job/lease.js";

const states = Object.keys(leaseMoves) as LeaseState[];
const events: readonly LeaseEventType[] = [
  "sent",
  "answered",
  "refused",
  "no-answer",
  "lapsing",
  "given-back",
  "written",
];

describe("each event in each state", () => {
  it("moves as the table says, and changes nothing that the table does not name", () => {
    for (const state of states) {
      for (const event of events) expect(leaseAfter(state, event)).toBe(leaseMoves[state][event] ?? state);
    }
  });

  it.each<readonly [string, readonly LeaseEventType[], LeaseState]>([
    ["is held by the table's answer alone", ["sent", "answered"], "held"],
    ["is another's by the table's answer alone", ["sent", "refused"], "free"],
    ["is unsure when no answer comes", ["sent", "no-answer"], "unsure"],
    ["stays unsure although the answer comes late", ["sent", "no-answer", "answered"], "unsure"],
    ["is settled by a write", ["sent", "no-answer", "written"], "free"],
    ["is not begun under a name that runs out", ["sent", "lapsing", "answered"], "unsure"],
    ["ends before the name does", ["sent", "answered", "lapsing"], "stopping"],
    ["is not worked again once it was told to stop", ["sent", "answered", "lapsing", "answered"], "stopping"],
    ["is still ours until the row says otherwise", ["sent", "answered", "given-back"], "released"],
    ["is free when the row says so", ["sent", "answered", "lapsing", "given-back", "written"], "free"],
    ["is lost to another", ["sent", "answered", "refused"], "lost"],
    ["is not ours to give away once lost", ["sent", "answered", "refused", "given-back"], "free"],
  ])("a lease %s", (_what, story, expected) => {
    expect(story.reduce(leaseAfter, "free" as LeaseState)).toBe(expected);
  });

  it("reaches every state from free, and free from every state", () => {
    const reached = (from: LeaseState) => {
      const seen = new Set<LeaseState>([from]);
      for (const state of seen) for (const to of Object.values(leaseMoves[state])) seen.add(to);
      return [...seen].sort();
    };
    for (const state of states) expect(reached(state)).toEqual([...states].sort());
  });

  it("says what may be done in each state", () => {
    expect(states.filter(mayWork)).toEqual(["held"]);
    expect(states.filter(mustBeGivenAway)).toEqual(["unsure", "released"]);
    expect(states.filter((state) => !mayBeOurRow(state))).toEqual(["free", "lost"]);
  });
});

/** A row: whose it is, by which write. Writes may arrive long after they were given up. */
class Row {
  holder: "nobody" | number = "nobody";
  version = 0;
  readonly late: (() => void)[] = [];

  /** A write that expects the row as it was read; true when it was done. */
  swap(version: number, holder: "nobody" | number): boolean {
    if (version !== this.version) return false;
    this.version += 1;
    this.holder = holder;
    return true;
  }
}

it("is held by one of three replicas at a time, and no row stays with one that does not work it", () => {
  const step = fc.record({
    who: fc.nat(2),
    what: fc.constantFrom("act", "act, answer lost", "act, arrives late", "give back", "late write", "lapse"),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const row = new Row();
      const leases: LeaseState[] = ["free", "free", "free"];
      /** What the row was before the take, and what the take makes it: either is given away. */
      const before = [0, 0, 0];
      const move = (who: number, event: LeaseEventType) => {
        leases[who] = leaseAfter(leases[who] ?? "free", event);
      };
      const act = (who: number, how: string) => {
        const state = leases[who] ?? "free";
        const isTake = state === "free" && row.holder === "nobody";
        if (!isTake && !mustBeGivenAway(state)) return;
        if (isTake) {
          before[who] = row.version;
          move(who, "sent");
        }
        const expected = isTake ? row.version : row.holder === who ? row.version : (before[who] ?? 0);
        const write = () => row.swap(expected, isTake ? who : "nobody");
        if (how === "act, arrives late") {
          row.late.push(write);
          return move(who, "no-answer");
        }
        const isDone = write();
        if (how === "act, answer lost") return move(who, "no-answer");
        move(who, isDone ? (isTake ? "answered" : "written") : "refused");
      };
      for (const { who, what } of steps) {
        if (what === "give back") move(who, "given-back");
        else if (what === "lapse") move(who, "lapsing");
        else if (what === "late write") row.late.shift()?.();
        else act(who, what);
        expect(leases.filter(mayWork).length).toBeLessThanOrEqual(1);
        for (const [at, state] of leases.entries()) if (mayWork(state)) expect(row.holder).toBe(at);
        if (row.holder !== "nobody") expect(mayBeOurRow(leases[row.holder] ?? "free")).toBe(true);
      }
      // Once answers come, all of it comes to rest, and what arrives late changes nothing.
      for (const who of leases.keys()) {
        move(who, "given-back");
        if (leases[who] !== "free") act(who, "act");
      }
      for (const write of row.late) write();
      expect(leases).toEqual(["free", "free", "free"]);
      expect(row.holder).toBe("nobody");
    }),
    { numRuns: 3_000 },
  );
});

describe("the times of a lease", () => {
  const grace = fc.integer({ min: 0, max: 300_000 });

  it("leave handlers their grace before others take over, and others time before lease and 5 s are over", () => {
    fc.assert(
      fc.property(grace, fc.integer({ min: 0, max: 600_000 }), (graceMs, moreMs) => {
        const leaseMs = Math.max(5_000, leastLeaseMs(graceMs)) + moreMs;
        const { heldMs, workMs, beatMs, lookMs } = leasePace(leaseMs, graceMs);
        expect([heldMs, workMs, beatMs, lookMs].every(Number.isSafeInteger)).toBe(true);
        expect(workMs + graceMs).toBeLessThan(heldMs);
        expect(workMs).toBeGreaterThanOrEqual(3_000 - 1);
        // One heartbeat may be lost.
        expect(beatMs * 2).toBeLessThan(workMs);
        expect(lookMs + heldMs).toBeLessThan(leaseMs + takeoverMs);
      }),
    );
  });

  it.each([
    [0, 1_000],
    [2_000, 3_000],
    [5_000, 6_000],
    [20_000, 27_000],
    [60_000, 68_000],
  ])("need, for a grace of %i ms, a lease of %i ms at the least", (graceMs, leastMs) => {
    expect(leastLeaseMs(graceMs)).toBe(leastMs);
    const { heldMs, workMs } = leasePace(leastMs - 1_000, graceMs);
    expect(workMs < 3_000 || workMs + graceMs + 500 > heldMs).toBe(true);
  });

  it("are these by default", () => {
    expect(leasePace(30_000, 5_000)).toEqual({ heldMs: 26_000, workMs: 20_500, beatMs: 8_200, lookMs: 8_000 });
  });
});
