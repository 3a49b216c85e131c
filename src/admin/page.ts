// The overview: what an operator wants to know at three in the morning, worst thing first. Written here in whole, so that
// it works without a script; with one, parts are replaced as they change. Shows no configuration value.
import { defaultAccount } from "../job/job.js";
import type { LedgerState } from "./health.js";
import type { HistoryView } from "./history.js";
import { Html, html, type Piece } from "./html.js";
import { pickupChart, throughputChart } from "./page-charts.js";
import { clientTable, typeTable } from "./page-clients.js";
import {
  type FilterChoices,
  filterForm,
  isNarrow,
  type PageFilter,
  pathOf,
  queryOf,
  unfiltered,
  withWholeType,
} from "./page-filter.js";
import type { PageForms } from "./page-forms.js";
import { type Frame, framed, section } from "./page-frame.js";
import {
  failureTable,
  jobTable,
  type MeantJobs,
  outcomeTable,
  owedResults,
  owedTable,
  pollerTable,
  runningJobs,
  type TableContext,
} from "./page-tables.js";
import { type FullSlots, fullSlots } from "./saturation.js";
import { shortIds, typeNames } from "./short-names.js";
import { type Moment, timeHtml } from "./times.js";
import { verdictOn } from "./verdict.js";
import { type AdminStatus, slotsHeld } from "./view.js";

export interface PageView {
  readonly status: AdminStatus;
  readonly ledger: LedgerState;
  readonly history: HistoryView;
  /** The limits of slots that are reached; absent: those of this moment. */
  readonly full?: readonly FullSlots[];
  /** Absent: nobody may act from here. */
  readonly forms?: PageForms;
}

/** The HTML of each part of the page that changes, by the id of its element; made when it is asked for. */
export type Sections = ReadonlyMap<string, () => string>;

/** Every how many seconds a browser without scripts loads the page anew, unless it was told not to. */
const refreshS = 10;
const choicesMax = 200;

/** The parts that change. `isLive`: times are left for the script to fill in, so that only news changes a part. */
export function sectionsOf(view: PageView, given: PageFilter, isLive: boolean): Sections {
  const { status, ledger, history, forms } = view;
  const filter = wholeFilter(view, given);
  const moment: Moment = { nowMs: status.atMs, isLive };
  const context = once(() => contextOf(view, filter, moment));
  const full = view.full ?? fullSlots(status);
  const verdict = verdictOn(status, ledger, full);
  const owed = once(() => owedResults(status, filter));
  const running = once(() => runningJobs(status, filter));
  const parts: Readonly<Record<string, () => Html>> = {
    verdict: () => verdictHtml(verdict),
    spoken: () => html`${verdict.spoken}`,
    figures: () => figuresHtml(view, full, moment),
    ...(forms ? { controls: () => forms.controls(status) } : {}),
    narrow: () => narrowNote(filter),
    charts: () => {
      const typeName = filter.type === undefined ? "" : context().names(filter.type);
      return html`${throughputChart(history.hour, filter.type, typeName)}${pickupChart(history.hour)}`;
    },
    types: () => typeTable(context(), history.hour),
    clients: () => clientTable(context(), history.clients),
    "owed-count": () => countHtml(owed()),
    owed: () => owedTable(context(), owed()),
    failures: () => failureTable(context(), history.troubles),
    "jobs-count": () => countHtml(running()),
    jobs: () => jobTable(context(), running(), history.percent),
    pollers: () => pollerTable(context()),
    outcomes: () => outcomeTable(context(), history.recent),
  };
  return new Map(Object.entries(parts).map(([name, part]) => [name, () => part().text]));
}

/** The whole page. `viewer`: whoever asks, for the forms. */
export function pageText(
  view: PageView,
  given: PageFilter,
  { version, links, viewer }: Pick<Frame, "version" | "links"> & { readonly viewer?: unknown },
): string {
  const { status, forms } = view;
  const filter = wholeFilter(view, given);
  const sections = sectionsOf(view, filter, false);
  const part = (name: string) => new Html(sections.get(name)?.() ?? "");
  const controls =
    forms && html`<div class="forms">${forms.once(viewer)}<div id="controls">${part("controls")}</div></div>`;
  const lists: readonly (readonly [string, string, boolean?])[] = [
    ["owed", "Owed results", true],
    ["failures", "Failures and drops"],
    ["clients", "Clients"],
    ["jobs", "Running jobs", true],
    ["pollers", "Pollers"],
    ["outcomes", "Recent outcomes"],
  ];
  const query = queryOf(filter);
  const body = html`<div id="verdict">${part("verdict")}</div>
<div id="spoken" class="hidden" role="status" aria-live="polite">${part("spoken")}</div>
<div id="figures">${part("figures")}</div>
${section("charts", "The last hour", part("charts"))}${section("types", "Action types", part("types"))}
${filterForm(filter, choicesOf(view))}<div id="narrow" aria-live="polite">${part("narrow")}</div>${controls}
${lists.map(([id, title, isCounted]) => section(id, title, part(id), isCounted ? part(`${id}-count`) : undefined))}
${refreshNote(filter)}`;
  const { atMs, startedAtMs } = status;
  const { headline: title } = verdictOn(status, view.ledger, view.full);
  const stream = query === "" ? "/events" : `/events?${query}`;
  const refresh = filter.refresh ? { refreshS } : {};
  return framed({ title, version, links, here: "/", atMs, startedAtMs, body, stream, ...refresh });
}

function narrowNote(filter: PageFilter): Html {
  if (!isNarrow(filter)) return html``;
  const everything = html`<a href="${pathOf(unfiltered(filter))}">show everything</a>`;
  return html`<p class="quiet">The lists are filtered: ${everything}. The verdict and the figures are those of all jobs.</p>`;
}

