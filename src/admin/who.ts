// Who acts, for the log: the name that a proxy in front found out, if the configuration says which header it is in and
// the connection comes from a proxy that is believed; and where the connection comes from.
import type { IncomingMessage } from "node:http";
import { BlockList, isIPv6 } from "node:net";
import { isLoopback } from "../std/addresses.js";
import { oneLine } from "../std/one-line.js";

export interface Who {
  /** As the proxy named them. */
  readonly user?: string;
  /** The address of the caller, or of the proxy before them. */
  readonly from: string;
}

export interface WhoOptions {
  /** The header in which a proxy names its user. */
  readonly userHeader?: string | undefined;
  /** Addresses or networks whose proxies are believed, besides this machine. */
  readonly trustedProxies?: readonly string[] | undefined;
}

/** A name for a log line. */
const userMaxLength = 128;

/** Reads who calls. */
export class Callers {
  readonly #header: string | undefined;
  readonly #proxies = new BlockList();

  constructor({ userHeader, trustedProxies = [] }: WhoOptions = {}) {
    this.#header = userHeader?.toLowerCase();
    for (const place of trustedProxies) addTo(this.#proxies, place);
  }

  who(request: IncomingMessage): Who {
    const from = request.socket.remoteAddress ?? "unknown";
    const given = this.#header === undefined ? undefined : request.headers[this.#header];
    if (given === undefined || !this.#isBelieved(from)) return { from };
    // Node reads headers as Latin-1; a name in UTF-8 is put right, and what is neither is kept as it came.
    const name = oneLine(utf8Of(String(given)))
      .slice(0, userMaxLength)
      .toWellFormed();
    return name === "" ? { from } : { user: name, from };
  }

  #isBelieved(from: string): boolean {
    if (isLoopback(from)) return true;
    const plain = from.replace(/^::ffff:/i, "");
    return this.#proxies.check(plain, isIPv6(plain) ? "ipv6" : "ipv4");
  }
}

function addTo(list: BlockList, place: string): void {
  const [address = "", bits] = place.split("/");
  const family = isIPv6(address) ? "ipv6" : "ipv4";
  if (bits === undefined) list.addAddress(address, family);
  else list.addSubnet(address, Number(bits), family);
}

function utf8Of(latin1: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.from(latin1, "latin1"));
  } catch {
    return latin1;
  }
}
