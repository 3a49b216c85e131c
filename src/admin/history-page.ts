// The page of ended jobs: a form whose fields stand in the address, so that a search can be sent as a link, and rows of one
// line, page by page. It makes HTML of what a search found and knows nothing else.

import type { HistoryEntry } from "./ended-story.js";
import { type EndedHow, endedHows, type HistoryQuery, historyPath, isNarrowed } from "./history-query.js";
import { type Html, html, type Piece } from "./html.js";
import { jobPath } from "./job-page.js";
import { type Column, tableHtml } from "./page-table.js";
import { idHtml, lineHtml, shortId, typeHtml, typeNames } from "./short-names.js";
import { durationText, type Moment, timeHtml } from "./times.js";

export interface HistoryView {
  readonly query: HistoryQuery;
  readonly entries: readonly HistoryEntry[];
  /** Where older ones begin; absent: there are none. */
  readonly next?: string | undefined;
  /** Why there is nothing to show. */
  readonly problem?: string;
}

/** The page's body. */
export function historyPage(view: HistoryView, moment: Moment): Html {
  const { query, problem } = view;
  const body = problem === undefined ? found(view, moment) : html`<p class="bad" role="alert">${problem}</p>`;
  return html`<link rel="stylesheet" href="/job.css"><h1>Ended jobs</h1>${form(query)}
<section aria-label="Ended jobs" id="history">${body}</section>`;
}

function form(query: HistoryQuery): Html {
  const field = (name: "job" | "client" | "pipeline" | "type", label: string, hint: string) =>
    html`<label>${label} <input name="${name}" value="${query[name] ?? ""}" maxlength="600" placeholder="${hint}" autocomplete="off" spellcheck="false"></label>`;
  const option = (value: EndedHow) =>
    html`<option value="${value}"${value === query.outcome ? html` selected` : undefined}>${value}</option>`;
  const clear = isNarrowed(query) ? html` <a href="/history">All ended jobs</a>` : undefined;
  return html`<form id="search" class="filter" method="get" action="/history" role="search" aria-label="Search">
${field("job", "Job", "beginning of an id")}
<label>Outcome <select name="outcome"><option value="">any</option>${endedHows.map(option)}</select></label>
${field("type", "Action type", "provider")}
${field("pipeline", "Pipeline", "beginning of a name")}
${field("client", "Client", "beginning of an id")}
<span><button type="submit">Search</button>${clear}</span></form>`;
}

function found({ query, entries, next }: HistoryView, moment: Moment): Html {
  const older =
    next === undefined
      ? undefined
      : html`<a href="${historyPath({ ...query, before: next })}" rel="next">Older jobs</a>`;
  const newest =
    query.before === undefined
      ? undefined
      : html`<a href="${historyPath({ ...query, before: undefined })}">Newest jobs</a> `;
  const pages = older || newest ? html`<nav class="more" aria-label="Search pages">${newest}${older}</nav>` : undefined;
  // A search that looked at enough rows ends, whatever it found.
  const empty =
    next === undefined ? "No ended job is like that." : "Among the jobs that were looked at none is like that.";
  return html`${tableHtml({ caption: "Ended jobs", columns: columns(entries, moment), rows: entries, keyOf, empty })}${pages}`;
}

function keyOf({ account = "", region, jobId }: HistoryEntry): string {
  return `${account} ${region} ${jobId}`;
}

function columns(entries: readonly HistoryEntry[], moment: Moment): readonly Column<HistoryEntry>[] {
  const names = typeNames(entries.map(({ actionType }) => actionType));
  const many = (read: (entry: HistoryEntry) => string | undefined) => new Set(entries.map(read)).size > 1;
  const optional = (isShown: boolean, column: Column<HistoryEntry>) => (isShown ? [column] : []);
  return [
    { name: "Ended", kind: "num", cell: ({ endedAt }) => timeHtml(Date.parse(endedAt) || undefined, "ago", moment) },
    { name: "Job", cell: (entry) => idHtml(entry.jobId, "job id", jobPath(entry)) },
    { name: "Outcome", cell: outcomeHtml },
    { name: "Action type", cell: ({ actionType }) => typeHtml(actionType, names) },
    ...optional(
      many(({ account }) => account),
      { name: "Account", cell: ({ account }) => account ?? "default" },
    ),
    ...optional(
      many(({ region }) => region),
      { name: "Region", cell: ({ region }) => region },
    ),
    ...optional(
      entries.some(({ clientId }) => clientId),
      { name: "Client", cell: clientHtml },
    ),
    { name: "Pipeline", cell: pipelineHtml },
    { name: "What it said", kind: "wide", cell: ({ text }) => (text === undefined ? "–" : lineHtml(text)) },
    { name: "Took", kind: "num", cell: ({ durationMs }) => (durationMs === undefined ? "–" : tookText(durationMs)) },
  ];
}

const tones: Readonly<Record<EndedHow, string>> = {
  succeeded: "good",
  continued: "good",
  failed: "bad",
  dropped: "busy",
};

function outcomeHtml({ end, reason }: HistoryEntry): Piece {
  const why = reason === undefined || reason === "JobFailed" ? undefined : html` <span class="quiet">${reason}</span>`;
  return html`<span class="${tones[end]}">${end}</span>${why}`;
}

function clientHtml({ clientId }: HistoryEntry): Piece {
  if (clientId === undefined) return "–";
  return html`<a href="${historyPath({ client: clientId })}"><bdi class="id" title="${clientId}">${shortId(clientId)}</bdi></a>`;
}

function pipelineHtml({ pipelineName, stageName, actionName }: HistoryEntry): Piece {
  if (pipelineName === undefined) return "–";
  const whole = [pipelineName, stageName, actionName].filter((name) => name !== undefined).join(" / ");
  return html`<a href="${historyPath({ pipeline: pipelineName })}" title="${whole}">${pipelineName}</a>${actionName === undefined ? undefined : html` <span class="quiet">${actionName}</span>`}`;
}

function tookText(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  return ms < 10_000 ? `${(ms / 1_000).toFixed(1)} s` : durationText(ms);
}
