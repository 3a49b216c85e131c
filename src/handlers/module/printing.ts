// What the code of a handler's thread prints, gathered into pieces for the daemon and bounded for each job: a loop that
// prints forever must fill neither the daemon's memory nor its time.
import type { RunId } from "./messages.js";

/**
 * Pieces are sent at this size, after this time (what blocks next may block forever), or when the thread has a moment.
 */
const pieceMaxChars = 16 * 1024;
const pieceMaxMs = 50;
/** A little more than the daemon logs of one job, so that the daemon is the one to say that it was too much. */
const runMaxChars = 11 * 1024 * 1024;
const runMaxWrites = 110_000;
/** What no job printed is counted afresh so often. */
const noRunWindowMs = 60_000;

type Stream = "stdout" | "stderr";

interface Budget {
  chars: number;
  writes: number;
  isOver: boolean;
}

export class Printing {
  readonly #send: (run: RunId | undefined, stream: Stream, text: string) => void;
  readonly #budgets = new Map<RunId | undefined, Budget>();
  #piece: { readonly run: RunId | undefined; readonly stream: Stream; text: string } | undefined;
  #isFlushDue = false;
  #sentMs = Number.NEGATIVE_INFINITY;
  #noRunSinceMs = performance.now();

  constructor(send: (run: RunId | undefined, stream: Stream, text: string) => void) {
    this.#send = send;
  }

  take(run: RunId | undefined, stream: Stream, text: string): void {
    if (this.count(run, text.length) !== "room") return;
    if (this.#piece && (this.#piece.run !== run || this.#piece.stream !== stream)) this.flush();
    const piece = this.#piece ?? { run, stream, text: "" };
    this.#piece = piece;
    piece.text += text;
    const isOld = performance.now() - this.#sentMs >= pieceMaxMs;
    if (isOld || piece.text.length >= pieceMaxChars) return this.flush();
    if (this.#isFlushDue) return;
    this.#isFlushDue = true;
    setImmediate(() => {
      this.#isFlushDue = false;
      this.flush();
    });
  }

  /** Counts so many characters. The first time that a run has printed too much is told apart from all others. */
  count(run: RunId | undefined, chars: number): "room" | "first-over" | "over" {
    if (run === undefined && performance.now() - this.#noRunSinceMs > noRunWindowMs) {
      this.#noRunSinceMs = performance.now();
      this.forget(undefined);
    }
    const budget = this.#budgets.get(run) ?? { chars: 0, writes: 0, isOver: false };
    this.#budgets.set(run, budget);
    budget.chars += chars;
    budget.writes += 1;
    if (budget.chars <= runMaxChars && budget.writes <= runMaxWrites) return "room";
    const first = !budget.isOver;
    budget.isOver = true;
    return first ? "first-over" : "over";
  }

  flush(): void {
    const piece = this.#piece;
    if (!piece) return;
    this.#piece = undefined;
    this.#sentMs = performance.now();
    this.#send(piece.run, piece.stream, piece.text);
  }

  /** The run has ended. */
  forget(run: RunId | undefined): void {
    this.#budgets.delete(run);
  }
}
