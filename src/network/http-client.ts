// The one HTTP client: every call to AWS and to handlers' services goes by it, through undici's connection pools and
// through a proxy where the environment names one. It says how far a call came, tries nothing twice and follows nothing.
import type { IncomingHttpHeaders } from "node:http";
import { connect as connectSocket } from "node:net";
import type { Readable } from "node:stream";
import type { Dispatcher } from "undici";
import Agent from "undici/lib/dispatcher/agent.js";
import { hostOf } from "../std/addresses.js";
import type { Proxies, WebProxy } from "../std/proxies.js";
import { Connector, onlyHttp1 } from "./connector.js";
import { faultOf, headerFault, proxyFailure, proxyRefusal, timeout } from "./http-faults.js";
import { Tunnel } from "./tunnel.js";

export interface HttpClientOptions {
  readonly proxies: Proxies;
  /** For the name, the connection, the proxy's tunnel and TLS together, and for a free connection where they are few. */
  readonly connectionTimeoutMs: number;
  /** A connection that nobody needs is closed after so long, if the other side does not ask for less. */
  readonly idleMs: number;
  /** Most connections to one host; left out: as many as there are calls. */
  readonly maxConnections?: number;
  /** Longest wait for one of these and for all that `connectionTimeoutMs` is for; left out: the latter. */
  readonly queueTimeoutMs?: number;
}

/** One request. A body of bytes is sent with its length. */
export interface HttpRequest {
  readonly url: URL;
  /** Path and query as they are sent; left out: those of the URL. */
  readonly path?: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array | Readable | null;
  /** From the first byte that is sent to the head of the answer. Left out: as long as it takes. */
  readonly answerTimeoutMs?: number;
  /** Longest silence: before the answer, once all is sent, and within it. Left out: as long as it takes. */
  readonly silenceTimeoutMs?: number;
}

export interface AnswerHead {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
}

/** Hears how a call goes: `begun`, `answered`, `bytes`, and last `ended` or, at any time, `failed`. None may throw. */
export interface AnswerReader {
  /**
   * There is a connection, with all of TLS, and the request is being sent: it may arrive from here on. Where a proxy is
   * given the request as a whole the connection is to that one, and says nothing of who is meant.
   */
  readonly begun?: (to: "host" | "proxy") => void;
  readonly answered: (head: AnswerHead) => void;
  /** False pauses the answer until `resume`. */
  readonly bytes: (chunk: Buffer) => boolean;
  readonly ended: () => void;
  /** With a fault of the network, or with what it was aborted by. */
  readonly failed: (error: unknown) => void;
}

/** Sends requests. Its connections are its own. */
export class HttpClient {
  readonly #options: HttpClientOptions;
  readonly #connector: Connector;
  readonly #agent: Agent;
  readonly #tunnels = new Map<string, Tunnel>();

  constructor(options: HttpClientOptions) {
    this.#options = options;
    this.#connector = new Connector(options.connectionTimeoutMs);
    this.#agent = new Agent({ ...limitsOf(options), connect: this.#connector.connect });
  }

