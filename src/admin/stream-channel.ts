// The pages that look at the same thing: each part of it is made once for all of them, and sent when it has changed. What
// is said first is sent at once; lists wait until they fit into the budget, the one that waited longest first.
import type { ServerResponse } from "node:http";
import type { Clock } from "../std/clock.js";

/** What a page may get in the long run; a list of fifty rows that all change each second would be three times that. */
const bytesPerSecond = 10_000;
/** Whoever asks for long lists gets them, but all of them together no oftener. */
const allMs = 12_000;
/** Saved up at most, by a page where little changes. */
const savedMaxBytes = 16_000;
/** While the budget is short: a picture of sixty minutes need not be drawn anew each second. */
const restMs: Readonly<Record<string, number>> = { charts: 10_000, types: 5_000, clients: 3_000 };
/** Sent as soon as they change: short, and what somebody acts upon. */
const urgent: ReadonlySet<string> = new Set([
  "verdict",
  "spoken",
  "figures",
  "controls",
  "narrow",
  "owed-count",
  "jobs-count",
]);
/** Goes with that number whenever it changes: what is owed is a short list, and must not contradict the verdict. */
const inStep: Readonly<Record<string, string>> = { owed: "owed-count" };
/** Well within the idle limit of the port, and of most proxies. */
const beatMs = 10_000;
/** What may wait for one slow reader: a few whole pages. */
const waitingMaxBytes = 1_048_576;

type Parts = ReadonlyMap<string, () => string>;

interface Sent {
  readonly text: string;
  readonly atMs: number;
}

/** One channel. Times are monotonic, but for those that pages are told. */
export class StreamChannel {
  readonly #clock: Clock;
  readonly #version: string;
  readonly #open = new Set<ServerResponse>();
  readonly #sent = new Map<string, Sent>();
  #saved = savedMaxBytes;
  #savedAtMs: number;
  #lastMs = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock, version: string) {
    this.#clock = clock;
    this.#version = version;
    this.#savedAtMs = clock.monotonic();
  }

  get size(): number {
    return this.#open.size;
  }

  /** Takes a page on. The others get the news first, so that from here on all have seen the same. */
  join(response: ServerResponse, atMs: number, parts: Parts): void {
    this.tick(atMs, parts, true);
    const sections = Object.fromEntries([...this.#sent].map(([name, { text }]) => [name, text]));
    // A browser whose stream ends asks again after so long.
    response.write("retry: 2000\n\n");
    response.write(eventText("hello", { version: this.#version }));
    response.write(eventText("sections", { at: atMs, sections }));
    this.#open.add(response);
  }

  /** Sends what changed, as far as it is due, or all of it. */
  tick(atMs: number, parts: Parts, isAll: boolean): void {
    const nowMs = this.#clock.monotonic();
    const changed = this.#changed(parts, nowMs, isAll);
    const isQuiet = Object.keys(changed).length === 0;
    if (this.#open.size === 0 || (isQuiet && nowMs - this.#lastMs < beatMs)) return;
    this.#lastMs = nowMs;
    const text = isQuiet ? eventText("beat", {}) : eventText("sections", { at: atMs, sections: changed });
    this.#saved -= text.length;
    for (const response of this.#open) {
      response.write(text);
      if (response.writableLength > waitingMaxBytes) response.destroy();
    }
  }

  drop(response: ServerResponse): void {
    this.#open.delete(response);
  }

  /** Ends every stream. */
  end(): void {
    for (const response of this.#open) {
      response.write(eventText("end", {}));
      response.end();
    }
    this.#open.clear();
  }

  #changed(parts: Parts, nowMs: number, isAll: boolean): Readonly<Record<string, string>> {
    const size = [...this.#sent.values()].reduce((sum, { text }) => sum + text.length, 0);
    const bytesPerMs = Math.max(bytesPerSecond / 1_000, size / allMs);
    this.#saved = Math.min(savedMaxBytes, this.#saved + (nowMs - this.#savedAtMs) * bytesPerMs);
    this.#savedAtMs = nowMs;
    const sentAtMs = (name: string) => this.#sent.get(name)?.atMs ?? Number.NEGATIVE_INFINITY;
    const inTurn = [...parts].toSorted(([a], [b]) => sentAtMs(a) - sentAtMs(b));
    const [first = [], later = []] = [true, false].map((is) => inTurn.filter(([name]) => urgent.has(name) === is));
    const changed: Record<string, string> = {};
    let left = this.#saved;
    for (const [name, make] of [...first, ...later]) {
      const isFirst = urgent.has(name) || (inStep[name] ?? name) in changed;
      const rest = left > savedMaxBytes / 2 ? 0 : (restMs[name] ?? 0);
      const isDue = isFirst || (left > 0 && nowMs - sentAtMs(name) >= rest);
      if (!isDue && !isAll) continue;
      const text = make();
      if (this.#sent.get(name)?.text === text) continue;
      this.#sent.set(name, { text, atMs: nowMs });
      changed[name] = text;
      left -= text.length;
    }
    return changed;
  }
}

function eventText(event: string, data: object): string {
  return `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}
