// Client tokens of an HTTP service: GET the client's URL; 200 and `{"token": "…"}`, or 404 for a client that it does not
// know. Whatever else comes is an outage. Asks the configured host alone, and no message shows what it answered.
import type { ClientId } from "../job/job.js";
import type { Secret } from "../job/secret.js";
import { HttpClient } from "../network/http-client.js";
import { type HttpGetOptions, type HttpGot, httpGet } from "../network/http-get.js";
import { codeOf } from "../std/errors.js";
import type { Proxies } from "../std/proxies.js";
import { clientIdMark, type TokenStore, TokenStoreFault, tokenOfJson } from "./token-store.js";

/** A token has at most 256 characters; the rest is room for members that are ignored. */
const answerMaxBytes = 64 * 1024;

export interface HttpStoreOptions {
  /** Holds `{clientId}` behind its host. */
  readonly url: string;
  /** Sent as a bearer token. */
  readonly token?: Secret<string> | undefined;
  readonly proxies: Proxies;
  readonly connectionTimeoutMs: number;
}

/** An idle connection is closed before the usual proxy or server closes it first. */
const idleMs = 4_000;

/** Opens no connection yet: the service may be down when the daemon starts. */
export async function openHttpStore(options: HttpStoreOptions): Promise<TokenStore> {
  const { url, token, proxies, connectionTimeoutMs } = options;
  const client = new HttpClient({ proxies, connectionTimeoutMs, idleMs });
  const headers = {
    accept: "application/json",
    ...(token ? { authorization: `Bearer ${token.reveal()}` } : {}),
  };
  return {
    // A query may hold a key.
    name: `the token service ${url.replace(/\?.*$/s, "")}`,
    find: async (clientId, signal) =>
      tokenIn(await answerOf({ client, url: urlOf(url, clientId), headers, maxBytes: answerMaxBytes, signal })),
    close: async () => client.close(),
  };
}

function urlOf(template: string, clientId: ClientId): URL {
  return new URL(template.replaceAll(clientIdMark, encodeURIComponent(clientId)));
}

async function answerOf(request: HttpGetOptions): Promise<HttpGot> {
  try {
    return await httpGet(request);
  } catch (error) {
    // Not its message: the request with its headers is part of some.
    throw new TokenStoreFault("away", `cannot be reached (${codeOf(error) ?? "unknown error"})`);
  }
}

function tokenIn({ status, body }: { readonly status: number; readonly body: Buffer | undefined }): unknown {
  if (status === 404) return undefined;
  if (status !== 200) throw new TokenStoreFault("away", `answered ${status}${hintFor(status)}`);
  if (body === undefined) {
    throw new TokenStoreFault("unusable", `gave an answer that is cut off or larger than ${answerMaxBytes} bytes`);
  }
  return tokenOfJson(body.toString("utf8"), "its answer");
}

function hintFor(status: number): string {
  if (status >= 300 && status < 400) return ", a redirect, and none is followed: correct clientTokens.url";
  return status === 401 || status === 403 ? ": look at clientTokens.token" : "";
}
