// Server-sent events for the open status pages: what changed, at most once a second, and a heartbeat. However many
// pages are open, the sections are made once; a page that reads too slowly is dropped and comes again by itself.
import type { ServerResponse } from "node:http";
import type { Clock } from "../std/clock.js";
import type { Sections } from "./page.js";

export interface StreamsOptions {
  readonly clock: Clock;
  readonly version: string;
  /** The page's sections now. */
  readonly look: () => { readonly atMs: number; readonly sections: Sections };
  /** Told of what kept the sections from being made. */
  readonly onFault: (error: unknown) => void;
}

/** Pages open at once: a team's, with room. */
const streamsMax = 20;
/** How often is looked for changes while anybody watches. */
const tickMs = 1_000;
/** Well within the idle limit of the port, and of most proxies. */
const beatMs = 10_000;
/** What may wait for one slow reader: a few whole pages. */
const waitingMaxBytes = 1_048_576;

/** The open streams. */
export class Streams {
  readonly #options: StreamsOptions;
  readonly #open = new Set<ServerResponse>();
  #sent: Sections = {};
  #lastMs = 0;
  #cancelTick: (() => void) | undefined;
  #isClosed = false;

  constructor(options: StreamsOptions) {
    this.#options = options;
  }

  /** How many are open. */
  get size(): number {
    return this.#open.size;
  }

  /** False when there are enough, or the end has come. */
  get hasRoom(): boolean {
    return !this.#isClosed && this.#open.size < streamsMax;
  }

  /** Takes a stream on, whose head is out. */
  open(response: ServerResponse): void {
    response.once("close", () => this.#drop(response));
    // A browser whose stream ends asks again after so long.
    response.write("retry: 2000\n\n");
    send(response, "hello", { version: this.#options.version });
    // The others get the news first, so that from here on all have seen the same.
    const atMs = this.#tick();
    send(response, "sections", { at: atMs, sections: this.#sent });
    this.#open.add(response);
    if (this.#cancelTick === undefined) this.#tickLater();
  }

  /** Tells every page that this is the end, and ends its stream. */
  close(): void {
    this.#isClosed = true;
    this.#cancelTick?.();
    this.#cancelTick = undefined;
    // What is left to be seen is how it ended.
    if (this.#open.size > 0) this.#quietTick();
    for (const response of this.#open) {
      send(response, "end", {});
      response.end();
    }
    this.#open.clear();
  }

  #quietTick(): void {
    try {
      this.#tick();
    } catch (error) {
      this.#options.onFault(error);
    }
  }

  #tickLater(): void {
    this.#cancelTick = this.#options.clock.after(tickMs, () => {
      this.#cancelTick = undefined;
      this.#quietTick();
      if (this.#open.size > 0 && !this.#isClosed) this.#tickLater();
    });
  }

  /** Sends what changed; the time of what was sent. */
  #tick(): number {
    const { clock, look } = this.#options;
    const { atMs, sections } = look();
    const changed = Object.entries(sections).filter(([name, text]) => this.#sent[name] !== text);
    this.#sent = sections;
    const isQuiet = changed.length === 0;
    if (isQuiet && clock.monotonic() - this.#lastMs < beatMs) return atMs;
    this.#lastMs = clock.monotonic();
    for (const response of this.#open) {
      if (isQuiet) send(response, "beat", {});
      else send(response, "sections", { at: atMs, sections: Object.fromEntries(changed) });
      if (response.writableLength > waitingMaxBytes) response.destroy();
    }
    return atMs;
  }

  #drop(response: ServerResponse): void {
    this.#open.delete(response);
    if (this.#open.size > 0) return;
    this.#cancelTick?.();
    this.#cancelTick = undefined;
  }
}

function send(response: ServerResponse, event: string, data: object): void {
  response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
}
