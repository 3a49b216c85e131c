// What the fleet harness lets pass is tested as what it finds: each excuse by the least that must be there for it.
import { expect, it } from "vitest";
import type { JournalLine } from "../journal.js";
import { isTooBusy, isUnheard, wentWithTable } from "./excuses.js";

const line = (what: string, more: Partial<JournalLine> = {}): JournalLine => ({
  atMs: 0,
  who: "a",
  what,
  jobId: "job",
  ...more,
});
const wrote = (holder: string, state: string, said = "written") =>
  line("table write", { who: "run", holder, state, said });
const deed: JournalLine = { atMs: 0, who: "run", what: "deed table" };

it.each<{ is: boolean; what: string; lines: readonly JournalLine[] }>([
  { is: true, what: "was given back", lines: [wrote("r1", "running"), wrote("nobody", "running"), deed] },
  { is: true, what: "was given back again", lines: [wrote("nobody", "settled"), deed, wrote("nobody", "settled")] },
  { is: false, what: "was held", lines: [wrote("nobody", "running"), wrote("r2", "running"), deed] },
  { is: false, what: "was given back later", lines: [wrote("r1", "running"), deed, wrote("nobody", "running")] },
  {
    is: false,
    what: "was given back by a write that was refused",
    lines: [wrote("r1", "running"), wrote("nobody", "running", "no"), deed],
  },
  { is: false, what: "was not owed", lines: [wrote("nobody", "polled"), deed] },
  { is: false, what: "had its table", lines: [wrote("nobody", "running")] },
  { is: false, what: "is another's", lines: [{ ...wrote("nobody", "running"), jobId: "other" }, deed] },
])("says $is of a table that took a job with it which $what", ({ is, lines }) => {
  expect(wentWithTable(lines, "job")).toBe(is);
});

const settled = line("engine job-settled");
const doubted = JSON.stringify({ state: "settled", record: JSON.stringify({ claim: { is: "presumed" } }) });
const certain = JSON.stringify({ state: "settled", record: JSON.stringify({ claim: { is: "ours" } }) });

it.each<{ is: boolean; what: string; lines: readonly JournalLine[]; row?: string }>([
  { is: true, what: "others had", lines: [line("offered"), settled, line("offered", { who: "b" })] },
  { is: true, what: "nobody had", lines: [settled] },
  { is: false, what: "its holder had", lines: [settled, line("offered", { who: "b" }), line("offered")] },
  {
    is: false,
    what: "others had while it was not in doubt",
    lines: [settled, line("offered", { who: "b" })],
    row: certain,
  },
  { is: false, what: "others had before it had an outcome", lines: [line("offered", { who: "b" })] },
  {
    is: true,
    what: "the former holder had",
    lines: [line("engine job-settled", { who: "b" }), settled, line("offered", { who: "b" })],
  },
])("says $is of a job in doubt whose offers $what", ({ is, lines, row = doubted }) => {
  expect(isUnheard(lines, "job", row)).toBe(is);
});

const stalls = (count: number, forMs: number, fromMs = 1_000) =>
  Array.from({ length: count }, (_, n) => ({
    daemon: "a",
    fromMs: fromMs + n * 1_000,
    toMs: fromMs + n * 1_000 + forMs,
  }));

it.each([
  { is: false, what: "nothing stood still", all: [] },
  { is: true, what: "one daemon stood still for a third of its lease", all: stalls(1, 1_000) },
  { is: false, what: "it did so before", all: stalls(1, 1_000, -2_000) },
  { is: false, what: "some stood still for a moment", all: stalls(20, 300) },
  { is: true, what: "all of them did so all the time", all: stalls(25, 900) },
])("says $is of a machine that is too busy when $what", ({ is, all }) => {
  expect(isTooBusy(all, 0, 30_000)).toBe(is);
});
