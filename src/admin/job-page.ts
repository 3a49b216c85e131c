// One job's page: how it stands or ended, its chain, its states, what it was given and what it gave, its log. Written here
// in whole, so that it works without a script; a live one has its parts replaced as they change. It makes HTML of a story
// and knows nothing else; what an operator may do is handed in.
import { defaultAccount } from "../job/job.js";
import { type Html, html, type Piece } from "./html.js";
import type { JobStory, StoryArtifact, StoryLink, StoryState } from "./job-story.js";
import { section } from "./page-frame.js";
import { tableHtml } from "./page-table.js";
import { shortId } from "./short-names.js";
import { durationText, type Moment, timeHtml } from "./times.js";

export interface JobPageOptions {
  readonly moment: Moment;
  /** Below the first line: forms to act on the job. */
  readonly actions?: Html | undefined;
}

/** Each part that changes, by the id of its element; made when it is asked for. */
export function jobSections(story: JobStory, moment: Moment): ReadonlyMap<string, () => string> {
  return new Map(Object.entries(partsOf(story, moment)).map(([id, part]) => [id, () => part().text]));
}

/** The page's body. */
export function jobPage(story: JobStory, { moment, actions }: JobPageOptions): Html {
  const parts = partsOf(story, moment);
  return html`<link rel="stylesheet" href="/job.css">
<div id="verdict">${parts.verdict()}</div><div id="spoken" class="hidden" role="status" aria-live="polite"></div>
<div id="actions">${actions}</div>
<nav aria-label="Chain" id="chain">${parts.chain()}</nav>
${section("facts", "Job", parts.facts())}${section("states", "States", parts.states())}
${story.source === "daemon" ? known(parts) : html`<p class="quiet">${notKept}</p>`}`;
}

/** What only the process knows that works it, or worked it lately. */
function known(parts: ReturnType<typeof partsOf>): Html {
  return html`${section("configuration", "Configuration", parts.configuration())}
${section("artifacts", "Artifacts", parts.artifacts())}${section("log", "Log", parts.log(), parts["log-count"]())}`;
}

/** The page's title. */
export function jobTitle(story: JobStory): string {
  return standing(story).headline;
}

const notKept =
  "From the ledger, which remembers how a job ended. Its configuration, artifacts, failed calls and log were known to the process that worked it: look for the log in your log store by the job's id.";

function partsOf(story: JobStory, moment: Moment) {
  return {
    verdict: () => verdictHtml(story),
    chain: () => chainHtml(story),
    facts: () => factsHtml(story, moment),
    states: () => statesHtml(story, moment),
    configuration: () => configurationHtml(story),
    artifacts: () => artifactsHtml(story),
    log: () => logHtml(story),
    "log-count": () => countHtml(story),
  };
}

interface Standing {
  readonly tone: "good" | "busy" | "bad";
  readonly headline: string;
  readonly more: readonly string[];
}

function standing(story: JobStory): Standing {
  const { state, end, outcome, order } = story;
  const name = `Job ${shortId(story.jobId)}`;
  const said = outcome ? [outcome["type"], outcome["message"] ?? outcome["summary"]].filter(isText) : [];
  const more = said.length > 0 ? [said.join(": ")] : [];
  if (end) {
    const tone = end.kind === "unfinished" ? "bad" : "busy";
    return { tone, headline: `${name} ${end.kind}: ${end.reason}`, more: [end.message, ...more].filter(isText) };
  }
  if (state === "reported" && outcome) {
    const percent = outcome["percentComplete"];
    const far = outcome.kind === "continued" && typeof percent === "number" ? ` (${percent} %)` : "";
    return { tone: outcome.kind === "failed" ? "bad" : "good", headline: `${name} ${outcome.kind}${far}`, more };
  }
  if (state === "settled") {
    const failures = story.states.at(-1)?.retries ?? [];
    const why = failures.map(({ operation, code, message }) => `${operation} failed: ${code}: ${message}`);
    return {
      tone: "bad",
      headline: `${name} ${outcome?.kind ?? "ended"}; its result is owed to CodePipeline`,
      more: [...more, ...why],
    };
  }
  if (state === "damaged") return { tone: "bad", headline: `${name}: the ledger's row cannot be read`, more: [] };
  const ordered = order === undefined ? [] : [`An operator ${order === "fail" ? "failed" : "released"} it.`];
  const what = story.callbackUntil
    ? "waits for its service's callback"
    : state === "running"
      ? "is running"
      : `is ${state}`;
  return { tone: "good", headline: `${name} ${what}`, more: ordered };
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}

