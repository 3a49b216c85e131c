// Whether two handlers of one job were at work at the same time: pure, from the records that handlers wrote while
// they worked. What a daemon that stood still could not help is excused, by this rule and no other.
import type { JournalLine } from "../journal.js";

/** One run of a handler. It ends with its record of the end, with its daemon, or with its last sign of life. */
export interface Run {
  readonly jobId: string;
  readonly daemon: string;
  readonly fromMs: number;
  readonly toMs: number;
}

/** A time in which a daemon stood still: it was stopped, or had no processor. */
export interface Stall {
  readonly daemon: string;
  readonly fromMs: number;
  readonly toMs: number;
}

export interface Overlap {
  readonly first: Run;
  readonly second: Run;
  readonly fromMs: number;
  readonly toMs: number;
}

/** Others wait so much longer than a lease before they take over: a shorter stall must not matter. */
const stallMinMs = 250;

/**
 * Overlaps that nothing excuses. A daemon that stands still cannot stop its handlers: commands run on, and others may
 * take the job over. It has to stop them as soon as it goes on, so an overlap is excused that lies between the
 * beginning of a stall of one of the two daemons and `stopMs` after the stall's end. Two runs in one daemon have no excuse.
 */
export function overlapsIn(runs: readonly Run[], stalls: readonly Stall[], stopMs: number): readonly Overlap[] {
  const long = stalls.filter(({ fromMs, toMs }) => toMs - fromMs >= stallMinMs);
  const isExcused = ({ first, second, fromMs, toMs }: Overlap) =>
    first.daemon !== second.daemon &&
    long.some(
      (stall) =>
        (stall.daemon === first.daemon || stall.daemon === second.daemon) &&
        fromMs >= stall.fromMs &&
        toMs <= stall.toMs + stopMs,
    );
  return [...Map.groupBy(runs, ({ jobId }) => jobId).values()].flatMap((ofJob) => {
    const inOrder = ofJob.toSorted((a, b) => a.fromMs - b.fromMs);
    return inOrder
      .flatMap((first, at) =>
        inOrder.slice(at + 1).map((second) => ({
          first,
          second,
          fromMs: second.fromMs,
          toMs: Math.min(first.toMs, second.toMs),
        })),
      )
      .filter((overlap) => overlap.toMs > overlap.fromMs && !isExcused(overlap));
  });
}

/** The runs of handlers: lines `work` with a step of `start`, `alive` or `end`; a line `gone` ends all of a daemon's. */
export function runsIn(lines: readonly JournalLine[]): readonly Run[] {
  const runs: Run[] = [];
  const open = new Map<string, { run: Run }>();
  const close = (name: string) => {
    const found = open.get(name);
    if (found) runs.push(found.run);
    open.delete(name);
  };
  for (const { what, atMs, who, jobId = "", step, run } of lines) {
    if (what === "gone") for (const [name, { run: left }] of open) if (left.daemon === who) close(name);
    if (what !== "work") continue;
    const name = String(run);
    if (step === "start") open.set(name, { run: { jobId, daemon: who, fromMs: atMs, toMs: atMs } });
    const found = open.get(name);
    if (found) found.run = { ...found.run, toMs: Math.max(found.run.toMs, atMs) };
    if (step === "end") close(name);
  }
  for (const name of [...open.keys()]) close(name);
  return runs;
}

/** Lines `stall`, written by the daemon that noticed that it had stood still, or by the parent that had stopped it. */
export function stallsIn(lines: readonly JournalLine[]): readonly Stall[] {
  return lines
    .filter(({ what }) => what === "stall")
    .map(({ who, atMs, forMs }) => ({ daemon: who, fromMs: atMs - Number(forMs), toMs: atMs }));
}
