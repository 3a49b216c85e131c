// One SDK client per Region: its own retries off, every wait limited, middleware cached, connections shared.
// It knows nothing of jobs; it never gets a logger, since the SDK's logging shows tokens and configuration values.
import type { IncomingMessage } from "node:http";
import { CodePipelineClient } from "@aws-sdk/client-codepipeline";
import { NodeHttpHandler } from "@smithy/node-http-handler";
import type { Region } from "../job/job.js";

export interface RegionClientOptions {
  readonly region: Region;
  /** Unset: AWS_ENDPOINT_URL_CODEPIPELINE, AWS_ENDPOINT_URL, the profile, or the Region's own endpoint. */
  readonly endpoint: string | undefined;
  readonly appId: string;
  readonly connectionTimeoutMs: number;
  readonly socketTimeoutMs: number;
  /** For one whole call, body included. */
  readonly requestTimeoutMs: number;
  /** How many calls may be under way at once. */
  readonly maxSockets: number;
}

/** Any command of the SDK; what its answer holds is checked by whoever reads it. */
interface Command {
  readonly input: object;
}

/** Most bytes of an answer that are read; a full custom poll of 50 jobs of 100 KB stays far below. */
const answerMaxBytes = 16 * 1024 * 1024;

/** Sends commands to one Region. Every call ends by its answer, its time limit or its signal. */
export class RegionClient {
  readonly #client: CodePipelineClient;
  readonly #callLimitMs: number;
  readonly #signals = new WeakMap<object, AbortSignal>();

  constructor(options: RegionClientOptions) {
    const transport = new Transport(options);
    // Resolving credentials happens before the request and has no limit of its own.
    this.#callLimitMs = options.connectionTimeoutMs + options.requestTimeoutMs;
    this.#client = new CodePipelineClient({
      region: options.region,
      ...(options.endpoint === undefined ? {} : { endpoint: options.endpoint }),
      userAgentAppId: options.appId,
      maxAttempts: 1,
      // A third of the SDK's cost per call. It works only for calls without options, so the signal goes another way.
      cacheMiddleware: true,
      requestHandler: transport,
    });
    this.#client.middlewareStack.add(
      (next) => (args) => {
        const signal = this.#signals.get(args.input);
        if (signal) transport.attach((args as unknown as { request: object }).request, signal);
        return next(args);
      },
      { step: "deserialize", name: "partnerdSignal", priority: "low" },
    );
  }

  /**
   * The command's answer. Rejects with whatever the SDK threw, with the signal's abort at once, or with a
   * CallTimeout; the transport ends the request itself in all cases.
   */
  send<Output>(command: Command, signal: AbortSignal): Promise<Output> {
    return new Promise<Output>((resolve, reject) => {
      if (signal.aborted) {
        reject(new CallAborted());
        return;
      }
      const finish = () => {
        clearTimeout(limit);
        signal.removeEventListener("abort", onAbort);
      };
      const onAbort = () => {
        finish();
        reject(new CallAborted());
      };
      // The SDK cannot be interrupted while it resolves credentials, so the wait is limited here as well.
      const limit = setTimeout(() => {
        finish();
        reject(new CallTimeout(this.#callLimitMs));
      }, this.#callLimitMs);
      signal.addEventListener("abort", onAbort, { once: true });
      this.#signals.set(command.input, signal);
      this.#client.send(command as never).then(
        (output: unknown) => {
          finish();
          resolve(output as Output);
        },
        (error: unknown) => {
          finish();
          reject(signal.aborted ? new CallAborted() : error);
        },
      );
    });
  }

  /** Closes the connections; calls under way fail. */
  close(): void {
    this.#client.destroy();
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

/** The SDK's own handler, with the call's signal, and with answers read whole within a limit of bytes and time. */
class Transport {
  readonly metadata = { handlerProtocol: "http/1.1" };
  readonly #inner: NodeHttpHandler;
  readonly #requestTimeoutMs: number;
  readonly #signals = new WeakMap<object, AbortSignal>();

  constructor(options: RegionClientOptions) {
    const agent = { keepAlive: true, maxSockets: options.maxSockets };
    this.#requestTimeoutMs = options.requestTimeoutMs;
    this.#inner = new NodeHttpHandler({
      connectionTimeout: options.connectionTimeoutMs,
      socketTimeout: options.socketTimeoutMs,
      requestTimeout: options.requestTimeoutMs,
      // Without it a request that takes too long is only complained of, and goes on.
      throwOnRequestTimeout: true,
      httpAgent: agent,
      httpsAgent: agent,
    });
  }

  attach(request: object, signal: AbortSignal): void {
    this.#signals.set(request, signal);
  }

  async handle(request: Request): Promise<Handled> {
    const startedMs = performance.now();
    const signal = this.#signals.get(request);
    const handled = await this.#inner.handle(request, signal === undefined ? {} : { abortSignal: signal });
    const leftMs = Math.max(1, this.#requestTimeoutMs - (performance.now() - startedMs));
    handled.response.body = await readWhole(handled.response.body as IncomingMessage, leftMs, signal);
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

/** The body as one buffer; an endless, dripping or cut one rejects, and its connection is closed. */
function readWhole(body: IncomingMessage, limitMs: number, signal: AbortSignal | undefined): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const limit = setTimeout(() => body.destroy(new CallTimeout(limitMs)), limitMs);
    const onAbort = () => body.destroy(new CallAborted());
    signal?.addEventListener("abort", onAbort, { once: true });
    const finish = () => {
      clearTimeout(limit);
      signal?.removeEventListener("abort", onAbort);
    };
    body.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > answerMaxBytes) body.destroy(new AnswerTooLong());
      else chunks.push(chunk);
    });
    body.once("end", () => {
      finish();
      const [only] = chunks;
      resolve(chunks.length === 1 && only ? only : Buffer.concat(chunks));
    });
    body.once("error", (error) => {
      finish();
      reject(error);
    });
    body.once("close", () => {
      finish();
      // After `end` this changes nothing; without it the answer was cut off.
      reject(Object.assign(new Error("the answer was cut off"), { code: "ECONNRESET" }));
    });
  });
}
