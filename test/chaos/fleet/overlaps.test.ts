// The fleet harness judges others, so its own judgement is tested: what counts as two handlers at work at a time, and
// what excuses it.
import { expect, it } from "vitest";
import type { JournalLine } from "../journal.js";
import { overlapsIn, type Run, runsIn, type Stall, stallsIn } from "./overlaps.js";
import { planOf } from "./plan.js";

const run = (daemon: string, fromMs: number, toMs: number): Run => ({ jobId: "job", daemon, fromMs, toMs });
const stall = (daemon: string, fromMs: number, toMs: number): Stall => ({ daemon, fromMs, toMs });
const stopMs = 1_000;

it.each<{ what: string; runs: readonly Run[]; stalls?: readonly Stall[]; overlaps: number }>([
  { what: "one after the other", runs: [run("a", 0, 10), run("b", 10, 20)], overlaps: 0 },
  { what: "two daemons at a time", runs: [run("a", 0, 10), run("b", 9, 20)], overlaps: 1 },
  { what: "one inside the other", runs: [run("a", 0, 100), run("b", 10, 20), run("c", 30, 40)], overlaps: 2 },
  {
    what: "one daemon twice, though it stood still",
    runs: [run("a", 0, 10), run("a", 9, 20)],
    stalls: [stall("a", 0, 900)],
    overlaps: 1,
  },
  {
    what: "the first stood still",
    runs: [run("a", 0, 5_500), run("b", 4_000, 9_000)],
    stalls: [stall("a", 1_000, 5_000)],
    overlaps: 0,
  },
  {
    what: "the second stood still",
    runs: [run("a", 0, 5_500), run("b", 4_000, 5_600)],
    stalls: [stall("b", 1_000, 5_000)],
    overlaps: 0,
  },
  {
    what: "somebody else stood still",
    runs: [run("a", 0, 5_500), run("b", 4_000, 9_000)],
    stalls: [stall("c", 1_000, 5_000)],
    overlaps: 1,
  },
  {
    what: "it went on for too long",
    runs: [run("a", 0, 6_100), run("b", 4_000, 9_000)],
    stalls: [stall("a", 1_000, 5_000)],
    overlaps: 1,
  },
  {
    what: "it stood still only later",
    runs: [run("a", 0, 5_500), run("b", 900, 9_000)],
    stalls: [stall("a", 1_000, 5_000)],
    overlaps: 1,
  },
  {
    what: "a stall too short to matter",
    runs: [run("a", 0, 500), run("b", 300, 900)],
    stalls: [stall("a", 200, 440)],
    overlaps: 1,
  },
])("counts $overlaps overlaps: $what", ({ runs, stalls = [], overlaps }) => {
  expect(overlapsIn(runs, stalls, stopMs)).toHaveLength(overlaps);
});

it("ends a run with its record, its daemon or its last sign of life", () => {
  const work = (atMs: number, who: string, step: string, run: string): JournalLine => ({
    atMs,
    who,
    what: "work",
    jobId: "job",
    step,
    run,
  });
  const lines: readonly JournalLine[] = [
    work(1, "a", "start", "a1"),
    work(2, "b", "start", "b1"),
    work(3, "c", "start", "c1"),
    work(5, "c", "alive", "c1"),
    work(6, "a", "end", "a1"),
    work(7, "b", "alive", "b1"),
    { atMs: 8, who: "b", what: "gone" },
    // A record that was written before and read later says nothing more.
    work(9, "b", "alive", "b1"),
  ];
  const ended = runsIn(lines).map(({ daemon, fromMs, toMs }) => [daemon, fromMs, toMs]);
  expect(ended.toSorted()).toEqual([
    ["a", 1, 6],
    ["b", 2, 7],
    ["c", 3, 5],
  ]);
});

it("knows a stall by the line that its daemon wrote after it", () => {
  expect(stallsIn([{ atMs: 900, who: "a", what: "stall", forMs: 400 }])).toEqual([stall("a", 500, 900)]);
});

it("plans the same for the same seed, and nothing for one daemon at two times at once", () => {
  for (let seed = 0; seed < 200; seed++) {
    const plan = planOf(seed);
    expect(planOf(seed)).toEqual(plan);
    for (const some of Map.groupBy(plan.deeds, (deed) => ("daemon" in deed ? deed.daemon : deed.kind)).values()) {
      for (const [n, deed] of some.entries()) {
        const before = some[n - 1];
        if (before) expect(deed.atMs).toBeGreaterThan(before.atMs + before.forMs);
      }
    }
  }
});
