// What an operator decides about one job while the daemon works: to fail it, or to let go of it. Finds the job wherever
// it stands: in flight, waiting for a slot after a start, or in the ledger alone. The job's own story does the rest.
import { type JobKey, jobKeyName } from "../job/job.js";
import { failed } from "../job/outcome.js";
import { LedgerError, type UnfinishedJob } from "../ledger/ledger.js";
import type { Order, OrderAnswer } from "./events.js";
import { released } from "./in-flight.js";
import { laneOf } from "./lane.js";
import type { Parts } from "./parts.js";
import { recover } from "./recovery.js";
import type { Runner } from "./runner.js";
import type { Slots } from "./slots.js";

/** Which job an order is for. */
export interface OrderedJob {
  readonly jobId: string;
  /** Needed when several Regions have a job of this id. */
  readonly region?: string;
}

/** Gives an operator's order to the job. Throws LedgerError when only the ledger has it and cannot be used. */
export async function giveOrder(
  given: { readonly parts: Parts; readonly runner: Runner; readonly slots: Slots },
  job: OrderedJob,
  order: Order,
): Promise<OrderAnswer> {
  const { parts, runner } = given;
  const masked = order.kind === "fail" ? { ...order, message: parts.world.mask(order.message) } : order;
  const isMeant = (key: JobKey) => key.jobId === job.jobId && (job.region === undefined || key.region === job.region);
  const flights = [...runner.flights()].filter(({ key }) => isMeant(key));
  const waiting = [...runner.waiting.values()].filter(({ found }) => isMeant(found.lease.key));
  const regions = [...flights.map(({ key }) => key.region), ...waiting.map(({ found }) => found.lease.key.region)];
  if (regions.length > 1) return ambiguous(regions);
  const [flight, waiter] = [flights[0], waiting[0]];
  if (flight) {
    const { state } = flight;
    if (!flight.obey(masked)) return tooLate(flight.key);
    parts.emit({ type: "order-taken", key: flight.key, order: masked.kind, state });
    return taken(masked, state === "running" || masked.kind === "release" ? "at-once" : "once-ours");
  }
  if (waiter) {
    const { key, state } = waiter.found.lease;
    if (masked.kind === "fail" && state === "settled") return tooLate(key);
    waiter.order = masked;
    parts.emit({ type: "order-taken", key, order: masked.kind, state });
    return taken(masked, "with-slot");
  }
  return orderInLedger(given, isMeant, masked);
}

/** A job that was left in the ledger; where others share it, whoever holds the job is asked instead. */
async function orderInLedger(
  { parts, runner, slots }: { readonly parts: Parts; readonly runner: Runner; readonly slots: Slots },
  isMeant: (key: JobKey) => boolean,
  order: Order,
): Promise<OrderAnswer> {
  const { ledger } = parts.world;
  if (ledger.watch) return unknownJob;
  const unfinished = await ledger.unfinished();
  const meant = unfinished.filter(({ lease }) => isMeant(lease.key));
  const [found] = meant;
  const isOne = found !== undefined && meant.length === 1;
  for (const other of unfinished) if (!isOne || other !== found) await ledger.release(other.lease);
  if (!isOne) return found ? ambiguous(meant.map(({ lease }) => lease.key.region)) : unknownJob;
  const { key, state } = found.lease;
  if (order.kind === "fail" && state === "settled") {
    await ledger.release(found.lease);
    return tooLate(key);
  }
  parts.emit({ type: "order-taken", key, order: order.kind, state });
  if (laneOf(parts.lanes, key)) {
    void recover(parts, runner, slots, [found], order);
    return taken(order, "with-slot");
  }
  try {
    return await recordOnly(parts, runner, found, order);
  } finally {
    await ledger.release(found.lease);
  }
}

/** The action type is not configured here: nobody can call CodePipeline for the job. */
async function recordOnly(parts: Parts, runner: Runner, { lease }: UnfinishedJob, order: Order): Promise<OrderAnswer> {
  const { ledger } = parts.world;
  if (order.kind === "release") {
    const from = lease.state;
    await ledger.record(lease, { type: "job-lost", reason: "released" });
    runner.left.delete(jobKeyName(lease.key));
    parts.emit({ type: "job-dropped", key: lease.key, from, reason: "released", message: released.message });
    return taken(order, "at-once");
  }
  if (lease.state !== "running") {
    const message = `job ${lease.key.jobId} is ${lease.state} and its action type is not configured here: configure it again, or release the job`;
    return { kind: "too-late", message };
  }
  await ledger.record(lease, { type: "outcome-settled", outcome: failed(order.message) });
  runner.left.set(jobKeyName(lease.key), "settled");
  return {
    kind: "taken",
    message: "failed in the ledger; its action type is not configured here, and the result is put once it is again",
  };
}

const unknownJob: OrderAnswer = { kind: "unknown-job", message: "this daemon holds no job of that id" };

function taken(order: Order, when: "at-once" | "with-slot" | "once-ours"): OrderAnswer {
  if (order.kind === "release") {
    const end = when === "with-slot" ? "released as soon as a slot is free" : "released";
    return {
      kind: "taken",
      message: `${end}: CodePipeline is told nothing and waits for it until the action times out`,
    };
  }
  switch (when) {
    case "at-once":
      return { kind: "taken", message: "failed: its handler is stopped, then the result is reported" };
    case "with-slot":
      return { kind: "taken", message: "failed: the result is reported as soon as a slot is free" };
    case "once-ours":
      return {
        kind: "taken",
        message:
          "to be failed as soon as CodePipeline answers that it is ours; a restart before that forgets it, and release lets go of it now",
      };
  }
}

function tooLate(key: JobKey): OrderAnswer {
  return {
    kind: "too-late",
    message: `the result of job ${key.jobId} is already fixed, and put as soon as CodePipeline takes it; release lets go of it`,
  };
}

function ambiguous(regions: readonly string[]): OrderAnswer {
  return { kind: "ambiguous", message: `several Regions have such a job: say which, ${regions.join(" or ")}` };
}

/** An error of the ledger as an answer; anything else is thrown on. */
export function refusedBy(error: unknown): OrderAnswer {
  if (error instanceof LedgerError) return { kind: "ledger-unusable", message: error.message };
  throw error;
}
