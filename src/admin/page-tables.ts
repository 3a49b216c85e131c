// The tables of the overview: rows of one line, short names, and only the columns that tell something apart.
import type { SlotCount } from "../engine/slots.js";
import { defaultAccount, placeName } from "../job/job.js";
import type { PastJob } from "./history.js";
import { type Html, html, type Piece } from "./html.js";
import { equalFailures, type FailureGroup } from "./page-failures.js";
import { isMeant, type PageFilter, pathOf } from "./page-filter.js";
import type { PageForms } from "./page-forms.js";
import { type Column, tableHtml } from "./page-table.js";
import { idHtml, jobHref, lineHtml, type TypeNames, typeHtml } from "./short-names.js";
import type { JobStatusLine, PollerStatus } from "./status-snapshot.js";
import { durationText, type Moment, timeHtml } from "./times.js";
import { type AdminStatus, isAnyPause, slotGroupOf, slotsHeld } from "./view.js";

/** What every table needs to know. */
export interface TableContext {
  readonly status: AdminStatus;
  readonly filter: PageFilter;
  readonly moment: Moment;
  readonly names: TypeNames;
  readonly clientName: (id: string) => string;
  /** Several accounts or Regions are at work: which one it is has a column. */
  readonly hasAccounts: boolean;
  readonly hasRegions: boolean;
  readonly forms?: Pick<PageForms, "row" | "rowName">;
}

/** Rows shown at first, and on demand; the rest is counted. */
const rowsMax = 50;
const rowsOnDemand = 500;
const outcomesMax = 25;
const failuresMax = 20;

/** The pollers, with their last answer and their next poll. */
export function pollerTable(context: TableContext): Html {
  const { status, moment, names } = context;
  const pollers = status.pollers.filter(({ actionType }) => isOf(context.filter.type, actionType));
  const hasQueries = pollers.some(({ query }) => query !== undefined);
  const columns: readonly Column<PollerStatus>[] = [
    { name: "Action type", cell: ({ actionType }) => html`<span class="strong">${typeHtml(actionType, names)}</span>` },
    ...(hasQueries ? [column<PollerStatus>("Asks for", ({ query }) => query ?? "–")] : []),
    ...placeColumns<PollerStatus>(context),
    { name: "Polls", kind: "wide", cell: pollState },
    column("Last answer", ({ lastGoodPollAtMs }) => timeHtml(lastGoodPollAtMs, "ago", moment)),
    column("Next poll", (poller) => nextPoll(poller, context)),
    {
      name: "Slots",
      kind: "num",
      cell: (poller) => {
        const group = slotGroupOf(status.slots, poller);
        return group ? `${slotsHeld(status, group)} of ${group.max}` : "–";
      },
    },
    { name: "Jobs taken", kind: "num", cell: ({ taken }) => taken },
  ];
  return tableHtml({
    caption: "Pollers",
    columns,
    rows: pollers.slice(0, context.filter.all ? rowsOnDemand : rowsMax),
    keyOf: ({ actionType, query = "", ...place }) => `${placeName(place)} ${actionType} ${query}`,
    empty: "No action type is polled.",
    ...moreRows(pollers.length, context),
  });
}

function pollState({ failures, lastFault, lastGoodPollAtMs, waiting = 0 }: PollerStatus): Piece {
  if (failures > 0) return html`<span class="bad">${failures} failed</span> ${lineHtml(lastFault?.message ?? "")}`;
  if (lastGoodPollAtMs === undefined) return html`<span class="quiet">not polled yet</span>`;
  return html`<span class="good">answered</span>${waiting > 0 ? `; ${waiting} offers wait for their turn` : undefined}`;
}

function nextPoll(poller: PollerStatus, { status, moment }: TableContext): Piece {
  const { isDraining, slots } = status;
  const late = (group: SlotCount | undefined) => {
    if (isDraining) return "never: stopping";
    if (isAnyPause(status)) return "after resume";
    const isFull = slotsHeld(status) >= slots.max || (group && slotsHeld(status, group) >= group.max);
    return isFull ? "when a slot is free" : "now";
  };
  return timeHtml(isDraining ? undefined : poller.nextPollAtMs, "next", moment, late(slotGroupOf(slots, poller)));
}

/** The jobs that the filter lets through, oldest first, and of how many. */
export interface MeantJobs {
  readonly jobs: readonly JobStatusLine[];
  readonly of: number;
}

/** Jobs in flight whose outcome is not fixed yet. */
export function runningJobs({ jobs }: AdminStatus, filter: PageFilter): MeantJobs {
  const all = jobs.filter(({ state }) => state !== "settled");
  const isWrong = ({ lastFault, isUnfinished }: JobStatusLine) => lastFault !== undefined || isUnfinished;
  const meant = all.filter((job) => isMeant(filter, job) && (!filter.failed || isWrong(job)));
  return { jobs: meant.toSorted(oldestFirst), of: all.length };
}

