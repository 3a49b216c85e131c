// The fleet's page: who of the replicas is alive and takes jobs, whether all are paused, and every job, whoever has it. A
// daemon that shares its ledger with nobody says so. What replicas wrote is text that nobody trusts.
import { type FleetJob, pauseText, type SeenFleet, type SeenReplica } from "../job/fleet.js";
import { actionTypeName, placeText } from "../job/job.js";
import { pageForms } from "./actions-controls.js";
import { jobName } from "./actions-form.js";
import type { FleetJobs } from "./fleet-watch.js";
import { freshMs, jobsOnPage } from "./fleet-watch.js";
import { Html, html, type Piece } from "./html.js";
import { section } from "./page-frame.js";
import { tableHtml } from "./page-table.js";
import { shortId } from "./short-names.js";
import { durationText, type Moment, timeHtml } from "./times.js";
import type { AdminStatus } from "./view.js";

export interface FleetView {
  readonly status: AdminStatus;
  /** Where the ledger is kept. */
  readonly store: string;
  readonly jobs: FleetJobs;
}

/** A look for silent replicas comes every 8 s at the latest: so old, the table did not answer some of them. */
const staleMs = 30_000;

/** The parts that change, by the id of their element. */
export function fleetSections(view: FleetView, isLive: boolean): ReadonlyMap<string, () => string> {
  const { status, jobs } = view;
  const { fleet } = status;
  const moment: Moment = { nowMs: status.atMs, isLive };
  const parts: Readonly<Record<string, () => Html>> = {
    "fleet-state": () => stateHtml(fleet),
    "fleet-controls": () => controls(fleet),
    replicas: () => replicaTable(fleet, moment),
    "fleet-jobs": () => jobTable(jobs, moment),
  };
  return new Map(Object.entries(parts).map(([name, part]) => [name, () => part().text]));
}

/** Everything within the page's frame. */
export function fleetBody(view: FleetView): Html {
  const { status, store } = view;
  if (!status.fleet) return alone(store, status);
  const sections = fleetSections(view, false);
  const part = (name: string) => new Html(sections.get(name)?.() ?? "");
  return html`<div id="fleet-state">${part("fleet-state")}</div>
${pageForms.once({ back: "/fleet" })}<div id="fleet-controls">${part("fleet-controls")}</div>
${section("replicas", "Replicas", part("replicas"))}${section("fleet-jobs", "Jobs of the fleet", part("fleet-jobs"))}
<p class="quiet">Replicas and a pause are read every few seconds anyway. The jobs are read while this page is open, at most
every ${freshMs / 1_000} s for all who look: one scan of the index and up to ${jobsOnPage} reads.</p>`;
}

function alone(store: string, { isPaused }: AdminStatus): Html {
  const now = isPaused ? "It is paused." : "It accepts jobs.";
  return html`<div class="verdict good"><h1>One daemon, no fleet</h1><ul><li>The ledger is kept in ${store}, which one process uses at a
time: this daemon works all its jobs. ${now}</li><li>A fleet shares a table: <code>ledger.store: dynamodb</code>.</li></ul></div>
<p><a href="/">Its jobs are on the overview.</a></p>`;
}

function stateHtml(fleet: SeenFleet | undefined): Html {
  if (!fleet) return html``;
  const { pause, replicas, ageMs } = fleet;
  const gone = replicas.filter(({ isGone }) => isGone).length;
  const isOld = ageMs === undefined || ageMs > staleMs;
  const read = ageMs === undefined ? "was not read yet" : `was last read ${durationText(ageMs)} ago`;
  const whose = gone === 1 ? "its" : "their";
  const notes = [
    ...(pause ? ["No replica accepts jobs until it is resumed, also after restarts; running jobs continue"] : []),
    ...(pause ? [countsText(fleet)] : []),
    ...(gone > 0 ? [`Whoever is gone fell silent for a whole lease: the others take over ${whose} jobs`] : []),
    ...(isOld ? [`The table ${read}: what it said then holds`] : []),
  ];
  const said = pause ? pauseText(pause) : countsText(fleet);
  const tone = pause || gone > 0 || isOld ? "busy" : "good";
  const list = notes.length === 0 ? undefined : html`<ul>${notes.map((note) => html`<li>${note}</li>`)}</ul>`;
  return html`<div class="verdict ${tone}"><h1>${said.slice(0, 1).toUpperCase()}${said.slice(1)}</h1>${list}</div>`;
}

/** Such as `3 replicas: 2 at work, 1 draining`. */
function countsText({ replicas, pause }: SeenFleet): string {
  const words = replicas.map(({ isGone, note }) => {
    if (isGone) return "gone";
    return note?.state === "draining" || (note?.state === "paused" && !pause) ? note.state : "alive";
  });
  const word = (name: string) => (name === "alive" && !pause ? "at work" : name);
  const counts = ["alive", "paused", "draining", "gone"].flatMap((name) => {
    const count = words.filter((each) => each === name).length;
    return count === 0 ? [] : [`${count} ${word(name)}`];
  });
  const all = replicas.length === 1 ? "1 replica" : `${replicas.length} replicas`;
  return replicas.length === 0 ? "no replica was seen yet" : `${all}: ${counts.join(", ")}`;
}

function controls(fleet: SeenFleet | undefined): Html {
  const [action, text] = fleet?.pause ? ["fleet-resume", "Resume the fleet"] : ["fleet-pause", "Pause the fleet"];
  const button = (name: string, label: string) =>
    html`<button type="submit" form="actions" name="do" value="${name}">${label}</button>`;
  return html`<div class="buttons" role="group" aria-label="Actions">${button(action ?? "", text ?? "")}${button("fail", "Fail selected")}${button("release", "Release selected")}</div>`;
}

