// One POST and its answer over node:http or node:https, with a limit on its time and on the size of the answer.
// Follows no redirects, tries nothing twice, and knows neither jobs nor outcomes.
import type * as http from "node:http";
import { hostOf } from "../../std/addresses.js";
import { BoundedBytes } from "../../std/bounded.js";
import type { Clock } from "../../std/clock.js";
import { codeOf } from "../../std/errors.js";

/** `node:http` or `node:https`: only what is used is loaded. */
export type NodeHttp = Pick<typeof http, "request" | "Agent">;

export interface Post {
  readonly transport: NodeHttp;
  readonly agent: http.Agent;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  /** For the whole answer: connecting, sending, headers and body. */
  readonly timeoutMs: number;
  readonly answerMaxBytes: number;
  readonly signal: AbortSignal;
  readonly clock: Clock;
  /** Told when there is a connection, with TLS where the URL asks for it. */
  readonly onConnected?: () => void;
}

export interface ServiceAnswer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
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

/** Sends one POST. Rejects with NoAnswer, or with the signal's reason when it aborts before there is an answer. */
export function post(options: Post): Promise<ServiceAnswer> {
  const { signal, clock, timeoutMs, answerMaxBytes } = options;
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const { transport, url, agent, headers, body } = options;
    const request = transport.request(url, { method: "POST", agent, headers });
    const bytes = new BoundedBytes(answerMaxBytes);
    let response: http.IncomingMessage | undefined;
    let isConnected = false;
    const none = (code: string, cause?: unknown) => new NoServiceAnswer(code, isConnected, cause);
    const connected = () => {
      isConnected = true;
      options.onConnected?.();
    };
    const answered = (bodyEnd: BodyEnd) => {
      if (!response) return;
      const { statusCode = 0, headers } = response;
      resolve({ status: statusCode, headers, body: bytes.whole(), bodyEnd });
    };
    /** Ends the exchange; once there is a status it is the answer, however broken the rest. */
    const end = (reason: unknown, bodyEnd: BodyEnd = "broken") => {
      answered(bodyEnd);
      reject(reason);
      letGo();
      request.destroy();
    };
    const letGo = () => {
      cancelTimer();
      signal.removeEventListener("abort", aborted);
    };
    const aborted = () => end(signal.reason);
    signal.addEventListener("abort", aborted, { once: true });
    const cancelTimer = clock.after(timeoutMs, () => end(none("ETIMEDOUT")));

    request.on("socket", (socket) => {
      if (request.reusedSocket) connected();
      else socket.once(url.protocol === "https:" ? "secureConnect" : "connect", connected);
    });
    request.on("error", (error) => end(none(codeOf(error) ?? error.name, error)));
    request.on("close", () => end(none("ECONNRESET")));
    request.on("response", (incoming) => {
      response = incoming;
      incoming.on("error", (error) => end(error));
      incoming.on("end", () => {
        answered(incoming.complete ? "whole" : "broken");
        letGo();
      });
      incoming.on("data", (chunk: Buffer) => {
        if (!bytes.add(chunk)) end(none("EMSGSIZE"), "too-long");
      });
      if (incoming.statusCode === acceptedStatus) answered("whole");
      // What says that it will be too long is not waited for.
      else if (Number(incoming.headers["content-length"]) > answerMaxBytes) end(none("EMSGSIZE"), "too-long");
    });
    request.end(body);
  });
}

/** Connects to the URL's host and disconnects at once. Rejects with the system's error, or when the signal aborts. */
export async function reach(url: URL, signal: AbortSignal): Promise<void> {
  const { connect } = await import("node:net");
  const isSecure = url.protocol === "https:";
  const host = hostOf(url);
  const socket = connect({ host, port: Number(url.port) || (isSecure ? 443 : 80) });
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once("connect", resolve);
      socket.once("error", reject);
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      if (signal.aborted) reject(signal.reason);
    });
  } finally {
    socket.on("error", () => {});
    socket.destroy();
  }
}
