// What a thread says, taken in a little in each turn of the daemon's loop: a flood of lines must not hold it up.

/** Of what a thread says, in one turn of the loop. */
const turnMaxMs = 10;

export class Inbox<M> {
  readonly #take: (message: M) => void;
  readonly #onEmpty: () => void;
  #waiting: M[] = [];
  /** By when this turn of the loop takes in no more; absent: it has taken in nothing yet. */
  #turnEndsMs: number | undefined;

  /** `onEmpty` is called whenever nothing waits any more. */
  constructor(options: { readonly take: (message: M) => void; readonly onEmpty: () => void }) {
    this.#take = options.take;
    this.#onEmpty = options.onEmpty;
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  /** Takes the message in: in this turn if there is time left, otherwise in one of the next, in order. */
  put(message: M): void {
    this.#waiting.push(message);
    this.#takeIn();
  }

  #takeIn(): void {
    if (this.#turnEndsMs === undefined) {
      this.#turnEndsMs = performance.now() + turnMaxMs;
      setImmediate(() => {
        this.#turnEndsMs = undefined;
        if (!this.isEmpty) this.#takeIn();
      });
    }
    let taken = 0;
    for (const message of this.#waiting) {
      if (performance.now() >= this.#turnEndsMs) break;
      taken += 1;
      this.#take(message);
    }
    if (taken > 0) this.#waiting = this.#waiting.slice(taken);
    if (this.isEmpty) this.#onEmpty();
  }
}
