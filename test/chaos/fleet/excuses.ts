// What excuses a fleet for a job that is not over when its run ends: what nobody could have helped, and what takes longer
// than a run. From the journal and the rows that are left.
import type { JournalLine } from "../journal.js";
import type { Stall } from "./overlaps.js";
import { daemons, leaseMs } from "./plan.js";

/** A daemon that stands still for so long may lose its lease by no fault of its own. */
const busyStallMs = leaseMs / 3;
/** Daemons that stand still for so much of the time, however short each stall, are slower than a nonce lives. */
const busyShare = 0.25;

/** True when the machine was too busy, from then to now, for anybody to be in time. */
export function isTooBusy(stalls: readonly Stall[], sinceMs: number, nowMs: number): boolean {
  const tooks = stalls.filter(({ toMs }) => toMs > sinceMs).map(({ fromMs, toMs }) => toMs - fromMs);
  const sumMs = tooks.reduce((sum, each) => sum + each, 0);
  return tooks.some((each) => each >= busyStallMs) || sumMs >= busyShare * daemons * (nowMs - sinceMs);
}

/**
 * True for a job that was only presumed its replica's when its result's answer was lost: a refusal says nothing then, and
 * it is owed until an offer that never comes is waited for no more, which takes longer than a run.
 */
export function isInDoubt(row: string): boolean {
  const { state, record } = JSON.parse(row) as Record<string, string>;
  const { claim } = JSON.parse(record ?? "{}") as { claim?: { is: string } };
  return state === "settled" && claim?.is === "presumed";
}

/**
 * True for a job in doubt whose offers others had: its result waits for one that comes to its holder. Who of a fleet is
 * offered a job is chance; after ten minutes without one the job is anybody's again.
 */
export function isUnheard(lines: readonly JournalLine[], jobId: string, row: string): boolean {
  const own = lines.filter((line) => line.jobId === jobId);
  const at = own.findLastIndex(({ what }) => what === "engine job-settled");
  const offers = own.slice(at + 1).filter(({ what }) => what === "offered");
  return isInDoubt(row) && at >= 0 && offers.every(({ who }) => who !== own[at]?.who);
}

/**
 * True for a job that was nobody's when the table was deleted: its replica had given it back, on a machine too busy for
 * its heartbeats, and no other had it yet. Only those who hold a job write its row again.
 */
export function wentWithTable(lines: readonly JournalLine[], jobId: string): boolean {
  const at = lines.findIndex(({ what }) => what === "deed table");
  const own = lines.slice(0, Math.max(at, 0)).filter((line) => line.jobId === jobId);
  const last = own.findLast((line) => line.what === "table write" && line["said"] === "written");
  return last?.["holder"] === "nobody" && owed.includes(String(last["state"]));
}

const owed = ["acknowledging", "running", "settled"];
