// What a person who was woken wants to know first, in words: is it working, and if not, what is wrong, where and since
// when. Pure: the worst thing is the headline, whatever else is wrong follows.
import { type FleetPause, pauseText } from "../job/fleet.js";
import { placeName, placeText } from "../job/job.js";
import { type LedgerState, placesOf } from "./health.js";
import { heldText } from "./held-text.js";
import { type FullSlots, fullSlots } from "./saturation.js";
import { typeNames } from "./short-names.js";
import { clockText, durationText, secondText } from "./times.js";
import type { AdminStatus } from "./view.js";

/** `good`: nothing to do. `busy`: right, but worth knowing. `bad`: somebody should look. */
export type Tone = "good" | "busy" | "bad";

export interface Verdict {
  readonly tone: Tone;
  readonly headline: string;
  /** The headline without numbers that change all the time: for those who hear it. */
  readonly spoken: string;
  readonly more: readonly string[];
}

interface Finding {
  readonly tone: Tone;
  readonly text: string;
  readonly spoken?: string;
}

/** A result that is owed for so long is no ordinary delay. */
const owedLateMs = 60_000;
/** Dropped jobs of so many clients are told one by one; those with most of them. */
const dropsTold = 3;
/** A wait for a slot that is worth a time. */
const waitMs = 2_000;
/** One failed poll is weather. */
const pollerFailures = 3;

/** The verdict on this moment. `full`: the limits that are reached. */
export function verdictOn(
  status: AdminStatus,
  ledger: LedgerState,
  full: readonly FullSlots[] = fullSlots(status),
): Verdict {
  const findings: Finding[] = [
    ...stopping(status),
    ...ledgerTrouble(ledger),
    ...roomTrouble(status),
    ...machineTrouble(status),
    ...handlerTrouble(status),
    ...regionTrouble(status),
    ...pollerTrouble(status),
    ...owedTrouble(status),
    ...dropTrouble(status),
    ...unattendedTrouble(status),
    ...bugTrouble(status),
    ...standing(status, full),
  ];
  // Beside what is wrong: what is at stake.
  const isWrong = findings.some(({ tone }) => tone === "bad");
  if (isWrong && status.jobs.length > 0 && !status.isDraining) findings.push({ tone: "good", text: counts(status) });
  const worst = findings.find(({ tone }) => tone === "bad") ?? findings[0] ?? atWork(status);
  return {
    tone: worst.tone,
    headline: worst.text,
    spoken: worst.spoken ?? worst.text,
    more: findings.filter((finding) => finding !== worst).map(({ text }) => text),
  };
}

function stopping(status: AdminStatus): readonly Finding[] {
  const { isDraining, end } = status;
  if (end) {
    const isAllDone = end.owed === 0 && end.isRead;
    return [{ tone: isAllDone ? "busy" : "bad", text: `Stopped; ${heldText(end)}`, spoken: "Stopped" }];
  }
  if (!isDraining) return [];
  return [{ tone: "busy", text: `Stopping: ${counts(status)}; not accepting jobs`, spoken: "Stopping" }];
}

function ledgerTrouble({ writable, reason, sinceMs }: LedgerState): readonly Finding[] {
  if (writable) return [];
  const since = sinceMs === undefined ? "" : ` since ${clockText(sinceMs)}`;
  const why = reason === undefined ? "" : ` (${reason})`;
  return [{ tone: "bad", text: `The ledger is not writable${since}: not accepting jobs${why}` }];
}

function roomTrouble({ shortOfRoom }: AdminStatus): readonly Finding[] {
  if (shortOfRoom === undefined) return [];
  return [{ tone: "bad", text: `Low disk space: not accepting jobs (${shortOfRoom})` }];
}

function machineTrouble({ shortage }: AdminStatus): readonly Finding[] {
  if (shortage === undefined) return [];
  const since = clockText(shortage.sinceMs);
  return [{ tone: "bad", text: `Out of resources since ${since}: not accepting jobs (${shortage.reason})` }];
}

function handlerTrouble({ handlers = [] }: AdminStatus): readonly Finding[] {
  return handlers.flatMap(({ handler, state, broken }): readonly Finding[] => {
    if (state === "closed" || !broken) return [];
    const next = state === "open" ? "its jobs are not accepted" : "its next job shows whether it works again";
    const text = `Handler ${handler} is broken since ${clockText(broken.sinceMs)}: ${next} (${broken.message})`;
    return [{ tone: "bad", text }];
  });
}

