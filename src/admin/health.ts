// Live and ready, judged from the engine's status: pure, so that every case is a line in a table of tests.
// Live never depends on AWS; ready says whether this process takes jobs now, and if not, why.
import type { StatusSnapshot } from "../worker/status-snapshot.js";

/** What is judged: the engine's status, and how many jobs it has in hand. */
export interface HealthStatus
  extends Pick<StatusSnapshot, "atMs" | "startedAtMs" | "isDraining" | "isPaused" | "shortOfRoom"> {
  readonly pollers: readonly Pick<
    StatusSnapshot["pollers"][number],
    "region" | "actionType" | "lastGoodPollAtMs" | "nextPollAtMs" | "failures" | "lastFault"
  >[];
  readonly inFlight: number;
}

/** Whether outcomes can be recorded. */
export interface LedgerState {
  readonly writable: boolean;
  readonly reason?: string;
  readonly sinceMs?: number;
}

/** Why not, in a word for machines and a sentence for people. */
export interface HealthReason {
  readonly reason:
    | "poller-stuck"
    | "not-yet-polled"
    | "draining"
    | "paused"
    | "breaker-open"
    | "ledger-not-writable"
    | "no-room";
  readonly message: string;
}

export interface Liveness {
  readonly live: boolean;
  readonly reasons: readonly HealthReason[];
}

export interface Readiness {
  readonly ready: boolean;
  readonly reasons: readonly HealthReason[];
}

/** A poll that is so late, with nothing in its way, will not come: many times the longest rest and call. */
const stuckAfterMs = 600_000;
/** Polls that must fail in a row before a poller counts as cut off; with their rests about a minute. */
const breakerFailures = 5;

/**
 * Live unless a poller has stopped to turn. Pollers may rightly stand still in a pause, in a drain, while the ledger
 * cannot be written and while jobs are in hand, whether they hold slots or, in an outage, wait without one for their
 * results to be taken: a restart would only hurt them. Then the answer itself is the proof of life.
 */
export function live(status: HealthStatus, ledger: LedgerState): Liveness {
  const mayStandStill =
    status.isDraining || status.isPaused || status.inFlight > 0 || !ledger.writable || status.shortOfRoom !== undefined;
  if (mayStandStill) return { live: true, reasons: [] };
  const reasons = status.pollers
    .filter(({ nextPollAtMs }) => status.atMs - (nextPollAtMs ?? status.startedAtMs) > stuckAfterMs)
    .map((poller): HealthReason => ({ reason: "poller-stuck", message: `${nameOf(poller)} has stopped polling` }));
  return { live: reasons.length === 0, reasons };
}

/**
 * Ready when every poller has polled, and not all of them fail now: one Region or action type in trouble does not
 * make the others' work undone.
 */
export function ready(status: HealthStatus, ledger: LedgerState): Readiness {
  const reasons: HealthReason[] = [];
  const unpolled = status.pollers.filter(({ lastGoodPollAtMs }) => lastGoodPollAtMs === undefined);
  if (unpolled.length > 0) {
    const names = unpolled.map(nameOf).join(", ");
    reasons.push({ reason: "not-yet-polled", message: `no poll has been answered yet: ${names}` });
  }
  if (status.isDraining) reasons.push({ reason: "draining", message: "draining: no new jobs are taken" });
  if (status.isPaused) reasons.push({ reason: "paused", message: "paused: no new jobs are taken until resume" });
  const isCutOff = status.pollers.length > 0 && status.pollers.every((poller) => isBroken(poller));
  if (isCutOff) {
    const faults = status.pollers.map(({ lastFault }) => lastFault?.message ?? "no reason is known");
    reasons.push({
      reason: "breaker-open",
      message: `no poller is answered by CodePipeline: ${[...new Set(faults)].join("; ")}`,
    });
  }
  if (!ledger.writable) {
    const why = ledger.reason === undefined ? "" : `: ${ledger.reason}`;
    reasons.push({ reason: "ledger-not-writable", message: `the ledger cannot be written${why}` });
  }
  if (status.shortOfRoom !== undefined) {
    reasons.push({ reason: "no-room", message: `no room for artifacts: ${status.shortOfRoom}` });
  }
  return { ready: reasons.length === 0, reasons };
}

/** A refusal is the service's clear word at the first poll; anything else may pass, and is given a few. */
function isBroken({ failures, lastFault }: HealthStatus["pollers"][number]): boolean {
  return failures >= breakerFailures || (failures > 0 && lastFault?.kind === "denied");
}

/** How one Region's polls fare, all action types together. */
export interface RegionHealth {
  readonly region: string;
  /** None of its pollers is answered: refused, or without an answer several times in a row. */
  readonly isCutOff: boolean;
}

/** One line for each Region that is polled. */
export function regionsOf(pollers: HealthStatus["pollers"]): readonly RegionHealth[] {
  return [...new Set(pollers.map(({ region }) => region))].map((region) => ({
    region,
    isCutOff: pollers.every((poller) => poller.region !== region || isBroken(poller)),
  }));
}

function nameOf(poller: { readonly actionType: string; readonly region: string }): string {
  return `${poller.actionType} in ${poller.region}`;
}
