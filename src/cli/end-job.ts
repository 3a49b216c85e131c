// `partnerd jobs release` and `fail`: asks the daemon that runs with this configuration, and when none answers, does it
// to the ledger itself, which its lock or its leases allow only while nobody works on the job.

import type { Order } from "../compose/offline-jobs.js";
import type { Config } from "../config/config.js";
import type { LoadOptions } from "../config/load.js";
import { loadConfig } from "../config/load.js";
import { defaultAccount } from "../job/job.js";
import { codeOf } from "../std/errors.js";
import { oneLine } from "../std/one-line.js";
import { askDaemon, type DaemonAnswer, stranger } from "./daemon-calls.js";
import type { Io } from "./io.js";
import { orFailed } from "./jobs-command.js";
import { ledgerParts } from "./ledger-parts.js";

/** One job by its id or the beginning of it, and what is to become of it. */
export interface EndJob {
  readonly id: string;
  readonly region?: string;
  readonly account?: string;
  readonly end: Order;
}

/** Releases or fails one job. The exit code: 0, or 1 with a line that says why not. Throws ConfigError. */
export async function endJobCommand(options: LoadOptions, wanted: EndJob, io: Io): Promise<number> {
  const { config } = await loadConfig(options);
  return orFailed(io, async () => {
    const { id, message } = await endJob(config, wanted, io);
    io.out(`job ${oneLine(id)} ${oneLine(message)}\n`);
  });
}

/** What has become of a job; `id`: the whole one. */
interface Ended {
  readonly id: string;
  readonly message: string;
}

/** Throws what an operator has to read. */
async function endJob(config: Config, wanted: EndJob, io: Io): Promise<Ended> {
  const answer = await askToEnd(config, wanted);
  const done = answeredBy(answer, wanted, config);
  if (done !== undefined) return done;
  if (config.ledger.store === "memory") {
    throw new Error(`ledger.store is memory, so only the running daemon can do it, and ${unreached(answer)}`);
  }
  try {
    return await endInLedger(config, wanted, { answer, io });
  } catch (error) {
    const isHeld = codeOf(error) === "locked";
    if (!isHeld || answer.kind === "answered") throw error;
    throw new Error(`a daemon runs, but ${unreached(answer)}; nothing is changed`, { cause: error });
  }
}

function askToEnd({ admin }: Config, { id, end, ...place }: EndJob): Promise<DaemonAnswer> {
  return askDaemon(admin, {
    method: "POST",
    path: `/jobs/${encodeURIComponent(id)}/${end.kind}`,
    body: { ...place, ...(end.kind === "fail" ? { message: end.message, type: end.type } : {}) },
  });
}

/** What the daemon did; `undefined`: it is for the ledger to say. Throws the daemon's refusal. */
function answeredBy(answer: DaemonAnswer, { id }: EndJob, { ledger, admin }: Config): Ended | undefined {
  if (answer.kind !== "answered") return undefined;
  const { done, message, error, kind, jobId } = (answer.body ?? {}) as Readonly<Record<string, unknown>>;
  if (done === true && typeof message === "string") return { id: typeof jobId === "string" ? jobId : id, message };
  // Another replica may have it, or none.
  if (kind === "unknown-job" && ledger.store === "dynamodb") return undefined;
  if (typeof error !== "string") throw new Error(`${stranger(answer)}, or, if no daemon runs, add --set admin.port=0`);
  const remedy =
    answer.status === 401 ? ` (set admin.token, PARTNERD_ADMIN_TOKEN, ${admin.token ? "to" : "as"} the daemon's)` : "";
  throw new Error(`the daemon at ${answer.url} answered ${answer.status}: ${oneLine(error)}${remedy}`);
}

function unreached(answer: DaemonAnswer): string {
  if (answer.kind === "off") return "the admin port is off (admin.port: 0): turn it on to ask the daemon, or stop it";
  if (answer.kind === "nobody")
    return `no daemon answers at ${answer.url} (${answer.reason}): is this the daemon's configuration?`;
  return "it does not have the job";
}

async function endInLedger(
  config: Config,
  wanted: EndJob,
  { answer, io }: { readonly answer: DaemonAnswer; readonly io: Io },
): Promise<Ended> {
  const [{ endHeldJob, heldJob }, parts] = await Promise.all([
    import("../compose/offline-jobs.js"),
    ledgerParts(config, io),
  ]);
  const { end, id: given, ...place } = wanted;
  const job = await heldJob(parts, { jobId: given, ...place });
  const { jobId: id } = job.key;
  if (answer.kind === "answered" && id !== wanted.id) {
    // A daemon of a fleet knows jobs by their whole ids only, and may be the one that works this one.
    const { region, account = defaultAccount } = job.key;
    const whole = { ...wanted, id, region, account };
    const done = answeredBy(await askToEnd(config, whole), whole, config);
    if (done !== undefined) return done;
  }
  await endHeldJob(parts, job, end);
  if (end.kind === "release") {
    return { id, message: "released: nothing is reported; CodePipeline waits until the action times out" };
  }
  const who = config.ledger.store === "dynamodb" ? "replica that looks for owed jobs" : "start of the daemon";
  return { id, message: `failed: the next ${who} reports it` };
}
