// The part of the metrics that is read off the present: slots, pollers, jobs in flight, what is owed, health. Pure.
// A label is a Region, an action type or a word of ours; never the id of a job or a client.

import type { Family, Sample } from "./exposition.js";
import type { LedgerState } from "./health.js";
import { regionsOf } from "./health.js";
import { type AdminStatus, slotsHeld } from "./view.js";

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
    gauge("partnerd_ledger_writable", "1 while outcomes can be recorded; no job is taken otherwise.", [
      sample({}, ledger.writable ? 1 : 0),
    ]),
    gauge("partnerd_artifacts_room", "1 while the artifacts of another job have room; no job is taken otherwise.", [
      sample({}, status.shortOfRoom === undefined ? 1 : 0),
    ]),
    gauge(
      "partnerd_machine_short",
      "1 while the machine is out of files, processes, memory or disk; no job is taken.",
      [sample({}, status.shortage === undefined ? 0 : 1)],
    ),
    gauge(
      "partnerd_handler_breaker_state",
      "1 for the state that each handler's breaker is in; open: it does not work, and none of its jobs is taken.",
      (status.handlers ?? []).flatMap(({ handler, state }) =>
        handlerStates.map((each) => sample({ handler, state: each }, each === state ? 1 : 0)),
      ),
    ),
    gauge("partnerd_jobs_unattended", "Jobs that the ledger holds and nobody works: is their action type configured?", [
      sample({}, status.left),
    ]),
    gauge("partnerd_draining", "1 once a stop began.", [sample({}, status.isDraining ? 1 : 0)]),
    gauge("partnerd_paused", "1 while no jobs are taken, by /pause.", [sample({}, status.isPaused ? 1 : 0)]),
  ];
}

function regionFamilies({ pollers, breakers }: AdminStatus): readonly Family[] {
  const regions = regionsOf(pollers);
  const isOpen = (region: string) => breakers.some((breaker) => breaker.region === region);
  return [
    gauge(
      "partnerd_breaker_state",
      "1 for the state that each Region's breaker is in; open: CodePipeline refuses our credentials, policy or clock.",
      regions.flatMap(({ region }) =>
        breakerStates.map((state) => sample({ region, state }, (state === "open") === isOpen(region) ? 1 : 0)),
      ),
    ),
    gauge(
      "partnerd_region_answers",
      "0 when none of the Region's pollers is answered, for whatever reason.",
      regions.map(({ region, isCutOff }) => sample({ region }, isCutOff ? 0 : 1)),
    ),
  ];
}

function slotFamilies(status: AdminStatus): readonly Family[] {
  const { slots } = status;
  const held = slotsHeld(status);
  const each = (read: (group: (typeof slots.groups)[number]) => number) =>
    slots.groups.map((group) => sample({ action_type: group.group }, read(group)));
  return [
    gauge("partnerd_slots_limit", "Jobs that may be worked at once.", [sample({}, slots.max)]),
    gauge("partnerd_slots_in_use", "Slots that jobs hold.", [sample({}, held)]),
    gauge("partnerd_slots_free", "Slots that no job holds; polls may have reserved some of them.", [
      sample({}, Math.max(0, slots.max - held)),
    ]),
    gauge("partnerd_slots_parked", "Jobs without a slot whose results CodePipeline has not taken yet.", [
      sample({}, slots.owed),
    ]),
    gauge(
      "partnerd_action_type_slots_limit",
      "Jobs of the action type that may be worked at once.",
      each((group) => group.max),
    ),
    gauge(
      "partnerd_action_type_slots_in_use",
      "Slots that jobs of the action type hold.",
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
  const labels = ({ actionType, region }: (typeof pollers)[number]) => ({ action_type: actionType, region });
  return [
    gauge(
      "partnerd_poller_failures",
      "Polls that failed in a row; 0 while they are answered.",
      pollers.map((poller) => sample(labels(poller), poller.failures)),
    ),
    gauge(
      "partnerd_poller_last_answer_timestamp_seconds",
      "When a poll was last answered, since the epoch; 0: never.",
      pollers.map((poller) => sample(labels(poller), (poller.lastGoodPollAtMs ?? 0) / 1_000)),
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
      "Jobs by how far they have come.",
      [...counts].map(([name, count]) => {
        const [state = "", actionType = ""] = name.split(/ (.*)/s);
        return sample({ action_type: actionType, state }, count);
      }),
    ),
    gauge("partnerd_results_owed", "Outcomes that CodePipeline has not taken yet.", [sample({}, owed.length)]),
    gauge("partnerd_results_owed_oldest_age_seconds", "Age of the oldest of them; 0: none is owed.", [
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