/** For browsers without scripts: who reads slowly, or by ear, may turn it off. */
function refreshNote(filter: PageFilter): Html {
  const { refresh } = filter;
  const other = pathOf({ ...filter, refresh: !refresh });
  return html`<noscript><p class="quiet">${
    refresh
      ? html`Without scripts this page loads itself anew every ${refreshS} s: <a href="${other}">turn that off</a>.`
      : html`This page stands still: <a href="${pathOf(filter)}">load it anew</a>, or <a href="${other}">every ${refreshS} s</a>.`
  }</p></noscript>`;
}

function wholeFilter({ status: { pollers, jobs } }: PageView, filter: PageFilter): PageFilter {
  if (filter.type === undefined) return filter;
  const types = [...pollers, ...jobs].map(({ actionType }) => actionType);
  return withWholeType(filter, types, typeNames(types));
}

function contextOf({ status, history, forms }: PageView, filter: PageFilter, moment: Moment): TableContext {
  const { pollers, jobs } = status;
  const all = [...pollers, ...jobs, ...history.recent.slice(0, 100), ...history.troubles.slice(0, 100)];
  return {
    status,
    filter,
    moment,
    names: typeNames(all.map(({ actionType }) => actionType)),
    clientName: shortIds([...jobs, ...history.clients].flatMap(({ clientId }) => clientId ?? [])),
    hasAccounts: new Set(all.map(({ account = defaultAccount }) => account)).size > 1,
    hasRegions: new Set(all.map(({ region }) => region)).size > 1,
    ...(forms ? { forms } : {}),
  };
}

/** What is known now: the filter's lists are written with the page. */
function choicesOf({ status, history }: PageView): FilterChoices {
  const { pollers, jobs, handlers = [] } = status;
  const sorted = (values: Iterable<string | undefined>) =>
    [...new Set(values)]
      .filter((value) => value !== undefined)
      .toSorted()
      .slice(0, choicesMax);
  const types = sorted([...pollers, ...jobs].map(({ actionType }) => actionType));
  return {
    types,
    names: typeNames(types),
    handlers: sorted([...handlers, ...jobs].map(({ handler }) => handler)),
    clients: sorted([...jobs, ...history.clients].map(({ clientId }) => clientId)),
  };
}

function verdictHtml({ tone, headline, more }: ReturnType<typeof verdictOn>): Html {
  const rest = more.length === 0 ? undefined : html`<ul>${more.map((text) => html`<li>${text}</li>`)}</ul>`;
  return html`<div class="verdict ${tone}"><h1>${headline}</h1>${rest}</div>`;
}

function figuresHtml({ status, history: { hour } }: PageView, full: readonly FullSlots[], moment: Moment): Html {
  const { slots, jobs } = status;
  const held = slotsHeld(status);
  const sum = (read: (minute: (typeof hour)[number]) => number) => hour.reduce((total, each) => total + read(each), 0);
  const [failed, dropped] = [sum((minute) => minute.failed), sum((minute) => minute.dropped)];
  const bad = [...(failed > 0 ? [`${failed} failed`] : []), ...(dropped > 0 ? [`${dropped} dropped`] : [])].join(", ");
  const figure = (name: string, value: Piece, note: Piece) =>
    html`<div><dt>${name}</dt><dd>${value}</dd><dd class="note">${note}</dd></div>`;
  const used = html`<meter min="0" max="${slots.max}" value="${held}" aria-label="slots in use">${held}</meter>`;
  const polls = (status.pollRates ?? []).reduce((total, { perMinute }) => total + perMinute, 0);
  const limited = (status.callLimits ?? []).map(({ scope, perSecond }) => `${scope}: ${perSecond.toFixed(1)} calls/s`);
  const running = jobs.filter(({ state, isUnfinished }) => state !== "settled" && !isUnfinished).length;
  return html`<dl class="figures">
${figure("Slots in use", html`${held} <span class="of">of ${slots.max}</span>`, used)}
${figure("Jobs running", running, waitNote(full, moment))}
${figure("Results owed", jobs.filter(({ state }) => state === "settled").length, owedNote(status, moment))}
${figure(
  "Results, last hour",
  sum((minute) => minute.succeeded + minute.continued + minute.failed),
  bad === "" ? "none failed" : html`<span class="bad">${bad}</span>`,
)}
${figure("Polls a minute", polls, limited.length === 0 ? "" : html`<span class="bad">throttled: ${limited.join(", ")}</span>`)}</dl>`;
}

/** How long whoever came after the last poll has waited at CodePipeline. */
function waitNote(full: readonly FullSlots[], moment: Moment): Piece {
  if (full.length === 0) return "";
  const times = full.flatMap(({ lastPollAtMs }) => lastPollAtMs ?? []);
  if (times.length === 0) return html`<span class="busy">new jobs wait for a slot</span>`;
  return html`<span class="busy">new jobs wait: ${timeHtml(Math.min(...times), "age", moment)}</span>`;
}

function owedNote({ jobs, end }: AdminStatus, moment: Moment): Piece {
  const owed = jobs.filter(({ state }) => state === "settled");
  if (owed.length === 0) return "";
  const oldest = html`the oldest for ${timeHtml(Math.min(...owed.map(({ sinceMs }) => sinceMs)), "age", moment)}`;
  const tries = owed.flatMap(({ nextTryAtMs, isUnfinished }) => (isUnfinished ? [] : (nextTryAtMs ?? [])));
  if (end || tries.length === 0) return oldest;
  return html`${oldest}; next try ${timeHtml(Math.min(...tries), "next", moment)}`;
}

function countHtml({ jobs, of }: MeantJobs): Html {
  if (of === 0) return html``;
  return html`${jobs.length === of ? of : `${jobs.length} of ${of}`}`;
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}
