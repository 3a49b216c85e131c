// The status page's style, script and icon, as texts: they are served as they stand here. No framework, nothing from
// elsewhere. Every pair of colours was chosen for a contrast of 4.5 or more, and a test computes it.

export const pageStyle = `:root {
  color-scheme: light dark;
  --paper: #f6f7f9; --card: #ffffff; --ink: #1a1f26; --quiet: #545d69; --line: #d9dee5;
  --good: #11713a; --goodpaper: #e3f4e9; --busy: #7a5200; --busypaper: #fdf1d7; --bad: #b3161f; --badpaper: #fde8e8;
  --link: #0a58b5; --mid: #0a58b5; --slow: #a9c6ea;
}
@media (prefers-color-scheme: dark) { :root {
  --paper: #12161b; --card: #1b2128; --ink: #e6eaef; --quiet: #a3adb9; --line: #323b46;
  --good: #63d193; --goodpaper: #14301f; --busy: #f0bd52; --busypaper: #352a10; --bad: #ff8f8f; --badpaper: #3d1a1c;
  --link: #82b7ff; --mid: #82b7ff; --slow: #33577f;
} }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 80rem; padding: 0 1rem 2rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.45 system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; overflow-wrap: break-word; }
header { display: flex; flex-wrap: wrap; gap: .25rem 1rem; align-items: baseline; padding: .75rem 0; }
header .name { font-weight: 700; }
header #live { margin-left: auto; }
.pages { display: flex; gap: .25rem; }
.pages a { padding: .15rem .6rem; border-radius: .4rem; text-decoration: none; }
.pages a[aria-current] { background: var(--card); color: var(--ink); font-weight: 600; border: 1px solid var(--line); }
a { color: var(--link); }
a:focus-visible, main:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; }
.skip { position: absolute; left: -99rem; }
.skip:focus { position: static; }
.hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.quiet, .note, .of { color: var(--quiet); }
.good { color: var(--good); } .bad { color: var(--bad); } .strong, .good, .bad { font-weight: 600; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0; }
h2 { font-size: 1.05rem; margin: 1.75rem 0 .5rem; }
main:focus { outline: none; }
.verdict { padding: 1rem 1.25rem; border-radius: .5rem; border-left: .5rem solid currentColor; }
.verdict.good { color: var(--good); background: var(--goodpaper); }
.verdict.busy { color: var(--busy); background: var(--busypaper); }
.verdict.bad { color: var(--bad); background: var(--badpaper); }
.verdict ul { margin: .5rem 0 0; padding-left: 1.2rem; color: var(--ink); font-weight: 400; }
.stale .verdict { color: var(--quiet); background: var(--card); }
.stale #live { flex-basis: 100%; padding: 1rem 1.25rem; border-radius: .5rem; border-left: .5rem solid currentColor;
  color: var(--bad); background: var(--badpaper); font-size: 1.25rem; font-weight: 700; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr)); gap: .75rem; margin: .75rem 0 0; }
.figures > div, figure, table { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; }
.figures > div { padding: .75rem 1rem; display: flex; flex-direction: column; }
dt { color: var(--quiet); font-size: .9rem; }
dd { margin: 0; font-size: 1.6rem; font-weight: 600; font-variant-numeric: tabular-nums; }
dd.note { font-size: .9rem; font-weight: 400; min-height: 1.3rem; }
.of { font-size: 1rem; font-weight: 400; }
meter { width: 100%; height: .9rem; }
progress { width: 5rem; vertical-align: middle; }
table { width: 100%; border-collapse: separate; border-spacing: 0; font-size: .9rem; }
th, td { text-align: left; vertical-align: top; padding: .45rem .75rem; border-top: 1px solid var(--line); }
thead th { border-top: 0; color: var(--quiet); font-weight: 600; white-space: nowrap; }
td { font-variant-numeric: tabular-nums; }
td time, .whole { white-space: nowrap; }
td > div { min-width: 0; }
.id, .text { overflow-wrap: anywhere; }
td .id { display: inline-block; min-width: 9rem; }
.id { font-family: ui-monospace, "SF Mono", Menlo, Consolas, monospace; font-size: .85em; }
td .text { font-weight: 400; }
#charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr)); gap: .75rem; }
figure { margin: 0; padding: .75rem 1rem; }
figcaption { display: flex; flex-wrap: wrap; gap: .25rem 1rem; justify-content: space-between; }
.legend { color: var(--quiet); font-size: .85rem; }
figure p { margin: .25rem 0 0; font-size: .9rem; }
.key { display: inline-block; width: .7rem; height: .7rem; border-radius: 2px; margin: 0 .3rem 0 .5rem; }
.goodkey, .goodbar { background: var(--good); fill: var(--good); } .badkey, .badbar { background: var(--bad); fill: var(--bad); }
.midkey, .midbar { background: var(--mid); fill: var(--mid); } .slowkey, .slowbar { background: var(--slow); fill: var(--slow); }
svg { display: block; width: 100%; height: auto; margin-top: .25rem; }
svg text { fill: var(--quiet); font-size: 11px; font-family: inherit; }
.axis { stroke: var(--quiet); } .grid { stroke: var(--line); stroke-dasharray: 3 3; }
footer { margin-top: 2rem; } footer a { margin-right: 1rem; }
@media (max-width: 70rem) {
  h1 { font-size: 1.25rem; }
  .figures { grid-template-columns: 1fr 1fr; }
  table, tr, td { display: block; }
  thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  tr { padding: .5rem 0; border-top: 1px solid var(--line); }
  tr:first-child { border-top: 0; }
  tbody { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 22rem), 1fr)); }
  td { display: grid; grid-template-columns: 7rem 1fr; gap: .5rem; padding: .15rem .75rem; border: 0; }
  td::before { content: attr(data-name); color: var(--quiet); }
  /* On a phone the newest outcomes, and what they said, are enough. */
  .recent-outcomes tr:nth-child(n + 13), .recent-outcomes td:nth-child(n + 4):nth-child(-n + 6),
  .pollers td:last-child, td.none { display: none; }
}
@media (max-width: 30rem) { svg text { font-size: 22px; } }
`;

