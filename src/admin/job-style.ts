// The style of a job's page and of the history, beside that of all pages; served as it stands here.
export const jobStyle = `#actions { margin: .75rem 0 0; }
.verdict li.text { white-space: pre-wrap; overflow-wrap: anywhere; }
.chain { display: flex; flex-wrap: wrap; gap: .35rem 0; margin: .9rem 0 0; padding: 0; list-style: none; font-size: .9rem; }
.chain li { display: inline-flex; gap: .4rem; align-items: baseline; padding: .25rem .7rem; background: var(--card);
  border: 1px solid var(--line); border-radius: .4rem; }
.chain li + li { margin-left: 1.6rem; position: relative; }
.chain li + li::before { content: "\\2192"; position: absolute; left: -1.35rem; color: var(--quiet); }
.chain li[aria-current] { border-color: currentColor; font-weight: 600; }
.facts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 32rem), 1fr)); gap: 0 1.5rem; margin: 0;
  padding: .5rem 1rem; background: var(--card); border: 1px solid var(--line); border-radius: .5rem; }
.facts > div { display: grid; grid-template-columns: 9.5rem minmax(0, 1fr); padding: .25rem 0; align-items: baseline; }
.facts dd { font-size: .95rem; font-weight: 400; overflow-wrap: anywhere; line-height: 1.45; }
.facts .ids { max-width: 100%; } .facts .copy { flex: none; } .facts .id { overflow-wrap: anywhere; }
.pairs { margin: 0; padding: 0; list-style: none; }
#states table { width: auto; min-width: min(100%, 34rem); } #states .wide { white-space: normal; max-width: none; }
#configuration .wide { white-space: normal; overflow: visible; }
#configuration .text { white-space: pre-wrap; overflow-wrap: anywhere; }
.log { margin: 0; padding: .6rem 1rem; list-style: none; max-height: 34rem; overflow: auto; background: var(--card);
  border: 1px solid var(--line); border-radius: .5rem; font-family: ui-monospace, "SF Mono", Menlo, Consolas, monospace;
  font-size: .8rem; line-height: 1.5; }
.log li { overflow-wrap: anywhere; }
.log .text { white-space: pre-wrap; }
.log .event { color: var(--link); }
.log:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; }
.several { line-height: 2; }
#history { margin-top: 1rem; } #history td a { display: inline-block; line-height: 1.5rem; } #search input { width: 10.5rem; }
#history nav.more { display: flex; gap: 1.5rem; font-size: 1rem; margin-top: .75rem; }
.js .filter > span > button { display: inline-block; }
.filter span a { margin-left: .75rem; }
@media (max-width: 34rem) {
  .facts { padding: .5rem .75rem; } .facts > div { grid-template-columns: 6rem minmax(0, 1fr); }
  .filter label { flex: 1 1 100%; } .filter label > :is(input, select) { flex: 1; }
  .log { padding: .5rem; }
}
`;
