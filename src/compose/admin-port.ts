// The daemon's admin port: its routes over the running worker, its pages, and the console's actions with a line in the log
// for each.

import type { ActionDone } from "../admin/actions.js";
import { Actions } from "../admin/actions.js";
import type { ConsoleOptions } from "../admin/actions-routes.js";
import { type Liveness, ready } from "../admin/health.js";
import type { JobPages } from "../admin/job-pages.js";
import type { Panel } from "../admin/panel.js";
import { type AdminServer, startAdmin } from "../admin/server.js";
import type { AdminStatus } from "../admin/view.js";
import { Callers } from "../admin/who.js";
import type { Config } from "../config/config.js";
import type { Worker } from "../engine/engine.js";
import type { OrderAnswer } from "../engine/events.js";
import { type JobId, placeOf } from "../job/job.js";
import type { GivenJob } from "../job/meant.js";
import type { Order } from "../job/order.js";
import { LedgerError } from "../ledger/ledger.js";
import type { Clock } from "../std/clock.js";
import type { Log } from "../std/log.js";
import type { BuiltParts } from "./build.js";
import { eventsFor } from "./offline-jobs.js";

export interface AdminPortParts {
  readonly config: Config;
  readonly log: Log;
  readonly clock: Clock;
  readonly worker: Worker;
  readonly parts: BuiltParts;
  readonly panel: Panel | undefined;
  readonly jobPages: JobPages | undefined;
  readonly status: () => AdminStatus;
  readonly live: () => Liveness;
  /** Masks secrets. */
  readonly mask: (text: string) => string;
}

/** Opens the port. Throws AdminError. */
export function openAdminPort(given: AdminPortParts): Promise<AdminServer> {
  const { config, log, clock, worker, parts, panel, jobPages, status, live } = given;
  const { host, port, token } = config.admin;
  const onAction = (action: ActionDone) => actionLine(log, action);
  return startAdmin({
    host,
    port,
    ...(token ? { token } : {}),
    clock,
    live,
    onFault: (error) => log.error("admin-failed", { err: error }, "admin port failed"),
    onWrongToken: ({ untold: count, ...wrong }) => {
      panel?.metrics.onWrongToken(wrong);
      if (count) log.warn("admin-wrong-token", { ...wrong, count }, `wrong ${wrong.kind} token at the admin port`);
    },
    ready: () => ready(status(), parts.ledger.health()),
    status,
    ...(panel ? { pages: { ...panel.pages, ...jobPages?.pages } } : {}),
    ...(panel ? { streams: { ...panel.streams, ...jobPages?.streams } } : {}),
    ...(jobPages ? { story: (job, asked) => jobPages.story(job, asked) } : {}),
    ...(panel ? { forms: consoleOf(given, panel, onAction) } : {}),
    onAction,
    deliver: async (delivery) => {
      const end = await parts.callbacks.deliver(delivery);
      // Right after a restart a promised callback is asked to come again; its job is not unknown.
      return end === "unknown-job" && worker.mayAwaitCallback(delivery.jobId) ? "not-recorded" : end;
    },
    pause: () => worker.pause(),
    resume: () => worker.resume(),
    wake: () => worker.wake(),
    order: (job, order) => worker.order(job, order),
  });
}

function consoleOf(given: AdminPortParts, panel: Panel, onAction: (action: ActionDone) => void): ConsoleOptions {
  const { config, clock, worker, status, parts } = given;
  const { publicUrl, userHeader, trustedProxies } = config.admin;
  const { fleet } = parts.ledger;
  const targets = {
    pause: () => worker.pause(),
    resume: () => worker.resume(),
    wake: () => worker.wake(),
    order: (job: GivenJob, order: Order) => orderAnywhere(given, job, order),
    ...(fleet ? { fleet: { pause: (by: string) => fleet.pauseAll(by), resume: () => fleet.resumeAll() } } : {}),
  };
  return {
    actions: new Actions(targets, clock, onAction),
    callers: new Callers({ userHeader, trustedProxies }),
    jobs: () => status().jobs,
    frame: (title, body) => panel.frame(title, body),
    publicUrl,
  };
}

/**
 * Here, or else in the fleet's table as `partnerd jobs` does it: a job that no replica works on is changed there. Rejects
 * only for a bug.
 */
async function orderAnywhere(
  { worker, parts, mask }: AdminPortParts,
  job: GivenJob,
  order: Order,
): Promise<OrderAnswer> {
  const answer = await worker.order(job, order);
  const { fleet } = parts.ledger;
  if (answer.kind !== "unknown-job" || !fleet || job.region === undefined) return answer;
  const { account, region } = job;
  const key = { jobId: job.jobId as JobId, ...placeOf({ account, region }) };
  const masked = order.kind === "fail" ? { ...order, message: mask(order.message) } : order;
  try {
    await fleet.end(key, (state) => eventsFor(key.jobId, state, masked));
  } catch (error) {
    if (!(error instanceof LedgerError)) throw error;
    const kind = error.code === "locked" ? "too-late" : error.code === "lost" ? "unknown-job" : "ledger-unusable";
    return { kind, message: error.message };
  }
  const message =
    order.kind === "fail"
      ? "failed in the table: the replica that finds it reports it"
      : "released: nothing is reported";
  return { kind: "taken", message };
}

function actionLine(log: Log, { action, done, refused, jobs, ...who }: ActionDone): void {
  const by = who.user === undefined ? `from ${who.from}` : `by ${who.user}, from ${who.from}`;
  const count = jobs.length === 0 ? "" : ` of ${done + refused} jobs, ${refused} refused`;
  const level = refused > 0 ? "warn" : "info";
  log.at(level, "operator-acted", { action, ...who, jobs, done, refused }, `operator: ${action}${count} (${by})`);
}
