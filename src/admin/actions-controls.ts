// The operator's buttons and boxes on the console's pages. All of them only lead to the question on a page of its own
// (actions-routes.ts), so they hold no token, and may stand in what is live and the same for everybody.
import { jobName } from "./actions-form.js";
import { type Html, html, type Piece } from "./html.js";
import type { PageForms } from "./page-forms.js";
import type { JobStatusLine } from "./status-snapshot.js";

/** The form that boxes and buttons name, by id. */
const formId = "actions";
const stylesheet = html`<link rel="stylesheet" href="/actions.css">`;

/** For the first page: choose jobs, and what to do with them or with the daemon. */
export const pageForms: PageForms = {
  once: (viewer) =>
    html`${stylesheet}<form id="${formId}" method="post" action="/actions/confirm"><input type="hidden" name="back" value="${backOf(viewer)}"></form>`,
  controls: ({ isPaused, isDraining }) => {
    if (isDraining) return html``;
    return html`<div class="buttons" role="group" aria-label="Actions">${[
      isPaused ? button("resume", "Resume") : button("pause", "Pause"),
      button("wake", "Poll now"),
      button("fail", "Fail selected"),
      button("release", "Release selected"),
    ]}</div>`;
  },
  row: (job) =>
    html`<input type="checkbox" form="${formId}" name="job" value="${jobName(job)}" aria-label="select job ${job.jobId}">`,
  rowName: "Select",
};

/** The page to come back to. */
function backOf(viewer: unknown): string {
  const { back } = (viewer ?? {}) as { readonly back?: unknown };
  return typeof back === "string" ? back : "/";
}

function button(action: string, text: string): Piece {
  return html`<button type="submit" form="${formId}" name="do" value="${action}">${text}</button>`;
}

/** For one job's page: fail or release it. `back`: the page to come back to. */
export function jobControls(
  job: Pick<JobStatusLine, "jobId" | "region"> & { readonly account?: string | undefined },
  back: string,
): Html {
  return html`${stylesheet}<form method="post" action="/actions/confirm" class="buttons" aria-label="Actions"><input type="hidden" name="back" value="${back}">
<input type="hidden" name="job" value="${jobName(job)}"><button type="submit" name="do" value="fail">Fail this job</button>
<button type="submit" name="do" value="release">Release this job</button></form>`;
}

/** Ends this browser's session. */
export const signOutForm = html`<form method="post" action="/sign-out" class="buttons sign-out"><button type="submit">Sign out</button></form>`;
