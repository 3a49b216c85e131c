// The way through one proxy to hosts behind TLS: by CONNECT, so that the proxy sees a name and no byte of what is said.
// What the proxy answers by itself never looks like an answer of whoever is behind it.
import type { Duplex } from "node:stream";
import type { Dispatcher } from "undici";
import apiConnect from "undici/lib/api/api-connect.js";
import Pool from "undici/lib/dispatcher/pool.js";
import ProxyAgent from "undici/lib/dispatcher/proxy-agent.js";
import type { WebProxy } from "../std/proxies.js";
import { Connector, onlyHttp1 } from "./connector.js";
import { proxyFailure, proxyRefusal } from "./http-faults.js";

export interface TunnelOptions {
  readonly proxy: WebProxy;
  readonly connectionTimeoutMs: number;
  /** Of the connections through it. */
  readonly limits: Readonly<Record<string, number | boolean>>;
}

const connected = 200;

/** Connections to the proxy itself. undici would call every refusal of it an abort, and try a broken one for ever. */
class ProxyPool extends Pool {
  readonly #proxy: string;
  readonly #connector: Connector;

  constructor(url: URL, connectionTimeoutMs: number) {
    const connector = new Connector(connectionTimeoutMs);
    super(url, { ...onlyHttp1, connect: connector.connect, headersTimeout: connectionTimeoutMs });
    this.#proxy = url.host;
    this.#connector = connector;
  }

  override connect(options: Dispatcher.ConnectOptions): Promise<Dispatcher.ConnectData>;
  override connect(options: never, callback?: never): never;
  override async connect(options: Dispatcher.ConnectOptions): Promise<Dispatcher.ConnectData> {
    // A pool has its methods from undici's index, which is not loaded.
    const answer = await apiConnect.call(this, options).catch((error: unknown) => {
      throw proxyFailure(this.#proxy, error);
    });
    if (answer.statusCode === connected) return answer;
    endOf(answer.socket);
    throw proxyRefusal(this.#proxy, answer.statusCode);
  }

  /** The tunnels too, with what is still being agreed on in them. */
  endAll(): void {
    void this.destroy();
    this.#connector.close();
  }
}

/** One proxy, and the connections through it. */
export class Tunnel {
  readonly #proxy: WebProxy;
  readonly #agent: ProxyAgent;
  readonly #toProxy: ProxyPool;

  constructor({ proxy, connectionTimeoutMs, limits }: TunnelOptions) {
    this.#proxy = proxy;
    this.#toProxy = new ProxyPool(proxy.url, connectionTimeoutMs);
    this.#agent = new ProxyAgent({
      ...limits,
      uri: proxy.url.origin,
      ...(proxy.authorization === undefined ? {} : { token: proxy.authorization }),
      requestTls: { ...onlyHttp1, timeout: connectionTimeoutMs } as never,
      clientFactory: () => this.#toProxy,
    });
  }

  dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): void {
    this.#agent.dispatch(options as never, handler);
  }

  /** Has the proxy connect to the URL's host, and disconnects. Rejects with ProxyFault, or when the signal aborts. */
  async reach(url: URL, signal: AbortSignal): Promise<void> {
    const { authorization } = this.#proxy;
    const path = url.port === "" ? `${url.host}:443` : url.host;
    const by = authorization === undefined ? {} : { "proxy-authorization": authorization };
    const { socket } = await this.#toProxy.connect({ path, headers: { host: path, ...by }, signal } as never);
    endOf(socket);
  }

  close(): void {
    void this.#agent.destroy();
    this.#toProxy.endAll();
  }
}

function endOf(socket: Duplex): void {
  socket.on("error", () => {});
  socket.destroy();
}
