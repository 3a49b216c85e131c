// The style and the icon of the console's pages, as texts: they are served as they stand here. No framework, nothing from
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
body { margin: 0 auto; max-width: 92rem; padding: 0 1rem 2rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.45 system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; overflow-wrap: break-word; }
header { display: flex; flex-wrap: wrap; gap: .25rem 1rem; align-items: center; padding: .6rem 0; }
header .name { font-weight: 700; }
header #live { margin-left: auto; }
.pages { display: flex; gap: .25rem; }
.pages a { padding: .2rem .7rem; border-radius: .4rem; border: 1px solid transparent; text-decoration: none; }
.pages a[aria-current] { background: var(--card); color: var(--ink); font-weight: 600; border-color: var(--line); }
a { color: var(--link); }
a:focus-visible, button:focus-visible, input:focus-visible, select:focus-visible, summary:focus-visible,
main:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; }
.skip { position: absolute; left: -99rem; }
.skip:focus { position: static; }
.hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.quiet, .note, .of { color: var(--quiet); }
.good { color: var(--good); } .bad { color: var(--bad); } .busy { color: var(--busy); }
.strong, .good, .bad { font-weight: 600; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0; }
h2 { font-size: 1.05rem; margin: 1.5rem 0 .4rem; }
.count { color: var(--quiet); font-weight: 400; font-variant-numeric: tabular-nums; }
.held { float: right; color: var(--busy); font-size: .85rem; font-weight: 400; }
main:focus { outline: none; }
.verdict { padding: .9rem 1.25rem; border-radius: .5rem; border-left: .5rem solid currentColor; }
.verdict.good { color: var(--good); background: var(--goodpaper); }
.verdict.busy { color: var(--busy); background: var(--busypaper); }
.verdict.bad { color: var(--bad); background: var(--badpaper); }
.verdict ul { margin: .5rem 0 0; padding-left: 1.2rem; color: var(--ink); font-weight: 400; }
.stale .verdict { color: var(--quiet); background: var(--card); }
.stale #live { flex-basis: 100%; padding: .9rem 1.25rem; border-radius: .5rem; border-left: .5rem solid currentColor;
  color: var(--bad); background: var(--badpaper); font-size: 1.25rem; font-weight: 700; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(13rem, 1fr)); gap: .75rem; margin: .75rem 0 0; }
.figures > div, figure, table { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; }
.figures > div { padding: .6rem 1rem; display: flex; flex-direction: column; }
dt { color: var(--quiet); font-size: .9rem; }
dd { margin: 0; font-size: 1.6rem; font-weight: 600; font-variant-numeric: tabular-nums; line-height: 1.3; }
dd.note { font-size: .9rem; font-weight: 400; min-height: 1.3rem; }
.of { font-size: 1rem; font-weight: 400; }
meter { width: 100%; height: .9rem; }
progress { width: 4rem; vertical-align: middle; }
table { width: 100%; border-collapse: separate; border-spacing: 0; font-size: .875rem; }
th, td { text-align: left; padding: .2rem .6rem; border-top: 1px solid var(--line); white-space: nowrap; }
thead th { border-top: 0; color: var(--quiet); font-weight: 600; padding: .35rem .6rem; }
td { font-variant-numeric: tabular-nums; }
.num { text-align: right; }
.wide { width: 99%; max-width: 0; min-width: 8rem; overflow: hidden; text-overflow: ellipsis; }
tbody tr:hover { background: var(--paper); }
tr.gone :is(td, a, span) { color: var(--quiet); font-style: italic; }
.more { margin: .35rem 0 0; font-size: .9rem; }
.part > p { margin: 0; }
.ids { display: inline-flex; align-items: center; }
.id { font-family: ui-monospace, "SF Mono", Menlo, Consolas, monospace; font-size: .95em; }
.copy { display: none; position: relative; width: 1.5rem; height: 1.5rem; padding: 0; border: 0; border-radius: .25rem;
  background: none; color: var(--quiet); cursor: pointer; }
.js .copy { display: inline-block; }
.copy::before, .copy::after { content: ""; position: absolute; left: .5rem; top: .4rem; width: .5rem; height: .6rem;
  border: 1px solid currentColor; border-radius: 2px; opacity: .6; }
