// The tables of the status page. Each cell carries its column's name, so that a narrow screen can show rows as cards;
// the roles are written out, since such a layout takes them from the elements.
import type { SlotCount } from "../engine/slots.js";
import { defaultAccount, placeName } from "../job/job.js";
import type { PastJob } from "./history.js";
import { type Html, html, type Piece } from "./html.js";
import { durationText, type Moment, timeHtml } from "./times.js";
import { type AdminStatus, slotGroupOf, slotsHeld } from "./view.js";

/** Rows shown at most; the rest is counted. */
const rowsMax = 100;
const idMax = 60;

/** The columns that tell places apart: none where all is in one. */
function placeColumns({ pollers, jobs }: AdminStatus) {
  const all = [...pollers, ...jobs];
  const hasAccounts = new Set(all.map(({ account }) => account)).size > 1;
  const hasRegions = new Set(all.map(({ region }) => region)).size > 1;
  return {
    names: [...(hasAccounts ? ["Account"] : []), ...(hasRegions ? ["Region"] : [])],
    cells: ({ account = defaultAccount, region }: { readonly account?: string; readonly region: string }): Piece[] => [
      ...(hasAccounts ? [whole(account)] : []),
      ...(hasRegions ? [whole(region)] : []),
    ],
  };
}

/** The pollers, with their last answer and their next poll. */
export function pollerTable(status: AdminStatus, moment: Moment): Html {
  const { pollers, isPaused, isDraining, slots } = status;
  const late = (group: SlotCount | undefined) => {
    if (isDraining) return "never: stopping";
    if (isPaused) return "after resume";
    const isFull = slotsHeld(status) >= slots.max || (group && slotsHeld(status, group) >= group.max);
    return isFull ? "when a slot is free" : "now";
  };
  const places = placeColumns(status);
  const hasQueries = pollers.some(({ query }) => query !== undefined);
  const rows = pollers.map((poller) => {
    const { actionType, query, failures, lastFault, lastGoodPollAtMs, nextPollAtMs, taken } = poller;
    const isFailing = failures > 0;
    const group = slotGroupOf(slots, poller);
    const state = isFailing
      ? html`<span class="bad">${failures} failed</span> <span class="text">${lastFault?.message}</span>`
      : html`<span class="${lastGoodPollAtMs === undefined ? "quiet" : "good"}">${
          lastGoodPollAtMs === undefined ? "not polled yet" : "answered"
        }</span>`;
    return [
      html`<span class="strong">${type(actionType)}</span>`,
      ...(hasQueries ? [query === undefined ? "–" : whole(query)] : []),
      ...places.cells(poller),
      state,
      timeHtml(lastGoodPollAtMs, "ago", moment),
      timeHtml(isDraining ? undefined : nextPollAtMs, "next", moment, late(group)),
      group ? whole(`${slotsHeld(status, group)} of ${group.max}`) : "–",
      taken,
    ];
  });
  const names = [
    "Action type",
    ...(hasQueries ? ["Asks for"] : []),
    ...places.names,
    "Polls",
    "Last answer",
    "Next poll",
    "Slots",
    "Jobs taken",
  ];
  return table("Pollers", names, rows, "No action type is polled.");
}

/** Jobs in flight whose outcome is not fixed yet, oldest first. */
export function jobTable(status: AdminStatus, percent: ReadonlyMap<string, number>, moment: Moment): Html {
  const jobs = status.jobs.filter(({ state }) => state !== "settled").toSorted((a, b) => a.sinceMs - b.sinceMs);
  const places = placeColumns(status);
  const rows = jobs.slice(0, rowsMax).map((job) => {
    const progress = percent.get(`${placeName(job)}/${job.jobId}`);
    const step = job.isAwaitingCallback ? "waits for its service's callback" : job.state;
    const work = job.isUnfinished ? `unfinished: ${step}` : step;
    const so = job.order === undefined ? work : `${work}; operator's order: ${job.order}`;
    return [
      id(job.jobId),
      type(job.actionType),
      ...places.cells(job),
      id(job.clientId),
      job.handler ?? "–",
      so,
      timeHtml(job.sinceMs, "age", moment),
      timeHtml(job.deadlineMs, "left", moment),
      progress === undefined
        ? "–"
        : html`<span class="whole"><progress max="100" value="${progress}">${progress} %</progress> ${progress} %</span>`,
    ];
  });
  const names = ["Job", "Action type", ...places.names, "Client", "Handler", "State", "For", "Time limit", "Progress"];
  return table("Running jobs", names, rows, "No job is running.", jobs.length);
}

