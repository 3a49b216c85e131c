// Times as people want them at night: how long ago, in how long. The page's script says the same in the browser, so
// that a page that is live need not be rewritten each second.
import { type Html, html } from "./html.js";

/** `age`: 3 min. `ago`: 3 min ago. `next`: in 3 s, now, or, once it is late, `late`. `left`: 3 min left, or over. */
export type TimeForm = "age" | "ago" | "next" | "left";

/** When it is: what a page counts from. */
export interface Moment {
  readonly nowMs: number;
  /** True when the page's script fills times in: then they are left out here. */
  readonly isLive: boolean;
}

/** A point in time, ms since the epoch; without one a dash. */
export function timeHtml(atMs: number | undefined, form: TimeForm, moment: Moment, late = "now"): Html {
  if (atMs === undefined) return html`–`;
  const iso = new Date(atMs).toISOString();
  const text = moment.isLive ? "" : formed(moment.nowMs - atMs, form, late);
  const lateText = form === "next" ? html` data-late="${late}"` : undefined;
  return html`<time datetime="${iso}" title="${iso}" data-form="${form}"${lateText}>${text}</time>`;
}

/** A duration: its two largest units at most. */
export function durationText(ms: number): string {
  const s = Math.max(0, Math.round(ms / 1_000));
  if (s < 60) return `${s} s`;
  const min = Math.floor(s / 60);
  if (min < 60) return `${min} min`;
  const h = Math.floor(min / 60);
  if (h < 48) return `${h} h ${min % 60} min`;
  return `${Math.floor(h / 24)} d ${h % 24} h`;
}

/** `14:02 UTC`. */
export function clockText(atMs: number): string {
  return `${new Date(atMs).toISOString().slice(11, 16)} UTC`;
}

/** `14:02:11 UTC`. */
export function secondText(atMs: number): string {
  return `${new Date(atMs).toISOString().slice(11, 19)} UTC`;
}

function formed(passedMs: number, form: TimeForm, late: string): string {
  switch (form) {
    case "age":
      return durationText(passedMs);
    case "ago":
      return `${durationText(passedMs)} ago`;
    case "next":
      return passedMs < 0 ? `in ${durationText(-passedMs)}` : passedMs > lateMs ? late : "now";
    case "left":
      return passedMs < 0 ? `${durationText(-passedMs)} left` : "over";
  }
}

/** A poll under way is not late yet. */
const lateMs = 3_000;
