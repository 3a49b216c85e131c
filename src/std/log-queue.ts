// Log lines that wait for their reader, bounded in bytes. Beyond the bound the least important line is dropped, of
// those the oldest: errors are kept the longest. Every step takes the same time however many lines wait.

/** From the least important to the most. */
export const logLevels = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof logLevels)[number];

interface WaitingLine {
  readonly text: string;
  readonly bytes: number;
  /** Its place among the lines of all levels. */
  readonly place: number;
  /** How many lines are lost when this one is: a line that reports lost ones counts for them. */
  readonly lines: number;
}

/** Some lines, joined to be written at once. */
export interface LogBatch {
  readonly bytes: Uint8Array;
  /** Where each line ends, in bytes, and for how many lines it stands. */
  readonly ends: readonly { readonly at: number; readonly lines: number }[];
}

export class LogQueue {
  readonly #maxBytes: number;
  readonly #byLevel: Readonly<Record<LogLevel, Fifo>> = {
    debug: new Fifo(),
    info: new Fifo(),
    warn: new Fifo(),
    error: new Fifo(),
  };
  #nextPlace = 0;
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Adds a line, and drops others or this one while there is no room. Returns how many lines were dropped. */
  add(text: string, level: LogLevel, lines: number): number {
    const bytes = Buffer.byteLength(text);
    this.#byLevel[level].push({ text, bytes, place: this.#nextPlace++, lines });
    this.#bytes += bytes;
    let dropped = 0;
    while (this.#bytes > this.#maxBytes) dropped += this.#dropOne();
    return dropped;
  }

  /** Takes the first lines out, in their order: about so many bytes, at least one line; `undefined` when none waits. */
  take(bytes: number): LogBatch | undefined {
    const texts: string[] = [];
    const ends: { at: number; lines: number }[] = [];
    let at = 0;
    while (at < bytes) {
      const line = this.#takeFirst();
      if (line === undefined) break;
      at += line.bytes;
      texts.push(line.text);
      ends.push({ at, lines: line.lines });
    }
    return texts.length === 0 ? undefined : { bytes: Buffer.from(texts.join("")), ends };
  }

  #takeFirst(): WaitingLine | undefined {
    let first: Fifo | undefined;
    let place = Number.POSITIVE_INFINITY;
    for (const level of logLevels) {
      const fifo = this.#byLevel[level];
      if (fifo.first === undefined || fifo.first.place >= place) continue;
      first = fifo;
      place = fifo.first.place;
    }
    return this.#shift(first);
  }

  #dropOne(): number {
    const least = logLevels.find((level) => this.#byLevel[level].first !== undefined);
    return this.#shift(least && this.#byLevel[least])?.lines ?? 0;
  }

  #shift(fifo: Fifo | undefined): WaitingLine | undefined {
    const line = fifo?.shift();
    this.#bytes -= line?.bytes ?? 0;
    return line;
  }
}

/** An array's own shift() moves all that follows: a queue of 100,000 lines would take seconds to empty. */
class Fifo {
  #lines: (WaitingLine | undefined)[] = [];
  #head = 0;

  get first(): WaitingLine | undefined {
    return this.#lines[this.#head];
  }

  push(line: WaitingLine): void {
    this.#lines.push(line);
  }

  shift(): WaitingLine | undefined {
    const line = this.#lines[this.#head];
    if (line === undefined) return undefined;
    this.#lines[this.#head++] = undefined;
    if (this.#head * 2 > this.#lines.length) {
      this.#lines = this.#lines.slice(this.#head);
      this.#head = 0;
    }
    return line;
  }
}