/** Results that CodePipeline has not taken yet, oldest first. */
export function owedTable(status: AdminStatus, moment: Moment): Html {
  const owed = status.jobs.filter(({ state }) => state === "settled").toSorted((a, b) => a.sinceMs - b.sinceMs);
  const places = placeColumns(status);
  const rows = owed
    .slice(0, rowsMax)
    .map((job) => [
      id(job.jobId),
      type(job.actionType),
      ...places.cells(job),
      id(job.clientId),
      html`<span class="strong">${timeHtml(job.sinceMs, "age", moment)}</span>`,
      html`<span class="text">${job.lastFault?.message ?? "–"}</span>`,
    ]);
  const names = ["Job", "Action type", ...places.names, "Client", "Owed for", "Why"];
  return table("Owed results", names, rows, "Nothing is owed to CodePipeline.", owed.length);
}

/** The last outcomes, newest first. */
export function outcomeTable(recent: readonly PastJob[], moment: Moment): Html {
  const rows = recent.map((job) => [
    timeHtml(job.atMs, "ago", moment),
    html`<span class="${toneOf(job)}">${job.end}</span>${job.reason === undefined ? undefined : html` ${job.reason}`}`,
    id(job.jobId),
    type(job.actionType),
    id(job.clientId),
    job.tookMs === undefined ? "–" : whole(tookText(job.tookMs)),
    html`<span class="text">${job.text ?? "–"}</span>`,
  ]);
  const names = ["When", "Outcome", "Job", "Action type", "Client", "Took", "What it said"];
  return table("Recent outcomes", names, rows, "No job has ended yet.");
}

function toneOf({ end, isTrouble }: PastJob): string {
  if (isTrouble) return "bad";
  return end === "dropped" ? "quiet" : "good";
}

function tookText(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  return ms < 10_000 ? `${(ms / 1_000).toFixed(1)} s` : durationText(ms);
}

/** On one line. */
function whole(text: string): Piece {
  return html`<span class="whole">${text}</span>`;
}

/** May be broken after its slashes. */
function type(text: string): Piece {
  const [first, ...rest] = text.split("/");
  return [first, ...rest.map((part) => html`/<wbr>${part}`)];
}

function id(text: string | undefined): Piece {
  if (text === undefined) return "–";
  const shown = text.length > idMax ? `${text.slice(0, idMax)}…` : text;
  return html`<bdi class="id" title="${text}">${shown}</bdi>`;
}

function table(
  caption: string,
  names: readonly string[],
  rows: readonly (readonly Piece[])[],
  empty: string,
  count = rows.length,
): Html {
  if (rows.length === 0) return html`<p class="quiet">${empty}</p>`;
  const more = count - rows.length;
  return html`<table role="table" class="${caption.toLowerCase().replaceAll(" ", "-")}"><caption class="hidden">${caption}</caption>
<thead role="rowgroup"><tr role="row">${names.map((name) => html`<th role="columnheader" scope="col">${name}</th>`)}</tr></thead>
<tbody role="rowgroup">${rows.map(
    (cells) =>
      html`<tr role="row">${cells.map((cell, at) => html`<td role="cell" data-name="${names[at]}"${cell === "–" ? html` class="none"` : undefined}><div>${cell}</div></td>`)}</tr>\n`,
  )}</tbody></table>${more > 0 ? html`<p class="quiet">and ${more} more; /status has them all</p>` : undefined}`;
}
