// What an operator may decide about one job, and what follows in each state: one rule, with a daemon and without. Pure.
import type { JobEvent, JobState } from "./lifecycle.js";
import { failed } from "./outcome.js";

/** What an operator decides about one job. */
export type Order = { readonly kind: "release" } | { readonly kind: "fail"; readonly message: string };

/** What an order comes to: the events that carry it out, or why it comes too late. */
export type OrderStep =
  | { readonly kind: "events"; readonly events: readonly JobEvent[] }
  | { readonly kind: "too-late"; readonly message: string };

/** What becomes of a job in this state by the order, when nobody runs its handler. */
export function orderFor(jobId: string, state: JobState, order: Order): OrderStep {
  const isOurs = state === "running" || state === "acknowledging";
  if (!isOurs && state !== "settled") {
    return { kind: "too-late", message: `job ${jobId} is ${state}: there is nothing to decide` };
  }
  if (order.kind === "release") return { kind: "events", events: [{ type: "job-lost", reason: "released" }] };
  if (state === "settled") {
    return {
      kind: "too-late",
      message: `the result of job ${jobId} is already fixed and is reported as soon as CodePipeline takes it; release drops it`,
    };
  }
  const settled: JobEvent = { type: "outcome-settled", outcome: failed(order.message) };
  // Nobody knows whether it is ours: presumed so, its result is put, and it is asked for again if need be.
  const presumed: JobEvent = { type: "acknowledge-accepted", claim: "presumed" };
  return { kind: "events", events: state === "running" ? [settled] : [presumed, settled] };
}
