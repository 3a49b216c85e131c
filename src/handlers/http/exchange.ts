// One POST and its answer over the one HTTP client, with a limit on its time and on the size of the answer.
// Follows no redirects, tries nothing twice, and knows neither jobs nor outcomes.
import type { IncomingHttpHeaders } from "node:http";
import type { AnswerHead, Exchange, HttpClient } from "../../network/http-client.js";
import { BoundedBytes } from "../../std/bounded.js";
import type { Clock } from "../../std/clock.js";
import { codeOf } from "../../std/errors.js";

export interface Post {
  readonly client: HttpClient;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  /** For the whole answer: connecting, sending, headers and body. */
  readonly timeoutMs: number;
  readonly answerMaxBytes: number;
  readonly signal: AbortSignal;
  readonly clock: Clock;
  /** Called when there is a connection, with TLS where the URL asks for it. */
  readonly onConnected?: () => void;
}

export interface ServiceAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** As far as it was read. */
  readonly body: Buffer;
  readonly bodyEnd: BodyEnd;
}

/** How a body ended: with its last byte; too early or too slowly; at the limit. */
export type BodyEnd = "whole" | "broken" | "too-long";

/** The request had no answer: not even a status came back. `code` is the system's name for why. */
export class NoServiceAnswer extends Error {
  readonly code: string;
  /** False when there was not even a connection. */
  readonly wasConnected: boolean;

  constructor(code: string, wasConnected: boolean, cause?: unknown) {
    super(`no answer (${code})`, cause === undefined ? undefined : { cause });
    this.name = "NoServiceAnswer";
    this.code = code;
    this.wasConnected = wasConnected;
  }
}

/** "Accepted": the status says it all, and the body is not waited for. */
const acceptedStatus = 202;

/**
 * Sends one POST. Rejects with NoServiceAnswer, or with the signal's reason when it aborts before there is an answer.
 */
export function post(options: Post): Promise<ServiceAnswer> {
  const { client, signal, clock, timeoutMs, answerMaxBytes, url, headers, body } = options;
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const bytes = new BoundedBytes(answerMaxBytes);
    let head: AnswerHead | undefined;
    let isConnected = false;
    const connected = () => {
      if (!isConnected) options.onConnected?.();
      isConnected = true;
    };
    const none = (code: string, cause?: unknown) => new NoServiceAnswer(code, isConnected, cause);
    const answered = (bodyEnd: BodyEnd) => head && resolve({ ...head, body: bytes.whole(), bodyEnd });
    /** Once there is a status it is the answer, however broken the rest. */
    const end = (reason: unknown, bodyEnd: BodyEnd = "broken") => {
      answered(bodyEnd);
      reject(reason);
      letGo();
      exchange.abort(reason);
    };
    const aborted = () => end(signal.reason);
    const cancelTimer = clock.after(timeoutMs, () => end(none("ETIMEDOUT")));
    const letGo = () => {
      cancelTimer();
      signal.removeEventListener("abort", aborted);
    };
    signal.addEventListener("abort", aborted, { once: true });
    const exchange: Exchange = client.send(
      { url, method: "POST", headers, body },
      {
        begun: (to) => {
          if (to === "host") connected();
        },
        answered: (given) => {
          connected();
          head = given;
          if (given.status === acceptedStatus) answered("whole");
          // What says that it will be too long is not waited for.
          else if (Number(given.headers["content-length"]) > answerMaxBytes) end(none("EMSGSIZE"), "too-long");
        },
        bytes: (chunk) => {
          if (!bytes.add(chunk)) end(none("EMSGSIZE"), "too-long");
          return true;
        },
        ended: () => {
          answered("whole");
          letGo();
        },
        failed: (error) => end(none(codeOf(error) ?? "unknown", error)),
      },
    );
  });
}
