// The style of forms and buttons on the console, beside page-assets.ts, whose colours it uses.
export const actionsStyle = `.buttons { display: flex; flex-wrap: wrap; gap: .5rem; align-items: center; margin: 1rem 0; }
.buttons button, .buttons a.button { font: inherit; font-size: .95rem; padding: .45rem .9rem; min-height: 2.5rem; border-radius: .4rem;
  border: 1px solid var(--quiet); background: var(--card); color: var(--ink); cursor: pointer; text-decoration: none; }
.buttons button.main, .buttons a.button.main { background: var(--link); border-color: var(--link); color: var(--card); font-weight: 600; }
.buttons button.danger { background: var(--bad); border-color: var(--bad); color: var(--card); font-weight: 600; }
.buttons button:hover, .buttons a.button:hover { filter: brightness(.93); }
button:focus-visible, input:focus-visible, textarea:focus-visible, select:focus-visible
  { outline: 3px solid var(--link); outline-offset: 2px; }
.field { margin: 1rem 0 0; max-width: 48rem; }
.field label { display: block; font-weight: 600; margin-bottom: .25rem; }
.field label .quiet { font-weight: 400; }
textarea, select, input[type="password"] { font: inherit; width: 100%; padding: .5rem .6rem; border-radius: .4rem;
  border: 1px solid var(--quiet); background: var(--card); color: var(--ink); }
main > h1 { margin: 1rem 0 .5rem; }
.verdict p { margin: .35rem 0 0; color: var(--ink); }
ul.chosen { list-style: none; margin: 1rem 0 0; padding: 0; background: var(--card); border: 1px solid var(--line);
  border-radius: .5rem; }
ul.chosen li { display: flex; flex-wrap: wrap; gap: .1rem .75rem; align-items: baseline; padding: .45rem .75rem;
  border-top: 1px solid var(--line); }
ul.chosen li:first-child { border-top: 0; }
ul.chosen .effect { margin-left: auto; }
form.sign-out { margin-top: 2rem; }
.sign-in main { max-width: 26rem; margin: 8vh auto 0; }
p.verdict { padding: .6rem 1rem; margin: .5rem 0; }
@media (max-width: 40rem) { ul.chosen .effect { margin-left: 0; flex-basis: 100%; } }
`;
