// What an operator can order for one job, and what follows in each state: one rule, with a daemon and without. Pure.
import type { FailureType } from "./failure.js";
import type { JobEvent, JobState } from "./lifecycle.js";
import { failed } from "./outcome.js";

/** What an operator orders for one job. `type`: `JobFailed` if nothing else is said. */
export type Order =
  | { readonly kind: "release" }
  | { readonly kind: "fail"; readonly message: string; readonly type?: FailureType };

/** What an order comes to: the events that carry it out, or why it comes too late. */
export type OrderStep =
  | { readonly kind: "events"; readonly events: readonly JobEvent[] }
  | { readonly kind: "too-late"; readonly message: string };

/** What the order does to a job in this state while no handler runs. */
export function orderFor(jobId: string, state: JobState, order: Order): OrderStep {
  const isOurs = state === "running" || state === "acknowledging";
  if (!isOurs && state !== "settled") {
    return { kind: "too-late", message: `job ${jobId} is already ${state}: there is nothing to fail or release` };
  }
  if (order.kind === "release") return { kind: "events", events: [{ type: "job-lost", reason: "released" }] };
  if (state === "settled") {
    return {
      kind: "too-late",
      message: `job ${jobId} already has its result, which is being reported; to drop the result, release the job`,
    };
  }
  const settled: JobEvent = { type: "outcome-settled", outcome: failed(order.message, order.type) };
  // It may be ours: it counts as presumed, its result is reported, and it is acknowledged again if that is refused.
  const presumed: JobEvent = { type: "acknowledge-accepted", claim: "presumed" };
  return { kind: "events", events: state === "running" ? [settled] : [presumed, settled] };
}
