// The console's pages about single jobs, over the daemon's stories and its ledger's history; loaded with the admin port.
import type { JobPages } from "../admin/job-pages.js";
import type { Panel } from "../admin/panel.js";
import type { Ledger } from "../ledger/ledger.js";
import type { Clock } from "../std/clock.js";
import type { Log } from "../std/log.js";
import { ownVersion } from "../std/version.js";

/** The pages of single jobs. */
export async function jobPagesOf(
  panel: Panel,
  { clock, log, ledger }: { readonly clock: Clock; readonly log: Log; readonly ledger: Ledger },
): Promise<JobPages> {
  const [{ JobPages }, { JobTeller }, { jobControls }, { jobPath }] = await Promise.all([
    import("../admin/job-pages.js"),
    import("./job-teller.js"),
    import("../admin/actions-controls.js"),
    import("../admin/job-page.js"),
  ]);
  const teller = new JobTeller(panel.stories, ledger);
  return new JobPages({
    clock,
    version: ownVersion(),
    tell: (job) => teller.tell(job),
    story: (name) => panel.stories.named(name),
    search: (search) => teller.search(search),
    frame: (page) => panel.framed(page),
    actions: (story) => jobControls(story, jobPath(story)),
    onFault: (error) => log.error("status-page-failed", { err: error }, "the status page cannot be rendered"),
  });
}