const replicaRank = ({ isGone, isSelf }: SeenReplica) => (isSelf ? 0 : isGone ? 2 : 1);

function replicaTable(fleet: SeenFleet | undefined, moment: Moment): Html {
  const { replicas = [], pause } = fleet ?? {};
  const rows = replicas.toSorted(
    (a, b) => replicaRank(a) - replicaRank(b) || ((a.host ?? "") + a.replica < (b.host ?? "") + b.replica ? -1 : 1),
  );
  const note = (read: (note: NonNullable<SeenReplica["note"]>) => Piece) => (row: SeenReplica) =>
    row.note ? read(row.note) : "–";
  return tableHtml({
    caption: "Replicas",
    rows,
    keyOf: ({ replica }) => replica,
    empty: "No replica was seen yet.",
    columns: [
      { name: "Replica", kind: "wide", cell: whoHtml },
      { name: "State", cell: (row) => stateOf(row, pause !== undefined) },
      { name: "Version", cell: note(({ version }) => version) },
      { name: "Slots", kind: "num", cell: note(({ slotsHeld, slotsMax }) => `${slotsHeld} of ${slotsMax}`) },
      { name: "Jobs", kind: "num", cell: note(({ jobs }) => jobs) },
      { name: "Owed", kind: "num", cell: note(({ owed }) => owed) },
      { name: "Up", kind: "num", cell: note(({ startedAtMs }) => timeHtml(startedAtMs, "age", moment)) },
      { name: "Seen", kind: "num", cell: ({ silentMs }) => timeHtml(moment.nowMs - silentMs, "ago", moment) },
    ],
  });
}

function whoHtml({ host, pid, replica, isSelf, note }: SeenReplica): Piece {
  const name = html`<bdi title="${replica}">${host ?? shortId(replica)}</bdi>${pid === undefined ? undefined : html` <span class="quiet">pid ${pid}</span>`}`;
  const link = note?.url === undefined || isSelf ? name : html`<a href="${note.url}">${name}</a>`;
  return html`${link}${isSelf ? html` <span class="quiet">(this one)</span>` : undefined}`;
}

function stateOf({ isGone, note, silentMs }: SeenReplica, isFleetPaused: boolean): Piece {
  if (isGone) return html`<span class="bad">gone: silent for ${durationText(silentMs)}</span>`;
  if (!note) return html`<span class="quiet">alive</span>`;
  if (note.state !== "working") return html`<span class="strong">${note.state}</span>`;
  return isFleetPaused
    ? html`<span class="strong">paused with the fleet</span>`
    : html`<span class="good">working</span>`;
}

const says: Readonly<Record<FleetJob["standing"], string>> = {
  asked: "acknowledge unanswered",
  running: "running",
  "awaits-callback": "awaits callback",
  owed: "result owed",
  damaged: "damaged row",
};

function jobTable(page: FleetJobs, moment: Moment): Html {
  const { jobs, from, count, isCut, atMs, problem } = page;
  const failed =
    problem === undefined
      ? undefined
      : html`<p class="bad">The table could not be read: ${problem}${atMs === undefined ? "" : "; this is what it said before"}</p>`;
  const all = isCut ? `more than ${count}` : String(count);
  const range = count <= jobsOnPage && from === 0 ? undefined : html`${from + 1} to ${from + jobs.length} of ${all}. `;
  const link = (to: number, text: string) => html`<a href="/fleet?from=${to}">${text}</a> `;
  const more = html`${range}${from > 0 ? link(Math.max(0, from - jobsOnPage), "Previous") : undefined}${from + jobsOnPage < count ? link(from + jobsOnPage, "Next") : undefined}`;
  const isEmpty = atMs === undefined && problem === undefined;
  return html`${failed}${tableHtml({
    caption: "Jobs of the fleet",
    rows: jobs,
    keyOf: ({ key }) => jobName(key),
    empty: isEmpty ? "The jobs are being read." : "No replica holds a job.",
    ...(range === undefined ? {} : { more }),
    columns: [
      {
        name: pageForms.rowName,
        cell: ({ key }) =>
          html`<input type="checkbox" form="actions" name="job" value="${jobName(key)}" aria-label="select job ${key.jobId}">`,
      },
      { name: "Job", cell: ({ key }) => html`<bdi class="id" title="${key.jobId}">${shortId(key.jobId)}</bdi>` },
      {
        name: "Client",
        kind: "minor",
        cell: ({ key }) =>
          key.clientId === undefined
            ? "–"
            : html`<bdi class="id" title="${key.clientId}">${shortId(key.clientId)}</bdi>`,
      },
      {
        name: "Action type",
        kind: "minor",
        cell: ({ key, standing }) => (standing === "damaged" ? "–" : actionTypeName(key.actionType)),
      },
      { name: "Where", kind: "minor", cell: ({ key }) => placeText(key) },
      {
        name: "State",
        cell: ({ standing }) =>
          standing === "damaged" ? html`<span class="bad">${says[standing]}</span>` : says[standing],
      },
      {
        name: "For",
        kind: "num",
        cell: ({ sinceMs }) => (Number.isFinite(sinceMs) ? timeHtml(sinceMs, "age", moment) : "–"),
      },
      { name: "Held by", kind: "wide", cell: holderHtml },
    ],
  })}`;
}

function holderHtml({ heldBy }: FleetJob): Piece {
  if (!heldBy) return html`<span class="quiet">nobody yet</span>`;
  const { host, pid, replica } = heldBy;
  return html`<bdi title="${replica}">${host ?? shortId(replica)}</bdi>${pid === undefined ? undefined : html` <span class="quiet">pid ${pid}</span>`}`;
}