function verdictHtml(story: JobStory): Html {
  const { tone, headline, more } = standing(story);
  const rest =
    more.length === 0 ? undefined : html`<ul>${more.map((text) => html`<li class="text">${text}</li>`)}</ul>`;
  return html`<div class="verdict ${tone}"><h1>${headline}</h1>${rest}</div>`;
}

/** True once nothing more happens to it here. */
export function isOverStory({ state, end }: JobStory): boolean {
  return state === "reported" || state === "dropped" || end !== undefined;
}

const linkTones: Readonly<Record<StoryLink["end"], string>> = {
  running: "busy",
  succeeded: "good",
  continued: "good",
  failed: "bad",
  dropped: "busy",
  unfinished: "bad",
};

/** The jobs of one action, as one line of steps. */
function chainHtml(story: JobStory): Html {
  if (story.chain.length < 2) return html``;
  const steps = story.chain.map((link) => {
    const percent = link.percentComplete === undefined ? "" : ` ${link.percentComplete} %`;
    const says = html`<span class="${linkTones[link.end]}">${link.end}${percent}</span>`;
    const id = html`<bdi class="id" title="${link.jobId}">${shortId(link.jobId)}</bdi>`;
    const isHere = link.jobId === story.jobId;
    const { region, account } = story;
    const href = jobPath({ jobId: link.jobId, region, account });
    return html`<li${isHere ? html` aria-current="step"` : undefined}>${isHere ? id : html`<a href="${href}">${id}</a>`} ${says}</li>`;
  });
  return html`<ol class="chain">${steps}</ol>`;
}

