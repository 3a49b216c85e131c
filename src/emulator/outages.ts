// The fault `refuse-connections`: while any is in force nobody listens on the port.
// Knows when; how to stop and begin is the server's.
import type { Clock } from "../std/clock.js";
import type { Events } from "./emulator-events.js";
import type { Front } from "./front.js";

/** The outages in force. */
export class Outages {
  readonly #clock: Clock;
  readonly #events: Events;
  readonly #front: Front;
  readonly #cancels = new Map<string, () => void>();
  /** Stops and starts happen one after the other, in the order asked for. */
  #turn: Promise<void> = Promise.resolve();

  constructor(options: { readonly clock: Clock; readonly events: Events; readonly front: Front }) {
    this.#clock = options.clock;
    this.#events = options.events;
    this.#front = options.front;
  }

  /** Stops listening; after `ms`, if given, `onOver` is called, which is to end the outage. */
  begin(id: string, ms: number | undefined, onOver: () => void): void {
    this.#cancels.set(id, ms === undefined ? () => {} : this.#clock.after(ms, onOver));
    this.#next();
  }

  /** Listens again, unless another outage is in force. */
  end(id: string): void {
    const cancel = this.#cancels.get(id);
    if (!cancel) return;
    cancel();
    this.#cancels.delete(id);
    this.#next();
  }

  /** Ends every timer; resolves when no stop or start is under way. */
  async close(): Promise<void> {
    for (const cancel of this.#cancels.values()) cancel();
    this.#cancels.clear();
    await this.#turn;
  }

  #next(): void {
    this.#turn = this.#turn.then(async () => {
      const before = this.#front.isListening;
      try {
        if (this.#cancels.size > 0) await this.#front.pause();
        else await this.#front.resume();
      } catch (error) {
        this.#announce(error);
        return;
      }
      if (this.#front.isListening !== before) this.#announce();
    });
  }

  #announce(error?: unknown): void {
    this.#events.emit({
      type: "listening-changed",
      atMs: this.#clock.now(),
      isListening: this.#front.isListening,
      ...(error !== undefined && { error: String(error) }),
    });
  }
}
