// The request handler of AWS's SDK over the one HTTP client: answers are streams that wait for their reader. AWS's own
// handler over undici keeps an abort waiting for the connection, gives a broken one the name of an exception of S3, and
// never says whether a request left.
import { Readable } from "node:stream";
import { buildQueryString } from "@smithy/core/protocols";
import { requestIdOf, StrangersAnswer } from "./aws-answer.js";
import { type AnswerHead, type Exchange, HttpClient, type HttpClientOptions, type HttpRequest } from "./http-client.js";

/** A request as the SDK makes it. */
export interface SdkRequest {
  readonly protocol: string;
  readonly hostname: string;
  readonly port?: number | undefined;
  readonly path: string;
  readonly query?: Readonly<Record<string, unknown>> | undefined;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

/** An answer as the SDK reads it. */
export interface SdkAnswer<Body> {
  readonly response: { statusCode: number; headers: Record<string, string>; body: Body };
}

export interface SdkHandlerOptions extends HttpClientOptions {
  /** From the first byte that is sent to the head of the answer. */
  readonly requestTimeoutMs: number;
  /** Longest silence in an answer. */
  readonly socketTimeoutMs?: number;
}

/** The SDK's request as the client sends it: what was signed, to the letter. */
export function httpRequestOf({
  protocol,
  hostname,
  port,
  path,
  query,
  method,
  headers,
  body,
}: SdkRequest): HttpRequest {
  const url = new URL(`${protocol}//${hostname}${port === undefined ? "" : `:${port}`}`);
  const search = query ? buildQueryString(query as Parameters<typeof buildQueryString>[0]) : "";
  return {
    url,
    path: search === "" ? path : `${path}?${search}`,
    method,
    headers,
    body: body as HttpRequest["body"] & {},
  };
}

/** The headers as the SDK wants them. */
export function sdkHeadersOf(headers: AnswerHead["headers"]): Record<string, string> {
  const all: Record<string, string> = {};
  for (const name in headers) {
    const value = headers[name];
    if (value !== undefined) all[name] = Array.isArray(value) ? value.join(", ") : value;
  }
  return all;
}

/** What the SDK may change of a handler of its own; of this one nothing. */
export const unchangeable = {
  metadata: { handlerProtocol: "http/1.1" },
  httpHandlerConfigs: () => ({}),
  updateHttpClientConfig: () => {},
} as const;

/** Sends what a client of the SDK asks. */
export class SdkHandler {
  readonly metadata = unchangeable.metadata;
  readonly httpHandlerConfigs = unchangeable.httpHandlerConfigs;
  readonly updateHttpClientConfig = unchangeable.updateHttpClientConfig;
  readonly #client: HttpClient;
  readonly #options: SdkHandlerOptions;

  constructor(options: SdkHandlerOptions) {
    this.#options = options;
    this.#client = new HttpClient(options);
  }

  /** Rejects with HttpFault, with StrangersAnswer or, when the signal aborts, with an AbortError. */
  handle(
    request: SdkRequest,
    { abortSignal: signal }: { readonly abortSignal?: AbortSignal | object } = {},
  ): Promise<SdkAnswer<Readable>> {
    return new Promise((resolve, reject) => {
      const aborting = signal instanceof AbortSignal ? signal : undefined;
      if (aborting?.aborted) return reject(abortOf(aborting));
      const { requestTimeoutMs: answerTimeoutMs, socketTimeoutMs: silenceTimeoutMs } = this.#options;
      const limits = { answerTimeoutMs, ...(silenceTimeoutMs === undefined ? {} : { silenceTimeoutMs }) };
      let body: AnswerBody | undefined;
      const aborted = () => aborting && exchange.abort(abortOf(aborting));
      const unfollow = () => aborting?.removeEventListener("abort", aborted);
      const exchange: Exchange = this.#client.send(
        { ...httpRequestOf(request), ...limits },
        {
          answered: ({ status, headers: raw }) => {
            const headers = sdkHeadersOf(raw);
            if (!requestIdOf(headers)) return exchange.abort(new StrangersAnswer(status));
            body = new AnswerBody(() => exchange);
            resolve({ response: { statusCode: status, headers, body } });
          },
          bytes: (chunk) => body?.push(chunk) ?? true,
          ended: () => {
            unfollow();
            body?.push(null);
          },
          failed: (error) => {
            unfollow();
            if (body) body.destroy(error as Error);
            else reject(error);
          },
        },
      );
      aborting?.addEventListener("abort", aborted, { once: true });
    });
  }

  destroy(): void {
    this.#client.close();
  }
}

/** The bytes of an answer, as fast as they are read. */
class AnswerBody extends Readable {
  readonly #exchange: () => Exchange;

  constructor(exchange: () => Exchange) {
    super({ highWaterMark: 64 * 1024 });
    this.#exchange = exchange;
    // Whoever reads meets the error; without a reader it is nobody's.
    this.on("error", () => {});
  }

  override _read(): void {
    this.#exchange().resume();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#exchange().abort(error ?? new Error("the rest of the answer is not wanted"));
    done(error);
  }
}

function abortOf(signal: AbortSignal): Error {
  return Object.assign(new Error("the call was aborted", { cause: signal.reason }), { name: "AbortError" });
}
