// The part of the metrics that is read off the present: slots, pollers, jobs in flight, what is owed, health. Pure.
// A label is a Region, an action type or a word of ours; never the id of a job or a client.

import type { SeenReplica } from "../job/fleet.js";
import { placeName } from "../job/job.js";
import type { Family, Sample } from "./exposition.js";
import type { LedgerState } from "./health.js";
import { placesOf } from "./health.js";
import { type AdminStatus, slotsHeld, slotsWanted } from "./view.js";

export interface MetricsView {
  readonly status: AdminStatus;
  readonly ledger: LedgerState;
}

const jobStates = ["polled", "detailed", "acknowledging", "running", "settled"] as const;
const handlerStates = ["closed", "half-open", "open"] as const;
const breakerStates = ["closed", "open"] as const;

/** Gauges of this moment. */
export function snapshotFamilies({ status, ledger }: MetricsView): readonly Family[] {
  return [
    ...slotFamilies(status),
    ...pollerFamilies(status),
    ...jobFamilies(status),
    ...regionFamilies(status),
    gauge("partnerd_ledger_writable", "1 while the ledger is writable. 0: not accepting jobs.", [
      sample({}, ledger.writable ? 1 : 0),
    ]),
    gauge("partnerd_artifacts_room", "1 while there is enough disk space for artifacts. 0: not accepting jobs.", [
      sample({}, status.shortOfRoom === undefined ? 1 : 0),
    ]),
    gauge(
      "partnerd_machine_short",
      "1 while the machine is out of files, processes, memory or disk space: not accepting jobs.",
      [sample({}, status.shortage === undefined ? 0 : 1)],
    ),
    gauge(
      "partnerd_handler_breaker_state",
      "1 for the state of each handler's breaker. open: the handler is broken, and its jobs are not accepted.",
      (status.handlers ?? []).flatMap(({ handler, state }) =>
        handlerStates.map((each) => sample({ handler, state: each }, each === state ? 1 : 0)),
      ),
    ),
    gauge("partnerd_jobs_unattended", "Jobs in the ledger without an active worker: is their action type configured?", [
      sample({}, status.unattended),
    ]),
    gauge("partnerd_draining", "1 once a stop began.", [sample({}, status.isDraining ? 1 : 0)]),
    gauge("partnerd_paused", "1 while paused by /pause.", [sample({}, status.isPaused ? 1 : 0)]),
    gauge("partnerd_fleet_paused", "1 while the whole fleet that shares the ledger is paused.", [
      sample({}, status.fleet?.pause === undefined ? 0 : 1),
    ]),
    gauge(
      "partnerd_fleet_replicas",
      "Replicas that share the ledger, as this one sees them. gone: silent for a whole lease. No sample: no shared ledger.",
      status.fleet === undefined ? [] : replicaSamples(status.fleet.replicas),
    ),
  ];
}

const replicaStates = ["working", "paused", "draining", "gone", "unknown"] as const;

function replicaSamples(replicas: readonly SeenReplica[]): readonly Sample[] {
  const stateOf = ({ isGone, note }: SeenReplica) => (isGone ? "gone" : (note?.state ?? "unknown"));
  return replicaStates.map((state) => sample({ state }, replicas.filter((each) => stateOf(each) === state).length));
}

/** A series without `account` is of the account `default`. */
export function placeLabels({ account, region }: { readonly account?: string | undefined; readonly region: string }) {
  return { region, ...(account === undefined ? {} : { account }) };
}

function regionFamilies({ pollers, breakers, pollRates = [], callLimits = [] }: AdminStatus): readonly Family[] {
  const places = placesOf(pollers);
  const open = new Set(breakers.map(placeName));
  return [
    gauge(
      "partnerd_polls_per_minute",
      "Polls of the last minute.",
      pollRates.map(({ perMinute, ...place }) => sample(placeLabels(place), perMinute)),
    ),
    gauge(
      "partnerd_call_limit_per_second",
      "Calls a second at most while CodePipeline throttles. No sample: not limited.",
      callLimits.map(({ scope, perSecond }) => sample({ scope }, perSecond)),
    ),
    gauge(
      "partnerd_breaker_state",
      "1 for the state of each account's breaker in each Region. open: CodePipeline denies access (credentials, policy or clock).",
      places.flatMap((place) =>
        breakerStates.map((state) =>
          sample({ ...placeLabels(place), state }, (state === "open") === open.has(placeName(place)) ? 1 : 0),
        ),
      ),
    ),
    gauge(
      "partnerd_region_answers",
      "1 while CodePipeline answers at least one poller of the account in the Region.",
      places.map(({ isCutOff, ...place }) => sample(placeLabels(place), isCutOff ? 0 : 1)),
    ),
  ];
}

