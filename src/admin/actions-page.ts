// The pages of the console's actions, as HTML: what is asked before anything is done, what came of it, the way in, and
// refusals. What operators and jobs are called is text that nobody trusts.
import type { Order } from "../job/order.js";
import type { ActionResult, Part } from "./actions.js";
import {
  type ActionForm,
  type ActionName,
  failureTypeTexts,
  jobName,
  messageMax,
  type NamedJob,
} from "./actions-form.js";
import { type Html, html, type Piece } from "./html.js";
import type { JobStatusLine } from "./status-snapshot.js";

/** The action in words: as a button, as a question, and as what was done. */
const words: Readonly<Record<ActionName, { readonly button: string; readonly title: string; readonly what: string }>> =
  {
    pause: {
      button: "Pause",
      title: "Pause this daemon?",
      what: "It polls for no job and acknowledges none until somebody resumes it, or it is restarted. Running jobs continue and are reported.",
    },
    resume: { button: "Resume", title: "Resume this daemon?", what: "It polls for jobs again." },
    wake: {
      button: "Poll now",
      title: "Poll now?",
      what: "Every action type is polled now instead of after its rest.",
    },
    "fleet-pause": {
      button: "Pause the fleet",
      title: "Pause the whole fleet?",
      what: "Every replica that shares the ledger's table stops polling and acknowledging within seconds, also those that start later, until somebody resumes the fleet. Running jobs continue and are reported.",
    },
    "fleet-resume": {
      button: "Resume the fleet",
      title: "Resume the whole fleet?",
      what: "Every replica polls for jobs again within seconds, but for those that are paused by themselves.",
    },
    fail: {
      button: "Fail",
      title: "Fail",
      what: "CodePipeline gets the failure below for each of them; the customer reads the message in the pipeline. This cannot be undone.",
    },
    release: {
      button: "Release",
      title: "Release",
      what: "Each of them is abandoned: its handler is stopped, nothing is reported, and CodePipeline waits until the action times out. This cannot be undone.",
    },
  };

/** The question before an action; `token`: what proves that the form is ours. */
export function confirmHtml(
  form: ActionForm,
  {
    jobs,
    token,
    hasFleet,
  }: { readonly jobs: readonly JobStatusLine[]; readonly token: string; readonly hasFleet: boolean },
): Html {
  const { action, back } = form;
  const { button, title, what } = words[action];
  const isForJobs = action === "fail" || action === "release";
  const known = new Map(jobs.map((job) => [jobName(job), job]));
  const heading = isForJobs ? `${title} ${countText(form.jobs.length)}?` : title;
  const list = isForJobs ? jobList(form.jobs.map((job) => chosen(job, action, known, hasFleet))) : undefined;
  const name = isForJobs ? `${button} ${countText(form.jobs.length)}` : button;
  return html`${stylesheet}<h1>${heading}</h1><p>${what}</p>
<form method="post" action="/actions" class="confirm"><input type="hidden" name="token" value="${token}">
<input type="hidden" name="do" value="${action}"><input type="hidden" name="back" value="${back}">
${form.jobs.map((job) => html`<input type="hidden" name="job" value="${jobName(job)}">`)}${action === "fail" ? failureFields(form) : undefined}
<p class="buttons"><button type="submit" class="${isForJobs ? "danger" : "main"}">${name}</button> <a class="button" href="${back}">Cancel</a></p></form>${list}`;
}

function failureFields({ message, type }: ActionForm): Html {
  const types = Object.entries(failureTypeTexts).map(([name, text]) => {
    const selected = name === type ? html` selected` : undefined;
    return html`<option value="${name}"${selected}>${name}: ${text}</option>`;
  });
  return html`<p class="field"><label for="message">What the customer reads <span class="quiet">(up to ${messageMax} characters)</span></label>
<textarea id="message" name="message" required autofocus maxlength="${messageMax}" rows="3">
${message}</textarea></p>
<p class="field"><label for="type">Failure type</label><select id="type" name="type">${types}</select></p>`;
}

/** One selected job, and what becomes of it. */
function chosen(
  job: NamedJob,
  action: Order["kind"],
  known: ReadonlyMap<string, JobStatusLine>,
  hasFleet: boolean,
): JobRow {
  const line = known.get(jobName(job));
  return { job, line, text: effectOf(line, action, hasFleet) };
}

function effectOf(line: JobStatusLine | undefined, action: Order["kind"], hasFleet: boolean): string {
  if (!line) {
    return hasFleet
      ? "not of this daemon: done in the fleet's table if no replica has it, otherwise refused"
      : "not in flight here: done in the ledger if it is there";
  }
  const { state, isAwaitingCallback } = line;
  if (action === "release") {
    if (state === "settled") return "its result is dropped";
    return state === "running" ? "its handler is stopped" : "nothing has begun yet";
  }
  if (state === "settled") return "refused: it has its result already";
  if (state !== "running") return "fails once CodePipeline confirms that the job is ours";
  return isAwaitingCallback ? "fails now; its service's callback comes too late" : "its handler is stopped";
}

