// A limit inside this process. It is handed on instead of a number, because a number does not say which clock it
// belongs to: compared with the wall clock it would end too early or too late whenever that clock steps.
import type { Clock } from "./clock.js";

/** A moment of the monotonic clock that work has to end by. */
export interface Deadline {
  /** Never below 0. */
  leftMs(): number;
  /**
   * What the wall clock will show when it ends, as that clock stands now, in whole ms since the epoch: for people, for
   * other programs and for storage. Never compare it with a clock of this process.
   */
  wallMs(): number;
}

export const Deadline = {
  /** So much from now, in ms. */
  in(clock: Clock, ms: number): Deadline {
    return new MonotonicDeadline(clock, ms);
  },

  /** From a wall time that was stored or came from elsewhere. Make it once, as soon as the time is read. */
  at(clock: Clock, wallMs: number): Deadline {
    return new MonotonicDeadline(clock, wallMs - clock.now());
  },
};

class MonotonicDeadline implements Deadline {
  readonly #clock: Clock;
  readonly #endsMs: number;

  constructor(clock: Clock, leftMs: number) {
    this.#clock = clock;
    this.#endsMs = clock.monotonic() + leftMs;
  }

  leftMs(): number {
    return Math.max(0, this.#endsMs - this.#clock.monotonic());
  }

  wallMs(): number {
    return Math.round(this.#clock.now() + this.#endsMs - this.#clock.monotonic());
  }
}
