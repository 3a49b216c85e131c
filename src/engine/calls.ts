// How a call for one job is made again: the one way in which details, acknowledges and results wait for CodePipeline.
// What is worth another try is the caller's to say; anything but a gateway's fault never is.
import { GatewayError, type GatewayFaultKind, isPassing, type JobGateway } from "../codepipeline/gateway.js";
import type { JobKey } from "../job/job.js";
import { type RetryPolicyMs, retrying } from "../std/retry.js";
import type { Deed } from "./breakers.js";
import { faultOf, type Parts } from "./context.js";
import type { JobInFlight } from "./in-flight.js";

export interface Patience {
  readonly policy: RetryPolicyMs;
  readonly signal: AbortSignal;
  /** Besides the scope; left out: the end of our right to the job. */
  readonly alsoEndedBy?: AbortSignal;
  readonly isWorthIt: (fault: GatewayError) => boolean;
  /** True, asked at each failure: the job gives its slot up while it waits, so that others may run. */
  readonly isOutsideSlot?: () => boolean;
}

/** Makes the call until it answers or patience ends; each new try is an event. Rejects with the last error. */
export function patiently<T>(
  parts: Parts,
  flight: JobInFlight,
  patience: Patience,
  call: () => Promise<T>,
): Promise<T> {
  const { clock, random, mask } = parts.world;
  return retrying(
    {
      policy: patience.policy,
      clock,
      random,
      signal: patience.signal,
      alsoEndedBy: patience.alsoEndedBy ?? flight.letGo,
      shouldRetry: (error) => error instanceof GatewayError && patience.isWorthIt(error),
      retryAfterMs: (error) => (error instanceof GatewayError ? error.retryAfterMs : undefined),
      around: (wait) => (patience.isOutsideSlot?.() ? flight.slot.whileWaiting(wait) : wait()),
      onRetry: ({ attempt, delayMs, error }) => {
        if (!(error instanceof GatewayError)) return;
        parts.emit({ type: "call-retried", key: flight.key, fault: faultOf(error, mask), attempt, delayMs });
      },
    },
    call,
  );
}

/** One call for a job, and what it tells of whether CodePipeline lets us make such calls. */
export async function calling<T>(
  parts: Parts,
  key: JobKey,
  deed: Deed,
  call: (gateway: JobGateway) => Promise<T>,
): Promise<T> {
  try {
    const answer = await call(parts.world.gateway(key.region, key.actionType.owner));
    parts.breakers.passed(key, deed);
    return answer;
  } catch (error) {
    if (error instanceof GatewayError) parts.breakers.failed(key, deed, error);
    throw error;
  }
}

/** For a job that may be ours: a refused token or a wrong setting may be put right at any time, and the job is kept. */
export function mayComeRight({ kind }: { readonly kind: GatewayFaultKind }): boolean {
  return isPassing(kind) || kind === "aborted" || kind === "token-rejected" || kind === "misconfigured";
}
