// What all pages of the console share: head, policy, navigation and foot. A page gives its title and its body; it works
// without a script, and a live one is kept up to date by page.js. It never knows what a page shows.
import { type Html, html } from "./html.js";
import { type Moment, timeHtml } from "./times.js";

/** A page that the navigation leads to. */
export interface FrameLink {
  readonly path: string;
  readonly name: string;
}

export interface Frame {
  /** What the browser's tab says before `· partnerd`. */
  readonly title: string;
  readonly version: string;
  readonly atMs: number;
  readonly startedAtMs: number;
  /** The navigation, in order. */
  readonly links: readonly FrameLink[];
  /** The path of the link that this page is, or belongs to. */
  readonly here: string;
  /** Everything within `<main>`. */
  readonly body: Html;
  /** The stream that keeps the elements of this page up to date, by their ids; absent: the page stands as it is. */
  readonly stream?: string;
  /** Every how many seconds a browser without scripts loads the page anew; absent: never. */
  readonly refreshS?: number;
}

/** May load its own style and script, ask its own streams and send its own forms: nothing else, from nowhere else. */
export const pagePolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join("; ");

/** The whole document. */
export function framed(frame: Frame): string {
  const { title, version, atMs, startedAtMs, body, stream, refreshS } = frame;
  const moment: Moment = { nowMs: atMs, isLive: false };
  const refresh =
    refreshS === undefined ? undefined : html`<noscript><meta http-equiv="refresh" content="${refreshS}"></noscript>`;
  const data = stream === undefined ? undefined : html` data-stream="${stream}"`;
  return html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title} · partnerd</title><meta name="color-scheme" content="light dark">
<link rel="icon" href="/page.svg" type="image/svg+xml"><link rel="stylesheet" href="/page.css">
${refresh}<script src="/page.js" defer></script></head>
<body data-at="${atMs}" data-version="${version}"${data}>
<a class="skip" href="#main">Skip to the content</a>
<header><span class="name">partnerd</span>${navigation(frame)}
<span class="quiet">${version} · up ${timeHtml(startedAtMs, "age", moment)}</span>
<span id="live" class="quiet">as of ${new Date(atMs).toISOString().slice(11, 19)} UTC</span></header>
<main id="main" tabindex="-1">${body}</main>
<footer><nav aria-label="For machines"><a href="/status">status as JSON</a> <a href="/metrics">metrics</a> <a href="/readyz">readiness</a></nav></footer>
</body></html>
`.text;
}

function navigation({ links, here }: Frame): Html {
  const items = links.map(({ path, name }) => {
    const current = path === here ? html` aria-current="page"` : undefined;
    return html`<a href="${path}"${current}>${name}</a>`;
  });
  return html`<nav aria-label="Pages" class="pages">${items}</nav>`;
}

/**
 * A part of a page with its heading. A stream replaces the contents of the elements `id` and, where there is a count,
 * `id-count`; while somebody reads there, the script holds changes back and says so beside the heading.
 */
export function section(id: string, title: string, content: Html, count?: Html): Html {
  const number = count === undefined ? undefined : html` <span id="${id}-count" class="count">${count}</span>`;
  return html`<section aria-labelledby="${id}-title"><h2><span id="${id}-title">${title}</span>${number}<span class="held" aria-hidden="true"></span></h2><div id="${id}" class="part">${content}</div></section>\n`;
}
