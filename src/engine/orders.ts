// Carries out what an operator decides about one job while the daemon runs: wherever the job stands, in flight or in the
// ledger alone. job/order.ts says what an order does in each state.
import type { JobKey } from "../job/job.js";
import { type GivenJob, isThere, jobMeant } from "../job/meant.js";
import { type Order, orderFor } from "../job/order.js";
import { LedgerError, type UnfinishedJob } from "../ledger/ledger.js";
import type { EngineContext } from "./context.js";
import type { OrderAnswer } from "./events.js";
import { type JobInFlight, released } from "./in-flight.js";
import { configOf } from "./poller-config.js";
import type { Runner } from "./runner.js";

/** A job of this daemon: in flight, or in the ledger alone and leased for the moment. */
type Held = { readonly key: JobKey } & (
  | { readonly flight: JobInFlight; readonly found?: undefined }
  | { readonly found: UnfinishedJob }
);

/**
 * Gives an operator's order to the job that is meant. Throws LedgerError when the ledger has to be asked and cannot be
 * used.
 */
export async function giveOrder(
  context: EngineContext,
  runner: Runner,
  given: GivenJob,
  order: Order,
): Promise<OrderAnswer> {
  const { ledger, mask } = context.deps;
  const inFlight = () => [...runner.flights()].map((flight): Held => ({ key: flight.key, flight }));
  const isNamed = ({ key }: Held) => key.jobId === given.jobId && isThere(key, given);
  const isInFlight = inFlight().some(isNamed);
  // In a fleet other replicas may hold the job, or another one that begins so: here only a whole id will do.
  if (!isInFlight && ledger.watch) return unknownJob;
  const unfinished = isInFlight ? [] : await ledger.unfinished();
  const left = unfinished.map((found): Held => ({ key: found.lease.key, found }));
  const meant = jobMeant([...inFlight(), ...left], ({ key }) => key, given);
  const held = meant.kind === "one" ? meant.held : undefined;
  for (const found of unfinished) if (found !== held?.found) await ledger.release(found.lease);
  if (meant.kind === "several") return { kind: "ambiguous", message: meant.message };
  if (!held) return unknownJob;
  const masked = order.kind === "fail" ? { ...order, message: mask(order.message) } : order;
  const answer = held.found
    ? await orderInLedger(context, runner, held.found, masked)
    : orderInFlight(context, held.flight, masked);
  return { ...answer, jobId: held.key.jobId };
}

function orderInFlight(context: EngineContext, flight: JobInFlight, order: Order): OrderAnswer {
  const { key, state } = flight;
  if (!flight.apply(order)) return tooLate(key, state, order);
  context.emit({ type: "order-taken", key, order: order.kind, state });
  return taken(order, state === "running" ? "at-once" : "once-ours");
}

/** A job that only the ledger has. */
async function orderInLedger(
  context: EngineContext,
  runner: Runner,
  found: UnfinishedJob,
  order: Order,
): Promise<OrderAnswer> {
  const config = configOf(context.pollers, found.lease.key);
  if (config) return orderInFlight(context, runner.resume(found, config), order);
  try {
    return await recordOnly(context, runner, found, order);
  } finally {
    await context.deps.ledger.release(found.lease);
  }
}

/** The action type is not configured here, so nothing can call CodePipeline for the job. */
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
    message: "failed in the ledger; the result is reported once its action type and account are configured here again",
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

/** An error of the ledger as an answer; anything else is thrown on. */
export function refusedBy(error: unknown): OrderAnswer {
  if (error instanceof LedgerError) return { kind: "ledger-unusable", message: error.message };
  throw error;
}
