// Carries out what an operator decides about one job while the daemon runs: wherever the job stands, in flight or in the
// ledger alone. job/order.ts says what an order does in each state.
import type { JobKey } from "../job/job.js";
import { type Order, orderFor } from "../job/order.js";
import { LedgerError, type UnfinishedJob } from "../ledger/ledger.js";
import type { EngineContext } from "./context.js";
import type { OrderAnswer } from "./events.js";
import { released } from "./in-flight.js";
import { configOf } from "./poller-config.js";
import type { Runner } from "./runner.js";

/** Which job an order is for. */
export interface OrderedJob {
  readonly jobId: string;
  /** Needed when several Regions have a job of this id. */
  readonly region?: string;
}

/** Gives an operator's order to the job. Throws LedgerError when only the ledger has it and cannot be used. */
export async function giveOrder(
  context: EngineContext,
  runner: Runner,
  job: OrderedJob,
  order: Order,
): Promise<OrderAnswer> {
  const masked = order.kind === "fail" ? { ...order, message: context.deps.mask(order.message) } : order;
  const isMeant = (key: JobKey) => key.jobId === job.jobId && (job.region === undefined || key.region === job.region);
  const flights = [...runner.flights()].filter(({ key }) => isMeant(key));
  const [flight] = flights;
  if (flights.length > 1) return ambiguous(flights.map(({ key }) => key.region));
  if (!flight) return orderInLedger(context, runner, isMeant, masked);
  const { key, state } = flight;
  if (!flight.apply(masked)) return tooLate(key, state, masked);
  context.emit({ type: "order-taken", key, order: masked.kind, state });
  return taken(masked, state === "running" ? "at-once" : "once-ours");
}

/** A job that only the ledger has. In a fleet, the replica that holds the job is asked instead. */
async function orderInLedger(
  context: EngineContext,
  runner: Runner,
  isMeant: (key: JobKey) => boolean,
  order: Order,
): Promise<OrderAnswer> {
  const { ledger } = context.deps;
  if (ledger.watch) return unknownJob;
  const unfinished = await ledger.unfinished();
  const meant = unfinished.filter(({ lease }) => isMeant(lease.key));
  const [found] = meant;
  const isOne = found !== undefined && meant.length === 1;
  for (const other of unfinished) if (!isOne || other !== found) await ledger.release(other.lease);
  if (!isOne) return found ? ambiguous(meant.map(({ lease }) => lease.key.region)) : unknownJob;
  const { key, state } = found.lease;
  const config = configOf(context.pollers, key);
  if (config) {
    const flight = runner.resume(found, config);
    if (!flight.apply(order)) return tooLate(key, state, order);
    context.emit({ type: "order-taken", key, order: order.kind, state });
    return taken(order, state === "running" ? "at-once" : "once-ours");
  }
  try {
    return await recordOnly(context, runner, found, order);
  } finally {
    await ledger.release(found.lease);
  }
}

/** The action type is not configured here: nobody can call CodePipeline for the job. */
async function recordOnly(
  context: EngineContext,
  runner: Runner,
  { lease }: UnfinishedJob,
  order: Order,
): Promise<OrderAnswer> {
  const { key, state: from } = lease;
  const step = orderFor(key.jobId, from, order);
  if (step.kind === "too-late") return step;
  context.emit({ type: "order-taken", key, order: order.kind, state: from });
  for (const event of step.events) await context.deps.ledger.record(lease, event);
  if (order.kind === "release") {
    runner.forget(key);
    context.emit({ type: "job-dropped", key, from, ...released });
    return taken(order, "at-once");
  }
  runner.setAside(key, "settled");
  return {
    kind: "taken",
    message: "failed in the ledger; the result is reported once its action type is configured here again",
  };
}

const unknownJob: OrderAnswer = { kind: "unknown-job", message: "this daemon has no job with that id" };

function taken(order: Order, when: "at-once" | "once-ours"): OrderAnswer {
  if (order.kind === "release") {
    return {
      kind: "taken",
      message: "released: nothing is reported; CodePipeline waits until the action times out",
    };
  }
  const message =
    when === "at-once"
      ? "failed: stopping its handler if it runs, then reporting the result"
      : "will fail once CodePipeline confirms that the job is ours; a restart before that forgets this order; to drop the job now, release it";
  return { kind: "taken", message };
}

function tooLate({ jobId }: JobKey, state: UnfinishedJob["lease"]["state"], order: Order): OrderAnswer {
  const step = orderFor(jobId, state, order);
  if (step.kind === "too-late") return step;
  return { kind: "too-late", message: `job ${jobId} is already being dropped` };
}

function ambiguous(regions: readonly string[]): OrderAnswer {
  return {
    kind: "ambiguous",
    message: `several Regions have a job with that id: name the Region, ${regions.join(" or ")}`,
  };
}

/** An error of the ledger as an answer; anything else is thrown on. */
export function refusedBy(error: unknown): OrderAnswer {
  if (error instanceof LedgerError) return { kind: "ledger-unusable", message: error.message };
  throw error;
}
