// How a call for one job is made again: the one way in which details, acknowledges and puts wait for CodePipeline.
// What is worth another try is the caller's to say, by the kind of fault; anything but a gateway's fault never is.
import { GatewayError, type GatewayFaultKind, isPassing } from "../codepipeline/gateway.js";
import { type RetryPolicyMs, retrying } from "../std/retry.js";
import { faultOf, type Parts } from "./context.js";
import type { JobInFlight } from "./in-flight.js";

export interface Patience {
  readonly policy: RetryPolicyMs;
  readonly signal: AbortSignal;
  /** Besides the scope; left out: the job is let go of. */
  readonly alsoEndedBy?: AbortSignal;
  readonly isWorthIt: (kind: GatewayFaultKind) => boolean;
  /** True: the job does no work while the call waits for this to pass, so others may use its slot meanwhile. */
  readonly parksSlot?: (kind: GatewayFaultKind) => boolean;
}

/** Makes the call until it answers or patience ends; each new try is told by an event. Rejects with the last error. */
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
      shouldRetry: (error) => error instanceof GatewayError && patience.isWorthIt(error.kind),
      retryAfterMs: (error) => (error instanceof GatewayError ? error.retryAfterMs : undefined),
      onRetry: ({ attempt, delayMs, error }) => {
        if (!(error instanceof GatewayError)) return;
        if (patience.parksSlot?.(error.kind)) flight.slot.park();
        parts.emit({ type: "call-retried", key: flight.key, fault: faultOf(error, mask), attempt, delayMs });
      },
    },
    call,
  );
}

/** For a job that is ours: a refused token or a wrong setting may be mended at any time, and the job is kept for that. */
export function mayComeRight(kind: GatewayFaultKind): boolean {
  return isPassing(kind) || kind === "aborted" || kind === "token-rejected" || kind === "misconfigured";
}