function regionTrouble({ pollers, breakers, denials }: AdminStatus): readonly Finding[] {
  const refused = breakers.map(
    ({ sinceMs, fault, ...place }): Finding => ({
      tone: "bad",
      text: `CodePipeline denied access in ${placeText(place)} since ${clockText(sinceMs)}: ${deniedIn(placeName(place), denials) || fault.operation} (${fault.code}); check credentials, policy and clock`,
    }),
  );
  return [...refused, ...silentRegions(pollers, breakers)];
}

/** The operations that are denied in the place. */
function deniedIn(name: string, denials: AdminStatus["denials"]): string {
  return [
    ...new Set(denials.flatMap(({ operation, ...place }) => (placeName(place) === name ? [operation] : []))),
  ].join(", ");
}

/** Places that are cut off for the same reason are one finding. */
function silentRegions(pollers: AdminStatus["pollers"], breakers: AdminStatus["breakers"]): readonly Finding[] {
  const silent = new Map<string, { readonly places: string[]; sinceMs: number }>();
  const denied = new Set(breakers.map(placeName));
  for (const { isCutOff, ...place } of placesOf(pollers)) {
    const name = placeName(place);
    if (!isCutOff || denied.has(name)) continue;
    const own = pollers.filter((poller) => placeName(poller) === name);
    const sinceMs = Math.min(...own.map(({ failingSinceMs }) => failingSinceMs ?? Number.POSITIVE_INFINITY));
    const fault = own[0]?.lastFault;
    const how = `${fault?.kind === "throttled" ? "throttles every poll" : "does not answer"} ${fault?.code ?? ""}`;
    const known = silent.get(how) ?? { places: [], sinceMs };
    known.places.push(placeText(place));
    known.sinceMs = Math.min(known.sinceMs, sinceMs);
    silent.set(how, known);
  }
  return [...silent].map(([how, { places, sinceMs }]) => {
    const [, what = "", code = ""] = /^(.*) (\S*)$/.exec(how) ?? [];
    const since = Number.isFinite(sinceMs) ? ` since ${clockText(sinceMs)}` : "";
    const why = code === "" ? "" : ` (${code})`;
    return { tone: "bad", text: `CodePipeline ${what} in ${places.join(" and ")}${since}${why}` };
  });
}

/** Pollers that fail while others of their place are answered. */
function pollerTrouble({ pollers, breakers }: AdminStatus): readonly Finding[] {
  const told = new Set([...placesOf(pollers).filter(({ isCutOff }) => isCutOff), ...breakers].map(placeName));
  return pollers.flatMap((poller): readonly Finding[] => {
    const { failures, failingSinceMs, actionType, query, lastFault } = poller;
    if (told.has(placeName(poller)) || failures < pollerFailures || failingSinceMs === undefined) return [];
    const code = lastFault === undefined ? "" : ` (${lastFault.code})`;
    const what = query === undefined ? actionType : `${actionType} (${query})`;
    return [
      { tone: "bad", text: `Polls for ${what} fail in ${placeText(poller)} since ${clockText(failingSinceMs)}${code}` },
    ];
  });
}

function owedTrouble({ atMs, jobs }: AdminStatus): readonly Finding[] {
  const owed = jobs.filter(({ state }) => state === "settled");
  const oldestMs = owed.reduce((least, { sinceMs }) => Math.min(least, sinceMs), atMs);
  if (atMs - oldestMs < owedLateMs) return [];
  const what = owed.length === 1 ? "1 result is owed" : `${owed.length} results are owed`;
  const age = `the oldest for ${durationText(atMs - oldestMs)}`;
  return [{ tone: "bad", text: `${what} to CodePipeline, ${age}`, spoken: "Results are owed to CodePipeline" }];
}

/** Each client's dropped jobs are a finding of their own: a customer waits for them. */
function dropTrouble({ drops }: AdminStatus): readonly Finding[] {
  const most = drops.length <= dropsTold ? drops : drops.toSorted((a, b) => b.count - a.count);
  const told = most.slice(0, dropsTold).map(({ kind, count, clientId, actionType, firstAtMs, ...place }): Finding => {
    const whose = clientId === undefined ? `for ${actionType}` : `of client ${clientId}`;
    const what = `${jobsText(count)} ${whose} dropped since ${clockText(firstAtMs)} in ${placeText(place)}`;
    return { tone: "bad", text: `${what}: ${dropReasons[kind]}`, spoken: `Jobs ${whose} are dropped` };
  });
  const rest = most.slice(dropsTold);
  if (rest.length === 0) return told;
  const clients = new Set(rest.map(({ clientId }) => clientId)).size;
  const count = rest.reduce((sum, drop) => sum + drop.count, 0);
  const whose = clients === 1 ? "one more client" : `${clients} more clients`;
  return [...told, { tone: "bad", text: `${jobsText(count)} of ${whose} dropped; see Failures and drops` }];
}

