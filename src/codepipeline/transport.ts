// One call's way over HTTP: the SDK's own handler, ended with its call, with answers read whole within a limit of bytes.
// It knows nothing of what is asked or answered.

import type { IncomingMessage } from "node:http";
import { NodeHttpHandler } from "@smithy/node-http-handler";
import { messageOf } from "../job/failure.js";
import { BoundedBytes } from "../std/bounded.js";

/** Most bytes of an answer that are read; a full custom poll of 50 jobs of 100 KB stays far below. */
const answerMaxBytes = 16 * 1024 * 1024;

export interface TransportOptions {
  readonly connectionTimeoutMs: number;
  readonly socketTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly onServerTime?: (serverMs: number) => void;
}

/** How far a call came: only what answered it over its own connection can have spoken for CodePipeline. */
export type Reach =
  /** Credentials, endpoint or signing failed: no byte of it left this process. */
  | { readonly at: "unsent" }
  /** It left, and no answer began. */
  | { readonly at: "sent" }
  /** Something answered: CodePipeline, or a proxy, a portal, a balancer. `requestId`: AWS's mark on every answer. */
  | { readonly at: "answered"; readonly status: number; readonly requestId: string | undefined };

/** A call's failure, and how far the call came. The cause is whatever was thrown. */
export class CallFailed extends Error {
  readonly reach: Reach;

  constructor(cause: unknown, reach: Reach) {
    super(messageOf(cause), { cause });
    this.name = "CallFailed";
    this.reach = reach;
  }
}

/** One call under way: what an abort or the limit ends. To the SDK's handler it looks like an old abort signal. */
export class HttpCall {
  reach: Reach = { at: "unsent" };
  aborted = false;
  reason: Error | undefined;
  /** Set by the SDK's handler, to destroy the request. */
  onabort: (() => void) | null = null;
  /** Set once the answer begins. */
  body: IncomingMessage | undefined;
  readonly #reject: (error: Error) => void;

  constructor(reject: (error: Error) => void) {
    this.#reject = reject;
  }

  end(reason: Error): void {
    this.aborted = true;
    this.reason = reason;
    this.#reject(reason);
    this.onabort?.();
    this.body?.destroy(reason);
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

type Handled = Awaited<ReturnType<NodeHttpHandler["handle"]>>;
type Request = Parameters<NodeHttpHandler["handle"]>[0];

/** The SDK's own handler, ended with its call, and with answers read whole within a limit of bytes. */
export class Transport {
  readonly metadata = { handlerProtocol: "http/1.1" };
  readonly #inner: NodeHttpHandler;
  readonly #onServerTime: ((serverMs: number) => void) | undefined;
  readonly #calls = new WeakMap<object, HttpCall>();

  constructor(options: TransportOptions) {
    this.#onServerTime = options.onServerTime;
    // Slots and pollers bound how many calls there are, and their number may change while this lives.
    const agent = { keepAlive: true, maxSockets: Number.POSITIVE_INFINITY };
    this.#inner = new NodeHttpHandler({
      connectionTimeout: options.connectionTimeoutMs,
      socketTimeout: options.socketTimeoutMs,
      requestTimeout: options.requestTimeoutMs,
      // Without it a request that takes too long is only logged, and continues.
      throwOnRequestTimeout: true,
      httpAgent: agent,
      httpsAgent: agent,
    });
  }

  attach(request: object, call: HttpCall): void {
    this.#calls.set(request, call);
  }

  async handle(request: Request): Promise<Handled> {
    const call = this.#calls.get(request);
    if (call) call.reach = { at: "sent" };
    const handled = await this.#inner.handle(request, call ? { abortSignal: call as never } : {});
    const serverMs = Date.parse(String(handled.response.headers["date"]));
    if (Number.isFinite(serverMs)) this.#onServerTime?.(serverMs);
    if (call) {
      const { statusCode: status, headers } = handled.response;
      call.reach = { at: "answered", status, requestId: headers["x-amzn-requestid"] };
    }
    handled.response.body = await readWhole(handled.response.body as IncomingMessage, call);
    return handled;
  }

  httpHandlerConfigs() {
    return this.#inner.httpHandlerConfigs();
  }

  updateHttpClientConfig(...change: Parameters<NodeHttpHandler["updateHttpClientConfig"]>): void {
    this.#inner.updateHttpClientConfig(...change);
  }

  destroy(): void {
    this.#inner.destroy();
  }
}

/** The body as one buffer; one that is cut off or too long rejects, and its connection is closed. */
function readWhole(body: IncomingMessage, call: HttpCall | undefined): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const bytes = new BoundedBytes(answerMaxBytes);
    if (call) call.body = body;
    if (call?.reason) body.destroy(call.reason);
    body.on("data", (chunk: Buffer) => {
      if (!bytes.add(chunk)) body.destroy(new AnswerTooLong());
    });
    body.once("end", () => resolve(bytes.whole()));
    body.once("error", reject);
    body.once("close", () => {
      // After `end` this changes nothing; without it the answer was cut off.
      if (!body.complete) reject(Object.assign(new Error("the answer was cut off"), { code: "ECONNRESET" }));
    });
  });
}
