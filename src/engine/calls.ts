// How a call for one job is retried: the one way in which details, acknowledgements and results wait for CodePipeline. The
// caller says which faults are worth another attempt; anything but a gateway's fault is not.
import { GatewayError, type GatewayFaultKind, isPassing, type JobGateway } from "../codepipeline/gateway.js";
import type { LostReason } from "../job/lifecycle.js";
import { whileFollowing } from "../std/following.js";
import { type RetryPolicyMs, retrying } from "../std/retry.js";
import type { Deed } from "./breakers.js";
import type { EngineContext } from "./context.js";
import { faultOf } from "./events.js";
import type { JobInFlight } from "./in-flight.js";

export interface CallPolicy {
  readonly policy: RetryPolicyMs;
  readonly signal: AbortSignal;
  /** Besides the signal; by default the loss of the job (`givenUp`). */
  readonly alsoEndedBy?: readonly AbortSignal[];
  readonly isWorthIt: (fault: GatewayError) => boolean;
  /** True, asked at each failure: the job gives its slot up while it waits, so that others may run. */
  readonly isOutsideSlot?: () => boolean;
}

/** Repeats the call until it answers, or a signal or the policy ends it; each new attempt is an event. Rejects with the last error. */
export function withRetries<T>(
  context: EngineContext,
  flight: JobInFlight,
  options: CallPolicy,
  call: () => Promise<T>,
): Promise<T> {
  const { clock, random, mask } = context.deps;
  return retrying(
    {
      policy: options.policy,
      clock,
      random,
      signal: options.signal,
      alsoEndedBy: options.alsoEndedBy ?? [flight.givenUp],
      shouldRetry: (error) => error instanceof GatewayError && options.isWorthIt(error),
      retryAfterMs: (error) => (error instanceof GatewayError ? error.retryAfterMs : undefined),
      around: (wait) => (options.isOutsideSlot?.() ? flight.slot.whileWaiting(wait) : wait()),
      onRetry: ({ attempt, delayMs, error }) => {
        if (!(error instanceof GatewayError)) return;
        context.emit({ type: "call-retried", key: flight.key, fault: faultOf(error, mask), attempt, delayMs });
      },
    },
    call,
  );
}

/**
 * Waits until a call for the job may be made, in its turn where CodePipeline throttles. Rejects as aborted when the signal,
 * or our right to the job, ends first. What must hold for the call is looked at afterwards: the wait may have been long.
 */
export async function callTurn(
  context: EngineContext,
  flight: JobInFlight,
  deed: Deed,
  signal: AbortSignal,
): Promise<void> {
  const budget = context.budgets.of(flight.key);
  const isGranted =
    budget.perSecond === undefined ||
    (await whileFollowing([signal, flight.givenUp], async (until) => (await budget.enter(deed, until)) ?? true));
  if (isGranted && !flight.loss) return;
  const why = flight.loss?.message ?? "stopped before its turn";
  const message = `${deed} of job ${flight.key.jobId} not called: ${why}`;
  throw new GatewayError({ kind: "aborted", operation: deed, code: "aborted", message });
}

/** One call for a job in its turn. Rejects as aborted, and was not made, when the turn does not come in time. */
export async function calling<T>(
  context: EngineContext,
  flight: JobInFlight,
  deed: Deed,
  signal: AbortSignal,
  call: (gateway: JobGateway) => Promise<T>,
): Promise<T> {
  await callTurn(context, flight, deed, signal);
  return callNow(context, flight, deed, call);
}

/** One call for a job whose turn has come; the breakers learn whether CodePipeline denied it. */
export async function callNow<T>(
  context: EngineContext,
  { key }: JobInFlight,
  deed: Deed,
  call: (gateway: JobGateway) => Promise<T>,
): Promise<T> {
  const budget = context.budgets.of(key);
  try {
    const answer = await call(context.deps.gateway(key, key.actionType.owner));
    budget.ended(false);
    context.breakers.passed(key, deed);
    return answer;
  } catch (error) {
    budget.ended(error instanceof GatewayError && error.kind === "throttled");
    if (error instanceof GatewayError) context.breakers.failed(key, deed, error);
    context.admission.machine.notice(error, "a call to CodePipeline failed");
    throw error;
  }
}

/** For a job that may be ours: a rejected token or a wrong setting may be corrected at any time, so the job is kept. */
export function mayComeRight({ kind }: { readonly kind: GatewayFaultKind }): boolean {
  return isPassing(kind) || kind === "aborted" || kind === "token-rejected" || kind === "misconfigured";
}

/** Why a job that was certainly not acknowledged is dropped after this fault. */
export function lostReason({ kind }: GatewayError, otherwise: LostReason): LostReason {
  switch (kind) {
    case "gone":
    case "over":
    case "not-ours":
    case "token-rejected":
    case "denied":
      return kind;
    case "rejected":
    case "misconfigured":
      return "refused";
    case "aborted":
      return "draining";
    default:
      return otherwise;
  }
}
