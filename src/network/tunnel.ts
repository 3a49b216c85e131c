// The way through one proxy to hosts behind TLS: by CONNECT, so that the proxy sees a name and no byte of what is said.
// What the proxy answers by itself never looks like an answer of whoever is behind it.
import type { Duplex } from "node:stream";
import type { Dispatcher, Pool as PoolType } from "undici";
import Pool from "undici/lib/dispatcher/pool.js";
import ProxyAgent from "undici/lib/dispatcher/proxy-agent.js";
import type { WebProxy } from "../std/proxies.js";
import { proxyFailure, proxyRefusal } from "./http-faults.js";

export interface TunnelOptions {
  readonly proxy: WebProxy;
  readonly connectionTimeoutMs: number;
  /** Of the connections through it. */
  readonly limits: Readonly<Record<string, number>>;
}

const connected = 200;

/** Connections to the proxy itself. undici would call every refusal of it an abort, and try a broken one for ever. */
class ProxyPool extends Pool {
  readonly #proxy: string;

  constructor(url: URL, options: PoolType.Options) {
    super(url, options);
    this.#proxy = url.host;
  }

  override connect(options: Dispatcher.ConnectOptions): Promise<Dispatcher.ConnectData>;
  override connect(options: never, callback?: never): never;
  override async connect(options: Dispatcher.ConnectOptions): Promise<Dispatcher.ConnectData> {
    const answer = await super.connect(options).catch((error: unknown) => {
      throw proxyFailure(this.#proxy, error);
    });
    if (answer.statusCode === connected) return answer;
    endOf(answer.socket);
    throw proxyRefusal(this.#proxy, answer.statusCode);
  }
}

/** One proxy, and the connections through it. */
export class Tunnel {
  readonly #proxy: WebProxy;
  readonly #agent: ProxyAgent;
  readonly #toProxy: ProxyPool;

  constructor({ proxy, connectionTimeoutMs, limits }: TunnelOptions) {
    this.#proxy = proxy;
    const tls = { timeout: connectionTimeoutMs };
    const toProxy = (connect: PoolType.Options["connect"]) =>
      new ProxyPool(proxy.url, { ...(connect ? { connect } : {}), headersTimeout: connectionTimeoutMs });
    this.#toProxy = toProxy({ timeout: connectionTimeoutMs });
    this.#agent = new ProxyAgent({
      ...limits,
      uri: proxy.url.origin,
      ...(proxy.authorization === undefined ? {} : { token: proxy.authorization }),
      proxyTls: tls as never,
      requestTls: tls as never,
      clientFactory: (_url, options) => toProxy((options as PoolType.Options).connect),
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
    void this.#toProxy.destroy();
  }
}

function endOf(socket: Duplex): void {
  socket.on("error", () => {});
  socket.destroy();
}
