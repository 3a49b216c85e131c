// Wrong tokens at the admin port: counted, reported, and answered slowly once there are many, so that guessing does not
// pay. A request with the right token never waits. This code never sees a token.
import type { IncomingMessage } from "node:http";
import type { Clock } from "../std/clock.js";

/** A request with a token that is not the right one. */
export interface WrongToken {
  /** Of the operator's routes and pages, or of a service's callback. */
  readonly kind: "admin" | "callback";
  /** Where the connection comes from: a caller, or the proxy before it. */
  readonly from: string;
  /** How many there were since the last log line; absent when this one needs no line. */
  readonly untold?: number;
}

/** What a wrong token is answered with. */
interface Answer {
  readonly status: number;
  readonly body: unknown;
  readonly headers?: Readonly<Record<string, string | string[]>>;
  readonly isGuess?: boolean;
}

/** Wrong tokens in one minute that are answered at once: a person's slips, a service that missed a rotation. */
const promptPerMinute = 10;
const delayMs = 1_000;
/** Answers that are delayed at the same time; further requests are rejected. */
const heldMax = 64;
const minuteMs = 60_000;

export class Strangers {
  readonly #clock: Clock;
  readonly #onWrongToken: (wrong: WrongToken) => void;
  #minuteStartMs = Number.NEGATIVE_INFINITY;
  #inMinute = 0;
  #held = 0;
  readonly #untold = { admin: 0, callback: 0 };
  readonly #toldMs = { admin: Number.NEGATIVE_INFINITY, callback: Number.NEGATIVE_INFINITY };

  constructor(clock: Clock, onWrongToken: (wrong: WrongToken) => void = () => {}) {
    this.#clock = clock;
    this.#onWrongToken = onWrongToken;
  }

  /** The answer itself, late if it refuses one wrong token too many; or a shorter one. */
  async answer<A extends Answer>(request: IncomingMessage, answer: A): Promise<A | Answer> {
    // Who shows nothing guesses nothing: a browser's first request.
    const isGuess = answer.isGuess ?? request.headers.authorization !== undefined;
    if (answer.status !== 401 || !isGuess) return answer;
    this.#count(/\/outcome(?:[?#]|$)/.test(request.url ?? "") ? "callback" : "admin", request);
    if (this.#inMinute <= promptPerMinute) return answer;
    if (this.#held >= heldMax) {
      const headers = { "retry-after": String(minuteMs / 1_000), connection: "close" };
      return { status: 429, body: { error: "too many wrong tokens" }, headers };
    }
    this.#held += 1;
    await this.#clock.sleep(delayMs);
    this.#held -= 1;
    return answer;
  }

  #count(kind: WrongToken["kind"], request: IncomingMessage): void {
    const nowMs = this.#clock.monotonic();
    if (nowMs - this.#minuteStartMs >= minuteMs) {
      this.#minuteStartMs = nowMs;
      this.#inMinute = 0;
    }
    this.#inMinute += 1;
    this.#untold[kind] += 1;
    const wrong: WrongToken = { kind, from: request.socket.remoteAddress ?? "unknown" };
    if (nowMs - this.#toldMs[kind] < minuteMs) return this.#onWrongToken(wrong);
    this.#onWrongToken({ ...wrong, untold: this.#untold[kind] });
    this.#toldMs[kind] = nowMs;
    this.#untold[kind] = 0;
  }
}