function slotFamilies(status: AdminStatus): readonly Family[] {
  const { slots } = status;
  const held = slotsHeld(status);
  const each = (read: (group: (typeof slots.groups)[number]) => number) =>
    slots.groups.map((group) => sample({ action_type: group.group }, read(group)));
  return [
    gauge("partnerd_slots_limit", "Most jobs that run at once.", [sample({}, slots.max)]),
    gauge("partnerd_slots_in_use", "Slots that jobs hold.", [sample({}, held)]),
    gauge("partnerd_slots_free", "Slots that no job uses; polls may have reserved some of them.", [
      sample({}, Math.max(0, slots.max - held)),
    ]),
    gauge(
      "partnerd_slots_wanted",
      "Slots that jobs hold or wait for, plus 1 for each action type whose last slot was filled by a full poll: " +
        "CodePipeline may have more jobs, and does not say how many. Scale by its sum over all processes.",
      [sample({}, slotsWanted(status))],
    ),
    gauge("partnerd_slots_parked", "Jobs without a slot whose results CodePipeline has not accepted yet.", [
      sample({}, slots.owed),
    ]),
    gauge(
      "partnerd_action_type_slots_limit",
      "Most jobs of the action type that run at once.",
      each((group) => group.max),
    ),
    gauge(
      "partnerd_action_type_slots_in_use",
      "Slots in use by jobs of the action type.",
      each((group) => slotsHeld(status, group)),
    ),
    gauge(
      "partnerd_action_type_slots_parked",
      "Parked jobs of the action type.",
      each((group) => group.owed),
    ),
  ];
}

function pollerFamilies({ pollers }: AdminStatus): readonly Family[] {
  const labels = ({ actionType, query, ...place }: (typeof pollers)[number]) => ({
    action_type: actionType,
    ...placeLabels(place),
    ...(query === undefined ? {} : { query }),
  });
  return [
    gauge(
      "partnerd_poller_failures",
      "Consecutive failed polls; 0 while polls are answered.",
      pollers.map((poller) => sample(labels(poller), poller.failures)),
    ),
    gauge(
      "partnerd_poller_last_answer_timestamp_seconds",
      "Time of the last answered poll, in seconds since the epoch; 0: never.",
      pollers.map((poller) => sample(labels(poller), (poller.lastGoodPollAtMs ?? 0) / 1_000)),
    ),
    gauge(
      "partnerd_offers_waiting",
      "Offers that wait for their customer's turn: not acknowledged.",
      pollers.map((poller) => sample(labels(poller), poller.waiting ?? 0)),
    ),
  ];
}

function jobFamilies({ atMs, jobs, pollers }: AdminStatus): readonly Family[] {
  const counts = new Map<string, number>();
  const known = [...new Set(pollers.map((poller) => poller.actionType))];
  for (const actionType of known) for (const state of jobStates) counts.set(`${state} ${actionType}`, 0);
  for (const { state, actionType, isUnfinished } of jobs) {
    if (isUnfinished) continue;
    const name = `${state} ${known.includes(actionType) ? actionType : "other"}`;
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  const owed = jobs.filter(({ state }) => state === "settled");
  const oldestMs = owed.reduce((least, { sinceMs }) => Math.min(least, sinceMs), atMs);
  return [
    gauge(
      "partnerd_jobs_in_flight",
      "Jobs by state.",
      [...counts].map(([name, count]) => {
        const [state = "", actionType = ""] = name.split(/ (.*)/s);
        return sample({ action_type: actionType, state }, count);
      }),
    ),
    gauge("partnerd_results_owed", "Results that CodePipeline has not accepted yet.", [sample({}, owed.length)]),
    gauge("partnerd_results_owed_oldest_age_seconds", "Age of the oldest owed result; 0: none is owed.", [
      sample({}, Math.max(0, atMs - oldestMs) / 1_000),
    ]),
  ];
}

function gauge(name: string, help: string, samples: readonly Sample[]): Family {
  return { name, type: "gauge", help, samples };
}

function sample(labels: Sample["labels"], value: number): Sample {
  return { suffix: "", labels, value };
}