/** Results that CodePipeline has not taken yet. */
export function owedResults({ jobs }: AdminStatus, filter: PageFilter): MeantJobs {
  const all = jobs.filter(({ state }) => state === "settled");
  return { jobs: all.filter((job) => isMeant(filter, job)).toSorted(oldestFirst), of: all.length };
}

function oldestFirst(a: JobStatusLine, b: JobStatusLine): number {
  return a.sinceMs - b.sinceMs;
}

export function jobTable(context: TableContext, { jobs, of }: MeantJobs, percent: ReadonlyMap<string, number>): Html {
  const { moment, filter, forms } = context;
  const columns: readonly Column<JobStatusLine>[] = [
    ...formColumn(forms),
    ...whose<JobStatusLine>(context),
    column("Handler", ({ handler }) => handler ?? "–"),
    { name: "State", kind: "wide", cell: stateHtml },
    { name: "For", kind: "num", cell: ({ sinceMs }) => timeHtml(sinceMs, "age", moment) },
    { name: "Time limit", kind: "num", cell: ({ deadlineMs }) => timeHtml(deadlineMs, "left", moment) },
    ...(percent.size === 0
      ? []
      : [
          {
            name: "Progress",
            kind: "num" as const,
            cell: (job: JobStatusLine) => progressHtml(percent.get(nameOf(job))),
          },
        ]),
  ];
  return tableHtml({
    caption: "Running jobs",
    columns,
    rows: jobs.slice(0, filter.all ? rowsOnDemand : rowsMax),
    keyOf: nameOf,
    empty: of === 0 ? "No job is running." : "No running job is like that.",
    ...moreRows(jobs.length, context),
  });
}

function stateHtml({ state, isAwaitingCallback, isUnfinished, order, lastFault, failedCalls }: JobStatusLine): Piece {
  const step = isAwaitingCallback ? "waits for its service's callback" : state;
  const work = isUnfinished ? `unfinished: ${step}` : step;
  const so = order === undefined ? work : `${work}; operator's order: ${order}`;
  if (lastFault === undefined) return so;
  const times = failedCalls === undefined ? "" : ` ${failedCalls} times`;
  return html`${so} <span class="bad">${lastFault.operation} failed${times}</span> ${lineHtml(lastFault.message)}`;
}

function progressHtml(percent: number | undefined): Piece {
  if (percent === undefined) return "–";
  return html`<progress max="100" value="${percent}" aria-label="progress"></progress> ${percent} %`;
}

export function owedTable(context: TableContext, { jobs: owed, of }: MeantJobs): Html {
  const { status, moment, filter, forms } = context;
  const next = ({ isUnfinished, nextTryAtMs }: JobStatusLine): Piece => {
    if (status.end || isUnfinished) return status.end?.isDurable === false ? "never: lost" : "at the next start";
    return timeHtml(nextTryAtMs, "next", moment);
  };
  const columns: readonly Column<JobStatusLine>[] = [
    ...formColumn(forms),
    ...whose<JobStatusLine>(context),
    {
      name: "Why",
      kind: "wide",
      cell: ({ lastFault }) =>
        lastFault ? lineHtml(`${lastFault.operation}: ${lastFault.code}`, lastFault.message) : "–",
    },
    {
      name: "Owed for",
      kind: "num",
      cell: ({ sinceMs }) => html`<span class="strong">${timeHtml(sinceMs, "age", moment)}</span>`,
    },
    { name: "Tries", kind: "num", cell: ({ failedCalls }) => failedCalls ?? "–" },
    { name: "Next try", kind: "num", cell: next },
  ];
  return tableHtml({
    caption: "Owed results",
    columns,
    rows: owed.slice(0, filter.all ? rowsOnDemand : rowsMax),
    keyOf: nameOf,
    empty: of === 0 ? "Nothing is owed to CodePipeline." : "No owed result is like that.",
    ...moreRows(owed.length, context),
  });
}

/** What went wrong lately: equal failures are one row, the one with the latest first. */
export function failureTable(context: TableContext, troubles: readonly PastJob[]): Html {
  const { filter, moment } = context;
  const meant = troubles.filter((job) => isMeant(filter, job));
  const groups = equalFailures(meant, filter.each);
  const one = (group: FailureGroup) => group.count === 1;
  const columns: readonly Column<FailureGroup>[] = [
    column("Last", ({ latest }) => timeHtml(latest.atMs, "ago", moment)),
    {
      name: "Jobs",
      kind: "num",
      cell: (group) => {
        const { count, latest } = group;
        const path = pathOf({ ...filter, failed: true, each: true, type: latest.actionType });
        return one(group) ? "1" : html`<a href="${path}" title="Show each of the ${count}">× ${count}</a>`;
      },
    },
    column("Outcome", ({ latest }) => endHtml(latest)),
    ...whose<FailureGroup>(context, ({ latest }) => latest, clientsHtml),
    {
      name: "What it said",
      kind: "wide",
      cell: ({ latest }) => (latest.text === undefined ? "–" : lineHtml(latest.text)),
    },
  ];
  return tableHtml({
    caption: "Failures and drops",
    columns,
    rows: groups.slice(0, filter.all ? rowsOnDemand : failuresMax),
    keyOf: ({ key }) => key,
    empty: troubles.length === 0 ? "Nothing went wrong." : "No failure is like that.",
    ...moreRows(groups.length, context, failuresMax),
  });
}