  /** Sends one request; the reader hears how it goes. */
  send(request: HttpRequest, reader: AnswerReader): Exchange {
    const proxy = this.#options.proxies.of(request.url);
    const { connectionTimeoutMs, queueTimeoutMs = connectionTimeoutMs } = this.#options;
    const exchange = new Exchange({ request, reader, proxy, connectionTimeoutMs: queueTimeoutMs });
    const { url, method, headers, body = null } = request;
    const path = request.path ?? url.pathname + url.search;
    const common = { method, body, headers };
    if (!proxy) {
      this.#agent.dispatch({ ...common, origin: url.origin, path }, exchange);
    } else if (url.protocol === "https:") {
      this.#tunnelBy(proxy).dispatch({ ...common, origin: url.origin, path }, exchange);
    } else {
      // What is not secret by itself is given to the proxy as a whole: many let nobody connect to other ports than 443.
      const by = proxy.authorization === undefined ? {} : { "proxy-authorization": proxy.authorization };
      this.#agent.dispatch(
        {
          ...common,
          origin: proxy.url.origin,
          path: url.origin + path,
          headers: { host: url.host, ...headers, ...by },
          servername: hostOf(proxy.url),
        } as Dispatcher.DispatchOptions,
        exchange,
      );
    }
    return exchange;
  }

  /**
   * Connects to the URL's host and disconnects at once; where only a proxy gets there, as far as the proxy says. Rejects
   * with the system's error, with ProxyFault, or when the signal aborts.
   */
  async reach(url: URL, signal: AbortSignal): Promise<void> {
    const proxy = this.#options.proxies.of(url);
    if (proxy && url.protocol === "https:") return this.#tunnelBy(proxy).reach(url, signal);
    const { protocol, port } = proxy?.url ?? url;
    const socket = connectSocket({
      host: hostOf(proxy?.url ?? url),
      port: Number(port) || (protocol === "https:" ? 443 : 80),
    });
    const abort = () => socket.destroy(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    if (signal.aborted) abort();
    try {
      await new Promise<void>((resolve, reject) => {
        socket.once("connect", resolve);
        socket.once("error", (error) => reject(proxy && !signal.aborted ? proxyFailure(proxy.url.host, error) : error));
      });
    } finally {
      signal.removeEventListener("abort", abort);
      socket.on("error", () => {});
      socket.destroy();
    }
  }

  /** Closes every connection; calls under way fail, as do later ones. */
  close(): void {
    void this.#agent.destroy();
    this.#connector.close();
    for (const tunnel of this.#tunnels.values()) tunnel.close();
  }

  #tunnelBy(proxy: WebProxy): Tunnel {
    const known = this.#tunnels.get(proxy.url.origin);
    if (known) return known;
    const { connectionTimeoutMs } = this.#options;
    const tunnel = new Tunnel({ proxy, connectionTimeoutMs, limits: limitsOf(this.#options) });
    this.#tunnels.set(proxy.url.origin, tunnel);
    return tunnel;
  }
}

/** So much goes to the kernel in one. */
const sentAtOnceBytes = 65_536;

/** While a long body is being sent nobody can tell a silence from a slow network. */
function answerLimitMs({ body, answerTimeoutMs, silenceTimeoutMs }: HttpRequest): number | undefined {
  const isLong = body && (typeof body === "object" && "pipe" in body ? true : body.length > sentAtOnceBytes);
  if (isLong || silenceTimeoutMs === undefined) return answerTimeoutMs;
  return Math.min(silenceTimeoutMs, answerTimeoutMs ?? silenceTimeoutMs);
}

/**
 * undici's own time limits go by ticks of half a second, so each exchange has its own. Its parser that is no experiment is
 * asked for, since otherwise UNDICI_USE_MILO in the environment decides.
 */
function limitsOf({ idleMs, maxConnections }: HttpClientOptions) {
  return {
    ...onlyHttp1,
    useMilo: false,
    headersTimeout: 0,
    bodyTimeout: 0,
    keepAliveTimeout: idleMs,
    keepAliveMaxTimeout: idleMs,
    ...(maxConnections === undefined ? {} : { connections: maxConnections }),
  };
}

/** One request on its way. To undici it is the handler of its events. */
export class Exchange implements Dispatcher.DispatchHandler {
  readonly #reader: AnswerReader;
  readonly #request: HttpRequest;
  readonly #proxy: WebProxy | undefined;
  #controller: Dispatcher.DispatchController | undefined;
  #isOver = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: {
    readonly request: HttpRequest;
    readonly reader: AnswerReader;
    readonly proxy: WebProxy | undefined;
    readonly connectionTimeoutMs: number;
  }) {
    this.#reader = options.reader;
    this.#request = options.request;
    this.#proxy = options.proxy;
    const { connectionTimeoutMs: limitMs } = options;
    const whom = this.#proxy ? ` by the proxy ${this.#proxy.url.host}` : "";
    this.#limit(limitMs, () => timeout(`no connection${whom}`, limitMs));
  }

  /** Ends it, and its connection with it, unless it is over. The reader hears of it at once. */
  abort(reason: unknown): void {
    if (this.#isOver) return;
    this.#end();
    this.#controller?.abort(reason as Error);
    this.#reader.failed(reason);
  }

  /** Goes on reading after `bytes` said false. */
  resume(): void {
    if (this.#isOver || !this.#controller) return;
    this.#limitSilence();
    this.#controller.resume();
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    // Whoever was aborted while it waited for a connection is not sent at all.
    if (this.#isOver) return controller.abort(new Error("aborted before it was sent"));
    this.#controller = controller;
    const limitMs = answerLimitMs(this.#request);
    this.#limit(limitMs, () => timeout("no answer", limitMs ?? 0));
    this.#reader.begun?.(this.#forwarder ? "proxy" : "host");
  }

  onResponseStart(_: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    if (this.#isOver || status < 200) return;
    // Whoever is behind the proxy cannot mean this status.
    if (this.#forwarder && status === 407) return this.abort(proxyRefusal(this.#forwarder.url.host, status));
    this.#limitSilence();
    this.#reader.answered({ status, headers });
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#isOver) return;
    const isWanted = this.#reader.bytes(chunk);
    if (this.#isOver) return;
    if (isWanted) {
      this.#timer?.refresh();
    } else {
      // A reader that takes its time is no silence of the other side.
      clearTimeout(this.#timer);
      controller.pause();
    }
  }

  onResponseEnd(): void {
    if (this.#isOver) return;
    this.#end();
    this.#reader.ended();
  }

  onResponseError(_: Dispatcher.DispatchController, error: Error): void {
    if (this.#isOver) return;
    this.#end();
    const fault = this.#faultOf(error);
    // What undici refuses it refuses before `send` returns; nobody is told before.
    queueMicrotask(() => this.#reader.failed(fault));
  }

  #faultOf(error: Error): Error {
    // undici's word for a header that cannot be sent does not say so by its code.
    const fault = faultOf(error);
    if (this.#controller) return fault;
    if (fault.code === "UND_ERR_INVALID_ARG") return headerFault(this.#request.headers) ?? fault;
    return this.#forwarder ? proxyFailure(this.#forwarder.url.host, error) : fault;
  }

  /** The proxy that is given the request as a whole. */
  get #forwarder(): WebProxy | undefined {
    return this.#request.url.protocol === "http:" ? this.#proxy : undefined;
  }

  #end(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
  }

  #limitSilence(): void {
    const { silenceTimeoutMs: limitMs } = this.#request;
    this.#limit(limitMs, () => timeout("no further bytes", limitMs ?? 0));
  }

  #limit(limitMs: number | undefined, fault: () => Error): void {
    clearTimeout(this.#timer);
    this.#timer = limitMs === undefined ? undefined : setTimeout(() => this.abort(fault()), limitMs);
  }
}
