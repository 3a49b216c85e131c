// Services on other machines: whether they can reach what they are given, and whether others can read it on the way.
import { isLoopback, reachableHost } from "../std/addresses.js";
import type { HandlerEntry } from "./entries.js";
import type { Findings } from "./mistakes.js";
import type { Settings } from "./settings.js";

interface Services {
  readonly settings: Settings;
  readonly findings: Findings;
  readonly handlers: readonly HandlerEntry[];
}

/** Warns of callbacks that cannot arrive, and of URLs that lead elsewhere in clear. */
export function checkServices(services: Services): void {
  checkCallbacks(services);
  const { settings, findings, handlers } = services;
  const urls = handlers.filter(({ kind }) => kind === "http").map(({ path }) => `${path}.url`);
  for (const path of [...urls, "admin.publicUrl", "aws.endpoint", "artifacts.endpoint", "ledger.endpoint"]) {
    const host = hostAt(path, settings);
    // A name without a dot is one of the network that containers share.
    if (host === undefined || isLoopback(host) || !/[.:]/.test(host)) continue;
    if (!/^http:/i.test(settings.text(path))) continue;
    const what = `${path} leads to ${host} over plain http, where others can read what is secret`;
    findings.warn(settings.place(path), what, "write https");
  }
}

/** A service may answer 202 and deliver the outcome later, if it can reach the address that it is given. */
function checkCallbacks({ settings, findings, handlers }: Services): void {
  if (!["admin.host", "admin.port", "admin.publicUrl"].every((path) => settings.isSound(path))) return;
  if (settings.number("admin.port") === 0) return;
  const host = hostAt("admin.publicUrl", settings) ?? reachableHost(settings.text("admin.host"));
  if (!isLoopback(host)) return;
  for (const { kind, path } of handlers) {
    const service = kind === "http" ? hostAt(`${path}.url`, settings) : undefined;
    if (service === undefined || isLoopback(service)) continue;
    const what = `${path}.url leads to another machine (${service}), which cannot deliver an outcome to callbacks at ${host}`;
    findings.warn(settings.place(`${path}.url`), what, "set admin.publicUrl to where it can reach the admin port");
  }
}

/** The host of a URL that is set, and right. */
function hostAt(path: string, settings: Settings): string | undefined {
  if (!settings.isSound(path)) return undefined;
  const url = settings.optionalText(path);
  return url === undefined ? undefined : new URL(url).hostname.replace(/^\[|\]$/g, "");
}
