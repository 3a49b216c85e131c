// Services on other machines: whether they can reach what they are given, and whether others can read it on the way.
import { hostOf, isLoopback, reachableHost } from "../std/addresses.js";
import type { Draft } from "./config.js";
import type { Findings } from "./mistakes.js";
import { schema } from "./schema.js";
import { type Section, settingsOf } from "./setting.js";
import type { Settings } from "./settings.js";

interface Services {
  readonly draft: Draft;
  readonly settings: Settings;
  readonly findings: Findings;
}

/** Warns of callbacks that cannot arrive, and of URLs that lead elsewhere in clear. */
export function checkServices(services: Services): void {
  checkCallbacks(services);
  const { settings, findings } = services;
  for (const [path, url] of urlsOf(schema, "", settings)) {
    const host = hostOf(url);
    // A name without a dot is one of the network that containers share.
    if (url.protocol !== "http:" || isLoopback(host) || !/[.:]/.test(host)) continue;
    const what = `${path} uses plain http to ${host}, so others on the network can read secrets`;
    findings.warn(settings.place(path), what, "write https");
  }
}

/** A service may answer 202 and deliver the outcome later, if it can reach the address that it is given. */
function checkCallbacks({ draft: { admin, handlers }, settings, findings }: Services): void {
  if (!settings.isSound("admin.host", "admin.port", "admin.publicUrl") || admin.port === 0) return;
  const host = admin.publicUrl === undefined ? reachableHost(admin.host) : hostOf(admin.publicUrl);
  if (!isLoopback(host)) return;
  for (const { name, path } of settings.entries("handlers")) {
    const handler = handlers[name];
    if (handler?.kind !== "http" || !settings.isSound(`${path}.url`)) continue;
    const service = hostOf(handler.url);
    if (isLoopback(service)) continue;
    const what = `${path}.url is on another machine (${service}), which cannot reach callbacks at ${host}`;
    findings.warn(
      settings.place(`${path}.url`),
      what,
      "set admin.publicUrl to an address at which it can reach the admin port",
    );
  }
}

/** Every URL that is set, and right, with its path; also those of entries. */
function urlsOf(section: Section, prefix: string, settings: Settings): readonly (readonly [string, URL])[] {
  return [...settingsOf(section, prefix)].flatMap(([path, { kind }]) => {
    const value = kind.name === "URL" && settings.isSound(path) ? settings.get(path) : undefined;
    const below = settings.entries(path).flatMap((entry) => urlsOf(entry.section, entry.path, settings));
    return typeof value === "string" ? [[path, new URL(value)] as const] : below;
  });
}
