// How many polls were made within the last minute, by Region. Seconds are counted, not kept one by one.

const seconds = 60;

/** Counts by second; what is older than a minute is overwritten. */
export class PollRate {
  readonly #counts = new Array<number>(seconds).fill(0);
  #lastSecond = Number.NEGATIVE_INFINITY;

  add(atMs: number): void {
    this.#forget(Math.floor(atMs / 1_000));
    const place = this.#lastSecond % seconds;
    this.#counts[place] = (this.#counts[place] ?? 0) + 1;
  }

  perMinute(atMs: number): number {
    this.#forget(Math.floor(atMs / 1_000));
    return this.#counts.reduce((sum, count) => sum + count, 0);
  }

  /** The wall clock may be set back: by little, and what was counted counts as of its last second; by more, and anew. */
  #forget(second: number): void {
    const isSetBack = second < this.#lastSecond - seconds;
    if (second <= this.#lastSecond && !isSetBack) return;
    const from = isSetBack ? second - seconds : Math.max(this.#lastSecond, second - seconds);
    for (let each = from + 1; each <= second; each++) this.#counts[each % seconds] = 0;
    this.#lastSecond = second;
  }
}
