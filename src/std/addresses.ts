// Hosts as people write them into a setting: which of them only this machine reaches, and how a process on it gets to
// what listens there.
import { BlockList, isIPv4, isIPv6 } from "node:net";

/** True for an address or name that only this machine reaches. */
export function isLoopback(host: string): boolean {
  if (host.toLowerCase() === "localhost") return true;
  const loopback = new BlockList();
  loopback.addSubnet("127.0.0.0", 8, "ipv4");
  loopback.addAddress("::1", "ipv6");
  if (isIPv4(host)) return loopback.check(host, "ipv4");
  return isIPv6(host) && loopback.check(host, "ipv6");
}

/** A URL's host, an IPv6 address without its brackets. */
export function hostOf(url: string | URL): string {
  return new URL(url).hostname.replace(/^\[|\]$/g, "");
}

/** Where a process on this machine reaches what listens at this address. */
export function reachableHost(host: string): string {
  if (host === "0.0.0.0" || host === "") return "127.0.0.1";
  return host === "::" ? "::1" : host;
}

/** The base of such URLs, without a slash at its end. */
export function reachableUrl(host: string, port: number): string {
  const reachable = reachableHost(host);
  return `http://${reachable.includes(":") ? `[${reachable}]` : reachable}:${port}`;
}
