// One call's way over HTTP: ended with its call, its answer read whole within a limit of bytes, and how far it came.
// It knows nothing of what is asked or answered.

import { messageOf } from "../job/failure.js";
import { requestIdOf } from "../network/aws-answer.js";
import { type Exchange, HttpClient, type HttpRequest } from "../network/http-client.js";
import { httpRequestOf, type SdkAnswer, type SdkRequest, sdkHeadersOf, unchangeable } from "../network/sdk-handler.js";
import { BoundedBytes } from "../std/bounded.js";
import type { Proxies } from "../std/proxies.js";

/** Most bytes of an answer that are read; a full custom poll of 50 jobs of 100 KB stays far below. */
const answerMaxBytes = 16 * 1024 * 1024;

/** The pause between two polls may be long, and a new connection costs more than the poll. */
const idleMs = 120_000;

export interface TransportOptions {
  readonly proxies: Proxies;
  readonly connectionTimeoutMs: number;
  readonly socketTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly onServerTime?: (serverMs: number) => void;
  /** Whose connections it uses, and never closes; left out: its own. */
  readonly http?: HttpClient;
}

/**
 * Most connections to one endpoint. With 10,000 slots as many calls may be wanted at one moment; each connection holds 10
 * to 80 KB, and so many are more than one process can keep busy unless a call takes longer than 300 ms.
 */
const maxConnections = 256;

/** Connections for calls to AWS; idle ones outlive the pause between two polls. */
export function awsConnections({
  proxies,
  connectionTimeoutMs,
  requestTimeoutMs,
}: Pick<TransportOptions, "proxies" | "connectionTimeoutMs" | "requestTimeoutMs">): HttpClient {
  const queueTimeoutMs = connectionTimeoutMs + requestTimeoutMs;
  return new HttpClient({ proxies, connectionTimeoutMs, idleMs, maxConnections, queueTimeoutMs });
}

/** How far a call came: only what answered it over its own connection can have spoken for CodePipeline. */
export type Reach =
  /** Credentials, endpoint or signing failed: no byte of it left this process. */
  | { readonly at: "unsent" }
  /** There was no connection to what would have answered: no name, no route, no proxy, no TLS. */
  | { readonly at: "unconnected" }
  /** It left, and no answer began. */
  | { readonly at: "sent" }
  /** Something answered: CodePipeline, or a proxy, a portal, a balancer. `requestId`: AWS's mark on every answer. */
  | { readonly at: "answered"; readonly status: number; readonly requestId: string | undefined };

/** A call's failure, and how far the call came. The cause is whatever was thrown. */
export class CallFailed extends Error {
  readonly reach: Reach;
  /** What else whoever reads of it should know. */
  readonly note: string | undefined;

  constructor(cause: unknown, reach: Reach, note?: string) {
    super(messageOf(cause), { cause });
    this.name = "CallFailed";
    this.reach = reach;
    this.note = note;
  }
}

/** One call under way: what an abort or the limit ends. */
export class HttpCall {
  reach: Reach = { at: "unsent" };
  reason: Error | undefined;
  /** What answered it already: the SDK is to read it, and nothing is sent again. */
  answer: Answer | undefined;
  /** Set once there is something to end. */
  exchange: Exchange | undefined;
  readonly #reject: (error: Error) => void;

  constructor(reject: (error: Error) => void) {
    this.#reject = reject;
  }

  end(reason: Error): void {
    this.reason = reason;
    this.#reject(reason);
    this.exchange?.abort(reason);
  }
}

/** Our own signal ended the call; what it asked may have happened. */
export class CallAborted extends Error {
  override readonly name = "AbortError";
  readonly code = "aborted";
  constructor() {
    super("the call was aborted");
  }
}

/** No complete answer within the limit; what it asked may have happened. */
export class CallTimeout extends Error {
  override readonly name = "TimeoutError";
  readonly code = "ETIMEDOUT";
  constructor(limitMs: number) {
    super(`no complete answer within ${limitMs} ms`);
  }
}

/** The answer is longer than any that CodePipeline can mean. */
export class AnswerTooLong extends Error {
  override readonly name = "AnswerTooLong";
  readonly code = "answer-too-long";
  constructor() {
    super(`the answer is longer than ${answerMaxBytes} bytes`);
  }
}

/** A whole answer. */
export type Answer = SdkAnswer<Buffer>["response"];

/** Sends the calls of a client of the SDK, and those of its credential providers. */
export class Transport {
  readonly metadata = unchangeable.metadata;
  readonly httpHandlerConfigs = unchangeable.httpHandlerConfigs;
  readonly updateHttpClientConfig = unchangeable.updateHttpClientConfig;
  readonly #options: TransportOptions;
  readonly #client: HttpClient;
  readonly #calls = new WeakMap<object, HttpCall>();

  constructor(options: TransportOptions) {
    this.#options = options;
    this.#client = options.http ?? awsConnections(options);
  }

  attach(request: object, call: HttpCall): void {
    this.#calls.set(request, call);
  }

  /** As `exchange`, for a request of the SDK. */
  async handle(request: SdkRequest): Promise<SdkAnswer<Buffer>> {
    const call = this.#calls.get(request) ?? new HttpCall(() => {});
    return { response: call.answer ?? (await this.exchange(httpRequestOf(request), call)) };
  }

  /** The answer, its body in one; rejects when it is cut off or too long, and its connection is closed then. */
  exchange(request: HttpRequest, call: HttpCall): Promise<Answer> {
    const { requestTimeoutMs: answerTimeoutMs, socketTimeoutMs: silenceTimeoutMs, onServerTime } = this.#options;
    return new Promise((resolve, reject) => {
      if (call.reason) return reject(call.reason);
      const bytes = new BoundedBytes(answerMaxBytes);
      let response: Omit<Answer, "body">;
      call.reach = { at: "unconnected" };
      const exchange: Exchange = this.#client.send(
        { ...request, answerTimeoutMs, silenceTimeoutMs },
        {
          begun: () => {
            call.reach = { at: "sent" };
          },
          answered: ({ status, headers }) => {
            const serverMs = Date.parse(String(headers["date"]));
            if (Number.isFinite(serverMs)) onServerTime?.(serverMs);
            response = { statusCode: status, headers: sdkHeadersOf(headers) };
            call.reach = { at: "answered", status, requestId: requestIdOf(response.headers) };
          },
          bytes: (chunk) => {
            if (!bytes.add(chunk)) exchange.abort(new AnswerTooLong());
            return true;
          },
          ended: () => resolve({ ...response, body: bytes.whole() }),
          failed: reject,
        },
      );
      call.exchange = exchange;
    });
  }

  destroy(): void {
    if (!this.#options.http) this.#client.close();
  }
}
