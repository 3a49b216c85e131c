// One way to try again, for every call that may be: p-retry's loop, waits that spread callers first and keep them rare
// in an outage that lasts, and the other side's wish (Retry-After) as the least wait. Time comes from a Clock and
// randomness can be handed in, so that tests own both.
import pRetry, { type RetryContext } from "p-retry";
import type { Clock } from "./clock.js";
import { whileFollowing } from "./following.js";
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
  /** As `signal` does. */
  readonly alsoEndedBy?: readonly AbortSignal[];
  readonly shouldRetry: (error: unknown) => boolean;
  /** What the other side asked us to wait, in ms; honoured as far as it is believed. */
  readonly retryAfterMs?: (error: unknown) => number | undefined;
  /** Called before each wait: `attempt` counts from 1. */
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
  const signals = [options.signal, ...(options.alsoEndedBy ?? [])];
  const startedMs = options.clock.monotonic();
  let first: Promise<T> | undefined;
  if (!signals.some(({ aborted }) => aborted)) {
    // Nearly every call succeeds at once, and needs neither a loop nor a signal of its own: 4 % of a job.
    first = (async () => attempt(1))();
    try {
      return await first;
    } catch {
      // What it threw is looked at below.
    }
  }
  return whileFollowing(signals, (signal) => loop({ ...options, signal, startedMs, first }, attempt));
}

/** With the first attempt, if it was made. */
async function loop<T>(
  options: RetryOptions & { readonly startedMs: number; readonly first: Promise<T> | undefined },
  attempt: (attempt: number) => Promise<T>,
): Promise<T> {
  const { clock, policy, signal, startedMs, first, random = Math.random, around = (wait) => wait() } = options;
  let last = first;
  const call = async (number: number) => {
    last = number === 1 && first ? first : (async () => attempt(number))();
    return await last.catch((cause: unknown) => {
      throw new Failed(cause);
    });
  };
  const rest = async ({ attemptNumber, error: { cause: error } }: RetryContext) => {
    if (!options.shouldRetry(error) || clock.monotonic() - startedMs >= policy.maxElapsedMs) return false;
    const ownMs = jitteredMs(policy, attemptNumber, random);
    const delayMs = Math.max(ownMs, believedMs(options.retryAfterMs?.(error), policy.maxDelayMs));
    options.onRetry?.({ attempt: attemptNumber, delayMs, error });
    await around(() => clock.sleep(delayMs, signal));
    return true;
  };
  try {
    // p-retry's waits are timers that no test's clock can advance, and its jitter makes them longer, never shorter. So
    // it loops, heeds the signal and says when; the clock waits.
    return await pRetry(call, { retries: Number.POSITIVE_INFINITY, minTimeout: 0, signal, shouldRetry: rest });
  } catch (error) {
    // It rejects with the signal's reason also where we owe the end of the last attempt, good or bad.
    if (last && (error instanceof Failed || error === signal.reason)) return last;
    throw error;
  }
}

/** Carries what an attempt threw through p-retry, which would not try again after a TypeError or what is no error. */
class Failed extends Error {
  constructor(cause: unknown) {
    super("the attempt failed", { cause });
  }
}

/**
 * The wait after so many failed attempts, in ms. Full jitter while it grows takes callers that fail together apart;
 * in an outage that lasts it would make twice the calls that the maximum allows, and the two are no longer in step.
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
