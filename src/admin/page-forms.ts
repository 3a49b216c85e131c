// Where the overview leaves room for what an operator does: its tables know that there are forms, not what they do.
// What is live is made once for everybody who watches. So whatever belongs to one viewer, such as a token against forged
// requests, stands in a form of `once`; buttons and boxes elsewhere name that form by their `form` attribute.
import type { Html } from "./html.js";
import type { JobStatusLine, StatusSnapshot } from "./status-snapshot.js";

export interface PageForms<Viewer = unknown> {
  /** Above the tables, written with the page and never replaced: forms with what belongs to this viewer. */
  readonly once: (viewer: Viewer) => Html;
  /** Above the tables and live: what to do with the daemon as it is now, and with the jobs that are selected. */
  readonly controls: (status: StatusSnapshot) => Html;
  /** The first cell of a job's row, live: such as a box that selects it. Its column is named `rowName`. */
  readonly row: (job: JobStatusLine) => Html;
  readonly rowName: string;
}
