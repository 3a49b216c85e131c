// Live and ready, judged from the engine's status: pure, so that every case is a line in a table of tests.
// Live never depends on AWS; ready says whether this process takes jobs now, and if not, why.
import type { PollerLoop } from "../engine/poller.js";
import { pauseText, type SeenFleet } from "../job/fleet.js";
import { placeName, placeOf, placeText } from "../job/job.js";
import type { StatusSnapshot } from "./status-snapshot.js";
import { durationText } from "./times.js";

/** What readiness is judged by: the engine's status. */
export interface HealthStatus extends Pick<StatusSnapshot, "isDraining" | "isPaused" | "shortOfRoom" | "shortage"> {
  readonly pollers: readonly Pick<
    StatusSnapshot["pollers"][number],
    "account" | "region" | "actionType" | "query" | "lastPollAtMs" | "lastGoodPollAtMs" | "failures" | "lastFault"
  >[];
  readonly denials: readonly DeniedCall[];
  /** Absent: they are not watched. */
  readonly handlers?: readonly HandlerHealth[];
  /** Absent: this process is alone. */
  readonly fleet?: Pick<SeenFleet, "pause">;
}

/** One handler, by its breaker; `half-open`: one job is let through to see whether it works again. */
export interface HandlerHealth {
  readonly handler: string;
  readonly state: "closed" | "half-open" | "open";
  /** Since when it is not closed, in ms since the epoch, and why. */
  readonly broken?: { readonly sinceMs: number; readonly code: string; readonly message: string } | undefined;
  /** Those whose jobs need it. */
  readonly pollers: readonly PollerPlace[];
}

/** Names a poller; without `query`, all pollers of the action type that ask for something. */
export interface PollerPlace {
  readonly account?: string | undefined;
  readonly region: string;
  readonly actionType: string;
  readonly query?: string | undefined;
}

/** A call of a poller, or of its jobs, that CodePipeline denies now. */
export interface DeniedCall extends PollerPlace {
  readonly operation: string;
  readonly message: string;
}

/** What liveness is judged by: what each polling loop does now, and what may rightly keep it. */
export interface LoopsStatus extends Pick<StatusSnapshot, "isDraining" | "isPaused"> {
  readonly loops: readonly PollerLoop[];
  /** Jobs in hand. */
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
    | "fleet-paused"
    | "breaker-open"
    | "handler-broken"
    | "ledger-not-writable"
    | "no-room"
    | "machine-short";
  readonly message: string;
}

export interface Liveness {
  readonly live: boolean;
  readonly reasons: readonly HealthReason[];
}

/** What is worth knowing although it makes nothing unready. */
export interface HealthNote {
  readonly note: "poller-unanswered" | "call-denied" | "handler-broken";
  readonly message: string;
}

export interface Readiness {
  readonly ready: boolean;
  readonly reasons: readonly HealthReason[];
  readonly notes: readonly HealthNote[];
}

/** A step that is so late, with nothing in its way, will not come: twice the longest call that can be configured. */
const stuckAfterMs = 600_000;
/** Polls that must fail in a row before a poller counts as cut off; with their rests about a minute. */
const breakerFailures = 5;

/**
 * Live unless a polling loop has stopped to turn: its next step has been due for long and nothing keeps it. All by the
 * monotonic clock, and from the end of whatever kept the loop, since each reports itself when it continues.
 */
export function live(status: LoopsStatus, ledger: LedgerState): Liveness {
  const stuck = status.loops.filter((loop) => loop.overdueMs > stuckAfterMs && !mayStandStill(loop, status, ledger));
  const reasons = stuck.map((loop): HealthReason => {
    const where = `${loop.doing.replaceAll("-", " ")}, overdue for ${durationText(loop.overdueMs)}`;
    return { reason: "poller-stuck", message: `${nameOf(loop)} has stopped polling (${where})` };
  });
  return { live: reasons.length === 0, reasons };
}

const holdsSlots: ReadonlySet<PollerLoop["doing"]> = new Set(["gathering-slots", "polling"]);

/** True when a restart would only hurt: what keeps the loop is known, and has its own end. */
function mayStandStill({ doing }: PollerLoop, status: LoopsStatus, ledger: LedgerState): boolean {
  if (status.isDraining) return true;
  switch (doing) {
    case "at-gate":
      // Whatever else closes the gate is looked at all the time, which counts as a step.
      return status.isPaused;
    case "waiting-for-slot":
      // Slots are held by jobs, or by polls, which have their own limits.
      return status.inFlight > 0 || status.loops.some((loop) => holdsSlots.has(loop.doing));
    case "waiting-for-rate":
      // CodePipeline throttles; each call has its turn.
      return true;
    case "starting":
    case "polling":
      // What was left is read from the ledger, and what a poll brings is written to it.
      return !ledger.writable;
    case "gathering-slots":
    case "resting":
      return false;
    case "ended":
      return true;
  }
}

/**
 * Ready when every poller has polled, with whatever result, and not all of them fail now: one account, Region or action
 * type in trouble does not make the others' work undone. It is noted.
 */