export const pageScript = `"use strict";
(() => {
  const live = document.getElementById("live");
  const late = 3000, silence = 25000, again = 5000;
  // The daemon's clock is what times are told by.
  let offset = Date.now() - Number(document.body.dataset.at);
  let heard = Date.now(), stopped = false, source;
  const waiting = new Map();

  function duration(ms) {
    const s = Math.max(0, Math.round(ms / 1000)), min = Math.floor(s / 60), h = Math.floor(min / 60);
    if (s < 60) return s + " s";
    if (min < 60) return min + " min";
    if (h < 48) return h + " h " + (min % 60) + " min";
    return Math.floor(h / 24) + " d " + (h % 24) + " h";
  }

  function formed(passed, form, lateText) {
    if (form === "age") return duration(passed);
    if (form === "ago") return duration(passed) + " ago";
    if (form === "next") return passed < 0 ? "in " + duration(-passed) : passed > late ? lateText : "now";
    return passed < 0 ? duration(-passed) + " left" : "over";
  }

  function times() {
    // Nobody knows how things went on without their daemon.
    if (document.body.classList.contains("stale")) return;
    const now = Date.now() - offset;
    for (const time of document.querySelectorAll("time[data-form]")) {
      const text = formed(now - Date.parse(time.dateTime), time.dataset.form, time.dataset.late);
      if (time.textContent !== text) time.textContent = text;
    }
  }

  // What somebody is marking, to copy it, stays until they are done.
  function isMarked(element) {
    const marked = getSelection();
    return marked !== null && !marked.isCollapsed && marked.containsNode(element, true);
  }

  function show() {
    for (const [id, html] of waiting) {
      const element = document.getElementById(id);
      if (element !== null && isMarked(element)) continue;
      waiting.delete(id);
      if (element === null || element.innerHTML === html) continue;
      element.innerHTML = html;
      if (id === "verdict") document.title = element.querySelector("h1").textContent + " \\u00b7 partnerd";
    }
    times();
  }

  function state() {
    const quiet = Date.now() - heard;
    const isStale = stopped || quiet > silence || source.readyState !== EventSource.OPEN;
    const wasStale = document.body.classList.contains("stale");
    document.body.classList.toggle("stale", isStale);
    const text = !isStale ? "live" : stopped ? "partnerd has stopped" : "no answer from partnerd for " + duration(quiet);
    if (live.textContent !== text) live.textContent = text;
    // It is said once; what is so again comes with the sections.
    if (isStale && !wasStale) document.getElementById("spoken").textContent = text;
    // A connection that died without a word, as in a laptop that slept, is not waited for.
    if (!stopped && quiet > silence && source.readyState === EventSource.OPEN) {
      source.close();
      connect();
    }
  }

  function connect() {
    source = new EventSource(document.body.dataset.stream);
    source.onopen = () => { heard = Date.now(); state(); };
    source.onerror = () => {
      state();
      if (source.readyState === EventSource.CLOSED) setTimeout(connect, again);
    };
    source.addEventListener("hello", ({ data }) => {
      if (JSON.parse(data).version !== document.body.dataset.version) location.reload();
      stopped = false;
    });
    source.addEventListener("sections", ({ data }) => {
      const { at, sections } = JSON.parse(data);
      heard = Date.now();
      offset = heard - at;
      for (const [id, html] of Object.entries(sections)) waiting.set(id, html);
      state();
      show();
    });
    source.addEventListener("beat", () => { heard = Date.now(); });
    source.addEventListener("end", () => { stopped = true; state(); });
  }

  if (document.body.dataset.stream === undefined) {
    setInterval(times, 1000);
    return;
  }
  connect();
  setInterval(() => { show(); state(); }, 1000);
  addEventListener("pagehide", () => source.close());
  addEventListener("pageshow", (event) => { if (event.persisted) connect(); });
})();
`;

export const pageIcon = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><rect width="16" height="16" rx="4" fill="#0a58b5"/><path d="M3 8h3l2-4 2 8 1.500-4H13" fill="none" stroke="#fff" stroke-width="1.500"/></svg>
`;