.copy::after { left: .7rem; top: .6rem; background: var(--card); }
tr:hover .copy::after { background: var(--paper); }
.copy:hover { color: var(--link); }
.copy:hover::before, .copy:hover::after, .copy:focus-visible::before, .copy:focus-visible::after { opacity: 1; }
.copy.done::before { content: "\\2713"; border: 0; top: 0; left: .35rem; opacity: 1; color: var(--good); font-weight: 700; }
.copy.failed::before { content: "\\2715"; border: 0; top: 0; left: .35rem; opacity: 1; color: var(--bad); font-weight: 700; }
.copy.done::after, .copy.failed::after { display: none; }
.filter { display: flex; flex-wrap: wrap; gap: .5rem 1.25rem; align-items: center; margin: 1.5rem 0 0; padding: .6rem 1rem;
  background: var(--card); border: 1px solid var(--line); border-radius: .5rem; font-size: .9rem; }
.filter label { display: inline-flex; gap: .4rem; align-items: center; color: var(--quiet); }
input, select, button { font: inherit; color: var(--ink); }
input:not([type=checkbox]), select, button:not(.copy) { background: var(--paper); border: 1px solid var(--quiet);
  border-radius: .35rem; padding: .2rem .5rem; min-height: 1.75rem; max-width: 100%; }
button:not(.copy) { cursor: pointer; }
.js .filter > button { display: none; }
#narrow p { margin: .4rem 0 0; font-size: .9rem; }
#charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr)); gap: .75rem; }
figure { margin: 0; padding: .6rem 1rem; min-width: 0; }
figcaption { display: flex; flex-wrap: wrap; gap: .25rem 1rem; justify-content: space-between; }
.legend { color: var(--quiet); font-size: .85rem; }
figure p { margin: .25rem 0 0; font-size: .9rem; }
.key { display: inline-block; width: .7rem; height: .7rem; border-radius: 2px; margin: 0 .3rem 0 .5rem; }
.good-fill { background: var(--good); fill: var(--good); } .failed-fill { background: var(--bad); fill: var(--bad); }
.dropped-fill { background: var(--busy); fill: var(--busy); }
.middle-fill { background: var(--mid); fill: var(--mid); } .slow-fill { background: var(--slow); fill: var(--slow); }
svg { display: block; width: 100%; height: auto; margin-top: .25rem; }
svg path { pointer-events: none; }
svg text { fill: var(--quiet); font-size: 12px; font-family: inherit; }
.spark { width: 180px; height: 1.25rem; margin: 0; } .spark-base { stroke: var(--line); }
td time[data-form] { display: inline-block; min-width: 4em; }
.axis { stroke: var(--quiet); } .grid { stroke: var(--line); stroke-dasharray: 3 3; }
.hits rect { fill: transparent; } .hits rect:hover { fill: var(--line); }
footer { margin-top: 2rem; } footer a { margin-right: 1rem; }
/* Rows that do not fit become two lines: what the job is, and its numbers with their names. */
@media (max-width: 66rem) {
  h1 { font-size: 1.25rem; }
  .figures { grid-template-columns: 1fr 1fr; }
  table, tbody { display: block; }
  thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  tr { display: flex; flex-wrap: wrap; gap: 0 .9rem; align-items: center; padding: .35rem .75rem; border-top: 1px solid var(--line); }
  tr:first-child { border-top: 0; }
  td { padding: 0; border: 0; min-width: 0; max-width: 100%; overflow: hidden; text-overflow: ellipsis; }
  td.num::before { content: attr(data-name) " "; color: var(--quiet); }
  td.wide { flex: 1 1 12rem; width: auto; max-width: 100%; }
  td.none { display: none; }
}
@media (max-width: 34rem) {
  svg text { font-size: 20px; }
  .figures > div { padding: .5rem .75rem; }
  td.wide { flex: 0 1 auto; }
  td time[data-form] { min-width: 0; }
}
`;

export const pageIcon = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><rect width="16" height="16" rx="4" fill="#0a58b5"/><path d="M3 8h3l2-4 2 8 1.500-4H13" fill="none" stroke="#fff" stroke-width="1.500"/></svg>
`;