export function ready(status: HealthStatus, ledger: LedgerState): Readiness {
  const reasons: HealthReason[] = [];
  const unpolled = status.pollers.filter(({ lastPollAtMs }) => lastPollAtMs === undefined);
  if (unpolled.length > 0) {
    const names = unpolled.map(nameOf).join(", ");
    reasons.push({ reason: "not-yet-polled", message: `no poll has been made yet: ${names}` });
  }
  if (status.isDraining) reasons.push({ reason: "draining", message: "draining: not accepting jobs" });
  if (status.isPaused) reasons.push({ reason: "paused", message: "paused: not accepting jobs until resume" });
  const { pause } = status.fleet ?? {};
  if (pause) {
    const message = `${pauseText(pause)}: not accepting jobs until partnerd fleet resume`;
    reasons.push({ reason: "fleet-paused", message });
  }
  const troubles = status.pollers.flatMap((poller) => troubleOf(poller, status) ?? []);
  const isCutOff = troubles.length > 0 && troubles.length === status.pollers.length;
  if (isCutOff) reasons.push(...cutOff(troubles));
  if (!ledger.writable) {
    const why = ledger.reason === undefined ? "" : `: ${ledger.reason}`;
    reasons.push({ reason: "ledger-not-writable", message: `the ledger is not writable${why}` });
  }
  if (status.shortOfRoom !== undefined) {
    reasons.push({ reason: "no-room", message: `low disk space: ${status.shortOfRoom}` });
  }
  if (status.shortage !== undefined) {
    reasons.push({ reason: "machine-short", message: `out of resources: ${status.shortage.reason}` });
  }
  const notes = (isCutOff ? [] : troubles).map(({ poller, note, why }): HealthNote => {
    return { note, message: `${nameOf(poller)}: ${why}` };
  });
  return { ready: reasons.length === 0, reasons, notes };
}

type PollerHealth = HealthStatus["pollers"][number];

interface Trouble {
  readonly poller: PollerHealth;
  readonly note: HealthNote["note"];
  readonly why: string;
}

/** Why no poller takes jobs: CodePipeline, the handlers, or some of both. */
function cutOff(troubles: readonly Trouble[]): readonly HealthReason[] {
  const { ours = [], theirs = [] } = Object.groupBy(troubles, ({ note }) =>
    note === "handler-broken" ? "ours" : "theirs",
  );
  const reasonOf = (reason: HealthReason["reason"], some: readonly Trouble[]): readonly HealthReason[] => {
    const faults = [...new Set(some.map(({ why }) => why))].join("; ");
    return some.length === 0 ? [] : [{ reason, message: `no action type works: ${faults}` }];
  };
  return [...reasonOf("breaker-open", theirs), ...reasonOf("handler-broken", ours)];
}

/** Why no job of the poller can be worked now; `undefined`: nothing is known to stop them. */
function troubleOf(poller: PollerHealth, { denials, handlers = [] }: HealthStatus): Trouble | undefined {
  const denied = denials.filter((denial) => isFor(denial, poller));
  if (denied.length > 0) {
    const why = denied.map(({ operation, message }) => `CodePipeline denied ${operation} (${message})`).join("; ");
    return { poller, note: "call-denied", why } as const;
  }
  const broken = handlers.find(({ state, pollers }) => state === "open" && pollers.some((each) => isFor(each, poller)));
  if (broken) {
    const why = `handler ${broken.handler} is broken (${broken.broken?.message ?? "no reason is known"})`;
    return { poller, note: "handler-broken", why };
  }
  if (!isBroken(poller) && !isYetToBeAnswered(poller)) return undefined;
  const why = `CodePipeline does not answer its polls (${poller.lastFault?.message ?? "no reason is known"})`;
  return { poller, note: "poller-unanswered", why } as const;
}

/** It polls in vain since the start: not even a few failures are weather then. */
function isYetToBeAnswered({ failures, lastGoodPollAtMs }: PollerHealth): boolean {
  return failures > 0 && lastGoodPollAtMs === undefined;
}

/** A refusal is the service's clear word at the first poll; anything else may pass, and is given a few. */
function isBroken({ failures, lastFault }: PollerHealth): boolean {
  return failures >= breakerFailures || (failures > 0 && lastFault?.kind === "denied");
}

/** How one account's polls of one Region fare, all action types together. */
export interface PlaceHealth {
  readonly account?: string;
  readonly region: string;
  /** None of its pollers is answered: refused, or without an answer several times in a row. */
  readonly isCutOff: boolean;
}

/** One line for each place that is polled. */
export function placesOf(pollers: HealthStatus["pollers"]): readonly PlaceHealth[] {
  return [...Map.groupBy(pollers, placeName).values()].flatMap((here) =>
    here.slice(0, 1).map((poller) => ({ ...placeOf(poller), isCutOff: here.every(isBroken) })),
  );
}

/** True when what is said of the one holds for the other. */
function isFor(said: PollerPlace, poller: PollerPlace): boolean {
  const isSameType = placeName(said) === placeName(poller) && said.actionType === poller.actionType;
  return isSameType && (said.query === undefined || said.query === poller.query);
}

function nameOf({ actionType, query, ...place }: PollerPlace): string {
  return `${actionType}${query === undefined ? "" : ` (${query})`} in ${placeText(place)}`;
}
