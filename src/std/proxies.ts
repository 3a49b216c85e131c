// Which proxy leads to a URL, by the variables that curl and most programs read: HTTPS_PROXY, HTTP_PROXY and NO_PROXY,
// in capitals or small letters. Never one for what only this machine reaches. Opens no connection.
import { BlockList, isIP } from "node:net";
import { hostOf, isLoopback } from "./addresses.js";

/** Environment variables by name. */
type Environment = Readonly<Record<string, string | undefined>>;

/** One proxy. */
export interface WebProxy {
  /** Without user and password. */
  readonly url: URL;
  /** The value of Proxy-Authorization; absent without a user. */
  readonly authorization?: string;
  /** For people, such as `http://user:[secret]@proxy:3128`. */
  readonly shown: string;
  /** The variable that names it, as it is written in the environment. */
  readonly variable: string;
}

/** A variable that cannot be used, and what to do. */
export interface ProxyMistake {
  readonly variable: string;
  readonly what: string;
  readonly remedy: string;
}

/** The value of a variable cannot be used. Its message shows no part of the value. */
export class ProxyError extends Error {
  constructor({ variable, what, remedy }: ProxyMistake) {
    super(`${variable} ${what}; ${remedy}`);
    this.name = "ProxyError";
  }
}

const remedy = "write it as http://USER:PASSWORD@HOST:PORT, or unset it";
const protocols = [
  ["https:", "HTTPS_PROXY"],
  ["http:", "HTTP_PROXY"],
] as const;
const defaultPorts: Readonly<Record<string, number>> = { "https:": 443, "http:": 80 };

/** Knows the way to every URL. Made once, for the environment does not change. */
export class Proxies {
  readonly #byProtocol: ReadonlyMap<string, WebProxy>;
  readonly #exceptions: readonly Exception[];
  /** What must not be shown of them, in every form in which it may meet a text. */
  readonly secrets: readonly string[];

  /** Throws ProxyError. */
  static from(environment: Environment): Proxies {
    const [mistake] = mistakesOfProxies(environment);
    if (mistake) throw new ProxyError(mistake);
    return new Proxies(environment);
  }

  private constructor(environment: Environment) {
    const secrets: string[] = [];
    const found = protocols.flatMap(([protocol, name]) => {
      const [variable, value] = variableOf(environment, name);
      const proxy = value === undefined ? undefined : readProxy(variable, value, secrets);
      return proxy ? [[protocol, proxy] as const] : [];
    });
    this.#byProtocol = new Map(found);
    this.#exceptions = exceptionsIn(variableOf(environment, "NO_PROXY")[1] ?? "");
    this.secrets = secrets;
  }

  /** Each of them once for the variable that names it. */
  get all(): readonly WebProxy[] {
    return [...this.#byProtocol.values()];
  }

  /** The proxy for this URL; `undefined` for the direct way. */
  of(url: URL): WebProxy | undefined {
    const proxy = this.#byProtocol.get(url.protocol);
    if (!proxy) return undefined;
    const host = hostOf(url).replace(/\.$/, "");
    if (isLoopback(host) || host.endsWith(".localhost")) return undefined;
    const port = Number(url.port) || defaultPorts[url.protocol];
    return this.#exceptions.some((exception) => exception(host, port)) ? undefined : proxy;
  }
}

/** What is wrong with the variables; none if they can be used. */
export function mistakesOfProxies(environment: Environment): readonly ProxyMistake[] {
  return protocols.flatMap(([, name]) => {
    const [variable, value] = variableOf(environment, name);
    const what = value === undefined ? undefined : troubleWith(value);
    return what === undefined ? [] : [{ variable, what, remedy }];
  });
}

function troubleWith(value: string): string | undefined {
  const url = urlOf(value);
  if (!url) return "is not a proxy URL";
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    return `is a ${url.protocol.slice(0, -1)} proxy, and only http and https proxies are supported`;
  }
  try {
    decodeURIComponent(url.username + url.password);
    return undefined;
  } catch {
    return "has a % in its user or password that must be written as %25";
  }
}

/** Small letters win, as with curl; an empty value counts as none. */
function variableOf(environment: Environment, name: string): readonly [name: string, value: string | undefined] {
  const small = environment[name.toLowerCase()]?.trim();
  if (small) return [name.toLowerCase(), small];
  return [name, environment[name]?.trim() || undefined];
}

/** `proxy:3128` is meant as `http://proxy:3128`. */
function urlOf(value: string): URL | undefined {
  const text = /^[a-z][a-z0-9+.-]*:\/\//i.test(value) ? value : `http://${value}`;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  return url && url.hostname !== "" ? url : undefined;
}

function readProxy(variable: string, value: string, secrets: string[]): WebProxy | undefined {
  const written = urlOf(value);
  if (!written) return undefined;
  const url = new URL(written.origin);
  if (written.username === "" && written.password === "") return { url, shown: url.origin, variable };
  const user = decodeURIComponent(written.username);
  const password = decodeURIComponent(written.password);
  const basic = Buffer.from(`${user}:${password}`).toString("base64");
  secrets.push(...[password, written.password, basic].filter((each) => each !== ""));
  const shown = `${url.protocol}//${written.username}${password === "" ? "" : ":[secret]"}@${url.host}`;
  return { url, authorization: `Basic ${basic}`, shown, variable };
}

/** True for a host, without brackets, that is reached without a proxy. */
type Exception = (host: string, port: number | undefined) => boolean;

/** The entries of NO_PROXY: names with all below them, addresses, networks, each with a port or without; `*` for all. */
function exceptionsIn(text: string): readonly Exception[] {
  return text
    .toLowerCase()
    .split(/[\s,]+/)
    .filter((entry) => entry !== "")
    .map(exceptionOf);
}

function exceptionOf(entry: string): Exception {
  if (entry === "*") return () => true;
  const [, inBrackets, plain, portText] = /^(?:\[([^\]]*)\]|([^:]*))(?::(\d+))?$/.exec(entry) ?? [];
  // Without brackets, the colons of an IPv6 address or network mean no port.
  const name = inBrackets ?? plain ?? entry;
  const isHost = hostException(name);
  const only = portText === undefined ? undefined : Number(portText);
  return (host, port) => (only === undefined || only === port) && isHost(host);
}

function hostException(name: string): (host: string) => boolean {
  const [address = "", bits] = name.split("/");
  const family = isIP(address);
  const most = family === 4 ? 32 : 128;
  if (family !== 0 && (bits === undefined || (/^\d+$/.test(bits) && Number(bits) <= most))) {
    const list = new BlockList();
    list.addSubnet(address, Number(bits ?? most), family === 4 ? "ipv4" : "ipv6");
    return (host) => isIP(host) !== 0 && list.check(host, isIP(host) === 4 ? "ipv4" : "ipv6");
  }
  const suffix = name.replace(/^\*?\./, "").replace(/\.$/, "");
  return (host) => suffix !== "" && (host === suffix || host.endsWith(`.${suffix}`));
}
