// Server-sent events for the open pages: what changed, at most once a second and within a budget of bytes, and a
// heartbeat. Pages with the same filter share one channel, whose parts are made once however many are open; a page that
// reads too slowly is dropped and comes again by itself.
import type { ServerResponse } from "node:http";
import type { Clock } from "../std/clock.js";
import { StreamChannel } from "./stream-channel.js";

/** What a channel is sent of: the page's parts at one moment. */
export interface StreamLook {
  readonly atMs: number;
  /** The parts for one channel, made when they are asked for. */
  readonly sectionsFor: (channel: string) => ReadonlyMap<string, () => string>;
}

export interface StreamsOptions {
  readonly clock: Clock;
  readonly version: string;
  /** The present. */
  readonly look: () => StreamLook;
  /** Told of what kept the parts from being made. */
  readonly onFault: (error: unknown) => void;
}

/** Pages open at once: a team's, with room. */
const streamsMax = 20;
/** How often is looked for changes while anybody watches. */
const tickMs = 1_000;

/** The open streams. */
export class Streams {
  readonly #options: StreamsOptions;
  readonly #channels = new Map<string, StreamChannel>();
  #cancelTick: (() => void) | undefined;
  #isClosed = false;

  constructor(options: StreamsOptions) {
    this.#options = options;
  }

  /** How many are open. */
  get size(): number {
    return [...this.#channels.values()].reduce((sum, { size }) => sum + size, 0);
  }

  /** False when there are enough, or the end has come. */
  get hasRoom(): boolean {
    return !this.#isClosed && this.size < streamsMax;
  }

  /** Takes a stream on, whose head is out. `name`: of its channel. */
  open(response: ServerResponse, name: string): void {
    const { clock, version, look } = this.#options;
    const known = this.#channels.get(name);
    const channel = known ?? new StreamChannel(clock, version);
    this.#channels.set(name, channel);
    response.once("close", () => {
      channel.drop(response);
      if (channel.size === 0 && this.#channels.get(name) === channel) this.#channels.delete(name);
      if (this.#channels.size === 0) this.#stopTicking();
    });
    const { atMs, sectionsFor } = look();
    channel.join(response, atMs, sectionsFor(name));
    if (this.#cancelTick === undefined) this.#tickLater();
  }

  /** Tells every page that this is the end, and ends its stream. */
  close(): void {
    this.#isClosed = true;
    this.#stopTicking();
    const channels = [...this.#channels.values()];
    // What is left to be seen is how it ended, whatever it costs.
    this.#tick(true);
    for (const channel of channels) channel.end();
    this.#channels.clear();
  }

  #tickLater(): void {
    this.#cancelTick = this.#options.clock.after(tickMs, () => {
      this.#cancelTick = undefined;
      this.#tick(false);
      if (this.#channels.size > 0 && !this.#isClosed) this.#tickLater();
    });
  }

  #stopTicking(): void {
    this.#cancelTick?.();
    this.#cancelTick = undefined;
  }

  #tick(isLast: boolean): void {
    if (this.#channels.size === 0) return;
    try {
      const { atMs, sectionsFor } = this.#options.look();
      for (const [name, channel] of this.#channels) channel.tick(atMs, sectionsFor(name), isLast);
    } catch (error) {
      this.#options.onFault(error);
    }
  }
}
