// A limit inside this process. It is handed on instead of a number, because a number does not say which clock it
// belongs to: compared with the wall clock it would end too early or too late whenever that clock steps.
import type { Clock } from "./clock.js";

/** A moment of the monotonic clock that work has to end by. */
export class Deadline {
  readonly #clock: Clock;
  readonly #endsMs: number;

  private constructor(clock: Clock, leftMs: number) {
    this.#clock = clock;
    this.#endsMs = clock.monotonic() + leftMs;
  }

  /** So much from now, in ms. */
  static in(clock: Clock, ms: number): Deadline {
    return new Deadline(clock, ms);
  }

  /** From a wall time that was stored or came from elsewhere. Make it once, as soon as the time is read. */
  static at(clock: Clock, wallMs: number): Deadline {
    return new Deadline(clock, wallMs - clock.now());
  }

  /** Never below 0. */
  leftMs(): number {
    return Math.max(0, this.#endsMs - this.#clock.monotonic());
  }

  /**
   * What the wall clock will show when it ends, as that clock stands now, in whole ms since the epoch: for people, for
   * other programs and for storage. Never compare it with a clock of this process.
   */
  wallMs(): number {
    return Math.round(this.#clock.now() + this.#endsMs - this.#clock.monotonic());
  }
}