/** The client, or how many there are. */
function clientsHtml({ latest, clients }: FailureGroup, client: Piece): Piece {
  return clients > 1 && latest.clientId !== undefined ? html`${client} and ${clients - 1} more` : client;
}

/** The last outcomes, newest first. */
export function outcomeTable(context: TableContext, recent: readonly PastJob[]): Html {
  const { filter, moment } = context;
  const meant = recent.filter((job) => isMeant(filter, job) && (!filter.failed || job.isTrouble));
  const columns: readonly Column<PastJob>[] = [
    column("When", ({ atMs }) => timeHtml(atMs, "ago", moment)),
    column("Outcome", endHtml),
    ...whose<PastJob>(context),
    { name: "Took", kind: "num", cell: ({ tookMs }) => (tookMs === undefined ? "–" : tookText(tookMs)) },
    { name: "What it said", kind: "wide", cell: ({ text }) => (text === undefined ? "–" : lineHtml(text)) },
  ];
  return tableHtml({
    caption: "Recent outcomes",
    columns,
    rows: meant.slice(0, filter.all ? rowsOnDemand : outcomesMax),
    keyOf: (job) => `${nameOf(job)} ${job.atMs}`,
    empty: recent.length === 0 ? "No job has ended yet." : "No recent outcome is like that.",
  });
}

function endHtml({ end, isTrouble, reason }: PastJob): Piece {
  const tone = isTrouble ? "bad" : end === "dropped" ? "quiet" : "good";
  return html`<span class="${tone}">${end}</span>${reason === undefined ? undefined : ` ${reason}`}`;
}

function tookText(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  return ms < 10_000 ? `${(ms / 1_000).toFixed(1)} s` : durationText(ms);
}

/** What names a job and whose it is. */
interface Named {
  readonly jobId: string;
  readonly account?: string;
  readonly region: string;
  readonly actionType: string;
  readonly clientId: string | undefined;
}

function nameOf(job: Named): string {
  return `${placeName(job)}/${job.jobId}`;
}

/** The columns that say which job a row is about. */
function whose<Row>(
  context: TableContext,
  jobOf: (row: Row) => Named = (row) => row as unknown as Named,
  client: (row: Row, own: Piece) => Piece = (_, own) => own,
): readonly Column<Row>[] {
  const { names, clientName, filter } = context;
  return [
    column<Row>("Job", (row) => {
      const job = jobOf(row);
      return idHtml(job.jobId, "job id", jobHref(job, context));
    }),
    column<Row>("Action type", (row) => typeHtml(jobOf(row).actionType, names)),
    ...placeColumns<Row>(context, jobOf),
    column<Row>("Client", (row) => {
      const { clientId } = jobOf(row);
      if (clientId === undefined) return "–";
      return client(row, idHtml(clientId, "client id", pathOf({ ...filter, client: clientId }), clientName(clientId)));
    }),
  ];
}

/** The columns that tell places apart: none where all is in one. */
function placeColumns<Row>(
  { hasAccounts, hasRegions }: TableContext,
  placeOf: (row: Row) => { readonly account?: string; readonly region: string } = (row) => row as unknown as Named,
): readonly Column<Row>[] {
  return [
    ...(hasAccounts ? [column<Row>("Account", (row) => placeOf(row).account ?? defaultAccount)] : []),
    ...(hasRegions ? [column<Row>("Region", (row) => placeOf(row).region)] : []),
  ];
}

function formColumn(forms: TableContext["forms"]): readonly Column<JobStatusLine>[] {
  return forms ? [column(forms.rowName, (job) => forms.row(job))] : [];
}

function column<Row>(name: string, cell: (row: Row) => Piece): Column<Row> {
  return { name, cell };
}

function isOf(wanted: string | undefined, value: string): boolean {
  return wanted === undefined || wanted === value;
}

function moreRows(count: number, { filter }: TableContext, max = rowsMax): { readonly more?: Piece } {
  const shown = filter.all ? rowsOnDemand : max;
  if (count <= shown) return {};
  if (filter.all) return { more: `and ${count - shown} more; /status has them all` };
  return {
    more: html`and ${count - shown} more; <a href="${pathOf({ ...filter, all: true })}">show up to ${rowsOnDemand}</a>`,
  };
}
