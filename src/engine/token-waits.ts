// How many jobs may wait for a token source that does not answer. Such a job was offered and its client's token is not
// known: it is neither acknowledged nor dropped, and waits without a slot, so that the jobs of known clients go on.

/** More are dropped, and offered again: each holds a lease and a few KB. */
export const tokenWaitsMax = 1_000;
/** CodePipeline gives third-party actions an hour by default. */
export const tokenWaitMaxMs = 3_600_000;

export class TokenWaits {
  #waiting = 0;
  #isOff = false;

  /** How many wait now. */
  get waiting(): number {
    return this.#waiting;
  }

  /** One more job waits, until `end`; false when it may not. */
  begin(): boolean {
    if (this.#isOff || this.#waiting >= tokenWaitsMax) return false;
    this.#waiting += 1;
    return true;
  }

  end(): void {
    this.#waiting -= 1;
  }

  /** From now on no further job waits: a single pass has to end. */
  turnOff(): void {
    this.#isOff = true;
  }
}