function jobsText(count: number): string {
  return count === 1 ? "1 job" : `${count} jobs`;
}

const dropReasons = {
  "token-rejected": "no client token that CodePipeline accepts; correct it in the token source",
  "lost-outcome":
    "CodePipeline did not take the result of work that had begun; look at the action in its console, and at job-dropped in the log",
  refused: "CodePipeline refused the call; see job-dropped in the log",
} as const;

/** No poller shows them, and no handler ever will. */
function unattendedTrouble({ unattended, isDraining }: AdminStatus): readonly Finding[] {
  if (unattended === 0 || isDraining) return [];
  const what =
    unattended === 1 ? "1 job that CodePipeline waits for is" : `${unattended} jobs that CodePipeline waits for are`;
  const text = `${what} without an active worker: is the action type still configured? (partnerd jobs lists them)`;
  return [{ tone: "bad", text, spoken: "Jobs have no active worker" }];
}

function bugTrouble({ totals }: AdminStatus): readonly Finding[] {
  const found: Finding[] = [];
  if (totals.bugs > 0) found.push({ tone: "bad", text: `${totals.bugs} internal errors since the start; see the log` });
  if (totals.abandonedHandlers > 0) {
    found.push({ tone: "busy", text: `${totals.abandonedHandlers} handlers did not stop in time; see the log` });
  }
  return found;
}

function standing(status: AdminStatus, full: readonly FullSlots[]): readonly Finding[] {
  const { isPaused, isDraining, pollers } = status;
  if (isDraining) return [];
  const { pause, ageMs } = status.fleet ?? {};
  if (pause) return [{ tone: "busy", text: fleetPaused(pause, ageMs), spoken: "The fleet is paused" }];
  if (isPaused) return [{ tone: "busy", text: "Paused: not accepting jobs until resume" }];
  const waiting = pollers.filter(({ lastGoodPollAtMs, failures }) => lastGoodPollAtMs === undefined && failures === 0);
  if (waiting.length > 0) return [{ tone: "busy", text: "Starting: not every action type has been polled yet" }];
  return saturation(status, full);
}

/** Not wrong, but customers wait: how long is known only from when no poll could ask for more. */
function saturation({ atMs, slots, pollers }: AdminStatus, full: readonly FullSlots[]): readonly Finding[] {
  const names = typeNames(pollers.map(({ actionType }) => actionType));
  const worker = full.find(({ actionTypes }) => actionTypes === undefined);
  const found = (worker ? [worker] : full).map(({ actionTypes, max, lastPollAtMs }): Finding => {
    const whose = actionTypes === undefined ? "" : ` of ${actionTypes.map(names).join(", ")}`;
    const isLong = lastPollAtMs !== undefined && atMs - lastPollAtMs >= waitMs;
    const since = isLong ? `no poll since ${secondText(lastPollAtMs)}, so ` : "";
    const text = `At its limit: all ${max} slots${whose} in use; ${since}new jobs wait at CodePipeline`;
    return { tone: "busy", text, spoken: `At its limit${whose}` };
  });
  const recovered = slots.groups.reduce((sum, { waiting }) => sum + waiting, 0);
  if (recovered === 0) return found;
  return [...found, { tone: "busy", text: `${jobsText(recovered)} of a previous process wait for a slot` }];
}

/** A look that is so old found the table away: what it found holds. */
const staleMs = 60_000;

function fleetPaused(pause: FleetPause, ageMs: number | undefined): string {
  const text = pauseText(pause);
  const known = (ageMs ?? 0) < staleMs ? "" : ` (as of ${durationText(ageMs ?? 0)} ago: the table does not answer)`;
  return `T${text.slice(1)}${known}: no replica accepts jobs until it is resumed`;
}

function atWork(status: AdminStatus): Finding {
  if (status.jobs.length === 0) return { tone: "good", text: "Idle: waiting for jobs, nothing owed", spoken: "Idle" };
  return { tone: "good", text: `Working: ${counts(status)}`, spoken: "Working" };
}

function counts({ jobs }: AdminStatus): string {
  const owed = jobs.filter(({ state }) => state === "settled").length;
  const unfinished = jobs.filter(({ state, isUnfinished }) => isUnfinished && state !== "settled").length;
  const running = jobs.length - owed - unfinished;
  const work = running === 1 ? "1 job running" : `${running} jobs running`;
  const nobodys = unfinished === 0 ? "" : `${unfinished} unfinished, `;
  return `${work}, ${nobodys}${owed === 0 ? "nothing" : owed === 1 ? "1 result" : `${owed} results`} owed`;
}
