// What the daemon talks to besides AWS: the source of client tokens, handlers and the services behind them, and its own
// admin port.

import type { PartsOptions } from "../compose/parts-options.js";
import { proxiesOf } from "../compose/proxies-of.js";
import { reachableUrl } from "../std/addresses.js";
import { BoundedBytes } from "../std/bounded.js";
import { codeOf, describeError } from "../std/errors.js";
import type { Proxies } from "../std/proxies.js";
import { askTokens, checkHandlers } from "./builds.js";
import type { Finding } from "./finding.js";
import { reachBy, remedyOf } from "./ways-out.js";

/** Nothing when no action type needs them. */
export async function tokens(options: PartsOptions): Promise<readonly Finding[]> {
  const { actionTypes, clientTokens } = options.config;
  if (!actionTypes.some(({ owner }) => owner === "ThirdParty")) return [];
  const subject = "client tokens";
  const mistakes = await askTokens(options);
  if (mistakes.length > 0) {
    const remedy = "fix the source; without a client's token, partnerd cannot even report that its job failed";
    return mistakes.map((message) => ({ subject, verdict: "failed", message, remedy }));
  }
  if (clientTokens.source === "static" && Object.keys(clientTokens.tokens).length === 0) {
    const message = "none are configured, so no third-party job can run";
    return [{ subject, verdict: "failed", message, remedy: "set clientTokens.path or clientTokens.tokens" }];
  }
  return [{ subject, verdict: "ok", message: `the ${clientTokens.source} source answers` }];
}

/** Each handler: a module is loaded, a program looked for, a service connected to. */
export async function handlers(options: PartsOptions): Promise<readonly Finding[]> {
  const mistakes = await checkHandlers(options);
  const wrong = mistakes.map(
    (message): Finding => ({ subject: "handlers", verdict: "failed", message, remedy: "see the message" }),
  );
  const proxies = proxiesOf(options);
  const urls = Object.entries(options.config.handlers).flatMap(([name, handler]) =>
    handler.kind === "http" ? [urlFinding(name, new URL(handler.url), proxies)] : [],
  );
  const known = Object.entries(options.config.handlers).filter(
    ([name, { kind }]) => kind !== "http" && !mistakes.some((message) => message.includes(JSON.stringify(name))),
  );
  const fine = known.map(
    ([name, { kind }]): Finding => ({
      subject: `handler ${name}`,
      verdict: "ok",
      message: kind === "module" ? "its module loads" : "its program exists",
    }),
  );
  return [...wrong, ...fine, ...(await Promise.all(urls))];
}

/** Connects and says nothing: a request would be taken for a job. */
async function urlFinding(name: string, url: URL, proxies: Proxies): Promise<Finding> {
  const subject = `handler ${name}`;
  const proxy = proxies.of(url);
  const by = proxy ? `, by the proxy ${proxy.shown}` : "";
  try {
    await reachBy(proxies, url);
    if (proxy && url.protocol === "http:") {
      const message = `not tested: only the proxy ${proxy.shown} can resolve ${url.host}, and the service would take a test request for a job`;
      return { subject, verdict: "ok", message };
    }
    return { subject, verdict: "ok", message: `${url.host} accepts connections${by}` };
  } catch (error) {
    const message = `${url.host} cannot be reached${by}: ${describeError(error)}`;
    const remedy = remedyOf(codeOf(error)) ?? "start the service, or correct the handler's url";
    return { subject, verdict: "failed", message, remedy };
  }
}

const connectLimitMs = 5_000;

/** Free, ours already, or taken. */
export async function adminPort({ config }: PartsOptions): Promise<readonly Finding[]> {
  const { host, port } = config.admin;
  const subject = "admin port";
  if (port === 0) {
    const remedy = "set admin.port: without it there are no probes, metrics or callbacks";
    return [{ subject, verdict: "warning", message: "off", remedy }];
  }
  const { AdminError, tryAdminAddress } = await import("../admin/server.js");
  try {
    await tryAdminAddress({ host, port });
    return [{ subject, verdict: "ok", message: `${host}:${port} is free` }];
  } catch (error) {
    if (!(error instanceof AdminError)) throw error;
    if (await isDaemonAt(`${reachableUrl(host, port)}/livez`)) {
      return [{ subject, verdict: "ok", message: `a daemon answers at ${host}:${port}` }];
    }
    const { problem, remedy } = error;
    return [{ subject, verdict: "failed", message: problem, remedy }];
  }
}

/** An answer of /livez is far shorter. */
const livezMaxBytes = 65_536;

/** True when what listens there speaks of its liveness as only a daemon does. */
async function isDaemonAt(url: string): Promise<boolean> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(connectLimitMs), redirect: "manual" });
    const bytes = new BoundedBytes(livezMaxBytes);
    for await (const chunk of answer.body ?? []) if (!bytes.add(chunk)) return false;
    const body: unknown = JSON.parse(bytes.whole().toString("utf8"));
    return typeof (body as { readonly live?: unknown } | null)?.live === "boolean";
  } catch {
    // Nobody, or somebody else.
    return false;
  }
}