function factsHtml(story: JobStory, moment: Moment): Html {
  const { jobId, region, account, clientId, actionExecutionId: execution, reported, heldBy } = story;
  const place = account === undefined ? region : `${region}, account ${account}`;
  const whole = (id: string | undefined, what: string, href: string) => id && wholeId(id, what, href);
  const client = clientId && `/history?${new URLSearchParams({ client: clientId })}`;
  const facts: readonly (readonly [string, Piece])[] = [
    ["Job", wholeId(jobId, "job id")],
    ["Action type", story.actionType],
    ["Region", account === defaultAccount ? region : place],
    ["Client", whole(clientId, "client id", client ?? "")],
    ["Handler", story.handler],
    ["Pipeline", pipelineHtml(story)],
    ["Execution", execution && wholeId(execution, "execution id")],
    ["Taken", at(story.takenAt ?? story.states[0]?.at, "ago", moment)],
    ["Time limit", isOverStory(story) ? clock(story.deadline ?? "") : at(story.deadline, "left", moment)],
    ["Callback", at(story.callbackUntil, "left", moment)],
    ["Held by", heldBy && (heldBy.host ? `${heldBy.host}, process ${heldBy.pid ?? "?"}` : `replica ${heldBy.replica}`)],
    ["Worked for", story.durationMs === undefined ? undefined : tookText(story.durationMs)],
    ["Ended by", story.cause && (causes[story.cause] ?? story.cause)],
    ...outcomeFacts(story),
    ["Reported", reported && html`${at(reported.at, "ago", moment)}, attempt ${reported.attempts}`],
  ];
  const shown = facts.filter(([, value]) => value !== undefined && value !== "");
  return html`<dl class="facts">${shown.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
}

/** What fixed an outcome, in words. */
const causes: Readonly<Record<string, string>> = {
  returned: "its handler's outcome",
  threw: "an error of its handler",
  "timed-out": "its time limit",
  stopped: "a stop of partnerd",
  operator: "an operator",
  interrupted: "the end of the process that ran it",
  "no-handler": "no handler of that name",
  bug: "an internal error",
};

function pipelineHtml({ pipelineName, stageName, actionName }: JobStory): Piece {
  const rest = [stageName, actionName].filter(isText);
  if (pipelineName === undefined) return rest.join(" / ");
  const href = `/history?${new URLSearchParams({ pipeline: pipelineName })}`;
  return html`<a href="${href}">${pipelineName}</a>${rest.map((name) => ` / ${name}`)}`;
}

/** What CodePipeline was told besides what the first line says. */
function outcomeFacts({ outcome, state }: JobStory): readonly (readonly [string, Piece])[] {
  if (!outcome) return [];
  const { kind, type: _, message: __, summary: ___, outputVariables, ...rest } = outcome;
  const names: Readonly<Record<string, string>> = {
    externalExecutionId: "External id",
    continuationToken: "Continuation token",
    percentComplete: "Complete",
    revision: "Revision",
  };
  const members = Object.entries(rest).map(([name, value]): readonly [string, Piece] => {
    const text = typeof value === "object" ? JSON.stringify(value) : String(value);
    return [names[name] ?? name, html`<span class="text">${text}${name === "percentComplete" ? " %" : ""}</span>`];
  });
  const variables = Object.entries(outputVariables ?? {});
  const list = html`<ul class="pairs">${variables.map(([name, value]) => html`<li><b>${name}</b> <span class="text">${value}</span></li>`)}</ul>`;
  // Of a job that is reported the first line says it.
  const result = state === "reported" ? [] : [["Result", kind] as const];
  return [...result, ...members, ...(variables.length > 0 ? [["Variables", list] as const] : [])];
}

/** A whole id that can be copied, and leads somewhere if it does. */
function wholeId(id: string, what: string, href?: string): Html {
  const text = html`<bdi class="id" title="${id}">${id}</bdi>`;
  const copy = html`<button type="button" class="copy" title="Copy the ${what}"><span class="hidden">Copy the ${what}</span></button>`;
  return html`<span class="ids">${href ? html`<a href="${href}">${text}</a>` : text}${copy}</span>`;
}

function timeOf(iso: string, form: "age" | "ago" | "left", moment: Moment): Html | undefined {
  const ms = Date.parse(iso);
  return Number.isNaN(ms) ? undefined : timeHtml(ms, form, moment);
}

function at(iso: string | undefined, form: "ago" | "left", moment: Moment): Piece {
  const time = timeOf(iso ?? "", form, moment);
  return time && html`${time} <span class="quiet">${clock(iso ?? "")}</span>`;
}

/** `2026-11-30 14:02:11.123`, in UTC. */
function clock(iso: string): string {
  return iso.replace("T", " ").replace(/Z$/, " UTC");
}

function tookText(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  return ms < 10_000 ? `${(ms / 1_000).toFixed(1)} s` : durationText(ms);
}

function statesHtml(story: JobStory, moment: Moment): Html {
  const { states } = story;
  const next = (index: number) => Date.parse(states[index + 1]?.at ?? "");
  const rows = states.map((state, index) => ({ ...state, index, forMs: next(index) - Date.parse(state.at) }));
  return tableHtml({
    caption: "States",
    keyOf: ({ state, index }) => `${index} ${state}`,
    columns: [
      { name: "State", cell: ({ state }) => html`<span class="strong">${state}</span>` },
      { name: "At", cell: ({ at: iso }) => html`<time datetime="${iso}">${clock(iso)}</time>` },
      {
        name: "For",
        kind: "num",
        cell: ({ forMs, at: iso, index }) => {
          if (!Number.isNaN(forMs)) return tookText(forMs);
          const isLast = index === states.length - 1 && !isOverStory(story);
          return isLast ? (timeOf(iso, "age", moment) ?? "–") : "–";
        },
      },
      ...(states.some(({ retries }) => retries.length > 0)
        ? [{ name: "Failed calls", kind: "wide" as const, cell: retriesHtml }]
        : []),
    ],
    rows,
    empty: "No state is known.",
  });
}

function retriesHtml({ retries }: StoryState): Piece {
  if (retries.length === 0) return "–";
  return retries.map(({ operation, failures, code, message }) => {
    const times = failures === 1 ? "once" : `${failures} times`;
    const text = `${operation} failed ${times}, last ${code}: ${message}`;
    return html`<span class="text">${text}</span> `;
  });
}

const notYet = html`<p class="quiet">Known once its handler begins.</p>`;

function configurationHtml({ configuration }: JobStory): Html {
  if (!configuration) return notYet;
  return tableHtml({
    caption: "Configuration",
    keyOf: ({ name }) => name,
    columns: [
      { name: "Property", cell: ({ name }) => html`<span class="strong">${name}</span>` },
      {
        name: "Value",
        kind: "wide",
        cell: ({ value }) =>
          value === "" ? html`<span class="quiet">empty</span>` : html`<span class="text">${value}</span>`,
      },
    ],
    rows: configuration,
    empty: "The action has no configuration.",
  });
}

function artifactsHtml({ inputs, outputs }: JobStory): Html {
  if (!inputs || !outputs) return notYet;
  const rows = [
    ...inputs.map((artifact) => ({ ...artifact, way: "in" })),
    ...outputs.map((artifact) => ({ ...artifact, way: "out" })),
  ];
  const hasSizes = rows.some(({ bytes }: StoryArtifact) => bytes !== undefined);
  return tableHtml({
    caption: "Artifacts",
    keyOf: ({ name, way }) => `${way} ${name}`,
    columns: [
      { name: "", cell: ({ way }) => way },
      { name: "Artifact", kind: "wide", cell: ({ name }) => html`<span class="strong">${name}</span>` },
      ...(hasSizes
        ? [
            {
              name: "Size",
              kind: "num" as const,
              cell: ({ bytes }: StoryArtifact) => (bytes === undefined ? "–" : sizeText(bytes)),
            },
          ]
        : []),
    ],
    rows,
    empty: "The action has no artifacts.",
  });
}

function sizeText(bytes: number): string {
  if (bytes < 1_024) return `${bytes} B`;
  const units = ["KiB", "MiB", "GiB", "TiB"];
  const power = Math.min(units.length, Math.floor(Math.log2(bytes) / 10));
  return `${(bytes / 1_024 ** power).toFixed(1)} ${units[power - 1]}`;
}

function countHtml({ log }: JobStory): Html {
  return log.leftOut > 0 ? html`the last ${log.lines.length}; ${log.leftOut} earlier lines are not kept` : html``;
}

function logHtml({ log: { lines } }: JobStory): Html {
  if (lines.length === 0) return html`<p class="quiet">Nothing was logged.</p>`;
  const rows = lines.map(({ at: iso, level, event, text, fields }, index) => {
    const more = fields === undefined ? undefined : html` <span class="quiet">${JSON.stringify(fields)}</span>`;
    const tone = level === "error" || level === "fatal" ? "bad" : level === "warn" ? "busy" : "quiet";
    return html`<li data-key="${index} ${iso}"><time datetime="${iso}">${iso.slice(11, 23)}</time> <span class="${tone}">${level}</span> <span class="event">${event}</span> <span class="text">${text}</span>${more}</li>\n`;
  });
  return html`<ol class="log" tabindex="0" aria-label="Log lines">${rows}</ol>`;
}

/** What an address needs to name one job. */
export interface NamedJob {
  readonly jobId: string;
  readonly region: string;
  readonly account?: string | undefined;
}

/** The address of a job's page, whatever other Regions and accounts have a job of that id. */
export function jobPath({ jobId, region, account }: NamedJob): string {
  const query = new URLSearchParams({ region, ...(account === undefined ? {} : { account }) });
  return `/jobs/${encodeURIComponent(jobId.toWellFormed())}?${query}`;
}

/** The page of an id that is the beginning of several. */
export function severalPage(given: string, jobs: readonly NamedJob[]): Html {
  const items = jobs.map((job) => {
    const href = jobPath(job);
    const place = job.account ? `${job.region}, account ${job.account}` : job.region;
    return html`<li><a href="${href}"><bdi class="id">${job.jobId}</bdi></a> <span class="quiet">${place}</span></li>`;
  });
  return html`<link rel="stylesheet" href="/job.css"><div class="verdict busy"><h1>Several jobs begin with ${given}</h1></div>
<ul class="several">${items}</ul>`;
}

/** The page of an id of which nothing is known, and why. */
export function nothingPage(given: string, why: string): Html {
  return html`<link rel="stylesheet" href="/job.css"><div class="verdict busy"><h1>Nothing is known of job ${given}</h1><ul><li>${why}</li></ul></div>
<p><a href="/history">Search the ended jobs</a></p>`;
}
