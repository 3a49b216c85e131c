// The status page: what an operator wants to know at three in the morning, worst thing first. Written here in whole,
// so that it works without a script; with one, sections are replaced as they change. Shows no configuration value.
import type { LedgerState } from "./health.js";
import type { HistoryView } from "./history.js";
import { Html, html, type Piece } from "./html.js";
import { pickupChart, throughputChart } from "./page-charts.js";
import { type Frame, framed, section } from "./page-frame.js";
import { jobTable, outcomeTable, owedTable, pollerTable } from "./page-tables.js";
import { type Moment, timeHtml } from "./times.js";
import { verdictOn } from "./verdict.js";
import { type AdminStatus, slotsHeld } from "./view.js";

export interface PageView {
  readonly status: AdminStatus;
  readonly ledger: LedgerState;
  readonly history: HistoryView;
}

/** The HTML of each part of the page that changes, by the id of its element. */
export type Sections = Readonly<Record<string, string>>;

/** Every how many seconds a browser without scripts reloads the page. */
const refreshS = 10;

/** The parts that change. `isLive`: times are left for the script to fill in, so that only news changes a part. */
export function sectionsOf(view: PageView, isLive: boolean): Sections {
  const { status, ledger, history } = view;
  const moment: Moment = { nowMs: status.atMs, isLive };
  const parts: Readonly<Record<string, Html>> = {
    verdict: verdictHtml(view),
    figures: figuresHtml(status, history, moment),
    owed: owedTable(status, moment),
    jobs: jobTable(status, history.percent, moment),
    pollers: pollerTable(status, moment),
    charts: html`${throughputChart(history.hour)}${pickupChart(history.hour)}`,
    outcomes: outcomeTable(history.recent, moment),
    spoken: html`${verdictOn(status, ledger).spoken}`,
  };
  return Object.fromEntries(Object.entries(parts).map(([name, part]) => [name, part.text]));
}

/** The whole page. */
export function pageText(view: PageView, { version, links }: Pick<Frame, "version" | "links">): string {
  const { status, ledger } = view;
  const parts = sectionsOf(view, false);
  const part = (name: string) => new Html(parts[name] ?? "");
  const body = html`<div id="verdict">${part("verdict")}</div>
<div id="spoken" class="hidden" role="status" aria-live="polite">${part("spoken")}</div>
<div id="figures">${part("figures")}</div>
${section("charts", "The last hour", part("charts"))}${section("owed", "Owed results", part("owed"))}${section("jobs", "Running jobs", part("jobs"))}${section("pollers", "Pollers", part("pollers"))}${section("outcomes", "Recent outcomes", part("outcomes"))}`;
  const { headline: title } = verdictOn(status, ledger);
  const { atMs, startedAtMs } = status;
  return framed({ title, version, links, here: "/", atMs, startedAtMs, body, stream: "/events", refreshS });
}

function verdictHtml({ status, ledger }: PageView): Html {
  const { tone, headline, more } = verdictOn(status, ledger);
  const rest = more.length === 0 ? undefined : html`<ul>${more.map((text) => html`<li>${text}</li>`)}</ul>`;
  return html`<div class="verdict ${tone}"><h1>${headline}</h1>${rest}</div>`;
}

function figuresHtml(status: AdminStatus, { hour }: HistoryView, moment: Moment): Html {
  const { slots, jobs } = status;
  const held = slotsHeld(status);
  const owed = jobs.filter(({ state }) => state === "settled");
  const oldestMs = owed.length === 0 ? undefined : Math.min(...owed.map(({ sinceMs }) => sinceMs));
  const sum = (read: (minute: (typeof hour)[number]) => number) => hour.reduce((total, each) => total + read(each), 0);
  const failed = sum((minute) => minute.failed);
  const figure = (name: string, value: Piece, note: Piece) =>
    html`<div><dt>${name}</dt><dd>${value}</dd><dd class="note">${note}</dd></div>`;
  const used = html`<meter min="0" max="${slots.max}" value="${held}" aria-label="slots in use">${held}</meter>`;
  const polls = (status.pollRates ?? []).reduce((total, { perMinute }) => total + perMinute, 0);
  const limited = (status.callLimits ?? []).map(({ scope, perSecond }) => `${scope}: ${perSecond.toFixed(1)} calls/s`);
  return html`<dl class="figures">
${figure("Slots in use", html`${held} <span class="of">of ${slots.max}</span>`, used)}
${figure("Polls a minute", polls, limited.length === 0 ? "" : html`<span class="bad">throttled: ${limited.join(", ")}</span>`)}
${figure("Jobs running", jobs.filter(({ state, isUnfinished }) => state !== "settled" && !isUnfinished).length, "")}
${figure("Results owed", owed.length, oldestMs === undefined ? "" : html`the oldest for ${timeHtml(oldestMs, "age", moment)}`)}
${figure(
  "Results, last hour",
  sum((minute) => minute.succeeded + minute.continued + minute.failed),
  failed === 0 ? "none failed" : html`<span class="bad">${failed} failed</span>`,
)}</dl>`;
}
