// One way to try again, for every call that may be: p-retry's loop, waits that spread callers first and keep them rare
// in an outage that lasts, and the other side's wish (Retry-After) as the least wait. Time comes from a Clock and randomness can be handed in, so that tests own both.
import pRetry from "p-retry";
import type { Clock } from "./clock.js";
import { believedMs } from "./retry-after.js";

/**
 * Waits grow to minDelay × factor^n, and are random between 0 and that; those that have grown to maxDelay are at most
 * a fifth shorter.
 */
export interface RetryPolicyMs {
  readonly minDelayMs: number;
  readonly maxDelayMs: number;
  readonly factor: number;
  /** Give up when this much time has passed since the first attempt; Infinity: never by time. */
  readonly maxElapsedMs: number;
}

export interface RetryOptions {
  readonly policy: RetryPolicyMs;
  readonly clock: Clock;
  /** Ends the waiting and the trying; the promise then rejects with the last error, or the reason if none. */
  readonly signal: AbortSignal;
  /** Ends it as well. */
  readonly alsoEndedBy?: AbortSignal;
  readonly shouldRetry: (error: unknown) => boolean;
  /** What the other side asked us to wait, in ms; honoured as far as it is believed. */
  readonly retryAfterMs?: (error: unknown) => number | undefined;
  /** Told before each wait: `attempt` counts from 1. */
  readonly onRetry?: (retry: { readonly attempt: number; readonly delayMs: number; readonly error: unknown }) => void;
  readonly random?: () => number;
  /** Runs each wait; left out: just runs it. */
  readonly around?: (wait: () => Promise<void>) => Promise<void>;
}

/**
 * Calls `attempt` until it resolves, until `shouldRetry` says no, or until time or signal end it. Rejects with the
 * last error. An attempt that succeeded counts even if the signal aborted meanwhile.
 */
export async function retrying<T>(options: RetryOptions, attempt: (attempt: number) => Promise<T>): Promise<T> {
  // The first attempt needs none of the machinery below; nearly every call ends here.
  options.signal.throwIfAborted();
  options.alsoEndedBy?.throwIfAborted();
  const startedMs = options.clock.monotonic();
  let firstError: unknown;
  try {
    return await attempt(1);
  } catch (error) {
    const isTooLate = options.clock.monotonic() - startedMs >= options.policy.maxElapsedMs;
    if (isEnded(options) || isTooLate || !options.shouldRetry(error)) throw error;
    firstError = error;
  }
  return retryAfterFirst(options, attempt, startedMs, firstError);
}

async function retryAfterFirst<T>(
  options: RetryOptions,
  attempt: (attempt: number) => Promise<T>,
  startedMs: number,
  firstError: unknown,
): Promise<T> {
  const { clock, policy, signal, alsoEndedBy } = options;
  let made = 1;
  let last = firstError;
  let result: { readonly value: T } | undefined;
  const turn = async () => {
    if (made === 1) await rest(1);
    if (isEnded(options)) return;
    try {
      made += 1;
      result = { value: await attempt(made) };
    } catch (error) {
      last = error;
      throw new Again();
    }
  };
  const rest = async (failedAttempts: number) => {
    const delayMs = Math.max(
      jitteredMs(policy, failedAttempts, options.random ?? Math.random),
      believedMs(options.retryAfterMs?.(last), policy.maxDelayMs),
    );
    options.onRetry?.({ attempt: failedAttempts, delayMs, error: last });
    const wait = () => clock.sleep(delayMs, alsoEndedBy ? AbortSignal.any([signal, alsoEndedBy]) : signal);
    await (options.around ? options.around(wait) : wait());
  };
  try {
    await pRetry(turn, {
      retries: Number.POSITIVE_INFINITY,
      // p-retry's own delays are neither full jitter nor ours to advance in a test: it loops, the clock waits.
      minTimeout: 0,
      shouldRetry: async () => {
        const isWorthIt = options.shouldRetry(last) && clock.monotonic() - startedMs < policy.maxElapsedMs;
        if (!isWorthIt || isEnded(options)) return false;
        await rest(made);
        return true;
      },
    });
  } catch (error) {
    if (!(error instanceof Again)) throw error;
  }
  if (result) return result.value;
  throw last;
}

function isEnded({ signal, alsoEndedBy }: RetryOptions): boolean {
  return signal.aborted || alsoEndedBy?.aborted === true;
}

/** Carries "it failed" through p-retry, which treats TypeErrors and non-errors in ways of its own. */
class Again extends Error {}

/**
 * The wait after so many failed attempts, in ms. Full jitter while it grows takes callers that fail together apart;
 * in an outage that lasts it would make twice the calls that the maximum allows, and they are apart by then.
 */
export function jitteredMs(policy: RetryPolicyMs, failedAttempts: number, random: () => number): number {
  const ceiling = ceilingMs(policy, failedAttempts);
  return ceiling < policy.maxDelayMs ? random() * ceiling : ceiling * (1 - lastingJitterPart * random());
}

/** As small as what polls of a fleet drift apart by. */
const lastingJitterPart = 0.2;

/** The most that the policy waits after so many failed attempts, in ms. */
export function ceilingMs(policy: RetryPolicyMs, failedAttempts: number): number {
  return Math.min(policy.maxDelayMs, policy.minDelayMs * policy.factor ** Math.max(0, failedAttempts - 1));
}