interface JobRow {
  readonly job: NamedJob;
  readonly line?: JobStatusLine | undefined;
  readonly text: string;
}

function jobList(rows: readonly JobRow[]): Html {
  return html`<ul class="chosen">${rows.map(
    ({ job, line, text }) =>
      html`<li><bdi class="id">${job.jobId}</bdi> <span class="quiet">${placeOf(job)}${line ? aboutOf(line) : undefined}</span><span class="effect">${text}</span></li>\n`,
  )}</ul>`;
}

function placeOf({ region, account }: NamedJob): string {
  return account === undefined ? region : `${region}, account ${account}`;
}

function aboutOf({ state, clientId, pipelineName, actionName, isAwaitingCallback }: JobStatusLine): Piece {
  const names = [pipelineName, actionName].filter((name) => name !== undefined).join(" / ");
  const client = clientId === undefined ? "" : `, client ${clientId}`;
  const step = isAwaitingCallback ? "awaits its callback" : state === "settled" ? "result owed" : state;
  return html`, ${step}${client}${names === "" ? "" : `, ${names}`}`;
}

/** What came of an action. */
export function resultHtml({ action, back, parts }: ActionResult): Html {
  const done = parts.filter(({ isDone }) => isDone);
  const refused = parts.filter(({ isDone }) => !isDone);
  const tone = refused.length === 0 ? "good" : done.length === 0 ? "bad" : "busy";
  return html`${stylesheet}<div class="verdict ${tone}" role="status"><h1>${headline(action, done, refused)}</h1></div>
${partList("Refused", refused)}${partList("Done", done)}
<p class="buttons"><a class="button main" href="${back}" autofocus>Back</a></p>`;
}

function headline(action: ActionName, done: readonly Part[], refused: readonly Part[]): string {
  const [only] = [...done, ...refused];
  if (action !== "fail" && action !== "release") return capital(only?.text ?? "");
  const verb = action === "fail" ? "failed" : "released";
  if (refused.length === 0) return `${capital(countText(done.length))} ${verb}`;
  if (done.length === 0) return `Nothing was done: ${countText(refused.length)} not ${verb}`;
  return `${capital(countText(done.length))} ${verb}, ${refused.length} refused`;
}

function partList(title: string, parts: readonly Part[]): Html | undefined {
  const rows = parts.flatMap(({ job, text }) => (job === undefined ? [] : [{ job, text }]));
  return rows.length === 0 ? undefined : html`<h2>${title}</h2>${jobList(rows)}`;
}

function capital(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

function countText(count: number): string {
  return count === 1 ? "1 job" : `${count} jobs`;
}

/** Why something was not done, or cannot be shown. */
export function refusedHtml(title: string, text: string, back: string): Html {
  return html`${stylesheet}<div class="verdict bad" role="alert"><h1>${title}</h1><p>${text}</p></div>
<p class="buttons"><a class="button" href="${back}">Back</a></p>`;
}

const stylesheet = html`<link rel="stylesheet" href="/actions.css">`;

/** The way in, for a browser: a document of its own, which tells a stranger nothing. `next`: where to go afterwards. */
export function signInPage({
  next,
  problem,
  isFromLink,
}: {
  readonly next: string;
  readonly problem?: string;
  readonly isFromLink?: boolean;
}): string {
  const again = isFromLink
    ? html`<p class="quiet">You followed a link from elsewhere. If you are signed in already, <a href="${next}">open the page again</a>.</p>`
    : undefined;
  return html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sign in · partnerd</title><meta name="color-scheme" content="light dark"><link rel="icon" href="/page.svg" type="image/svg+xml">
<link rel="stylesheet" href="/page.css"><link rel="stylesheet" href="/actions.css"></head>
<body class="sign-in"><header><span class="name">partnerd</span></header>
<main id="main"><h1>Sign in</h1>${problem === undefined ? undefined : html`<p class="verdict bad" role="alert">${problem}</p>`}
<form method="post" action="/sign-in"><input type="hidden" name="next" value="${next}">
<p class="field"><label for="token">Admin token <span class="quiet">(<code>admin.token</code> of the configuration)</span></label>
<input id="token" name="token" type="password" autocomplete="current-password" required autofocus maxlength="512"></p>
<p class="buttons"><button type="submit" class="main">Sign in</button></p></form>${again}</main>
</body></html>
`.text;
}
