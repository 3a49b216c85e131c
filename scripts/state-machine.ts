// `npm run state-machine` after a change of a table in src/job: draws each table that moves a job into
// docs/state-machine.md, a diagram and what its states and events mean, in the words of their own comments.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

type Moves = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** What is drawn, in this order; `states` and `events` name the types whose comments say what each word means. */
const machines = [
  {
    title: "The claim: is the job ours?",
    file: "claim.ts",
    table: "claimMoves",
    states: "Claim",
    events: "ClaimEvent",
  },
  { title: "The job", file: "lifecycle.ts", table: "jobMoves", states: "JobState", events: "JobEvent" },
  {
    title: "The report: does CodePipeline have the result?",
    file: "report.ts",
    table: "reportMoves",
    states: "ReportState",
    events: "ReportEventType",
  },
  {
    title: "The lease: is the job's row in a fleet's ledger ours?",
    file: "lease.ts",
    table: "leaseMoves",
    states: "LeaseState",
    events: "LeaseEventType",
  },
] as const;

const jobFolder = new URL("../src/job/", import.meta.url);
const page = new URL("../docs/state-machine.md", import.meta.url);
const marks = /(?<=<!-- state machines:[^>]*-->\n)[\s\S]*?(?=<!-- end of the state machines -->)/;

/** The page as it is and as it should be. Throws when a state or an event has no comment. */
export async function stateMachinePage(): Promise<{ readonly is: string; readonly shouldBe: string }> {
  const is = readFileSync(page, "utf8");
  if (!marks.test(is)) throw new Error("docs/state-machine.md has lost the marks around its diagrams");
  const present = machines.filter(({ file }) => existsSync(new URL(file, jobFolder)));
  const sections = await Promise.all(present.map(sectionOf));
  return { is, shouldBe: is.replace(marks, () => `\n${sections.join("\n")}\n`) };
}

async function sectionOf({ title, file, table, states, events }: (typeof machines)[number]): Promise<string> {
  const source = new URL(file, jobFolder);
  const text = readFileSync(source, "utf8");
  const moves = ((await import(source.href)) as Readonly<Record<string, Moves>>)[table];
  if (moves === undefined) throw new Error(`src/job/${file} exports no ${table}`);
  const stateTexts = commentsOf(text, states);
  const eventTexts = commentsOf(text, events);
  const used = Object.values(moves).flatMap((row) => [...Object.keys(row), ...Object.values(row)]);
  const unknown = [...Object.keys(moves), ...used].filter((name) => !stateTexts.has(name) && !eventTexts.has(name));
  if (unknown.length > 0) throw new Error(`src/job/${file}: no comment says what ${unknown.join(", ")} means`);
  return [
    `## ${title}`,
    "",
    `\`${table}\` in [src/job/${file}](../src/job/${file}). ${commentBefore(text, `export const ${table}:`)}`,
    "",
    ...diagramOf(moves),
    "",
    ...tablesOf(moves, stateTexts, eventTexts),
    "",
  ].join("\n");
}

/** Each member of a union type and the comment above it, in the order of the source. */
export function commentsOf(text: string, type: string): ReadonlyMap<string, string> {
  const from = text.indexOf(`export type ${type} =`);
  if (from === -1) throw new Error(`there is no type ${type}`);
  const union = text.slice(from, text.indexOf("\nexport ", from));
  const member = /\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\s*\|\s*(?:\{\s*readonly \w+: )?"([\w-]+)"/g;
  const found = [...union.matchAll(member)].map(
    ([, comment = "", name = ""]) => [name, comment.replace(/\s*\n\s*\*?\s*/g, " ").trim()] as const,
  );
  const names = [...union.matchAll(/^ {2}\| (?:\{\s*readonly \w+: )?"([\w-]+)"/gm)].map(([, name]) => name);
  const bare = names.filter((name) => !found.some(([commented]) => commented === name));
  if (bare.length > 0) throw new Error(`type ${type}: no comment says what ${bare.join(", ")} means`);
  return new Map(found);
}

/** The comment in one line that stands right above this code. */
function commentBefore(text: string, code: string): string {
  const above = text.slice(0, text.indexOf(code)).trimEnd().split("\n").at(-1) ?? "";
  return above.replace(/^\/\*\* | \*\/$/g, "");
}

/** One arrow for each pair of states, with its events. Those that change no state would hide others' labels. */
function diagramOf(moves: Moves): readonly string[] {
  const [first = ""] = Object.keys(moves);
  const arrows = Object.entries(moves).flatMap(([from, row]) =>
    [...Map.groupBy(Object.entries(row), ([, to]) => to)]
      .filter(([to]) => to !== from)
      .map(([to, events]) => `  ${idOf(from)} --> ${idOf(to)}: ${events.map(([event]) => event).join(", ")}`),
  );
  const named = Object.keys(moves).filter((state) => idOf(state) !== state);
  return [
    "```mermaid",
    // So that each fits one screen.
    '%%{init: {"state": {"rankSpacing": 35}}}%%',
    "stateDiagram-v2",
    ...named.map((state) => `  state "${state}" as ${idOf(state)}`),
    `  [*] --> ${idOf(first)}`,
    ...arrows,
    "```",
  ];
}

/** Mermaid takes no hyphen in the name of a state. */
function idOf(state: string): string {
  return state.replaceAll("-", "_");
}

function tablesOf(
  moves: Moves,
  states: ReadonlyMap<string, string>,
  events: ReadonlyMap<string, string>,
): readonly string[] {
  const stateRows = [...states].map(([state, text]) => {
    const next = Object.entries(moves[state] ?? {}).map(([event, to]) => `${event} → **${to}**`);
    return `| **${state}** | ${cell(text)} | ${next.join("<br>") || "none: it is final"} |`;
  });
  const eventRows = [...events].map(([event, text]) => `| ${event} | ${cell(text)} |`);
  return [
    ...["| state | means | event → next state |", "|---|---|---|", ...stateRows, ""],
    ...["| event | means |", "|---|---|", ...eventRows],
  ];
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { shouldBe } = await stateMachinePage();
  writeFileSync(page, shouldBe);
}
