// The credentials of one job's artifacts, renewed before they end and whenever S3 says that they did. Transfers that
// run side by side share one renewal. Never looks at the nonce that comes with fresh details: the old one stays in use.
import type { ArtifactAccess } from "../../job/job.js";
import type { Clock } from "../../std/clock.js";
import { GoneAccess } from "../faults.js";

/** Access as it was handed out once; a renewal makes a new one. */
export interface HeldAccess {
  readonly access: ArtifactAccess;
  /** When S3 stops to accept it, as far as anybody knows, in ms of the monotonic clock. */
  readonly untilMs: number;
}

export interface JobAccessOptions {
  /** What came with the job; absent when CodePipeline gave none. */
  readonly first: ArtifactAccess | undefined;
  /** When `first` was received, in ms of the monotonic clock. */
  readonly receivedMs: number;
  readonly renew: (signal: AbortSignal) => Promise<ArtifactAccess | undefined>;
  readonly keepSecrets: (values: readonly string[]) => void;
  readonly clock: Clock;
  /** 0 to 1. */
  readonly random: () => number;
  /** Ends a renewal under way; it lives as long as the job, since several transfers may wait for one renewal. */
  readonly signal: AbortSignal;
}

/** CodePipeline states no end; its own Jenkins plugin assumes 15 minutes. */
export const accessLifeMs = 15 * 60_000;
/** Renewed at a random moment of the last five to three minutes, so that a fleet's jobs do not ask all at once. */
const renewFromMs = 5 * 60_000;
const renewWithinMs = 2 * 60_000;

/** Holds the access of the moment. */
export class JobAccess {
  readonly #options: JobAccessOptions;
  #held: HeldAccess | undefined;
  #renewAtMs = 0;
  #renewing: Promise<HeldAccess> | undefined;

  constructor(options: JobAccessOptions) {
    this.#options = options;
    if (options.first) this.#hold(options.first, options.receivedMs);
  }

  /**
   * Access that is valid for at least `leftMs` more, renewed when it is not; in its last minutes it is renewed
   * meanwhile. Throws GoneAccess when CodePipeline gives none, what the renewal throws when it fails and the old one
   * has expired, and the signal's reason.
   */
  async current(leftMs = 0): Promise<HeldAccess> {
    const held = this.#held;
    if (!held) return this.#renew();
    const nowMs = this.#options.clock.monotonic();
    const stillMs = held.untilMs - nowMs;
    if (stillMs > 0 && stillMs >= leftMs) {
      // Early on purpose, so that no transfer waits for it: with each part of an upload waiting for a CodePipeline that
      // does not answer, the good access would end before the upload does. Who finds none good any more meets the
      // error.
      if (nowMs >= this.#renewAtMs) void this.#renew().catch(() => {});
      return held;
    }
    try {
      return await this.#renew();
    } catch (error) {
      // Less than was asked for is better than nothing.
      if (this.#options.signal.aborted || this.#options.clock.monotonic() >= held.untilMs) throw error;
      return held;
    }
  }

  /** Another access than `refused`, which S3 did not accept any more. Throws as `current` does. */
  async after(refused: HeldAccess): Promise<HeldAccess> {
    return this.#held && this.#held !== refused ? this.#held : this.#renew();
  }

  #renew(): Promise<HeldAccess> {
    this.#renewing ??= this.#renewOnce().finally(() => {
      this.#renewing = undefined;
    });
    return this.#renewing;
  }

  async #renewOnce(): Promise<HeldAccess> {
    const { clock, renew, keepSecrets, signal } = this.#options;
    signal.throwIfAborted();
    // Its life is counted from the question: the answer may have been long on its way.
    const askedMs = clock.monotonic();
    const access = await renew(signal);
    // An answer after the job's end: its secrets are no longer masked, so it is not kept either.
    signal.throwIfAborted();
    if (!access) throw new GoneAccess();
    const { accessKeyId, secretAccessKey, sessionToken } = access.credentials;
    keepSecrets([accessKeyId.reveal(), secretAccessKey.reveal(), sessionToken.reveal()]);
    return this.#hold(access, askedMs);
  }

  #hold(access: ArtifactAccess, sinceMs: number): HeldAccess {
    const held = { access, untilMs: sinceMs + accessLifeMs };
    this.#held = held;
    this.#renewAtMs = held.untilMs - renewFromMs + this.#options.random() * renewWithinMs;
    return held;
  }
}
