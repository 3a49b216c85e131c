// The machine's clock, whose wall time a test sets forward and back. Timers and monotonic time do not notice.
import { type Clock, systemClock } from "../../src/std/clock.js";

export class SteppedClock implements Clock {
  readonly monotonic = systemClock.monotonic;
  readonly sleep = systemClock.sleep;
  readonly after = systemClock.after;
  #offsetMs = 0;

  now(): number {
    return systemClock.now() + this.#offsetMs;
  }

  step(ms: number): void {
    this.#offsetMs += ms;
  }
}
