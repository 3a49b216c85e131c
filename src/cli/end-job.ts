// `partnerd jobs release` and `fail`: asks the daemon that runs with this configuration, and when none answers, does it
// to the ledger itself, which its lock or its leases allow only while nobody works on the job.

import type { Order } from "../compose/offline-jobs.js";
import type { Config } from "../config/config.js";
import type { LoadOptions } from "../config/load.js";
import { loadConfig } from "../config/load.js";
import { oneLine } from "../std/one-line.js";
import { askDaemon, type DaemonAnswer, stranger } from "./daemon-calls.js";
import type { Io } from "./io.js";
import { orFailed } from "./jobs.js";
import { ledgerParts } from "./ledger-parts.js";

/** One job by its id, and what is to become of it. */
export interface EndJob {
  readonly id: string;
  readonly region?: string;
  readonly end: Order;
}

/** Releases or fails one job. The exit code: 0, or 1 with a line that says why not. Throws ConfigError. */
export async function endJobCommand(options: LoadOptions, wanted: EndJob, io: Io): Promise<number> {
  const { config } = await loadConfig(options);
  return orFailed(io, async () => {
    const message = await endJob(config, wanted, io);
    io.out(`job ${oneLine(wanted.id)} ${oneLine(message)}\n`);
  });
}

/** What has become of it. Throws what an operator has to read. */
async function endJob(config: Config, wanted: EndJob, io: Io): Promise<string> {
  const { id, region, end } = wanted;
  const answer = await askDaemon(config.admin, {
    method: "POST",
    path: `/jobs/${encodeURIComponent(id)}/${end.kind}`,
    body: { ...(region === undefined ? {} : { region }), ...(end.kind === "fail" ? { message: end.message } : {}) },
  });
  const done = answeredBy(answer, config);
  if (done !== undefined) return done;
  if (config.ledger.store === "memory") {
    throw new Error(`ledger.store is memory, so only the running daemon can do it, and ${unreached(answer)}`);
  }
  try {
    return await endInLedger(config, wanted, io);
  } catch (error) {
    const isHeld = (error as { code?: unknown }).code === "locked";
    if (!isHeld || answer.kind === "answered") throw error;
    throw new Error(`a daemon runs, but ${unreached(answer)}; nothing is changed`, { cause: error });
  }
}

/** What the daemon did; `undefined`: it is for the ledger to say. Throws the daemon's refusal. */
function answeredBy(answer: DaemonAnswer, { ledger, admin }: Config): string | undefined {
  if (answer.kind !== "answered") return undefined;
  const { done, message, error, kind } = (answer.body ?? {}) as Readonly<Record<string, unknown>>;
  if (done === true && typeof message === "string") return message;
  // Another replica may have it, or none.
  if (kind === "unknown-job" && ledger.store === "dynamodb") return undefined;
  if (typeof error !== "string") throw new Error(`${stranger(answer)}, or, if no daemon runs, add --set admin.port=0`);
  const remedy =
    answer.status === 401 ? ` (set admin.token, PARTNERD_ADMIN_TOKEN, ${admin.token ? "to" : "as"} the daemon's)` : "";
  throw new Error(`the daemon at ${answer.url} answered ${answer.status}: ${oneLine(error)}${remedy}`);
}

function unreached(answer: DaemonAnswer): string {
  if (answer.kind === "off") return "the admin port is off (admin.port: 0): turn it on to ask the daemon, or stop it";
  if (answer.kind === "nobody") return `nobody answers at ${answer.url} (${answer.reason}): is this its configuration?`;
  return "it does not have the job";
}

async function endInLedger(config: Config, { id, region, end }: EndJob, io: Io): Promise<string> {
  const [{ endHeldJob, heldJobs }, parts] = await Promise.all([
    import("../compose/offline-jobs.js"),
    ledgerParts(config, io),
  ]);
  const found = (await heldJobs(parts)).filter(
    ({ key }) => key.jobId === id && (region === undefined || key.region === region),
  );
  const [job] = found;
  if (!job) throw new Error(`the ledger holds no job ${oneLine(id)}${region === undefined ? "" : ` of ${region}`}`);
  if (found.length > 1) {
    throw new Error(`several Regions have such a job: add --region ${found.map(({ key }) => key.region).join(" or ")}`);
  }
  await endHeldJob(parts, job, end);
  if (end.kind === "release") return "released: nothing is reported; CodePipeline waits until the action times out";
  return config.ledger.store === "dynamodb"
    ? "failed: the next replica that looks for owed jobs reports it"
    : "failed: the next start of the daemon reports it";
}
